//! Verity superblocks, and the trees that they describe.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rkt_verity_format::{Place, SUPERBLOCK_LEN, Superblock, Tree, Voucher};

fuzz_target!(|data: &[u8]| {
    let Some((bytes, rest)) = data.split_first_chunk::<SUPERBLOCK_LEN>() else { return };
    let Ok(superblock) = Superblock::decode(bytes) else { return };
    assert_eq!(superblock.encode(), bytes);
    let tree = Tree::new(&superblock);
    let number = rest.first_chunk().map_or(superblock.data_blocks() - 1, |bytes| u64::from_le_bytes(*bytes));
    let mut place = Place::Data(number);
    let mut steps = 0;
    // Each block has a chain of vouchers, and only blocks of the tree have a place in it.
    while let Some(Voucher::Entry { level, block, at }) = tree.voucher(place) {
        assert_eq!(level, steps);
        assert!(at + 32 <= superblock.hash_block_len() as usize);
        let offset = tree.offset(level, block).expect("who vouches lies in the tree");
        assert!(offset >= SUPERBLOCK_LEN as u64 && offset + u64::from(superblock.hash_block_len()) <= tree.len());
        place = Place::Hash(level, block);
        steps += 1;
    }
    let exists = number < superblock.data_blocks();
    assert_eq!(tree.voucher(place), exists.then_some(Voucher::Root));
    assert_eq!(steps, if exists { tree.levels() } else { 0 });
});
