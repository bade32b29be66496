//! Disks of the host as file systems of the enclave, judged by e2fsck and by what is there after a crash.

use rkt_tests_e2e::{Finished, finish, rkt_io};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

/// Long enough for some hundred transactions, under any load.
const PATIENCE: Duration = Duration::from_millis(100);

fn tool(command: &str, args: &[&str]) -> (i32, String) {
    let output = Command::new(command).args(args).output().unwrap_or_else(|error| panic!("{command}: {error}"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code().unwrap_or(-1), said)
}

fn succeeds(command: &str, args: &[&str]) -> String {
    let (status, said) = tool(command, args);
    assert_eq!(status, 0, "{command} {args:?}: {said}");
    said
}

/// An empty ext4 as Debian's mke2fs makes it.
fn make(image: &Path) {
    fs::File::create(image).unwrap().set_len(96 << 20).unwrap();
    succeeds("mke2fs", &["-q", "-t", "ext4", image.to_str().unwrap()]);
}

fn python(disk: &str, program: &str) -> Command {
    let mut command = Command::new(rkt_io());
    command.args(["run", "--quiet", "--net", "none", "--disk", disk, "--", "/usr/bin/python3", "-u", "-c", program]);
    command
}

fn run(disk: &str, program: &str) -> Finished {
    finish(&mut python(disk, program), b"")
}

const EVERYTHING: &str = r#"
import hashlib, mmap, os, sqlite3
d = '/data/'
open(d + 'a', 'w').write('hello\n')
os.mkdir(d + 'd'); os.symlink('a', d + 's'); os.link(d + 'a', d + 'h')
print(sorted(os.listdir(d)), os.stat(d + 'a').st_nlink, os.readlink(d + 's'))
block = os.urandom(1 << 20)
with open(d + 'big', 'wb') as f:
    for i in range(20): f.write(block)
    f.flush(); os.fsync(f.fileno())
print(hashlib.sha256(open(d + 'big', 'rb').read()).digest() == hashlib.sha256(block * 20).digest())
f = open(d + 'm', 'w+b'); f.truncate(1 << 20); m = mmap.mmap(f.fileno(), 1 << 20)
m[5000:5005] = b'abcde'; m.flush()
print(os.pread(f.fileno(), 5, 5000)); os.pwrite(f.fileno(), b'ZZ', 5001); print(m[5000:5005]); m.close()
f.truncate(100); f.truncate(9000); print(os.pread(f.fileno(), 5, 5000))
for mode in ('wal', 'delete'):
    c = sqlite3.connect(d + mode + '.db'); c.execute('pragma journal_mode=' + mode); c.execute('create table t(a)')
    for i in range(50):
        c.execute('insert into t values(?)', (i,)); c.commit()
    print(c.execute('select count(*), sum(a) from t').fetchone(), c.execute('pragma integrity_check').fetchone())
    c.close()
os.rename(d + 'a', d + 'd/b'); os.unlink(d + 'h')
for i in range(300): open(d + 'd/f%d' % i, 'w').write('x' * i)
for i in range(0, 300, 2): os.unlink(d + 'd/f%d' % i)
os.setxattr(d + 'd/b', 'user.k', b'v'); os.chmod(d + 'd/b', 0o640); os.utime(d + 'd/b', (1e9, 1e9))
print(len(os.listdir(d + 'd')))
"#;

#[test]
fn e2fsck_and_debugfs_agree_with_what_a_program_did() {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("disk.img");
    make(&image);
    let disk = format!("file={},format=plain,mount=/data", image.display());
    let said = run(&disk, EVERYTHING).succeeded();
    let expected = "['a', 'd', 'h', 'lost+found', 's'] 2 a\nTrue\nb'abcde'\nb'aZZde'\nb'\\x00\\x00\\x00\\x00\\x00'\n\
                    (50, 1225) ('ok',)\n(50, 1225) ('ok',)\n151\n";
    assert_eq!(said, expected);
    let path = image.to_str().unwrap();
    succeeds("e2fsck", &["-fn", path]);
    let stat = succeeds("debugfs", &["-R", "stat /d/b", path]);
    assert!(stat.contains("Mode:  0640") && stat.contains("user.k") && stat.contains("mtime: 0x3b9aca00"), "{stat}");
    assert!(succeeds("debugfs", &["-R", "cat /d/b", path]).starts_with("hello\n"));
    // And again from the disk.
    let again = "import os; print(open('/data/d/f299').read() == 'x' * 299, os.readlink('/data/s'))";
    assert_eq!(run(&disk, again).succeeded(), "True a\n");
}

#[test]
fn what_was_committed_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("disk.img");
    make(&image);
    let disk = format!("file={},format=plain,mount=/data", image.display());
    let program = "import sqlite3\nc = sqlite3.connect('/data/t.db'); c.execute('pragma journal_mode=wal'); c.execute('pragma synchronous=FULL')\n\
                   c.execute('create table t(a)'); c.commit()\nfor i in range(10**9):\n  c.execute('insert into t values(?)', (i,)); c.commit(); print(i)";
    let out = folder.path().join("out");
    let mut running =
        python(&disk, program).stdout(fs::File::create(&out).unwrap()).stdin(Stdio::null()).spawn().unwrap();
    while fs::read_to_string(&out).unwrap().lines().count() < 30 {
        assert!(running.try_wait().unwrap().is_none(), "ended too early");
        sleep(PATIENCE);
    }
    running.kill().unwrap();
    running.wait().unwrap();
    let told: Vec<u64> = fs::read_to_string(&out).unwrap().lines().filter_map(|line| line.parse().ok()).collect();
    let check = "import sqlite3; c = sqlite3.connect('/data/t.db'); \
                 print(c.execute('select count(*) from t').fetchone()[0], c.execute('pragma integrity_check').fetchone()[0])";
    let said = run(&disk, check).succeeded();
    let (count, whole) = said.trim().split_once(' ').unwrap();
    // The last line may have been cut short, and the next transaction may have made it.
    assert!(count.parse::<u64>().unwrap() >= told.len() as u64 && whole == "ok", "{said} after {:?}", told.last());
    succeeds("e2fsck", &["-fn", image.to_str().unwrap()]);
}

#[test]
fn a_luks_container_hides_what_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    make(Path::new(&path("plain.img")));
    let secret = ["--object", "secret,id=s,data=open sesame"];
    let convert = ["convert", "-f", "raw", "-O", "luks", secret[0], secret[1], "-o", "key-secret=s,iter-time=10"];
    let (plain, container, back) = (path("plain.img"), path("luks.img"), path("back.img"));
    succeeds("qemu-img", &[&convert[..], &[&plain, &container]].concat());
    fs::write(path("key"), "open sesame").unwrap();
    fs::write(path("wrong"), "close sesame").unwrap();
    let disk = |key: &str| format!("file={container},format=luks,key-file={},mount=/data", path(key));
    let write = "import os; open('/data/x', 'w').write('canary-of-the-test ' * 1000); os.sync(); print(sorted(os.listdir('/data')))";
    assert_eq!(run(&disk("key"), write).succeeded(), "['lost+found', 'x']\n");
    let bytes = fs::read(&container).unwrap();
    assert!(!bytes.windows(18).any(|window| window == b"canary-of-the-test"), "plaintext on the disk");
    let refused = run(&disk("wrong"), "");
    assert!(refused.status == 125 && refused.stderr.contains("key"), "{}", refused.stderr);
    // QEMU decrypts what we wrote.
    let source = format!("driver=luks,file.filename={container},key-secret=s");
    succeeds("qemu-img", &["convert", secret[0], secret[1], "--image-opts", &source, "-O", "raw", &back]);
    succeeds("e2fsck", &["-fn", &back]);
    assert!(succeeds("debugfs", &["-R", "cat /x", &back]).contains("canary-of-the-test canary"));
}

#[test]
fn a_disk_that_is_none_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("noise.img");
    fs::write(&image, vec![0x5a; 8 << 20]).unwrap();
    let disk = format!("file={},format=plain,mount=/data", image.display());
    let refused = run(&disk, "print(1)");
    assert!(refused.status == 125 && refused.stderr.contains("disk0"), "{} {}", refused.status, refused.stderr);
}
