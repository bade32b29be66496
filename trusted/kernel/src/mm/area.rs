//! An area: a run of pages mapped alike (the kernel's `vm_area_struct`).

use alloc::sync::Arc;
use rkt_heap::Folio;
use rkt_platform::Protection;
use rkt_vfs::{Mappable, OpenFile};
use smallvec::SmallVec;

/// What an area shows.
#[derive(Clone)]
pub enum Backing {
    /// Zero pages of its own.
    Anonymous,
    /// A file, aliased. The folios stay alive as long as some area shows them.
    File {
        /// The open file, for /proc/self/maps and for growth.
        file: Arc<OpenFile>,
        /// What is mapped.
        object: Arc<dyn Mappable>,
        /// Offset in the file of the area's first byte.
        offset: u64,
        /// The folios under the area.
        folios: SmallVec<[Arc<Folio>; 2]>,
        /// MAP_SHARED and opened for writing: stores reach the file.
        writable: bool,
    },
    /// A private copy of a file's bytes, named in /proc/self/maps.
    Copy {
        /// The file.
        file: Arc<OpenFile>,
        /// Offset in the file of the area's first byte.
        offset: u64,
    },
    /// Anonymous memory that forks share.
    Shared {
        /// The folios, in order; each as long as its pages.
        folios: SmallVec<[Arc<Folio>; 2]>,
        /// Offset in the shared object of the area's first byte.
        offset: u64,
        /// The object: a nameless file, so that forks and mremap find the same pages.
        object: Arc<dyn Mappable>,
    },
    /// The platform's own: trampolines.
    Reserved,
}

/// A run of pages mapped alike.
#[derive(Clone)]
pub struct Area {
    /// First address.
    pub start: u64,
    /// Behind the last address.
    pub end: u64,
    /// What the application may do.
    pub protection: Protection,
    /// What the area shows.
    pub backing: Backing,
    /// Shown in brackets in /proc/self/maps: heap, stack.
    pub name: Option<&'static str>,
    /// MAP_SHARED.
    pub shared: bool,
    /// MADV_DONTFORK.
    pub dont_fork: bool,
}

impl Area {
    /// Length in bytes.
    pub fn len(&self) -> u64 {
        self.end - self.start
    }

    /// Whether this area simply goes on in `next`.
    pub fn continues_in(&self, next: &Area) -> bool {
        self.end == next.start
            && self.protection == next.protection
            && self.shared == next.shared
            && self.dont_fork == next.dont_fork
            && self.name == next.name
            && matches!((&self.backing, &next.backing), (Backing::Anonymous, Backing::Anonymous))
    }

    /// The part of the area within `start..end`, which must overlap it.
    pub fn part(&self, start: u64, end: u64) -> Area {
        let (start, end) = (start.max(self.start), end.min(self.end));
        let skipped = start - self.start;
        let mut part = Area { start, end, ..self.clone() };
        match &mut part.backing {
            Backing::File { offset, .. } | Backing::Copy { offset, .. } | Backing::Shared { offset, .. } => {
                *offset += skipped;
            }
            Backing::Anonymous | Backing::Reserved => {}
        }
        part
    }

    /// The file that /proc/self/maps names, and the offset of the area's first byte in it.
    pub fn file(&self) -> Option<(&Arc<OpenFile>, u64)> {
        match &self.backing {
            Backing::File { file, offset, .. } | Backing::Copy { file, offset } => Some((file, *offset)),
            _ => None,
        }
    }
}
