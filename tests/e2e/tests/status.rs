//! Exit statuses, signals and standard streams, as from a shell.

use rkt_tests_e2e::{Running, enclave_of, finish, in_enclave, natively};
use rustix::process::Signal;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

const SH: &str = "/bin/busybox";

#[test]
fn the_status_is_the_programs() {
    for status in [0, 3, 255] {
        let finished = finish(&mut in_enclave(&[], &[SH, "sh", "-c", &format!("exit {status}")]), b"");
        assert_eq!((finished.status, finished.stderr.as_str()), (status, ""));
    }
}

#[test]
fn a_fault_ends_as_in_a_shell() {
    let program = "import ctypes; ctypes.string_at(8)";
    assert_eq!(finish(&mut natively(&["/usr/bin/python3", "-c", program]), b"").status, 139);
    assert_eq!(finish(&mut in_enclave(&[], &["/usr/bin/python3", "-c", program]), b"").status, 139);
}

#[test]
fn a_signal_reaches_the_program() {
    // Without a handler, and with one.
    for (prepare, status) in [("", 143), ("trap 'echo caught; exit 9' TERM;", 9)] {
        let script = format!("{prepare} echo ready; while :; do read -t 1 x; done");
        let mut command = in_enclave(&["-i"], &[SH, "sh", "-c", &script]);
        let mut running = Running::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()));
        let mut lines = BufReader::new(running.child.stdout.take().unwrap()).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "ready");
        running.signal(Signal::TERM);
        assert_eq!(running.wait(), status);
        let rest: Vec<_> = lines.map(Result::unwrap).collect();
        assert_eq!(rest.join(" "), if status == 9 { "caught" } else { "" });
    }
}

#[test]
fn a_mebibyte_passes_through() {
    let input: Vec<u8> = (0..1u32 << 18).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let finished = finish(&mut in_enclave(&[], &["/bin/cat"]), &input);
    assert_eq!((finished.status, finished.stderr.as_str()), (0, ""));
    assert!(finished.stdout == input, "{} bytes came back", finished.stdout.len());
}

#[test]
fn standard_output_and_error_stay_apart() {
    let finished = finish(&mut in_enclave(&[], &[SH, "sh", "-c", "echo out; echo err >&2"]), b"");
    assert_eq!((finished.stdout.as_slice(), finished.stderr.as_str()), (b"out\n".as_slice(), "err\n"));
}

#[test]
fn nobody_reading_ends_the_program() {
    let mut command = in_enclave(&[], &[SH, "yes"]);
    let mut running = Running::start(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()));
    let mut line = String::new();
    BufReader::new(running.child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "y\n");
    // The pipe is closed now: SIGPIPE, or EPIPE where the program ignores that.
    assert_ne!(running.wait(), 0);
}

#[test]
fn the_enclave_dies_with_its_supervisor() {
    let mut command = in_enclave(&["-i"], &["/bin/cat"]);
    let mut running = Running::start(command.stdin(Stdio::piped()).stdout(Stdio::null()));
    let enclave = enclave_of(running.pid());
    running.signal(Signal::KILL);
    running.wait();
    let status = format!("/proc/{}/status", enclave.as_raw_nonzero());
    rkt_tests_e2e::until("the enclave is gone", || {
        let status = std::fs::read_to_string(&status).unwrap_or_default();
        (status.is_empty() || status.contains("State:\tZ")).then_some(())
    });
}

#[test]
fn a_stopped_enclave_goes_on() {
    let program = "import time; print('ready', flush=True); time.sleep(2); print('slept')";
    let mut command = in_enclave(&[], &["/usr/bin/python3", "-c", program]);
    let mut running = Running::start(command.stdin(Stdio::null()).stdout(Stdio::piped()));
    let enclave = enclave_of(running.pid());
    let mut lines = BufReader::new(running.child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "ready");
    for _ in 0..3 {
        rustix::process::kill_process(enclave, Signal::STOP).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(300));
        rustix::process::kill_process(enclave, Signal::CONT).unwrap();
    }
    assert_eq!(running.wait(), 0);
    assert_eq!(lines.next().unwrap().unwrap(), "slept");
}

#[test]
fn a_killed_enclave_is_reported() {
    let mut command = in_enclave(&["-i"], &["/bin/cat"]);
    let mut running = Running::start(command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()));
    rustix::process::kill_process(enclave_of(running.pid()), Signal::KILL).unwrap();
    let said = std::io::read_to_string(running.child.stderr.take().unwrap()).unwrap();
    assert_eq!(running.wait(), 137);
    assert!(said.contains("killed by signal 9"), "{said}");
}
