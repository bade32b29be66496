//! The decorator: encrypts what is written, decrypts what was read.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use rkt_aes_xts::{Kernel, Sectors, Xts, XtsError};
use rkt_block::{Shift, Slice, delegate};
use rkt_blockdev::{BlockDevice, BlockError, Codec, Completion, Geometry, Rejected, Request, SubmitError, Token};
use rkt_luks::{Payload, VolumeKey};
use rkt_window::{OutOfBounds, Region};

/// Buffers of ciphertext that are kept for the next write.
const SPARE: usize = 32;

/// Why a payload is no disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CryptError {
    /// The header is guilty: the payload does not lie on the disk, or not on its blocks.
    Place(Payload),
    /// The caller is guilty: no key of AES-XTS.
    Key(XtsError),
}

impl fmt::Display for CryptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Place(Payload { offset, len, .. }) => {
                write!(f, "{len} encrypted bytes at {offset} do not fit the disk")
            }
            Self::Key(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for CryptError {}

/// Whether discards reach the disk, which tells whoever has it what is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discard {
    /// They do not: the disk says that it does not know them.
    Refuse,
    /// They do.
    Pass,
}

/// The cipher of a payload.
struct Cipher {
    xts: Xts,
    sector_len: usize,
    first_tweak: u64,
    /// Where the payload lies on the disk.
    start: u64,
}

impl Cipher {
    /// Sectors from `offset` of the payload on.
    fn sectors(&self, offset: u64) -> Sectors {
        /// The unit of sector numbers (dm-crypt's `plain64`).
        const UNIT: u64 = 512;
        Sectors { first: self.first_tweak.wrapping_add(offset / UNIT), len: self.sector_len }
    }
}

/// What lies before the payload is not reached through a [`CryptDevice`].
impl Codec for Cipher {
    fn encode(&self, at: u64, from: &[u8], window: &Region, offset: usize) -> Result<(), OutOfBounds> {
        let sectors = self.sectors(at.wrapping_sub(self.start));
        let bad = |_| OutOfBounds { offset: offset as u64, len: from.len() as u64 };
        self.xts.encrypt_into(sectors, from, window, offset).map_err(bad)
    }

    fn decode(&self, at: u64, window: &Region, offset: usize, into: &mut [u8]) -> Result<(), OutOfBounds> {
        let sectors = self.sectors(at.wrapping_sub(self.start));
        let bad = OutOfBounds { offset: offset as u64, len: into.len() as u64 };
        self.xts.decrypt_from(sectors, window, offset, into).map_err(|_| bad)
    }
}

/// The plaintext of a container on `D`. A disk that copies data itself ciphers it on the way.
pub struct CryptDevice<D> {
    inner: D,
    shift: Shift,
    cipher: Arc<Cipher>,
    /// The disk does it.
    on_the_way: bool,
    /// Plaintext of writes in flight: a write is encrypted into a buffer of its own, because its buffer
    /// comes back unchanged.
    writes: BTreeMap<Token, Vec<u8>>,
    spare: Vec<Vec<u8>>,
    /// The disk had no room; until it has completed something, asking again would only encrypt in vain.
    full: bool,
}

impl<D: BlockDevice> CryptDevice<D> {
    /// The payload of a container, from which `key` was unlocked.
    ///
    /// # Errors
    /// See [`CryptError`].
    pub fn new(
        mut disk: D,
        payload: Payload,
        key: &VolumeKey,
        kernel: Kernel,
        discard: Discard,
    ) -> Result<Self, CryptError> {
        let geometry = disk.geometry();
        let block_len = payload.sector_len.max(geometry.block_len);
        let slice = Slice { offset: payload.offset, len: payload.len };
        let shift = Shift::new(&geometry, slice, block_len).ok_or(CryptError::Place(payload))?;
        let shift = shift.restricted(|geometry| {
            // Zeroes on the disk would decrypt to noise.
            geometry.max_write_zeroes = 0;
            if discard == Discard::Refuse {
                geometry.max_discard = 0;
            }
        });
        let cipher = Arc::new(Cipher {
            xts: Xts::new(key.bytes(), kernel).map_err(CryptError::Key)?,
            sector_len: payload.sector_len as usize,
            first_tweak: payload.first_tweak,
            start: payload.offset,
        });
        let on_the_way = disk.set_codec(cipher.clone());
        Ok(Self { inner: disk, shift, cipher, on_the_way, writes: BTreeMap::new(), spare: Vec::new(), full: false })
    }

    fn write(&mut self, offset: u64, plain: Vec<u8>, fua: bool) -> Result<Token, Rejected> {
        let whole = |error, data| Rejected { error, request: Request::Write { offset, data, fua } };
        let mut data = self.spare.pop().unwrap_or_default();
        data.resize(plain.len(), 0);
        // Whole sectors, as the geometry asks for.
        if self.cipher.xts.encrypt_to(self.cipher.sectors(offset), &plain, &mut data).is_err() {
            return Err(whole(SubmitError::Misaligned, plain));
        }
        match self.shift.submit(&mut self.inner, Request::Write { offset, data, fua }) {
            Ok(token) => {
                self.writes.insert(token, plain);
                Ok(token)
            }
            Err(Rejected { error, request }) => {
                self.full = error == SubmitError::Full;
                self.keep(request);
                Err(whole(error, plain))
            }
        }
    }

    /// Keeps the buffer of a write for the next one.
    fn keep(&mut self, request: Request) {
        if let Request::Write { data, .. } = request
            && self.spare.len() < SPARE
        {
            self.spare.push(data);
        }
    }

    /// A completion as whoever made the request sees it.
    fn finish(&mut self, done: Completion) -> Completion {
        let Completion { token, request, mut result } = done;
        let mut request = self.shift.outward(request);
        match &mut request {
            Request::Read { offset, data } if result.is_ok() && !self.on_the_way => {
                let sectors = self.cipher.sectors(*offset);
                result = self.cipher.xts.decrypt(sectors, data).map_err(|_| BlockError::Device);
            }
            Request::Write { data, .. } => {
                if let Some(plain) = self.writes.remove(&token) {
                    let ciphertext = core::mem::replace(data, plain);
                    if self.spare.len() < SPARE {
                        self.spare.push(ciphertext);
                    }
                }
            }
            _ => {}
        }
        Completion { token, request, result }
    }
}

impl<D: BlockDevice> BlockDevice for CryptDevice<D> {
    delegate!(inner: kick, has_work, in_flight, deadline, stats, fault);

    fn geometry(&self) -> Geometry {
        self.shift.geometry()
    }

    fn submit(&mut self, request: Request) -> Result<Token, Rejected> {
        let room = if self.full && self.inner.in_flight() > 0 { Err(SubmitError::Full) } else { Ok(()) };
        if let Err(error) = self.shift.geometry().check(&request).and(room) {
            return Err(Rejected { error, request });
        }
        self.full = false;
        match request {
            Request::Write { offset, data, fua } if !self.on_the_way => self.write(offset, data, fua),
            other => self.shift.submit(&mut self.inner, other),
        }
    }

    fn poll(&mut self) -> Option<Completion> {
        let done = self.inner.poll()?;
        self.full = false;
        Some(self.finish(done))
    }

    fn reset(&mut self, wait: &mut dyn FnMut()) -> Result<(), BlockError> {
        self.full = false;
        self.inner.reset(wait)?;
        if self.shift.still_fits(&self.inner.geometry()) { Ok(()) } else { Err(BlockError::Device) }
    }
}
