//! System V IPC (sysvipc(7)): shared memory, semaphores and message queues; and the message queues
//! of POSIX (mq_overview(7)).

pub mod message;
pub mod posix_queue;
pub mod queue_fs;
pub mod registry;
pub mod semaphore;
pub mod shared;

use alloc::sync::Arc;
use registry::{Object, Permissions};
use rkt_linux_abi::Result;
use rkt_vfs::Credentials;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// IPC_CREAT, IPC_EXCL and IPC_NOWAIT of linux/ipc.h.
pub const IPC_CREAT: u32 = 0o1000;
#[allow(missing_docs)]
pub const IPC_EXCL: u32 = 0o2000;
#[allow(missing_docs)]
pub const IPC_NOWAIT: u32 = 0o4000;
/// The key of objects that nobody else finds.
pub const IPC_PRIVATE: i32 = 0;
/// Commands of shmctl(2), semctl(2) and msgctl(2) (linux/ipc.h).
pub const IPC_RMID: u32 = 0;
#[allow(missing_docs)]
pub const IPC_SET: u32 = 1;
#[allow(missing_docs)]
pub const IPC_STAT: u32 = 2;
#[allow(missing_docs)]
pub const IPC_INFO: u32 = 3;
/// Of the 64-bit structures, which are the only ones here: accepted with any command.
pub const IPC_64: u32 = 0x100;

/// `struct ipc64_perm`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct PermissionsAbi {
    /// Key; 0 of private and removed objects.
    pub key: i32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Creator.
    pub creator_uid: u32,
    /// Creator's group.
    pub creator_gid: u32,
    /// Permissions.
    pub mode: u32,
    /// Generation of the id.
    pub sequence: u16,
    pad: [u16; 3],
    unused: [u64; 2],
}

impl PermissionsAbi {
    fn of<T>(object: &Object<T>, extra_mode: u32) -> Self {
        let Permissions { uid, gid, creator_uid, creator_gid, mode } = *object.permissions.lock();
        Self {
            key: object.key(),
            uid,
            gid,
            creator_uid,
            creator_gid,
            mode: mode | extra_mode,
            sequence: object.sequence(),
            ..Self::default()
        }
    }
}

/// Seconds of the wall clock, for the times of objects.
fn seconds() -> i64 {
    (rkt_platform::wall() / 1_000_000_000) as i64
}

/// What IPC_SET changes of an object.
///
/// # Errors
/// `EPERM` unless the caller owns it.
pub fn set<T>(object: &Arc<Object<T>>, who: &Credentials, new: &PermissionsAbi) -> Result<()> {
    object.check_owner(who)?;
    let mut permissions = object.permissions.lock();
    permissions.uid = new.uid;
    permissions.gid = new.gid;
    permissions.mode = new.mode & 0o777;
    Ok(())
}
