//! A server on either side, from start to end.

use crate::cpu;
use crate::link::Link;
use crate::place::Ready;
use crate::process::Process;
use anyhow::{Context, Result, bail, ensure};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const START_LIMIT: Duration = Duration::from_secs(30);
const STOP_LIMIT: Duration = Duration::from_secs(30);
const ANSWER_LIMIT: Duration = Duration::from_secs(1);
/// What a server still does when its last client has gone is not waiting.
const SETTLE: Duration = Duration::from_secs(1);

/// How a server is started.
pub struct Start<'a> {
    /// Its program.
    pub ready: &'a Ready,
    /// The program's arguments.
    pub args: &'a [String],
    /// Options of the enclave besides those of its network.
    pub options: &'a [String],
    /// vCPUs of the enclave.
    pub cpus: u32,
    /// The way to it.
    pub link: &'a Link,
    /// The processor that it is kept on.
    pub cpu: Option<usize>,
}

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
    /// Starts one and waits until `ask` has an answer.
    ///
    /// # Errors
    /// If it has none; with the server's last words.
    pub fn start(how: &Start<'_>, ask: impl Fn(Ipv4Addr) -> Result<()>) -> Result<Self> {
        how.link.settle()?;
        let mut command = how.ready.command(how.cpus, &[how.link.options().as_slice(), how.options].concat());
        let mut command = how.link.wrap(command.args(how.args))?;
        Self::of(&mut command, how.link.server(), how.cpu, START_LIMIT, ask)
    }

    /// Starts this command and waits until `ask` has an answer.
    ///
    /// # Errors
    /// If it has none in time; with the server's last words.
    pub fn of(
        command: &mut Command,
        address: Ipv4Addr,
        cpu: Option<usize>,
        limit: Duration,
        ask: impl Fn(Ipv4Addr) -> Result<()>,
    ) -> Result<Self> {
        let process = Process::spawn(command.stdout(Stdio::null()), cpu)?;
        let mut server = Self { process, address };
        let deadline = Instant::now() + limit;
        loop {
            match ask(server.address) {
                Ok(()) => return Ok(server),
                Err(e) if Instant::now() > deadline || server.process.has_ended() => {
                    bail!("the server does not answer: {e:#}{}", server.process.quoted());
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

/// A connection to a port of a server, in a short time.
///
/// # Errors
/// If there is none.
pub fn connect(address: Ipv4Addr, port: u16) -> Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&SocketAddr::from((address, port)), ANSWER_LIMIT)?;
    stream.set_read_timeout(Some(ANSWER_LIMIT))?;
    Ok(stream)
}

/// Arguments as a command has them.
pub fn arguments<const N: usize>(args: [&str; N]) -> Vec<String> {
    args.map(str::to_owned).to_vec()
}
