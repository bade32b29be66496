//! `rkt-io bench disk`: storage, beside Linux's ext4 over a loop device on the same file.

mod backing;
mod container;
mod files;
mod fio;
mod mariadb;
mod mount;
mod sqlite;

use crate::Common;
use crate::link::Link;
use crate::pairs::{Reading, Setting, Side};
use crate::place::{Place, Places, Ready, no_network};
use crate::report::{Report, Sides};
use anyhow::{Result, ensure};
use backing::Backing;
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};
use std::process::Command;

/// `rkt-io bench disk`.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// What all measurements have.
    #[command(flatten)]
    pub common: Common,
    /// What to measure [default: all].
    #[arg(value_enum, value_name = "PART")]
    pub parts: Vec<Part>,
    /// vCPUs of the enclave.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub cpus: u32,
    /// Time of each load in each run [default: 2, --quick: 1].
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub seconds: Option<u32>,
    /// Where the files lie that are the disks (repeatable) [default: /dev/shm, a tmpfs, and /var/tmp;
    /// --quick: /dev/shm].
    #[arg(long, value_name = "DIR")]
    pub backing: Vec<PathBuf>,
    /// Bytes that fio reads and writes, in MiB [default: 1024, --quick: 128]. The disks are twice as large, and some more.
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(4..=1 << 20))]
    pub size: Option<u64>,
    /// Files that are made and removed [default: 100000, --quick: 10000].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub files: Option<u32>,
}

/// What can be measured by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// fio: buffered and direct, random and sequential, 1 to 8 jobs (figures 1b, 5a and 5c).
    Fio,
    /// Cached reads, fsync, and many files.
    Files,
    /// SQLite (figure 7a).
    Sqlite,
    /// MariaDB under sysbench, with TLS and without (figure 7f).
    Mariadb,
}

impl Options {
    /// Everything, as by default.
    pub fn all(common: &Common) -> Self {
        let (parts, backing) = (Vec::new(), Vec::new());
        Self { common: common.clone(), parts, cpus: 1, seconds: None, backing, size: None, files: None }
    }

    fn time(&self) -> u32 {
        self.seconds.unwrap_or(if self.common.quick { 1 } else { 2 })
    }

    fn size_mib(&self) -> u64 {
        self.size.unwrap_or(if self.common.quick { 128 } else { 1024 })
    }

    fn file_count(&self) -> u32 {
        self.files.unwrap_or(if self.common.quick { 10_000 } else { 100_000 })
    }

    fn folders(&self) -> Vec<PathBuf> {
        let default: &[&str] = if self.common.quick { &["/dev/shm"] } else { &["/dev/shm", "/var/tmp"] };
        if self.backing.is_empty() { default.iter().map(PathBuf::from).collect() } else { self.backing.clone() }
    }
}

/// Runs the parts and adds their figures; what fails is in the report.
pub fn run(options: &Options, places: &Places, report: &mut Report) {
    for folder in options.folders() {
        if let Err(error) = on(&folder, options, places, report) {
            report.not_measured(&format!("disks in {}", folder.display()), &error);
        }
    }
}

fn on(folder: &Path, options: &Options, places: &Places, report: &mut Report) -> Result<()> {
    ensure!(folder.is_absolute(), "{} is no absolute path", folder.display());
    let (mib, inodes) = (options.size_mib() * 2 + SPARE_MIB, options.file_count() + SPARE_INODES);
    let bench = Bench { options, places, backing: Backing::new(folder, mib, inodes)? };
    let all = Part::value_variants();
    for part in if options.parts.is_empty() { all } else { &options.parts } {
        let (name, result) = match part {
            Part::Fio => ("fio", fio::run(&bench, report)),
            Part::Files => ("files", files::run(&bench, report)),
            Part::Sqlite => ("SQLite", sqlite::run(&bench, report)),
            Part::Mariadb => ("MariaDB", mariadb::run(&bench, report)),
        };
        if let Err(error) = result {
            report.not_measured(&format!("{name} in {}", folder.display()), &error);
        }
    }
    Ok(())
}

/// Of the disks, besides what is asked for.
const SPARE_MIB: u64 = 256;
const SPARE_INODES: u32 = 10_000;
/// Memory of the enclave: its page cache is in it.
const MEMORY: &str = "4g";

/// What parts have in common.
struct Bench<'a> {
    options: &'a Options,
    places: &'a Places,
    backing: Backing,
}

/// What protects the enclave's disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protection {
    Luks,
    /// LUKS, with AES in software.
    LuksInSoftware,
    Plain,
}

impl Protection {
    /// Behind the name of a measure.
    fn shown(self) -> &'static str {
        match self {
            Self::Luks => "LUKS",
            Self::LuksInSoftware => "LUKS, no AES instructions",
            Self::Plain => "plain",
        }
    }
}

/// What most is measured with.
const PROTECTIONS: [Protection; 2] = [Protection::Luks, Protection::Plain];

/// A program and how it is run once.
struct Task<'a> {
    ready: (&'a Ready, &'a Ready),
    args: &'a [String],
    /// The way to a server.
    link: Option<&'a Link>,
}

impl Bench<'_> {
    /// What figures have in common that are in a chart of this title.
    fn setting(&self, chart: &str) -> Setting {
        let place = self.backing.described();
        let enclave = format!(
            "own ext4 over own NVMe driver and --poll {}, LUKS2 (aes-xts, 256-bit keys, 4096-byte sectors) or plain, \
             on a file in {place}; no anchor; {MEMORY} of memory",
            self.places.poll()
        );
        let native = format!("{} in {place}", self.backing.native());
        Setting {
            name: format!("{chart}, {}", self.backing.parent().display()),
            chart: format!("{chart}; disk in {}", self.backing.parent().display()),
            sides: Sides { enclave, native },
            cpus: self.options.cpus,
            pinning: "none".into(),
            ..Setting::default()
        }
    }

    /// The command for a task in the enclave, with its disk.
    fn enclosed(&self, task: &Task<'_>, protection: Protection) -> Command {
        let mut options = task.link.map_or_else(no_network, Link::options);
        options.push(format!("--memory={MEMORY}"));
        options.push(format!("--disk={}", self.backing.disk(protection != Protection::Plain)));
        if protection == Protection::LuksInSoftware {
            options.push("--without=aes".into());
        }
        let mut command = task.ready.0.command(self.options.cpus, &options);
        command.args(task.args);
        command
    }

    /// Runs a side of a pair: natively once, its readings standing beside those of each protection; in the
    /// enclave once for each. `once` runs a command and finds readings.
    fn side(
        &self,
        side: Side,
        protections: &[Protection],
        task: &Task<'_>,
        readings: &mut Vec<Reading>,
        mut once: impl FnMut(&mut Command) -> Result<Vec<Reading>>,
    ) -> Result<()> {
        let named = |found: &[Reading], protection: Protection| {
            let name = |reading: &Reading| format!("{}, {}", reading.name, protection.shown());
            found.iter().map(|reading| Reading { name: name(reading), ..reading.clone() }).collect::<Vec<_>>()
        };
        let native = side == Side::Baseline || matches!(self.places.subject, Place::Native);
        if native {
            let mounted = self.backing.mount()?;
            let mut command = task.ready.1.command(self.options.cpus, &[]);
            let command = mounted.wrap(command.args(task.args))?;
            let found = once(&mut linked(task, command)?)?;
            mounted.unmount()?;
            protections.iter().for_each(|protection| readings.extend(named(&found, *protection)));
        } else {
            for &protection in protections {
                let mut command = linked(task, self.enclosed(task, protection))?;
                readings.extend(named(&once(&mut command)?, protection));
            }
        }
        Ok(())
    }
}

/// The command at the other end of the task's link.
fn linked(task: &Task<'_>, command: Command) -> Result<Command> {
    match task.link {
        Some(link) => link.wrap(&command),
        None => Ok(command),
    }
}
