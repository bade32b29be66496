//! Disk images, judged by the tools of e2fsprogs and cryptsetup.

use rkt_image_builder::{DiskFormat, DiskImage, DiskKind, DiskOptions, change_key, create_disk, from_folder};
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

const TIME: u32 = 1_000_000;

/// A folder with one of each.
fn sample() -> TempDir {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir_all(at("sub/empty")).unwrap();
    fs::create_dir(at("many")).unwrap();
    for nth in 0..600 {
        fs::write(at("many").join(format!("a file with a long name, number {nth}")), vec![b'x'; nth]).unwrap();
    }
    fs::write(at("large"), (0..3_000_000u32).flat_map(u32::to_le_bytes).collect::<Vec<_>>()).unwrap();
    fs::write(at("tool"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(at("tool"), fs::Permissions::from_mode(0o4750)).unwrap();
    fs::hard_link(at("tool"), at("sub/tool-too")).unwrap();
    symlink("../large", at("sub/link")).unwrap();
    symlink("x".repeat(200), at("dangling")).unwrap();
    folder
}

fn tool(command: &str, args: &[&str]) -> String {
    let output = Command::new(command).args(args).output().unwrap_or_else(|error| panic!("{command}: {error}"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command} {args:?}: {said}");
    said
}

/// Makes an image of the sample; gives its path too.
fn make(folder: &Path, name: &str, format: DiskFormat<'_>) -> (String, File, rkt_image_builder::CreatedDisk) {
    let source = sample();
    let path = folder.join(name);
    let file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
    let options = DiskOptions { format, size: None, clamp_mtime: Some(TIME) };
    let mut contents = 0;
    let tree = from_folder(source.path()).unwrap();
    let made = create_disk(tree, &file, &options, &mut |bytes| contents += bytes).unwrap();
    assert!(contents >= 12_000_000, "progress is told of {contents} bytes");
    (path.to_str().unwrap().to_owned(), file, made)
}

#[test]
fn e2fsck_and_debugfs_agree_with_the_folder() {
    let folder = TempDir::new().unwrap();
    let (path, file, _) = make(folder.path(), "plain", DiskFormat::Ext4);
    tool("e2fsck", &["-fn", &path]);
    let out = folder.path().join("out");
    fs::create_dir(&out).unwrap();
    tool("debugfs", &["-R", &format!("rdump / {}", out.display()), &path]);
    let source = sample();
    tool(
        "diff",
        &["-r", "--no-dereference", source.path().join("many").to_str().unwrap(), out.join("many").to_str().unwrap()],
    );
    assert!(fs::read(out.join("large")).unwrap() == fs::read(source.path().join("large")).unwrap());
    assert_eq!(fs::read_link(out.join("dangling")).unwrap().as_os_str().len(), 200);
    let stat = tool("debugfs", &["-R", "stat /tool", &path]);
    assert!(stat.contains("Mode:  04750") && stat.contains("Links: 2") && stat.contains("mtime: 0x000f4240"), "{stat}");
    // And by our own reader.
    let image = DiskImage::open(&file, DiskKind::of(&file).unwrap().unwrap(), None).unwrap();
    image.check().unwrap();
    assert!(image.entries.contains_key(&b"proc"[..]), "where things are mounted there are directories");
    assert!(image.read(b"/sub/link", 1 << 30).unwrap().unwrap() == fs::read(source.path().join("large")).unwrap());
    let copy = folder.path().join("copy");
    image.copy_out(b"/sub", &copy).unwrap();
    assert_eq!(fs::read_link(copy.join("link")).unwrap(), Path::new("../large"));
    assert_eq!(fs::metadata(copy.join("tool-too")).unwrap().mode() & 0o7777, 0o750, "no rights of another");
}

#[test]
fn equal_folders_give_equal_disks() {
    let folder = TempDir::new().unwrap();
    let bytes = |name: &str, format| fs::read(make(folder.path(), name, format).0).unwrap();
    assert!(bytes("a", DiskFormat::Ext4) == bytes("b", DiskFormat::Ext4));
    assert!(bytes("c", DiskFormat::Verity) == bytes("d", DiskFormat::Verity));
}

#[test]
fn cryptsetup_opens_what_was_made_and_only_with_its_key() {
    let folder = TempDir::new().unwrap();
    let (path, file, _) = make(folder.path(), "luks", DiskFormat::Luks2(b"open sesame"));
    let key = |text: &str| {
        let file = folder.path().join(text);
        fs::write(&file, text).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let fits = |key: &str| {
        let args = ["luksOpen", "--test-passphrase", "--key-file", key, &path];
        Command::new("cryptsetup").args(args).output().unwrap().status.success()
    };
    assert!(tool("cryptsetup", &["luksDump", &path]).contains("aes-xts-plain64"));
    assert!(fits(&key("open sesame")) && !fits(&key("close sesame")));
    let kind = DiskKind::of(&file).unwrap().unwrap();
    let image = DiskImage::open(&file, kind, Some(b"open sesame")).unwrap();
    assert_eq!(image.read(b"tool", 100).unwrap().unwrap(), b"#!/bin/sh\n");
    assert!(
        DiskImage::open(&file, kind, Some(b"close sesame")).is_err() && DiskImage::open(&file, kind, None).is_err()
    );
    assert!(!fs::read(&path).unwrap().windows(10).any(|window| window == b"#!/bin/sh\n"), "plaintext");
    change_key(&file, b"open sesame", b"new").unwrap();
    assert!(fits(&key("new")) && !fits(&key("open sesame")));
    assert!(change_key(&file, b"open sesame", b"x").is_err());
}

#[test]
fn veritysetup_vouches_for_what_was_made() {
    let folder = TempDir::new().unwrap();
    let (path, file, made) = make(folder.path(), "verity", DiskFormat::Verity);
    let pin = made.pin.unwrap();
    let Some(DiskKind::Verity(found, tree)) = DiskKind::of(&file).unwrap() else { panic!("no verity image") };
    assert_eq!(found, pin);
    let root: String = pin.root.iter().map(|byte| format!("{byte:02x}")).collect();
    tool("veritysetup", &["verify", &format!("--hash-offset={tree}"), &path, &path, &root]);
    let open = || DiskImage::open(&file, DiskKind::of(&file).unwrap().unwrap(), None).unwrap();
    open().check().unwrap();
    file.write_all_at(b"y", tree - 1).unwrap();
    assert!(open().check().is_err(), "an altered block is found");
}

#[test]
fn what_does_not_fit_is_said() {
    let folder = TempDir::new().unwrap();
    let source = sample();
    let file = File::options().read(true).write(true).create_new(true).open(folder.path().join("small")).unwrap();
    let options = DiskOptions { format: DiskFormat::Ext4, size: Some(10 << 20), clamp_mtime: None };
    let error = create_disk(from_folder(source.path()).unwrap(), &file, &options, &mut |_| {}).unwrap_err();
    assert!(format!("{error:#}").contains("--size"), "{error:#}");
    assert!(DiskKind::of(&File::open("/dev/null").unwrap()).unwrap().is_none());
}
