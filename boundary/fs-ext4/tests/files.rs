//! Operations on names and files, each judged by `e2fsck` after a remount.

mod common;

use common::*;
use rkt_ext4::{Allocate, Error, Seek, SetMode};

/// Checks what is on the disk after unmounting, and mounts again.
fn again(disk: &std::sync::Arc<RamDisk>, fs: Fs) -> Fs {
    fs.unmount().unwrap();
    check(disk);
    mount(disk)
}

#[test]
fn files_keep_their_contents() {
    let disk = formatted(64 << 20);
    let fs = mount(&disk);
    let ino = fs.create(fs.root(), b"hello", &file()).unwrap();
    fs.write_at(ino, 0, b"hello, world").unwrap();
    fs.write_at(ino, 5000, b"behind a gap").unwrap();
    fs.write_at(ino, 100_000, &vec![7; 1_000_000]).unwrap();
    let fs = again(&disk, fs);
    let ino = walk(&fs, "hello");
    let bytes = read_all(&fs, ino);
    assert_eq!(bytes.len(), 1_100_000);
    assert_eq!(&bytes[..12], b"hello, world");
    assert!(bytes[12..5000].iter().all(|byte| *byte == 0));
    assert_eq!(&bytes[5000..5012], b"behind a gap");
    assert!(bytes[100_000..].iter().all(|byte| *byte == 7));
}

#[test]
fn many_names_make_a_tree_that_shrinks_no_more() {
    for (block_size, count) in [(1024, 20_000), (4096, 3000)] {
        let mut options = options();
        (options.block_size, options.inode_ratio) = (block_size, 4096);
        let disk = formatted_with(128 << 20, &options);
        let fs = mount(&disk);
        let dir = fs.create(fs.root(), b"dir", &directory()).unwrap();
        for number in 0..count {
            fs.create(dir, format!("file number {number}").as_bytes(), &file()).unwrap();
        }
        let fs = again(&disk, fs);
        let dir = walk(&fs, "dir");
        assert_eq!(names(&fs, dir).len(), count);
        for number in 0..count {
            fs.lookup(dir, format!("file number {number}").as_bytes()).unwrap();
        }
        for number in (0..count).step_by(2) {
            fs.unlink(dir, format!("file number {number}").as_bytes()).unwrap();
        }
        let fs = again(&disk, fs);
        let dir = walk(&fs, "dir");
        assert_eq!(names(&fs, dir).len(), count / 2);
        for number in (1..count).step_by(2) {
            fs.unlink(dir, format!("file number {number}").as_bytes()).unwrap();
        }
        fs.rmdir(fs.root(), b"dir").unwrap();
        again(&disk, fs);
    }
}

#[test]
fn listings_go_on_where_they_stopped() {
    let disk = formatted(64 << 20);
    let fs = mount(&disk);
    for number in 0..1000 {
        fs.create(fs.root(), format!("{number}").as_bytes(), &file()).unwrap();
    }
    let whole = names(&fs, fs.root());
    let (mut parts, mut from) = (Vec::new(), 0);
    loop {
        let before = parts.len();
        let mut left = 7;
        fs.read_dir(fs.root(), from, &mut |entry| {
            if left == 0 {
                return false;
            }
            left -= 1;
            from = entry.next;
            parts.push((String::from_utf8(entry.name.to_vec()).unwrap(), entry.ino));
            true
        })
        .unwrap();
        if parts.len() == before {
            break;
        }
    }
    assert_eq!(parts, whole);
}

#[test]
fn directories_links_and_renames() {
    let disk = formatted(64 << 20);
    let fs = mount(&disk);
    let root = fs.root();
    let (a, b) = (fs.create(root, b"a", &directory()).unwrap(), fs.create(root, b"b", &directory()).unwrap());
    let sub = fs.create(a, b"sub", &directory()).unwrap();
    let one = fs.create(a, b"one", &file()).unwrap();
    fs.link(b, b"also one", one).unwrap();
    assert_eq!(fs.stat(one).unwrap().links, 2);
    assert_eq!(fs.create(a, b"one", &file()), Err(Error::Exists));
    assert_eq!(fs.rmdir(root, b"a"), Err(Error::NotEmpty));
    assert_eq!(fs.unlink(root, b"a"), Err(Error::IsDirectory));
    assert_eq!(fs.rmdir(a, b"one"), Err(Error::NotDirectory));
    fs.rename(a, b"sub", b, b"moved").unwrap();
    assert_eq!(fs.parent(sub), Ok(b));
    assert_eq!((fs.stat(a).unwrap().links, fs.stat(b).unwrap().links), (2, 3));
    let two = fs.create(b, b"two", &file()).unwrap();
    fs.rename(b, b"two", a, b"one").unwrap();
    assert_eq!(fs.lookup(a, b"one"), Ok(two));
    assert_eq!(fs.stat(one).unwrap().links, 1);
    fs.exchange(a, b"one", b, b"moved").unwrap();
    assert_eq!((fs.lookup(a, b"one"), fs.lookup(b, b"moved")), (Ok(sub), Ok(two)));
    let long = vec![b'x'; 300];
    fs.symlink(root, b"short link", &file(), b"a/one").unwrap();
    fs.symlink(root, b"long link", &file(), &long).unwrap();
    fs.create_device(root, b"null", &rkt_ext4::NewInode { mode: 0o020_666, uid: 0, gid: 0 }, 1, 3).unwrap();
    fs.create_device(root, b"big", &rkt_ext4::NewInode { mode: 0o060_600, uid: 0, gid: 0 }, 259, 70_000).unwrap();
    let fs = again(&disk, fs);
    assert_eq!(fs.read_link(walk(&fs, "short link")).unwrap(), b"a/one");
    assert_eq!(fs.read_link(walk(&fs, "long link")).unwrap(), long);
    assert_eq!(fs.stat(walk(&fs, "null")).unwrap().device, (1, 3));
    assert_eq!(fs.stat(walk(&fs, "big")).unwrap().device, (259, 70_000));
    assert_eq!(fs.lookup(root, &[b'n'; 256]), Err(Error::NameTooLong));
}

#[test]
fn a_directory_replaces_an_empty_one() {
    let disk = formatted(64 << 20);
    let fs = mount(&disk);
    let (a, b) = (fs.create(2, b"a", &directory()).unwrap(), fs.create(2, b"b", &directory()).unwrap());
    let moved = fs.create(a, b"moved", &directory()).unwrap();
    fs.create(b, b"target", &directory()).unwrap();
    fs.create(moved, b"inside", &file()).unwrap();
    fs.rename(a, b"moved", b, b"target").unwrap();
    assert_eq!((fs.lookup(b, b"target"), fs.parent(moved)), (Ok(moved), Ok(b)));
    assert_eq!((fs.stat(a).unwrap().links, fs.stat(b).unwrap().links), (2, 3));
    fs.rename(2, b"a", 2, b"lost+found").unwrap();
    assert_eq!(fs.rename(2, b"lost+found", 2, b"b"), Err(Error::NotEmpty));
    again(&disk, fs);
}

#[test]
fn directories_spread_over_the_groups() {
    let mut options = options();
    (options.block_size, options.inode_ratio) = (1024, 8192);
    let disk = formatted_with(200 << 20, &options);
    let fs = mount(&disk);
    for number in 0..60 {
        let dir = fs.create(2, format!("{number}").as_bytes(), &directory()).unwrap();
        let below = fs.create(dir, b"below", &directory()).unwrap();
        assert!(below.abs_diff(dir) < 1024, "{below} is near {dir}");
        let ino = fs.create(below, b"file", &file()).unwrap();
        fs.write_at(ino, 0, &[number; 3000]).unwrap();
    }
    let fs = again(&disk, fs);
    let groups: std::collections::BTreeSet<u32> = names(&fs, 2).iter().map(|(_, ino)| ino / 1024).collect();
    assert!(groups.len() > 10, "{groups:?}");
    assert_eq!(read_all(&fs, walk(&fs, "33/below/file")), [33; 3000]);
}

#[test]
fn a_frozen_disk_needs_no_replay() {
    let disk = formatted(64 << 20);
    let fs = mount(&disk);
    let ino = fs.create(2, b"f", &file()).unwrap();
    fs.write_at(ino, 0, b"before").unwrap();
    let frozen = fs.freeze().unwrap();
    let copy = RamDisk::from_bytes(disk.bytes());
    drop(frozen);
    fs.write_at(ino, 0, b"after!").unwrap();
    assert_eq!(read_all(&mount_read_only(&copy), ino), b"before");
    again(&copy, mount(&copy));
    again(&disk, fs);
}

#[test]
fn what_is_held_lives_on_without_a_name() {
    let disk = formatted(64 << 20);
    let fs = mount(&disk);
    let before = fs.statistics();
    let ino = fs.create(fs.root(), b"gone", &file()).unwrap();
    fs.write_at(ino, 0, &vec![1; 300_000]).unwrap();
    fs.hold(ino).unwrap();
    fs.unlink(fs.root(), b"gone").unwrap();
    let unnamed = fs.create_unnamed(fs.root(), &file()).unwrap();
    assert_eq!(read_all(&fs, ino).len(), 300_000);
    fs.sync().unwrap();
    // As after a crash: the journal has to be replayed and the orphans deleted.
    let copy = RamDisk::from_bytes(disk.bytes());
    let other = mount(&copy);
    assert_eq!(other.statistics().free_inodes, before.free_inodes);
    again(&copy, other);
    fs.link(fs.root(), b"named", unnamed).unwrap();
    fs.release(unnamed).unwrap();
    fs.release(ino).unwrap();
    assert_eq!(fs.stat(walk(&fs, "named")).unwrap().links, 1);
    let fs = again(&disk, fs);
    assert_eq!(fs.statistics().free_inodes, before.free_inodes - 1);
    assert_eq!(fs.statistics().free, before.free);
}

#[test]
fn truncation_frees_and_zeroes() {
    let disk = formatted(64 << 20);
    let fs = mount(&disk);
    let before = fs.statistics().free;
    let ino = fs.create(fs.root(), b"f", &file()).unwrap();
    fs.write_at(ino, 0, &vec![9; 2_000_000]).unwrap();
    fs.set_size(ino, 5000).unwrap();
    fs.sync().unwrap();
    assert_eq!(fs.statistics().free, before - 2);
    fs.set_size(ino, 20_000).unwrap();
    let bytes = read_all(&fs, ino);
    assert!(bytes[..5000].iter().all(|byte| *byte == 9) && bytes[5000..].iter().all(|byte| *byte == 0));
    again(&disk, fs);
}

#[test]
fn all_modes_of_fallocate() {
    const BLOCK: u64 = 4096;
    let disk = formatted(64 << 20);
    let fs = mount(&disk);
    let ino = fs.create(fs.root(), b"f", &file()).unwrap();
    let mut model: Vec<u8> = (0..40 * BLOCK).map(|at| (at / BLOCK + 1) as u8).collect();
    fs.write_at(ino, 0, &model).unwrap();
    fs.fallocate(ino, Allocate::Punch, 3 * BLOCK + 100, 2 * BLOCK).unwrap();
    model[3 * 4096 + 100..5 * 4096 + 100].fill(0);
    assert_eq!(read_all(&fs, ino), model);
    assert_eq!(fs.seek(ino, Seek::Hole, 0), Ok(4 * BLOCK));
    assert_eq!(fs.seek(ino, Seek::Data, 4 * BLOCK), Ok(5 * BLOCK));
    fs.fallocate(ino, Allocate::Zero { keep_size: true }, 10 * BLOCK, 35 * BLOCK).unwrap();
    model[10 * 4096..].fill(0);
    assert_eq!(read_all(&fs, ino), model);
    fs.fallocate(ino, Allocate::Collapse, BLOCK, 2 * BLOCK).unwrap();
    model.drain(4096..3 * 4096);
    assert_eq!(read_all(&fs, ino), model);
    fs.fallocate(ino, Allocate::Insert, 2 * BLOCK, 3 * BLOCK).unwrap();
    model.splice(2 * 4096..2 * 4096, vec![0; 3 * 4096]);
    assert_eq!(read_all(&fs, ino), model);
    fs.fallocate(ino, Allocate::Grow, 0, 50 * BLOCK).unwrap();
    model.resize(50 * 4096, 0);
    fs.write_at(ino, 45 * BLOCK + 5, b"into unwritten").unwrap();
    model[45 * 4096 + 5..][..14].copy_from_slice(b"into unwritten");
    let fs = again(&disk, fs);
    assert_eq!(read_all(&fs, walk(&fs, "f")), model);
}

#[test]
fn fragments_make_deep_trees() {
    let mut options = options();
    options.block_size = 1024;
    let disk = formatted_with(128 << 20, &options);
    let fs = mount(&disk);
    let before = fs.statistics().free;
    let ino = fs.create(fs.root(), b"f", &file()).unwrap();
    for block in 0..12_000_u64 {
        // Not in order, so that trees split in the middle, too.
        let block = block * 7919 % 12_000;
        fs.write_at(ino, block * 2048, &[block as u8; 1024]).unwrap();
    }
    let fs = again(&disk, fs);
    let ino = walk(&fs, "f");
    let mut bytes = [0; 1024];
    for block in 0..12_000_u64 {
        fs.read_at(ino, block * 2048, &mut bytes).unwrap();
        assert_eq!(bytes, [block as u8; 1024]);
    }
    for block in (0..12_000_u64).step_by(3) {
        fs.fallocate(ino, Allocate::Punch, block * 2048, 1024).unwrap();
    }
    let fs = again(&disk, fs);
    fs.set_size(walk(&fs, "f"), 0).unwrap();
    let fs = again(&disk, fs);
    assert_eq!(fs.statistics().free, before);
}

#[test]
fn extended_attributes_inside_and_outside() {
    let disk = formatted(64 << 20);
    let fs = mount(&disk);
    let ino = fs.create(fs.root(), b"f", &file()).unwrap();
    fs.set_xattr(ino, b"user.small", b"value", SetMode::Any).unwrap();
    fs.set_xattr(ino, b"user.large", &[3; 2000], SetMode::Create).unwrap();
    // As setxattr(2) has it: version 2, and an owner who may read and write.
    let acl = [2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255];
    fs.set_xattr(ino, b"system.posix_acl_access", &acl, SetMode::Any).unwrap();
    assert_eq!(fs.set_xattr(ino, b"system.posix_acl_access", b"none", SetMode::Any), Err(Error::Invalid));
    fs.set_xattr(ino, b"security.capability", &[5; 20], SetMode::Any).unwrap();
    fs.set_xattr(ino, b"trusted.empty", b"", SetMode::Any).unwrap();
    assert_eq!(fs.set_xattr(ino, b"user.large", b"", SetMode::Create), Err(Error::Exists));
    assert_eq!(fs.set_xattr(ino, b"user.none", b"", SetMode::Replace), Err(Error::NoData));
    assert_eq!(fs.set_xattr(ino, b"user.huge", &[0; 5000], SetMode::Any), Err(Error::NoSpace));
    assert_eq!(fs.set_xattr(ino, b"other.name", b"", SetMode::Any), Err(Error::Unsupported));
    let fs = again(&disk, fs);
    let ino = walk(&fs, "f");
    assert_eq!(fs.xattr(ino, b"user.small").unwrap(), b"value");
    assert_eq!(fs.xattr(ino, b"user.large").unwrap(), [3; 2000]);
    assert_eq!(fs.xattr(ino, b"system.posix_acl_access").unwrap(), acl);
    assert_eq!(fs.list_xattr(ino).unwrap().split(|byte| *byte == 0).count(), 6);
    fs.remove_xattr(ino, b"user.large").unwrap();
    assert_eq!(fs.xattr(ino, b"user.large"), Err(Error::NoData));
    let fs = again(&disk, fs);
    fs.unlink(fs.root(), b"f").unwrap();
    again(&disk, fs);
}

#[test]
fn inodes_without_names_live_while_they_are_held() {
    let disk = formatted(64 << 20);
    let fs = mount(&disk);
    let names: Vec<Vec<u8>> = (0..300).map(|number| format!("f{number}").into_bytes()).collect();
    let inos: Vec<u32> = names.iter().map(|name| fs.create(fs.root(), name, &file()).unwrap()).collect();
    for (ino, name) in inos.iter().zip(&names) {
        fs.hold(*ino).unwrap();
        fs.unlink(fs.root(), name).unwrap();
    }
    // The list of orphans on the disk links them now.
    fs.sync().unwrap();
    assert!(inos.iter().all(|ino| fs.stat(*ino).unwrap().links == 0));
    for ino in inos.iter().step_by(2) {
        fs.release(*ino).unwrap();
    }
    // The others end with the file system.
    let fs = again(&disk, fs);
    assert_eq!(fs.statistics().free_inodes, mount(&formatted(64 << 20)).statistics().free_inodes);
    again(&disk, fs);
}

#[test]
fn a_full_disk_stays_whole() {
    let disk = formatted(8 << 20);
    let fs = mount(&disk);
    let mut made = 0;
    let error = loop {
        let made_one = fs.create(fs.root(), format!("f{made}").as_bytes(), &file());
        let written = made_one.and_then(|ino| fs.write_at(ino, 0, &[made as u8; 50_000]));
        match written {
            Ok(()) => made += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error, Error::NoSpace);
    let fs = again(&disk, fs);
    for number in 0..made {
        assert_eq!(read_all(&fs, walk(&fs, &format!("f{number}"))), [number as u8; 50_000]);
        fs.unlink(fs.root(), format!("f{number}").as_bytes()).unwrap();
    }
    let ino = fs.create(fs.root(), b"again", &file()).unwrap();
    fs.write_at(ino, 0, &vec![1; made * 49_000]).unwrap();
    again(&disk, fs);
}
