//! Real servers in an enclave, each with a real client outside.

use rkt_tests_e2e::{INSIDE, Namespace, Running, finish};
use std::fs;
use std::path::Path;
use std::process::Command;

/// A server in an enclave.
fn serve(namespace: &Namespace, options: &[&str], program: &[&str]) -> Running {
    namespace.server(namespace.inside(options, &[&["--"][..], program].concat()))
}

fn get(namespace: &Namespace, url: &str) -> Vec<u8> {
    namespace.ask(&["curl", "-sSkf", "--max-time", "30", url], b"").stdout
}

fn text(path: &Path) -> String {
    path.to_str().expect("UTF-8").to_owned()
}

const NGINX: &str = "daemon off; master_process off; error_log stderr; pid /tmp/pid;
events {}
http {
    access_log off;
    server {
        listen 80;
        listen 443 ssl;
        ssl_certificate /etc/peer/cert.pem;
        ssl_certificate_key /etc/peer/key.pem;
        root /etc/peer;
    }
}
";

#[test]
fn nginx_serves_plain_and_encrypted() {
    let (namespace, folder) = (Namespace::new(), tempfile::tempdir().unwrap());
    let path = |name: &str| text(&folder.path().join(name));
    let mut certificate = Command::new("openssl");
    certificate.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=inside"]);
    finish(certificate.args(["-keyout", &path("key.pem"), "-out", &path("cert.pem")]), b"").succeeded();
    fs::write(path("nginx.conf"), NGINX).unwrap();
    fs::write(path("small"), "a small file\n").unwrap();
    let large: Vec<u8> = (0..750_000u32).flat_map(u32::to_le_bytes).collect();
    fs::write(path("large"), &large).unwrap();
    let copy = format!("{}:/etc/peer", text(folder.path()));
    let options = ["--copy", &copy, "--copy", "/etc/nginx/mime.types:/etc/nginx/mime.types"];
    let _server = serve(&namespace, &options, &["nginx", "-c", "/etc/peer/nginx.conf"]);
    for scheme in ["http", "https"] {
        assert_eq!(get(&namespace, &format!("{scheme}://{INSIDE}/small")), b"a small file\n");
        assert!(get(&namespace, &format!("{scheme}://{INSIDE}/large")) == large, "{scheme}");
    }
    // Over one connection.
    let url = format!("http://{INSIDE}/small");
    let many = namespace.ask(&["curl", "-sSf", &url, &url, &url, "-w", "%{num_connects} "], b"");
    assert_eq!(String::from_utf8(many.stdout).unwrap().matches("a small file\n0").count(), 2);
}

#[test]
fn memcached_over_tcp_and_udp() {
    let namespace = Namespace::new();
    let _server = serve(&namespace, &[], &["memcached", "-u", "root", "-p", "11211", "-U", "11211", "-t", "2"]);
    let store = b"set key 0 0 5\r\nvalue\r\nget key\r\nquit\r\n";
    let answer = namespace.ask(&["nc", "-N", INSIDE, "11211"], store);
    assert_eq!(answer.stdout, b"STORED\r\nVALUE key 0 5\r\nvalue\r\nEND\r\n");
    // The protocol over UDP puts a head of eight bytes before each datagram.
    let client = format!(
        "import socket; s = socket.socket(type=socket.SOCK_DGRAM); s.settimeout(20); s.connect(('{INSIDE}', 11211)); \
         s.send(b'\\0\\1\\0\\0\\0\\1\\0\\0get key\\r\\n'); print(s.recv(99)[8:].decode().splitlines())"
    );
    let answer = namespace.ask(&["python3", "-c", &client], b"");
    assert_eq!(String::from_utf8(answer.stdout).unwrap(), "['VALUE key 0 5', 'value', 'END']\n");
}

const ASYNCIO: &str = "
import asyncio
async def serve(reader, writer):
    while line := await reader.readline():
        writer.write(line.upper())
        await writer.drain()
    writer.close()
async def main():
    server = await asyncio.start_server(serve, '0.0.0.0', 9000)
    async with server:
        await server.serve_forever()
asyncio.run(main())
";

#[test]
fn python_servers() {
    let (namespace, folder) = (Namespace::new(), tempfile::tempdir().unwrap());
    fs::write(folder.path().join("page"), "a page\n").unwrap();
    let copy = format!("{}:/www", text(folder.path()));
    let server = serve(&namespace, &["--copy", &copy], &["python3", "-m", "http.server", "8000", "-d", "/www"]);
    assert_eq!(get(&namespace, &format!("http://{INSIDE}:8000/page")), b"a page\n");
    drop(server);
    let _server = serve(&namespace, &[], &["python3", "-c", ASYNCIO]);
    let answer = namespace.ask(&["nc", "-N", INSIDE, "9000"], b"one\ntwo\n");
    assert_eq!(answer.stdout, b"ONE\nTWO\n");
    let many = "import asyncio
async def one(i):
    r, w = await asyncio.open_connection('10.0.3.2', 9000)
    w.write(b'%d line\\n' % i)
    assert await r.readline() == b'%d LINE\\n' % i
    w.close()
async def main():
    await asyncio.gather(*(one(i) for i in range(200)))
asyncio.run(main())";
    finish(&mut namespace.outside(&["python3", "-c", many]), b"").succeeded();
}

#[test]
fn node_serves() {
    let namespace = Namespace::new();
    let script =
        "require('http').createServer((request, answer) => answer.end('you asked for ' + request.url)).listen(3000)";
    let _server = serve(&namespace, &[], &["node", "-e", script]);
    assert_eq!(get(&namespace, &format!("http://{INSIDE}:3000/this")), b"you asked for /this");
}

#[test]
fn openssl_serves() {
    let (namespace, folder) = (Namespace::new(), tempfile::tempdir().unwrap());
    let path = |name: &str| text(&folder.path().join(name));
    let mut certificate = Command::new("openssl");
    certificate.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=inside"]);
    finish(certificate.args(["-keyout", &path("key.pem"), "-out", &path("cert.pem")]), b"").succeeded();
    let copy = format!("{}:/etc/peer", text(folder.path()));
    let server = ["openssl", "s_server", "-accept", "4433", "-key", "/etc/peer/key.pem", "-cert", "/etc/peer/cert.pem"];
    let _server = serve(&namespace, &["--copy", &copy], &[&server[..], &["-rev", "-quiet"]].concat());
    let to = format!("{INSIDE}:4433");
    let trusted = path("cert.pem");
    let client = ["openssl", "s_client", "-connect", &to, "-CAfile", &trusted, "-ign_eof", "-quiet"];
    assert_eq!(namespace.ask(&client, b"stressed\nCLOSE\n").stdout, b"desserts\n");
}
