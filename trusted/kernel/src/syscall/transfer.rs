//! Bytes from one file to another: sendfile, copy_file_range, splice, tee, vmsplice.

use super::Call;
use super::fd::usable;
use super::read_write::{MAX_RW_COUNT, sink, source, written};
use super::resource;
use alloc::sync::Arc;
use alloc::vec::Vec;
use rkt_linux_abi::general::{
    O_APPEND, O_DIRECT, POLLHUP, POLLIN, POLLOUT, SEEK_SET, SPLICE_F_GIFT, SPLICE_F_MORE, SPLICE_F_MOVE,
    SPLICE_F_NONBLOCK,
};
use rkt_linux_abi::{Errno, Result};
use rkt_user::{IoSink, IoSource, UserPtr};
use rkt_vfs::{FileType, OpenFile, PollRequest};

/// Bytes that are under way at once.
const CHUNK: usize = 64 << 10;

fn buffer(count: usize) -> Result<Vec<u8>> {
    let len = count.min(CHUNK);
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len).map_err(|_| Errno::ENOMEM)?;
    bytes.resize(len, 0);
    Ok(bytes)
}

/// One side of a transfer: a file at its position, or at an offset that the caller keeps.
struct End {
    file: Arc<OpenFile>,
    seekable: bool,
    at: i64,
    /// Where the offset lies in user memory; none is the file's position.
    offset: Option<UserPtr<i64>>,
}

impl End {
    /// `unseekable` is what a given offset means to a file that has none.
    fn new(file: Arc<OpenFile>, offset: u64, unseekable: Errno) -> Result<Self> {
        let seekable = file.ops().seekable();
        let offset = UserPtr::<i64>::new(offset).nullable();
        if offset.is_some() && !seekable {
            return Err(unseekable);
        }
        let at = match offset {
            Some(pointer) => pointer.read()?,
            None => i64::try_from(file.position()).map_err(|_| Errno::EOVERFLOW)?,
        };
        if at < 0 { Err(Errno::EINVAL) } else { Ok(Self { file, seekable, at, offset }) }
    }

    /// Reads without moving on: what is not passed on must not be lost.
    fn peek(&self, bytes: &mut [u8]) -> Result<usize> {
        let mut into = IoSink::kernel(bytes);
        if self.seekable { self.file.read_at(self.at, &mut into) } else { self.file.read(&mut into) }
    }

    fn write(&self, call: &Call<'_>, bytes: &[u8]) -> Result<usize> {
        let mut from = IoSource::kernel(bytes);
        resource::fit_write(call, &self.file, Some(self.at), &mut from)?;
        if self.seekable { self.file.write_at(self.at, &mut from) } else { self.file.write(&mut from) }
    }

    fn advance(&mut self, n: usize) {
        self.at = self.at.saturating_add(n as i64);
    }

    /// Puts the offset, or the position, where the transfer has got to.
    fn finish(&self) -> Result<()> {
        match self.offset {
            Some(pointer) => pointer.write(&self.at),
            None if self.seekable => self.file.seek(self.at, SEEK_SET).map(drop),
            None => Ok(()),
        }
    }
}

/// Checks that an offset can be read, if there is one.
fn check_offset(offset: u64) -> Result<()> {
    UserPtr::<i64>::new(offset).nullable().map_or(Ok(()), |pointer| pointer.read().map(drop))
}

/// Moves up to `count` bytes; an error counts only if nothing was moved.
fn transfer(call: &Call<'_>, from: &mut End, to: &mut End, count: usize) -> Result<usize> {
    let mut bytes = buffer(count)?;
    let mut done = 0;
    while done < count {
        let want = bytes.get_mut(..CHUNK.min(count - done)).ok_or(Errno::EINVAL)?;
        let step = from.peek(want).and_then(|n| to.write(call, want.get(..n).unwrap_or(&[])));
        match step {
            Ok(0) => break,
            Ok(n) => {
                from.advance(n);
                to.advance(n);
                done += n;
            }
            Err(error) if done == 0 => return Err(error),
            Err(_) => break,
        }
    }
    from.finish()?;
    to.finish()?;
    Ok(done)
}

/// sendfile(2).
pub fn sendfile(call: &mut Call<'_>, out: i32, input: i32, offset: u64, count: usize) -> Result<u64> {
    check_offset(offset)?;
    let process = &call.task.process;
    let input = process.file(input)?;
    if !input.readable() {
        return Err(Errno::EBADF);
    }
    let mut from = End::new(input, offset, Errno::ESPIPE)?;
    let out = process.file(out)?;
    if !out.writable() {
        return Err(Errno::EBADF);
    }
    if !from.seekable || from.file.path().is_directory() || out.flags() & O_APPEND != 0 {
        return Err(Errno::EINVAL);
    }
    let mut to = End::new(out, 0, Errno::ESPIPE)?;
    let result = transfer(call, &mut from, &mut to, count.min(MAX_RW_COUNT));
    written(call, &to.file, result)
}

/// copy_file_range(2).
pub fn copy_file_range(
    call: &mut Call<'_>,
    input: i32,
    from_offset: u64,
    out: i32,
    to_offset: u64,
    count: usize,
    flags: u32,
) -> Result<u64> {
    let (input, out) = (usable(call, input)?, usable(call, out)?);
    check_offset(from_offset)?;
    check_offset(to_offset)?;
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    let any = |kind: FileType| [&input, &out].iter().any(|file| file.inode().kind() == kind);
    if any(FileType::Directory) {
        return Err(Errno::EISDIR);
    }
    if [&input, &out].iter().any(|file| !file.is_regular()) {
        return Err(Errno::EINVAL);
    }
    if !input.readable() || !out.writable() || out.flags() & O_APPEND != 0 {
        return Err(Errno::EBADF);
    }
    if input.path().mount.fs().device() != out.path().mount.fs().device() {
        return Err(Errno::EXDEV);
    }
    let same = Arc::ptr_eq(input.inode(), out.inode());
    let mut from = End::new(input, from_offset, Errno::EINVAL)?;
    let mut to = End::new(out, to_offset, Errno::EINVAL)?;
    let past = |end: &End| (end.at as u64).checked_add(count as u64).is_none();
    if past(&from) || past(&to) {
        return Err(Errno::EOVERFLOW);
    }
    let left = from.file.metadata().size.saturating_sub(from.at as u64).min((i64::MAX - to.at) as u64);
    let left = usize::try_from(left).unwrap_or(usize::MAX);
    let room = resource::room_for_write(call, &to.file, Some(to.at))?;
    let count = count.min(MAX_RW_COUNT).min(left).min(room);
    if same && from.at.abs_diff(to.at) < count as u64 {
        return Err(Errno::EINVAL);
    }
    if count == 0 {
        return Ok(0); // not even read
    }
    let result = transfer(call, &mut from, &mut to, count);
    written(call, &to.file, result)
}

/// Writes all of it, waiting where the file does not: it has been taken from a pipe already.
fn write_all(call: &Call<'_>, to: &mut End, mut bytes: &[u8]) -> Result<usize> {
    let mut done = 0;
    while !bytes.is_empty() {
        match to.write(call, bytes) {
            Ok(n) => {
                to.advance(n);
                done += n;
                bytes = bytes.get(n..).unwrap_or(&[]);
            }
            Err(Errno::EAGAIN) => {
                let file = Some(to.file.clone());
                rkt_vfs::poll(&mut [PollRequest { file, events: POLLOUT, found: 0 }], None)?;
            }
            Err(_) if done > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

fn wait_for(file: &Arc<OpenFile>, events: u32, nonblocking: bool) -> Result<()> {
    if file.poll(None) & events != 0 {
        return Ok(());
    }
    if nonblocking {
        return Err(Errno::EAGAIN);
    }
    rkt_vfs::poll(&mut [PollRequest { file: Some(file.clone()), events, found: 0 }], None).map(drop)
}

/// Whether it is an eventfd or its like, which know read and write only.
fn is_object(file: &OpenFile) -> bool {
    file.inode().kind() == FileType::Regular && !file.is_regular()
}

const SPLICE_FLAGS: u32 = SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE | SPLICE_F_GIFT;

/// From a pipe to another, where nothing may wait if one of the descriptors may not.
fn pass(call: &Call<'_>, from: &OpenFile, to: &OpenFile, count: usize, keep: bool, flags: u32) -> Result<u64> {
    let (Some(input), Some(output)) = (from.pipe(), to.pipe()) else { return Err(Errno::EINVAL) };
    let nonblocking = flags & SPLICE_F_NONBLOCK != 0 || from.nonblocking() || to.nonblocking();
    written(call, to, input.pass(output, count, keep, nonblocking))
}

/// splice(2): one side is a pipe. One chunk a call, which is a success as in Linux.
pub fn splice(
    call: &mut Call<'_>,
    input: i32,
    from_offset: u64,
    out: i32,
    to_offset: u64,
    count: usize,
    flags: u32,
) -> Result<u64> {
    if count == 0 {
        return Ok(0);
    }
    if flags & !SPLICE_FLAGS != 0 {
        return Err(Errno::EINVAL);
    }
    let (input, out) = (usable(call, input)?, usable(call, out)?);
    if input.pipe().is_some() && from_offset != 0 || out.pipe().is_some() && to_offset != 0 {
        return Err(Errno::ESPIPE);
    }
    check_offset(to_offset)?;
    check_offset(from_offset)?;
    if !input.readable() || !out.writable() {
        return Err(Errno::EBADF);
    }
    match (input.pipe(), out.pipe()) {
        (None, None) => return Err(Errno::EINVAL),
        (Some(_), Some(_)) => return pass(call, &input, &out, count, false, flags),
        (Some(_), None) if out.flags() & O_APPEND != 0 => return Err(Errno::EINVAL),
        (None, Some(_)) if input.path().is_directory() || is_object(&input) => return Err(Errno::EINVAL),
        (Some(_), None) if is_object(&out) => return Err(Errno::EINVAL),
        _ => {}
    }
    let nonblocking = flags & SPLICE_F_NONBLOCK != 0;
    let mut from = End::new(input, from_offset, Errno::EINVAL)?;
    let mut to = End::new(out, to_offset, Errno::EINVAL)?;
    wait_for(&to.file, POLLOUT, nonblocking || to.file.nonblocking())?;
    if from.file.pipe().is_some() {
        wait_for(&from.file, POLLIN | POLLHUP, nonblocking)?;
    }
    // No more than a pipe has room for is taken from where it cannot be put back.
    let room = match to.file.pipe() {
        Some(pipe) => pipe.free_bytes().max(1),
        None => resource::room_for_write(call, &to.file, Some(to.at))?,
    };
    let mut bytes = buffer(count.min(room))?;
    let n = from.peek(&mut bytes)?;
    let result = write_all(call, &mut to, bytes.get(..n).unwrap_or(&[]));
    if let Ok(n) = result {
        from.advance(n);
    }
    from.finish()?;
    to.finish()?;
    written(call, &to.file, result)
}

/// tee(2).
pub fn tee(call: &mut Call<'_>, input: i32, out: i32, count: usize, flags: u32) -> Result<u64> {
    if flags & !SPLICE_FLAGS != 0 {
        return Err(Errno::EINVAL);
    }
    if count == 0 {
        return Ok(0);
    }
    let (input, out) = (usable(call, input)?, usable(call, out)?);
    if !input.readable() || !out.writable() {
        return Err(Errno::EBADF);
    }
    pass(call, &input, &out, count, true, flags)
}

/// vmsplice(2): the pages are copied, in either direction.
pub fn vmsplice(call: &mut Call<'_>, fd: i32, iov: u64, count: usize, flags: u32) -> Result<u64> {
    if flags & !SPLICE_FLAGS != 0 {
        return Err(Errno::EINVAL);
    }
    let file = call.task.process.file(fd)?;
    let nonblocking = flags & SPLICE_F_NONBLOCK != 0;
    if file.writable() {
        let mut from = source(iov, count)?;
        if from.is_full() {
            return Ok(0);
        }
        let pipe = file.pipe().ok_or(Errno::EBADF)?;
        written(call, &file, pipe.write(nonblocking, file.flags() & O_DIRECT != 0, &mut from))
    } else if file.readable() {
        let mut into = sink(iov, count)?;
        if into.is_full() {
            return Ok(0);
        }
        let pipe = file.pipe().ok_or(Errno::EBADF)?;
        Ok(pipe.read(nonblocking, &mut into)? as u64)
    } else {
        Err(Errno::EBADF)
    }
}
