//! Others' file systems read and changed here, and ours by others: mke2fs, debugfs, e2fsck, the
//! crate ext4-view, and Linux by loop mounts where these are allowed.

mod common;

use common::*;
use rkt_ext4::{MountError, Options, SetMode};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

/// A tree with something of everything.
fn make_tree(at: &Path) {
    fs::create_dir_all(at.join("dir/sub")).unwrap();
    fs::write(at.join("empty"), b"").unwrap();
    fs::write(at.join("tiny"), b"few bytes").unwrap();
    fs::write(at.join("dir/large"), (0..3_000_000_u32).map(|at| (at / 1000) as u8).collect::<Vec<_>>()).unwrap();
    fs::write(at.join("dir/sub/exec"), vec![b'x'; 5000]).unwrap();
    fs::set_permissions(at.join("dir/sub/exec"), PermissionsExt::from_mode(0o4755)).unwrap();
    symlink("../tiny", at.join("dir/short link")).unwrap();
    symlink("l".repeat(200), at.join("dir/long link")).unwrap();
    fs::create_dir(at.join("many")).unwrap();
    for number in 0..1500 {
        fs::write(at.join(format!("many/a file with number {number}")), number.to_string()).unwrap();
    }
    fs::hard_link(at.join("tiny"), at.join("dir/other name")).unwrap();
}

fn make_image(features: &[&str], len: &str, tree: &Path) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    let (path, tree) = (file.path().to_str().unwrap(), tree.to_str().unwrap());
    run("mke2fs", &[&["-q", "-F", "-d", tree], features, &[path, len]].concat());
    file
}

/// What is in a folder of the host and what is in ours must be the same.
fn compare(fs: &Fs, dir: u32, folder: &Path) {
    let mut expected: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let mut found = names(fs, dir);
    found.retain(|(name, _)| name != "lost+found");
    expected.retain(|name| name != "lost+found");
    found.sort();
    expected.sort();
    assert!(found.iter().map(|(name, _)| name).eq(&expected), "{}: {found:?}", folder.display());
    for (name, ino) in found {
        let path = folder.join(&name);
        let there = fs::symlink_metadata(&path).unwrap();
        let stat = fs.stat(ino).unwrap();
        assert_eq!(u32::from(stat.mode), there.mode(), "{}", path.display());
        assert_eq!((stat.uid, stat.gid), (there.uid(), there.gid()), "{}", path.display());
        assert_eq!(stat.mtime.div_euclid(1_000_000_000), there.mtime(), "{}", path.display());
        if there.is_dir() {
            compare(fs, ino, &path);
        } else if there.is_symlink() {
            assert_eq!(fs.read_link(ino).unwrap(), fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes());
        } else {
            assert_eq!(u64::from(stat.links), there.nlink(), "{}", path.display());
            assert!(read_all(fs, ino) == fs::read(&path).unwrap(), "{}", path.display());
        }
    }
}

const KINDS: [&[&str]; 9] = [
    &["-t", "ext4"],
    &["-t", "ext4", "-b", "1024", "-O", "^metadata_csum,uninit_bg"],
    &["-t", "ext4", "-O", "^64bit,^flex_bg"],
    &["-t", "ext4", "-O", "metadata_csum_seed,orphan_file,large_dir"],
    &["-t", "ext4", "-O", "inline_data"],
    &["-t", "ext4", "-O", "meta_bg,^resize_inode", "-b", "1024"],
    &["-t", "ext4", "-O", "^has_journal,sparse_super2"],
    &["-t", "ext4", "-I", "128"],
    &["-t", "ext4", "-O", "fast_commit", "-b", "2048"],
];

#[test]
fn images_of_mke2fs_are_read_and_changed() {
    let tree = tempfile::tempdir().unwrap();
    make_tree(tree.path());
    for kind in KINDS {
        println!("{kind:?}");
        let image = make_image(kind, "64M", tree.path());
        let disk = RamDisk::from_file(image.path());
        compare(&mount_read_only(&disk), 2, tree.path());
        let fs = mount(&disk);
        compare(&fs, 2, tree.path());
        // Some of each: into a tree, into a small directory, from inline, from tiny.
        let many = walk(&fs, "many");
        for number in 0..500 {
            fs.create(many, format!("new {number}").as_bytes(), &file()).unwrap();
            fs.unlink(many, format!("a file with number {number}").as_bytes()).unwrap();
        }
        let sub = walk(&fs, "dir/sub");
        let new = fs.create(sub, b"new", &file()).unwrap();
        fs.write_at(new, 0, &[1; 10_000]).unwrap();
        fs.write_at(walk(&fs, "tiny"), 4, b"more").unwrap();
        fs.set_xattr(walk(&fs, "empty"), b"user.x", b"y", SetMode::Any).unwrap();
        fs.set_size(walk(&fs, "dir/large"), 1000).unwrap();
        fs.unmount().unwrap();
        check(&disk);
        let fs = mount(&disk);
        assert_eq!(read_all(&fs, walk(&fs, "tiny")), b"few mores");
        assert_eq!(read_all(&fs, walk(&fs, "dir/sub/new")), [1; 10_000]);
        assert_eq!(names(&fs, walk(&fs, "many")).len(), 1500);
    }
}

#[test]
fn block_maps_are_read_and_become_extents() {
    let tree = tempfile::tempdir().unwrap();
    make_tree(tree.path());
    for kind in
        [&["-t", "ext3"][..], &["-t", "ext2", "-b", "1024"], &["-t", "ext4", "-O", "^extent,^64bit", "-b", "1024"]]
    {
        let image = make_image(kind, "64M", tree.path());
        let disk = RamDisk::from_file(image.path());
        compare(&mount_read_only(&disk), 2, tree.path());
        let refused = Fs::mount(disk, World::new(), Options::default());
        assert_eq!(refused.err(), Some(MountError::WithoutExtents));
        run("debugfs", &["-w", "-R", "feature extent", image.path().to_str().unwrap()]);
        let disk = RamDisk::from_file(image.path());
        let fs = mount(&disk);
        compare(&fs, 2, tree.path());
        let large = walk(&fs, "dir/large");
        fs.write_at(large, 1_000_000, b"in the middle").unwrap();
        fs.create(walk(&fs, "many"), b"new", &file()).unwrap();
        fs.unlink(walk(&fs, "dir/sub"), b"exec").unwrap();
        fs.unmount().unwrap();
        check(&disk);
        let fs = mount(&disk);
        let mut part = [0; 13];
        fs.read_at(walk(&fs, "dir/large"), 1_000_000, &mut part).unwrap();
        assert_eq!(&part, b"in the middle");
        fs.unlink(walk(&fs, "dir"), b"large").unwrap();
        fs.unmount().unwrap();
        check(&disk);
    }
}

#[test]
fn unknown_features_are_refused_by_name() {
    let tree = tempfile::tempdir().unwrap();
    for (features, name) in
        [("casefold", "casefold"), ("encrypt", "encrypt"), ("ea_inode", "ea_inode"), ("bigalloc", "bigalloc")]
    {
        let image = make_image(&["-t", "ext4", "-O", features], "64M", tree.path());
        let error = Fs::mount(RamDisk::from_file(image.path()), World::new(), Options::default()).err().unwrap();
        assert_eq!(error.to_string(), format!("unsupported features: {name}"));
    }
    let image = make_image(&["-t", "ext4", "-O", "quota"], "64M", tree.path());
    let disk = RamDisk::from_file(image.path());
    mount_read_only(&disk);
    let error = Fs::mount(disk, World::new(), Options::default()).err().unwrap();
    assert_eq!(error.to_string(), "features that allow mounting read-only alone: quota");
    let error = Fs::mount(RamDisk::new(1 << 20), World::new(), Options::default()).err().unwrap();
    assert_eq!(error, MountError::NotExt4);
}

/// Ours, with something of everything.
fn populated() -> Arc<RamDisk> {
    let disk = formatted(64 << 20);
    let fs = mount(&disk);
    let dir = fs.create(2, b"dir", &directory()).unwrap();
    for number in 0..700 {
        let ino = fs.create(dir, format!("file {number}").as_bytes(), &file()).unwrap();
        fs.write_at(ino, 0, number.to_string().as_bytes()).unwrap();
    }
    let ino = fs.create(2, b"large", &file()).unwrap();
    fs.write_at(ino, 0, &large()).unwrap();
    fs.write_at(ino, 9 << 20, b"end").unwrap();
    fs.set_xattr(ino, b"user.name", &[b'v'; 1000], SetMode::Any).unwrap();
    fs.symlink(2, b"link", &file(), b"dir/file 3").unwrap();
    fs.unmount().unwrap();
    disk
}

fn large() -> Vec<u8> {
    (0..2_000_000_u32).map(|at| (at / 999) as u8).collect()
}

#[test]
fn ext4_view_and_debugfs_read_ours() {
    let disk = populated();
    let view = ext4_view::Ext4::load(Box::new(disk.bytes())).unwrap();
    assert_eq!(view.read_dir("/dir").unwrap().count(), 702);
    assert_eq!(view.read("/dir/file 699").unwrap(), b"699");
    assert_eq!(&view.read("/large").unwrap()[..2_000_000], large());
    assert_eq!(view.read("/link").unwrap(), b"3");
    let file = image(&disk.bytes());
    let path = file.path().to_str().unwrap();
    assert_eq!(
        run("debugfs", &["-R", "cat \"/dir/file 42\"", path]).lines().next(),
        Some("42debugfs 1.47.0 (5-Feb-2023)")
    );
    assert!(run("debugfs", &["-R", "ea_get /large user.name", path]).contains("vvvvvvvv"));
}

/// An image that Linux has mounted.
struct Mounted {
    folder: tempfile::TempDir,
}

impl Mounted {
    /// None where mounting is not allowed.
    fn new(image: &Path) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let status = Command::new("mount").args(["-t", "ext4", "-o", "loop"]).arg(image).arg(folder.path()).status();
        status.ok()?.success().then_some(Self { folder })
    }

    fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.folder.path()).status();
    }
}

#[test]
fn linux_reads_and_changes_ours() {
    let disk = populated();
    let file = image(&disk.bytes());
    let Some(mounted) = Mounted::new(file.path()) else { return };
    compare(&mount_read_only(&disk), 2, mounted.folder.path());
    for number in 0..300 {
        fs::write(mounted.path(&format!("dir/linux {number}")), number.to_string()).unwrap();
        fs::remove_file(mounted.path(&format!("dir/file {number}"))).unwrap();
    }
    fs::write(mounted.path("dir/file 500"), vec![5; 100_000]).unwrap();
    // As a crash would leave it: the journal is full of what is not in its place.
    run("sync", &["-f", mounted.path("dir").to_str().unwrap()]);
    let crashed = RamDisk::from_file(file.path());
    compare(&mount_read_only(&crashed), 2, mounted.folder.path());
    let fs = mount(&crashed);
    compare(&fs, 2, mounted.folder.path());
    fs.unmount().unwrap();
    check(&crashed);
}

#[test]
fn linux_and_e2fsck_replay_our_journal() {
    let disk = populated();
    let fs = mount(&disk);
    let dir = walk(&fs, "dir");
    for number in 0..300 {
        fs.unlink(dir, format!("file {number}").as_bytes()).unwrap();
        let ino = fs.create(dir, format!("new {number}").as_bytes(), &file()).unwrap();
        fs.write_at(ino, 0, &vec![number as u8; 5000]).unwrap();
        if number % 100 == 0 {
            fs.sync().unwrap();
        }
    }
    fs.rmdir(2, b"lost+found").unwrap();
    fs.sync().unwrap();
    let crashed = disk.bytes();
    let file = image(&crashed);
    if let Some(mounted) = Mounted::new(file.path()) {
        compare(&fs, 2, mounted.folder.path());
    }
    let file = image(&crashed);
    let path = file.path().to_str().unwrap();
    // 1: errors were corrected, here by replay; the rest must be clean.
    let _ = Command::new("e2fsck").args(["-p", path]).status().unwrap();
    run("e2fsck", &["-fn", path]);
    compare_with_view(&fs, path);
}

fn compare_with_view(fs: &Fs, path: &str) {
    let view = ext4_view::Ext4::load(Box::new(fs::read(path).unwrap())).unwrap();
    for (name, ino) in names(fs, walk(fs, "dir")) {
        assert_eq!(view.read(format!("/dir/{name}").as_str()).unwrap(), read_all(fs, ino), "{name}");
    }
}
