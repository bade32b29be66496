//! Enclaves whose root is a disk, and named volumes.

use rkt_tests_e2e::{Finished, finish, rkt_io};
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// A folder with busybox, and a key.
fn source() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("root/bin")).unwrap();
    fs::create_dir(folder.path().join("root/etc")).unwrap();
    fs::copy("/bin/busybox", folder.path().join("root/bin/busybox")).unwrap();
    fs::write(folder.path().join("root/etc/passwd"), "root:x:0:0::/:/bin/sh\nme:x:7:8::/:/bin/sh\n").unwrap();
    fs::write(folder.path().join("root/file"), "from the image\n").unwrap();
    fs::write(folder.path().join("key"), "open sesame").unwrap();
    folder
}

fn create(folder: &Path, format: &str) -> String {
    let image = folder.join(format).to_str().unwrap().to_owned();
    let root = folder.join("root");
    let mut command = Command::new(rkt_io());
    command.args(["image", "create", "--quiet", "--format", format, "--out", &image, "--from-dir"]).arg(root);
    if format == "luks2" {
        command.arg("--key-file").arg(folder.join("key"));
    }
    finish(&mut command, b"").succeeded();
    image
}

fn run(options: &[&str], image: &str, script: &str) -> Finished {
    let mut command = Command::new(rkt_io());
    command.args(["run", "--quiet", "--net", "none"]).args(options).args([image, "/bin/busybox", "sh", "-c", script]);
    finish(&mut command, b"")
}

#[test]
fn a_plain_disk_is_a_root_that_keeps_changes() {
    let folder = source();
    let image = create(folder.path(), "ext4");
    let said = run(&["-u", "me"], &image, "id -u; cat /file; echo $$ >/dev/null; ls /proc/self/exe /dev/null");
    assert_eq!(said.succeeded(), "7\nfrom the image\n/dev/null\n/proc/self/exe\n");
    assert_eq!(run(&[], &image, "echo changed >/file; mkdir /new; sync").succeeded(), "");
    assert_eq!(
        run(&[], &image, "cat /file; cat /proc/mounts | grep ' / '").succeeded(),
        "changed\n/dev/root / ext4 rw,relatime 0 0\n"
    );
    let refused = run(&["--read-only"], &image, "cat /file; echo x >/file");
    assert!(refused.stdout == b"changed\n" && refused.status != 0, "{}", refused.stderr);
    let check = Command::new("e2fsck").args(["-fn", &image]).output().unwrap();
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout));
}

#[test]
fn an_encrypted_disk_is_a_root_with_its_key() {
    let folder = source();
    let image = create(folder.path(), "luks2");
    let key = folder.path().join("key");
    let key = ["--key-file", key.to_str().unwrap()];
    assert_eq!(run(&key, &image, "cat /file; echo kept >/file").succeeded(), "from the image\n");
    assert_eq!(run(&key, &image, "cat /file").succeeded(), "kept\n");
    let refused = run(&[], &image, "cat /file");
    assert!(refused.status == 125 && refused.stderr.contains("key"), "{}", refused.stderr);
}

#[test]
fn a_verity_disk_is_a_root_whose_changes_end_with_the_enclave() {
    let folder = source();
    let image = create(folder.path(), "verity");
    let before = fs::read(&image).unwrap();
    let digest = finish(Command::new(rkt_io()).args(["image", "measure", &image]), b"").succeeded();
    let script = "cat /file; echo changed >/file; mkdir /new && cp /bin/busybox /new/; sync; cat /file; ls /new";
    let said = run(&["--digest", digest.trim()], &image, script).succeeded();
    assert_eq!(said, "from the image\nchanged\nbusybox\n");
    assert_eq!(run(&[], &image, "cat /file; ls / | grep new").stdout, b"from the image\n");
    assert!(fs::read(&image).unwrap() == before, "the image stays as it is");
    let other = format!("sha256:{}", "0".repeat(64));
    let refused = run(&["--digest", &other], &image, "cat /file");
    assert!(refused.status == 125 && refused.stderr.contains("another image"), "{}", refused.stderr);
    // What the tree does not vouch for is not read.
    let at = before.windows(14).position(|window| window == b"from the image").unwrap();
    fs::File::options().write(true).open(&image).unwrap().write_all_at(b"F", at as u64).unwrap();
    let altered = run(&["--digest", digest.trim()], &image, "cat /file");
    assert!(altered.status != 0 && altered.stdout.is_empty(), "{}", altered.stderr);
}

#[test]
fn a_volume_is_made_at_its_first_use_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let run = |script: &str| {
        let mut command = Command::new(rkt_io());
        command.args(["run", "--net", "none", "-v", "data:/srv/data", "--", "/bin/busybox", "sh", "-c", script]);
        finish(command.env("XDG_DATA_HOME", folder.path()), b"")
    };
    let first = run("echo canary-of-the-volume >/srv/data/file; df /srv/data | tail -1 | awk '{print $2 > 15000000}'");
    assert!(first.stderr.contains("data.key"), "it says where the key lies: {}", first.stderr);
    first.succeeded();
    let again = run("cat /srv/data/file");
    assert!(!again.stderr.contains("data.key"));
    assert_eq!(again.succeeded(), "canary-of-the-volume\n");
    let volumes = folder.path().join("rkt-io/volumes");
    let key = volumes.join("data.key");
    let container = volumes.join("data.luks");
    let mut cryptsetup = Command::new("cryptsetup");
    cryptsetup.args(["luksOpen", "--test-passphrase", "--key-file"]).arg(&key).arg(&container);
    assert!(cryptsetup.status().unwrap().success());
    let mut start = vec![0; 64 << 20];
    fs::File::open(container).unwrap().read_exact_at(&mut start, 0).unwrap();
    assert!(!start.windows(20).any(|window| window == b"canary-of-the-volume"), "plaintext in the volume");
}
