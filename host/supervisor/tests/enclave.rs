//! The supervisor against an enclave that speaks the window's contract: this same binary, which
//! the supervisor executes as `rkt-enclave` and whose behaviour the manifest names.

use rkt_log::{Severity, Stat};
use rkt_supervisor::{DEFAULT_LEN, Header, Launch, Outcome, Output, Reading, Report, Supervisor};
use std::fs::File;
use std::io::{PipeReader, Read, Write};
use std::os::fd::OwnedFd;

mod fake;

fn main() {
    if std::env::args_os().next().is_some_and(|name| name == "rkt-enclave") {
        fake::main();
    }
    let tests: &[(&str, fn())] = &[
        ("output_and_status_arrive", output_and_status_arrive),
        ("a_long_output_arrives_whole", a_long_output_arrives_whole),
        ("input_arrives_and_ends", input_arrives_and_ends),
        ("without_input_there_is_only_its_end", without_input_there_is_only_its_end),
        ("a_signal_of_the_program_is_its_outcome", a_signal_of_the_program_is_its_outcome),
        ("a_crash_is_told", a_crash_is_told),
        ("an_end_without_a_word_is_a_failure", an_end_without_a_word_is_a_failure),
        ("a_refusal_carries_its_reason", a_refusal_carries_its_reason),
        ("warnings_go_to_the_log", warnings_go_to_the_log),
        ("a_reader_that_leaves_closes_the_ring", a_reader_that_leaves_closes_the_ring),
        ("a_broken_ring_is_no_hang", a_broken_ring_is_no_hang),
        ("the_enclave_holds_five_descriptors_and_nothing_else", the_enclave_holds_five_descriptors_and_nothing_else),
        ("forked_processes_end_with_the_first", forked_processes_end_with_the_first),
        ("signals_are_passed_on", signals_are_passed_on),
        ("the_heart_beats", the_heart_beats),
        ("a_missing_binary_is_told", a_missing_binary_is_told),
    ];
    for (name, test) in tests {
        test();
        println!("test {name} ... ok");
    }
}

struct Run {
    report: Report,
    stdout: Vec<u8>,
    log: String,
}

/// Reads a pipe to its end in the background.
fn collect(mut pipe: PipeReader) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).unwrap();
        bytes
    })
}

fn writer(to: impl Into<OwnedFd>) -> Option<File> {
    Some(File::from(to.into()))
}

fn start(behaviour: &str, enclave: &std::path::Path, stdin: Option<File>, output: Output) -> Report {
    let supervisor = Supervisor::new(DEFAULT_LEN).unwrap();
    let header = Header {
        vcpus: 1,
        memory: 1 << 30,
        busy_poll: false,
        devices: 0,
        terminals: 0,
        manifest: behaviour.as_bytes(),
    };
    let image = File::open("/dev/null").unwrap().into();
    let launch = Launch { enclave, image, header, stdin, terminal: None, output, started: Reading::now() };
    supervisor.run(launch).unwrap()
}

fn run_with(behaviour: &str, stdin: Option<File>) -> Run {
    let (stdout, stdout_writer) = std::io::pipe().unwrap();
    let (log, log_writer) = std::io::pipe().unwrap();
    let (stdout, log) = (collect(stdout), collect(log));
    let output = Output {
        stdout: writer(stdout_writer),
        stderr: None,
        debug: None,
        log: writer(log_writer),
        severity: Severity::Warning,
    };
    let report = start(behaviour, &std::env::current_exe().unwrap(), stdin, output);
    Run { report, stdout: stdout.join().unwrap(), log: String::from_utf8(log.join().unwrap()).unwrap() }
}

fn run(behaviour: &str) -> Run {
    run_with(behaviour, None)
}

fn output_and_status_arrive() {
    let run = run("hello");
    assert_eq!(run.report.outcome, Outcome::Exited(3));
    assert_eq!(run.stdout, b"hello\n");
    assert!(run.report.stats.0.contains(&(Stat::Syscalls.name(), 42)));
}

fn a_long_output_arrives_whole() {
    let run = run("flood");
    assert_eq!(run.report.outcome, Outcome::Exited(0));
    assert_eq!(run.stdout.len(), fake::FLOOD);
    assert!(run.stdout.iter().enumerate().all(|(n, byte)| *byte == (n % 251) as u8));
}

fn input_arrives_and_ends() {
    let (stdin, mut to) = std::io::pipe().unwrap();
    let text = b"0123456789abcdef".repeat(60_000);
    let sent = text.clone();
    let thread = std::thread::spawn(move || to.write_all(&sent).unwrap());
    let run = run_with("echo", writer(stdin));
    thread.join().unwrap();
    assert_eq!(run.report.outcome, Outcome::Exited(0));
    assert!(run.stdout == text, "{} bytes came back", run.stdout.len());
}

fn without_input_there_is_only_its_end() {
    let run = run("echo");
    assert_eq!(run.report.outcome, Outcome::Exited(0));
    assert!(run.stdout.is_empty());
}

fn a_signal_of_the_program_is_its_outcome() {
    assert_eq!(run("signalled").report.outcome, Outcome::Signalled(15));
}

fn a_crash_is_told() {
    let outcome = run("crash").report.outcome;
    assert_eq!(outcome, Outcome::Killed(6));
    assert_eq!(outcome.message().unwrap(), "the enclave was killed by signal 6 (SIGABRT)");
}

fn an_end_without_a_word_is_a_failure() {
    let outcome = run("vanish").report.outcome;
    assert_eq!((outcome.exit_code(), outcome), (125, Outcome::Vanished(0)));
}

fn a_refusal_carries_its_reason() {
    let outcome = run("refuse").report.outcome;
    assert_eq!(outcome.exit_code(), 127);
    assert_eq!(outcome.message().unwrap(), "the program is not in the image: /bin/nothing");
}

fn warnings_go_to_the_log() {
    let run = run("warn");
    assert_eq!(run.log, "rkt-io: a device does not answer: slot 2, waited_ms 900\n");
    assert_eq!(run.report.outcome, Outcome::Exited(0));
}

fn a_reader_that_leaves_closes_the_ring() {
    let (reader, to) = std::io::pipe().unwrap();
    drop(reader);
    let output = Output { stdout: writer(to), stderr: None, debug: None, log: None, severity: Severity::Warning };
    let report = start("until-closed", &std::env::current_exe().unwrap(), None, output);
    assert_eq!(report.outcome, Outcome::Exited(0));
}

fn a_broken_ring_is_no_hang() {
    let run = run("break-ring");
    assert_eq!(run.report.outcome, Outcome::Exited(0));
    assert!(run.log.contains("output of the enclave is lost"), "{}", run.log);
}

fn the_enclave_holds_five_descriptors_and_nothing_else() {
    // One that a careless library leaves open across exec.
    let leak = File::open("/dev/zero").unwrap();
    rustix::io::fcntl_setfd(&leak, rustix::io::FdFlags::empty()).unwrap();
    let run = run("self");
    let told = String::from_utf8(run.stdout).unwrap();
    let expected = "/dev/null /dev/null /dev/null /memfd:rkt-window /dev/null | environment 0 | blocked 0 | ignored 0";
    assert_eq!(told.replace(" (deleted)", ""), expected);
}

fn forked_processes_end_with_the_first() {
    let run = run("fork");
    assert_eq!(run.report.outcome, Outcome::Exited(0));
    let pipe_of_the_fork = String::from_utf8(run.stdout).unwrap();
    assert_eq!(pipe_of_the_fork, "forked\n");
    // All children are reaped, and none is left running.
    assert_eq!(rustix::process::wait(rustix::process::WaitOptions::NOHANG).unwrap_err(), rustix::io::Errno::CHILD);
}

fn signals_are_passed_on() {
    // Pending until the supervisor looks, because it blocks them first.
    let supervisor_blocks = Supervisor::new(DEFAULT_LEN).unwrap();
    drop(supervisor_blocks);
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM).unwrap();
    assert_eq!(run("until-signal").report.outcome, Outcome::Signalled(15));
}

fn the_heart_beats() {
    assert_eq!(run("until-heartbeat").report.outcome, Outcome::Exited(0));
}

fn a_missing_binary_is_told() {
    let output = Output { stdout: None, stderr: None, debug: None, log: None, severity: Severity::Warning };
    let report = start("hello", std::path::Path::new("/nonexistent/rkt-enclave"), None, output);
    assert_eq!(report.outcome, Outcome::NotStarted(2));
    assert!(report.outcome.message().unwrap().contains("No such file"));
}
