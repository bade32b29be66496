//! Who asks, and what the mode bits let them do (path_resolution(7), capabilities(7)).

use crate::attr::Access;
use alloc::sync::Arc;
use alloc::vec::Vec;
use rkt_linux_abi::general::{CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, S_IFDIR, S_IFMT, S_IRWXG, S_ISVTX};
use rkt_linux_abi::{Errno, Result};
use rkt_sync::OnceCell;

/// Permission to execute a file or search a directory.
pub const MAY_EXEC: u32 = 1;
/// Permission to write.
pub const MAY_WRITE: u32 = 2;
/// Permission to read.
pub const MAY_READ: u32 = 4;

/// The credentials that file access is judged by.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    /// File-system user ID.
    pub uid: u32,
    /// File-system group ID.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// Effective capabilities, a bit each.
    pub capabilities: u64,
}

/// Who knows the caller's credentials.
static CURRENT: OnceCell<fn() -> Option<Arc<Credentials>>> = OnceCell::new();

/// Says who knows the credentials of the caller: none if the kernel works for nobody.
pub fn on_current_credentials(known: fn() -> Option<Arc<Credentials>>) {
    let _ = CURRENT.set(known);
}

impl Credentials {
    /// Those of the caller, which need not be those that a file was opened with.
    pub fn current() -> Arc<Self> {
        CURRENT.get().and_then(|known| known()).unwrap_or_else(|| Arc::new(Self::root()))
    }

    /// The superuser with every capability.
    pub fn root() -> Self {
        Self { capabilities: u64::MAX, ..Self::default() }
    }

    /// Whether the capability with this number is effective.
    pub fn capable(&self, capability: u32) -> bool {
        self.capabilities & (1 << (capability & 63)) != 0
    }

    /// Whether the group is the primary or a supplementary one.
    pub fn in_group(&self, gid: u32) -> bool {
        self.gid == gid || self.groups.contains(&gid)
    }

    /// Whether they may act as the owner of an inode.
    pub fn owns(&self, access: &Access) -> bool {
        self.uid == access.uid || self.capable(CAP_FOWNER)
    }

    /// Checks `wanted`, a set of `MAY_` bits.
    ///
    /// # Errors
    /// `EACCES`; `EPERM` for whoever wants to write to what is immutable.
    pub fn check(&self, access: &Access, wanted: u32) -> Result<()> {
        if wanted & MAY_WRITE != 0 && access.is_immutable() {
            return Err(Errno::EPERM);
        }
        let permitted = match &access.acl {
            // The mode's group shows the mask: where that is empty the mode says it all.
            Some(acl) if self.uid != access.uid && access.mode & S_IRWXG != 0 => acl.permits(access.gid, self, wanted),
            _ => self.mode_permits(access, wanted),
        };
        if permitted || self.overrides(access, wanted) { Ok(()) } else { Err(Errno::EACCES) }
    }

    fn mode_permits(&self, access: &Access, wanted: u32) -> bool {
        let shift = if self.uid == access.uid {
            6
        } else if self.in_group(access.gid) {
            3
        } else {
            0
        };
        (access.mode >> shift) & wanted == wanted
    }

    fn overrides(&self, access: &Access, wanted: u32) -> bool {
        let directory = access.mode & S_IFMT == S_IFDIR;
        if self.capable(CAP_DAC_OVERRIDE) {
            // Even root executes only what somebody may execute.
            return directory || wanted & MAY_EXEC == 0 || access.mode & 0o111 != 0;
        }
        let harmless = if directory { MAY_READ | MAY_EXEC } else { MAY_READ };
        self.capable(CAP_DAC_READ_SEARCH) && wanted & !harmless == 0
    }

    /// Whether the sticky bit of a directory keeps them from removing an inode in it.
    pub fn sticky_forbids(&self, directory: &Access, victim: &Access) -> bool {
        directory.mode & S_ISVTX != 0
            && self.uid != victim.uid
            && self.uid != directory.uid
            && !self.capable(CAP_FOWNER)
    }
}
