//! What `format` makes, and that e2fsprogs agrees.

mod common;

use common::*;

#[test]
fn an_empty_file_system_is_clean_in_all_sizes() {
    for (block_size, len) in [
        (4096, 1 << 20),
        (4096, 16 << 20),
        (4096, 128 << 20),
        (4096, (128 << 20) + (3 << 20)),
        (4096, (128 << 20) + (1 << 20)),
        (4096, 600 << 20),
        (1024, 4 << 20),
        (1024, 33 << 20),
        (1024, 300 << 20),
        (2048, 70 << 20),
    ] {
        let mut options = options();
        options.block_size = block_size;
        let disk = formatted_with(len, &options);
        println!("{block_size} {len}");
        check(&disk);
        let fs = mount_read_only(&disk);
        assert_eq!(names(&fs, fs.root()).len(), 1);
    }
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    assert_eq!(formatted(40 << 20).bytes(), formatted(40 << 20).bytes());
}

#[test]
fn mounting_and_unmounting_leaves_it_clean() {
    let disk = formatted(64 << 20);
    let fs = mount(&disk);
    fs.unmount().unwrap();
    check(&disk);
    let file = image(&disk.bytes());
    let said = run("dumpe2fs", &["-h", file.path().to_str().unwrap()]);
    assert!(said.contains("Filesystem state:         clean"), "{said}");
    assert!(!said.contains("needs_recovery"), "{said}");
}

#[test]
fn too_small_disks_are_refused() {
    let disk: std::sync::Arc<dyn rkt_ext4::Disk> = RamDisk::new(64 << 10);
    assert!(rkt_ext4::format(&disk, &options()).is_err());
}
