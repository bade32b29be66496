//! io_setup(2), io_submit(2), io_getevents(2) and their kin.

use super::Call;
use super::abi::Timespec;
use super::events::{deadline_ns, temporary_mask};
use super::{read_write, resource};
use crate::aio::{Context, Event, Flush, Job, Operation};
use crate::mm::{MapRequest, Placement};
use crate::signal;
use alloc::sync::Arc;
use rkt_linux_abi::general::{O_DIRECT, RWF_DSYNC, RWF_HIPRI, RWF_SYNC};
use rkt_linux_abi::{Errno, PAGE_SIZE, Result};
use rkt_platform::Protection;
use rkt_user::{IoSink, IoSource, UserPtr, UserSlice};
use rkt_vfs::eventfd::EventFd;
use rkt_vfs::{FileType, OpenFile};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Commands of linux/aio_abi.h.
const PREAD: u16 = 0;
const PWRITE: u16 = 1;
const FSYNC: u16 = 2;
const FDSYNC: u16 = 3;
const PREADV: u16 = 7;
const PWRITEV: u16 = 8;

/// `IOCB_FLAG_RESFD`.
const RESFD: u32 = 1;
/// `IOCB_FLAG_IOPRIO`.
const IOPRIO: u32 = 2;
/// `IOPRIO_CLASS_SHIFT` and the last class, idle (linux/ioprio.h).
const CLASS_SHIFT: u32 = 13;
const CLASS_MAX: u16 = 3;
/// `KIOCB_KEY`: what the kernel stores in `aio_key`.
const KEY: u32 = 0;

/// Operations of all contexts of a process: /proc/sys/fs/aio-max-nr, by default.
const MOST: u32 = 65_536;
/// More than this is an error of the caller's (fs/aio.c has the same number, for its sums).
const IMPOSSIBLE: u32 = 0x1000_0000;

/// `struct iocb` of linux/aio_abi.h.
#[repr(C)]
#[derive(FromBytes, IntoBytes, Immutable)]
struct Block {
    data: u64,
    key: u32,
    rw_flags: u32,
    command: u16,
    priority: u16,
    fd: u32,
    buffer: u64,
    bytes: u64,
    offset: i64,
    reserved: u64,
    flags: u32,
    notify: u32,
}

/// The context of an id, which is the address of its page.
fn find(call: &Call<'_>, id: u64) -> Result<Arc<Context>> {
    call.task.process.aio.lock().get(&id).cloned().ok_or(Errno::EINVAL)
}

/// io_setup(2).
pub fn io_setup(call: &mut Call<'_>, most: u32, to: UserPtr<u64>) -> Result<u64> {
    if to.read()? != 0 || most == 0 || most > IMPOSSIBLE {
        return Err(Errno::EINVAL);
    }
    if most > MOST {
        return Err(Errno::EAGAIN);
    }
    // Libraries look at the id as an address: they find zeroes there, and no ring to read themselves.
    let mm = call.task.process.mm();
    let id = mm.map(MapRequest {
        placement: Placement::Hint(0),
        len: PAGE_SIZE as u64,
        protection: Protection { read: true, write: true, execute: false },
        shared: false,
        file: None,
        populate: false,
        name: Some("/[aio] (deleted)"),
    })?;
    if let Err(error) = to.write(&id) {
        let _ = mm.unmap(id, PAGE_SIZE as u64);
        return Err(error);
    }
    call.task.process.aio.lock().insert(id, Context::new(most));
    Ok(0)
}

/// io_destroy(2).
pub fn io_destroy(call: &mut Call<'_>, id: u64) -> Result<u64> {
    let context = call.task.process.aio.lock().remove(&id).ok_or(Errno::EINVAL)?;
    context.end();
    // The program may have unmapped the page itself.
    let _ = call.task.process.mm().unmap(id, PAGE_SIZE as u64);
    Ok(0)
}

/// io_submit(2).
pub fn io_submit(call: &mut Call<'_>, id: u64, count: i64, blocks: UserPtr<u64>) -> Result<u64> {
    let count = usize::try_from(count).map_err(|_| Errno::EINVAL)?;
    let context = find(call, id)?;
    for nth in 0..count {
        let submitted = blocks.nth(nth).and_then(|place| place.read()).and_then(|at| submit(call, &context, at));
        match submitted {
            Ok(()) => {}
            Err(error) if nth == 0 => return Err(error),
            Err(_) => return Ok(nth as u64),
        }
    }
    Ok(count as u64)
}

fn submit(call: &Call<'_>, context: &Arc<Context>, at: u64) -> Result<()> {
    let block = UserPtr::<Block>::new(at).read()?;
    if block.reserved != 0 || i64::try_from(block.bytes).is_err() {
        return Err(Errno::EINVAL);
    }
    if !context.take_place() {
        return Err(Errno::EAGAIN);
    }
    match accept(call, &block, at) {
        Ok(job) => {
            let direct = job.file.flags() & O_DIRECT != 0 && job.file.inode().kind() == FileType::Regular;
            let asynchronous = direct || matches!(job.operation, Operation::Flush(_));
            context.start(job, asynchronous, call.task.process.mm().space());
            Ok(())
        }
        Err(error) => {
            context.give_back_place();
            Err(error)
        }
    }
}

/// Checks a control block, in the order of the kernel.
fn accept(call: &Call<'_>, block: &Block, at: u64) -> Result<Job> {
    let file = call.task.process.file(block.fd as i32)?;
    let notify = if block.flags & RESFD != 0 {
        let notify = call.task.process.file(block.notify as i32)?;
        notify.ops_as::<EventFd>().ok_or(Errno::EINVAL)?;
        Some(notify)
    } else {
        None
    };
    let key = at.checked_add(core::mem::offset_of!(Block, key) as u64).ok_or(Errno::EFAULT)?;
    UserPtr::<u32>::new(key).write(&KEY)?;
    let operation = match block.command {
        PREAD | PREADV => read(&file, block)?,
        PWRITE | PWRITEV => write(call, &file, block)?,
        FSYNC | FDSYNC => {
            let spare = [block.buffer, block.offset as u64, block.bytes, block.rw_flags.into()];
            if spare != [0; 4] || !matches!(file.inode().kind(), FileType::Regular | FileType::Directory) {
                return Err(Errno::EINVAL);
            }
            Operation::Flush(if block.command == FSYNC { Flush::All } else { Flush::Data })
        }
        _ => return Err(Errno::EINVAL),
    };
    Ok(Job { file, operation, data: block.data, block: at, notify })
}

fn check_transfer(block: &Block, known_flags: u32) -> Result<()> {
    if block.flags & IOPRIO != 0 && block.priority >> CLASS_SHIFT > CLASS_MAX {
        return Err(Errno::EINVAL);
    }
    if block.rw_flags & !known_flags != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    Ok(())
}

fn read(file: &Arc<OpenFile>, block: &Block) -> Result<Operation> {
    check_transfer(block, RWF_HIPRI)?;
    if !file.readable() {
        return Err(Errno::EBADF);
    }
    let into = match block.command {
        PREADV => read_write::sink(block.buffer, block.bytes as usize)?,
        _ => IoSink::user(UserSlice::new(block.buffer, block.bytes as usize)?.limit(read_write::MAX_RW_COUNT)),
    };
    check_offset(file, block)?;
    Ok(Operation::Read(into, block.offset))
}

fn write(call: &Call<'_>, file: &Arc<OpenFile>, block: &Block) -> Result<Operation> {
    check_transfer(block, RWF_HIPRI | RWF_DSYNC | RWF_SYNC)?;
    if !file.writable() {
        return Err(Errno::EBADF);
    }
    let mut from = match block.command {
        PWRITEV => read_write::source(block.buffer, block.bytes as usize)?,
        _ => IoSource::user(UserSlice::new(block.buffer, block.bytes as usize)?.limit(read_write::MAX_RW_COUNT)),
    };
    check_offset(file, block)?;
    resource::fit_write(call, file, Some(block.offset), &mut from)?;
    let flush = match block.rw_flags & (RWF_DSYNC | RWF_SYNC) {
        0 => None,
        RWF_DSYNC => Some(Flush::Data),
        _ => Some(Flush::All),
    };
    Ok(Operation::Write(from, block.offset, flush))
}

fn check_offset(file: &OpenFile, block: &Block) -> Result<()> {
    if file.ops().seekable() && block.offset < 0 { Err(Errno::EINVAL) } else { Ok(()) }
}

/// io_getevents(2).
pub fn io_getevents(
    call: &mut Call<'_>,
    id: u64,
    least: i64,
    most: i64,
    to: u64,
    timeout: UserPtr<Timespec>,
) -> Result<u64> {
    let timeout = timeout.nullable().map(|pointer| pointer.read()).transpose()?;
    take_events(call, id, least, most, to, deadline_ns(timeout)?)
}

/// io_pgetevents(2).
pub fn io_pgetevents(
    call: &mut Call<'_>,
    id: u64,
    least: i64,
    most: i64,
    to: u64,
    timeout: UserPtr<Timespec>,
    mask: UserPtr<u64>,
) -> Result<u64> {
    let timeout = timeout.nullable().map(|pointer| pointer.read()).transpose()?;
    // `struct __aio_sigset`: the mask and its length.
    let mask = match mask.nullable() {
        Some(pair) => temporary_mask(pair.read()?, pair.nth(1)?.read()? as usize)?,
        None => None,
    };
    let deadline = deadline_ns(timeout)?;
    signal::with_mask(call.task, mask, || take_events(call, id, least, most, to, deadline))
}

fn take_events(call: &Call<'_>, id: u64, least: i64, most: i64, to: u64, deadline: Option<u64>) -> Result<u64> {
    let context = find(call, id)?;
    let (Ok(least), Ok(most)) = (usize::try_from(least), usize::try_from(most)) else { return Err(Errno::EINVAL) };
    if least > most {
        return Err(Errno::EINVAL);
    }
    let mut place = UserPtr::<Event>::new(to);
    let taken = context.take_events(least, most, deadline, &mut |event| {
        place.write(event)?;
        place = place.nth(1)?;
        Ok(())
    })?;
    Ok(taken as u64)
}

/// io_cancel(2): reads, writes and flushes cannot be cancelled, on Linux neither.
pub fn io_cancel(call: &mut Call<'_>, id: u64, block: u64, _result: u64) -> Result<u64> {
    let key = block.checked_add(core::mem::offset_of!(Block, key) as u64).ok_or(Errno::EFAULT)?;
    if UserPtr::<u32>::new(key).read()? == KEY {
        find(call, id)?;
    }
    Err(Errno::EINVAL)
}
