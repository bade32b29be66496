//! Nodes of directory trees ("Hash Tree Directories"). The root is also the directory's first
//! block, with "." and ".." in it; to those who do not know trees all nodes look like blocks
//! without entries.

use crate::checksum::Seed;
use crate::dir;

/// Bytes before the entries of the root: ".", "..", and `dx_root_info`.
pub const ROOT_HEAD: usize = 0x20;
/// Bytes before the entries of other nodes.
pub const NODE_HEAD: usize = 8;
/// Bytes of an entry; the first holds limit, count and the block of the lowest hashes.
const ENTRY_LEN: usize = 8;
const TAIL_LEN: usize = 8;
/// Where `dx_root_info` lies.
const INFO: usize = 0x18;
const INFO_LEN: u8 = 8;

/// Most levels of inner nodes below the root, with and without `large_dir`.
pub const MAX_LEVELS: u8 = 2;

/// An entry: hashes from here on are in that block of the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Lowest hash; bit 0 says that the last hash of the block before goes on in this one.
    pub hash: u32,
    /// Block of the directory.
    pub block: u32,
}

/// What the root says of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Info {
    /// Which hash.
    pub hash_version: u8,
    /// Levels of inner nodes below the root.
    pub levels: u8,
}

/// What is wrong with a node.
pub type Flaw = &'static str;

/// Reads `dx_root_info`.
///
/// # Errors
/// If it is not as it must be.
pub fn info(root: &[u8]) -> Result<Info, Flaw> {
    let Some([0, 0, 0, 0, hash_version, INFO_LEN, levels, 0]) = root.get(INFO..).and_then(|info| info.first_chunk())
    else {
        return Err("directory tree has a root with wrong information");
    };
    if *levels > MAX_LEVELS {
        return Err("directory tree is too deep");
    }
    Ok(Info { hash_version: *hash_version, levels: *levels })
}

/// Writes `dx_root_info`.
pub fn set_info(root: &mut [u8], info: Info) {
    if let Some(place) = root.get_mut(INFO..).and_then(|rest| rest.first_chunk_mut()) {
        *place = [0, 0, 0, 0, info.hash_version, INFO_LEN, info.levels, 0];
    }
}

/// Entries that fit into a node of `len` bytes behind `head` bytes.
pub fn capacity(len: usize, head: usize, with_tail: bool) -> usize {
    len.saturating_sub(head + if with_tail { TAIL_LEN } else { 0 }) / ENTRY_LEN
}

fn raw(node: &[u8], head: usize, at: usize) -> Option<(u32, u32)> {
    let start = head + at * ENTRY_LEN;
    let [a, b, c, d, e, f, g, h] = *node.get(start..)?.first_chunk()?;
    Some((u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h])))
}

fn set_raw(node: &mut [u8], head: usize, at: usize, first: u32, second: u32) {
    let start = head + at * ENTRY_LEN;
    if let Some(place) = node.get_mut(start..).and_then(|rest| rest.first_chunk_mut::<ENTRY_LEN>()) {
        let [a, b, c, d] = first.to_le_bytes();
        let [e, f, g, h] = second.to_le_bytes();
        *place = [a, b, c, d, e, f, g, h];
    }
}

/// Number of entries of a node; at least 1.
///
/// # Errors
/// If the limit is not what fits, or there are none or more than that.
pub fn count(node: &[u8], head: usize, with_tail: bool) -> Result<usize, Flaw> {
    let (counts, _) = raw(node, head, 0).ok_or("directory node is too small")?;
    let (limit, count) = ((counts & 0xffff) as usize, (counts >> 16) as usize);
    if limit != capacity(node.len(), head, with_tail) {
        return Err("directory node has a wrong limit");
    }
    if count == 0 || count > limit {
        return Err("directory node has a wrong count");
    }
    Ok(count)
}

/// The entry at a position below [`count`]; the first has hash 0.
pub fn entry(node: &[u8], head: usize, at: usize) -> Option<Entry> {
    let (hash, block) = raw(node, head, at)?;
    // The upper four bits of the block are reserved.
    Some(Entry { hash: if at == 0 { 0 } else { hash }, block: block & 0x0fff_ffff })
}

/// Replaces all entries.
pub fn set_entries<'a>(node: &mut [u8], head: usize, with_tail: bool, all: impl IntoIterator<Item = &'a Entry>) {
    let limit = capacity(node.len(), head, with_tail);
    let mut count = 0;
    for entry in all.into_iter().take(limit) {
        set_raw(node, head, count, entry.hash, entry.block);
        count += 1;
    }
    if let Some((_, block)) = raw(node, head, 0) {
        set_raw(node, head, 0, limit as u32 | (count as u32) << 16, block);
    }
}

/// Makes an inner node without entries; give it some with [`set_entries`].
pub fn clear_node(node: &mut [u8]) {
    node.fill(0);
    dir::write(node, 0, node.len(), 0, 0, &[]);
}

/// Checksum of a node with `count` entries: those, and the first half of the tail.
fn sum(seed: Seed, node: &[u8], head: usize) -> Option<(u32, usize)> {
    let count = count(node, head, true).ok()?;
    let tail = head + capacity(node.len(), head, true) * ENTRY_LEN;
    let (body, reserved) = (node.get(..head + count * ENTRY_LEN)?, node.get(tail..tail + 4)?);
    Some((seed.sum_of(&[body, reserved, &[0; 4]]), tail + 4))
}

/// Whether a node has the right checksum; `seed` is that of the directory.
pub fn verify(seed: Seed, node: &[u8], head: usize) -> bool {
    sum(seed, node, head).is_some_and(|(sum, at)| node.get(at..at + 4) == Some(&sum.to_le_bytes()))
}

/// Gives a node its checksum.
pub fn seal(seed: Seed, node: &mut [u8], head: usize) {
    if let Some((sum, at)) = sum(seed, node, head)
        && let Some(place) = node.get_mut(at..at + 4)
    {
        place.copy_from_slice(&sum.to_le_bytes());
    }
}
