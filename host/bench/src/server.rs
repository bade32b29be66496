//! A Redis server on either side.

use crate::net::Link;
use crate::place::Ready;
use crate::process::Process;
use crate::{cpu, place};
use anyhow::{Context, Result, bail, ensure};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Redis's own.
pub const PORT: u16 = 6379;
const START_LIMIT: Duration = Duration::from_secs(30);
const STOP_LIMIT: Duration = Duration::from_secs(5);
const ANSWER_LIMIT: Duration = Duration::from_secs(1);
/// What a server still does when its last client has gone is not waiting.
const SETTLE: Duration = Duration::from_secs(1);

/// No persistence, open to the network; nothing else differs from Redis's defaults.
const ARGUMENTS: [&str; 10] =
    ["--save", "", "--appendonly", "no", "--protected-mode", "no", "--bind", "0.0.0.0", "--port", "6379"];

/// A server that answers.
pub struct Server {
    process: Process,
    /// Its address.
    pub address: Ipv4Addr,
}

/// Processor time of a waiting server, in parts of one processor.
pub struct Idle {
    /// Of the process that we started: the server, or the enclave's supervisor.
    pub own: f64,
    /// Of its children: the enclave.
    pub children: f64,
}

impl Server {
    /// Starts one and waits until it answers.
    ///
    /// # Errors
    /// If it does not; with its last words.
    pub fn start(ready: &Ready, cpus: u32, link: &Link, cpu: Option<usize>) -> Result<Self> {
        link.settle()?;
        let mut command = ready.command(cpus, &link.options());
        let mut command = link.wrap(command.args(ARGUMENTS))?;
        let process = Process::spawn(command.stdout(Stdio::null()), cpu)?;
        let mut server = Self { process, address: link.server() };
        let deadline = Instant::now() + START_LIMIT;
        loop {
            match ping(server.address) {
                Ok(()) => return Ok(server),
                Err(e) if Instant::now() > deadline || server.process.has_ended() => {
                    bail!("redis-server does not answer: {e:#}{}", server.process.quoted());
                }
                Err(_) => sleep(Duration::from_millis(10)),
            }
        }
    }

    /// Ends it.
    pub fn stop(self) {
        self.process.terminate(STOP_LIMIT);
    }

    /// Watches it wait, for as long. An `enclave` is a child of what was started.
    ///
    /// # Errors
    /// If it has ended.
    pub fn idle(&self, enclave: bool, time: Duration) -> Result<Idle> {
        sleep(SETTLE);
        let (before, start) = (self.used(enclave)?, Instant::now());
        sleep(time);
        let (after, elapsed) = (self.used(enclave)?, start.elapsed().as_secs_f64());
        let part = |before: Duration, after: Duration| after.saturating_sub(before).as_secs_f64() / elapsed;
        Ok(Idle { own: part(before.0, after.0), children: part(before.1, after.1) })
    }

    /// Processor time of the process and of its children.
    fn used(&self, enclave: bool) -> Result<(Duration, Duration)> {
        let own = cpu::process(self.process.id()).context("the server has ended")?;
        let children = cpu::children(self.process.id());
        ensure!(!enclave || !children.is_empty(), "the enclave's process is not found");
        Ok((own, children.into_iter().filter_map(cpu::process).sum()))
    }
}

/// One PING (Redis serialization protocol, inline command).
fn ping(address: Ipv4Addr) -> Result<()> {
    let mut stream = TcpStream::connect_timeout(&SocketAddr::from((address, PORT)), ANSWER_LIMIT)?;
    stream.set_read_timeout(Some(ANSWER_LIMIT))?;
    stream.write_all(b"PING\r\n")?;
    let mut answer = [0; 7];
    stream.read_exact(&mut answer)?;
    if &answer != b"+PONG\r\n" {
        bail!("{address}:{PORT} is no Redis");
    }
    Ok(())
}

/// The server's program.
///
/// # Errors
/// If it is not installed.
pub fn program() -> Result<std::path::PathBuf> {
    place::require("redis-server", "redis-server")
}
