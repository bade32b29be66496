//! The programs about files once more on ext4: natively on a loop device, in the enclave on a disk of its own.
//!
//! Arguments are words: only programs whose name contains one of them are run.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs};

use anyhow::{Context, Result, ensure};
use rkt_tests_diff::compile::Compiler;
use rkt_tests_diff::program::{Libc, Program, discover};
use rkt_tests_diff::run::{self, Enclave};

/// Length of the disks.
const LEN: u64 = 64 << 20;
/// Where the enclave mounts its disk; with the options that the native mount gets, too.
const MOUNT: &str = "/data";
const OPTIONS: &str = "loop,nosuid,nodev";

fn succeeds(command: &str, args: &[&str]) -> Result<()> {
    let status = Command::new(command).args(args).status().with_context(|| format!("starting {command}"))?;
    ensure!(status.success(), "{command} {args:?}: {status}");
    Ok(())
}

/// A mounted file system, until it is dropped.
struct Mounted(PathBuf);

impl Mounted {
    fn new(image: &Path, at: PathBuf) -> Result<Self> {
        fs::create_dir(&at)?;
        succeeds("mount", &["-o", OPTIONS, &image.display().to_string(), &at.display().to_string()])?;
        Ok(Self(at))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let status = Command::new("umount").arg(&self.0).status();
        assert!(status.is_ok_and(|status| status.success()), "umount {}", self.0.display());
    }
}

fn make(image: &Path) -> Result<()> {
    fs::File::create(image)?.set_len(LEN)?;
    succeeds("mke2fs", &["-q", "-t", "ext4", &image.display().to_string()])
}

/// What is wrong, or `None`.
fn check(program: &Program, compiler: &Compiler) -> Result<Option<String>> {
    let executable = compiler.build(program, Libc::Glibc)?;
    let scratch = tempfile::tempdir()?;
    let (own, enclaves) = (scratch.path().join("native.img"), scratch.path().join("enclave.img"));
    make(&own)?;
    make(&enclaves)?;
    let native = {
        let mounted = Mounted::new(&own, scratch.path().join("mnt"))?;
        let mut directive = program.directive.clone();
        directive.env.push(("TMPDIR".into(), mounted.0.display().to_string()));
        run::native(&executable, &directive)?
    };
    let rkt_io = env::var("RKT_IO_RUN").unwrap_or_else(|_| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap_or(Path::new("."));
        format!("{}/release/rkt-io run --quiet --net none --cpus {{cpus}} {{env}} --", target.display())
    });
    let template = rkt_io.strip_suffix("--").context("RKT_IO_RUN does not end with --")?;
    let disk = format!("{template} --disk file={},format=plain,mount={MOUNT} --", enclaves.display());
    let mut directive = program.directive.clone();
    directive.env.push(("TMPDIR".into(), MOUNT.into()));
    let other = Enclave::new(&disk)?.run(&executable, &directive, 1)?;
    succeeds("e2fsck", &["-fn", &enclaves.display().to_string()])?;
    Ok(native.diff(&other, ("native", "enclave")))
}

fn main() -> Result<ExitCode> {
    ensure!(rustix::process::geteuid().is_root(), "mounting needs root");
    run::set_limits()?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs");
    let filters: Vec<String> = env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let mut programs = discover(&root)?;
    programs.retain(|program| {
        let wanted = filters.is_empty() || filters.iter().any(|filter| program.name.contains(filter));
        wanted && program.name.starts_with("files/") && program.directive.on_disk
    });
    let compiler = Compiler::new(&Path::new(env!("CARGO_TARGET_TMPDIR")).join("on-ext4"), &root)?;
    let mut failed = 0;
    for program in &programs {
        let problem = check(program, &compiler).unwrap_or_else(|error| Some(format!("{error:#}\n")));
        if let Some(problem) = problem {
            println!("--- FAILED {} on ext4\n{problem}", program.name);
            failed += 1;
        }
    }
    println!("{} programs on ext4: {failed} failed", programs.len());
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
