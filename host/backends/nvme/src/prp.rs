//! PRP entries (base §4.1.1): where a command's data lies in the window. All of it is the driver's word.

use crate::transfer::Parts;
use rkt_nvme::{Command, PAGE_LEN, Status};
use rkt_window::{Region, Window};
use smallvec::SmallVec;

/// The region of one entry's page, from its offset on, `len` bytes of it at most.
fn part(window: &Window, entry: u64, len: usize) -> Result<Region, Status> {
    let at = usize::try_from(entry).map_err(|_| Status::DATA_TRANSFER)?;
    let in_page = PAGE_LEN - at % PAGE_LEN;
    window.sub(at, len.min(in_page)).map_err(|_| Status::DATA_TRANSFER)
}

/// A list of parts that is being made.
trait Sink {
    fn add(&mut self, part: Region);
}

impl Sink for Parts {
    fn add(&mut self, part: Region) {
        self.push(part);
    }
}

impl Sink for SmallVec<[Region; 2]> {
    fn add(&mut self, part: Region) {
        self.push(part);
    }
}

/// The parts of the window that hold `len` bytes of a command's data, from 1, for a transfer.
///
/// # Errors
/// An entry that does not lie in the window, or whose offset is not allowed.
pub(crate) fn parts(window: &Window, command: &Command, len: usize) -> Result<Parts, Status> {
    walk(window, command, len)
}

/// The same for access by this process.
///
/// # Errors
/// As [`parts`].
pub(crate) fn regions(window: &Window, command: &Command, len: usize) -> Result<SmallVec<[Region; 2]>, Status> {
    walk(window, command, len)
}

fn walk<S: Sink + Default>(window: &Window, command: &Command, len: usize) -> Result<S, Status> {
    let mut parts = S::default();
    let first = command.prp1.get();
    // Offsets are multiples of four.
    if !first.is_multiple_of(4) {
        return Err(Status::INVALID_PRP_OFFSET);
    }
    let region = part(window, first, len)?;
    let rest = len - region.len();
    parts.add(region);
    match rest {
        0 => Ok(parts),
        1..=PAGE_LEN => page(window, command.prp2.get(), rest, &mut parts).map(|_| parts),
        _ => list(window, command.prp2.get(), rest, &mut parts).map(|()| parts),
    }
}

/// Adds the page of an entry that is not the first, and returns how many bytes it holds.
fn page(window: &Window, entry: u64, len: usize, parts: &mut impl Sink) -> Result<usize, Status> {
    if !entry.is_multiple_of(PAGE_LEN as u64) {
        return Err(Status::INVALID_PRP_OFFSET);
    }
    let region = part(window, entry, len)?;
    parts.add(region);
    Ok(region.len())
}

/// Adds the pages of a list. Its last place in a page leads to the next list if pages are left; each list
/// adds one page at least, so this ends.
fn list(window: &Window, mut at: u64, mut rest: usize, parts: &mut impl Sink) -> Result<(), Status> {
    while rest > 0 {
        if !at.is_multiple_of(8) {
            return Err(Status::INVALID_PRP_OFFSET);
        }
        let wanted = rest.div_ceil(PAGE_LEN);
        let mut bytes = [0; PAGE_LEN];
        let region = part(window, at, wanted * 8)?;
        let bytes = bytes.get_mut(..region.len()).ok_or(Status::INTERNAL)?;
        // Read once: what the driver changes afterwards does not count.
        region.read(0, bytes).map_err(|_| Status::DATA_TRANSFER)?;
        let mut entries = bytes.chunks_exact(8).map(|entry| u64::from_le_bytes(entry.try_into().unwrap_or_default()));
        let here = bytes.len() / 8;
        let pages = if here < wanted { here - 1 } else { here };
        for entry in entries.by_ref().take(pages) {
            rest -= page(window, entry, rest, parts)?;
        }
        match entries.next() {
            Some(next) if pages > 0 => at = next,
            None => {}
            // A list whose only place leads on would never end.
            Some(_) => return Err(Status::INVALID_PRP_OFFSET),
        }
    }
    Ok(())
}
