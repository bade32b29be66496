//! Debian's redis-server in an enclave behind a TAP: answers, what the host sees of it, and how
//! fast it is beside a native one.
//!
//! All lies in network namespaces without names and in processes that die with this one, so
//! that nothing is left behind, however the demonstration ends.

use crate::{build, packages, shell};
use anyhow::{Result, bail, ensure};
use rkt_tests_e2e::{Running, descriptors, enclave_of, finish, trace};
use rustix::process::{Pid, geteuid};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const GUEST: &str = "10.0.3.2";
const NEEDS: &[packages::Need] = &[
    ("gcc", "gcc"),
    ("redis-server", "redis-server"),
    ("redis-cli", "redis-tools"),
    ("strace", "strace"),
    ("ip", "iproute2"),
];
const SERVER: [&str; 5] = ["redis-server", "--save", "", "--protected-mode", "no"];
const START_UP: Duration = Duration::from_secs(60);

/// Runs the demonstration.
///
/// # Errors
/// If something is missing or does not do what it should.
pub fn demo() -> Result<()> {
    ensure!(geteuid().is_root(), "the demonstration makes network namespaces and a TAP: run it as root");
    packages::install(NEEDS)?;
    say("building the command and the enclave image");
    build::build()?;

    let server = Server::start()?;
    say("redis-server runs in the enclave; its clients are on the host's end of the TAP");
    for words in [&["PING"][..], &["SET", "greeting", "hello from the enclave"], &["GET", "greeting"]] {
        println!("$ redis-cli -h {GUEST} {}", words.join(" "));
        print!("{}", server.client("redis-cli", words)?);
    }
    server.look_inside()?;
    drop(server);

    say("the benchmark, beside a native redis-server behind a veth pair, in turn");
    shell::run(Command::new(build::command()).args(["bench", "redis", "--pairs", "3"]))
}

fn say(what: &str) {
    println!("\n=== {what}");
}

/// The server, in a network namespace of its own.
struct Server {
    running: Running,
}

impl Server {
    fn start() -> Result<Self> {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "unshare", "--net", "--"]).arg(build::command());
        command.args(["run", "--net", "tap", "--ip", &format!("{GUEST}/24"), "--"]).args(SERVER);
        let server = Self { running: Running::start(command.stdin(Stdio::null()).stdout(Stdio::null())) };
        let start = Instant::now();
        while server.client("redis-cli", &["PING"]).is_err() {
            ensure!(start.elapsed() < START_UP, "redis-server does not answer");
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(server)
    }

    fn pid(&self) -> Pid {
        self.running.pid()
    }

    /// What a program in the server's namespace prints.
    fn client(&self, program: &str, words: &[&str]) -> Result<String> {
        let pid = self.pid().as_raw_nonzero().to_string();
        let mut command = Command::new("nsenter");
        command.args(["--net", "--target", &pid, "--", program, "-h", GUEST]).args(words);
        let finished = finish(&mut command, b"");
        if finished.status != 0 {
            bail!("{program}: {}", finished.stderr.trim_end());
        }
        Ok(String::from_utf8_lossy(&finished.stdout).into_owned())
    }

    /// The enclave's descriptors, and its calls while it serves requests.
    fn look_inside(&self) -> Result<()> {
        let enclave = enclave_of(self.pid());
        say("descriptors of the enclave's process");
        let open = descriptors(enclave);
        println!("{}", if open.is_empty() { "none".into() } else { format!("{open:?}") });

        say("calls of the enclave's process during 20000 requests (strace -f), and the list of DESIGN §3.4");
        let calls = trace(enclave, || {
            if let Err(error) = self.client("redis-benchmark", &["-t", "set,get", "-n", "10000", "-q"]) {
                println!("{error:#}");
            }
        });
        let mut rows: Vec<_> = calls.iter().collect();
        rows.sort_by_key(|(name, call)| (std::cmp::Reverse(call.made), name.as_str()));
        println!("{:>9} {:>9}  call", "made", "trapped");
        for (name, call) in &rows {
            let verdict = match call.made {
                0 => "never reached the host",
                _ if rkt_tests_e2e::MAY_CALL.contains(&name.as_str()) => "on the list",
                _ => "NOT on the list",
            };
            println!("{:>9} {:>9}  {name}: {verdict}", call.made, call.trapped);
        }
        let strays = rows.iter().any(|(name, call)| call.made > 0 && !rkt_tests_e2e::MAY_CALL.contains(&name.as_str()));
        ensure!(!strays, "the enclave made a call that is not on the list");
        Ok(())
    }
}
