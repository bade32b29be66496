//! One end of a transfer: sends or receives the bytes of [`Pattern`], and says how it went as JSON. Runs on
//! Linux and, unmodified, in the enclave.
//!
//! `peer listen|connect ADDRESS:PORT send|receive SECONDS BYTES`: whoever sends stops at what comes first.
#![forbid(unsafe_code)]

use anyhow::{Context, Result, bail, ensure};
use rkt_tests_link::{Pattern, Transfer};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// Bytes of a read or a write.
const CHUNK: usize = 128 << 10;
/// A link may lose many SYNs, and the other end may not be up.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [role, address, what, seconds, bytes] = words.as_slice() else {
        bail!("peer listen|connect ADDRESS:PORT send|receive SECONDS BYTES")
    };
    let stream = match role.as_str() {
        "listen" => TcpListener::bind(address.as_str())?.accept()?.0,
        _ => connect(address)?,
    };
    rustix::net::sockopt::set_tcp_congestion(&stream, "cubic").context("TCP_CONGESTION")?;
    let transfer = match what.as_str() {
        "send" => send(stream, Duration::from_secs_f64(seconds.parse()?), bytes.parse()?)?,
        _ => receive(stream)?,
    };
    println!("{}", serde_json::to_string(&transfer)?);
    Ok(())
}

fn connect(address: &str) -> Result<TcpStream> {
    let since = Instant::now();
    loop {
        match TcpStream::connect(address) {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused && since.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(10));
            }
            result => return result.with_context(|| format!("connect to {address}")),
        }
    }
}

fn send(mut stream: TcpStream, time: Duration, most: u64) -> Result<Transfer> {
    let (pattern, since) = (Pattern::new(1), Instant::now());
    let mut sent = 0;
    while since.elapsed() < time && sent < most {
        let chunk = pattern.at(sent, CHUNK.min((most - sent) as usize));
        sent += stream.write(chunk).context("send")? as u64;
    }
    stream.shutdown(Shutdown::Write)?;
    // The other end closes when it has read, and compared, everything.
    let mut rest = [0; 1];
    ensure!(stream.read(&mut rest).context("wait for the end")? == 0, "the receiver answers");
    Ok(Transfer { bytes: sent, seconds: since.elapsed().as_secs_f64() })
}

fn receive(mut stream: TcpStream) -> Result<Transfer> {
    let (pattern, mut chunk) = (Pattern::new(1), vec![0; CHUNK]);
    let (mut received, mut since) = (0, None);
    loop {
        let len = stream.read(&mut chunk).context("receive")?;
        let since = *since.get_or_insert_with(Instant::now);
        if len == 0 {
            return Ok(Transfer { bytes: received, seconds: since.elapsed().as_secs_f64() });
        }
        if let Some(place) = pattern.differs(received, &chunk[..len]) {
            bail!("byte {place} is not what was sent");
        }
        received += len as u64;
    }
}
