//! Short and long runs of the fuzz targets: libFuzzer, with the coverage counters that the stable
//! compiler can make.

use crate::{shell, tally::Tally};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Options of `cargo xtask fuzz`.
#[derive(clap::Args)]
pub struct Options {
    /// Only this target.
    target: Option<String>,
    /// How long each target runs.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
}

/// Counters at every edge, and the operands of comparisons.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";
/// Named so that the flags do not reach build scripts.
const TARGET: &str = "x86_64-unknown-linux-gnu";
/// The longest input, and the most memory in MiB: no input may cost much more than its length.
const LIMITS: [&str; 3] = ["-max_len=4096", "-rss_limit_mb=512", "-malloc_limit_mb=256"];
/// Operands of comparisons count as progress, so that magic numbers and digests of formats are found.
const SEARCH: &str = "-use_value_profile=1";

/// Runs one target or all.
///
/// # Errors
/// If a target does not exist, cannot be built, or finds something.
pub fn fuzz(options: &Options) -> Result<()> {
    let time = Duration::from_secs(options.seconds);
    let tally = match &options.target {
        Some(target) => {
            let known = targets()?;
            ensure!(known.contains(target), "there is no target {target}, only {}", known.join(", "));
            run(std::slice::from_ref(target), time)?
        }
        None => all(time)?,
    };
    ensure!(tally.failed == 0, "{} targets found something", tally.failed);
    Ok(())
}

/// Runs all targets, each for this long.
///
/// # Errors
/// If they cannot be built.
pub fn all(time: Duration) -> Result<Tally> {
    run(&targets()?, time)
}

fn folder() -> PathBuf {
    shell::root().join("fuzz")
}

fn targets() -> Result<Vec<String>> {
    let files = fs::read_dir(folder().join("targets")).context("the fuzz targets")?;
    let mut names = Vec::new();
    for file in files {
        names.extend(Path::new(&file?.file_name()).file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

fn run(targets: &[String], time: Duration) -> Result<Tally> {
    let build = ["build", "--release", "--target", TARGET];
    let output = shell::target().join("fuzz");
    let mut command = shell::cargo(build);
    shell::run(command.current_dir(folder()).env("RUSTFLAGS", FLAGS).env("CARGO_TARGET_DIR", &output))?;
    let mut tally = Tally::default();
    for target in targets {
        // Inputs that reached something new are kept for the next run, and so are those that failed.
        let corpus = folder().join("corpus").join(target);
        fs::create_dir_all(&corpus)?;
        let mut command = Command::new(output.join(TARGET).join("release").join(target));
        command.arg(&corpus).args(LIMITS).arg(format!("-max_total_time={}", time.as_secs()));
        command
            .args([SEARCH, "-verbosity=0", "-print_final_stats=1"])
            .arg(format!("-artifact_prefix={}/", corpus.display()));
        let output = command.output().with_context(|| format!("starting the fuzz target {target}"))?;
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.success() {
            let runs = said.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
            println!("{target}: {} runs", runs.unwrap_or("no").trim());
            tally += Tally::ONE;
        } else {
            println!("{target} found something:\n{said}");
            tally += Tally { passed: 0, failed: 1 };
        }
    }
    Ok(tally)
}
