//! The names in a tmpfs directory.

use super::inode::TmpInode;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use hashbrown::HashMap;

type Name = Arc<[u8]>;

/// Names by hash for lookups, and by order of arrival for listings: a position stays valid
/// whatever is added and removed (readdir(3)).
#[derive(Default)]
pub struct Names {
    by_name: HashMap<Name, (u64, Arc<TmpInode>)>,
    by_position: BTreeMap<u64, Name>,
    last: u64,
}

impl Names {
    pub fn get(&self, name: &[u8]) -> Option<&Arc<TmpInode>> {
        self.by_name.get(name).map(|(_, inode)| inode)
    }

    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Adds a name, or gives the inode that a name had.
    pub fn insert(&mut self, name: &[u8], inode: Arc<TmpInode>) -> Option<Arc<TmpInode>> {
        if let Some((_, held)) = self.by_name.get_mut(name) {
            return Some(core::mem::replace(held, inode));
        }
        self.last += 1;
        let name: Name = name.into();
        self.by_position.insert(self.last, name.clone());
        self.by_name.insert(name, (self.last, inode));
        None
    }

    pub fn remove(&mut self, name: &[u8]) -> Option<Arc<TmpInode>> {
        let (position, inode) = self.by_name.remove(name)?;
        self.by_position.remove(&position);
        Some(inode)
    }

    /// Empties the directory.
    pub fn take(&mut self) -> impl Iterator<Item = Arc<TmpInode>> + use<> {
        self.by_position.clear();
        core::mem::take(&mut self.by_name).into_values().map(|(_, inode)| inode)
    }

    /// Names behind a position, each with the position to go on from.
    pub fn behind(&self, position: u64) -> impl Iterator<Item = (u64, &Name, &Arc<TmpInode>)> {
        self.by_position.range(position.saturating_add(1)..).filter_map(|(&position, name)| {
            let (_, inode) = self.by_name.get(name)?;
            Some((position, name, inode))
        })
    }
}
