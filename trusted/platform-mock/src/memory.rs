//! User memory: mappings and their content, with the results that Linux gives.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use rkt_platform::{MapError, Protection, USER_END};

pub(crate) const PAGE: u64 = rkt_heap::PAGE as u64;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Backing {
    /// Pages of this space, zero until written.
    Private,
    /// Memory of the trusted region; the address of the area's first byte.
    Folio(usize),
}

#[derive(Clone, Copy)]
struct Area {
    end: u64,
    prot: Protection,
    backing: Backing,
}

impl Area {
    /// The part of the area (which starts at `start`) from `at` on.
    fn tail(self, start: u64, at: u64) -> Self {
        let backing = match self.backing {
            Backing::Folio(addr) => Backing::Folio(addr + (at - start) as usize),
            Backing::Private => Backing::Private,
        };
        Self { backing, ..self }
    }
}

/// One address space. Cloning it is what fork does.
#[derive(Clone, Default)]
pub(crate) struct Memory {
    areas: BTreeMap<u64, Area>,
    pages: BTreeMap<u64, Box<[u8; PAGE as usize]>>,
}

/// Panics unless the range may be named in a mapping call; gives its end.
fn check(addr: u64, len: u64) -> u64 {
    assert!(addr.is_multiple_of(PAGE) && len.is_multiple_of(PAGE), "unaligned mapping {addr:#x}+{len:#x}");
    let end = addr.checked_add(len).filter(|&end| end <= USER_END);
    assert!(len > 0 && end.is_some(), "mapping {addr:#x}+{len:#x} is empty or not the user's");
    end.unwrap_or(addr)
}

impl Memory {
    fn split(&mut self, at: u64) {
        if let Some((&start, area)) = self.areas.range_mut(..at).next_back()
            && area.end > at
        {
            let tail = area.tail(start, at);
            area.end = at;
            self.areas.insert(at, tail);
        }
    }

    /// Whether every page of the range is mapped.
    fn covers(&self, addr: u64, end: u64) -> bool {
        let mut at = addr;
        while at < end {
            match self.areas.range(..=at).next_back() {
                Some((_, area)) if area.end > at => at = area.end,
                _ => return false,
            }
        }
        true
    }

    fn clear(&mut self, addr: u64, end: u64) {
        let keys: Vec<u64> = self.pages.range(addr..end).map(|(&at, _)| at).collect();
        for key in keys {
            self.pages.remove(&key);
        }
    }

    fn remove(&mut self, addr: u64, end: u64) -> Vec<(u64, Area)> {
        self.split(addr);
        self.split(end);
        let areas: Vec<(u64, Area)> = self.areas.range(addr..end).map(|(&at, &area)| (at, area)).collect();
        for (at, _) in &areas {
            self.areas.remove(at);
        }
        areas
    }

    pub(crate) fn unmap(&mut self, addr: u64, len: u64) {
        let end = check(addr, len);
        self.remove(addr, end);
        self.clear(addr, end);
    }

    pub(crate) fn map_anon(&mut self, addr: u64, len: u64, prot: Protection) {
        self.unmap(addr, len);
        self.areas.insert(addr, Area { end: addr + len, prot, backing: Backing::Private });
    }

    pub(crate) fn map_folio(&mut self, addr: u64, folio: usize, len: u64, prot: Protection) {
        assert!(folio.is_multiple_of(PAGE as usize), "folio {folio:#x} is not page-aligned");
        self.unmap(addr, len);
        self.areas.insert(addr, Area { end: addr + len, prot, backing: Backing::Folio(folio) });
    }

    /// mprotect(2): `ENOMEM` at the first hole, with the pages before it changed.
    pub(crate) fn protect(&mut self, addr: u64, len: u64, prot: Protection) -> Result<(), MapError> {
        let end = check(addr, len);
        let mut at = addr;
        for (start, area) in self.remove(addr, end) {
            let reached = start == at;
            at = if reached { area.end } else { at };
            self.areas.insert(start, Area { prot: if reached { prot } else { area.prot }, ..area });
        }
        if at == end { Ok(()) } else { Err(MapError::NoMemory) }
    }

    /// madvise(2) with `MADV_DONTNEED`: `ENOMEM` if there are holes, after all the rest was done.
    pub(crate) fn discard(&mut self, addr: u64, len: u64) -> Result<(), MapError> {
        let end = check(addr, len);
        self.clear(addr, end);
        if self.covers(addr, end) { Ok(()) } else { Err(MapError::NoMemory) }
    }

    /// mremap(2) with `MREMAP_MAYMOVE | MREMAP_FIXED`.
    pub(crate) fn relocate(&mut self, addr: u64, old: u64, new: u64, to: u64) {
        let (end, to_end) = (check(addr, old), check(to, new));
        assert!(end <= to || to_end <= addr, "mremap over itself: EINVAL");
        let kept = old.min(new);
        let areas = self.remove(addr, end);
        let Some(&(first, area)) = areas.first() else { panic!("mremap of nothing: EFAULT") };
        let mut at = addr;
        for &(start, part) in &areas {
            let one = start == at && part.prot == area.prot && part.backing == area.tail(first, start).backing;
            assert!(one, "mremap over several mappings: EFAULT");
            at = part.end;
        }
        assert!(at == end, "mremap over a hole: EFAULT");
        let mut pages = self.pages.split_off(&addr);
        self.pages.append(&mut pages.split_off(&end));
        pages.split_off(&(addr + kept));
        self.unmap(to, new);
        self.areas.insert(to, Area { end: to_end, ..area });
        self.pages.extend(pages.into_iter().map(|(at, page)| (at - addr + to, page)));
    }

    /// Lets `f` at each piece of the range that may be accessed, in order, up to the first that
    /// may not; gives the bytes not reached. On x86-64 every mapped page but `PROT_NONE` can be
    /// read.
    pub(crate) fn access(&mut self, addr: u64, len: usize, write: bool, mut f: impl FnMut(*mut u8, usize)) -> usize {
        let Some(end) = addr.checked_add(len as u64).filter(|&end| end <= USER_END) else { return len };
        let mut at = addr;
        while at < end {
            let Some((&start, area)) = self.areas.range(..=at).next_back().filter(|(_, area)| area.end > at) else {
                break;
            };
            let Protection { read, write: writable, execute } = area.prot;
            if !(writable || (!write && (read || execute))) {
                break;
            }
            let page = at & !(PAGE - 1);
            let n = (page + PAGE).min(end) - at;
            let piece = match area.backing {
                Backing::Folio(folio) => (folio + (at - start) as usize) as *mut u8,
                Backing::Private => {
                    let bytes = self.pages.entry(page).or_insert_with(|| Box::new([0; PAGE as usize]));
                    bytes.as_mut_ptr().wrapping_add((at - page) as usize)
                }
            };
            f(piece, n as usize);
            at += n;
        }
        (end - at) as usize
    }
}
