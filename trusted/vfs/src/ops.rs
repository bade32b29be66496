//! Operations on names and attributes: mkdir, link, rename, chmod and their like.

use crate::acl::{Acl, AclKind, Acls};
use crate::attr::{Access, FileType, SetAttributes, Time, without_privileges};
use crate::cred::{Credentials, MAY_EXEC, MAY_READ, MAY_WRITE};
use crate::dentry::Dentry;
use crate::inode::{Inode, LinkTarget, NewInode};
use crate::mount::Path;
use crate::text::TextGuard;
use crate::walk::{FsContext, Last, PATH_MAX, Resolve};
use crate::{notify, xattr};
use alloc::sync::Arc;
use alloc::vec::Vec;
use rkt_linux_abi::general::{
    CAP_CHOWN, CAP_FSETID, CAP_LINUX_IMMUTABLE, CAP_MKNOD, CAP_SYS_ADMIN, FS_APPEND_FL, FS_IMMUTABLE_FL, O_WRONLY,
    S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, S_ISGID, S_ISUID, S_IXGRP,
};
use rkt_linux_abi::{Errno, Result};
use rkt_sync::OnceCell;

/// Checks that names may be added to a directory. It is locked.
pub(crate) fn may_create(context: &FsContext, dir: &Path) -> Result<()> {
    if dir.dentry.is_deleted() {
        return Err(Errno::ENOENT);
    }
    context.credentials.check(&dir.inode().access(), MAY_WRITE | MAY_EXEC)
}

/// Checks that a name may be removed from a directory (unlink(2), rmdir(2), rename(2)).
pub(crate) fn may_delete(context: &FsContext, dir: &Path, victim: &Arc<Dentry>, as_directory: bool) -> Result<()> {
    let access = dir.inode().access();
    context.credentials.check(&access, MAY_WRITE | MAY_EXEC)?;
    let of_victim = victim.inode().access();
    if access.is_append_only() || context.credentials.sticky_forbids(&access, &of_victim) {
        return Err(Errno::EPERM);
    }
    of_victim.check_changeable()?;
    match (as_directory, victim.inode().kind() == FileType::Directory) {
        (true, false) => Err(Errno::ENOTDIR),
        (false, true) => Err(Errno::EISDIR),
        _ => Ok(()),
    }
}

/// What an inode made in a directory starts with: a set-group-ID directory hands its group down
/// (inode(7)), one with a default list its list, and others leave the mode to the umask (acl(5)).
pub(crate) fn new_inode<'a>(context: &FsContext, dir: &Path, mode: u32) -> NewInode<'a> {
    let Access { mode: dir_mode, gid: dir_gid, .. } = dir.inode().access();
    let credentials = &context.credentials;
    let inherits = dir_mode & S_ISGID != 0;
    let gid = if inherits { dir_gid } else { credentials.gid };
    let mut mode = mode;
    if inherits && mode & S_IFMT == S_IFDIR {
        mode |= S_ISGID;
    } else if inherits
        && mode & (S_ISGID | S_IXGRP) == S_ISGID | S_IXGRP
        && !credentials.in_group(gid)
        && !credentials.capable(CAP_FSETID)
    {
        mode &= !S_ISGID;
    }
    let (mode, acls) = inherit(context, dir, mode);
    NewInode { mode, uid: credentials.uid, gid, rdev: 0, target: &[], acls }
}

/// Mode and lists of something made in a directory.
fn inherit(context: &FsContext, dir: &Path, mode: u32) -> (u32, Acls) {
    if mode & S_IFMT == S_IFLNK {
        return (mode, Acls::default());
    }
    let Ok(Some(default)) = dir.inode().acl(AclKind::Default) else {
        return (mode & !context.umask, Acls::default());
    };
    let own = default.inherited(mode);
    let mode = mode & !RWX | own.mode();
    let access = (!own.is_mode()).then(|| Arc::new(own));
    (mode, Acls { access, default: Some(default).filter(|_| mode & S_IFMT == S_IFDIR) })
}

/// The permissions in a mode.
const RWX: u32 = 0o777;

/// Makes a name that must not exist.
fn create(
    context: &FsContext,
    base: Option<&Path>,
    path: &[u8],
    mode: u32,
    make: impl FnOnce(&Path, &[u8], NewInode<'_>) -> Result<Arc<dyn Inode>>,
) -> Result<()> {
    let parent = context.resolve_parent(base, path, 0)?;
    let Last::Name(name) = &parent.last else { return Err(Errno::EEXIST) };
    let dir = &parent.dir;
    let directory = mode & S_IFMT == S_IFDIR;
    let _guard = dir.dentry.lock()?;
    match dir.dentry.lookup_locked(name) {
        Ok(_) => return Err(Errno::EEXIST),
        Err(Errno::ENOENT) if parent.slash && !directory => return Err(Errno::ENOENT),
        Err(Errno::ENOENT) => {}
        Err(error) => return Err(error),
    }
    dir.mount.check_writable()?;
    may_create(context, dir)?;
    let inode = make(dir, name, new_inode(context, dir, mode))?;
    dir.dentry.add(name, inode)?;
    notify::created(dir, name, directory);
    Ok(())
}

/// mkdirat(2).
///
/// # Errors
/// As mkdir(2).
pub fn mkdir(context: &FsContext, base: Option<&Path>, path: &[u8], mode: u32) -> Result<()> {
    // Only the sticky bit may come along with the permissions (mkdir(2)).
    let mode = S_IFDIR | mode & 0o1777;
    create(context, base, path, mode, |dir, name, new| dir.inode().create(name, &new))
}

/// Device number of the character device that stands for a removed name (`RENAME_WHITEOUT`).
pub(crate) const WHITEOUT: u64 = 0;

/// Checks the type in the mode of mknod(2); none is a regular file.
///
/// # Errors
/// `EPERM` for directories, `EINVAL`.
pub fn check_node_type(mode: u32) -> Result<()> {
    match FileType::from_mode(mode) {
        _ if mode & S_IFMT == 0 => Ok(()),
        Some(FileType::Directory) => Err(Errno::EPERM),
        None | Some(FileType::Symlink) => Err(Errno::EINVAL),
        Some(_) => Ok(()),
    }
}

/// mknodat(2): regular files, FIFOs, devices and socket names.
///
/// # Errors
/// As mknod(2): those of [`check_node_type`], and `EPERM` for devices without `CAP_MKNOD`.
pub fn mknod(context: &FsContext, base: Option<&Path>, path: &[u8], mode: u32, rdev: u64) -> Result<()> {
    check_node_type(mode)?;
    let mode = if mode & S_IFMT == 0 { mode | FileType::Regular.mode_bits() } else { mode };
    let device = matches!(FileType::from_mode(mode), Some(FileType::CharDevice | FileType::BlockDevice));
    // What stands for a removed name in overlays is no device that anybody could open.
    let whiteout = FileType::from_mode(mode) == Some(FileType::CharDevice) && rdev == WHITEOUT;
    let allowed = !device || whiteout || context.credentials.capable(CAP_MKNOD);
    let mode = mode & (S_IFMT | 0o7777);
    create(context, base, path, mode, |dir, name, new| match allowed {
        true => dir.inode().create(name, &NewInode { rdev, ..new }),
        false => Err(Errno::EPERM),
    })
}

/// symlinkat(2).
///
/// # Errors
/// As symlink(2).
pub fn symlink(context: &FsContext, target: &[u8], base: Option<&Path>, path: &[u8]) -> Result<()> {
    if target.is_empty() {
        return Err(Errno::ENOENT);
    }
    if target.len() >= PATH_MAX {
        return Err(Errno::ENAMETOOLONG);
    }
    create(context, base, path, S_IFLNK | RWX, |dir, name, new| dir.inode().create(name, &NewInode { target, ..new }))
}

/// linkat(2), after the old path was resolved.
///
/// # Errors
/// As link(2): `EXDEV`, `EPERM` for directories, `EEXIST`.
pub fn link(context: &FsContext, old: &Path, base: Option<&Path>, path: &[u8]) -> Result<()> {
    let parent = context.resolve_parent(base, path, 0)?;
    let Last::Name(name) = &parent.last else { return Err(Errno::EEXIST) };
    let dir = &parent.dir;
    let _guard = dir.dentry.lock()?;
    match dir.dentry.lookup_locked(name) {
        Ok(_) => return Err(Errno::EEXIST),
        Err(Errno::ENOENT) if parent.slash => return Err(Errno::ENOENT),
        Err(Errno::ENOENT) => {}
        Err(error) => return Err(error),
    }
    if !Arc::ptr_eq(&old.mount, &dir.mount) {
        return Err(Errno::EXDEV);
    }
    dir.mount.check_writable()?;
    may_link(context, old.inode())?;
    may_create(context, dir)?;
    old.inode().access().check_changeable()?;
    if old.is_directory() {
        return Err(Errno::EPERM);
    }
    dir.inode().link(name, old.inode())?;
    dir.dentry.add(name, old.inode().clone())?;
    notify::linked(dir, name, old.inode());
    Ok(())
}

/// Whether the caller may give a file one more name: its own files, and ordinary ones that it can
/// change (proc_sys_fs(5), protected_hardlinks).
fn may_link(context: &FsContext, inode: &Arc<dyn Inode>) -> Result<()> {
    const SET_GROUP: u32 = S_ISGID | S_IXGRP;
    let access = inode.access();
    let ordinary = inode.kind() == FileType::Regular
        && access.mode & S_ISUID == 0
        && access.mode & SET_GROUP != SET_GROUP
        && context.credentials.check(&access, MAY_READ | MAY_WRITE).is_ok();
    if ordinary || context.credentials.owns(&access) { Ok(()) } else { Err(Errno::EPERM) }
}

/// unlink(2).
///
/// # Errors
/// As unlink(2).
pub fn unlink(context: &FsContext, base: Option<&Path>, path: &[u8]) -> Result<()> {
    let parent = context.resolve_parent(base, path, 0)?;
    let Last::Name(name) = &parent.last else { return Err(Errno::EISDIR) };
    let dir = &parent.dir;
    dir.mount.check_writable()?;
    let guard = dir.dentry.lock()?;
    let victim = dir.dentry.lookup_locked(name)?;
    if parent.slash {
        let directory = victim.inode().kind() == FileType::Directory;
        return Err(if directory { Errno::EISDIR } else { Errno::ENOTDIR });
    }
    may_delete(context, dir, &victim, false)?;
    if dir.with(victim.clone()).is_busy() {
        return Err(Errno::EBUSY);
    }
    dir.inode().unlink(name)?;
    dir.dentry.remove(&victim)?;
    drop(guard);
    notify::removed(dir, name, victim);
    Ok(())
}

/// rmdir(2).
///
/// # Errors
/// As rmdir(2).
pub fn rmdir(context: &FsContext, base: Option<&Path>, path: &[u8]) -> Result<()> {
    let parent = context.resolve_parent(base, path, 0)?;
    let name = match &parent.last {
        Last::Name(name) => name,
        Last::Dot => return Err(Errno::EINVAL),
        Last::DotDot => return Err(Errno::ENOTEMPTY),
        Last::Root => return Err(Errno::EBUSY),
    };
    let dir = &parent.dir;
    dir.mount.check_writable()?;
    let guard = dir.dentry.lock()?;
    let victim = dir.dentry.lookup_locked(name)?;
    may_delete(context, dir, &victim, true)?;
    if dir.with(victim.clone()).is_busy() {
        return Err(Errno::EBUSY);
    }
    {
        // Nobody may add a name to the directory between the check and its end.
        let _inner = victim.lock()?;
        dir.inode().rmdir(name)?;
        dir.dentry.remove(&victim)?;
    }
    drop(guard);
    notify::removed(dir, name, victim);
    Ok(())
}

/// readlinkat(2), after the path was resolved without following; magic links show the path of
/// what they lead to.
///
/// # Errors
/// `EINVAL` if it is not a symbolic link.
pub fn readlink(context: &FsContext, at: &Path) -> Result<Vec<u8>> {
    if at.inode().kind() != FileType::Symlink {
        return Err(Errno::EINVAL);
    }
    match at.inode().link_target()? {
        LinkTarget::Text(text) => Ok(text),
        LinkTarget::Jump(path) => Ok(path.to_bytes(&context.root)),
    }
}

/// faccessat2(2), after the path was resolved; `wanted` is `R_OK`, `W_OK`, `X_OK` (the values of
/// the `MAY_` bits). The context has the credentials to be judged by.
///
/// # Errors
/// `EACCES`, `EROFS`.
pub fn access(context: &FsContext, at: &Path, wanted: u32) -> Result<()> {
    let kind = at.inode().kind();
    let special = matches!(kind, FileType::CharDevice | FileType::BlockDevice | FileType::Fifo | FileType::Socket);
    if wanted & MAY_WRITE != 0 && !special {
        at.mount.check_writable()?;
    }
    let noexec = at.mount.flags() & rkt_linux_abi::general::MS_NOEXEC != 0;
    if wanted & MAY_EXEC != 0 && kind == FileType::Regular && noexec {
        return Err(Errno::EACCES);
    }
    context.credentials.check(&at.inode().access(), wanted)
}

/// chmod(2).
///
/// # Errors
/// `EPERM` if not the owner, `EROFS`.
pub fn chmod(context: &FsContext, at: &Path, mode: u32) -> Result<()> {
    at.mount.check_writable()?;
    let access = at.inode().access();
    access.check_changeable()?;
    let credentials = &context.credentials;
    if !credentials.owns(&access) {
        return Err(Errno::EPERM);
    }
    if at.inode().kind() == FileType::Symlink {
        return Err(Errno::EOPNOTSUPP);
    }
    let mut mode = mode & 0o7777;
    if !credentials.in_group(access.gid) && !credentials.capable(CAP_FSETID) {
        mode &= !S_ISGID;
    }
    at.inode().set_attributes(&SetAttributes { mode: Some(mode), ..SetAttributes::default() })?;
    if let Ok(Some(acl)) = at.inode().acl(AclKind::Access) {
        at.inode().set_acl(AclKind::Access, Some(Arc::new(acl.with_mode(mode))))?;
    }
    notify::attributes(at);
    Ok(())
}

/// chown(2); `None` leaves an ID alone.
///
/// # Errors
/// `EPERM`, `EROFS`.
pub fn chown(context: &FsContext, at: &Path, uid: Option<u32>, gid: Option<u32>) -> Result<()> {
    at.mount.check_writable()?;
    let access = at.inode().access();
    if uid.is_some() || gid.is_some() {
        access.check_changeable()?;
    }
    let credentials = &context.credentials;
    if !credentials.capable(CAP_CHOWN) {
        let owner = credentials.uid == access.uid;
        let uid_allowed = uid.is_none_or(|uid| owner && uid == access.uid);
        let gid_allowed = gid.is_none_or(|gid| owner && (gid == access.gid || credentials.in_group(gid)));
        if !uid_allowed || !gid_allowed {
            return Err(Errno::EPERM);
        }
    }
    // Even root's chown takes set-user-ID away, except from directories (chown(2)).
    let stripped = without_privileges(&access, credentials);
    let mode = (at.inode().kind() != FileType::Directory && stripped != access.mode).then_some(stripped & 0o7777);
    if mode.is_some() && !credentials.owns(&access) {
        return Err(Errno::EPERM);
    }
    at.inode().set_attributes(&SetAttributes { uid, gid, mode, ..SetAttributes::default() })?;
    notify::attributes(at);
    Ok(())
}

/// A time of utimensat(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeChange {
    /// `UTIME_OMIT`.
    Keep,
    /// `UTIME_NOW`.
    Now,
    /// A given time.
    To(Time),
}

/// utimensat(2).
///
/// # Errors
/// `EACCES`, `EPERM`, `EROFS`.
pub fn set_times(context: &FsContext, at: &Path, atime: TimeChange, mtime: TimeChange) -> Result<()> {
    if (atime, mtime) == (TimeChange::Keep, TimeChange::Keep) {
        return Ok(());
    }
    at.mount.check_writable()?;
    let access = at.inode().access();
    if (atime, mtime) != (TimeChange::Now, TimeChange::Now) || access.is_immutable() {
        access.check_changeable()?;
    }
    if !context.credentials.owns(&access) {
        if (atime, mtime) != (TimeChange::Now, TimeChange::Now) {
            return Err(Errno::EPERM);
        }
        context.credentials.check(&access, MAY_WRITE)?;
    }
    let now = Time::now();
    let value = |change| match change {
        TimeChange::Keep => None,
        TimeChange::Now => Some(now),
        TimeChange::To(time) => Some(time),
    };
    at.inode().set_attributes(&SetAttributes {
        atime: value(atime),
        mtime: value(mtime),
        ..SetAttributes::default()
    })?;
    notify::times(at, atime != TimeChange::Keep, mtime != TimeChange::Keep);
    Ok(())
}

/// truncate(2).
///
/// # Errors
/// As truncate(2).
pub fn truncate(context: &FsContext, base: Option<&Path>, path: &[u8], len: i64) -> Result<()> {
    let len = u64::try_from(len).map_err(|_| Errno::EINVAL)?;
    let at = context.resolve(base, path, Resolve::FOLLOW)?;
    match at.inode().kind() {
        FileType::Directory => return Err(Errno::EISDIR),
        FileType::Regular => {}
        _ => return Err(Errno::EINVAL),
    }
    at.mount.check_writable()?;
    let access = at.inode().access();
    context.credentials.check(&access, MAY_WRITE)?;
    if access.is_append_only() {
        return Err(Errno::EPERM);
    }
    let _writing = TextGuard::writing(at.inode())?;
    crate::open::make_way(at.inode(), O_WRONLY)?;
    resize(&at, len)
}

/// The mode that a regular file gets when the caller changes its content, if that is another one:
/// the set-user-ID bit goes (inode(7)).
fn mode_after_change(inode: &Arc<dyn Inode>) -> Option<u32> {
    let access = inode.access();
    if access.mode & (S_ISUID | S_ISGID) == 0 || access.mode & S_IFMT != S_IFREG {
        return None;
    }
    let credentials = Credentials::current();
    let stripped = without_privileges(&access, &credentials);
    (stripped != access.mode && !credentials.capable(CAP_FSETID)).then_some(stripped & 0o7777)
}

/// The caller has changed the content of a file.
///
/// # Errors
/// `EIO`.
pub fn content_changed(inode: &Arc<dyn Inode>) -> Result<()> {
    match mode_after_change(inode) {
        None => Ok(()),
        mode => inode.set_attributes(&SetAttributes { mode, ..SetAttributes::default() }),
    }
}

/// Sets the length of a regular file that may be written to.
pub(crate) fn resize(at: &Path, len: u64) -> Result<()> {
    let inode = at.inode();
    let mode = mode_after_change(inode);
    let shorter = inode.metadata().size > len;
    inode.set_attributes(&SetAttributes { mode, size: Some(len), ..SetAttributes::default() })?;
    if let Some(observer) = SHORTENED.get().filter(|_| shorter) {
        observer(inode);
    }
    notify::modified(at);
    Ok(())
}

/// Who is told of files that became shorter.
static SHORTENED: OnceCell<fn(&Arc<dyn Inode>)> = OnceCell::new();

/// Says who is told of files that became shorter: mappings end there, too.
pub fn on_shortened(observer: fn(&Arc<dyn Inode>)) {
    let _ = SHORTENED.set(observer);
}

/// setxattr(2), after the path was resolved.
///
/// # Errors
/// As setxattr(2).
pub fn set_xattr(context: &FsContext, at: &Path, name: &[u8], value: &[u8], flags: u32) -> Result<()> {
    at.mount.check_writable()?;
    match AclKind::of_name(name) {
        Some(kind) if value.is_empty() => set_acl(context, at, kind, None)?,
        Some(kind) => set_acl(context, at, kind, Acl::parse(value)?)?,
        None => {
            xattr::check(&context.credentials, at.inode(), name, MAY_WRITE)?;
            at.inode().set_xattr(name, value, flags)?;
        }
    }
    notify::attributes(at);
    Ok(())
}

/// `FS_IOC_SETFLAGS`.
///
/// # Errors
/// As ioctl_iflags(2).
pub fn set_flags(context: &FsContext, at: &Path, flags: u32) -> Result<()> {
    at.mount.check_writable()?;
    check_flags(context, at, flags)?;
    at.inode().set_flags(flags)
}

/// Whether somebody may set these flags.
pub(crate) fn check_flags(context: &FsContext, at: &Path, flags: u32) -> Result<()> {
    const GUARDED: u32 = FS_IMMUTABLE_FL | FS_APPEND_FL;
    let before = at.inode().flags()?;
    let credentials = &context.credentials;
    let allowed = (before ^ flags) & GUARDED == 0 || credentials.capable(CAP_LINUX_IMMUTABLE);
    if credentials.owns(&at.inode().access()) && allowed { Ok(()) } else { Err(Errno::EPERM) }
}

/// Sets an access control list, or removes it. What a file's own list says of owner, mask and others
/// becomes the mode; a list that says no more is not kept.
fn set_acl(context: &FsContext, at: &Path, kind: AclKind, acl: Option<Acl>) -> Result<()> {
    let inode = at.inode();
    inode.acl(kind)?;
    if kind == AclKind::Default && inode.kind() != FileType::Directory {
        return if acl.is_some() { Err(Errno::EACCES) } else { Ok(()) };
    }
    let (access, credentials) = (inode.access(), &context.credentials);
    access.check_changeable()?;
    if !credentials.owns(&access) {
        return Err(Errno::EPERM);
    }
    if kind == AclKind::Default {
        return inode.set_acl(kind, acl.map(Arc::new));
    }
    let mut mode = acl.as_ref().map_or(access.mode, |acl| access.mode & !RWX | acl.mode());
    if !credentials.in_group(access.gid) && !credentials.capable(CAP_FSETID) {
        mode &= !S_ISGID;
    }
    if mode != access.mode {
        inode.set_attributes(&SetAttributes { mode: Some(mode & 0o7777), ..SetAttributes::default() })?;
    }
    inode.set_acl(kind, acl.filter(|acl| !acl.is_mode()).map(Arc::new))
}

/// getxattr(2), after the path was resolved.
///
/// # Errors
/// As getxattr(2).
pub fn get_xattr(context: &FsContext, at: &Path, name: &[u8]) -> Result<Vec<u8>> {
    if let Some(kind) = AclKind::of_name(name) {
        return at.inode().acl(kind)?.map(|acl| acl.to_bytes()).ok_or(Errno::ENODATA);
    }
    xattr::check(&context.credentials, at.inode(), name, MAY_READ)?;
    at.inode().xattr(name)
}

/// listxattr(2), after the path was resolved: names, each ended by a NUL.
///
/// # Errors
/// As listxattr(2).
pub fn list_xattr(context: &FsContext, at: &Path) -> Result<Vec<u8>> {
    let mut names = at.inode().list_xattr()?;
    if !context.credentials.capable(CAP_SYS_ADMIN) {
        let seen = names.split_inclusive(|&byte| byte == 0).filter(|name| !name.starts_with(xattr::TRUSTED));
        names = seen.flatten().copied().collect();
    }
    Ok(names)
}

/// removexattr(2), after the path was resolved.
///
/// # Errors
/// As removexattr(2).
pub fn remove_xattr(context: &FsContext, at: &Path, name: &[u8]) -> Result<()> {
    at.mount.check_writable()?;
    if let Some(kind) = AclKind::of_name(name) {
        set_acl(context, at, kind, None)?;
    } else {
        xattr::check(&context.credentials, at.inode(), name, MAY_WRITE)?;
        at.inode().remove_xattr(name)?;
    }
    notify::attributes(at);
    Ok(())
}
