//! /proc/PID/fd and /proc/PID/fdinfo.

use super::parse_number;
use super::process::Subject;
use crate::pidfd::PidFd;
use alloc::boxed::Box;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use rkt_linux_abi::general::O_CLOEXEC;
use rkt_linux_abi::{Errno, Result};
use rkt_vfs::pseudo::{DynamicDir, DynamicEntry, PseudoFile, PseudoLink};
use rkt_vfs::{FileType, Inode, LinkTarget, OpenFile};

/// Inode numbers of descriptors within a process's: above all other entries, links and infos
/// each in a range of their own.
const LINKS: u64 = 1 << 20;
const INFOS: u64 = 1 << 21;

/// What lstat(2) tells as the length of a link.
const LINK_SIZE: u64 = 64;

struct Descriptors {
    of: Subject,
    infos: bool,
}

/// /proc/PID/fd.
pub(super) fn links(of: &Subject) -> Box<dyn DynamicDir> {
    Box::new(Descriptors { of: of.clone(), infos: false })
}

/// /proc/PID/fdinfo.
pub(super) fn infos(of: &Subject) -> Box<dyn DynamicDir> {
    Box::new(Descriptors { of: of.clone(), infos: true })
}

fn file(of: &Subject, fd: i32) -> Result<Arc<OpenFile>> {
    of.inspected()?.file(fd).map_err(|_| Errno::ENOENT)
}

/// Permissions of the link: what the descriptor is open for (proc_pid_fd(5)).
fn permissions(file: &OpenFile) -> u32 {
    let read = if file.readable() { 0o500 } else { 0 };
    let write = if file.writable() { 0o300 } else { 0 };
    read | write
}

/// proc_pid_fdinfo(5).
fn info(of: &Subject, fd: i32) -> Result<Vec<u8>> {
    let file = file(of, fd)?;
    let close_on_exec = of.process()?.files().close_on_exec(fd)?;
    let flags = file.flags() | if close_on_exec { O_CLOEXEC } else { 0 };
    let (position, mount, ino) = (file.position(), file.path().mount.id(), file.metadata().ino);
    let mut text = format!("pos:\t{position}\nflags:\t0{flags:o}\nmnt_id:\t{mount}\nino:\t{ino}\n");
    if let Some(pidfd) = file.ops_as::<PidFd>() {
        let pid = pidfd.shown();
        text += &format!("Pid:\t{pid}\nNSpid:\t{pid}\n");
    }
    Ok(text.into_bytes())
}

impl Descriptors {
    fn place(&self, fd: i32) -> u64 {
        fd as u64 + if self.infos { INFOS } else { LINKS }
    }
}

impl DynamicDir for Descriptors {
    fn lookup(&self, name: &[u8]) -> Result<Arc<dyn Inode>> {
        let fd = parse_number(name)?;
        let found = file(&self.of, fd)?;
        let of = self.of.clone();
        if self.infos {
            let identity = of.identity(self.place(fd), 0o444);
            return Ok(PseudoFile::new(identity, Box::new(move || info(&of, fd))));
        }
        let identity = of.identity(self.place(fd), permissions(&found)).sized(LINK_SIZE);
        Ok(PseudoLink::new(identity, Box::new(move || Ok(LinkTarget::Jump(file(&of, fd)?.path().clone())))))
    }

    fn list(&self, position: u64) -> Vec<DynamicEntry> {
        let Ok(process) = self.of.inspected() else { return Vec::new() };
        let numbers = process.files().numbers();
        let listed = numbers.into_iter().filter(|&fd| fd as u64 >= position);
        let kind = if self.infos { FileType::Regular } else { FileType::Symlink };
        let show = |fd| DynamicEntry {
            name: format!("{fd}").into_bytes(),
            kind,
            ino: self.of.number(self.place(fd)),
            position: fd as u64,
        };
        listed.map(show).collect()
    }
}
