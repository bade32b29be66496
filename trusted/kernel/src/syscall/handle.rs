//! name_to_handle_at(2) and open_by_handle_at(2): files by numbers that outlive their names.

use super::Call;
use super::path::{Place, install};
use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use rkt_linux_abi::general::{
    AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_FOLLOW, CAP_DAC_READ_SEARCH, O_CLOEXEC, O_CREAT, O_EXCL,
};
use rkt_linux_abi::{Errno, Result};
use rkt_sync::Mutex;
use rkt_user::UserPtr;
use rkt_vfs::{Dentry, Inode, Path, Resolve};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// MAX_HANDLE_SZ of linux/exportfs.h.
const MAX_LEN: u32 = 128;
/// Kind of the handles here: an inode number and a generation (FILEID_INO32_GEN).
const KIND: i32 = 1;
/// Entries at which those of files that are gone are dropped.
const PRUNE_AT: usize = 256;

/// The head of `struct file_handle`.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable)]
struct Head {
    len: u32,
    kind: i32,
}

/// What a handle of ours says: it is made of words, as the head has 8 bytes and the rest 12.
type Words = [u32; 3];
const LEN: u32 = size_of::<Words>() as u32;

/// A file that was asked for.
struct Known {
    inode: Weak<dyn Inode>,
    dentry: Weak<Dentry>,
}

/// All files whose handles somebody has, by device and inode number.
static KNOWN: Mutex<BTreeMap<(u64, u64), Known>> = Mutex::new(BTreeMap::new());

fn remember(at: &Path) -> Words {
    let ino = at.inode().metadata().ino;
    let known = Known { inode: Arc::downgrade(at.inode()), dentry: Arc::downgrade(&at.dentry) };
    let mut all = KNOWN.lock();
    if all.len() >= PRUNE_AT && all.len().is_power_of_two() {
        all.retain(|_, known| known.inode.strong_count() > 0);
    }
    all.insert((at.mount.fs().device(), ino), known);
    [0, ino as u32, (ino >> 32) as u32]
}

/// The file of a handle, reached through the mount of `anchor`.
fn find(anchor: &Path, [_, low, high]: Words) -> Result<Path> {
    let ino = u64::from(high) << 32 | u64::from(low);
    let all = KNOWN.lock();
    let known = all.get(&(anchor.mount.fs().device(), ino)).ok_or(Errno::ESTALE)?;
    let inode = known.inode.upgrade().ok_or(Errno::ESTALE)?;
    let dentry = known.dentry.upgrade().unwrap_or_else(|| Dentry::detached(inode.clone(), b"/"));
    drop(all);
    if inode.metadata().nlink == 0 {
        return Err(Errno::ESTALE);
    }
    Ok(Path { mount: anchor.mount.clone(), dentry })
}

/// name_to_handle_at(2). Pseudo file systems have no handles.
pub fn name_to_handle_at(
    call: &mut Call<'_>,
    dirfd: i32,
    path: u64,
    handle: u64,
    mount_id: u64,
    flags: u32,
) -> Result<u64> {
    if flags & !(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL);
    }
    let allow_empty = flags & AT_EMPTY_PATH != 0;
    let place = Place::maybe_empty(call, dirfd, path, allow_empty)?;
    let follow = flags & AT_SYMLINK_FOLLOW != 0;
    let at = place.resolve(Resolve { follow, allow_empty, ..Resolve::FOLLOW })?;
    if !matches!(at.mount.fs().type_name(), "tmpfs" | "rootfs" | "devtmpfs" | "ext4") {
        return Err(Errno::EOPNOTSUPP);
    }
    let head = UserPtr::<Head>::new(handle);
    let room = head.read()?.len;
    if room > MAX_LEN {
        return Err(Errno::EINVAL);
    }
    UserPtr::<i32>::new(mount_id).write(&(at.mount.id() as i32))?;
    head.write(&Head { len: LEN, kind: KIND })?;
    if room < LEN {
        return Err(Errno::EOVERFLOW);
    }
    UserPtr::<Words>::new(head.nth(1)?.addr()).write(&remember(&at))?;
    Ok(0)
}

/// open_by_handle_at(2).
pub fn open_by_handle_at(call: &mut Call<'_>, mount: i32, handle: u64, flags: u32) -> Result<u64> {
    let head = UserPtr::<Head>::new(handle);
    let Head { len, kind } = head.read()?;
    if len > MAX_LEN || len == 0 || kind < 0 {
        return Err(Errno::EINVAL);
    }
    let context = call.task.process.context();
    let anchor = match mount {
        AT_FDCWD => context.cwd.clone(),
        fd => call.task.process.file(fd)?.path().clone(),
    };
    if !context.credentials.capable(CAP_DAC_READ_SEARCH) {
        return Err(Errno::EPERM);
    }
    if len != LEN || kind != KIND {
        return Err(Errno::ESTALE);
    }
    let at = find(&anchor, UserPtr::<Words>::new(head.nth(1)?.addr()).read()?)?;
    let file = rkt_vfs::open_path(&context, at, flags & !(O_CREAT | O_EXCL), false)?;
    install(call, file, flags & O_CLOEXEC != 0)
}
