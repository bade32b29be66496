//! What cannot run is refused with a reason, and never hangs.

use rkt_tests_e2e::{Running, enclave_of, finish, in_enclave, rkt_io};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// The status and the reason of a run that must fail.
fn refused(command: &mut Command) -> (i32, String) {
    let finished = finish(command, b"");
    assert_ne!(finished.status, 0, "it ran");
    assert!(finished.stdout.is_empty() && !finished.stderr.contains("panicked"), "{finished:?}");
    assert!(finished.stderr.starts_with("rkt-io: "), "no reason: {finished:?}");
    (finished.status, finished.stderr)
}

fn image(folder: &Path) -> Vec<u8> {
    let path = folder.join("good.rkt");
    let mut command = Command::new(rkt_io());
    command.args(["image", "create", "--from-program", "/bin/true", "--out"]).arg(&path);
    assert_eq!(finish(&mut command, b"").status, 0);
    fs::read(path).unwrap()
}

fn run_image(path: &Path) -> Command {
    let mut command = Command::new(rkt_io());
    command.args(["run", "--quiet", "--net", "none"]).arg(path).arg("/bin/true");
    command
}

#[test]
fn an_image_runs_and_a_damaged_one_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let good = image(folder.path());
    let damaged = folder.path().join("damaged.rkt");
    fs::write(&damaged, &good).unwrap();
    assert_eq!(finish(&mut run_image(&damaged), b"").status, 0);

    let mut bytes = good.clone();
    bytes[0] ^= 1;
    fs::write(&damaged, bytes).unwrap();
    refused(&mut run_image(&damaged));
    for len in [0, 100, 4096, good.len() / 2, good.len() - 1] {
        fs::write(&damaged, &good[..len]).unwrap();
        refused(&mut run_image(&damaged));
    }
    fs::write(&damaged, noise(good.len())).unwrap();
    refused(&mut run_image(&damaged));
}

#[test]
fn another_tree_is_another_measure() {
    let folder = tempfile::tempdir().unwrap();
    let good = image(folder.path());
    let path = folder.path().join("good.rkt");
    let measure = || {
        let mut command = Command::new(rkt_io());
        command.args(["measure", "--net", "none"]).arg(&path).arg("/bin/true");
        finish(&mut command, b"").succeeded()
    };
    let (before, again) = (measure(), measure());
    assert_eq!(before, again);
    let mut bytes = good;
    // A name in the tree.
    let at = bytes.windows(8).position(|window| window == b"usr/bin/").expect("a tree") + 8;
    bytes[at] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert_ne!(before, measure());
}

#[test]
fn damaged_contents_are_an_error_to_who_reads_them() {
    let folder = tempfile::tempdir().unwrap();
    let good = image(folder.path());
    let damaged = folder.path().join("damaged.rkt");
    // Every data chunk, so that whatever the program reads first is hit.
    let mut bytes = good.clone();
    let half = bytes.len() / 2;
    bytes[half..].iter_mut().step_by(512).for_each(|byte| *byte ^= 0x55);
    fs::write(&damaged, bytes).unwrap();
    let finished = finish(&mut run_image(&damaged), b"");
    assert_ne!(finished.status, 0);
    assert!(!finished.stderr.contains("panicked"), "{finished:?}");
}

fn noise(len: usize) -> Vec<u8> {
    (0..len as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

#[test]
fn a_program_for_another_machine() {
    let folder = tempfile::tempdir().unwrap();
    let mut elf = fs::read("/bin/true").unwrap();
    elf[18] = 183; // e_machine: EM_AARCH64
    let path = folder.path().join("program");
    fs::write(&path, elf).unwrap();
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    refused(&mut in_enclave(&[], &[path.to_str().unwrap()]));
}

#[test]
fn a_program_whose_interpreter_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let mut elf = fs::read("/bin/true").unwrap();
    let name = b"/lib64/ld-linux-x86-64.so.2";
    let at = elf.windows(name.len()).position(|window| window == name).expect("a dynamic program");
    elf[at + 1..at + 4].copy_from_slice(b"bil");
    let path = folder.path().join("program");
    fs::write(&path, elf).unwrap();
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let (_, said) = refused(&mut in_enclave(&[], &[path.to_str().unwrap()]));
    assert!(said.contains("/bil64/ld-linux-x86-64.so.2"), "{said}");
}

#[test]
fn no_such_program() {
    let (status, said) = refused(&mut in_enclave(&[], &["/no/such/program"]));
    assert_eq!(status, 127);
    assert!(said.contains("/no/such/program"), "{said}");
}

#[test]
fn too_little_memory_to_boot() {
    let (_, said) = refused(&mut in_enclave(&["--memory", "1m"], &["/bin/true"]));
    assert!(said.to_lowercase().contains("memory"), "{said}");
}

#[test]
fn no_right_to_the_tap() {
    // As nobody, who may not make one.
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(rkt_io());
    let (_, said) = refused(command.args(["run", "--quiet", "--net", "tap", "--", "/bin/true"]));
    assert!(said.contains("TAP") || said.contains("tun"), "{said}");
}

#[test]
fn a_name_that_is_taken() {
    let name = format!("e2e-{}", std::process::id());
    let mut command = in_enclave(&["-i", "--name", &name], &["/bin/cat"]);
    let running = Running::start(command.stdin(Stdio::piped()).stdout(Stdio::null()));
    enclave_of(running.pid());
    let (_, said) = refused(&mut in_enclave(&["--name", &name], &["/bin/true"]));
    assert!(said.contains(&name), "{said}");
}
