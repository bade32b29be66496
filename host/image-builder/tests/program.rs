//! Images of programs.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{restore, unpack, write};
use rkt_image_builder::{Kind, Options, ProgramImage, check};
use tempfile::TempDir;

#[test]
fn a_program_comes_with_what_it_loads() {
    let plan = ProgramImage::new("/bin/true").workdir("/work/dir").directory("/data").plan().unwrap();
    assert_eq!(plan.program, Path::new("/bin/true"));
    let (file, built) = write(&plan.tree, &Options::default());
    check(&file).unwrap();
    let entries = unpack(&file, &built);
    let real = |path: &str| fs::canonicalize(path).unwrap().to_str().unwrap()[1..].to_owned();
    for path in ["/bin/true", "/lib64/ld-linux-x86-64.so.2", "/bin/sh"] {
        assert!(entries[&real(path)].body == fs::read(path).unwrap(), "{path}");
    }
    assert!(entries.keys().any(|name| name.ends_with("/libc.so.6")));
    for directory in ["proc", "dev", "sys", "run", "root", "var/tmp", "work/dir", "data"] {
        assert_eq!(entries[directory].mode & 0o170000, 0o040000, "{directory}");
    }
    assert_eq!(entries["tmp"].mode, 0o041777);
    for file in ["etc/passwd", "etc/group", "etc/hosts", "etc/nsswitch.conf", "etc/resolv.conf"] {
        assert_eq!(entries[file].mode, 0o100644, "{file}");
    }
    // Of coreutils, only what was asked for.
    assert!(!entries.keys().any(|name| name.ends_with("bin/false") || name.contains("share/doc")));
}

#[test]
fn equal_programs_give_equal_images() {
    let digest = || write(&ProgramImage::new("sh").plan().unwrap().tree, &Options::default()).1;
    assert_eq!(digest(), digest());
}

#[test]
fn files_are_copied_through_the_links_of_the_image() {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("sub")).unwrap();
    fs::write(folder.path().join("sub/file"), "hello").unwrap();
    let image = ProgramImage::new("/bin/true")
        .copy(folder.path(), "/srv/site")
        .copy(folder.path().join("sub/file"), "/bin/hello");
    let plan = image.plan().unwrap();
    assert!(plan.tree.get(Path::new("/srv/site/sub/file")).is_some());
    let bin = fs::canonicalize("/bin").unwrap();
    assert!(plan.tree.get(&bin.join("hello")).is_some());

    // A folder is laid over the root; what is there keeps its owner and mode.
    fs::create_dir(folder.path().join("bin")).unwrap();
    fs::write(folder.path().join("bin/tool"), "").unwrap();
    let plan = ProgramImage::new("/bin/true").copy(folder.path(), "/").plan().unwrap();
    assert!(plan.tree.get(&bin.join("tool")).is_some());
    assert!(plan.tree.get(Path::new("/sub/file")).is_some());
    assert_eq!(plan.tree.get(Path::new("/")).unwrap().mode, 0o755);

    let onto_directory = ProgramImage::new("/bin/true").copy(folder.path().join("sub/file"), "/etc");
    assert!(format!("{:#}", onto_directory.plan().unwrap_err()).contains("same place"));
    let relative = ProgramImage::new("/bin/true").workdir("work");
    assert!(format!("{:#}", relative.plan().unwrap_err()).contains("not an absolute path"));
}

fn executable(folder: &TempDir, name: &str, contents: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, contents).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn error(program: impl Into<PathBuf>) -> String {
    format!("{:#}", ProgramImage::new(program).plan().unwrap_err())
}

/// An ELF file without an interpreter that needs `libnosuch.so.7`.
fn needs_missing_library() -> Vec<u8> {
    let mut file = b"\x7fELF\x02\x01\x01".to_vec();
    file.resize(16, 0);
    file.extend([3, 0, 62, 0, 1, 0, 0, 0]);
    let u64s = |file: &mut Vec<u8>, values: &[u64]| values.iter().for_each(|value| file.extend(value.to_le_bytes()));
    u64s(&mut file, &[0, 64, 0]);
    file.extend([0, 0, 0, 0, 64, 0, 56, 0, 2, 0, 64, 0, 0, 0, 0, 0]);
    file.extend([1, 0, 0, 0, 5, 0, 0, 0]);
    u64s(&mut file, &[0, 0, 0, 0x200, 0x200, 0x1000]);
    file.extend([2, 0, 0, 0, 4, 0, 0, 0]);
    u64s(&mut file, &[0x100, 0x100, 0, 48, 48, 8]);
    file.resize(0x100, 0);
    u64s(&mut file, &[5, 0x180, 10, 0x20, 1, 1]);
    file.resize(0x180, 0);
    file.extend(b"\0libnosuch.so.7\0");
    file.resize(0x200, 0);
    file
}

#[test]
fn errors_say_what_is_wrong() {
    let folder = TempDir::new().unwrap();
    assert!(error("no-such-program-at-all").contains("no-such-program-at-all: no such program on PATH"));
    assert!(error("/no/such/program").contains("/no/such/program: no such file"));
    assert!(error("/etc").contains("/etc is not a file"));
    assert!(error("/etc/passwd").contains("/etc/passwd: not an ELF file"));

    let mut foreign = fs::read("/bin/true").unwrap();
    foreign[18] = 183;
    let foreign = executable(&folder, "foreign", &foreign);
    assert!(error(&foreign).contains("another machine (e_machine 183)"), "{}", error(&foreign));

    let needy = executable(&folder, "needy", &needs_missing_library());
    let expected = format!("{} needs the library libnosuch.so.7, which is not found", needy.display());
    assert_eq!(error(&needy), expected);

    let script = executable(&folder, "script", b"#!/no/such/interpreter -x\n");
    let expected = format!("{} is a script: /no/such/interpreter: no such file", script.display());
    assert_eq!(error(&script), expected);
    let nothing = executable(&folder, "nothing", b"#!\n");
    assert!(error(&nothing).contains("without an interpreter"));
    let itself = folder.path().join("loop");
    fs::write(&itself, format!("#!{}\n", itself.display())).unwrap();
    assert!(error(&itself).contains("too many scripts"));
}

#[test]
fn libraries_are_found_beside_a_program() {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("lib")).unwrap();
    let mut program = needs_missing_library();
    // Two more entries of the dynamic section: DT_RUNPATH, DT_NULL.
    program[0x80 + 0x18..0x80 + 0x20].copy_from_slice(&[0; 8]);
    let filesz = 64 + 56 + 32;
    program[filesz..filesz + 8].copy_from_slice(&64u64.to_le_bytes());
    program[0x130..0x138].copy_from_slice(&29u64.to_le_bytes());
    program[0x138..0x140].copy_from_slice(&16u64.to_le_bytes());
    program[0x190..0x19c].copy_from_slice(b"$ORIGIN/lib\0");
    let program = executable(&folder, "program", &program);
    let library = folder.path().join("lib/libnosuch.so.7");
    // For another machine: passed over, as ld.so does.
    let mut foreign = fs::read("/bin/true").unwrap();
    foreign[18] = 183;
    fs::write(&library, foreign).unwrap();
    assert!(error(&program).contains("libnosuch.so.7"));
    fs::copy("/bin/true", &library).unwrap();
    let plan = ProgramImage::new(program).plan().unwrap();
    assert!(matches!(plan.tree.get(&library).unwrap().kind, Kind::File(_)));
}

#[test]
fn scripts_come_with_their_interpreters() {
    let folder = TempDir::new().unwrap();
    let tool = executable(&folder, "tool", &fs::read("/bin/true").unwrap());
    let script = executable(&folder, "script", b"#!/usr/bin/env -S tool --flag\n");
    let plan = ProgramImage::new(&script).search_path(folder.path()).plan().unwrap();
    for path in [Path::new("/usr/bin/env"), &tool, &script] {
        assert!(plan.tree.get(path).is_some(), "{}", path.display());
    }
    assert_eq!(plan.program, script);
}

#[test]
fn shims_are_seen_through() {
    let root = TempDir::new().unwrap();
    for directory in ["shims", "versions/1.2/bin", "versions/1.2/lib/tool/deep/test"] {
        fs::create_dir_all(root.path().join(directory)).unwrap();
    }
    fs::write(root.path().join("version"), "1.2\n").unwrap();
    executable(&root, "shims/tool", b"#!/bin/sh\n");
    let tool = executable(&root, "versions/1.2/bin/tool", &fs::read("/bin/true").unwrap());
    fs::write(root.path().join("versions/1.2/lib/tool/deep/module"), "").unwrap();
    let plan = ProgramImage::new("tool").search_path(root.path().join("shims")).plan().unwrap();
    assert_eq!(plan.program, tool);
    assert!(plan.tree.get(&root.path().join("versions/1.2/lib/tool/deep/module")).is_some());
    assert!(plan.tree.get(&root.path().join("versions/1.2/lib/tool/deep/test")).is_none());
}

/// Runs programs in the restored image, cut off from the host's files by chroot(8),
/// which only root may use.
#[test]
fn programs_run_in_their_images() {
    let is_root = rustix::process::geteuid().is_root();
    let programs: &[(&str, &[&str])] = &[
        ("/bin/sh", &["-c", "echo ran"]),
        ("/usr/bin/python3", &["-c", "import json, socket, ssl, sqlite3, ctypes, decimal; print('ran')"]),
        ("perl", &["-MPOSIX", "-MList::Util", "-MEncode", "-e", "print 'ran'"]),
        ("sqlite3", &[":memory:", "select 'ran'"]),
        ("busybox", &["echo", "ran"]),
        ("redis-server", &["--version"]),
        ("nginx", &["-v"]),
    ];
    for (program, arguments) in programs {
        let Ok(plan) = ProgramImage::new(*program).plan() else { continue };
        assert_eq!(plan.warnings, Vec::<String>::new(), "{program}");
        let (file, built) = write(&plan.tree, &Options::default());
        let entries = unpack(&file, &built);
        if !is_root {
            continue;
        }
        let root = TempDir::new().unwrap();
        restore(&entries, root.path());
        // The enclave has its own devices; to these programs an empty file is as good.
        fs::write(root.path().join("dev/null"), "").unwrap();
        let output = Command::new("chroot").arg(root.path()).arg(&plan.program).args(*arguments).output().unwrap();
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        if arguments.iter().any(|argument| argument.contains("ran")) {
            assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "ran", "{program}");
        }
    }
}
