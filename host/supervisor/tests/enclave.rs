//! The supervisor against an enclave that speaks the window's contract: this same binary, which
//! the supervisor executes as `rkt-enclave` and whose behaviour the manifest names.

use rkt_log::{Severity, Stat};
use rkt_supervisor::{DEFAULT_LEN, Header, Launch, Outcome, Output, Reading, Report, Supervisor};
use rustix::process::{Signal, getpid, kill_process};
use std::fs::File;
use std::io::{PipeReader, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::{Command, Stdio};

mod fake;

fn main() {
    if std::env::args_os().next().is_some_and(|name| name == "rkt-enclave") {
        fake::main();
    }
    if std::env::args_os().nth(1).is_some_and(|arg| arg == SUPERVISE) {
        return supervise_until_killed();
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
        ("the_loss_of_a_forked_process_is_the_end", the_loss_of_a_forked_process_is_the_end),
        ("signals_are_passed_on", signals_are_passed_on),
        ("quit_ends_what_does_not_react", quit_ends_what_does_not_react),
        ("the_heart_beats", the_heart_beats),
        ("a_missing_binary_is_told", a_missing_binary_is_told),
        ("terminal_settings_are_applied_and_restored", terminal_settings_are_applied_and_restored),
        ("the_enclave_dies_with_the_supervisor", the_enclave_dies_with_the_supervisor),
    ];
    // What nextest asks of a test program: a list, and one test by its name.
    let args: Vec<String> = std::env::args().skip(1).collect();
    let given = |option: &str| args.iter().any(|arg| arg == option);
    if given("--list") {
        for (name, _) in tests.iter().filter(|_| !given("--ignored")) {
            println!("{name}: test");
        }
        return;
    }
    let chosen: Vec<&String> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    for (name, test) in tests.iter().filter(|(name, _)| chosen.is_empty() || chosen.iter().any(|one| one == name)) {
        test();
        println!("test {name} ... ok");
    }
}

/// First argument of this binary when it is to be a supervisor that gets killed.
const SUPERVISE: &str = "supervise";

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

fn start(behaviour: &str, enclave: &Path, stdin: Option<File>, output: Output) -> Report {
    start_with(behaviour, enclave, stdin, output, None, File::open("/dev/null").unwrap().into())
}

fn start_with(
    behaviour: &str,
    enclave: &Path,
    stdin: Option<File>,
    output: Output,
    terminal: Option<File>,
    image: OwnedFd,
) -> Report {
    let supervisor = Supervisor::new(DEFAULT_LEN).unwrap();
    let header = Header {
        vcpus: 1,
        memory: 1 << 30,
        busy_poll: false,
        without: 0,
        devices: 0,
        terminals: 0,
        manifest: behaviour.as_bytes(),
    };
    let launch =
        Launch { enclave, image, header, stdin, terminal, output, exec: None, started: Reading::now(), live: false };
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
        capture: None,
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
    let output =
        Output { stdout: writer(to), stderr: None, debug: None, capture: None, log: None, severity: Severity::Warning };
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

fn the_loss_of_a_forked_process_is_the_end() {
    assert_eq!(run("lose-a-fork").report.outcome, Outcome::Killed(9));
}

/// Makes a signal pending, for which the supervisor has to block it first.
fn send_to_ourselves(signal: Signal) {
    drop(Supervisor::new(DEFAULT_LEN).unwrap());
    kill_process(getpid(), signal).unwrap();
}

fn signals_are_passed_on() {
    send_to_ourselves(Signal::TERM);
    assert_eq!(run("until-signal").report.outcome, Outcome::Signalled(15));
}

fn quit_ends_what_does_not_react() {
    send_to_ourselves(Signal::QUIT);
    let output =
        Output { stdout: None, stderr: None, debug: None, capture: None, log: None, severity: Severity::Warning };
    let report = start("until-killed", &std::env::current_exe().unwrap(), None, output);
    assert_eq!(report.outcome, Outcome::Signalled(3));
}

fn the_heart_beats() {
    assert_eq!(run("until-heartbeat").report.outcome, Outcome::Exited(0));
}

fn a_missing_binary_is_told() {
    let output =
        Output { stdout: None, stderr: None, debug: None, capture: None, log: None, severity: Severity::Warning };
    let report = start("hello", Path::new("/nonexistent/rkt-enclave"), None, output);
    assert_eq!(report.outcome, Outcome::NotStarted(2));
    assert!(report.outcome.message().unwrap().contains("No such file"));
}

fn terminal_settings_are_applied_and_restored() {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    let open = || File::options().read(true).write(true).open(&name).unwrap();
    let tty = open();
    tcsetwinsize(&tty, Winsize { ws_row: 33, ws_col: 99, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    let echoes = |tty: &File| tcgetattr(tty).unwrap().local_modes.contains(LocalModes::ECHO);
    assert!(echoes(&tty));

    // The program's input ends once the terminal was seen to obey.
    let (stdin, to) = std::io::pipe().unwrap();
    let watched = open();
    let watcher = std::thread::spawn(move || {
        while echoes(&watched) {
            std::thread::yield_now();
        }
        drop(to);
    });
    let own = std::env::current_exe().unwrap();
    let output =
        || Output { stdout: None, stderr: None, debug: None, capture: None, log: None, severity: Severity::Warning };
    let null = || File::open("/dev/null").unwrap().into();
    let report = start_with("no-echo", &own, writer(stdin), output(), Some(open()), null());
    watcher.join().unwrap();
    assert_eq!(report.outcome, Outcome::Exited(0));
    assert!(echoes(&tty));

    let (stdout, to) = std::io::pipe().unwrap();
    let told = collect(stdout);
    start_with("size", &own, None, Output { stdout: writer(to), ..output() }, Some(open()), null());
    assert_eq!(told.join().unwrap(), b"33 rows, 99 columns");
}

/// The body of a supervisor whose standard input is the writing end of a pipe, which becomes the
/// image: whoever reads from that pipe sees when the last process is gone.
fn supervise_until_killed() {
    let image = std::io::stdin().as_fd().try_clone_to_owned().unwrap();
    let stdout = writer(std::io::stdout().as_fd().try_clone_to_owned().unwrap());
    let output = Output { stdout, stderr: None, debug: None, capture: None, log: None, severity: Severity::Warning };
    start_with("until-killed", &std::env::current_exe().unwrap(), None, output, None, image);
}

fn the_enclave_dies_with_the_supervisor() {
    let (mut alive, held) = std::io::pipe().unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg(SUPERVISE).stdin(Stdio::from(held)).stdout(Stdio::piped());
    let mut supervisor = command.spawn().unwrap();
    drop(command);
    supervisor.stdout.take().unwrap().read_exact(&mut [0]).unwrap();
    supervisor.kill().unwrap();
    supervisor.wait().unwrap();
    assert_eq!(alive.read(&mut [0]).unwrap(), 0);
}
