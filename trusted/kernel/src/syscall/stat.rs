//! What files and file systems are: stat, statx, statfs.

use super::Call;
use super::attributes::resolve_flags;
use super::path::Place;
use rkt_linux_abi::general::{
    AT_EMPTY_PATH, AT_FDCWD, AT_NO_AUTOMOUNT, AT_STATX_DONT_SYNC, AT_STATX_FORCE_SYNC, AT_STATX_SYNC_TYPE,
    AT_SYMLINK_NOFOLLOW, FS_APPEND_FL, FS_COMPR_FL, FS_ENCRYPT_FL, FS_IMMUTABLE_FL, FS_NODUMP_FL, FS_VERITY_FL,
    MS_NOATIME, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY, MS_RELATIME, STATX__RESERVED, STATX_ATTR_AUTOMOUNT,
    STATX_ATTR_DAX, STATX_BASIC_STATS, STATX_BTIME, STATX_DIOALIGN, STATX_MNT_ID, STATX_MNT_ID_UNIQUE,
};
use rkt_linux_abi::{Errno, Result};
use rkt_user::UserPtr;
use rkt_vfs::{FileType, Metadata, Path, Resolve, Time, device_major, device_minor};
use zerocopy::{Immutable, IntoBytes};

/// `struct stat` of x86-64.
#[repr(C)]
#[derive(IntoBytes, Immutable)]
struct Stat {
    dev: u64,
    ino: u64,
    nlink: u64,
    mode: u32,
    uid: u32,
    gid: u32,
    pad: u32,
    rdev: u64,
    size: u64,
    block_size: u64,
    blocks: u64,
    atime: [i64; 2],
    mtime: [i64; 2],
    ctime: [i64; 2],
    unused: [u64; 3],
}

fn pair(time: Time) -> [i64; 2] {
    [time.seconds(), time.nanoseconds().into()]
}

impl From<&Metadata> for Stat {
    fn from(of: &Metadata) -> Self {
        Self {
            dev: of.dev,
            ino: of.ino,
            nlink: of.nlink.into(),
            mode: of.mode,
            uid: of.uid,
            gid: of.gid,
            pad: 0,
            rdev: of.rdev,
            size: of.size,
            block_size: of.block_size.into(),
            blocks: of.blocks,
            atime: pair(of.atime),
            mtime: pair(of.mtime),
            ctime: pair(of.ctime),
            unused: [0; 3],
        }
    }
}

fn put(of: &Metadata, to: u64) -> Result<u64> {
    UserPtr::new(to).write(&Stat::from(of))?;
    Ok(0)
}

/// What the arguments of newfstatat and statx name.
fn locate(call: &Call<'_>, dirfd: i32, path: u64, how: Resolve) -> Result<Path> {
    // A null pointer is an empty path (since Linux 6.11).
    if path == 0 && how.allow_empty {
        let process = &call.task.process;
        return Ok(if dirfd == AT_FDCWD { process.fs.lock().cwd.clone() } else { process.file(dirfd)?.path().clone() });
    }
    Place::maybe_empty(call, dirfd, path, how.allow_empty)?.resolve(how)
}

const FLAGS: u32 = AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_STATX_SYNC_TYPE;

/// newfstatat(2).
pub fn newfstatat(call: &mut Call<'_>, dirfd: i32, path: u64, to: u64, flags: u32) -> Result<u64> {
    let at = locate(call, dirfd, path, resolve_flags(flags, FLAGS)?)?;
    put(&at.inode().metadata(), to)
}

/// stat(2).
pub fn stat(call: &mut Call<'_>, path: u64, to: u64) -> Result<u64> {
    newfstatat(call, AT_FDCWD, path, to, 0)
}

/// lstat(2).
pub fn lstat(call: &mut Call<'_>, path: u64, to: u64) -> Result<u64> {
    newfstatat(call, AT_FDCWD, path, to, AT_SYMLINK_NOFOLLOW)
}

/// fstat(2).
pub fn fstat(call: &mut Call<'_>, fd: i32, to: u64) -> Result<u64> {
    put(&call.task.process.file(fd)?.metadata(), to)
}

/// `struct statx_timestamp`.
#[repr(C)]
#[derive(IntoBytes, Immutable)]
struct StatxTime {
    sec: i64,
    nsec: u32,
    reserved: u32,
}

impl From<Time> for StatxTime {
    fn from(time: Time) -> Self {
        Self { sec: time.seconds(), nsec: time.nanoseconds(), reserved: 0 }
    }
}

/// `struct statx`.
#[repr(C)]
#[derive(IntoBytes, Immutable)]
struct Statx {
    mask: u32,
    block_size: u32,
    attributes: u64,
    nlink: u32,
    uid: u32,
    gid: u32,
    mode: u16,
    spare0: u16,
    ino: u64,
    size: u64,
    blocks: u64,
    attributes_mask: u64,
    atime: StatxTime,
    btime: StatxTime,
    ctime: StatxTime,
    mtime: StatxTime,
    rdev: [u32; 2],
    dev: [u32; 2],
    mount: u64,
    /// What `O_DIRECT` asks of addresses, and of offsets and lengths.
    direct: [u32; 2],
    spare: [u64; 12],
}

fn numbers(device: u64) -> [u32; 2] {
    [device_major(device), device_minor(device)]
}

/// STATX_ATTR_MOUNT_ROOT of linux/stat.h.
const MOUNT_ROOT: u64 = 0x2000;
/// Attributes of which all files tell that they do not have them.
const KNOWN_OF_ALL: u64 = (STATX_ATTR_AUTOMOUNT | STATX_ATTR_DAX) as u64;
/// Where the ids of `STATX_MNT_ID_UNIQUE` begin.
const MOUNT_IDS: u64 = 1 << 31;

/// Flags of inodes that have the same values as attributes of statx(2).
const SHOWN_FLAGS: u32 = FS_IMMUTABLE_FL | FS_APPEND_FL | FS_NODUMP_FL | FS_COMPR_FL | FS_ENCRYPT_FL | FS_VERITY_FL;

/// The attributes that a file system tells of, if its inodes have flags.
fn known_flags(file_system: &str) -> u32 {
    match file_system {
        "ext4" => SHOWN_FLAGS,
        _ => FS_IMMUTABLE_FL | FS_APPEND_FL | FS_NODUMP_FL,
    }
}

/// statx(2).
pub fn statx(call: &mut Call<'_>, dirfd: i32, path: u64, flags: u32, mask: u32, to: u64) -> Result<u64> {
    let how = resolve_flags(flags, FLAGS)?;
    let both = AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC;
    if mask & STATX__RESERVED != 0 || flags & both == both {
        return Err(Errno::EINVAL);
    }
    let at = locate(call, dirfd, path, how)?;
    let of = at.inode().metadata();
    let mounted = at == at.mount.root();
    let (flags, known) = match at.inode().flags() {
        Ok(flags) => (flags, known_flags(at.mount.fs().type_name())),
        Err(_) => (0, 0),
    };
    let mount = u64::from(at.mount.id());
    // Both ids are used for one mount only; the longer kind is told by its values (fs/namespace.c).
    let (mount, mount_mask) = match mask & STATX_MNT_ID_UNIQUE {
        0 => (mount, STATX_MNT_ID),
        _ => (MOUNT_IDS + mount, STATX_MNT_ID_UNIQUE),
    };
    let direct = at.inode().direct_alignment().filter(|_| mask & STATX_DIOALIGN != 0);
    let direct_mask = if direct.is_some() { STATX_DIOALIGN } else { 0 };
    let statx = Statx {
        mask: STATX_BASIC_STATS | STATX_BTIME | mount_mask | direct_mask,
        block_size: of.block_size,
        attributes: if mounted { MOUNT_ROOT } else { 0 } | u64::from(flags & SHOWN_FLAGS),
        nlink: of.nlink,
        uid: of.uid,
        gid: of.gid,
        mode: of.mode as u16,
        spare0: 0,
        ino: of.ino,
        size: of.size,
        blocks: of.blocks,
        attributes_mask: MOUNT_ROOT | KNOWN_OF_ALL | u64::from(known),
        atime: of.atime.into(),
        btime: of.btime.into(),
        ctime: of.ctime.into(),
        mtime: of.mtime.into(),
        rdev: numbers(of.rdev),
        dev: numbers(of.dev),
        mount,
        direct: [direct.unwrap_or(0); 2],
        spare: [0; 12],
    };
    UserPtr::new(to).write(&statx)?;
    Ok(0)
}

/// `struct statfs` of x86-64.
#[repr(C)]
#[derive(IntoBytes, Immutable)]
struct Statfs {
    magic: u64,
    block_size: u64,
    blocks: u64,
    free: u64,
    available: u64,
    files: u64,
    free_files: u64,
    id: u64,
    name_len: u64,
    fragment_size: u64,
    flags: u64,
    spare: [u64; 4],
}

/// ST_VALID and ST_RELATIME of the kernel's linux/statfs.h.
const ST_VALID: u64 = 0x20;
const ST_RELATIME: u64 = 0x1000;

/// PIPEFS_MAGIC and SOCKFS_MAGIC of linux/magic.h.
const PIPEFS_MAGIC: u64 = 0x5049_5045;
const SOCKFS_MAGIC: u64 = 0x534f_434b;

/// The number of the file system: pipes and sockets without a name have one of their own.
fn magic(at: &Path, of_mount: u64) -> u64 {
    match at.inode().kind() {
        _ if at.mount.fs().device() != rkt_vfs::anonymous_device() => of_mount,
        FileType::Fifo => PIPEFS_MAGIC,
        FileType::Socket => SOCKFS_MAGIC,
        _ => of_mount,
    }
}

fn put_statfs(at: &Path, to: u64) -> Result<u64> {
    let fs = at.mount.fs();
    let of = fs.statistics();
    let mount = at.mount.flags();
    // These have the same values as MS_ and ST_ flags.
    let same = mount & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME);
    let relatime = if mount & MS_RELATIME != 0 { ST_RELATIME } else { 0 };
    let statfs = Statfs {
        magic: magic(at, of.magic),
        block_size: of.block_size,
        blocks: of.blocks,
        free: of.free,
        available: of.free,
        files: of.inodes,
        free_files: of.free_inodes,
        id: fs.device(),
        name_len: of.name_max,
        fragment_size: of.block_size,
        flags: ST_VALID | u64::from(same) | relatime,
        spare: [0; 4],
    };
    UserPtr::new(to).write(&statfs)?;
    Ok(0)
}

/// statfs(2).
pub fn statfs(call: &mut Call<'_>, path: u64, to: u64) -> Result<u64> {
    put_statfs(&Place::new(call, AT_FDCWD, path)?.resolve(Resolve::FOLLOW)?, to)
}

/// fstatfs(2).
pub fn fstatfs(call: &mut Call<'_>, fd: i32, to: u64) -> Result<u64> {
    put_statfs(call.task.process.file(fd)?.path(), to)
}
