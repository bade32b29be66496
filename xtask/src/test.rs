//! Everything that CI runs, in order, with a time for each part.

use crate::{build, fuzz, packages, qemu, shell, tally::Tally};
use anyhow::{Result, ensure};
use std::time::{Duration, Instant};

/// Options of `cargo xtask test`.
#[derive(clap::Args)]
pub struct Options {
    /// Only the parts of the inner loop: format, lints, rules, units.
    #[arg(long)]
    quick: bool,
    /// Only this part (repeatable).
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
}

/// A part of the run. `quick` parts need neither root nor packages nor an image.
struct Part {
    name: &'static str,
    quick: bool,
    run: fn() -> Result<Tally>,
}

const fn quick(name: &'static str, run: fn() -> Result<Tally>) -> Part {
    Part { name, quick: true, run }
}

const fn slow(name: &'static str, run: fn() -> Result<Tally>) -> Part {
    Part { name, quick: false, run }
}

const PARTS: &[Part] = &[
    quick("format", || one(&["fmt", "--check"])),
    quick("lints", lints),
    quick("rules", || suite(&["-p", "rkt-tests-rules"])),
    quick("units", units),
    slow("documentation", || Tally::of(&mut shell::cargo(["test", "--workspace", "--doc"]))),
    slow("loom", loom),
    slow("build", || build::build().map(|()| Tally::ONE)),
    slow("fuzz", || fuzz::all(Duration::from_secs(5))),
    slow("differential", || Tally::of(&mut shell::cargo(["test", "-p", "rkt-tests-diff"]))),
    slow("devices", devices),
    slow("end-to-end", || suite(&["-p", "rkt-tests-e2e", "-p", "rkt-tests-link"])),
];

/// Runs the parts and prints the summary.
///
/// # Errors
/// If anything failed; the summary has said what.
pub fn test(options: &Options) -> Result<()> {
    for name in &options.only {
        let known: Vec<_> = PARTS.iter().map(|part| part.name).collect();
        ensure!(known.contains(&name.as_str()), "there is no part {name}, only {}", known.join(", "));
    }
    let chosen = |part: &&Part| match options.only.as_slice() {
        [] => part.quick || !options.quick,
        only => only.iter().any(|name| name == part.name),
    };
    let parts: Vec<_> = PARTS.iter().filter(chosen).collect();
    if parts.iter().any(|part| !part.quick) {
        packages::install(packages::TESTS)?;
    }
    let results: Vec<_> = parts.iter().map(|part| timed(part)).collect();
    summary(&results)
}

type Timed = (&'static str, Duration, Tally);

fn timed(part: &Part) -> Timed {
    println!("\n=== {}", part.name);
    let start = Instant::now();
    let tally = (part.run)().unwrap_or_else(|error| {
        println!("{}: {error:#}", part.name);
        Tally { passed: 0, failed: 1 }
    });
    (part.name, start.elapsed(), tally)
}

fn summary(results: &[Timed]) -> Result<()> {
    println!("\n=== summary");
    let mut sum = Tally::default();
    for (name, time, tally) in results {
        println!("{name:14} {:6.1} s  {tally}", time.as_secs_f64());
        sum += *tally;
    }
    let time: Duration = results.iter().map(|(_, time, _)| *time).sum();
    println!("{:14} {:6.1} s\n{sum}", "together", time.as_secs_f64());
    ensure!(sum.failed == 0, "{} failed", sum.failed);
    Ok(())
}

/// A command that is one check.
fn one(args: &[&str]) -> Result<Tally> {
    shell::run(&mut shell::cargo(args.iter().copied()))?;
    Ok(Tally::ONE)
}

/// The workspace, and the image, which cannot be built together with it.
fn lints() -> Result<Tally> {
    const DENY: [&str; 3] = ["--", "-D", "warnings"];
    shell::run(shell::cargo(["clippy", "--workspace", "--all-targets"]).args(DENY))?;
    let image = ["clippy", "-p", "rkt-enclave", "--features", "image", "--profile", "enclave"];
    shell::run(shell::cargo(image).args(["--target", build::TARGET]).args(DENY))?;
    Ok(Tally { passed: 2, failed: 0 })
}

/// Tests of the workspace that need no enclave.
fn units() -> Result<Tally> {
    let elsewhere = ["rkt-tests-rules", "rkt-tests-diff", "rkt-tests-e2e", "rkt-tests-link", "rkt-tests-qemu"];
    let mut args = vec!["--workspace"];
    args.extend(elsewhere.iter().flat_map(|name| ["--exclude", name]));
    suite(&args)
}

/// Drivers against device models that we did not write.
fn devices() -> Result<Tally> {
    qemu::install_qemu()?;
    suite(&["-p", "rkt-tests-qemu"])
}

/// Tests, under nextest where it is installed: it runs them in parallel across crates.
fn suite(args: &[&str]) -> Result<Tally> {
    let nextest: &[&str] = &["nextest", "run", "--no-fail-fast"];
    let plain: &[&str] = &["test", "--no-fail-fast", "--lib", "--bins", "--tests"];
    let words = if packages::find("cargo-nextest").is_some() { nextest } else { plain };
    Tally::of(&mut shell::cargo(words.iter().chain(args).copied()))
}

/// The models of what threads may do to each other.
fn loom() -> Result<Tally> {
    let crates = ["-p", "rkt-window", "-p", "rkt-sync", "-p", "rkt-sched"];
    let mut command = shell::cargo(["test", "--release", "--test", "loom"]);
    Tally::of(command.args(crates).env("RUSTFLAGS", "--cfg loom"))
}
