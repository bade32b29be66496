//! The command line. It reads like docker's where docker has the word.

use crate::config;
use crate::values::{
    Cidr, Copy, Destination, Disk, Memory, Net, Poll, Target, Tee, User, Variable, Volume, parsed, parsed_list, publish,
};
use anyhow::{Result, bail};
use clap::{Args, Parser, Subcommand};
use rkt_backend_net::Publish;
use serde::Deserialize;
use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

/// Runs unmodified Linux programs in an enclave with its own network and storage.
#[derive(Parser)]
#[command(name = "rkt-io", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Subcommand)]
pub enum Command {
    /// Run a program of the host (`-- CMD ARGS…`) or an image (`IMAGE [CMD ARGS…]`).
    Run(Run),
    /// Print the digest of the manifest that `run` would use, without running anything.
    Measure(Measure),
    /// Make, look into and check root images.
    #[command(subcommand)]
    Image(Image),
    /// Measure rkt-io beside native Linux, in pairs of runs.
    #[command(subcommand)]
    Bench(rkt_bench::Command),
    /// Say what this machine can do and what is missing.
    Doctor,
    /// The switch of a wire (`--net shm=PATH`): started by the first enclave there, its socket is
    /// standard input.
    #[command(hide = true)]
    Switch {
        /// Where the socket lies.
        path: PathBuf,
    },
}

/// `rkt-io measure`.
#[derive(Args)]
pub struct Measure {
    /// Print the manifest, too, as JSON.
    #[arg(long)]
    pub json: bool,
    /// The same as for `run`.
    #[command(flatten)]
    pub run: Run,
}

/// `rkt-io image`.
#[derive(Subcommand)]
pub enum Image {
    /// Make an image from programs of the host or from a folder.
    Create(Create),
    /// List what is in an image.
    Inspect {
        /// The image.
        image: PathBuf,
    },
    /// Check that an image is whole.
    Check {
        /// The image.
        image: PathBuf,
    },
}

/// `rkt-io image create`.
#[derive(Args)]
pub struct Create {
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// A program of the host, with its libraries and the files of its package.
    #[arg(long, value_name = "PROGRAM", required_unless_present = "from_dir", conflicts_with = "from_dir")]
    pub from_program: Option<PathBuf>,
    /// A folder that becomes the root.
    #[arg(long, value_name = "DIR")]
    pub from_dir: Option<PathBuf>,
    /// Copy a file or folder of the host into the image (repeatable).
    #[arg(long = "copy", value_name = "HOST:GUEST", requires = "from_program")]
    pub copies: Vec<Copy>,
    /// How the contents of files are stored.
    #[arg(long, value_enum, default_value = "none")]
    pub compress: Compress,
}

/// `--compress`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Compress {
    /// As they are: starts fastest.
    None,
    /// Compressed.
    Zstd,
}

/// `rkt-io run`.
#[derive(Args)]
pub struct Run {
    /// The options.
    #[command(flatten)]
    pub options: Options,
    /// Read options from this file, too; those of the command line win.
    #[arg(long, value_name = "rkt.toml")]
    pub config: Option<PathBuf>,
    /// IMAGE [CMD ARGS…], or a program of the host and its arguments behind `--`.
    #[arg(trailing_var_arg = true, value_name = "COMMAND", required = true)]
    pub command: Vec<OsString>,
}

/// What can stand on the command line and, by the same names, in `rkt.toml`.
#[derive(Args, Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Options {
    /// The network: user (passt), tap[=IFNAME] or none. Default: user where passt is installed.
    #[arg(long, value_name = "NET")]
    #[serde(deserialize_with = "parsed")]
    pub net: Option<Net>,
    /// The enclave's IPv4 address and prefix length.
    #[arg(long, value_name = "ADDRESS/PREFIX")]
    #[serde(deserialize_with = "parsed")]
    pub ip: Option<Cidr>,
    /// The router; on a TAP that rkt-io makes, the host's own address.
    #[arg(long, value_name = "ADDRESS")]
    pub gateway: Option<Ipv4Addr>,
    /// A name server (repeatable).
    #[arg(long, value_name = "ADDRESS")]
    pub dns: Vec<IpAddr>,
    /// Publish a port: [ADDR:]HOST:GUEST[/udp], on 127.0.0.1 unless ADDR (repeatable).
    #[arg(short, long, value_name = "PORTS", value_parser = publish)]
    #[serde(deserialize_with = "parsed_list")]
    pub publish: Vec<Publish>,
    /// Attach a disk: file=PATH,format=plain[,mount=/DIR][,ro] (repeatable).
    #[arg(long, value_name = "DISK")]
    #[serde(deserialize_with = "parsed_list")]
    pub disk: Vec<Disk>,
    /// Copy a file or folder of the host into the ephemeral image (repeatable).
    #[arg(long, value_name = "HOST:GUEST")]
    #[serde(deserialize_with = "parsed_list")]
    pub copy: Vec<Copy>,
    /// Not possible: see --copy and --disk.
    #[arg(short, long, value_name = "VOLUME", hide = true)]
    #[serde(skip)]
    pub volume: Vec<Volume>,
    /// Number of vCPUs [default: 1].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=rkt_window::layout::MAX_VCPUS as i64))]
    pub cpus: Option<u32>,
    /// Memory of the enclave, with k, m or g [default: 1g].
    #[arg(short, long, value_name = "BYTES")]
    #[serde(deserialize_with = "parsed")]
    pub memory: Option<Memory>,
    /// Set a variable of the environment, or take the host's (repeatable).
    #[arg(short, long, value_name = "KEY[=VALUE]")]
    #[serde(deserialize_with = "parsed_list")]
    pub env: Vec<Variable>,
    /// Read variables from a file (repeatable).
    #[arg(long, value_name = "FILE")]
    pub env_file: Vec<PathBuf>,
    /// Working directory [default: /].
    #[arg(short, long, value_name = "DIR")]
    pub workdir: Option<String>,
    /// Host name [default: rkt].
    #[arg(long, value_name = "NAME")]
    pub hostname: Option<String>,
    /// User and group, in numbers [default: 0:0].
    #[arg(short, long, value_name = "UID[:GID]")]
    #[serde(deserialize_with = "parsed")]
    pub user: Option<User>,
    /// Pass standard input on. A host program gets it anyway unless it is a terminal.
    #[arg(short, long)]
    pub interactive: bool,
    /// Give the program the terminal.
    #[arg(short, long)]
    pub tty: bool,
    /// A name, which no other running enclave of yours may have.
    #[arg(long)]
    pub name: Option<String>,
    /// How the enclave waits for its devices [default: adaptive].
    #[arg(long, value_enum)]
    pub poll: Option<Poll>,
    /// The trusted execution environment [default: auto].
    #[arg(long, value_enum)]
    pub tee: Option<Tee>,
    /// Show system calls, on standard error or in FILE. Makes the enclave a debuggable one.
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "-")]
    #[serde(deserialize_with = "parsed")]
    pub strace: Option<Destination>,
    /// Show counters at the end, as a table on standard error or as JSON in FILE.
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "-")]
    #[serde(deserialize_with = "parsed")]
    pub stats: Option<Destination>,
    /// Print nothing but what the program prints, and why it could not run.
    #[arg(short, long)]
    pub quiet: bool,
}

/// A complete request: options of both sources, and what to run.
#[derive(Debug, PartialEq)]
pub struct Request {
    /// Options of the command line over those of the file.
    pub options: Options,
    /// What to run.
    pub target: Target,
}

impl Run {
    /// The request. `argv` is the whole command line: only there it shows whether `--` stood
    /// before the command.
    pub fn request(self, argv: &[OsString]) -> Result<Request> {
        let options = match &self.config {
            Some(path) => self.options.over(config::read(path)?),
            None => self.options,
        };
        let behind_dashes = argv.len().checked_sub(self.command.len() + 1).and_then(|at| argv.get(at));
        let target = if behind_dashes.is_some_and(|arg| arg == "--") {
            Target::Program(self.command)
        } else {
            let mut command = self.command.into_iter();
            let Some(image) = command.next() else { bail!("an image or `-- CMD` is missing") };
            Target::Image(image.into(), command.collect())
        };
        Ok(Request { options, target })
    }
}
