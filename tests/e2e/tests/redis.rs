//! Debian's redis-server over a TAP, its clients, and what the host sees of it.

use rkt_tests_e2e::{Finished, MAY_CALL, Running, descriptors, enclave_of, finish, rkt_io, trace, until, window_of};
use std::process::{Command, Stdio};

const GUEST: &str = "10.0.3.2";

/// A server in an enclave behind a TAP, both in a network namespace that vanishes with them.
struct Server(Running);

impl Server {
    fn start(options: &[&str]) -> Self {
        let mut command = Command::new("unshare");
        command.arg("--net").arg(rkt_io()).args(["run", "--quiet", "--net", "tap"]).args(options).arg("--");
        command.args(["/usr/bin/redis-server", "--save", "", "--protected-mode", "no"]);
        let server = Self(Running::start(command.stdin(Stdio::null()).stdout(Stdio::null())));
        until("the server answers", || (server.cli(&["PING"]).stdout == b"PONG\n").then_some(()));
        server
    }

    /// A program in the server's namespace.
    fn client(&self, program: &str, args: &[&str]) -> Finished {
        let mut command = Command::new("nsenter");
        command.args(["--net", "--target", &self.0.pid().as_raw_nonzero().to_string(), program, "-h", GUEST]);
        finish(command.args(args), b"")
    }

    fn cli(&self, args: &[&str]) -> Finished {
        self.client("redis-cli", args)
    }

    fn benchmark(&self, args: &[&str]) -> String {
        self.client("redis-benchmark", args).succeeded()
    }
}

#[test]
fn values_come_back() {
    let server = Server::start(&[]);
    assert_eq!(server.cli(&["SET", "key", "value"]).succeeded(), "OK\n");
    assert_eq!(server.cli(&["GET", "key"]).succeeded(), "value\n");
    let long = "x".repeat(100_000);
    server.cli(&["SET", "long", &long]).succeeded();
    assert_eq!(server.cli(&["GET", "long"]).succeeded().trim_end(), long);
    assert_eq!(server.cli(&["STRLEN", "long"]).succeeded(), "100000\n");
}

#[test]
fn every_test_of_the_benchmark_finishes() {
    let server = Server::start(&["--cpus", "2"]);
    let lines = server.benchmark(&["--csv", "-n", "2000", "-c", "50"]);
    assert!(lines.lines().count() >= 20, "{lines}");
    let pipelined = server.benchmark(&["--csv", "-t", "set,get", "-n", "20000", "-P", "16"]);
    assert_eq!(pipelined.lines().count(), 3, "{pipelined}");
}

#[test]
fn the_enclave_makes_no_call_outside_of_the_list() {
    let server = Server::start(&[]);
    let enclave = enclave_of(server.0.pid());
    let calls = trace(enclave, || drop(server.benchmark(&["--csv", "-t", "set,get", "-n", "5000"])));
    let made: Vec<_> = calls.iter().filter(|(_, call)| call.made > 0).map(|(name, _)| name.as_str()).collect();
    assert!(!made.is_empty(), "strace saw nothing");
    assert!(made.iter().all(|name| MAY_CALL.contains(name)), "{calls:?}");
    // All sites were patched by now: what still traps is what cannot be patched.
    let trapped: usize = calls.values().map(|call| call.trapped).sum();
    assert!(trapped < 5000, "one trap a request: {calls:?}");
}

#[test]
fn the_enclave_holds_no_descriptors() {
    let server = Server::start(&[]);
    let open = descriptors(enclave_of(server.0.pid()));
    assert!(open.len() <= 3 && open.iter().all(|to| to.as_os_str() == "/dev/null"), "{open:?}");
}

#[test]
fn what_redis_keeps_is_not_in_the_window() {
    let server = Server::start(&[]);
    // Made inside: the parts travel in packets, the whole never does.
    let (first, second) = ("c4n4ry-0f-7h3-", "w1nd0w");
    let script = "redis.call('SET', 'canary', string.rep(ARGV[1] .. ARGV[2], 1000)); return 1";
    assert_eq!(server.cli(&["EVAL", script, "0", first, second]).succeeded(), "1\n");
    assert_eq!(server.cli(&["STRLEN", "canary"]).succeeded(), "20000\n");
    server.benchmark(&["--csv", "-t", "set,get", "-n", "5000"]);
    let window = window_of(server.0.pid());
    let holds = |text: &str| window.windows(text.len()).any(|bytes| bytes == text.as_bytes());
    assert!(window.len() >= 1 << 20 && holds("RKTWIN"), "this is not the window");
    assert!(!holds(&format!("{first}{second}")), "a value of Redis's lies in the window");
}

/// A port of the host that nobody uses at the moment.
fn free_port() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port of the loopback");
    listener.local_addr().expect("a bound socket has an address").port().to_string()
}

#[test]
fn a_published_port_leads_in_through_passt() {
    let port = free_port();
    let mut command = Command::new(rkt_io());
    command.args(["run", "--quiet", "--net", "user", "-p", &format!("{port}:6379"), "--"]);
    command.args(["/usr/bin/redis-server", "--save", "", "--protected-mode", "no"]);
    let _server = Running::start(command.stdin(Stdio::null()).stdout(Stdio::null()));
    let cli = |args: &[&str]| finish(Command::new("redis-cli").args(["-h", "127.0.0.1", "-p", &port]).args(args), b"");
    until("the server answers", || (cli(&["PING"]).stdout == b"PONG\n").then_some(()));
    let long = "x".repeat(300_000);
    assert_eq!(cli(&["SET", "long", &long[..100_000]]).succeeded(), "OK\n");
    assert_eq!(cli(&["APPEND", "long", &long[100_000..200_000]]).succeeded(), "200000\n");
    assert_eq!(cli(&["GET", "long"]).succeeded().trim_end(), &long[..200_000]);
}
