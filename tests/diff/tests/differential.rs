//! Every C program, native against enclave (or native against native with `RKT_DIFF_NATIVE_ONLY=1`).
//!
//! Arguments are words: only programs whose name contains one of them are run.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, thread};

use anyhow::{Result, ensure};
use rkt_tests_diff::compile::Compiler;
use rkt_tests_diff::outcome::Status;
use rkt_tests_diff::program::{Libc, Program, discover};
use rkt_tests_diff::run::{self, Enclave};

/// One comparison: a program, a C library, a number of vCPUs.
struct Case<'a> {
    program: &'a Program,
    libc: Libc,
    cpus: u32,
}

impl Case<'_> {
    fn name(&self) -> String {
        format!("{} [{}, {} vCPU]", self.program.name, self.libc.name(), self.cpus)
    }

    /// What is wrong, or `None`.
    fn check(&self, compiler: &Compiler, enclave: Option<&Enclave>) -> Result<Option<String>> {
        let executable = compiler.build(self.program, self.libc)?;
        let directive = &self.program.directive;
        let native = run::native(&executable, directive)?;
        if native.status == Status::TimedOut {
            return Ok(Some("the native run was killed by the watchdog\n".into()));
        }
        let other = match enclave {
            Some(enclave) => enclave.run(&executable, directive, self.cpus)?,
            None => run::native(&executable, directive)?,
        };
        Ok(native.diff(&other, ("native", if enclave.is_some() { "enclave" } else { "native again" })))
    }
}

fn cases<'a>(programs: &'a [Program], native_only: bool) -> Vec<Case<'a>> {
    let mut cases = Vec::new();
    for program in programs {
        for &libc in &program.directive.libcs {
            let cpus: &[u32] = if native_only { &[1] } else { &program.directive.cpus };
            cases.extend(cpus.iter().map(|&cpus| Case { program, libc, cpus }));
        }
    }
    cases
}

fn run_all(cases: &[Case<'_>], compiler: &Compiler, enclave: Option<&Enclave>) -> Vec<String> {
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    let worker = || {
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            let problem = match case.check(compiler, enclave) {
                Ok(None) => continue,
                Ok(Some(diff)) => diff,
                Err(error) => format!("{error:#}\n"),
            };
            println!("--- FAILED {}\n{problem}", case.name());
            failed.lock().expect("no worker panics with the list").push(case.name());
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(worker);
        }
    });
    let mut failed = failed.into_inner().expect("all workers have ended");
    failed.sort();
    failed
}

fn main() -> ExitCode {
    compare_all().unwrap_or_else(|error| {
        eprintln!("differential: {error:#}");
        ExitCode::FAILURE
    })
}

fn compare_all() -> Result<ExitCode> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs");
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let is_set = |name| env::var_os(name).is_some_and(|value| value == "1");
    let native_only = is_set("RKT_DIFF_NATIVE_ONLY");
    let filters: Vec<String> = env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();

    ensure!(rustix::process::geteuid().is_root(), "the programs change owners and ids: run this test as root");
    run::set_limits()?;
    let enclave = if native_only {
        None
    } else {
        let target = scratch.parent().unwrap_or(scratch).display();
        let default = format!("{target}/release/rkt-io run --quiet --net none --cpus {{cpus}} {{env}} --");
        Some(Enclave::new(&env::var("RKT_IO_RUN").unwrap_or(default))?)
    };
    let mut programs = discover(&root)?;
    programs.retain(|program| filters.is_empty() || filters.iter().any(|filter| program.name.contains(filter)));

    let compiler = Compiler::new(&scratch.join("diff"), &root)?;
    let cases = cases(&programs, native_only);
    let failed = run_all(&cases, &compiler, enclave.as_ref());
    for name in &failed {
        println!("failed: {name}");
    }
    println!("{} programs: {} passed, {} failed", programs.len(), cases.len() - failed.len(), failed.len());
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
