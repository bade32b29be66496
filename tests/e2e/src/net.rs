//! A network namespace that vanishes with its test: an enclave behind a TAP, and programs beside it.

use crate::{Finished, Running, finish, rkt_io, until};
use std::path::Path;
use std::process::{Command, Stdio};

/// The enclave's addresses and the host's, on the TAP between them.
pub const INSIDE: &str = "10.0.3.2";
/// The host's end.
pub const OUTSIDE: &str = "10.0.3.1";
const INSIDE_V6: &str = "fd00:3::2/64";
/// The host's end.
pub const OUTSIDE_V6: &str = "fd00:3::1";

/// The namespace.
pub struct Namespace(Running);

impl Namespace {
    /// A fresh one, with a loopback.
    pub fn new() -> Self {
        let mut command = Command::new("unshare");
        command.args(["--net", "sh", "-c", "ip link set lo up && exec sleep infinity"]);
        let namespace = Self(Running::start(&mut command));
        // The namespace is there when its loopback is up.
        let up = || finish(&mut namespace.outside(&["ip", "-br", "link", "show", "up"]), b"").stdout.starts_with(b"lo");
        until("the namespace", || up().then_some(()));
        namespace
    }

    /// A program on the host's side.
    pub fn outside(&self, program: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--net", "--target", &self.0.pid().as_raw_nonzero().to_string()]).args(program);
        command
    }

    /// `rkt-io run … TARGET` behind a TAP; the target is an image and a command, or `--` and one.
    pub fn inside(&self, options: &[&str], target: &[&str]) -> Command {
        let mut command = self.outside(&[]);
        command.arg(rkt_io()).args(["run", "--quiet", "--net", "tap=peer0", "--ip", &format!("{INSIDE}/24")]);
        command.args(["--ip6", INSIDE_V6]).args(options).args(target);
        command
    }

    /// Starts a server that nobody reads from.
    pub fn server(&self, mut command: Command) -> Running {
        Running::start(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()))
    }

    /// Tries a client on the host's side until it succeeds: servers take a while to start.
    pub fn ask(&self, program: &[&str], input: &[u8]) -> Finished {
        let answer = || Some(finish(&mut self.outside(program), input)).filter(|answer| answer.status == 0);
        until("the server answers", answer)
    }
}

impl Default for Namespace {
    fn default() -> Self {
        Self::new()
    }
}

/// An image with several programs of the host.
pub fn image_of(path: &Path, programs: &[&str]) {
    let mut command = Command::new(rkt_io());
    command.args(["image", "create", "--quiet", "--out"]).arg(path);
    for program in programs {
        command.args(["--from-program", program]);
    }
    finish(&mut command, b"").succeeded();
}
