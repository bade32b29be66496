//! What a link runs between: two namespaces with a TAP each, and programs in them.

use crate::{Cable, Cell};
use anyhow::{Context, Result, ensure};
use rkt_tests_virtio::{Namespace, Tap};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The end that is Linux in any case.
const FAR: &str = "10.24.0.3";
/// The end that is the enclave or Linux.
const NEAR: &str = "10.24.0.2";
/// The far end's port.
pub(crate) const PORT: &str = "5001";

/// Frames that wait for the link to take them, more than any window: what is lost is lost on the link.
const QUEUE: u32 = 20_000;

/// What the near end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Linux.
    Linux,
    /// The enclave.
    Enclave,
}

/// Two ends and the link between them.
pub struct Place {
    near: Namespace,
    far: Namespace,
    side: Side,
    cable: Cable,
}

/// A program of a place; killed, if it still runs, when this is dropped.
pub(crate) struct Program(Child);

impl Place {
    /// Builds the place; the seeds are those of what the near end sends and the far one. All of it is captured in
    /// the file, if one is named.
    ///
    /// # Errors
    /// Only root may.
    pub fn new(side: Side, cell: &Cell, seeds: [u64; 2], capture: Option<&Path>) -> Result<Self> {
        let (near, far) = (Namespace::new()?, Namespace::new()?);
        let far_tap = far.enter(|| linux_end(FAR))?;
        let near_tap = near.enter(|| match side {
            Side::Linux => linux_end(NEAR),
            Side::Enclave => bridged_end(),
        })?;
        let cable = Cable::join([near_tap, far_tap], cell.shape, seeds, capture)?;
        Ok(Self { near, far, side, cable })
    }

    /// Starts the peer at the far end, which listens.
    pub(crate) fn listen(&self, words: &[String]) -> Result<Program> {
        self.far.enter(|| {
            let mut command = Command::new(beside("peer")?);
            Program::start(command.arg("listen").arg(format!("{FAR}:{PORT}")).args(words))
        })
    }

    /// Starts the peer at the near end, which connects.
    pub(crate) fn connect(&self, words: &[String]) -> Result<Program> {
        self.near.enter(|| {
            let peer = beside("peer")?;
            let mut command = match self.side {
                Side::Linux => Command::new(peer),
                Side::Enclave => {
                    let mut command = Command::new(beside("rkt-io")?);
                    let options = ["--net", "tap=rkt0", "--ip", &format!("{NEAR}/24"), "--"];
                    command.args(["run", "--quiet"]).args(options).arg(peer);
                    command
                }
            };
            Program::start(command.arg("connect").arg(format!("{FAR}:{PORT}")).args(words))
        })
    }

    /// Takes the link away.
    ///
    /// # Errors
    /// What went wrong with it.
    pub fn close(self) -> Result<()> {
        self.cable.part()
    }
}

impl Program {
    fn start(command: &mut Command) -> Result<Self> {
        let name = command.get_program().to_owned();
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        child.map(Self).with_context(|| name.display().to_string())
    }

    /// What it says in the end.
    pub(crate) fn answer(mut self) -> Result<String> {
        let mut said = String::new();
        self.0.stdout.take().context("a pipe")?.read_to_string(&mut said)?;
        let status = self.0.wait()?;
        ensure!(status.success(), "a peer ended with {status} and said: {said}");
        Ok(said)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Linux with this address on the TAP.
fn linux_end(address: &str) -> Result<Tap> {
    let tap = Tap::open("wire0")?;
    ip(&format!("addr add {address}/24 dev wire0"))?;
    ip(&format!("link set wire0 txqueuelen {QUEUE} up"))?;
    Ok(tap)
}

/// A bridge between the TAP and the one that the command will open, `rkt0`: Linux cuts the enclave's
/// rows of segments and completes their checksums on the way to a TAP without offloads.
fn bridged_end() -> Result<Tap> {
    let tap = Tap::open("wire0")?;
    for words in [
        "link add lan0 type bridge forward_delay 0",
        "tuntap add dev rkt0 mode tap vnet_hdr",
        "link set wire0 master lan0",
        "link set rkt0 master lan0",
        &format!("link set wire0 txqueuelen {QUEUE} up"),
        "link set rkt0 up",
        "link set lan0 up",
    ] {
        ip(words)?;
    }
    Ok(tap)
}

fn ip(words: &str) -> Result<()> {
    let status = Command::new("ip").args(words.split_whitespace()).status().context("ip (iproute2)")?;
    ensure!(status.success(), "ip {words}: {status}");
    Ok(())
}

/// A program of this target folder: beside this one, or a folder up where this is a test. `RKT_IO` and `RKT_PEER`
/// name others.
fn beside(name: &str) -> Result<PathBuf> {
    let variable = if name == "peer" { "RKT_PEER" } else { "RKT_IO" };
    if let Some(path) = std::env::var_os(variable) {
        return Ok(path.into());
    }
    let own = std::env::current_exe()?;
    let folders = own.ancestors().skip(1).take(2);
    // The command is always built for release.
    let release = own.ancestors().nth(3).map(|target| target.join("release"));
    let found = folders.map(Path::to_owned).chain(release).map(|folder| folder.join(name)).find(|path| path.exists());
    found.with_context(|| format!("there is no {name} beside {}: run `cargo xtask build`", own.display()))
}
