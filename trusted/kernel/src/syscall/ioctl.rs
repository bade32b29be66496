//! ioctl(2): the commands that every file knows are served here.

use super::Call;
use super::fd::usable;
use super::fiemap;
use alloc::sync::Arc;
use rkt_linux_abi::general::{CAP_SYS_ADMIN, CAP_SYS_RAWIO, O_APPEND, O_NONBLOCK};
use rkt_linux_abi::ioctl::{
    FIBMAP, FICLONE, FICLONERANGE, FIDEDUPERANGE, FIFREEZE, FIGETBSZ, FIOASYNC, FIOCLEX, FIONBIO, FIONCLEX, FIONREAD,
    FIOQSIZE, FITHAW, FS_IOC_FIEMAP, FS_IOC_FSGETXATTR, FS_IOC_FSSETXATTR, FS_IOC_GETFLAGS, FS_IOC_GETVERSION,
    FS_IOC_SETFLAGS,
};
use rkt_linux_abi::{Errno, PAGE_SIZE, Result};
use rkt_user::UserPtr;
use rkt_vfs::{ExtendedFlags, FileType, O_ASYNC, OpenFile, ops, set_xflags, xflags};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// `struct fsxattr` of linux/fs.h.
#[repr(C)]
#[derive(Default, FromBytes, IntoBytes, Immutable)]
struct FsXattr {
    xflags: u32,
    extent: u32,
    extents: u32,
    project: u32,
    copied_extent: u32,
    padding: [u32; 2],
}

impl FsXattr {
    fn flags(&self) -> ExtendedFlags {
        let Self { xflags, extent, project, copied_extent, .. } = *self;
        ExtendedFlags { xflags, extent, project, copied_extent }
    }
}

/// ioctl(2).
pub fn ioctl(call: &mut Call<'_>, fd: i32, command: u32, argument: u64) -> Result<u64> {
    let file = usable(call, fd)?;
    let may = |capability| call.task.process.credentials().capable(capability);
    let kind = file.inode().kind();
    match command {
        FIOCLEX | FIONCLEX => call.task.process.files().set_close_on_exec(fd, command == FIOCLEX)?,
        FIONBIO => toggle(&file, fd, O_NONBLOCK, argument)?,
        FIOASYNC => toggle(&file, fd, O_ASYNC, argument)?,
        FIOQSIZE if file.is_regular() || matches!(kind, FileType::Directory | FileType::Symlink) => {
            UserPtr::<u64>::new(argument).write(&file.metadata().size)?;
        }
        FIOQSIZE => return Err(Errno::ENOTTY),
        FIGETBSZ => {
            let block = file.path().mount.fs().statistics().block_size;
            UserPtr::<i32>::new(argument).write(&(block as i32))?;
        }
        FIONREAD if kind == FileType::Regular && file.ops().seekable() => {
            let left = file.metadata().size.saturating_sub(file.position());
            UserPtr::<i32>::new(argument).write(&(left as i32))?;
        }
        FICLONE => return clone(call, &file, argument as i32),
        FICLONERANGE => {
            // struct file_clone_range: the source, and three words on the range.
            let range = UserPtr::<u64>::new(argument).read_array(4)?;
            return clone(call, &file, range.first().map_or(-1, |&source| source as i32));
        }
        FIDEDUPERANGE => return deduplicate(&file, argument),
        FS_IOC_GETFLAGS if has_flags(kind) => UserPtr::<u32>::new(argument).write(&file.inode().flags()?)?,
        FS_IOC_SETFLAGS if has_flags(kind) => {
            let flags = UserPtr::<u32>::new(argument).read()?;
            let context = call.task.process.fs.lock().clone();
            ops::set_flags(&context, file.path(), flags)?;
        }
        // Stored as 32 bits, whatever the number of the command says.
        FS_IOC_GETVERSION if has_flags(kind) => UserPtr::<u32>::new(argument).write(&file.inode().generation()?)?,
        FS_IOC_FSGETXATTR if has_flags(kind) => {
            UserPtr::<FsXattr>::new(argument).write(&FsXattr { xflags: xflags(file.path())?, ..FsXattr::default() })?;
        }
        FS_IOC_FSSETXATTR if has_flags(kind) => {
            let asked = UserPtr::<FsXattr>::new(argument).read()?;
            let context = call.task.process.fs.lock().clone();
            set_xflags(&context, file.path(), asked.flags())?;
        }
        FS_IOC_FIEMAP => fiemap::fiemap(&file, argument)?,
        // No file system lets itself be frozen.
        FIFREEZE | FITHAW if !may(CAP_SYS_ADMIN) => return Err(Errno::EPERM),
        FIFREEZE | FITHAW => return Err(Errno::EOPNOTSUPP),
        FIBMAP if kind == FileType::Regular => {
            if !may(CAP_SYS_RAWIO) {
                return Err(Errno::EPERM);
            }
            fiemap::fibmap(&file, argument)?;
        }
        _ => return Ok(file.ioctl(command, argument)? as u64),
    }
    Ok(0)
}

/// Whether the commands about inode flags are for the inode, not for what it leads to.
fn has_flags(kind: FileType) -> bool {
    matches!(kind, FileType::Regular | FileType::Directory)
}

/// Sets a status flag by the word at an address.
fn toggle(file: &Arc<OpenFile>, fd: i32, flag: u32, argument: u64) -> Result<()> {
    let on = UserPtr::<i32>::new(argument).read()? != 0;
    let before = file.flags();
    let after = if on { before | flag } else { before & !flag };
    if flag == O_ASYNC && after != before && !file.sends_signals() {
        return Err(Errno::ENOTTY);
    }
    file.set_flags(after)?;
    file.update_async(fd);
    Ok(())
}

/// `EISDIR` of a directory, `EINVAL` of what is no regular file.
fn is_regular(file: &OpenFile) -> Result<()> {
    match file.inode().kind() {
        FileType::Regular => Ok(()),
        FileType::Directory => Err(Errno::EISDIR),
        _ => Err(Errno::EINVAL),
    }
}

/// ioctl_ficlone(2), as on file systems whose files cannot share extents.
fn clone(call: &Call<'_>, to: &OpenFile, from: i32) -> Result<u64> {
    let from = usable(call, from)?;
    if from.path().mount.fs().device() != to.path().mount.fs().device() {
        return Err(Errno::EXDEV);
    }
    let directory = |file: &OpenFile| file.inode().kind() == FileType::Directory;
    if directory(&from) || directory(to) {
        return Err(Errno::EISDIR);
    }
    is_regular(&from)?;
    is_regular(to)?;
    let allowed = from.readable() && to.writable() && to.flags() & O_APPEND == 0;
    Err(if allowed { Errno::EOPNOTSUPP } else { Errno::EBADF })
}

/// ioctl_fideduperange(2), likewise. `struct file_dedupe_range`: offset, length, number of ranges
/// with their destinations, and what is reserved.
fn deduplicate(file: &OpenFile, argument: u64) -> Result<u64> {
    const HEADER: usize = 24;
    const RANGE: usize = 32;
    let words = UserPtr::<u16>::new(argument).read_array(HEADER / 2)?;
    let [count, reserved @ ..] = words.get(8..).ok_or(Errno::EFAULT)? else { return Err(Errno::EFAULT) };
    let size = HEADER + usize::from(*count) * RANGE;
    if size > PAGE_SIZE {
        return Err(Errno::ENOMEM);
    }
    let all = UserPtr::<u64>::new(argument).read_array(size / 8)?;
    let overflows = matches!(all.get(..2), Some(&[offset, len]) if (offset as i64).checked_add_unsigned(len).is_none());
    if !file.readable() || reserved.iter().any(|&word| word != 0) || overflows {
        return Err(Errno::EINVAL);
    }
    is_regular(file)?;
    Err(Errno::EOPNOTSUPP)
}
