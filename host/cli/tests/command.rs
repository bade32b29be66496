//! The command from outside: what it prints and how it exits. Shell scripts stand in for the
//! enclave where only its end matters.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn rkt_io() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rkt-io"));
    command.stdin(Stdio::null()).env_remove("RKT_ENCLAVE");
    command
}

fn output(command: &mut Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn script(folder: &Path, body: &str) -> PathBuf {
    let path = folder.join("rkt-enclave");
    std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    path
}

fn run_with_enclave(body: &str, options: &[&str]) -> (Option<i32>, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let enclave = script(folder.path(), body);
    output(rkt_io().env("RKT_ENCLAVE", enclave).args(["run", "--net", "none"]).args(options).args(["--", "/bin/true"]))
}

#[test]
fn the_end_of_an_enclave_becomes_a_status() {
    let (code, _, said) = run_with_enclave("exit 0", &[]);
    assert_eq!(code, Some(125));
    assert!(said.contains("no TEE: simulation"), "{said}");
    assert!(said.contains("ended with status 0 without saying why"), "{said}");
    let (code, _, said) = run_with_enclave("kill -9 $$", &["--quiet"]);
    assert_eq!((code, said.as_str()), (Some(137), "rkt-io: the enclave was killed by signal 9 (SIGKILL)\n"));
}

#[test]
fn an_accepted_simulation_needs_no_note() {
    let (_, _, said) = run_with_enclave("exit 0", &["--tee", "none"]);
    assert!(!said.contains("simulation"), "{said}");
}

#[test]
fn counters_are_json_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("stats.json");
    run_with_enclave("kill -15 $$", &[&format!("--stats={}", file.display())]);
    let stats: serde_json::Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    assert_eq!(stats["exit_code"], 143);
    assert_eq!(stats["enclave"]["syscalls"], 0);
}

#[test]
fn what_cannot_be_run_has_the_shells_status() {
    for (command, code) in
        [("no-such-program-here", 127), ("/no/such/program", 127), ("/etc/passwd", 126), ("/tmp", 126)]
    {
        let (status, _, said) = output(rkt_io().args(["run", "--net", "none", "--", command]));
        assert_eq!(status, Some(code), "{command}: {said}");
        assert!(said.contains(command), "{said}");
    }
}

#[test]
fn a_missing_enclave_says_how_to_get_one() {
    let (code, _, said) =
        output(rkt_io().env("RKT_ENCLAVE", "/no/such").args(["run", "--net", "none", "--", "/bin/true"]));
    assert_eq!(code, Some(125));
    assert!(said.contains("RKT_ENCLAVE names /no/such"), "{said}");
}

#[test]
fn a_name_can_be_had_once() {
    let folder = tempfile::tempdir().unwrap();
    let enclave = script(folder.path(), "exec sleep 1000");
    let name = format!("twice-{}", std::process::id());
    let command = |name: &str| {
        let mut command = rkt_io();
        command.env("RKT_ENCLAVE", &enclave).args(["run", "--net", "none", "--name", name, "--", "/bin/true"]);
        command
    };
    let mut first = command(&name).stderr(Stdio::piped()).spawn().unwrap();
    // Its note comes after it has its name.
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(first.stderr.take().unwrap()), &mut line).unwrap();
    let (code, _, said) = output(&mut command(&name));
    first.kill().unwrap();
    first.wait().unwrap();
    assert_eq!(code, Some(125));
    assert!(said.contains(&format!("the name \"{name}\" is taken")), "{said}");
}

#[test]
fn the_measure_is_the_same_from_flags_and_file() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("rkt.toml");
    std::fs::write(&config, "net = \"none\"\nmemory = \"512m\"\nenv = [\"A=1\"]\n").unwrap();
    let (code, flags, _) =
        output(rkt_io().args(["measure", "--net", "none", "-m", "512m", "-e", "A=1", "--", "/bin/true"]));
    assert_eq!((code, flags.trim_end().len()), (Some(0), 64));
    let (_, file, _) = output(rkt_io().args(["measure", "--config"]).arg(&config).args(["--", "/bin/true"]));
    assert_eq!(flags, file);
    let (_, json, _) = output(rkt_io().args(["measure", "--json", "--config"]).arg(&config).args(["--", "/bin/true"]));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["digest"], flags.trim_end());
    assert_eq!(json["memory"], 512 << 20);
}

#[test]
fn images_are_made_and_checked() {
    let folder = tempfile::tempdir().unwrap();
    let (root, image) = (folder.path().join("root"), folder.path().join("a.rkt"));
    std::fs::create_dir(&root).unwrap();
    std::fs::write(root.join("greeting"), "hello").unwrap();
    let create = |out: &Path| output(rkt_io().args(["image", "create", "--from-dir"]).arg(&root).arg("--out").arg(out));
    let (code, _, said) = create(&image);
    assert_eq!(code, Some(0), "{said}");
    let (code, listing, _) = output(rkt_io().args(["image", "inspect"]).arg(&image));
    assert_eq!(code, Some(0));
    assert!(listing.contains("/greeting"), "{listing}");
    assert_eq!(output(rkt_io().args(["image", "check"]).arg(&image)).0, Some(0));

    let length = std::fs::metadata(&image).unwrap().len();
    std::fs::OpenOptions::new().append(true).open(&image).unwrap().write_all(b"x").unwrap();
    assert_eq!(output(rkt_io().args(["image", "check"]).arg(&image)).0, Some(125), "one byte too many");
    std::fs::OpenOptions::new().write(true).open(&image).unwrap().set_len(length - 1).unwrap();
    assert_eq!(output(rkt_io().args(["image", "check"]).arg(&image)).0, Some(125), "one byte too few");

    let nowhere = folder.path().join("no/such/folder/a.rkt");
    assert_eq!(create(&nowhere).0, Some(125));
}

#[test]
fn images_are_measured_pinned_and_opened() {
    let folder = tempfile::tempdir().unwrap();
    let (image, out) = (folder.path().join("a.rkt"), folder.path().join("passwd"));
    let (code, made, said) = output(
        rkt_io().args(["image", "create", "--from-program", "true", "--from-program", "ls", "--out"]).arg(&image),
    );
    assert_eq!(code, Some(0), "{said}");
    let (_, digest, _) = output(rkt_io().args(["image", "measure"]).arg(&image));
    let digest = digest.trim_end();
    assert!(digest.starts_with("sha256:") && made.contains(digest), "{made}");
    let (_, listing, _) = output(rkt_io().args(["image", "inspect"]).arg(&image));
    assert!(listing.contains("config {\"Cmd\":[") && listing.contains("bin/ls"), "{listing}");
    let other = format!("sha256:{}", "1".repeat(64));
    for (wanted, code) in [(digest, Some(0)), (&other, Some(125))] {
        assert_eq!(output(rkt_io().args(["image", "check", "--digest", wanted]).arg(&image)).0, code);
        let measured = output(rkt_io().args(["measure", "--net", "none", "--digest", wanted]).arg(&image));
        assert_eq!(measured.0, code, "{}", measured.2);
    }
    let cp = |from: &str| output(rkt_io().args(["image", "cp", &format!("{}:{from}", image.display())]).arg(&out));
    assert_eq!(cp("/etc/passwd").0, Some(0));
    assert!(std::fs::read_to_string(&out).unwrap().starts_with("root:"));
    let (code, _, said) = cp("/no/such");
    assert!(code == Some(125) && said.contains("no such file"), "{said}");
    let (code, _, said) =
        output(rkt_io().args(["image", "create", "--format", "luks", "--from-program", "true", "--out", "x"]));
    assert!(code == Some(125) && said.contains("--key-file"), "{said}");
    assert_eq!(
        output(rkt_io().args(["image", "create", "--from-program", "true", "--from-dir", "/", "--out", "x"])).0,
        Some(125)
    );
}

#[test]
fn a_detached_run_says_at_once_why_it_cannot_start() {
    let folder = tempfile::tempdir().unwrap();
    let detached = |enclave: &Path, command: &str| {
        let mut run = rkt_io();
        run.env("XDG_RUNTIME_DIR", folder.path()).env("RKT_ENCLAVE", enclave);
        output(run.args(["run", "-d", "--quiet", "--net", "none", "--name", "one", "--", command]))
    };
    let enclave = script(folder.path(), "kill -9 $$");
    let (code, _, said) = detached(&enclave, "/no/such");
    assert!(code == Some(127) && said.contains("/no/such"), "{code:?} {said}");
    let (code, _, said) = detached(Path::new("/no/such/enclave"), "/bin/true");
    assert!(code == Some(125) && said.contains("RKT_ENCLAVE"), "{said}");
    assert_eq!(detached(&enclave, "/bin/true"), (Some(0), "one\n".into(), String::new()));
    // Its last words are in the log.
    let mut logs = rkt_io();
    let (_, _, said) = output(logs.env("XDG_RUNTIME_DIR", folder.path()).args(["logs", "--follow", "one"]));
    assert_eq!(said, "rkt-io: the enclave was killed by signal 9 (SIGKILL)\n");
    let mut ps = rkt_io();
    let (_, listing, _) = output(ps.env("XDG_RUNTIME_DIR", folder.path()).args(["ps", "-a", "--json"]));
    let listing: serde_json::Value = serde_json::from_str(&listing).unwrap();
    assert_eq!((&listing[0]["status"], &listing[0]["running"]), (&137.into(), &false.into()));
}
