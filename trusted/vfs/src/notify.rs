//! What inotify(7) reports, said where it happens.

use crate::attr::FileType;
use crate::dentry::Dentry;
use crate::inotify::{active, emit, end_watches};
use crate::mount::Path;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, Ordering};
use rkt_linux_abi::general::{
    IN_ACCESS, IN_ATTRIB, IN_CLOSE_NOWRITE, IN_CLOSE_WRITE, IN_CREATE, IN_DELETE, IN_DELETE_SELF, IN_ISDIR, IN_MODIFY,
    IN_MOVE_SELF, IN_MOVED_FROM, IN_MOVED_TO, IN_OPEN,
};

fn directory_bit(dentry: &Dentry) -> u32 {
    if dentry.inode().kind() == FileType::Directory { IN_ISDIR } else { 0 }
}

/// Something happened to an inode: its own watchers and those of its directory are told.
#[inline]
fn happened(at: &Path, event: u32) {
    if active() {
        tell(&at.dentry, event);
    }
}

#[cold]
fn tell(dentry: &Dentry, event: u32) {
    let mask = event | directory_bit(dentry);
    if let Some(parent) = dentry.parent() {
        emit(parent.inode(), mask, 0, &dentry.name());
    }
    emit(dentry.inode(), mask, 0, b"");
}

pub(crate) fn created(dir: &Path, name: &[u8], directory: bool) {
    emit(dir.inode(), IN_CREATE | if directory { IN_ISDIR } else { 0 }, 0, name);
}

pub(crate) fn removed(dir: &Path, name: &[u8], victim: &Arc<Dentry>) {
    emit(dir.inode(), IN_DELETE | directory_bit(victim), 0, name);
    gone(victim);
}

/// A name was removed; with its last one the inode goes.
pub(crate) fn gone(victim: &Arc<Dentry>) {
    if !active() {
        return;
    }
    let inode = victim.inode();
    if inode.kind() != FileType::Directory {
        emit(inode, IN_ATTRIB, 0, b"");
    }
    if inode.metadata().nlink == 0 {
        emit(inode, IN_DELETE_SELF, 0, b"");
        end_watches(inode);
    }
}

pub(crate) fn moved(from: (&Path, &[u8]), to: (&Path, &[u8]), what: &Arc<Dentry>) {
    static COOKIE: AtomicU32 = AtomicU32::new(0);
    if !active() {
        return;
    }
    let cookie = COOKIE.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
    let directory = directory_bit(what);
    emit(from.0.inode(), IN_MOVED_FROM | directory, cookie, from.1);
    emit(to.0.inode(), IN_MOVED_TO | directory, cookie, to.1);
    emit(what.inode(), IN_MOVE_SELF, 0, b"");
}

pub(crate) fn attributes(at: &Path) {
    happened(at, IN_ATTRIB);
}

pub(crate) fn modified(at: &Path) {
    happened(at, IN_MODIFY);
}

pub(crate) fn accessed(at: &Path) {
    happened(at, IN_ACCESS);
}

pub(crate) fn opened(at: &Path) {
    happened(at, IN_OPEN);
}

pub(crate) fn closed(at: &Path, written: bool) {
    happened(at, if written { IN_CLOSE_WRITE } else { IN_CLOSE_NOWRITE });
}
