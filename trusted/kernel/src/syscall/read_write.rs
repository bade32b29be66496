//! read, write and their kin.

use super::{Call, resource};
use crate::signal::{self, Info};
use crate::socket::SocketFile;
use rkt_linux_abi::general::{O_APPEND, RWF_APPEND, RWF_DSYNC, RWF_HIPRI, RWF_NOWAIT, RWF_SYNC, SEEK_HOLE, SIGPIPE};
use rkt_linux_abi::{Errno, PAGE_SIZE, Result};
use rkt_user::{IoSink, IoSource, IoVec, UserPtr, UserSlice};
use rkt_vfs::{FileType, OpenFile, READABLE, WRITABLE};

/// Most bytes that one call moves (read(2), NOTES).
pub const MAX_RW_COUNT: usize = i32::MAX as usize & !(PAGE_SIZE - 1);
/// Most ranges of one call: UIO_MAXIOV of linux/uio.h.
pub const IOV_MAX: usize = 1024;
/// Ranges that are read from user memory at once without allocation: UIO_FASTIOV.
const FAST_IOV: usize = 8;

fn range(buf: u64, count: usize) -> Result<UserSlice> {
    Ok(UserSlice::new(buf, count)?.limit(MAX_RW_COUNT))
}

/// The ranges of an array of `struct iovec`.
///
/// # Errors
/// `EINVAL` for more than [`IOV_MAX`] ranges or a negative length, `EFAULT`.
pub fn iovec(address: u64, count: usize) -> Result<IoVec> {
    if count > IOV_MAX {
        return Err(Errno::EINVAL);
    }
    let words = UserPtr::<u64>::new(address);
    let mut few = [0u64; 2 * FAST_IOV];
    let many;
    let pairs = match few.get_mut(..2 * count) {
        Some(few) => {
            let bytes = zerocopy::IntoBytes::as_mut_bytes(few);
            if UserSlice::new(address, bytes.len())?.read(bytes) < bytes.len() {
                return Err(Errno::EFAULT);
            }
            &*few
        }
        None => {
            many = words.read_array(2 * count)?;
            many.as_slice()
        }
    };
    IoVec::from_fn(count, |n| match pairs.get(2 * n..2 * n + 2) {
        Some(&[_, len]) if len > isize::MAX as u64 => Err(Errno::EINVAL),
        Some(&[base, len]) => UserSlice::new(base, len as usize),
        _ => Err(Errno::EFAULT),
    })
}

pub(super) fn sink(address: u64, count: usize) -> Result<IoSink<'static>> {
    let mut sink = IoSink::ranges(iovec(address, count)?);
    sink.limit(MAX_RW_COUNT);
    Ok(sink)
}

pub(super) fn source(address: u64, count: usize) -> Result<IoSource<'static>> {
    let mut source = IoSource::ranges(iovec(address, count)?);
    source.limit(MAX_RW_COUNT);
    Ok(source)
}

/// What a write says; nobody to read a pipe or a stream is a signal, too.
#[inline]
pub(super) fn written(call: &Call<'_>, to: &OpenFile, result: Result<usize>) -> Result<u64> {
    if result == Err(Errno::EPIPE) && SocketFile::of(to).map_or(true, |socket| socket.is_stream()) {
        signal::send_to_task(call.task, Info::kernel(SIGPIPE));
    }
    if let Ok(n) = result {
        call.task.transfers.count_written(n as u64);
    }
    result.map(|n| n as u64)
}

/// What a read says.
#[inline]
fn read_so_much(call: &Call<'_>, result: Result<usize>) -> Result<u64> {
    let n = result? as u64;
    call.task.transfers.count_read(n);
    Ok(n)
}

/// read(2).
#[inline]
pub fn read(call: &mut Call<'_>, fd: i32, buf: u64, count: usize) -> Result<u64> {
    let file = call.task.process.file(fd)?;
    read_so_much(call, file.read(&mut IoSink::user(range(buf, count)?)))
}

/// write(2).
#[inline]
pub fn write(call: &mut Call<'_>, fd: i32, buf: u64, count: usize) -> Result<u64> {
    let file = call.task.process.file(fd)?;
    let mut from = IoSource::user(range(buf, count)?);
    resource::fit_write(call, &file, None, &mut from)?;
    written(call, &file, file.write(&mut from))
}

/// Checks an offset, before the descriptor is looked at.
fn not_negative(offset: i64) -> Result<()> {
    if offset < 0 { Err(Errno::EINVAL) } else { Ok(()) }
}

/// pread64(2).
pub fn pread64(call: &mut Call<'_>, fd: i32, buf: u64, count: usize, offset: i64) -> Result<u64> {
    not_negative(offset)?;
    let file = call.task.process.file(fd)?;
    read_so_much(call, file.read_at(offset, &mut IoSink::user(range(buf, count)?)))
}

/// pwrite64(2).
pub fn pwrite64(call: &mut Call<'_>, fd: i32, buf: u64, count: usize, offset: i64) -> Result<u64> {
    not_negative(offset)?;
    let file = call.task.process.file(fd)?;
    let mut from = IoSource::user(range(buf, count)?);
    resource::fit_write(call, &file, Some(offset), &mut from)?;
    written(call, &file, file.write_at(offset, &mut from))
}

/// Checks that a file is open for a transfer, which may have an offset of its own. The ranges are
/// looked at later.
fn check_open(file: &OpenFile, open: bool, positioned: bool) -> Result<()> {
    if positioned && !file.is_path_only() && !file.ops().seekable() {
        return Err(Errno::ESPIPE);
    }
    if open { Ok(()) } else { Err(Errno::EBADF) }
}

/// Reads into ranges, at an offset or where the file stands.
fn read_ranges(call: &Call<'_>, fd: i32, iov: u64, count: usize, offset: Option<i64>, flags: u32) -> Result<u64> {
    let file = call.task.process.file(fd)?;
    check_open(&file, file.readable(), offset.is_some())?;
    let mut into = sink(iov, count)?;
    if into.remaining() == 0 {
        return Ok(0); // the file is not asked
    }
    check_flags(&file, flags, READABLE)?;
    read_so_much(
        call,
        match offset {
            Some(offset) => file.read_at(offset, &mut into),
            None => file.read(&mut into),
        },
    )
}

/// Writes out of ranges, at an offset or where the file stands.
fn write_ranges(call: &Call<'_>, fd: i32, iov: u64, count: usize, offset: Option<i64>, flags: u32) -> Result<u64> {
    let file = call.task.process.file(fd)?;
    check_open(&file, file.writable(), offset.is_some())?;
    let mut from = source(iov, count)?;
    if from.remaining() == 0 {
        return Ok(0); // the file is not asked
    }
    check_flags(&file, flags, WRITABLE)?;
    let append = flags & RWF_APPEND != 0;
    let at = if append { i64::try_from(file.metadata().size).ok() } else { offset };
    resource::fit_write(call, &file, at, &mut from)?;
    let done = written(
        call,
        &file,
        match offset {
            _ if append => file.append(offset.is_none(), &mut from),
            Some(offset) => file.write_at(offset, &mut from),
            None => file.write(&mut from),
        },
    )?;
    if flags & (RWF_DSYNC | RWF_SYNC) != 0 {
        match file.sync(flags & RWF_SYNC == 0) {
            Err(Errno::EINVAL) => {} // nothing that could be lost
            other => other?,
        }
    }
    Ok(done)
}

/// readv(2).
pub fn readv(call: &mut Call<'_>, fd: i32, iov: u64, count: usize) -> Result<u64> {
    read_ranges(call, fd, iov, count, None, 0)
}

/// writev(2).
pub fn writev(call: &mut Call<'_>, fd: i32, iov: u64, count: usize) -> Result<u64> {
    write_ranges(call, fd, iov, count, None, 0)
}

/// preadv(2). The upper half of the offset is nothing on 64-bit processors.
pub fn preadv(call: &mut Call<'_>, fd: i32, iov: u64, count: usize, offset: i64) -> Result<u64> {
    not_negative(offset)?;
    read_ranges(call, fd, iov, count, Some(offset), 0)
}

/// pwritev(2).
pub fn pwritev(call: &mut Call<'_>, fd: i32, iov: u64, count: usize, offset: i64) -> Result<u64> {
    not_negative(offset)?;
    write_ranges(call, fd, iov, count, Some(offset), 0)
}

/// Flags of preadv2(2) and pwritev2(2) that are known; others may be of a later Linux.
const RW_FLAGS: u32 = RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND | RWF_NOAPPEND;

/// RWF_NOAPPEND of linux/fs.h: the offset counts though the file was opened to append.
const RWF_NOAPPEND: u32 = 0x20;

/// Checks the flags of a transfer; `ready` is what poll(2) says of a file that need not wait.
fn check_flags(file: &OpenFile, flags: u32, ready: u32) -> Result<()> {
    if flags & !RW_FLAGS != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    let appends = flags & RWF_NOAPPEND != 0 && file.flags() & O_APPEND != 0;
    match flags & (RWF_APPEND | RWF_NOAPPEND) {
        both if both == RWF_APPEND | RWF_NOAPPEND => return Err(Errno::EINVAL),
        // A file that was opened to append cannot be told not to.
        _ if appends => return Err(Errno::EOPNOTSUPP),
        _ => {}
    }
    if flags & RWF_NOWAIT == 0 {
        return Ok(());
    }
    match file.ops().pollable() {
        // Whether the content of a file is in memory is not told.
        false => Err(Errno::EOPNOTSUPP),
        true if file.poll(None) & ready == 0 => Err(Errno::EAGAIN),
        true => Ok(()),
    }
}

/// The offset of preadv2(2) and pwritev2(2): -1 is the file's position.
fn own_offset(offset: i64) -> Result<Option<i64>> {
    if offset == -1 { Ok(None) } else { not_negative(offset).map(|()| Some(offset)) }
}

/// preadv2(2).
pub fn preadv2(call: &mut Call<'_>, fd: i32, iov: u64, n: usize, offset: i64, _: u64, flags: u32) -> Result<u64> {
    read_ranges(call, fd, iov, n, own_offset(offset)?, flags)
}

/// pwritev2(2).
pub fn pwritev2(call: &mut Call<'_>, fd: i32, iov: u64, n: usize, offset: i64, _: u64, flags: u32) -> Result<u64> {
    write_ranges(call, fd, iov, n, own_offset(offset)?, flags)
}

/// lseek(2).
pub fn lseek(call: &mut Call<'_>, fd: i32, offset: i64, whence: u32) -> Result<u64> {
    let file = super::fd::usable(call, fd)?;
    if whence > SEEK_HOLE {
        return Err(Errno::EINVAL);
    }
    file.seek(offset, whence)
}

/// readahead(2): what can be read is in memory, or on its way with the first access.
pub fn readahead(call: &mut Call<'_>, fd: i32, _offset: i64, _count: usize) -> Result<u64> {
    let file = call.task.process.file(fd)?;
    if !file.readable() {
        return Err(Errno::EBADF);
    }
    if !file.is_regular() { Err(Errno::EINVAL) } else { Ok(0) }
}

/// fadvise64(2): the advice is checked, there is nothing to do about it.
pub fn fadvise64(call: &mut Call<'_>, fd: i32, _offset: i64, len: i64, advice: u32) -> Result<u64> {
    let file = super::fd::usable(call, fd)?;
    if file.inode().kind() == FileType::Fifo {
        return Err(Errno::ESPIPE);
    }
    // POSIX_FADV_NORMAL to POSIX_FADV_NOREUSE.
    if len < 0 || advice > 5 { Err(Errno::EINVAL) } else { Ok(0) }
}
