//! renameat2(2).

use crate::attr::FileType;
use crate::cred::MAY_WRITE;
use crate::dentry::Dentry;
use crate::inode::NewInode;
use crate::mount::Path;
use crate::notify;
use crate::ops::{WHITEOUT, may_create, may_delete, new_inode};
use crate::walk::{FsContext, Last};
use alloc::sync::Arc;
use rkt_linux_abi::general::{RENAME_EXCHANGE, RENAME_NOREPLACE, RENAME_WHITEOUT, S_IFCHR};
use rkt_linux_abi::{Errno, Result};
use rkt_sched::{ParkGuard, ParkLock};

/// Held while a name moves between directories: nothing else changes who is above whom.
static ANCESTRY: ParkLock = ParkLock::new();

/// A place that a path names, relative to `base` or the working directory.
pub type At<'a> = (Option<&'a Path>, &'a [u8]);

/// Checks the flags of renameat2(2), which comes before everything else.
///
/// # Errors
/// `EINVAL`.
pub fn check_flags(flags: u32) -> Result<()> {
    let known = flags & !(RENAME_EXCHANGE | RENAME_NOREPLACE | RENAME_WHITEOUT) == 0;
    let alone = flags & RENAME_EXCHANGE == 0 || flags == RENAME_EXCHANGE;
    if known && alone { Ok(()) } else { Err(Errno::EINVAL) }
}

/// renameat2(2).
///
/// # Errors
/// As rename(2): `EXDEV` between mounts, `EINVAL` into its own subtree, `EBUSY` for ".", ".." and
/// mount points, `ENOTEMPTY`, `EISDIR`, `ENOTDIR`; `EINVAL` as [`check_flags`].
pub fn rename(context: &FsContext, from: At<'_>, to: At<'_>, flags: u32) -> Result<()> {
    check_flags(flags)?;
    let exchange = flags & RENAME_EXCHANGE != 0;
    let keep = flags & RENAME_NOREPLACE != 0;
    let old = context.resolve_parent(from.0, from.1, 0)?;
    let new = context.resolve_parent(to.0, to.1, 0)?;
    if !Arc::ptr_eq(&old.dir.mount, &new.dir.mount) {
        return Err(Errno::EXDEV);
    }
    let Last::Name(old_name) = &old.last else { return Err(Errno::EBUSY) };
    let Last::Name(new_name) = &new.last else { return Err(if keep { Errno::EEXIST } else { Errno::EBUSY }) };
    old.dir.mount.check_writable()?;

    let guards = lock_both(&old.dir.dentry, &new.dir.dentry)?;
    let source = old.dir.dentry.lookup_locked(old_name)?;
    let target = match new.dir.dentry.lookup_locked(new_name) {
        Ok(_) if keep => return Err(Errno::EEXIST),
        Ok(found) => Some(found),
        Err(Errno::ENOENT) if exchange => return Err(Errno::ENOENT),
        Err(Errno::ENOENT) => None,
        Err(error) => return Err(error),
    };
    let source_is_dir = source.inode().kind() == FileType::Directory;
    if !source_is_dir && (old.slash || (!exchange && new.slash)) {
        return Err(Errno::ENOTDIR);
    }
    if exchange && new.slash && target.as_ref().is_some_and(|target| target.inode().kind() != FileType::Directory) {
        return Err(Errno::ENOTDIR);
    }
    if new.dir.dentry.is_within(&source) {
        return Err(Errno::EINVAL);
    }
    if let Some(target) = &target
        && old.dir.dentry.is_within(target)
    {
        return Err(if exchange { Errno::EINVAL } else { Errno::ENOTEMPTY });
    }
    // Two names of one inode: nothing to do (rename(2)).
    if target.as_ref().is_some_and(|target| Arc::ptr_eq(target.inode(), source.inode())) {
        return Ok(());
    }
    check(context, &old.dir, &source, &new.dir, target.as_ref(), exchange)?;
    old.dir.inode().rename(old_name, new.dir.inode(), new_name, exchange)?;
    match &target {
        Some(target) if exchange => source.exchange(target)?,
        _ => {
            if let Some(target) = &target {
                new.dir.dentry.remove(target)?;
            }
            source.move_to(&new.dir.dentry, new_name)?;
        }
    }
    if flags & RENAME_WHITEOUT != 0 {
        let whiteout = NewInode { rdev: WHITEOUT, ..new_inode(context, &old.dir, S_IFCHR) };
        let inode = old.dir.inode().create(old_name, &whiteout)?;
        old.dir.dentry.add(old_name, inode)?;
    }
    drop(guards);
    let replaced = target.as_ref().filter(|_| !exchange);
    notify::moved((&old.dir, old_name), (&new.dir, new_name), &source, replaced);
    if let Some(target) = target.as_ref().filter(|_| exchange) {
        notify::moved((&new.dir, new_name), (&old.dir, old_name), target, None);
    }
    Ok(())
}

fn check(
    context: &FsContext,
    old_dir: &Path,
    source: &Arc<Dentry>,
    new_dir: &Path,
    target: Option<&Arc<Dentry>>,
    exchange: bool,
) -> Result<()> {
    let is_dir = |dentry: &Arc<Dentry>| dentry.inode().kind() == FileType::Directory;
    may_delete(context, old_dir, source, is_dir(source))?;
    match target {
        None => may_create(context, new_dir)?,
        Some(target) => may_delete(context, new_dir, target, if exchange { is_dir(target) } else { is_dir(source) })?,
    }
    // A directory that changes its parent is itself written to: its ".." changes.
    if !Arc::ptr_eq(&old_dir.dentry, &new_dir.dentry) {
        let moved = [Some(source), target.filter(|_| exchange)];
        for dentry in moved.into_iter().flatten().filter(|dentry| is_dir(dentry)) {
            context.credentials.check(&dentry.inode().access(), MAY_WRITE)?;
        }
    }
    let busy = |dir: &Path, dentry: &Arc<Dentry>| dir.with(dentry.clone()).is_busy();
    if busy(old_dir, source) || target.is_some_and(|target| busy(new_dir, target)) {
        return Err(Errno::EBUSY);
    }
    Ok(())
}

/// Locks two directories, the upper one first, and if there are two the ancestry.
fn lock_both<'a>(
    old: &'a Arc<Dentry>,
    new: &'a Arc<Dentry>,
) -> Result<(Option<ParkGuard<'static>>, ParkGuard<'a>, Option<ParkGuard<'a>>)> {
    if Arc::ptr_eq(old, new) {
        return Ok((None, old.lock()?, None));
    }
    let ancestry = ANCESTRY.lock();
    let (first, second) = if old.is_within(new) { (new, old) } else { (old, new) };
    Ok((Some(ancestry), first.lock()?, Some(second.lock()?)))
}
