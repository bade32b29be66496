//! Running programs in the enclave and beside it, under a watchdog.

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::env;
use std::io::{Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Long enough for any program here on a busy machine: reaching it means that something hangs.
const WATCHDOG: Duration = Duration::from_secs(90);

/// The command, beside the tests' own target folder.
pub fn rkt_io() -> PathBuf {
    let own = env::current_exe().expect("the test's own path");
    let target = own.ancestors().nth(3).expect("target/PROFILE/deps/TEST");
    let path = target.join("release/rkt-io");
    assert!(path.exists(), "{} does not exist: run `cargo xtask build`", path.display());
    path
}

/// How a program ended and what it wrote.
#[derive(Debug, PartialEq, Eq)]
pub struct Finished {
    /// As a shell shows it: 128 + n for signal n.
    pub status: i32,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: String,
}

impl Finished {
    /// Standard output, if the program succeeded.
    pub fn succeeded(self) -> String {
        assert_eq!(self.status, 0, "standard error: {}", self.stderr);
        String::from_utf8(self.stdout).expect("text")
    }
}

/// `rkt-io run --quiet OPTIONS -- PROGRAM`; without `--net` among the options there is none.
pub fn in_enclave(options: &[&str], program: &[&str]) -> Command {
    let mut command = Command::new(rkt_io());
    command.args(["run", "--quiet"]);
    if !options.contains(&"--net") {
        command.args(["--net", "none"]);
    }
    command.args(options).arg("--").args(program);
    command
}

/// The program on Linux itself, with the environment that the enclave gives it.
pub fn natively(program: &[&str]) -> Command {
    let mut command = Command::new(program[0]);
    command.args(&program[1..]).current_dir("/").env_clear().env("HOME", "/root").env("HOSTNAME", "rkt");
    command.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    command
}

/// Checks that a program does in the enclave what it does natively.
pub fn same(options: &[&str], program: &[&str]) {
    same_in(Path::new("/"), options, program);
}

/// As [`same`], natively in this working directory.
pub fn same_in(folder: &Path, options: &[&str], program: &[&str]) {
    let native = finish(natively(program).current_dir(folder), b"");
    let enclave = finish(&mut in_enclave(options, program), b"");
    assert_eq!(enclave.stderr, native.stderr, "standard error of {program:?}");
    assert_eq!(String::from_utf8_lossy(&enclave.stdout), String::from_utf8_lossy(&native.stdout), "{program:?}");
    assert_eq!(enclave.status, native.status, "{program:?}");
}

/// Runs to the end with this input. Kills what takes too long, and fails.
pub fn finish(command: &mut Command, input: &[u8]) -> Finished {
    let mut running = Running::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()));
    let mut stdin = running.child.stdin.take().expect("a pipe");
    let (stdout, stderr) = (reader(running.child.stdout.take()), reader(running.child.stderr.take()));
    let input = input.to_vec();
    // A program need not read its input: a broken pipe is no error.
    let writer = thread::spawn(move || drop(stdin.write_all(&input)));
    let status = running.wait();
    writer.join().expect("the writer does not panic");
    let text = |output: thread::JoinHandle<Vec<u8>>| output.join().expect("the reader does not panic");
    Finished { status, stdout: text(stdout), stderr: String::from_utf8_lossy(&text(stderr)).into_owned() }
}

fn reader(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.expect("a pipe").read_to_end(&mut bytes).expect("reading a pipe");
        bytes
    })
}

/// A program that runs; killed, with its process group, when this is dropped.
pub struct Running {
    /// The program.
    pub child: Child,
}

impl Running {
    /// Starts it in a process group of its own.
    pub fn start(command: &mut Command) -> Self {
        let program = command.get_program().to_owned();
        Self { child: command.process_group(0).spawn().unwrap_or_else(|error| panic!("{program:?}: {error}")) }
    }

    /// Its process id.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("the program runs");
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> i32 {
        let child = &mut self.child;
        shell_status(until("the program ends", || child.try_wait().expect("our child")))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails with ESRCH where nothing is left, which is the aim.
        let _ = kill_process_group(self.pid(), Signal::KILL);
        let _ = self.child.wait();
    }
}

fn shell_status(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).expect("exited or killed")
}

/// Tries until there is an answer.
pub fn until<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = attempt() {
            return answer;
        }
        assert!(start.elapsed() < WATCHDOG, "watchdog: {what}: not within {WATCHDOG:?}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// The text of a path.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}
