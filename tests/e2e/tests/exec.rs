//! `rkt-io exec`: a second program in an enclave that runs.

use rkt_tests_e2e::{Running, finish, image_of, rkt_io, until};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// An enclave with a shell that waits.
struct Enclave {
    state: TempDir,
    running: Running,
}

impl Enclave {
    fn start(options: &[&str]) -> Self {
        let state = tempfile::tempdir().unwrap();
        let image = state.path().join("tools.rkt");
        image_of(&image, &["sh", "sleep", "cat", "stty", "tty"]);
        let mut command = Command::new(rkt_io());
        command.env("XDG_RUNTIME_DIR", state.path()).args(["run", "--quiet", "--net", "none", "--name", "one"]);
        command.args(options).arg(&image).args(["sh", "-c", "echo ready; trap : USR1; while :; do sleep 100; done"]);
        let mut running = Running::start(command.stdin(Stdio::null()).stdout(Stdio::piped()));
        let mut line = String::new();
        BufReader::new(running.child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        Self { state, running }
    }

    fn exec(&self, options: &[&str], program: &[&str]) -> Command {
        let mut command = Command::new(rkt_io());
        command.env("XDG_RUNTIME_DIR", self.state.path()).arg("exec").args(options).args(["one", "--"]).args(program);
        command
    }

    fn shell(&self, options: &[&str], script: &str) -> Command {
        self.exec(options, &["sh", "-c", script])
    }
}

impl Drop for Enclave {
    fn drop(&mut self) {
        let _ =
            Command::new(rkt_io()).env("XDG_RUNTIME_DIR", self.state.path()).args(["stop", "-t", "1", "one"]).output();
        let _ = self.running.child.kill();
    }
}

#[test]
fn streams_and_status_are_its_own() {
    let enclave = Enclave::start(&["--allow-exec", "-e", "A=first"]);
    let said = finish(&mut enclave.shell(&[], "echo out; echo error >&2; cat; exit 7"), b"unread");
    assert_eq!((said.status, said.stdout.as_slice(), said.stderr.as_str()), (7, &b"out\n"[..], "error\n"));
    let input = vec![b'x'; 300_000];
    assert_eq!(
        finish(&mut enclave.exec(&["-i"], &["sh", "-c", "while read -r l; do :; done; echo $l"]), b"a\nb").stdout,
        b"b\n"
    );
    let echoed = finish(
        &mut enclave.shell(&["-i"], "while IFS= read -r line || [ \"$line\" ]; do printf %s \"$line\"; done"),
        &input,
    );
    assert_eq!(echoed.stdout.len(), input.len());
    assert_eq!(finish(&mut enclave.shell(&["-e", "B=2", "-e", "A=1"], "echo $A $B $PPID"), b"").stdout, b"1 2 0\n");
    assert_eq!(finish(&mut enclave.shell(&["-w", "/usr"], "pwd; echo $A"), b"").stdout, b"/usr\nfirst\n");
    assert_eq!(finish(&mut enclave.shell(&[], "kill -9 $$"), b"").status, 137);
    // The first program sees it, is not its parent, and goes on.
    let seen = finish(&mut enclave.shell(&[], "kill -0 1 && kill -USR1 1 && echo there"), b"");
    assert_eq!(seen.stdout, b"there\n");
    for _ in 0..20 {
        finish(&mut enclave.shell(&[], ":"), b"").succeeded();
    }
}

#[test]
fn what_cannot_be_run_says_why() {
    let enclave = Enclave::start(&["--allow-exec"]);
    let missing = finish(&mut enclave.exec(&[], &["no-such-program"]), b"");
    assert_eq!(missing.status, 127);
    assert!(missing.stderr.contains("no-such-program"), "{}", missing.stderr);
    assert_eq!(finish(&mut enclave.exec(&[], &["/usr"]), b"").status, 126);
    assert_eq!(finish(&mut enclave.shell(&["-w", "/none"], ":"), b"").status, 127);
    let mut other = Command::new(rkt_io());
    other.env("XDG_RUNTIME_DIR", enclave.state.path()).args(["exec", "two", "--", "true"]);
    let unknown = finish(&mut other, b"");
    assert!(unknown.status == 125 && unknown.stderr.contains("no run named"), "{}", unknown.stderr);
    finish(&mut enclave.shell(&[], ":"), b"").succeeded();
}

#[test]
fn the_manifest_decides() {
    let enclave = Enclave::start(&[]);
    let refused = finish(&mut enclave.shell(&[], ":"), b"");
    assert_eq!(refused.status, 125);
    assert!(refused.stderr.contains("--allow-exec"), "{}", refused.stderr);
}

#[test]
fn signals_reach_it() {
    let enclave = Enclave::start(&["--allow-exec"]);
    let script = "trap 'echo asked; exit 9' TERM; echo ready; while :; do sleep 0.1; done";
    let mut command = enclave.shell(&[], script);
    let mut running = Running::start(command.stdin(Stdio::null()).stdout(Stdio::piped()));
    let mut output = BufReader::new(running.child.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    running.signal(rustix::process::Signal::TERM);
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    assert_eq!((line.as_str(), rest.as_str(), running.wait()), ("ready\n", "asked\n", 9));
}

#[test]
fn a_terminal_is_one() {
    let enclave = Enclave::start(&["--allow-exec"]);
    let script = "stty size; tty; read -r line; echo \"<$line>\"; [ -t 0 ] && [ -t 1 ] && [ -t 2 ]; exit $?";
    let mut command = Command::new("script");
    let inner = format!(
        "stty rows 33 cols 77; XDG_RUNTIME_DIR={} {} exec -t one -- sh -c '{}'; echo status $?",
        enclave.state.path().display(),
        rkt_io().display(),
        script.replace('\'', "'\\''")
    );
    command.args(["-qec", &inner, "/dev/null"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut running = Running::start(&mut command);
    let mut input = running.child.stdin.take().unwrap();
    let mut output = running.child.stdout.take().unwrap();
    let mut shown = Vec::new();
    let mut chunk = [0; 4096];
    until("the program shows its terminal", || {
        let n = output.read(&mut chunk).unwrap();
        shown.extend(&chunk[..n]);
        String::from_utf8_lossy(&shown).contains("/dev/pts/").then_some(())
    });
    input.write_all(b"hello\n").unwrap();
    output.read_to_end(&mut shown).unwrap();
    let shown = String::from_utf8_lossy(&shown);
    for what in ["33 77\r\n", "/dev/pts/0\r\n", "<hello>\r\n", "status 0\r\n"] {
        assert!(shown.contains(what), "{what:?} is not in {shown:?}");
    }
}
