//! The places where a program runs: natively, in an enclave, and, beside the two, in gVisor's sandbox.

use crate::pairs::Side;
use crate::process::lines;
use crate::{Poll, process};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Making an image takes seconds at most.
const IMAGE_LIMIT: Duration = Duration::from_secs(120);

/// What is compared.
pub struct Places {
    /// What rkt-io does.
    pub subject: Place,
    /// What Linux does.
    pub baseline: Place,
    /// gVisor's command, where it is installed: it is measured beside the two in what needs no device.
    pub gvisor: Option<PathBuf>,
    /// A folder for files of this run.
    pub folder: PathBuf,
}

/// What a program needs in its image besides its own files.
#[derive(Default)]
pub struct Beside {
    /// Programs that it starts.
    pub programs: Vec<PathBuf>,
    /// Files and folders of the host, at the same path.
    pub copies: Vec<PathBuf>,
}

impl Beside {
    /// A folder and nothing else.
    pub fn folder(folder: &Path) -> Self {
        Self { copies: vec![folder.into()], ..Self::default() }
    }
}

/// A program that is ready on all sides.
pub struct Everywhere {
    subject: Ready,
    baseline: Ready,
    sandbox: Option<Ready>,
}

impl Everywhere {
    /// The program on this side.
    ///
    /// # Errors
    /// If there is no such side.
    pub fn on(&self, side: Side) -> Result<&Ready> {
        match side {
            Side::Subject => Ok(&self.subject),
            Side::Baseline => Ok(&self.baseline),
            Side::Sandbox => self.sandbox.as_ref().context("gVisor is not installed"),
        }
    }
}

/// Where a program runs.
pub enum Place {
    /// As a process of the host.
    Native,
    /// In an enclave.
    Enclave {
        /// The command that runs enclaves.
        rkt_io: PathBuf,
        /// How enclaves wait.
        poll: Poll,
    },
}

/// A program that is ready to run in its place.
pub enum Ready {
    /// The program itself.
    Native(PathBuf),
    /// A prebuilt image with the program.
    Image {
        /// The command that runs enclaves.
        rkt_io: PathBuf,
        /// How enclaves wait.
        poll: Poll,
        /// The image.
        image: PathBuf,
        /// The program's path within it.
        program: String,
    },
    /// A program for gVisor.
    Sandboxed {
        /// The command that runs sandboxes.
        runsc: PathBuf,
        /// The program.
        program: PathBuf,
    },
}

impl Places {
    /// An enclave beside the host.
    pub fn new(rkt_io: &Path, poll: Poll, folder: &Path) -> Self {
        let subject = Place::Enclave { rkt_io: rkt_io.into(), poll };
        Self { subject, baseline: Place::Native, gvisor: None, folder: folder.into() }
    }

    /// The host beside itself, to test the measurement.
    pub fn native_twice(folder: &Path) -> Self {
        Self { subject: Place::Native, baseline: Place::Native, gvisor: None, folder: folder.into() }
    }

    /// Makes a program ready in both places: as subject and as baseline.
    ///
    /// # Errors
    /// If its image cannot be made.
    pub fn prepare(&self, program: &Path) -> Result<(Ready, Ready)> {
        self.prepare_with(program, &Beside::default())
    }

    /// The same, with what it needs beside it.
    ///
    /// # Errors
    /// If its image cannot be made.
    pub fn prepare_with(&self, program: &Path, beside: &Beside) -> Result<(Ready, Ready)> {
        let prepare = |place: &Place| place.prepare(program, beside, &self.folder);
        Ok((prepare(&self.subject)?, prepare(&self.baseline)?))
    }

    /// Makes a program that needs no device ready on all sides.
    ///
    /// # Errors
    /// If its image cannot be made.
    pub fn prepare_everywhere(&self, program: &Path, beside: &Beside) -> Result<Everywhere> {
        let (subject, baseline) = self.prepare_with(program, beside)?;
        let sandbox = self.gvisor.clone().map(|runsc| Ready::Sandboxed { runsc, program: program.into() });
        Ok(Everywhere { subject, baseline, sandbox })
    }

    /// How the enclave waits, in a word; natively nobody polls.
    pub fn poll(&self) -> &'static str {
        match &self.subject {
            Place::Native => "none",
            Place::Enclave { poll, .. } => poll.name(),
        }
    }
}

impl Place {
    fn prepare(&self, program: &Path, beside: &Beside, folder: &Path) -> Result<Ready> {
        let Self::Enclave { rkt_io, poll } = self else { return Ok(Ready::Native(program.into())) };
        let name = program.file_name().context("a program without a name")?;
        let image = folder.join(name).with_extension("rkt");
        let mut create = Command::new(rkt_io);
        create.args(["image", "create", "--out"]).arg(&image).arg("--from-program").arg(program);
        for other in &beside.programs {
            create.arg("--from-program").arg(other);
        }
        for copy in &beside.copies {
            create.arg(format!("--copy={0}:{0}", copy.display()));
        }
        let mut inside = None;
        lines(&mut create, None, IMAGE_LIMIT, |line| {
            // The path may differ from what was asked for, as links and shims are followed.
            inside = inside.take().or_else(|| line.text.strip_prefix("program ").map(str::to_owned));
            Ok(())
        })
        .with_context(|| format!("cannot make an image of {}", program.display()))?;
        let program = inside.context("`rkt-io image create` did not say where the program is")?;
        Ok(Ready::Image { rkt_io: rkt_io.clone(), poll: *poll, image, program })
    }

    /// Whether this is an enclave.
    pub fn is_enclave(&self) -> bool {
        matches!(self, Self::Enclave { .. })
    }
}

impl Ready {
    /// A command that runs the program with as many vCPUs and these options of `rkt-io run` for
    /// its devices, which mean nothing natively. Arguments of the program can be appended.
    pub fn command(&self, cpus: u32, options: &[String]) -> Command {
        match self {
            Self::Native(program) => Command::new(program),
            Self::Image { rkt_io, poll, image, program } => {
                let mut command = Command::new(rkt_io);
                command.args(["run", "--quiet", "--tee", "none", "--poll", poll.name(), "--cpus", &cpus.to_string()]);
                command.args(options).arg(image).arg(program);
                command
            }
            Self::Sandboxed { runsc, program } => {
                let mut command = Command::new(runsc);
                command.args(["--network=none", "do", "-quiet"]).arg(program);
                command
            }
        }
    }

    /// A folder on a tmpfs that the program can write to.
    pub fn tmpfs(&self) -> &'static str {
        match self {
            Self::Native(_) => "/dev/shm",
            // runsc's overlay lies in memory, too.
            Self::Image { .. } | Self::Sandboxed { .. } => "/tmp",
        }
    }
}

/// The options of an enclave without a network.
pub fn no_network() -> Vec<String> {
    vec!["--net".into(), "none".into()]
}

/// A program that a measurement needs and that is not there.
#[derive(Debug)]
pub struct Missing {
    program: String,
    package: String,
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} is needed and not installed: `apt-get install {}`", self.program, self.package)
    }
}

impl std::error::Error for Missing {}

/// Finds a program that a measurement needs.
///
/// # Errors
/// [`Missing`], with the program and Debian's package of it.
pub fn require(program: &str, package: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].map(PathBuf::from);
    // Debian's own first: a shim on PATH would be measured with what it starts.
    let found = system.into_iter().chain(std::env::split_paths(&path)).map(|dir| dir.join(program));
    let missing = || Missing { program: program.into(), package: package.into() };
    Ok(found.into_iter().find(|file| file.is_file()).ok_or_else(missing)?)
}

/// Runs a program of the system to its success.
///
/// # Errors
/// If it fails or takes longer than ten seconds.
pub fn tool(program: &Path, args: &[&str]) -> Result<()> {
    process::run(Command::new(program).args(args), Duration::from_secs(10))
        .with_context(|| format!("{} {}", program.display(), args.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_enclave_gets_its_options_and_a_process_none() {
        let args = |ready: &Ready| -> Vec<String> {
            let command = ready.command(2, &no_network());
            command.get_args().map(|arg| arg.to_string_lossy().into_owned()).collect()
        };
        assert!(args(&Ready::Native("/bin/true".into())).is_empty());
        let (rkt_io, image) = ("/rkt-io".into(), "/i.rkt".into());
        let image = Ready::Image { rkt_io, poll: Poll::Busy, image, program: "/usr/bin/true".into() };
        let expected = "run --quiet --tee none --poll busy --cpus 2 --net none /i.rkt /usr/bin/true";
        assert_eq!(args(&image).join(" "), expected);
        let sandboxed = Ready::Sandboxed { runsc: "/runsc".into(), program: "/p".into() };
        assert_eq!(args(&sandboxed).join(" "), "--network=none do -quiet /p");
    }

    #[test]
    fn a_missing_program_is_named_with_its_package() {
        assert!(require("sh", "dash").unwrap().ends_with("sh"));
        let error = require("no-such-program", "some-package").unwrap_err().to_string();
        assert!(error.contains("no-such-program") && error.contains("some-package"), "{error}");
    }
}
