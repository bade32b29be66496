//! An area: a run of pages mapped alike (the kernel's `vm_area_struct`).

use super::view::{Place, View};
use alloc::sync::Arc;
use rkt_platform::Protection;
use rkt_vfs::OpenFile;

/// What an area shows.
#[derive(Clone)]
pub enum Backing {
    /// Zero pages of its own.
    Anonymous,
    /// A file, aliased.
    File(View),
    /// A private copy of a file's bytes, named in /proc/self/maps.
    Copy {
        /// The file.
        file: Arc<OpenFile>,
        /// Offset in the file of the area's first byte.
        offset: u64,
    },
    /// Anonymous memory that forks share: a nameless file, so that forks and mremap find the same
    /// pages.
    Shared(View),
    /// The platform's own: trampolines.
    Reserved,
}

/// What an area is marked with, beside its rights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// MADV_DONTFORK: children do not get it.
    pub dont_fork: bool,
    /// MADV_WIPEONFORK: children get zeroes.
    pub wipe_on_fork: bool,
    /// MADV_DONTDUMP: no part of a core.
    pub dont_dump: bool,
    /// mlock(2).
    pub locked: bool,
    /// mbind(2); 0 = that of the task.
    pub memory_policy: u32,
    /// MAP_GROWSDOWN: an access below extends it.
    pub grows_down: bool,
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
    /// What it is marked with.
    pub marks: Marks,
}

impl Area {
    /// Length in bytes.
    pub(crate) fn len(&self) -> u64 {
        self.end - self.start
    }

    /// Whether RLIMIT_DATA counts it: private memory that may be written, but for the first stack.
    pub fn is_data(&self) -> bool {
        self.protection.write && !self.shared && self.name != Some("[stack]")
    }

    /// Whether the application may do anything there.
    pub fn is_accessible(&self) -> bool {
        self.protection.read || self.protection.write || self.protection.execute
    }

    /// Whether it is memory of the process's own that no file is behind.
    pub fn is_anonymous(&self) -> bool {
        matches!(self.backing, Backing::Anonymous)
    }

    /// The same at another address.
    pub fn moved_to(self, start: u64) -> Area {
        Area { start, end: start + self.len(), ..self }
    }

    /// Where it lies.
    pub fn place(&self) -> Place {
        Place { start: self.start, end: self.end, protection: self.protection }
    }

    /// Whether this area simply goes on in `next`.
    pub fn continues_in(&self, next: &Area) -> bool {
        self.end == next.start
            && self.protection == next.protection
            && self.shared == next.shared
            && self.marks == next.marks
            && self.name == next.name
            && match (&self.backing, &next.backing) {
                (Backing::Anonymous, Backing::Anonymous) => true,
                (Backing::File(a), Backing::File(b)) | (Backing::Shared(a), Backing::Shared(b)) => {
                    a.continues_in(self.len(), b)
                }
                (Backing::Copy { file: a, offset: x }, Backing::Copy { file: b, offset: y }) => {
                    Arc::ptr_eq(a, b) && x.checked_add(self.len()) == Some(*y)
                }
                _ => false,
            }
    }

    /// One area of this one and the next, in which it continues.
    pub fn join(mut self, next: Area) -> Area {
        self.end = next.end;
        if let (Some(view), Some(more)) = (self.backing.view_mut(), next.backing.into_view()) {
            view.join(more);
        }
        self
    }

    /// The part of the area within `start..end`, which must overlap it.
    pub fn part(&self, start: u64, end: u64) -> Area {
        let (start, end) = (start.max(self.start), end.min(self.end));
        let (skipped, len) = (start - self.start, end - start);
        let backing = match &self.backing {
            Backing::File(view) => Backing::File(view.part(skipped, len)),
            Backing::Shared(view) => Backing::Shared(view.part(skipped, len)),
            Backing::Copy { file, offset } => Backing::Copy { file: file.clone(), offset: offset + skipped },
            other => other.clone(),
        };
        Area { start, end, backing, ..*self }
    }

    /// The file that /proc/self/maps names, and the offset of the area's first byte in it.
    pub fn file(&self) -> Option<(&Arc<OpenFile>, u64)> {
        match &self.backing {
            Backing::File(view) => Some((&view.file, view.offset)),
            Backing::Copy { file, offset } => Some((file, *offset)),
            _ => None,
        }
    }
}

impl Backing {
    /// What of which file is shown, unless it is a copy.
    pub fn view(&self) -> Option<&View> {
        match self {
            Self::File(view) | Self::Shared(view) => Some(view),
            _ => None,
        }
    }

    /// The same, to be changed.
    pub fn view_mut(&mut self) -> Option<&mut View> {
        match self {
            Self::File(view) | Self::Shared(view) => Some(view),
            _ => None,
        }
    }

    fn into_view(self) -> Option<View> {
        match self {
            Self::File(view) | Self::Shared(view) => Some(view),
            _ => None,
        }
    }
}
