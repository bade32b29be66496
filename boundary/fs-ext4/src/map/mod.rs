//! Where the blocks of a file are.

mod indirect;
mod insert;
mod node;
mod recent;
mod remove;

pub(crate) use recent::{Lists, Nothing, Recent};

use crate::core::{Core, Run};
use crate::error::Result;
use crate::fs::Ext4;
use lock_api::RawMutex;
use rkt_ext4_format::inode::Flags;

/// What is behind a range of blocks of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing: reads as zeroes.
    Hole,
    /// Data, from this block of the disk on.
    Written(u64),
    /// Blocks from this one on, which read as zeroes until they are written.
    Unwritten(u64),
}

/// A range of blocks of a file with one [`State`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// First block of the file.
    pub logical: u32,
    /// Blocks, at least 1.
    pub len: u32,
    /// What is there.
    pub state: State,
}

impl Mapping {
    /// The part from `logical` on, which must lie in it, of at most `len` blocks.
    fn part(self, logical: u32, len: u32) -> Self {
        let skipped = logical - self.logical;
        let state = match self.state {
            State::Hole => State::Hole,
            State::Written(start) => State::Written(start + u64::from(skipped)),
            State::Unwritten(start) => State::Unwritten(start + u64::from(skipped)),
        };
        Self { logical, len: (self.len - skipped).min(len), state }
    }

    /// Its blocks on the disk, if there are any.
    pub(crate) fn run(&self) -> Option<Run> {
        match self.state {
            State::Hole => None,
            State::Written(start) | State::Unwritten(start) => Some(Run { start, len: self.len }),
        }
    }
}

impl Core {
    /// What is behind `logical` and, if more of it is alike, up to `len` blocks.
    pub fn map(&mut self, ino: u32, logical: u32, len: u32) -> Result<Mapping> {
        let flags = self.inode(ino)?.flags;
        let found = if flags.contains(Flags::INLINE_DATA) {
            Mapping { logical, len, state: State::Hole }
        } else if flags.contains(Flags::EXTENTS) {
            self.map_extents(ino, logical)?
        } else {
            self.map_indirect(ino, logical)?
        };
        Ok(found.part(logical, len.max(1)))
    }
}

impl<L: RawMutex> Ext4<L> {
    /// What is behind `logical` and up to `len` blocks of a file, as far as it is alike. Takes no
    /// lock that others hold for long where that was asked lately.
    ///
    /// # Errors
    /// If the disk fails or is damaged.
    pub fn map(&self, ino: u32, logical: u32, len: u32) -> Result<Mapping> {
        match self.recent.find(ino, logical) {
            Some(found) => Ok(node::mapping(&found).part(logical, len.max(1))),
            None => self.look(|core| core.map(ino, logical, len)),
        }
    }
}
