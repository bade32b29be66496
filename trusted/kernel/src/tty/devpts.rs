//! /dev/pts, /dev/ptmx and /dev/tty.

use super::pty::{self, Multiplexer, PTS_MAJOR};
use super::{Tty, TtyFile, console};
use crate::task;
use alloc::boxed::Box;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use rkt_linux_abi::general::{CAP_SYS_ADMIN, MS_NOEXEC, MS_NOSUID, MS_RELATIME, O_NOCTTY, S_IFCHR};
use rkt_linux_abi::{Errno, Result};
use rkt_sync::{Mutex, OnceCell};
use rkt_vfs::dev::{self, CharDevice};
use rkt_vfs::pseudo::{DynamicDir, DynamicEntry, PseudoFs};
use rkt_vfs::{
    Access, Credentials, FileOps, FileType, FsContext, Inode, Metadata, Mount, Path, Resolve, SetAttributes,
    make_device, ops,
};

/// DEVPTS_SUPER_MAGIC of linux/magic.h.
const MAGIC: u64 = 0x1cd1;
/// Major and minor numbers of /dev/tty, /dev/console and /dev/ptmx (Linux' devices.txt).
const TTY: (u32, u32) = (5, 0);
const CONSOLE: (u32, u32) = (5, 1);
const PTMX: (u32, u32) = (5, 2);
/// Group "tty", that entries belong to: they may be written by it (write(1)).
const GROUP: u32 = 5;
/// Inode number of entry 0 (Linux' devpts).
const FIRST_INODE: u64 = 3;

/// Opens a terminal for the program; it may become the controlling one.
///
/// # Errors
/// `EBUSY` if somebody wants it alone (TIOCEXCL).
pub fn open(tty: &Arc<Tty>, no_control: bool) -> Result<Arc<TtyFile>> {
    let Some(task) = task::try_current() else { return Ok(TtyFile::new(tty)) };
    let process = &task.process;
    if tty.state.lock().exclusive && !process.credentials().capable(CAP_SYS_ADMIN) {
        return Err(Errno::EBUSY);
    }
    if !no_control {
        tty.acquire_if_free(process);
    }
    Ok(TtyFile::new(tty))
}

/// /dev/tty: the caller's own terminal.
struct Own;

impl CharDevice for Own {
    fn open(&self, _minor: u32, _flags: u32) -> Result<Arc<dyn FileOps>> {
        let tty = task::try_current().and_then(|task| task.process.tty.lock().clone()).ok_or(Errno::ENXIO)?;
        Ok(open(&tty, true)?)
    }
}

/// /dev/console: where the first program's standard streams are.
struct Console;

impl CharDevice for Console {
    fn open(&self, _minor: u32, flags: u32) -> Result<Arc<dyn FileOps>> {
        match console::terminal() {
            Some(tty) => Ok(open(tty, flags & O_NOCTTY != 0)?),
            None => Err(Errno::ENXIO),
        }
    }
}

/// A device node of this file system.
pub struct Node {
    device: u64,
    number: u64,
    /// Mode and owner.
    access: Mutex<Access>,
}

impl Node {
    /// The node of a pseudo-terminal.
    pub fn of_terminal(number: u32, owner: u32) -> Arc<Node> {
        let access = Access { mode: 0o620, uid: owner, gid: GROUP, flags: 0, acl: None };
        let number_in_fs = FIRST_INODE + u64::from(number);
        Arc::new(Node { device: make_device(PTS_MAJOR, number), number: number_in_fs, access: Mutex::new(access) })
    }
}

impl Inode for Node {
    fn kind(&self) -> FileType {
        FileType::CharDevice
    }

    fn metadata(&self) -> Metadata {
        let Access { mode, uid, gid, .. } = self.access();
        let file_system = MOUNT.get().map_or(0, |mount| mount.fs().device());
        Metadata { uid, gid, rdev: self.device, ..Metadata::anonymous(file_system, self.number, mode) }
    }

    fn access(&self) -> Access {
        let access = self.access.lock().clone();
        Access { mode: S_IFCHR | access.mode, ..access }
    }

    fn set_attributes(&self, change: &SetAttributes) -> Result<()> {
        let mut access = self.access.lock();
        access.mode = change.mode.map_or(access.mode, |mode| mode & 0o7777);
        access.uid = change.uid.unwrap_or(access.uid);
        access.gid = change.gid.unwrap_or(access.gid);
        Ok(())
    }
}

/// The pseudo-terminals that there are.
struct Entries;

impl DynamicDir for Entries {
    fn lookup(&self, name: &[u8]) -> Result<Arc<dyn Inode>> {
        let number = core::str::from_utf8(name).ok().and_then(|name| name.parse().ok()).ok_or(Errno::ENOENT)?;
        if format!("{number}").as_bytes() != name {
            return Err(Errno::ENOENT);
        }
        Ok(pty::find(number).ok_or(Errno::ENOENT)?.node)
    }

    fn list(&self, position: u64) -> Vec<DynamicEntry> {
        let there = pty::numbers().into_iter().filter(|&number| u64::from(number) >= position);
        let show = |number: u32| DynamicEntry {
            name: format!("{number}").into_bytes(),
            kind: FileType::CharDevice,
            ino: FIRST_INODE + u64::from(number),
            position: number.into(),
        };
        there.map(show).collect()
    }
}

static MOUNT: OnceCell<Arc<Mount>> = OnceCell::new();

/// Where a pseudo-terminal has its name.
///
/// # Errors
/// `ENOENT`.
pub fn path(number: u32) -> Result<Path> {
    let root = MOUNT.get().ok_or(Errno::ENOENT)?.root();
    let dentry = root.dentry.lookup(format!("{number}").as_bytes())?;
    Ok(Path { mount: root.mount, dentry })
}

/// Registers the devices and mounts /dev/pts.
///
/// # Errors
/// What mounting said.
pub fn mount(root: &Path) -> Result<()> {
    let (tty, console, ptmx) = (TTY, CONSOLE, PTMX);
    dev::register(tty.0, tty.1, Arc::new(Own));
    dev::register(console.0, console.1, Arc::new(Console));
    dev::register(ptmx.0, ptmx.1, Arc::new(Multiplexer));
    let fs = PseudoFs::new("devpts", MAGIC, |_| Some(Box::new(Entries)));
    let (device, access) = (make_device(ptmx.0, ptmx.1), Access { mode: 0o666, uid: 0, gid: 0, flags: 0, acl: None });
    fs.directory().add("ptmx", Arc::new(Node { device, number: 2, access: Mutex::new(access) }));
    let credentials = Arc::new(Credentials::root());
    let context = FsContext { root: root.clone(), cwd: root.clone(), umask: 0, credentials };
    ops::mknod(&context, None, b"dev/ptmx", S_IFCHR | 0o666, device)?;
    ops::mkdir(&context, None, b"dev/pts", 0o755)?;
    let at = context.resolve(None, b"dev/pts", Resolve { directory: true, ..Resolve::FOLLOW })?;
    let mounted = Mount::attach(&at, fs, "devpts", MS_NOSUID | MS_NOEXEC | MS_RELATIME)?;
    let _ = MOUNT.set(mounted);
    Ok(())
}
