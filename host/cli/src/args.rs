//! The command line. It reads like docker's where docker has the word.

use crate::config;
use crate::values::{
    Copy, Destination, Disk, Format, Inside, Memory, Net, Own4, Own6, Poll, Target, Tee, Variable, Volume, Without,
    parsed, parsed_list, publish,
};
use anyhow::{Result, bail};
use clap::{Args, Parser, Subcommand};
use rkt_backend_net::Publish;
use rkt_image_builder::Digest;
use serde::Deserialize;
use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
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
    /// Run a program of the host (`-- CMD ARGS…`) or an image (`IMAGE [--] [CMD ARGS…]`): an rkt-io image, or
    /// a container image in an OCI layout or archive.
    Run(Run),
    /// Print the digest of the manifest that `run` would use, without running anything.
    Measure(Measure),
    /// Make, look into and check root images.
    #[command(subcommand)]
    Image(Image),
    /// List your enclaves that run.
    Ps(Ps),
    /// Show the output of an enclave that was started with `-d`.
    Logs {
        /// Its name.
        name: String,
        /// Go on until it ends.
        #[arg(short, long)]
        follow: bool,
    },
    /// Run a program in an enclave that runs, if it was started with `--allow-exec`: NAME [--] CMD ARGS…
    Exec(Exec),
    /// Show the counters of an enclave that runs: its calls, its devices, its queues and sockets.
    Top(Top),
    /// Ask enclaves to end, and kill those that do not.
    Stop {
        /// Their names.
        #[arg(required = true)]
        names: Vec<String>,
        /// Seconds from asking to killing.
        #[arg(short, long, value_name = "SECONDS", default_value_t = 10)]
        time: u32,
    },
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

/// `rkt-io top`.
#[derive(Args)]
pub struct Top {
    /// Its name.
    pub name: String,
    /// Show them once, not again and again. So it is where standard output is no terminal.
    #[arg(long)]
    pub once: bool,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
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

/// `rkt-io ps`.
#[derive(Args)]
pub struct Ps {
    /// Show those that have ended, too, as far as their logs are kept.
    #[arg(short, long)]
    pub all: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `rkt-io exec`.
#[derive(Args)]
pub struct Exec {
    /// Pass standard input on.
    #[arg(short, long)]
    pub interactive: bool,
    /// Give the program the terminal, and its input.
    #[arg(short, long)]
    pub tty: bool,
    /// Set a variable of the environment, or take the host's (repeatable).
    #[arg(short, long, value_name = "KEY[=VALUE]")]
    pub env: Vec<Variable>,
    /// Working directory [default: that of the first program].
    #[arg(short, long, value_name = "DIR")]
    pub workdir: Option<String>,
    /// The enclave's name, and the program with its arguments.
    #[arg(trailing_var_arg = true, value_name = "COMMAND", num_args = 2.., required = true)]
    pub command: Vec<OsString>,
}

/// `rkt-io image`.
#[derive(Subcommand)]
pub enum Image {
    /// Make an image from programs of the host, from a folder or from a container image.
    Create(Create),
    /// List what is in an image.
    Inspect {
        /// The image.
        image: PathBuf,
        /// The file with its passphrase, of a LUKS container.
        #[arg(long, value_name = "FILE")]
        key_file: Option<PathBuf>,
    },
    /// Check that an image is whole.
    Check {
        /// The image.
        image: PathBuf,
        /// Check also that it is this one.
        #[arg(long, value_name = "sha256:DIGITS")]
        digest: Option<Digest>,
        /// The file with its passphrase, of a LUKS container.
        #[arg(long, value_name = "FILE")]
        key_file: Option<PathBuf>,
    },
    /// Copy a file or folder out of an image.
    Cp {
        /// The image, and an absolute path in it.
        #[arg(value_name = "IMAGE:PATH")]
        from: Inside,
        /// Where to: a new name, or a folder.
        to: PathBuf,
        /// The file with its passphrase, of a LUKS container.
        #[arg(long, value_name = "FILE")]
        key_file: Option<PathBuf>,
    },
    /// Print the digest of an image, by which a manifest pins it: of a verity image, its root hash.
    Measure {
        /// The image.
        image: PathBuf,
    },
    /// Give a LUKS container another passphrase. What it holds stays as it is.
    Key {
        /// The image.
        image: PathBuf,
        /// The file with the passphrase that it has.
        #[arg(long, value_name = "FILE")]
        key_file: PathBuf,
        /// The file with the passphrase that it is to have.
        #[arg(long, value_name = "FILE")]
        new_key_file: PathBuf,
    },
}

/// `rkt-io image create`.
#[derive(Args)]
pub struct Create {
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// What to make it from.
    #[command(flatten)]
    pub origin: Origin,
    /// Copy a file or folder of the host into the image (repeatable).
    #[arg(long = "copy", value_name = "HOST:GUEST")]
    pub copies: Vec<Copy>,
    /// How the contents of files are stored.
    #[arg(long, value_enum, default_value = "none")]
    pub compress: Compress,
    /// What kind of image: image (unpacked into memory at the start), or a disk: ext4, luks2 or verity.
    #[arg(long, value_name = "FORMAT", default_value = "image")]
    pub format: Format,
    /// Bytes of a disk's file system [default: what the files need, and some room]; of an image: most
    /// bytes that a container image may take, unpacked [default: 16g].
    #[arg(long, value_name = "BYTES")]
    pub size: Option<Memory>,
    /// The file with the passphrase of a luks2 image.
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// Show no progress.
    #[arg(short, long)]
    pub quiet: bool,
}

/// What an image is made from.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub struct Origin {
    /// A program of the host, with its libraries and the files of its package (repeatable). The image
    /// runs the first one unless told otherwise.
    #[arg(long, value_name = "PROGRAM")]
    pub from_program: Vec<PathBuf>,
    /// A folder that becomes the root.
    #[arg(long, value_name = "DIR")]
    pub from_dir: Option<PathBuf>,
    /// A container image in an OCI layout, or an archive of one; @NAME chooses among several.
    #[arg(long, value_name = "DIR[@NAME]")]
    pub from_oci: Option<PathBuf>,
    /// A container image in an archive as `docker save` writes; @NAME chooses among several.
    #[arg(long, value_name = "FILE[@NAME]")]
    pub from_docker_archive: Option<PathBuf>,
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
    /// The process that `-d` starts: it announces itself and goes on alone.
    #[arg(long, hide = true)]
    pub supervise: bool,
    /// IMAGE [--] [CMD ARGS…], or a program of the host and its arguments behind `--`.
    #[arg(trailing_var_arg = true, value_name = "COMMAND", required = true)]
    pub command: Vec<OsString>,
}

/// What can stand on the command line and, by the same names, in `rkt.toml`.
#[derive(Args, Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Options {
    /// The network: user (passt), tap[=IFNAME], shm=PATH (a wire to all enclaves with the same PATH) or
    /// none. Default: user where passt is installed.
    #[arg(long, value_name = "NET")]
    #[serde(deserialize_with = "parsed")]
    pub net: Option<Net>,
    /// The enclave's IPv4 address and prefix length, or dhcp: a server gives them.
    #[arg(long, value_name = "ADDRESS/PREFIX|dhcp")]
    #[serde(deserialize_with = "parsed")]
    pub ip: Option<Own4>,
    /// The enclave's IPv6 address and prefix length, or auto: routers give them.
    #[arg(long, value_name = "ADDRESS/PREFIX|auto")]
    #[serde(deserialize_with = "parsed")]
    pub ip6: Option<Own6>,
    /// The router of IPv4; on a TAP that rkt-io makes, the host's own address.
    #[arg(long, value_name = "ADDRESS")]
    pub gateway: Option<Ipv4Addr>,
    /// The router of IPv6.
    #[arg(long, value_name = "ADDRESS")]
    pub gateway6: Option<Ipv6Addr>,
    /// A name server (repeatable).
    #[arg(long, value_name = "ADDRESS")]
    pub dns: Vec<IpAddr>,
    /// Publish a port: [ADDR:]HOST:GUEST[/udp], on 127.0.0.1 unless ADDR (repeatable).
    #[arg(short, long, value_name = "PORTS", value_parser = publish)]
    #[serde(deserialize_with = "parsed_list")]
    pub publish: Vec<Publish>,
    /// Attach a disk: file=PATH,format=plain|luks|verity[,key-file=FILE][,mount=/DIR][,ro|,overlay]
    /// (repeatable). With overlay, changes stay in memory and end with the enclave.
    #[arg(long, value_name = "DISK")]
    #[serde(deserialize_with = "parsed_list")]
    pub disk: Vec<Disk>,
    /// Copy a file or folder of the host into the image before it starts (repeatable); not into an
    /// rkt-io image, which is fixed by its digest.
    #[arg(long, value_name = "HOST:GUEST")]
    #[serde(deserialize_with = "parsed_list")]
    pub copy: Vec<Copy>,
    /// Mount a named volume, which is made at its first use: NAME:/DIR (repeatable). It is a LUKS2
    /// container in your data folder, with its key beside it.
    #[arg(short, long, value_name = "NAME:/DIR")]
    #[serde(deserialize_with = "parsed_list")]
    pub volume: Vec<Volume>,
    /// The file with the passphrase of an image that is a LUKS container.
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// Never write to the root: for images that are disks.
    #[arg(long)]
    pub read_only: bool,
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
    /// Working directory [default: the image's, else /].
    #[arg(short, long, value_name = "DIR")]
    pub workdir: Option<String>,
    /// Host name [default: rkt].
    #[arg(long, value_name = "NAME")]
    pub hostname: Option<String>,
    /// Run as this user and group of the image, by name or number [default: the image's, else root].
    #[arg(short, long, value_name = "USER[:GROUP]")]
    pub user: Option<String>,
    /// Run this instead of the image's entry point and command.
    #[arg(long, value_name = "PROGRAM")]
    pub entrypoint: Option<String>,
    /// Run only the image of this digest: its own, or that of a container image's manifest.
    #[arg(long, value_name = "sha256:DIGITS")]
    #[serde(deserialize_with = "parsed")]
    pub digest: Option<Digest>,
    /// Most bytes that a container image may take, unpacked [default: 16g].
    #[arg(long, value_name = "BYTES")]
    #[serde(deserialize_with = "parsed")]
    pub size: Option<Memory>,
    /// Pass standard input on. A host program gets it anyway unless it is a terminal.
    #[arg(short, long)]
    pub interactive: bool,
    /// Give the program the terminal.
    #[arg(short, long)]
    pub tty: bool,
    /// A name, which no other running enclave of yours may have [default: rkt-PID].
    #[arg(long)]
    pub name: Option<String>,
    /// Leave it running: print its name and return. Its output goes to a log, see `rkt-io logs`.
    #[arg(short, long, conflicts_with_all = ["interactive", "tty"])]
    pub detach: bool,
    /// How the enclave waits for its devices [default: adaptive].
    #[arg(long, value_enum)]
    pub poll: Option<Poll>,
    /// Do without what makes it fast, to measure what that is worth (repeatable).
    #[arg(long, value_enum, value_delimiter = ',')]
    pub without: Vec<Without>,
    /// The trusted execution environment [default: auto].
    #[arg(long, value_enum)]
    pub tee: Option<Tee>,
    /// Show system calls, on standard error or in FILE. Makes the enclave a debuggable one.
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "-")]
    #[serde(deserialize_with = "parsed")]
    pub strace: Option<Destination>,
    /// Make the enclave a debuggable one: programs that crash may dump core into its file system, and a
    /// debugger may look into it.
    #[arg(long)]
    pub debug: bool,
    /// Let `rkt-io exec` run programs beside the first one.
    #[arg(long)]
    pub allow_exec: bool,
    /// Write the frames that the enclave's network cards send and receive to FILE (pcapng). Makes the enclave a
    /// debuggable one.
    #[arg(long, value_name = "FILE")]
    pub pcap: Option<PathBuf>,
    /// Show counters at the end, as a table on standard error or as JSON in FILE. Sockets are
    /// among them if the enclave is a debuggable one.
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
    /// Whether this is the process that `-d` started.
    pub supervise: bool,
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
            let mut rest = command.as_slice();
            if let [dashes, behind @ ..] = rest
                && dashes == "--"
            {
                rest = behind;
            }
            Target::Image(image.into(), rest.to_vec())
        };
        Ok(Request { options, target, supervise: self.supervise })
    }
}
