//! Sites of system calls that a trap has proven, by the file that they lie in: the next program that
//! maps the file has them all rewritten at its first trap there (DESIGN §5).

use super::map::PAGE;
use super::space::Mm;
use crate::task;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};
use hashbrown::HashMap;
use rkt_sync::Mutex;
use rkt_vfs::{Metadata, OpenFile};

/// Files that are remembered, and sites of each.
const MAX_FILES: usize = 512;
const MAX_SITES: usize = 1024;

/// A file with a content: a change of the content changes the time of change.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Content {
    dev: u64,
    ino: u64,
    size: u64,
    changed: i64,
}

/// Sites proven so far, in all files.
static COUNT: AtomicU64 = AtomicU64::new(0);

/// Offsets of what stands behind each `syscall`, in order.
static PROVEN: Mutex<Option<HashMap<Content, Vec<u64>>>> = Mutex::new(None);

impl Content {
    fn of(file: &OpenFile) -> Self {
        let Metadata { dev, ino, size, ctime, .. } = file.inode().metadata();
        Self { dev, ino, size, changed: ctime.0 }
    }
}

/// The platform's upcall: the instruction before `after` is a `syscall`. Fills `others` with the
/// addresses behind the other sites in the same mapping that are known, and gives their number.
pub fn prove(after: u64, others: &mut [u64]) -> usize {
    let mm = task::current().process.mm();
    let inner = mm.lock_to_look();
    let Some(area) = inner.find(after) else { return 0 };
    let Some((file, offset)) = area.file() else { return 0 };
    if area.shared || !offset.is_multiple_of(PAGE) {
        return 0;
    }
    let (start, end) = (area.start, area.end);
    let content = Content::of(file);
    let mut proven = PROVEN.lock();
    let proven = proven.get_or_insert_default();
    if proven.len() >= MAX_FILES && !proven.contains_key(&content) {
        proven.clear();
    }
    let sites = proven.entry(content).or_default();
    let at = after - start + offset;
    if let Err(place) = sites.binary_search(&at)
        && sites.len() < MAX_SITES
    {
        sites.insert(place, at);
        COUNT.fetch_add(1, Ordering::Relaxed);
    }
    // What is hidden is left to its own trap: to read it would fault.
    let is_shown = |&&site: &&u64| area.backing.view().is_none_or(|view| view.is_shown(site.saturating_sub(2)));
    let mapped = sites
        .iter()
        .filter(is_shown)
        .filter_map(|&site| site.checked_sub(offset)?.checked_add(start))
        .filter(|&site| site < end);
    let mut count = 0;
    for (into, site) in others.iter_mut().zip(mapped.filter(|&site| site != after)) {
        *into = site;
        count += 1;
    }
    count
}

/// Has those sites rewritten in the running memory that were proven elsewhere since this was last called:
/// before a fork, so that not every child traps again where the first one did.
pub fn rewrite_known(mm: &Mm) {
    let count = COUNT.load(Ordering::Relaxed);
    if mm.sites_known.swap(count, Ordering::Relaxed) != count {
        known(mm).into_iter().for_each(rkt_platform::rewrite);
    }
}

/// Addresses behind the proven sites that are mapped for execution, rewritten or not.
fn known(mm: &Mm) -> Vec<u64> {
    let inner = mm.lock_to_look();
    let proven = PROVEN.lock();
    let Some(proven) = &*proven else { return Vec::new() };
    let text = inner.iter().filter(|area| area.protection.execute && !area.shared);
    let sites = text.flat_map(|area| {
        let (file, offset) = area.file().map_or((None, 0), |(file, offset)| (Some(file), offset));
        let sites = file.and_then(|file| proven.get(&Content::of(file))).map(Vec::as_slice).unwrap_or_default();
        let place = move |site: u64| site.checked_sub(offset)?.checked_add(area.start).filter(|&at| at < area.end);
        sites.iter().filter_map(move |&site| place(site))
    });
    sites.collect()
}
