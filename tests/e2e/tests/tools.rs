//! The tools by which people look at a network, in an enclave, and the capture of its frames outside.

use rkt_tests_e2e::{INSIDE, Namespace, OUTSIDE, finish, image_of, rkt_io, until};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// An image with a shell and these programs.
fn image(programs: &[&str]) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("tools.rkt");
    image_of(&path, &[&["sh"][..], programs].concat());
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

/// What a script in an enclave prints.
fn script(namespace: &Namespace, image: &str, text: &str) -> String {
    finish(&mut namespace.inside(&[], &[image, "sh", "-e", "-c", text]), b"").succeeded()
}

#[test]
fn ip_shows_and_changes() {
    let (namespace, (_folder, image)) = (Namespace::new(), image(&["ip"]));
    let all = script(
        &namespace,
        &image,
        "ip -br addr show eth0; ip route
         ip addr add 10.9.0.1/24 dev eth0; ip -br addr show eth0; ip route show 10.9.0.0/24
         ip route add 10.99.0.0/16 via 10.0.3.1 metric 7; ip route show 10.99.0.0/16; ip route get 10.99.1.1
         ip route del 10.99.0.0/16; ip addr del 10.9.0.1/24 dev eth0; ip route
         ip link set eth0 mtu 1400; ip link show eth0
         ip neigh add 10.0.3.77 lladdr 02:00:00:00:00:4d dev eth0; ip neigh show 10.0.3.77; ip neigh del 10.0.3.77 dev eth0
         ip link set eth0 down; ip route; ip -br link show eth0; ip link set eth0 up; ip route",
    );
    let lines: Vec<&str> = all.lines().map(str::trim_end).collect();
    let has = |line: &str| assert!(lines.contains(&line), "{line:?} is not in:\n{all}");
    has("10.0.3.0/24 dev eth0 proto kernel scope link src 10.0.3.2");
    has("10.9.0.0/24 dev eth0 proto kernel scope link src 10.9.0.1");
    has("10.99.0.0/16 via 10.0.3.1 dev eth0 metric 7");
    has("10.0.3.77 dev eth0 lladdr 02:00:00:00:00:4d PERMANENT");
    assert!(lines.iter().any(|line| line.starts_with("10.99.1.1 via 10.0.3.1 dev eth0 src 10.0.3.2")), "{all}");
    assert!(lines.iter().any(|line| line.contains("mtu 1400")), "{all}");
    assert!(lines.iter().any(|line| line.contains("eth0") && line.contains("DOWN")), "{all}");
    // Removed ones are gone, and refused twice.
    let gone =
        script(&namespace, &image, "ip route del 10.98.0.0/16 || ip addr del 10.8.0.1/24 dev eth0 || echo refused");
    assert_eq!(gone, "refused\n");
}

#[test]
fn ip_monitor_tells_changes() {
    let (namespace, (_folder, image)) = (Namespace::new(), image(&["ip", "timeout", "sleep"]));
    let told = script(
        &namespace,
        &image,
        "timeout 4 ip monitor address route link & sleep 1
         ip addr add 10.9.0.1/24 dev eth0; ip route add 10.99.0.0/16 via 10.0.3.1; ip route del 10.99.0.0/16
         ip addr del 10.9.0.1/24 dev eth0; wait || true",
    );
    for what in ["inet 10.9.0.1/24", "10.99.0.0/16 via 10.0.3.1 dev eth0", "Deleted 10.99.0.0/16", "Deleted 2: eth0"] {
        assert!(told.contains(what), "{what:?} is not in:\n{told}");
    }
}

#[test]
fn ss_lists_sockets() {
    let (namespace, (_folder, image)) = (Namespace::new(), image(&["ss", "nc", "sleep"]));
    let all = script(
        &namespace,
        &image,
        "nc -l 5000 >/dev/null & nc -u -l 5001 >/dev/null & sleep 1; (sleep 3 | nc 127.0.0.1 5000) & sleep 1
         ss -Htanp; echo --; ss -Hlun; echo --; ss -s; echo --; ss -Hxl; ss -Htin",
    );
    let parts: Vec<&str> = all.split("--\n").collect();
    assert_eq!(parts.len(), 4, "{all}");
    assert_eq!(parts[0].matches("ESTAB").count(), 2, "{all}");
    assert!(parts[0].contains("127.0.0.1:5000") && parts[0].contains("users:((\"nc\",pid="), "{all}");
    assert!(parts[1].contains("0.0.0.0:5001"), "{all}");
    assert!(parts[2].contains("TCP:   3"), "{all}");
    assert!(parts[3].contains("cwnd:"), "{all}");
}

#[test]
fn nstat_shows_what_the_protocols_counted() {
    let (namespace, (_folder, image)) = (Namespace::new(), image(&["nstat", "ping", "nc"]));
    let all = script(
        &namespace,
        &image,
        "ping -c 3 -i 0.2 10.0.3.1 >/dev/null; nc -w 1 10.0.3.1 5999 </dev/null || true
         nc -u -w 1 10.0.3.1 5998 </dev/null || true; nstat -asz",
    );
    let value = |name: &str| {
        let line = all.lines().find(|line| line.split_whitespace().next() == Some(name));
        line.and_then(|line| line.split_whitespace().nth(1)).and_then(|value| value.parse::<u64>().ok())
    };
    assert_eq!((value("IcmpOutEchos"), value("IcmpInEchoReps")), (Some(3), Some(3)), "{all}");
    assert_eq!((value("TcpActiveOpens"), value("TcpAttemptFails")), (Some(1), Some(1)), "{all}");
    assert_eq!((value("TcpInSegs"), value("TcpOutSegs")), (Some(1), Some(1)), "a SYN and its reset: {all}");
    assert!(value("IpInReceives") >= Some(4) && value("IpExtInOctets") >= Some(4 * 40), "{all}");
    assert!(value("Ip6InReceives").is_some(), "{all}");
}

#[test]
fn tcpdump_sees_and_filters() {
    let namespace = Namespace::new();
    let program = ["tcpdump", "-n", "-l", "-i", "eth0", "-c", "4", "icmp and host 10.0.3.1"];
    let mut command = namespace.inside(&[], &[&["--"][..], &program[..]].concat());
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It says so when it listens.
    let mut listening = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(listening.any(|line| line.contains("listening on eth0")));
    namespace.ask(&["ping", "-c", "2", "-i", "0.2", INSIDE], b"");
    let lines: Vec<String> = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok).collect();
    until("tcpdump ends", || child.try_wait().unwrap());
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert!(lines[0].contains("10.0.3.1 > 10.0.3.2: ICMP echo request"), "{lines:?}");
    assert!(lines[1].contains("10.0.3.2 > 10.0.3.1: ICMP echo reply"), "{lines:?}");
}

#[test]
fn a_capture_has_what_the_driver_saw() {
    let (namespace, folder) = (Namespace::new(), tempfile::tempdir().unwrap());
    fs::write(folder.path().join("page"), "captured\n").unwrap();
    let path = folder.path().to_str().unwrap();
    let _server = namespace.server(namespace.outside(&["python3", "-m", "http.server", "8000", "-d", path]));
    namespace.ask(&["curl", "-sSf", "http://127.0.0.1:8000/page"], b"");
    let file = folder.path().join("frames.pcapng");
    let url = format!("http://{OUTSIDE}:8000/page");
    let mut client = namespace.inside(&["--pcap", file.to_str().unwrap()], &["--", "curl", "-sS", &url]);
    assert_eq!(finish(&mut client, b"").succeeded(), "captured\n");
    let fields = |filter: &str, field: &str| {
        let mut tshark = Command::new("tshark");
        tshark.arg("-r").arg(&file).args(["-Y", filter, "-T", "fields", "-e", field]);
        finish(&mut tshark, b"").succeeded()
    };
    assert_eq!(fields("http.request", "http.request.uri"), "/page\n");
    assert_eq!(fields("http.response", "http.response.code"), "200\n");
    assert_eq!(fields("tcp.flags.syn == 1 && tcp.flags.ack == 0", "ip.src"), format!("{INSIDE}\n"));
    assert!(fields("arp", "frame.interface_name").starts_with("eth0\n"));
    assert_eq!(fields("_ws.malformed", "frame.number"), "");
    // It is measured: nobody captures without the manifest's saying so.
    let digest = |options: &[&str]| {
        finish(Command::new(rkt_io()).arg("measure").args(options).args(["--", "curl"]), b"").succeeded()
    };
    assert_ne!(digest(&[]), digest(&["--pcap", "/tmp/x"]));
}
