//! mount(2), umount2(2) and pivot_root(2). There is one mount namespace, and no mount is shared.

use super::Call;
use super::path::{Place, read_path};
use crate::ipc::queue_fs::QueueFs;
use crate::procfs;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use rkt_linux_abi::general::{
    AT_FDCWD, CAP_SYS_ADMIN, MNT_DETACH, MNT_EXPIRE, MNT_FORCE, MS_BIND, MS_MGC_MSK, MS_MGC_VAL, MS_MOVE, MS_NOATIME,
    MS_NODEV, MS_NODIRATIME, MS_NOEXEC, MS_NOSUID, MS_NOSYMFOLLOW, MS_NOUSER, MS_PRIVATE, MS_RDONLY, MS_REC,
    MS_RELATIME, MS_REMOUNT, MS_SHARED, MS_SILENT, MS_SLAVE, MS_STRICTATIME, MS_UNBINDABLE, UMOUNT_NOFOLLOW,
};
use rkt_linux_abi::{Errno, PAGE_SIZE, Result};
use rkt_user::{UserSlice, read_c_string};
use rkt_vfs::tmpfs::{self, TmpFs};
use rkt_vfs::{FileSystem, FsContext, Mount, Path, Resolve, SetAttributes};

/// Flags of mount(2) that say how the mount is used.
const PER_MOUNT: u32 = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME | MS_NOSYMFOLLOW;
const ACCESS_TIMES: u32 = MS_NOATIME | MS_NODIRATIME | MS_RELATIME;
const PROPAGATION: u32 = MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE;

/// A string that may be missing; longer than a page is `EINVAL` (mount(2)).
fn read_text(address: u64) -> Result<Option<Vec<u8>>> {
    if address == 0 {
        return Ok(None);
    }
    match read_c_string(address, PAGE_SIZE - 1) {
        Err(Errno::ENAMETOOLONG) => Err(Errno::EINVAL),
        text => text.map(Some),
    }
}

/// Options: a page of bytes, of which the readable ones up to a NUL count.
fn read_options(address: u64) -> Result<Vec<u8>> {
    if address == 0 {
        return Ok(Vec::new());
    }
    let mut page = [0; PAGE_SIZE];
    let got = UserSlice::new(address, PAGE_SIZE)?.read(&mut page);
    if got == 0 {
        return Err(Errno::EFAULT);
    }
    Ok(page.iter().take(got.min(PAGE_SIZE - 1)).copied().take_while(|&byte| byte != 0).collect())
}

fn may_mount(context: &FsContext) -> Result<()> {
    if context.credentials.capable(CAP_SYS_ADMIN) { Ok(()) } else { Err(Errno::EPERM) }
}

/// Whether a path is the root of what is mounted there.
fn is_mount_root(at: &Path) -> bool {
    *at == at.mount.root()
}

/// The flags that a mount keeps.
fn kept_flags(flags: u32) -> u32 {
    let relatime = if flags & (MS_NOATIME | MS_STRICTATIME) == 0 { MS_RELATIME } else { 0 };
    flags & PER_MOUNT | relatime
}

/// mount(2).
pub fn mount(call: &mut Call<'_>, source: u64, target: u64, fstype: u64, flags: u32, data: u64) -> Result<u64> {
    let kind = read_text(fstype)?;
    let source = read_text(source)?;
    let options = read_options(data)?;
    let place = Place::new(call, AT_FDCWD, target)?;
    let at = place.resolve(Resolve::FOLLOW)?;
    let flags = if flags & MS_MGC_MSK == MS_MGC_VAL { flags & !MS_MGC_MSK } else { flags };
    if flags & MS_NOUSER != 0 {
        return Err(Errno::EINVAL);
    }
    may_mount(&place.context)?;
    if flags & MS_REMOUNT != 0 {
        remount(&at, flags, &options)?;
    } else if flags & MS_BIND != 0 {
        bind(&place.context, source, &at, flags & MS_REC != 0)?;
    } else if flags & PROPAGATION != 0 {
        change_propagation(&at, flags)?;
    } else if flags & MS_MOVE != 0 {
        let from = named(&place.context, source)?;
        from.mount.move_to(&from, &at)?;
    } else {
        let kind = kind.ok_or(Errno::EINVAL)?;
        let source = source.as_deref().map_or("none".into(), String::from_utf8_lossy);
        let fs = file_system(&kind, &options)?;
        if kind != b"tmpfs" && is_mount_root(&at) && at.mount.fs().type_name().as_bytes() == kind {
            return Err(Errno::EBUSY); // the same thing twice on one place
        }
        Mount::attach(&at, fs, &source, kept_flags(flags))?;
    }
    Ok(0)
}

/// The place that the source of a bind or a move names.
fn named(context: &FsContext, source: Option<Vec<u8>>) -> Result<Path> {
    let source = source.filter(|source| !source.is_empty()).ok_or(Errno::EINVAL)?;
    context.resolve(None, &source, Resolve::FOLLOW)
}

fn remount(at: &Path, flags: u32, options: &[u8]) -> Result<()> {
    if !is_mount_root(at) {
        return Err(Errno::EINVAL);
    }
    if flags & MS_BIND == 0 && at.mount.fs().type_name() == "tmpfs" {
        TmpfsOptions::parse(options)?;
    }
    // Without a word on access times they stay as they were (mount(2)).
    let silent = flags & (ACCESS_TIMES | MS_STRICTATIME) == 0;
    let kept = kept_flags(flags);
    at.mount.set_flags(if silent { kept & !ACCESS_TIMES | at.mount.flags() & ACCESS_TIMES } else { kept });
    Ok(())
}

fn bind(context: &FsContext, source: Option<Vec<u8>>, at: &Path, recursive: bool) -> Result<()> {
    let from = named(context, source)?;
    // Taken before the new mount is there, which may be below the source.
    let below = if recursive { from.mount.all() } else { Vec::new() };
    let made = Mount::bind(at, &from, from.mount.flags())?;
    for mount in below.iter().skip(1) {
        let Some(on) = mount.mount_point().filter(|on| Arc::ptr_eq(&on.mount, &from.mount)) else { continue };
        if on.dentry.is_within(&from.dentry) {
            let at = Path { mount: made.clone(), dentry: on.dentry };
            Mount::bind(&at, &mount.root(), mount.flags())?;
        }
    }
    Ok(())
}

/// Mounts are private and stay so: no other namespace could be told of changes.
fn change_propagation(at: &Path, flags: u32) -> Result<()> {
    if !is_mount_root(at) {
        return Err(Errno::EINVAL);
    }
    match flags & !(MS_REC | MS_SILENT) {
        MS_PRIVATE | MS_SLAVE => Ok(()),
        _ => Err(Errno::EINVAL),
    }
}

fn file_system(kind: &[u8], options: &[u8]) -> Result<Arc<dyn FileSystem>> {
    let fs: Arc<dyn FileSystem> = match kind {
        b"tmpfs" => TmpfsOptions::parse(options)?.make()?,
        b"proc" => procfs::proc()?,
        b"sysfs" => procfs::sys()?,
        b"mqueue" => QueueFs::new(),
        _ => return Err(Errno::ENODEV),
    };
    Ok(fs)
}

/// Options of a tmpfs (tmpfs(5)).
struct TmpfsOptions {
    bytes: u64,
    inodes: u64,
    mode: u32,
    uid: Option<u32>,
    gid: Option<u32>,
}

impl TmpfsOptions {
    fn parse(options: &[u8]) -> Result<Self> {
        let memory = crate::boot::memory();
        let mut wanted =
            Self { bytes: tmpfs::default_limit(memory), inodes: u64::MAX, mode: 0o1777, uid: None, gid: None };
        let text = core::str::from_utf8(options).map_err(|_| Errno::EINVAL)?;
        for option in text.split(',').filter(|option| !option.is_empty()) {
            wanted.take(option, memory).ok_or(Errno::EINVAL)?;
        }
        Ok(wanted)
    }

    /// None if the option is unknown or its value is not understood.
    fn take(&mut self, option: &str, memory: u64) -> Option<()> {
        let (name, value) = option.split_once('=')?;
        // Zero is no limit.
        let limit = |n: u64| if n == 0 { u64::MAX } else { n };
        match name {
            "size" => {
                self.bytes = match value.strip_suffix('%') {
                    Some(percent) => (memory / 100).checked_mul(percent.parse().ok()?)?,
                    None => limit(scaled(value)?.checked_next_multiple_of(PAGE_SIZE as u64)?),
                }
            }
            "nr_blocks" => self.bytes = limit(scaled(value)?.checked_mul(PAGE_SIZE as u64)?),
            "nr_inodes" => self.inodes = limit(scaled(value)?),
            "mode" => self.mode = u32::from_str_radix(value, 8).ok()? & 0o7777,
            "uid" => self.uid = Some(value.parse().ok()?),
            "gid" => self.gid = Some(value.parse().ok()?),
            _ => return None,
        }
        Some(())
    }

    fn make(&self) -> Result<Arc<TmpFs>> {
        let fs = TmpFs::new(self.bytes, self.inodes, self.mode)?;
        if self.uid.is_some() || self.gid.is_some() {
            let owner = SetAttributes { uid: self.uid, gid: self.gid, ..SetAttributes::default() };
            fs.root().set_attributes(&owner)?;
        }
        Ok(fs)
    }
}

/// A number with a unit: k, m, g.
fn scaled(text: &str) -> Option<u64> {
    let (digits, shift) = match text.as_bytes().last()?.to_ascii_lowercase() {
        b'k' => (text.get(..text.len() - 1)?, 10),
        b'm' => (text.get(..text.len() - 1)?, 20),
        b'g' => (text.get(..text.len() - 1)?, 30),
        _ => (text, 0),
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// umount2(2).
pub fn umount2(call: &mut Call<'_>, target: u64, flags: u32) -> Result<u64> {
    if flags & !(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW) != 0 {
        return Err(Errno::EINVAL);
    }
    let Place { context, base, path } = Place::new(call, AT_FDCWD, target)?;
    let at =
        context.resolve(base.as_ref(), &path, Resolve { follow: flags & UMOUNT_NOFOLLOW == 0, ..Resolve::FOLLOW })?;
    may_mount(&context)?;
    if !is_mount_root(&at) {
        return Err(Errno::EINVAL);
    }
    let Path { mount, .. } = at;
    mount.not_entered();
    if flags & MNT_EXPIRE != 0 {
        if flags & (MNT_FORCE | MNT_DETACH) != 0 || Arc::ptr_eq(&mount, &context.root.mount) {
            return Err(Errno::EINVAL);
        }
        mount.expire()?;
    }
    mount.detach(flags & MNT_DETACH != 0)?;
    Ok(0)
}

/// pivot_root(2): as the root is the first file system there is, like Linux' rootfs, it cannot be
/// put below another one.
pub fn pivot_root(call: &mut Call<'_>, new_root: u64, put_old: u64) -> Result<u64> {
    let context = call.task.process.context();
    may_mount(&context)?;
    let directory = Resolve { directory: true, ..Resolve::FOLLOW };
    let resolve = |path: u64| -> Result<Path> {
        let path = read_path(path)?;
        context.resolve(None, &path, directory)
    };
    let (new, old) = (resolve(new_root)?, resolve(put_old)?);
    let same = |at: &Path| Arc::ptr_eq(&at.mount, &context.root.mount);
    Err(if same(&new) || same(&old) { Errno::EBUSY } else { Errno::EINVAL })
}
