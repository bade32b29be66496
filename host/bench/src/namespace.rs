//! Namespaces (namespaces(7)) that go with us: each is held by a process that the kernel kills when we die
//! (prctl(2), PR_SET_PDEATHSIG).

use crate::place::{require, tool};
use crate::process::Process;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(5);

/// What a namespace is of.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Interfaces, addresses, routes.
    Network,
    /// Mounts; private, so that none is seen outside.
    Mount,
}

impl Kind {
    /// Of unshare(1) and nsenter(1).
    fn option(self) -> &'static str {
        match self {
            Self::Network => "--net",
            Self::Mount => "--mount",
        }
    }

    /// In `/proc/PID/ns`.
    fn file(self) -> &'static str {
        match self {
            Self::Network => "net",
            Self::Mount => "mnt",
        }
    }
}

/// A namespace and the process that holds it.
pub struct Namespace {
    kind: Kind,
    holder: Process,
    nsenter: PathBuf,
}

impl Namespace {
    /// Makes one.
    ///
    /// # Errors
    /// Without the right to make one, or the tools.
    pub fn new(kind: Kind) -> Result<Self> {
        let [unshare, nsenter] = ["unshare", "nsenter"].map(|name| require(name, "util-linux"));
        let mut holder = Command::new(unshare?);
        holder.args([kind.option(), "--", "sleep", "infinity"]);
        let holder = Process::spawn(mortal(&holder)?.stdout(Stdio::null()), None)?;
        let mut namespace = Self { kind, holder, nsenter: nsenter? };
        let link = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/{}", kind.file()));
        let own = link("self").context("no such namespaces here")?;
        let theirs = namespace.holder().to_string();
        let deadline = Instant::now() + LIMIT;
        // It is ready when the holder has moved.
        while link(&theirs).ok().is_none_or(|theirs| theirs == own) {
            if Instant::now() > deadline || namespace.holder.has_ended() {
                bail!("unshare {} failed{}", kind.option(), namespace.holder.quoted());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(namespace)
    }

    /// Process id of its holder.
    pub fn holder(&self) -> u32 {
        self.holder.id()
    }

    /// The command in the namespace; it dies with us and stays one process.
    ///
    /// # Errors
    /// If a tool is missing.
    pub fn wrap(&self, command: &Command) -> Result<Command> {
        let mut inside = Command::new(&self.nsenter);
        inside.arg(self.option()).arg("--").arg(command.get_program()).args(command.get_args());
        mortal(&inside)
    }

    /// Runs a program in the namespace to its success.
    ///
    /// # Errors
    /// If it fails.
    pub fn run(&self, program: &Path, args: &[&str]) -> Result<()> {
        let program = program.to_str().context("a path that is not UTF-8")?;
        tool(&self.nsenter, &[[&self.option(), "--", program].as_slice(), args].concat())
    }

    /// The argument by which nsenter(1) finds it.
    fn option(&self) -> String {
        format!("{}=/proc/{}/ns/{}", self.kind.option(), self.holder(), self.kind.file())
    }
}

/// The command, killed when the thread that starts it ends.
///
/// # Errors
/// If a tool is missing.
pub fn mortal(command: &Command) -> Result<Command> {
    let mut mortal = Command::new(require("setpriv", "util-linux")?);
    mortal.args(["--pdeathsig", "KILL", "--"]).arg(command.get_program()).args(command.get_args());
    Ok(mortal)
}
