//! Container images run as docker runs them, from layouts and archives made here of busybox.

#[path = "../../../host/image-builder/tests/archive/mod.rs"]
#[allow(dead_code, reason = "made for the builder's own tests, which use all of it")]
mod archive;

use archive::{Layer, Layout, gzip, pack};
use rkt_tests_e2e::{Finished, finish, rkt_io, until};
use std::fs;
use std::path::Path;
use std::process::Command;

const CONFIG: &str = r#"{
    "User": "me", "Env": ["GREETING=hello", "PATH=/bin"], "WorkingDir": "/data",
    "Entrypoint": ["/bin/busybox", "sh", "-c"], "Cmd": ["id; pwd; echo $GREETING $HOME"], "StopSignal": "SIGINT"
}"#;

/// busybox, with the few files that name users.
fn image(config: &str) -> Layout {
    let base = Layer::new()
        .directory("data", 0o755)
        .program("bin/busybox", &fs::read("/bin/busybox").expect("Debian's busybox-static"))
        .file("etc/passwd", "root:x:0:0::/root:/bin/sh\nme:x:1000:100::/home/me:/bin/sh\n")
        .file("etc/group", "root:x:0:\nusers:x:100:\nextra:x:7:me\n")
        .file("data/lower", "lower");
    let upper =
        Layer::new().file("data/.wh.lower", "").pax(&[("SCHILY.xattr.user.note", b"kept")]).file("data/upper", "upper");
    Layout::new().config(config).layer(gzip(base.finish())).layer(upper.finish())
}

fn run(options: &[&str], image: &Path, args: &[&str]) -> Finished {
    let mut command = Command::new(rkt_io());
    command.args(["run", "--quiet", "--net", "none"]).args(options).arg(image).args(args);
    finish(&mut command, b"")
}

#[test]
fn an_image_says_how_it_is_run() {
    let folder = tempfile::tempdir().unwrap();
    image(CONFIG).write(folder.path());
    let said = run(&[], folder.path(), &[]).succeeded();
    assert_eq!(said, "uid=1000(me) gid=100(users) groups=7(extra),100(users)\n/data\nhello /home/me\n");
    assert_eq!(run(&[], folder.path(), &["ls /data"]).succeeded(), "upper\n");
    let over = ["-u", "0:7", "-w", "/etc", "-e", "GREETING=bye", "--entrypoint", "/bin/busybox"];
    let said = run(&over, folder.path(), &["sh", "-c", "id -u; id -g; pwd; echo $GREETING"]).succeeded();
    assert_eq!(said, "0\n7\n/etc\nbye\n");
    let none = run(&["--entrypoint", "/bin/nothing"], folder.path(), &[]);
    assert_eq!(none.status, 127, "{}", none.stderr);
    let nobody = run(&["-u", "nobody"], folder.path(), &[]);
    assert!(nobody.status == 125 && nobody.stderr.contains("no user \"nobody\""), "{}", nobody.stderr);
}

#[test]
fn layout_archive_and_rkt_image_are_one_image() {
    let folder = tempfile::tempdir().unwrap();
    let (layout, archive, docker, made) = ("oci", "oci.tar", "docker.tar.gz", "a.rkt");
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path(layout)).unwrap();
    image(CONFIG).write(&path(layout));
    fs::write(path(archive), pack(&path(layout))).unwrap();
    fs::write(path(docker), gzip(image(CONFIG).docker_archive())).unwrap();
    let mut create = Command::new(rkt_io());
    create.args(["image", "create", "--from-oci"]).arg(path(layout)).arg("--out").arg(path(made));
    finish(&mut create, b"").succeeded();
    let digest = finish(Command::new(rkt_io()).args(["image", "measure"]).arg(path(made)), b"").succeeded();
    for name in [layout, archive, docker, made] {
        let said = run(&["--digest", digest.trim()], &path(name), &["echo $GREETING"]);
        assert_eq!((said.status, said.stdout.as_slice()), (0, &b"hello\n"[..]), "{name}: {}", said.stderr);
    }
    let other = format!("sha256:{}", "0".repeat(64));
    let refused = run(&["--digest", &other], &path(made), &[]);
    assert_eq!(refused.status, 125);
    assert!(refused.stderr.contains("another image") && refused.stderr.contains(digest.trim()), "{}", refused.stderr);
    let copied = run(&["--copy", &format!("{}:/data/new", path(docker).display())], &path(layout), &["ls /data"]);
    assert_eq!(copied.succeeded(), "new\nupper\n");
    assert_eq!(run(&["--copy", "/etc/hostname:/x"], &path(made), &[]).status, 125);
}

#[test]
fn a_container_image_can_be_a_disk() {
    let folder = tempfile::tempdir().unwrap();
    let (layout, key) = (folder.path().join("oci"), folder.path().join("key"));
    fs::create_dir(&layout).unwrap();
    image(CONFIG).write(&layout);
    fs::write(&key, "open sesame").unwrap();
    for format in ["ext4", "luks2", "verity"] {
        let disk = folder.path().join(format);
        let key: &[&str] = if format == "luks2" { &["--key-file", key.to_str().unwrap()] } else { &[] };
        let mut create = Command::new(rkt_io());
        create.args(["image", "create", "--quiet", "--format", format, "--out"]).arg(&disk).args(key);
        finish(create.arg("--from-oci").arg(&layout), b"").succeeded();
        let said = run(key, &disk, &[]).succeeded();
        assert_eq!(said, "uid=1000(me) gid=100(users) groups=7(extra),100(users)\n/data\nhello /home/me\n", "{format}");
        assert_eq!(run(key, &disk, &["ls /data"]).succeeded(), "upper\n", "{format}");
    }
    let check = Command::new("e2fsck").arg("-fn").arg(folder.path().join("ext4")).output().unwrap();
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout));
}

#[test]
fn a_detached_run_is_listed_logged_and_stopped() {
    let folder = tempfile::tempdir().unwrap();
    image(CONFIG).write(folder.path());
    let state = tempfile::tempdir().unwrap();
    let command = |args: &[&str]| {
        let mut command = Command::new(rkt_io());
        command.env("XDG_RUNTIME_DIR", state.path()).args(args);
        command
    };
    // The image asks for SIGINT, which this program answers by itself.
    let script = "trap 'echo asked; exit 9' INT; echo ready; echo error >&2; while :; do sleep 1; done";
    let mut start = command(&["run", "-d", "--quiet", "--net", "none", "--name", "one"]);
    let started = finish(start.arg(folder.path()).arg(script), b"").succeeded();
    assert_eq!(started, "one\n");
    assert!(finish(&mut command(&["ps"]), b"").succeeded().contains("running"));
    let log = || finish(&mut command(&["logs", "one"]), b"");
    until("the program speaks", || (log().stdout == b"ready\n" && log().stderr == "error\n").then_some(()));
    let mut again = command(&["run", "--quiet", "--net", "none", "--name", "one"]);
    assert!(finish(again.arg(folder.path()), b"").stderr.contains("is taken"));
    assert_eq!(finish(&mut command(&["stop", "-t", "80", "one"]), b"").succeeded(), "one\n");
    assert_eq!(finish(&mut command(&["logs", "-f", "one"]), b"").stdout, b"ready\nasked\n");
    assert!(!finish(&mut command(&["ps"]), b"").succeeded().contains("one"));
    let ended = finish(&mut command(&["ps", "-a"]), b"").succeeded();
    assert!(ended.contains("exited 9"), "{ended}");
    assert_eq!(finish(&mut command(&["stop", "one"]), b"").status, 125);
}
