//! Real clients in an enclave, each with a real server outside.

use rkt_tests_e2e::{Finished, INSIDE, Namespace, OUTSIDE, Running, finish, until};
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// Runs a program in an enclave to its end.
fn run(namespace: &Namespace, options: &[&str], program: &[&str]) -> Finished {
    finish(&mut namespace.inside(options, &[&["--"][..], program].concat()), b"")
}

/// A folder with a file in it, and a web server for it outside.
fn web(namespace: &Namespace) -> (TempDir, Running, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let content: Vec<u8> = (0..300_000u32).flat_map(u32::to_le_bytes).collect();
    fs::write(folder.path().join("file"), &content).unwrap();
    let path = folder.path().to_str().unwrap();
    let server = namespace.server(namespace.outside(&["python3", "-m", "http.server", "8000", "-d", path]));
    namespace.ask(&["curl", "-sS", "http://127.0.0.1:8000/file", "-o", "/dev/null"], b"");
    (folder, server, content)
}

#[test]
fn curl_wget_python_and_node_fetch_a_file() {
    let namespace = Namespace::new();
    let (_folder, _server, content) = web(&namespace);
    let url = format!("http://{OUTSIDE}:8000/file");
    let python = format!("import sys, urllib.request as u; sys.stdout.buffer.write(u.urlopen('{url}').read())");
    let node = format!("require('http').get('{url}', answer => answer.pipe(process.stdout))");
    let clients: [&[&str]; 4] =
        [&["curl", "-sS", &url], &["wget", "-qO-", &url], &["python3", "-c", &python], &["node", "-e", &node]];
    for client in clients {
        let answer = run(&namespace, &[], client);
        assert_eq!((answer.status, &answer.stderr[..]), (0, ""), "{client:?}");
        assert!(answer.stdout == content, "{client:?}: {} bytes", answer.stdout.len());
    }
}

#[test]
fn names_are_looked_up_over_udp_and_tcp() {
    let namespace = Namespace::new();
    let server = ["dnsmasq", "--no-daemon", "--no-resolv", "--no-hosts", "--user=root", "--conf-file=/dev/null"];
    let records = ["--host-record=name.test,10.0.3.1,fd00:3::1", "--txt-record=text.test,some words"];
    let _server = namespace.server(namespace.outside(&[&server[..], &records].concat()));
    namespace.ask(&["dig", "+short", "@127.0.0.1", "name.test"], b"");
    let at = format!("@{OUTSIDE}");
    assert_eq!(run(&namespace, &[], &["dig", "+short", &at, "name.test"]).succeeded(), "10.0.3.1\n");
    assert_eq!(
        run(&namespace, &[], &["dig", "+short", "+tcp", &at, "text.test", "TXT"]).succeeded(),
        "\"some words\"\n"
    );
    // The C library asks the server that the run names.
    let found = run(&namespace, &["--dns", OUTSIDE], &["getent", "ahostsv4", "name.test"]).succeeded();
    assert!(found.starts_with("10.0.3.1 "), "{found}");
}

/// A key and a certificate of one's own.
fn certificate(folder: &Path) -> (String, String) {
    let [key, cert] = ["key.pem", "cert.pem"].map(|name| folder.join(name).to_str().unwrap().to_owned());
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=peer"]);
    finish(command.args(["-keyout", &key, "-out", &cert]), b"").succeeded();
    (key, cert)
}

#[test]
fn openssl_talks_to_openssl() {
    let (namespace, folder) = (Namespace::new(), tempfile::tempdir().unwrap());
    let (key, cert) = certificate(folder.path());
    let server = ["openssl", "s_server", "-accept", "4433", "-key", &key, "-cert", &cert, "-rev", "-quiet"];
    let _server = namespace.server(namespace.outside(&server));
    namespace.ask(&["openssl", "s_client", "-connect", "127.0.0.1:4433"], b"Q\n");
    let to = format!("{OUTSIDE}:4433");
    let trusted = format!("{cert}:/cert.pem");
    let client = ["openssl", "s_client", "-connect", &to, "-CAfile", "/cert.pem", "-ign_eof", "-quiet"];
    let mut client = namespace.inside(&["--copy", &trusted], &[&["--"][..], &client[..]].concat());
    // The server turns each line round, and closes when it gets this one.
    assert_eq!(finish(&mut client, b"stressed\nCLOSE\n").succeeded(), "desserts\n");
}

#[test]
fn nc_sends_and_receives() {
    let (namespace, folder) = (Namespace::new(), tempfile::tempdir().unwrap());
    let got = folder.path().join("got");
    let mut listener = namespace.outside(&["nc", "-l", "7000"]);
    listener.stdin(fs::File::open("/etc/hostname").unwrap()).stdout(fs::File::create(&got).unwrap());
    let mut listener = Running::start(&mut listener);
    let listens = || finish(&mut namespace.outside(&["ss", "-Hltn", "sport = :7000"]), b"").stdout.len() > 10;
    until("nc listens", || listens().then_some(()));
    let mut client = namespace.inside(&[], &["--", "nc", "-N", OUTSIDE, "7000"]);
    let sent = vec![b'x'; 200_000];
    assert_eq!(finish(&mut client, &sent).succeeded().as_bytes(), fs::read("/etc/hostname").unwrap());
    assert_eq!(listener.wait(), 0);
    assert!(fs::read(got).unwrap() == sent);
}

#[test]
fn ssh_runs_a_command_outside() {
    let (namespace, folder) = (Namespace::new(), tempfile::tempdir().unwrap());
    let key = |name: &str| {
        let path = folder.path().join(name).to_str().unwrap().to_owned();
        finish(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", &path]), b"").succeeded();
        path
    };
    let (host, user) = (key("host"), key("user"));
    fs::create_dir_all("/run/sshd").unwrap();
    let authorized = format!("AuthorizedKeysFile={user}.pub");
    let server = ["/usr/sbin/sshd", "-D", "-f", "/dev/null", "-p", "2222", "-h", &host, "-o", &authorized];
    let lax = ["-o", "StrictModes=no", "-o", "UsePAM=no", "-o", "PidFile=none"];
    let _server = namespace.server(namespace.outside(&[&server[..], &lax].concat()));
    namespace.ask(&["ssh-keyscan", "-p", "2222", "127.0.0.1"], b"");
    let copy = format!("{user}:/root/user");
    let options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "BatchMode=yes", "LogLevel=ERROR"];
    let options = options.map(|option| ["-o", option]).concat();
    let to = format!("root@{OUTSIDE}");
    let client = [&["ssh", "-p", "2222", "-i", "/root/user"][..], &options, &[&to, "tr a-z A-Z"]].concat();
    let mut client = namespace.inside(&["--copy", &copy], &[&["--"][..], &client[..]].concat());
    assert_eq!(finish(&mut client, b"over ssh").succeeded(), "OVER SSH");
}

#[test]
fn ping_both_ways_and_both_versions() {
    let namespace = Namespace::new();
    let received = |text: String| assert!(text.contains("3 packets transmitted, 3 received"), "{text}");
    let ping = ["ping", "-n", "-c", "3", "-i", "0.2"];
    received(run(&namespace, &[], &[&ping[..], &[OUTSIDE]].concat()).succeeded());
    let gateway = ["--gateway6", rkt_tests_e2e::OUTSIDE_V6];
    let six = ["--", "ping", "-n", "-c", "3", "-i", "1", "-W", "5", rkt_tests_e2e::OUTSIDE_V6];
    let mut six = namespace.inside(&gateway, &six);
    let text = String::from_utf8_lossy(&finish(&mut six, b"").stdout).into_owned();
    assert!(text.contains("bytes from"), "{text}");
    let _enclave = namespace.server(namespace.inside(&[], &["--", "sleep", "infinity"]));
    // It succeeds with the first answer; what was asked before the enclave was there is lost.
    let text = String::from_utf8(namespace.ask(&[&ping[..], &[INSIDE]].concat(), b"").stdout).unwrap();
    assert!(text.contains("bytes from"), "{text}");
}
