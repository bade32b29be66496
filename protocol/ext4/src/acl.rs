//! Access control lists as ext4 stores them ("Extended Attributes", "POSIX ACLs"), and as setxattr(2) has
//! them: there each entry has an id, here only those that name somebody.

use alloc::vec::Vec;

/// Version of the stored form, and of the other (linux/posix_acl_xattr.h).
const STORED: u32 = 1;
const TOLD: u32 = 2;
/// `ACL_USER` and `ACL_GROUP` of sys/acl.h: tags of entries with an id.
const NAMED: [u16; 2] = [0x02, 0x08];
/// The id of an entry that has none.
const NO_ID: u32 = u32::MAX;

/// Takes the version off.
fn entries(list: &[u8], version: u32) -> Option<&[u8]> {
    let (head, entries) = list.split_first_chunk()?;
    (u32::from_le_bytes(*head) == version).then_some(entries)
}

fn is_named(entry: [u8; 4]) -> bool {
    NAMED.contains(&u16::from_le_bytes([entry[0], entry[1]]))
}

/// The stored form of a list; none if it is no list.
pub fn store(list: &[u8]) -> Option<Vec<u8>> {
    let (entries, odd) = entries(list, TOLD)?.as_chunks::<8>();
    let mut stored = STORED.to_le_bytes().to_vec();
    for &[a, b, c, d, ref id @ ..] in entries {
        let entry = [a, b, c, d];
        stored.extend(entry);
        stored.extend(id.iter().filter(|_| is_named(entry)));
    }
    odd.is_empty().then_some(stored)
}

/// The list that is stored; none if it is damaged.
pub fn load(stored: &[u8]) -> Option<Vec<u8>> {
    let mut left = entries(stored, STORED)?;
    let mut list = TOLD.to_le_bytes().to_vec();
    while !left.is_empty() {
        let (&entry, rest) = left.split_first_chunk()?;
        let (&id, rest) = if is_named(entry) { rest.split_first_chunk()? } else { (&NO_ID.to_le_bytes(), rest) };
        list.extend(entry);
        list.extend(id);
        left = rest;
    }
    Some(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_named_entries_keep_their_id() {
        let owner = [1, 0, 7, 0, 255, 255, 255, 255];
        let user = [2, 0, 6, 0, 7, 0, 0, 0];
        let list = [&[2, 0, 0, 0][..], &owner, &user].concat();
        let stored = [&[1, 0, 0, 0][..], &owner[..4], &user].concat();
        assert_eq!(store(&list), Some(stored.clone()));
        assert_eq!(load(&stored), Some(list));
    }

    #[test]
    fn what_is_cut_off_is_no_list() {
        for damaged in [&[][..], &[1, 0, 0], &[2, 0, 0, 0], &[1, 0, 0, 0, 2, 0, 6, 0, 7], &[1, 0, 0, 0, 1, 0, 7]] {
            assert_eq!(load(damaged), None, "{damaged:?}");
        }
        assert_eq!(store(&[2, 0, 0, 0, 1, 0, 7, 0]), None);
    }
}
