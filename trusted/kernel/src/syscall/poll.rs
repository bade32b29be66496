//! poll, select and their kin.

use super::Call;
use super::abi::{Timespec, Timeval};
use super::events::{deadline_ms, deadline_ns, temporary_mask};
use super::fd::RLIMIT_NOFILE;
use crate::signal;
use alloc::sync::Arc;
use rkt_linux_abi::general::{
    POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT, POLLPRI, POLLRDBAND, POLLRDNORM, POLLWRBAND, POLLWRNORM,
};
use rkt_linux_abi::{Errno, Result};
use rkt_user::{UserPtr, UserSlice};
use rkt_vfs::{OpenFile, PollTable, poll_with};
use smallvec::SmallVec;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Descriptors that are waited for without allocation.
const FEW: usize = 8;

/// `struct pollfd`.
#[repr(C)]
#[derive(Clone, Copy, Default, FromBytes, IntoBytes, Immutable)]
struct PollFd {
    fd: i32,
    events: u16,
    revents: u16,
}

/// Events that are told whether asked for or not.
const ALWAYS: u32 = POLLERR | POLLHUP | POLLNVAL;

fn look(entry: &mut PollFd, file: Option<&Arc<OpenFile>>, table: Option<&mut PollTable>) -> bool {
    let events = match file {
        _ if entry.fd < 0 => 0,
        None => POLLNVAL,
        Some(file) => file.poll(table),
    };
    entry.revents = (events & (u32::from(entry.events) | ALWAYS)) as u16;
    entry.revents != 0
}

fn poll_files(call: &Call<'_>, fds: u64, count: u32, deadline: Option<u64>) -> Result<u64> {
    let count = count as usize;
    if count as u64 > call.task.process.limit(RLIMIT_NOFILE) {
        return Err(Errno::EINVAL);
    }
    let user = UserSlice::new(fds, count.checked_mul(size_of::<PollFd>()).ok_or(Errno::EFAULT)?)?;
    let mut entries: SmallVec<[PollFd; FEW]> = SmallVec::from_elem(PollFd::default(), count);
    if user.read(entries.as_mut_slice().as_mut_bytes()) < user.len() {
        return Err(Errno::EFAULT);
    }
    let table = call.task.process.files();
    let usable = |entry: &PollFd| table.get(entry.fd).ok().filter(|file| !file.is_path_only());
    let files: SmallVec<[Option<Arc<OpenFile>>; FEW]> = entries.iter().map(usable).collect();
    let ready = poll_with(deadline, |mut table| {
        let pairs = entries.iter_mut().zip(&files);
        pairs.map(|(entry, file)| look(entry, file.as_ref(), table.as_deref_mut())).filter(|&ready| ready).count()
    })?;
    for (n, entry) in entries.iter().enumerate() {
        // `revents` alone: another thread may be at the rest.
        let at = user.skip(n * size_of::<PollFd>() + 6).limit(2);
        at.write_all(&entry.revents.to_ne_bytes())?;
    }
    Ok(ready as u64)
}

/// poll(2).
pub fn poll(call: &mut Call<'_>, fds: u64, count: u32, timeout: i32) -> Result<u64> {
    let deadline = match deadline_ms(timeout) {
        // If this is a restart, it is over when the interrupted call would have been.
        Some(later) if later > 0 => Some(call.task.signals.deadline(timeout as u64 * 1_000_000)),
        other => other,
    };
    let result = poll_files(call, fds, count, deadline);
    if let (Err(Errno::ERESTARTNOHAND), Some(deadline)) = (result, deadline) {
        call.task.signals.keep_deadline(deadline);
    }
    result
}

/// What is left of a timeout, in nanoseconds.
fn left(deadline: u64) -> u64 {
    deadline.saturating_sub(rkt_platform::now())
}

/// ppoll(2): the timeout is left with what remains of it.
pub fn ppoll(call: &mut Call<'_>, fds: u64, count: u32, timeout: u64, mask: u64, size: usize) -> Result<u64> {
    let pointer = UserPtr::<Timespec>::new(timeout).nullable();
    let deadline = deadline_ns(pointer.map(|pointer| pointer.read()).transpose()?)?;
    let mask = temporary_mask(mask, size)?;
    let result = signal::with_mask(call.task, mask, || poll_files(call, fds, count, deadline));
    if let (Some(pointer), Some(deadline)) = (pointer, deadline) {
        // A timeout in read-only memory is nobody's loss.
        let _ = pointer.write(&Timespec::from_ns(left(deadline)));
    }
    result
}

/// The events that make a descriptor readable, writable, exceptional (select(2), NOTES).
const SETS: [u32; 3] =
    [POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR, POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR, POLLPRI];
/// Bits a word of `fd_set`.
const BITS: usize = 64;

/// A descriptor in one of the sets.
struct Selected {
    fd: usize,
    /// For each set, whether it is in there.
    asked: [bool; 3],
    found: [bool; 3],
    file: Arc<OpenFile>,
}

impl Selected {
    fn look(&mut self, table: Option<&mut PollTable>) -> usize {
        let events = self.file.poll(table);
        self.found = core::array::from_fn(|set| {
            let [asked, bits] = [self.asked.get(set) == Some(&true), SETS.get(set).is_some_and(|s| events & s != 0)];
            asked && bits
        });
        self.found.iter().filter(|&&found| found).count()
    }
}

type Words = SmallVec<[u64; 16]>;

fn read_set(address: u64, words: usize) -> Result<Words> {
    let mut set: Words = SmallVec::from_elem(0, words);
    let bytes = set.as_mut_slice().as_mut_bytes();
    if address != 0 && UserSlice::new(address, bytes.len())?.read(bytes) < bytes.len() {
        return Err(Errno::EFAULT);
    }
    Ok(set)
}

fn contains(set: &Words, fd: usize) -> bool {
    set.get(fd / BITS).is_some_and(|word| word >> (fd % BITS) & 1 != 0)
}

fn select_files(call: &Call<'_>, count: i32, addresses: [u64; 3], deadline: Option<u64>) -> Result<u64> {
    let table = call.task.process.files();
    let highest = table.numbers().last().map_or(0, |&fd| fd as usize + 1);
    // Numbers beyond the table are passed over, as in Linux.
    let count = usize::try_from(count).map_err(|_| Errno::EINVAL)?.min(highest.next_multiple_of(BITS));
    let words = count.div_ceil(BITS);
    let [read, write, except] = addresses;
    let sets = [read_set(read, words)?, read_set(write, words)?, read_set(except, words)?];
    let mut selected: SmallVec<[Selected; FEW]> = SmallVec::new();
    for fd in 0..count {
        let asked = sets.each_ref().map(|set| contains(set, fd));
        if asked.contains(&true) {
            let file = super::fd::usable(call, fd as i32)?;
            selected.push(Selected { fd, asked, found: [false; 3], file });
        }
    }
    let ready =
        poll_with(deadline, |mut table| selected.iter_mut().map(|entry| entry.look(table.as_deref_mut())).sum())?;
    for (set, address) in addresses.into_iter().enumerate().filter(|(_, address)| *address != 0) {
        let mut found: Words = SmallVec::from_elem(0, words);
        for entry in selected.iter().filter(|entry| entry.found.get(set) == Some(&true)) {
            if let Some(word) = found.get_mut(entry.fd / BITS) {
                *word |= 1 << (entry.fd % BITS);
            }
        }
        let bytes = found.as_slice().as_bytes();
        UserSlice::new(address, bytes.len())?.write_all(bytes)?;
    }
    Ok(ready as u64)
}

/// select(2): the timeout is left with what remains of it.
pub fn select(call: &mut Call<'_>, count: i32, read: u64, write: u64, except: u64, timeout: u64) -> Result<u64> {
    let pointer = UserPtr::<Timeval>::new(timeout).nullable();
    let time = pointer.map(|pointer| pointer.read()).transpose()?;
    let time = time.map(|time| Timeval::to_ns(time).map(Timespec::from_ns)).transpose()?;
    let deadline = deadline_ns(time)?;
    let result = select_files(call, count, [read, write, except], deadline);
    if let (Some(pointer), Some(deadline)) = (pointer, deadline) {
        let _ = pointer.write(&Timeval::from_ns(left(deadline)));
    }
    result
}

/// pselect6(2): the last argument points to the mask's address and length.
pub fn pselect6(
    call: &mut Call<'_>,
    count: i32,
    read: u64,
    write: u64,
    except: u64,
    timeout: u64,
    mask: u64,
) -> Result<u64> {
    let pointer = UserPtr::<Timespec>::new(timeout).nullable();
    let deadline = deadline_ns(pointer.map(|pointer| pointer.read()).transpose()?)?;
    let mask = match UserPtr::<u64>::new(mask).nullable() {
        Some(pair) => temporary_mask(pair.read()?, pair.nth(1)?.read()? as usize)?,
        None => None,
    };
    let sets = [read, write, except];
    let result = signal::with_mask(call.task, mask, || select_files(call, count, sets, deadline));
    if let (Some(pointer), Some(deadline)) = (pointer, deadline) {
        let _ = pointer.write(&Timespec::from_ns(left(deadline)));
    }
    result
}
