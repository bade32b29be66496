//! The programs that use files once more on ext4: natively on a loop device, in the enclave on a disk of its own
//! (or natively again with `RKT_DIFF_NATIVE_ONLY=1`).
//!
//! Arguments are words: only programs whose name contains one of them are run.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::{env, fs};

use anyhow::{Context, Result, ensure};
use rkt_tests_diff::compile::Compiler;
use rkt_tests_diff::outcome::{Outcome, Status};
use rkt_tests_diff::program::{Directive, Libc, Program, discover};
use rkt_tests_diff::run::{self, Enclave};

/// Length of the disks.
const LEN: u64 = 64 << 20;
/// Where the enclave mounts its disk.
const MOUNT: &str = "/data";

fn succeeds(command: &str, args: &[&str]) -> Result<()> {
    let output = Command::new(command).args(args).stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("starting {command}"))?;
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command} {args:?}: {}\n{said}", output.status);
    Ok(())
}

/// A mounted file system, until it is dropped.
struct Mounted(PathBuf);

impl Mounted {
    fn new(image: &Path, at: PathBuf) -> Result<Self> {
        fs::create_dir(&at)?;
        succeeds("mount", &["-o", "loop,nodev", &image.display().to_string(), &at.display().to_string()])?;
        Ok(Self(at))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // What a killed program has left behind may still have a file open.
        let status = Command::new("umount").arg("--lazy").arg(&self.0).status();
        assert!(status.is_ok_and(|status| status.success()), "umount {}", self.0.display());
    }
}

fn make(image: &Path) -> Result<()> {
    fs::File::create(image)?.set_len(LEN)?;
    succeeds("mke2fs", &["-q", "-t", "ext4", "-b", "4096", &image.display().to_string()])
}

/// The directive of a run whose scratch directory is this one.
fn within(directive: &Directive, scratch: &str) -> Directive {
    let mut directive = directive.clone();
    directive.env.push(("TMPDIR".into(), scratch.into()));
    directive
}

fn natively(executable: &Path, directive: &Directive, scratch: &Path) -> Result<Outcome> {
    let image = scratch.join("native.img");
    make(&image)?;
    let mounted = Mounted::new(&image, scratch.join("mnt"))?;
    run::native(executable, &within(directive, &mounted.0.display().to_string()))
}

fn in_enclave(template: &str, executable: &Path, directive: &Directive, scratch: &Path) -> Result<Outcome> {
    let image = scratch.join("enclave.img");
    make(&image)?;
    let options = template.strip_suffix("--").context("RKT_IO_RUN does not end with --")?;
    let enclave = Enclave::new(&format!("{options} --disk file={},format=plain,mount={MOUNT} --", image.display()))?;
    let outcome = enclave.run(executable, &within(directive, MOUNT), 1)?;
    // One that was killed has left its journal to be replayed.
    if outcome.status != Status::TimedOut {
        succeeds("e2fsck", &["-fn", &image.display().to_string()])?;
    }
    Ok(outcome)
}

/// What is wrong, or `None`.
fn check(program: &Program, compiler: &Compiler, template: Option<&str>) -> Result<Option<String>> {
    let executable = compiler.build(program, Libc::Glibc)?;
    let scratch = tempfile::tempdir()?;
    let native = natively(&executable, &program.directive, scratch.path())?;
    let Some(template) = template else {
        let again = tempfile::tempdir()?;
        let other = natively(&executable, &program.directive, again.path())?;
        return Ok(native.diff(&other, ("native", "native again")));
    };
    let enclave = in_enclave(template, &executable, &program.directive, scratch.path())?;
    Ok(native.diff(&enclave, ("native", "enclave")))
}

fn main() -> Result<ExitCode> {
    ensure!(rustix::process::geteuid().is_root(), "mounting needs root");
    run::set_limits()?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let default = format!(
        "{}/release/rkt-io run --quiet --net none --cpus {{cpus}} {{env}} --",
        target.parent().unwrap_or(target).display()
    );
    let native_only = env::var_os("RKT_DIFF_NATIVE_ONLY").is_some_and(|value| value == "1");
    let template = (!native_only).then(|| env::var("RKT_IO_RUN").unwrap_or(default));
    let filters: Vec<String> = env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let mut programs = discover(&root)?;
    programs.retain(|program| {
        let wanted = filters.is_empty() || filters.iter().any(|filter| program.name.contains(filter));
        wanted && program.uses_disk()
    });
    let compiler = Compiler::new(&target.join("on-ext4"), &root)?;
    let mut failed = 0;
    for program in &programs {
        let problem =
            check(program, &compiler, template.as_deref()).unwrap_or_else(|error| Some(format!("{error:#}\n")));
        if let Some(problem) = problem {
            println!("--- FAILED {} on ext4\n{problem}", program.name);
            failed += 1;
        }
    }
    println!("{} programs on ext4: {failed} failed", programs.len());
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
