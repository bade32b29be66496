//! Paths as system calls name them; open and the process's own places.

use super::Call;
use crate::process::Process;
use alloc::sync::Arc;
use alloc::vec::Vec;
use rkt_linux_abi::general::{
    AT_FDCWD, CAP_SYS_CHROOT, O_ACCMODE, O_APPEND, O_CLOEXEC, O_CREAT, O_DIRECT, O_DIRECTORY, O_DSYNC, O_EXCL,
    O_LARGEFILE, O_NOATIME, O_NOCTTY, O_NOFOLLOW, O_NONBLOCK, O_PATH, O_SYNC, O_TMPFILE, O_TRUNC, O_WRONLY,
    RESOLVE_BENEATH, RESOLVE_CACHED, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, RESOLVE_NO_XDEV,
};
use rkt_linux_abi::{Errno, PAGE_SIZE, Result};
use rkt_user::{UserPtr, UserSlice, read_c_string};
use rkt_vfs::{FsContext, MAY_EXEC, O_ASYNC, OpenFile, OpenHow, PATH_MAX, Path, Resolve};

/// Where a relative path starts if not at the working directory (openat(2)).
///
/// # Errors
/// `EBADF`; `ENOTDIR` if a path is to start at something that is no directory.
pub fn base(process: &Process, dirfd: i32, path: &[u8]) -> Result<Option<Path>> {
    if dirfd == AT_FDCWD || path.first() == Some(&b'/') {
        return Ok(None);
    }
    let at = process.file(dirfd)?.path().clone();
    if path.is_empty() || at.is_directory() { Ok(Some(at)) } else { Err(Errno::ENOTDIR) }
}

/// Copies a path in.
///
/// # Errors
/// `EFAULT`, `ENAMETOOLONG`.
pub fn read_path(address: u64) -> Result<Vec<u8>> {
    read_c_string(address, PATH_MAX - 1)
}

/// A path that a call names, and from where it is resolved.
pub struct Place {
    /// The caller's.
    pub context: FsContext,
    /// Where it starts if not at the working directory.
    pub base: Option<Path>,
    /// The path.
    pub path: Vec<u8>,
}

impl Place {
    /// Takes the arguments `dirfd` and `pathname` of the `at` calls.
    ///
    /// # Errors
    /// `EFAULT`, `ENAMETOOLONG`, `ENOENT` if the path is empty, `EBADF`, `ENOTDIR`.
    pub fn new(call: &Call<'_>, dirfd: i32, path: u64) -> Result<Self> {
        Self::maybe_empty(call, dirfd, path, false)
    }

    /// As [`Place::new`] for calls that know `AT_EMPTY_PATH`: if it is `allowed`, an empty path is
    /// the place that it starts at.
    ///
    /// # Errors
    /// As [`Place::new`].
    pub fn maybe_empty(call: &Call<'_>, dirfd: i32, path: u64, allowed: bool) -> Result<Self> {
        let path = read_path(path)?;
        if path.is_empty() && !allowed {
            return Err(Errno::ENOENT);
        }
        let process = &call.task.process;
        let base = base(process, dirfd, &path)?;
        Ok(Self { context: process.context(), base, path })
    }

    /// Resolves it to something that exists.
    ///
    /// # Errors
    /// As path_resolution(7).
    pub fn resolve(&self, how: Resolve) -> Result<Path> {
        self.context.resolve(self.base.as_ref(), &self.path, how)
    }
}

/// Gives an open file the lowest free number.
///
/// # Errors
/// `EMFILE`, `ENOMEM`.
pub fn install(call: &Call<'_>, file: Arc<OpenFile>, close_on_exec: bool) -> Result<u64> {
    let process = &call.task.process;
    let limit = process.limit(super::fd::RLIMIT_NOFILE);
    Ok(process.files().insert(file, close_on_exec, 0, limit)? as u64)
}

/// Whether there is a free number for a descriptor.
///
/// # Errors
/// `EMFILE`.
pub(super) fn check_room(call: &Call<'_>) -> Result<()> {
    let process = &call.task.process;
    process.files().check_room(process.limit(super::fd::RLIMIT_NOFILE))
}

fn open_as(call: &Call<'_>, dirfd: i32, path: u64, how: OpenHow) -> Result<u64> {
    let place = Place::new(call, dirfd, path)?;
    let process = &call.task.process;
    // Nothing is made that no descriptor is left for.
    process.files().check_room(process.limit(super::fd::RLIMIT_NOFILE))?;
    let file = rkt_vfs::open(&place.context, place.base.as_ref(), &place.path, &how)?;
    install(call, file, how.flags & O_CLOEXEC != 0)
}

/// openat(2).
pub fn openat(call: &mut Call<'_>, dirfd: i32, path: u64, flags: u32, mode: u32) -> Result<u64> {
    open_as(call, dirfd, path, OpenHow { flags: flags & KNOWN, mode: mode & 0o7777, resolve: 0 })
}

/// open(2).
pub fn open(call: &mut Call<'_>, path: u64, flags: u32, mode: u32) -> Result<u64> {
    openat(call, AT_FDCWD, path, flags, mode)
}

/// creat(2).
pub fn creat(call: &mut Call<'_>, path: u64, mode: u32) -> Result<u64> {
    openat(call, AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode)
}

/// Flags of open(2). open and openat pass over others, openat2 does not.
const KNOWN: u32 = O_ACCMODE
    | O_APPEND
    | O_ASYNC
    | O_CLOEXEC
    | O_CREAT
    | O_DIRECT
    | O_DIRECTORY
    | O_DSYNC
    | O_EXCL
    | O_LARGEFILE
    | O_NOATIME
    | O_NOCTTY
    | O_NOFOLLOW
    | O_NONBLOCK
    | O_PATH
    | O_SYNC
    | O_TMPFILE
    | O_TRUNC;
const KNOWN_RESOLVE: u32 =
    RESOLVE_BENEATH | RESOLVE_CACHED | RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;
/// Bytes of the first version of `struct open_how`.
const OPEN_HOW_LEN: usize = 24;

/// openat2(2).
pub fn openat2(call: &mut Call<'_>, dirfd: i32, path: u64, how: u64, size: usize) -> Result<u64> {
    if size < OPEN_HOW_LEN {
        return Err(Errno::EINVAL);
    }
    if size > PAGE_SIZE {
        return Err(Errno::E2BIG);
    }
    let words = UserPtr::<u64>::new(how);
    let [flags, mode, resolve] = [words.read()?, words.nth(1)?.read()?, words.nth(2)?.read()?];
    let newer = UserSlice::new(how, size)?.skip(OPEN_HOW_LEN).to_vec()?;
    if newer.iter().any(|&byte| byte != 0) {
        return Err(Errno::E2BIG);
    }
    let narrow = |value: u64| u32::try_from(value).map_err(|_| Errno::EINVAL);
    let (flags, mode, resolve) = (narrow(flags)?, narrow(mode)?, narrow(resolve)?);
    let makes = flags & O_CREAT != 0 || flags & O_TMPFILE == O_TMPFILE;
    let beside_path = flags & O_PATH != 0 && flags & !(O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) != 0;
    if flags & !KNOWN != 0
        || resolve & !KNOWN_RESOLVE != 0
        || mode & !(if makes { 0o7777 } else { 0 }) != 0
        || beside_path
        || resolve & RESOLVE_BENEATH != 0 && resolve & RESOLVE_IN_ROOT != 0
    {
        return Err(Errno::EINVAL);
    }
    if resolve & RESOLVE_CACHED != 0 {
        return Err(Errno::EAGAIN);
    }
    open_as(call, dirfd, path, OpenHow { flags, mode, resolve })
}

fn enter(call: &Call<'_>, context: &FsContext, at: Path) -> Result<u64> {
    context.credentials.check(&at.inode().access(), MAY_EXEC)?;
    call.task.process.change_place(|fs| fs.cwd = at.clone());
    Ok(0)
}

/// chdir(2).
pub fn chdir(call: &mut Call<'_>, path: u64) -> Result<u64> {
    let place = Place::new(call, AT_FDCWD, path)?;
    let at = place.resolve(Resolve { directory: true, ..Resolve::FOLLOW })?;
    enter(call, &place.context, at)
}

/// fchdir(2).
pub fn fchdir(call: &mut Call<'_>, fd: i32) -> Result<u64> {
    let at = call.task.process.file(fd)?.path().clone();
    if !at.is_directory() {
        return Err(Errno::ENOTDIR);
    }
    let context = call.task.process.context();
    enter(call, &context, at)
}

/// chroot(2).
pub fn chroot(call: &mut Call<'_>, path: u64) -> Result<u64> {
    let place = Place::new(call, AT_FDCWD, path)?;
    let at = place.resolve(Resolve { directory: true, ..Resolve::FOLLOW })?;
    place.context.credentials.check(&at.inode().access(), MAY_EXEC)?;
    if !place.context.credentials.capable(CAP_SYS_CHROOT) {
        return Err(Errno::EPERM);
    }
    call.task.process.change_place(|fs| fs.root = at.clone());
    Ok(0)
}

/// getcwd(2): gives the length with the NUL.
pub fn getcwd(call: &mut Call<'_>, buf: u64, size: usize) -> Result<u64> {
    let FsContext { root, cwd, .. } = call.task.process.context();
    if cwd.dentry.is_deleted() {
        return Err(Errno::ENOENT);
    }
    let mut text = cwd.to_bytes(&root);
    text.push(0);
    if text.len() > PATH_MAX {
        return Err(Errno::ENAMETOOLONG);
    }
    if text.len() > size {
        return Err(Errno::ERANGE);
    }
    UserSlice::new(buf, text.len())?.write_all(&text)?;
    Ok(text.len() as u64)
}

/// umask(2): gives the mask before.
pub fn umask(call: &mut Call<'_>, mask: u32) -> Result<u64> {
    let process = &call.task.process;
    let before = process.fs.lock().umask;
    process.change_place(|fs| fs.umask = mask & 0o777);
    Ok(u64::from(before))
}
