//! What a running enclave counts: `--stats` and `rkt-io top`.

use rkt_tests_e2e::{INSIDE, Namespace, finish, rkt_io};
use serde_json::Value;
use std::fs;
use std::process::Command;

fn number(row: &Value, name: &str) -> u64 {
    row["counters"][name].as_u64().unwrap_or(0)
}

#[test]
fn top_shows_queues_and_sockets_of_a_run() {
    let namespace = Namespace::new();
    let name = format!("top-{}", std::process::id());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("stats.json");
    let stats = format!("--stats={}", file.display());
    let options = ["--name", &name, "-d", "--debug", "--cpus", "2", &stats];
    finish(&mut namespace.inside(&options, &["--", "redis-server", "--save", "", "--protected-mode", "no"]), b"")
        .succeeded();
    // A connection that stays, and what it sent.
    let client = format!(
        "import socket, sys; s = socket.create_connection(('{INSIDE}', 6379)); s.sendall(b'PING\\r\\n'); s.recv(9); \
         print('ready', flush=True); sys.stdin.read()"
    );
    namespace.ask(&["redis-cli", "-h", INSIDE, "PING"], b"");
    let mut connection = namespace.outside(&["python3", "-c", &client]);
    let mut connection =
        connection.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut ready = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(connection.stdout.take().unwrap()), &mut ready).unwrap();
    let top = |how: &str| finish(Command::new(rkt_io()).args(["top", how, &name]), b"").succeeded();
    let all: Value = serde_json::from_str(&top("--json")).unwrap();
    let queues = all["queues"].as_array().unwrap();
    assert_eq!(queues.len(), 2, "{all:#}");
    assert!(queues.iter().map(|queue| number(queue, "rx_frames")).sum::<u64>() > 3, "{all:#}");
    let sockets = all["sockets"].as_array().unwrap();
    let open = sockets.iter().find(|socket| number(socket, "state") == 1).unwrap_or_else(|| panic!("{all:#}"));
    assert_eq!(open["names"][1], format!("{INSIDE}:6379"));
    assert_eq!((number(open, "bytes_received"), number(open, "bytes_acked") >= 7), (6, true), "{open:#}");
    assert!(all["devices"]["net0"]["in_units"].as_u64().unwrap() > 3, "{all:#}");
    let table = top("--once");
    assert!(table.contains("eth0 1") && table.contains(":6379"), "{table}");
    finish(Command::new(rkt_io()).args(["stop", "-t", "5", &name]), b"").succeeded();
    // What was open when the program ended.
    let last: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    assert!(last["sockets"].as_array().unwrap().iter().any(|socket| number(socket, "state") == 1), "{last:#}");
    drop(connection.stdin.take());
    connection.wait().unwrap();
    let gone = finish(Command::new(rkt_io()).args(["top", &name]), b"");
    assert_eq!(gone.status, 125, "{gone:?}");
}

#[test]
fn whom_a_program_talks_to_is_told_only_if_that_was_measured() {
    let namespace = Namespace::new();
    let name = format!("top-secret-{}", std::process::id());
    finish(
        &mut namespace
            .inside(&["--name", &name, "-d"], &["--", "redis-server", "--save", "", "--protected-mode", "no"]),
        b"",
    )
    .succeeded();
    namespace.ask(&["redis-cli", "-h", INSIDE, "PING"], b"");
    let all = finish(Command::new(rkt_io()).args(["top", "--json", &name]), b"").succeeded();
    finish(Command::new(rkt_io()).args(["stop", "-t", "5", &name]), b"").succeeded();
    let all: Value = serde_json::from_str(&all).unwrap();
    assert!(number(&all["queues"][0], "rx_frames") > 0, "{all:#}");
    assert_eq!(all["sockets"], Value::Array(vec![]), "{all:#}");
}

#[test]
fn stats_tell_queues_at_the_end() {
    let (namespace, folder) = (Namespace::new(), tempfile::tempdir().unwrap());
    let file = folder.path().join("stats.json");
    let option = format!("--stats={}", file.display());
    let ping = ["--", "ping", "-n", "-c", "4", "-i", "0.3", rkt_tests_e2e::OUTSIDE];
    finish(&mut namespace.inside(&[&option], &ping), b"").succeeded();
    let all: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    assert!(number(&all["queues"][0], "tx_frames") > 0, "{all:#}");
    assert_eq!(all["exit_code"], 0);
}
