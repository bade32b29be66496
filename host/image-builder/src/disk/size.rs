//! How large a file system has to be for a tree.

use crate::tree::{Kind, Tree};

const BLOCK: u64 = 4096;
/// Journal, tables, and room to work, as long as nobody says how large the image is to be.
const ROOM: u64 = 96 << 20;
/// Names in a block of a directory, of usual length.
const NAMES: u64 = 64;

/// Bytes of a disk that holds the tree, with a quarter more.
pub fn of_tree(tree: &Tree) -> u64 {
    let bytes = |kind: &Kind| match kind {
        Kind::File(content) => content.length().next_multiple_of(BLOCK),
        Kind::Directory => BLOCK,
        _ => 0,
    };
    let nodes = tree.nodes().len() as u64;
    let contents: u64 = tree.nodes().map(|(_, node)| bytes(&node.kind)).sum();
    let names = nodes.div_ceil(NAMES) * BLOCK;
    (contents / 4 * 5 + 2 * names + nodes * 512 + ROOM).next_multiple_of(1 << 20)
}

/// Bytes of the disk for each inode, so that there are enough, and a quarter more.
pub fn inode_ratio(tree: &Tree, size: u64) -> u32 {
    let wanted = tree.nodes().len() as u64 / 4 * 5 + 1024;
    (size / wanted).clamp(1024, 16_384) as u32
}
