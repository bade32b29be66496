//! Moves bytes between rings and descriptors.

use crate::bell::Bell;
use rkt_window::{ByteRing, RingError};
use rustix::event::{PollFd, PollFlags, poll};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};

/// Bytes moved at a time.
const CHUNK: usize = 64 << 10;

/// An output ring and where its bytes go. Without a destination they are thrown away.
pub(crate) struct Outlet {
    ring: ByteRing,
    to: Option<File>,
    /// Nothing more comes: the enclave broke the ring.
    broken: bool,
}

/// What [`Outlet::drain`] did.
#[derive(Clone, Copy, Default)]
pub(crate) struct Drained {
    /// Bytes were taken.
    pub moved: bool,
    /// The ring was so full that the enclave may be waiting for room.
    pub made_room: bool,
}

impl Outlet {
    pub(crate) fn new(ring: ByteRing, to: Option<File>) -> Self {
        Self { ring, to, broken: false }
    }

    /// Whether there are bytes to take.
    pub(crate) fn has_bytes(&self) -> bool {
        !self.broken && self.ring.available().is_ok_and(|n| n > 0)
    }

    /// Moves up to one chunk, waiting for the destination as long as it takes.
    ///
    /// # Errors
    /// If the enclave broke the ring; it is never looked at again.
    pub(crate) fn drain(&mut self, half: usize) -> Result<Drained, RingError> {
        let mut drained = Drained::default();
        let Some((bytes, made_room)) = self.take(half)? else { return Ok(drained) };
        drained = Drained { moved: true, made_room };
        if let Some(to) = &self.to
            && write_all(to, &bytes).is_err()
        {
            // The reader is gone: the program gets EPIPE from now on.
            self.ring.shut();
            self.to = None;
            drained.made_room = true;
        }
        Ok(drained)
    }

    /// Takes up to one chunk out of the ring, and says whether more than `half` was in it.
    pub(crate) fn take(&mut self, half: usize) -> Result<Option<(Vec<u8>, bool)>, RingError> {
        if self.broken {
            return Ok(None);
        }
        let result = self.ring.available().and_then(|filled| {
            let mut bytes = vec![0; filled.min(CHUNK)];
            let taken = self.ring.take(&mut bytes)?;
            bytes.truncate(taken);
            Ok((taken > 0).then_some((bytes, filled >= half)))
        });
        self.broken = result.is_err();
        result
    }
}

/// Writes everything, also to a descriptor that somebody made non-blocking.
pub(crate) fn write_all(mut to: &File, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match to.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(n) => bytes = &bytes[n..],
            Err(e) => retry(to, PollFlags::OUT, e)?,
        }
    }
    Ok(())
}

/// Waits for `fd` if the error says that it was not ready, else returns the error.
fn retry(fd: &File, wanted: PollFlags, error: io::Error) -> io::Result<()> {
    match error.kind() {
        ErrorKind::Interrupted => Ok(()),
        ErrorKind::WouldBlock => match poll(&mut [PollFd::new(fd, wanted)], None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(e) => Err(e.into()),
        },
        _ => Err(error),
    }
}

/// Feeds standard input to the enclave until it ends. When the ring is full it parks the
/// thread; the console thread unparks it after each look at the window.
pub(crate) fn feed(mut from: File, mut ring: ByteRing, vcpu: Bell) {
    let mut buffer = vec![0; CHUNK];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => {
                if !push(&mut ring, vcpu, &buffer[..n]) {
                    return;
                }
            }
            Err(e) => {
                if retry(&from, PollFlags::IN, e).is_err() {
                    break;
                }
            }
        }
    }
    ring.shut();
    vcpu.ring();
}

/// Puts all bytes in; false if the enclave wants no more or broke the ring.
fn push(ring: &mut ByteRing, vcpu: Bell, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        if ring.peer_shut() {
            return false;
        }
        match ring.put(bytes) {
            Ok(0) => std::thread::park(),
            Ok(n) => {
                bytes = &bytes[n..];
                vcpu.ring();
            }
            Err(_) => return false,
        }
    }
    true
}
