//! Access control lists (acl(5)): permissions of more users and groups than the mode names.

use crate::cred::Credentials;
use alloc::sync::Arc;
use alloc::vec::Vec;
use rkt_linux_abi::{Errno, Result};

/// Version and length of the form that setxattr(2) takes: a version, then tag, permissions and id of each
/// entry (linux/posix_acl_xattr.h).
const VERSION: u32 = 2;
const HEAD_LEN: usize = 4;
const ENTRY_LEN: usize = 8;
/// The id of an entry that has none.
const NO_ID: u32 = u32::MAX;

/// The extended attribute that is a file's own list.
pub const ACCESS_NAME: &[u8] = b"system.posix_acl_access";
/// The extended attribute that is the list for what is made in a directory.
pub const DEFAULT_NAME: &[u8] = b"system.posix_acl_default";

/// The two lists that an inode may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AclKind {
    /// Who may do what.
    Access,
    /// What is handed down to what is made in a directory.
    Default,
}

impl AclKind {
    /// The list that an extended attribute stands for.
    pub fn of_name(name: &[u8]) -> Option<Self> {
        match name {
            ACCESS_NAME => Some(Self::Access),
            DEFAULT_NAME => Some(Self::Default),
            _ => None,
        }
    }

    /// The extended attribute that stands for it.
    pub fn name(self) -> &'static [u8] {
        match self {
            Self::Access => ACCESS_NAME,
            Self::Default => DEFAULT_NAME,
        }
    }
}

/// Both lists of an inode.
#[derive(Clone, Debug, Default)]
pub struct Acls {
    /// Who may do what, where that is more than the mode says.
    pub access: Option<Arc<Acl>>,
    /// What a directory hands down.
    pub default: Option<Arc<Acl>>,
}

impl Acls {
    /// One of them.
    pub fn get(&self, kind: AclKind) -> &Option<Arc<Acl>> {
        match kind {
            AclKind::Access => &self.access,
            AclKind::Default => &self.default,
        }
    }

    /// Replaces one of them.
    pub fn set(&mut self, kind: AclKind, acl: Option<Arc<Acl>>) {
        match kind {
            AclKind::Access => self.access = acl,
            AclKind::Default => self.default = acl,
        }
    }
}

/// Whom an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Owner,
    User(u32),
    OwningGroup,
    Group(u32),
    Mask,
    Other,
}

impl Who {
    /// From a tag of sys/acl.h and an id.
    fn of(tag: u16, id: u32) -> Option<Self> {
        Some(match tag {
            0x01 => Self::Owner,
            0x02 if id != NO_ID => Self::User(id),
            0x04 => Self::OwningGroup,
            0x08 if id != NO_ID => Self::Group(id),
            0x10 => Self::Mask,
            0x20 => Self::Other,
            _ => return None,
        })
    }

    fn tag(self) -> (u16, u32) {
        match self {
            Self::Owner => (0x01, NO_ID),
            Self::User(id) => (0x02, id),
            Self::OwningGroup => (0x04, NO_ID),
            Self::Group(id) => (0x08, id),
            Self::Mask => (0x10, NO_ID),
            Self::Other => (0x20, NO_ID),
        }
    }

    /// The place of its kind in a list.
    fn rank(self) -> u8 {
        match self {
            Self::Owner => 0,
            Self::User(_) => 1,
            Self::OwningGroup => 2,
            Self::Group(_) => 3,
            Self::Mask => 4,
            Self::Other => 5,
        }
    }

    fn is_named(self) -> bool {
        matches!(self, Self::User(_) | Self::Group(_))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    who: Who,
    permissions: u32,
}

/// A valid list: owner, owning group and others stand in it once, a mask if it has named entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acl(Vec<Entry>);

impl Acl {
    /// Reads what setxattr(2) was given; none if it has no entries, which removes a list.
    ///
    /// # Errors
    /// `EINVAL`, also for a list that is not valid; `EOPNOTSUPP` for another version.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>> {
        let (head, rest) = bytes.split_first_chunk::<HEAD_LEN>().ok_or(Errno::EINVAL)?;
        if u32::from_le_bytes(*head) != VERSION {
            return Err(Errno::EOPNOTSUPP);
        }
        let (entries, odd) = rest.as_chunks::<ENTRY_LEN>();
        if !odd.is_empty() {
            return Err(Errno::EINVAL);
        }
        let entry = |[tag0, tag1, low, high, id @ ..]: &[u8; ENTRY_LEN]| {
            let who = Who::of(u16::from_le_bytes([*tag0, *tag1]), u32::from_le_bytes(*id)).ok_or(Errno::EINVAL)?;
            Ok(Entry { who, permissions: u16::from_le_bytes([*low, *high]).into() })
        };
        let list = Self(entries.iter().map(entry).collect::<Result<_>>()?);
        match list.0.is_empty() {
            true => Ok(None),
            false if list.is_valid() => Ok(Some(list)),
            false => Err(Errno::EINVAL),
        }
    }

    /// What getxattr(2) gives.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = VERSION.to_le_bytes().to_vec();
        for entry in &self.0 {
            let (tag, id) = entry.who.tag();
            bytes.extend(tag.to_le_bytes());
            bytes.extend((entry.permissions as u16).to_le_bytes());
            bytes.extend(id.to_le_bytes());
        }
        bytes
    }

    fn is_valid(&self) -> bool {
        let ordered = self.0.is_sorted_by_key(|entry| entry.who.rank());
        let count = |who: Who| self.0.iter().filter(|entry| entry.who == who).count();
        let whole = [Who::Owner, Who::OwningGroup, Who::Other].into_iter().all(|who| count(who) == 1);
        let named = self.0.iter().any(|entry| entry.who.is_named());
        let masked = count(Who::Mask) == 1 || count(Who::Mask) == 0 && !named;
        ordered && whole && masked && self.0.iter().all(|entry| entry.permissions <= 0o7)
    }

    fn of(&self, who: Who) -> Option<u32> {
        self.0.iter().find(|entry| entry.who == who).map(|entry| entry.permissions)
    }

    /// Whether somebody who is not the owner has all of `wanted` (acl(5), "Access check algorithm").
    pub(crate) fn permits(&self, owning_group: u32, credentials: &Credentials, wanted: u32) -> bool {
        let mask = self.of(Who::Mask).unwrap_or(0o7);
        let has = |permissions: u32| permissions & wanted == wanted;
        if let Some(permissions) = self.of(Who::User(credentials.uid)) {
            return has(permissions & mask);
        }
        let mut member = false;
        for entry in &self.0 {
            let group = match entry.who {
                Who::OwningGroup => owning_group,
                Who::Group(id) => id,
                _ => continue,
            };
            if credentials.in_group(group) {
                member = true;
                if has(entry.permissions) {
                    return has(entry.permissions & mask);
                }
            }
        }
        !member && self.of(Who::Other).is_some_and(has)
    }

    /// The permissions that the mode shows: the mask stands for the group.
    pub(crate) fn mode(&self) -> u32 {
        let group = self.of(Who::Mask).or(self.of(Who::OwningGroup));
        self.of(Who::Owner).unwrap_or(0) << 6 | group.unwrap_or(0) << 3 | self.of(Who::Other).unwrap_or(0)
    }

    /// Whether the mode says it all.
    pub(crate) fn is_mode(&self) -> bool {
        self.0.iter().all(|entry| !entry.who.is_named() && entry.who != Who::Mask)
    }

    /// With the permissions of a mode, as chmod(2) sets them.
    pub(crate) fn with_mode(&self, mode: u32) -> Self {
        self.changed(|_, of_mode| of_mode, mode)
    }

    /// What a directory's default list hands down to something made with a mode: its list.
    pub(crate) fn inherited(&self, mode: u32) -> Self {
        self.changed(|permissions, of_mode| permissions & of_mode, mode)
    }

    /// Changes the entries that the mode shows.
    fn changed(&self, change: impl Fn(u32, u32) -> u32, mode: u32) -> Self {
        let masked = self.of(Who::Mask).is_some();
        let entry = |entry: &Entry| {
            let shift = match entry.who {
                Who::Owner => 6,
                Who::Mask => 3,
                Who::OwningGroup if !masked => 3,
                Who::Other => 0,
                _ => return *entry,
            };
            Entry { permissions: change(entry.permissions, mode >> shift & 0o7), ..*entry }
        };
        Self(self.0.iter().map(entry).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(entries: &[(u16, u16, u32)]) -> Result<Option<Acl>> {
        let mut bytes = VERSION.to_le_bytes().to_vec();
        for (tag, permissions, id) in entries {
            bytes.extend(tag.to_le_bytes());
            bytes.extend(permissions.to_le_bytes());
            bytes.extend(id.to_le_bytes());
        }
        Acl::parse(&bytes)
    }

    /// u::rwx, u:7:rwx, g::r-x, g:8:rw-, m::rw-, o::---.
    fn example() -> Acl {
        let entries = [(1, 7, NO_ID), (2, 7, 7), (4, 5, NO_ID), (8, 6, 8), (16, 6, NO_ID), (32, 0, NO_ID)];
        list(&entries).unwrap().unwrap()
    }

    fn user(uid: u32, groups: &[u32]) -> Credentials {
        Credentials { uid, gid: 1000, groups: groups.to_vec(), capabilities: 0 }
    }

    #[test]
    fn only_whole_lists_in_order_are_taken() {
        assert_eq!(list(&[]), Ok(None));
        assert!(list(&[(1, 7, NO_ID), (4, 5, NO_ID), (32, 0, NO_ID)]).unwrap().unwrap().is_mode());
        for wrong in [
            &[(1, 7, NO_ID), (4, 5, NO_ID)][..],
            &[(4, 5, NO_ID), (1, 7, NO_ID), (32, 0, NO_ID)],
            &[(1, 8, NO_ID), (4, 5, NO_ID), (32, 0, NO_ID)],
            &[(1, 7, NO_ID), (2, 7, 7), (4, 5, NO_ID), (32, 0, NO_ID)],
            &[(1, 7, NO_ID), (1, 7, NO_ID), (4, 5, NO_ID), (32, 0, NO_ID)],
            &[(1, 7, NO_ID), (2, 7, NO_ID), (4, 5, NO_ID), (16, 5, NO_ID), (32, 0, NO_ID)],
            &[(64, 7, NO_ID)],
        ] {
            assert_eq!(list(wrong), Err(Errno::EINVAL), "{wrong:?}");
        }
        assert_eq!(Acl::parse(&[2, 0, 0]), Err(Errno::EINVAL));
        assert_eq!(Acl::parse(&[2, 0, 0, 0, 1]), Err(Errno::EINVAL));
        assert_eq!(Acl::parse(&[1, 0, 0, 0]), Err(Errno::EOPNOTSUPP));
    }

    #[test]
    fn a_list_reads_as_it_was_written() {
        assert_eq!(Acl::parse(&example().to_bytes()), Ok(Some(example())));
    }

    #[test]
    fn the_mask_bounds_users_and_groups() {
        let acl = example();
        assert!(acl.permits(5, &user(7, &[]), 0o6) && !acl.permits(5, &user(7, &[]), 0o1));
        // The owning group may read and execute, but the mask forbids executing.
        assert!(acl.permits(5, &user(9, &[5]), 0o4) && !acl.permits(5, &user(9, &[5]), 0o5));
        // One of two groups is enough, but it must have all that is wanted.
        assert!(acl.permits(5, &user(9, &[5, 8]), 0o6));
        assert!(!acl.permits(5, &user(9, &[]), 0o4));
    }

    #[test]
    fn the_mode_shows_the_mask_and_sets_it() {
        let acl = example();
        assert_eq!((acl.mode(), acl.is_mode()), (0o760, false));
        assert_eq!(acl.with_mode(0o654).mode(), 0o654);
        assert_eq!(acl.with_mode(0o654).of(Who::OwningGroup), Some(5));
        assert_eq!(acl.inherited(0o644).mode(), 0o640);
    }
}
