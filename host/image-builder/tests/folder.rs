//! Images of folders, and images that were altered.

mod common;

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::Path;

use common::{unpack, write};
use rkt_image_builder::{Compression, Options, check, from_folder, inspect};
use rkt_image_format::CHUNK_SIZE_MIN;
use tempfile::TempDir;

/// A folder with one of each: large, empty and equal files, links of both kinds, modes.
fn sample() -> TempDir {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir_all(at("sub/empty")).unwrap();
    fs::write(at("-before-dot"), "x").unwrap();
    fs::write(at("large"), (0..500_000u32).flat_map(|i| (i / 3).to_le_bytes()).collect::<Vec<_>>()).unwrap();
    fs::copy(at("large"), at("sub/same")).unwrap();
    fs::write(at("sub/nothing"), "").unwrap();
    fs::write(at("tool"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(at("tool"), fs::Permissions::from_mode(0o4750)).unwrap();
    fs::hard_link(at("tool"), at("sub/tool-too")).unwrap();
    symlink("../large", at("sub/link")).unwrap();
    symlink("/no/such", at("dangling")).unwrap();
    let time = fs::FileTimes::new().set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000));
    File::options().write(true).open(at("large")).unwrap().set_times(time).unwrap();
    folder
}

#[test]
fn a_folder_comes_back_as_it_was() {
    let folder = sample();
    for compression in [Compression::None, Compression::Zstd(1)] {
        let options = Options { compression, ..Options::default() };
        let (file, built) = write(&from_folder(folder.path()).unwrap(), &options);
        let entries = unpack(&file, &built);
        assert_eq!(entries.len(), 11);
        assert_eq!(built.files, 11);
        assert!(entries["large"].body == fs::read(folder.path().join("large")).unwrap());
        assert_eq!(entries["large"].mtime, 1_000_000);
        assert!(entries["sub/same"].body == entries["large"].body);
        assert_eq!(entries["sub/nothing"].body, b"");
        assert_eq!(entries["sub/link"].body, b"../large");
        assert_eq!(entries["dangling"].mode & 0o170000, 0o120000);
        assert_eq!(entries["tool"], entries["sub/tool-too"]);
        assert_eq!((entries["tool"].mode, entries["tool"].nlink), (0o104750, 2));
        assert_ne!(entries["large"].ino, entries["sub/same"].ino);
        // The two large files are stored once.
        assert!(built.data < 2_100_000, "{}", built.data);
        check(&file).unwrap();
    }
}

#[test]
fn equal_folders_give_equal_images() {
    let image = |options: &Options| {
        let folder = sample();
        write(&from_folder(folder.path()).unwrap(), options).1
    };
    let clamped = Options { clamp_mtime: Some(5), ..Options::default() };
    assert_eq!(image(&clamped), image(&clamped));
    let compressed = Options { compression: Compression::Zstd(3), chunk_size: CHUNK_SIZE_MIN, ..clamped };
    assert_eq!(image(&compressed), image(&compressed));
    assert_ne!(image(&clamped).digest, image(&compressed).digest);
    assert!(image(&compressed).bytes < image(&clamped).bytes);
}

#[test]
fn times_are_clamped_downwards_only() {
    let folder = sample();
    let options = Options { clamp_mtime: Some(2_000_000), ..Options::default() };
    let (file, built) = write(&from_folder(folder.path()).unwrap(), &options);
    let entries = unpack(&file, &built);
    assert_eq!(entries["large"].mtime, 1_000_000);
    assert_eq!(entries["tool"].mtime, 2_000_000);
}

#[test]
fn inspection_lists_the_entries() {
    let folder = sample();
    let (file, built) = write(&from_folder(folder.path()).unwrap(), &Options::default());
    let inspection = inspect(&file).unwrap();
    assert_eq!(inspection.digest, built.digest);
    assert_eq!(inspection.superblock.image_length(), built.bytes);
    assert_eq!(inspection.entries[0].name, b".");
    let find = |name: &str| inspection.entries.iter().find(|entry| entry.name == name.as_bytes()).unwrap();
    assert_eq!(find("large").extent.length, 2_000_000);
    assert_eq!(find("sub/link").target, b"../large");
}

/// No byte of an image can change without notice: either the image does not check any
/// more, or it is another image.
#[test]
fn every_altered_byte_is_noticed() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("file"), "contents ".repeat(1000)).unwrap();
    for compression in [Compression::None, Compression::Zstd(1)] {
        let options = Options { compression, ..Options::default() };
        let (file, built) = write(&from_folder(folder.path()).unwrap(), &options);
        for position in (0..built.bytes).step_by(23).chain(4096..4200).chain([built.bytes - 1]) {
            let mut byte = [0];
            file.read_exact_at(&mut byte, position).unwrap();
            file.write_all_at(&[byte[0] ^ 0x10], position).unwrap();
            if let Ok(inspection) = check(&file) {
                assert_ne!(inspection.digest, built.digest, "byte {position}");
            }
            file.write_all_at(&byte, position).unwrap();
        }
        check(&file).unwrap();
        file.set_len(built.bytes + 1).unwrap();
        assert!(check(&file).unwrap_err().to_string().contains("longer"));
        file.set_len(built.bytes - 1).unwrap();
        assert!(check(&file).is_err());
    }
}

#[test]
fn only_folders_are_folders() {
    let missing = from_folder(Path::new("/no/such/folder")).unwrap_err();
    assert!(missing.to_string().contains("/no/such/folder"));
    assert!(from_folder(Path::new("/etc/passwd")).unwrap_err().to_string().contains("not a directory"));
    let image = File::open("/etc/passwd").unwrap();
    assert!(inspect(&image).is_err());
}
