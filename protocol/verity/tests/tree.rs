//! Shapes and superblocks.

use rkt_verity_format::{Builder, Place, SUPERBLOCK_LEN, Superblock, Tree, VerityError, Voucher, hash};

fn superblock(data_blocks: u64) -> Superblock {
    Superblock::new([7; 16], data_blocks, &[1, 2, 3]).unwrap()
}

#[test]
fn levels_have_the_blocks_that_they_need() {
    for (data, counts) in [
        (1, vec![]),
        (2, vec![1]),
        (128, vec![1]),
        (129, vec![2, 1]),
        (128 * 128, vec![128, 1]),
        (128 * 128 + 1, vec![129, 2, 1]),
    ] {
        let tree = Tree::new(&superblock(data));
        let found: Vec<_> = (0..tree.levels()).map(|level| tree.blocks(level)).collect();
        assert_eq!(found, counts, "{data} blocks");
        assert_eq!(tree.len(), 4096 * (1 + counts.iter().sum::<u64>()));
        // The top comes first.
        if let Some(top) = tree.levels().checked_sub(1) {
            assert_eq!(tree.offset(top, 0), Some(4096));
            assert_eq!(tree.voucher(Place::Hash(top, 0)), Some(Voucher::Root));
            assert_eq!(tree.offset(top, 1), None);
        }
        assert_eq!(tree.voucher(Place::Data(data)), None);
    }
    let tree = Tree::new(&superblock(1 << 51));
    assert_eq!(tree.levels(), 8);
    assert_eq!(tree.voucher(Place::Data(129)), Some(Voucher::Entry { level: 0, block: 1, at: 32 }));
}

#[test]
fn the_builder_hashes_what_the_tree_says() {
    let blocks: Vec<_> = (0..300u32).map(|i| i.to_le_bytes().repeat(1024)).collect();
    let superblock = superblock(300);
    let mut builder = Builder::new(superblock);
    blocks.iter().for_each(|block| builder.push(block));
    let built = builder.finish().unwrap();
    let tree = Tree::new(&superblock);
    assert_eq!(built.bytes.len() as u64, tree.len());
    let block = |level, number| &built.bytes[tree.offset(level, number).unwrap() as usize..][..4096];
    let check = |place, bytes: &[u8]| {
        let hash = hash(superblock.salt(), bytes);
        match tree.voucher(place).unwrap() {
            Voucher::Root => assert_eq!(hash, built.pin.root),
            Voucher::Entry { level, block: number, at } => assert_eq!(hash, block(level, number)[at..at + 32]),
        }
    };
    (0..).zip(&blocks).for_each(|(i, data)| check(Place::Data(i), data));
    (0..tree.levels())
        .for_each(|level| (0..tree.blocks(level)).for_each(|b| check(Place::Hash(level, b), block(level, b))));
}

#[test]
fn a_builder_wants_as_many_blocks_as_announced() {
    for count in [0, 1, 3] {
        let mut builder = Builder::new(superblock(2));
        (0..count).for_each(|_| builder.push(&[0; 4096]));
        assert!(builder.finish().is_none());
    }
}

#[test]
fn superblocks_are_checked() {
    let good: [u8; SUPERBLOCK_LEN] = superblock(5).encode().try_into().unwrap();
    assert_eq!(Superblock::decode(&good), Ok(superblock(5)));
    let with = |at: usize, bytes: &[u8]| {
        let mut bad = good;
        bad[at..at + bytes.len()].copy_from_slice(bytes);
        Superblock::decode(&bad).unwrap_err()
    };
    assert_eq!(with(0, b"x"), VerityError::NotVerity);
    assert_eq!(with(8, &[2]), VerityError::Version { version: 2, format: 1 });
    assert_eq!(with(12, &[0]), VerityError::Version { version: 1, format: 0 });
    assert_eq!(with(32, b"sha1\0\0"), VerityError::Algorithm);
    assert_eq!(with(64, &[1]), VerityError::BlockLength(4097));
    assert_eq!(with(68, &[0, 0, 2]), VerityError::BlockLength(2 << 16));
    assert_eq!(with(72, &[0]), VerityError::DataBlocks(0));
    assert_eq!(with(72, &[0xff; 8]), VerityError::DataBlocks(u64::MAX));
    assert_eq!(with(80, &[1, 1]), VerityError::Salt(257));
    assert!(Superblock::new([0; 16], 1, &[0; 257]).is_err());
}
