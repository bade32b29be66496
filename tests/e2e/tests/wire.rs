//! Enclaves on a wire (`--net shm=PATH`): a server in one, its clients in others, no host in between.

use rkt_tests_e2e::{Finished, Running, finish, rkt_io, until};
use std::path::Path;
use std::process::{Command, Stdio};

fn enclave(wire: &Path, address: &str) -> Command {
    let mut command = Command::new(rkt_io());
    command.args(["run", "--quiet", "--net", &format!("shm={}", wire.display()), "--ip", address, "--"]);
    command
}

fn server(wire: &Path) -> Running {
    let mut command = enclave(wire, "10.0.4.1/24");
    command.args(["/usr/bin/redis-server", "--save", "", "--protected-mode", "no"]);
    Running::start(command.stdin(Stdio::null()).stdout(Stdio::null()))
}

fn cli(wire: &Path, address: &str, args: &[&str]) -> Finished {
    finish(enclave(wire, address).args(["/usr/bin/redis-cli", "-h", "10.0.4.1"]).args(args), b"")
}

#[test]
fn enclaves_reach_each_other_and_leave_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let wire = folder.path().join("wire");
    let first = server(&wire);
    until("the server answers", || (cli(&wire, "10.0.4.2/24", &["PING"]).stdout == b"PONG\n").then_some(()));
    let long = "x".repeat(10_000);
    assert_eq!(cli(&wire, "10.0.4.2/24", &["SET", "key", &long]).succeeded(), "OK\n");
    // Another enclave, by the same path, sees what the first one wrote.
    assert_eq!(cli(&wire, "10.0.4.3/24", &["GET", "key"]).succeeded().trim_end(), long);
    drop(first);
    until("the switch ends with the last enclave", || (!wire.exists()).then_some(()));

    // A server that comes later starts another switch.
    let _second = server(&wire);
    until("the server answers", || (cli(&wire, "10.0.4.2/24", &["PING"]).stdout == b"PONG\n").then_some(()));
}
