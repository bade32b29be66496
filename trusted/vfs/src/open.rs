//! open(2) and openat2(2).

use crate::attr::FileType;
use crate::cred::{MAY_EXEC, MAY_READ, MAY_WRITE};
use crate::file::{DirectoryFile, FileOps, OpenFile, PathOnly};
use crate::inode::{Inode, NewInode};
use crate::mount::Path;
use crate::ops;
use crate::text::TextGuard;
use crate::walk::{Followed, FsContext, Last, Parent, Resolve};
use alloc::sync::Arc;
use rkt_linux_abi::general::{
    MS_NODEV, O_ACCMODE, O_APPEND, O_CLOEXEC, O_CREAT, O_DIRECTORY, O_EXCL, O_LARGEFILE, O_NOATIME, O_NOCTTY,
    O_NOFOLLOW, O_PATH, O_RDONLY, O_TMPFILE, O_TRUNC, O_WRONLY, S_IFREG,
};
use rkt_linux_abi::{Errno, Result};

/// The arguments of openat2(2).
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenHow {
    /// `O_` flags.
    pub flags: u32,
    /// Permissions of a file that is made, before the umask.
    pub mode: u32,
    /// `RESOLVE_` flags.
    pub resolve: u32,
}

/// Flags that act once and are not kept.
const CREATION_FLAGS: u32 = O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC;

/// Opens a file. `base` is where a relative path starts: the working directory if none.
///
/// # Errors
/// As open(2).
pub fn open(context: &FsContext, base: Option<&Path>, path: &[u8], how: &OpenHow) -> Result<Arc<OpenFile>> {
    let mut flags = how.flags;
    if flags & O_PATH != 0 {
        flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    }
    let unnamed = flags & O_TMPFILE & !O_DIRECTORY != 0;
    if unnamed && (flags & O_TMPFILE != O_TMPFILE || flags & O_ACCMODE == O_RDONLY) {
        return Err(Errno::EINVAL);
    }
    if flags & O_CREAT != 0 && flags & O_DIRECTORY != 0 {
        return Err(Errno::EINVAL);
    }
    if flags & O_CREAT != 0 {
        return create(context, base, path, flags, how);
    }
    let resolve = Resolve {
        follow: flags & O_NOFOLLOW == 0,
        allow_empty: false,
        directory: flags & O_DIRECTORY != 0,
        restrict: how.resolve,
    };
    let at = context.resolve(base, path, resolve)?;
    if unnamed {
        return open_unnamed(context, &at, flags, how.mode);
    }
    open_path(context, at, flags, false)
}

/// `O_TMPFILE`: a regular file without a name, in the file system of a directory.
fn open_unnamed(context: &FsContext, dir: &Path, flags: u32, mode: u32) -> Result<Arc<OpenFile>> {
    dir.mount.check_writable()?;
    context.credentials.check(&dir.inode().access(), MAY_WRITE | MAY_EXEC)?;
    let new = ops::new_inode(context, dir, S_IFREG | mode & 0o7777);
    let inode = dir.inode().create_unnamed(&new, flags & O_EXCL == 0)?;
    let name = alloc::format!("#{}", inode.metadata().ino);
    let dentry = crate::Dentry::unnamed(inode, dir.dentry.clone(), name.as_bytes());
    open_path(context, dir.with(dentry), flags, true)
}

/// Opens with `O_CREAT`: makes the file unless it is there.
fn create(context: &FsContext, base: Option<&Path>, path: &[u8], flags: u32, how: &OpenHow) -> Result<Arc<OpenFile>> {
    let mut parent = context.resolve_parent(base, path, how.resolve)?;
    let mut links = 0;
    loop {
        let (at, created) = create_in(context, &parent, flags, how.mode)?;
        if created {
            return open_path(context, at, flags, true);
        }
        if flags & O_EXCL != 0 {
            return Err(Errno::EEXIST);
        }
        if at.inode().kind() != FileType::Symlink {
            if at.is_directory() {
                return Err(Errno::EISDIR);
            }
            return open_path(context, at, flags, false);
        }
        if flags & O_NOFOLLOW != 0 {
            return Err(Errno::ELOOP);
        }
        match context.follow_to_parent(&parent.dir, &at, how.resolve, &mut links)? {
            Followed::Parent(next) => parent = next,
            Followed::Object(at) if at.is_directory() => return Err(Errno::EISDIR),
            Followed::Object(at) => return open_path(context, at, flags, false),
        }
    }
}

/// Finds or makes the last component; true if it was made.
fn create_in(context: &FsContext, parent: &Parent, flags: u32, mode: u32) -> Result<(Path, bool)> {
    let Last::Name(name) = &parent.last else {
        return Err(if flags & O_EXCL != 0 { Errno::EEXIST } else { Errno::EISDIR });
    };
    if parent.slash {
        return Err(Errno::EISDIR);
    }
    let dir = &parent.dir;
    let _guard = dir.dentry.lock()?;
    match dir.dentry.lookup_locked(name) {
        Ok(found) => return Ok((dir.with(found).on_top(), false)),
        Err(Errno::ENOENT) => {}
        Err(error) => return Err(error),
    }
    dir.mount.check_writable()?;
    ops::may_create(context, dir)?;
    let new: NewInode<'_> = ops::new_inode(context, dir, S_IFREG | mode & 0o7777);
    let inode = dir.inode().create(name, &new)?;
    let dentry = dir.dentry.add(name, inode)?;
    crate::notify::created(dir, name, false);
    Ok((dir.with(dentry), true))
}

/// Opens what a path leads to, as /proc/self/fd and execve(2) need too. A file that was just
/// `created` is open to its creator whatever its mode.
///
/// # Errors
/// As open(2).
pub fn open_path(context: &FsContext, at: Path, flags: u32, created: bool) -> Result<Arc<OpenFile>> {
    if !created && flags & O_PATH == 0 {
        may_open(context, &at, flags)?;
    }
    let writes = flags & O_PATH == 0 && flags & O_ACCMODE != O_RDONLY;
    let text = if writes { Some(TextGuard::writing(at.inode())?) } else { None };
    open_guarded(context, at, flags, created, text)
}

/// Opens a program to be run, whose content nobody may write as long as it is open. Whether it
/// may be executed is the caller's to check.
///
/// # Errors
/// As open(2); `ETXTBSY` if somebody has it open for writing.
pub fn open_program(context: &FsContext, at: Path) -> Result<Arc<OpenFile>> {
    let text = TextGuard::running(at.inode())?;
    open_guarded(context, at, O_RDONLY, true, Some(text))
}

fn open_guarded(
    context: &FsContext,
    at: Path,
    flags: u32,
    created: bool,
    text: Option<TextGuard>,
) -> Result<Arc<OpenFile>> {
    let inode = at.inode().clone();
    let kind = inode.kind();
    if flags & O_TMPFILE == O_DIRECTORY && kind != FileType::Directory {
        return Err(Errno::ENOTDIR);
    }
    let credentials = context.credentials.clone();
    if flags & O_PATH != 0 {
        return Ok(OpenFile::new(at, Arc::new(PathOnly), flags & !O_CLOEXEC, credentials));
    }
    if flags & O_NOATIME != 0 && !credentials.owns(&inode.access()) {
        return Err(Errno::EPERM);
    }
    make_way(&inode, flags)?;
    let operations: Arc<dyn FileOps> = match kind {
        FileType::Directory => Arc::new(DirectoryFile),
        FileType::Fifo => match inode.pipe() {
            Some(pipe) => pipe.open(flags)?,
            None => inode.clone().open(flags)?,
        },
        FileType::CharDevice => crate::dev::open(inode.metadata().rdev, flags)?,
        _ => inode.clone().open(flags)?,
    };
    let kept = flags & !CREATION_FLAGS | O_LARGEFILE;
    operations.check_flags(kept)?;
    let file = OpenFile::guarded(at, operations, kept, credentials, text);
    inode.opened(&file);
    crate::notify::opened(file.path());
    if flags & O_TRUNC != 0 && kind == FileType::Regular && !created {
        ops::resize(file.path(), 0)?;
    }
    Ok(file)
}

/// Waits until no lease is in the way.
pub(crate) fn make_way(inode: &Arc<dyn Inode>, flags: u32) -> Result<()> {
    inode.existing_locks().map_or(Ok(()), |locks| locks.leases.make_way(flags))
}

fn may_open(context: &FsContext, at: &Path, flags: u32) -> Result<()> {
    let mut wanted = match flags & O_ACCMODE {
        O_RDONLY => MAY_READ,
        O_WRONLY => MAY_WRITE,
        _ => MAY_READ | MAY_WRITE,
    };
    if flags & O_TRUNC != 0 {
        wanted |= MAY_WRITE;
    }
    match at.inode().kind() {
        FileType::Symlink => return Err(Errno::ELOOP),
        FileType::Directory if wanted & MAY_WRITE != 0 => return Err(Errno::EISDIR),
        FileType::CharDevice | FileType::BlockDevice if at.mount.flags() & MS_NODEV != 0 => {
            return Err(Errno::EACCES);
        }
        FileType::Regular if wanted & MAY_WRITE != 0 => at.mount.check_writable()?,
        _ => {}
    }
    let access = at.inode().access();
    context.credentials.check(&access, wanted)?;
    let adds = flags & O_ACCMODE == O_RDONLY || flags & O_APPEND != 0;
    if access.is_append_only() && (!adds || flags & O_TRUNC != 0) {
        return Err(Errno::EPERM);
    }
    Ok(())
}
