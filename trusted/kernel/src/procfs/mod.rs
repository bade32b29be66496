//! /proc and /sys (proc(5), sysfs(5)): what programs ask about themselves and the system, in
//! Linux's formats.

mod counters;
mod cpu;
mod descriptors;
mod ipc;
mod maps;
mod memory;
mod namespaces;
mod net;
mod process;
mod settings;
mod sockets;
mod status;
mod system;

pub use process::of_directory;

use alloc::sync::Arc;
use alloc::vec::Vec;
use rkt_linux_abi::general::{MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RELATIME};
use rkt_linux_abi::{Errno, Result};
use rkt_vfs::pseudo::{PROC_MAGIC, PseudoFs, SYSFS_MAGIC};
use rkt_vfs::{Credentials, FsContext, Mount, Path, Resolve, ops};

/// Mounts /proc and /sys.
///
/// # Errors
/// What mounting said.
pub fn mount(root: &Path) -> Result<()> {
    attach(root, b"proc", proc()?, "proc")?;
    attach(root, b"sys", sys()?, "sysfs")
}

/// A file system of type proc.
///
/// # Errors
/// `EEXIST` if two files have one name.
pub fn proc() -> Result<Arc<PseudoFs>> {
    let proc = PseudoFs::new("proc", PROC_MAGIC, |device| Some(process::processes(device)));
    process::add_links(&proc);
    system::fill_proc(&proc)?;
    settings::fill(&proc)?;
    ipc::fill(proc.directory())?;
    net::fill(proc.directory())?;
    Ok(proc)
}

/// A file system of type sysfs.
///
/// # Errors
/// As [`proc`].
pub fn sys() -> Result<Arc<PseudoFs>> {
    let sys = PseudoFs::new("sysfs", SYSFS_MAGIC, |_| None);
    system::fill_sys(sys.directory())?;
    Ok(sys)
}

/// Mounts on a directory below the root, which is made if there is none.
fn attach(root: &Path, name: &[u8], fs: Arc<PseudoFs>, source: &str) -> Result<()> {
    let credentials = Arc::new(Credentials::root());
    let context = FsContext { root: root.clone(), cwd: root.clone(), umask: 0, credentials };
    match ops::mkdir(&context, None, name, 0o555) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(error) => return Err(error),
    }
    let at = context.resolve(None, name, Resolve { directory: true, ..Resolve::FOLLOW })?;
    Mount::attach(&at, fs, source, MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RELATIME).map(drop)
}

/// A decimal number as a name in a directory has it: no sign, no leading zero.
fn parse_number(name: &[u8]) -> Result<i32> {
    let text = core::str::from_utf8(name).map_err(|_| Errno::ENOENT)?;
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().map_err(|_| Errno::ENOENT) } else { Err(Errno::ENOENT) }
}

/// A line of text as the content of a file.
fn line(text: impl core::fmt::Display) -> Vec<u8> {
    alloc::format!("{text}\n").into_bytes()
}

/// "0-3", or "0" for one: lists of processors.
fn cpu_list() -> alloc::string::String {
    match rkt_platform::cpus() {
        0 | 1 => alloc::string::String::from("0"),
        n => alloc::format!("0-{}", n - 1),
    }
}
