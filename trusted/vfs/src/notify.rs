//! What inotify(7) reports, said where it happens.

use crate::attr::FileType;
use crate::dentry::Dentry;
use crate::inode::Inode;
use crate::inotify::{Happened, active, emit, end_watches};
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
    let unlinked = dentry.is_deleted();
    if let Some(parent) = dentry.parent() {
        emit(parent.inode(), Happened { mask, unlinked, ..Happened::default() }, &dentry.name());
    }
    emit(dentry.inode(), Happened { mask, unlinked, ..Happened::default() }, b"");
}

/// Something happened to an inode, whatever its names.
fn to_inode(inode: &Arc<dyn Inode>, mask: u32) {
    emit(inode, Happened { mask, ..Happened::default() }, b"");
}

/// Something happened to a name in a directory.
fn in_directory(dir: &Path, mask: u32, cookie: u32, name: &[u8]) {
    emit(dir.inode(), Happened { mask, cookie, unlinked: false }, name);
}

pub(crate) fn created(dir: &Path, name: &[u8], directory: bool) {
    in_directory(dir, IN_CREATE | if directory { IN_ISDIR } else { 0 }, 0, name);
}

pub(crate) fn linked(dir: &Path, name: &[u8], inode: &Arc<dyn Inode>) {
    to_inode(inode, IN_ATTRIB);
    created(dir, name, false);
}

/// Linux tells of the end of an inode before the directory hears of the name.
pub(crate) fn removed(dir: &Path, name: &[u8], victim: Arc<Dentry>) {
    lost_name(&victim);
    let mask = IN_DELETE | directory_bit(&victim);
    drop(victim);
    in_directory(dir, mask, 0, name);
}

fn lost_name(victim: &Arc<Dentry>) {
    if victim.inode().kind() != FileType::Directory {
        to_inode(victim.inode(), IN_ATTRIB);
    }
}

/// Nobody holds a removed name any more; if it was the inode's last one, the inode goes.
pub(crate) fn forgotten(inode: &Arc<dyn Inode>) {
    if active() && inode.metadata().nlink == 0 {
        to_inode(inode, IN_DELETE_SELF);
        end_watches(inode);
    }
}

/// `replaced` had the new name before.
pub(crate) fn moved(from: (&Path, &[u8]), to: (&Path, &[u8]), what: &Arc<Dentry>, replaced: Option<&Arc<Dentry>>) {
    static COOKIE: AtomicU32 = AtomicU32::new(0);
    if !active() {
        return;
    }
    let cookie = COOKIE.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
    let directory = directory_bit(what);
    in_directory(from.0, IN_MOVED_FROM | directory, cookie, from.1);
    in_directory(to.0, IN_MOVED_TO | directory, cookie, to.1);
    if let Some(replaced) = replaced {
        lost_name(replaced);
    }
    to_inode(what.inode(), IN_MOVE_SELF);
}

/// utimensat(2): a time that is set alone looks like what usually changes it.
pub(crate) fn times(at: &Path, atime: bool, mtime: bool) {
    match (atime, mtime) {
        (true, false) => accessed(at),
        (false, true) => modified(at),
        _ => attributes(at),
    }
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
