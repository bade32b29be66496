//! `rkt-io run` and `rkt-io measure`.

use crate::args::{Options, Request};
use crate::plan::{Plan, busy_poll, duplicate, open};
use crate::root::Root;
use crate::stats;
use crate::values::{Target, Tee};
use anyhow::{Context, Result};
use rkt_backend_blk::DiskOptions;
use rkt_log::Severity;
use rkt_supervisor::{DEFAULT_LEN, Devices, Header, Launch, Output, Reading, Report, Supervisor};
use std::fs::File;
use std::io::{IsTerminal, stderr, stdin, stdout};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

/// Runs a request and returns the status to exit with.
///
/// # Errors
/// What was asked, what is wrong and what to do.
pub fn run(request: &Request, started: Reading) -> Result<u8> {
    let options = &request.options;
    let _name = options.name.as_deref().map(claim_name).transpose()?;
    let root = Root::open(&request.target, options)?;
    let enclave = rkt_supervisor::enclave_binary()?;
    let plan = Plan::new(options, &request.target, &root)?;
    let manifest = encode(&plan)?;
    if !options.quiet {
        if options.tee != Some(Tee::None) {
            eprintln!(
                "rkt-io: no TEE: simulation; the host can read this enclave's memory (`--tee none` accepts that)"
            );
        }
        plan.notes.iter().for_each(|note| eprintln!("rkt-io: {note}"));
    }

    let supervisor = Supervisor::new(DEFAULT_LEN)?;
    let mut devices = Devices::new(&supervisor, busy_poll(options))?;
    if let Some(network) = &plan.network {
        devices.add_network(network)?;
    }
    for disk in &options.disk {
        devices.add_disk(&DiskOptions { path: disk.file.clone(), read_only: disk.read_only })?;
    }
    let launch = Launch {
        enclave: &enclave,
        image: root.image.into(),
        header: Header {
            vcpus: plan.manifest.cpus,
            memory: plan.manifest.memory,
            busy_poll: busy_poll(options),
            devices: devices.count(),
            terminals: if options.tty { terminals() } else { 0 },
            manifest: &manifest,
        },
        stdin: standard_input(options, &request.target)?,
        terminal: options.tty.then(|| duplicate(stdin())).transpose()?,
        output: output(options)?,
        started,
    };
    let report = supervisor.run(launch)?;
    finish(options, &devices, &report)
}

/// Prints the digest that `run` would pin, and on request the manifest.
///
/// # Errors
/// As [`run`].
pub fn measure(request: &Request, json: bool) -> Result<u8> {
    let root = Root::open(&request.target, &request.options)?;
    let plan = Plan::new(&request.options, &request.target, &root)?;
    let digest = stats::hex(&rkt_manifest::digest(&encode(&plan)?));
    if json {
        println!("{:#}", stats::manifest(&plan.manifest, &digest));
    } else {
        println!("{digest}");
    }
    Ok(0)
}

fn encode(plan: &Plan) -> Result<Vec<u8>> {
    plan.manifest.encode().context("the options make no valid manifest")
}

/// Claims a name among this user's enclaves. The abstract socket that holds it vanishes with
/// this process (unix(7)).
fn claim_name(name: &str) -> Result<UnixListener> {
    let user = rustix::process::getuid().as_raw();
    let address = SocketAddr::from_abstract_name(format!("rkt-io/{user}/{name}"))
        .with_context(|| format!("the name {name:?} is too long"))?;
    UnixListener::bind_addr(&address)
        .with_context(|| format!("the name {name:?} is taken by an enclave that runs: stop that one or choose another"))
}

/// Bit n says that standard stream n is a terminal.
fn terminals() -> u32 {
    u32::from(stdin().is_terminal()) | u32::from(stdout().is_terminal()) << 1 | u32::from(stderr().is_terminal()) << 2
}

/// A host program reads as if started by the shell; but from a terminal only with `-i`, so that
/// one in the background is not stopped for it.
fn standard_input(options: &Options, target: &Target) -> Result<Option<File>> {
    let wanted = options.interactive || matches!(target, Target::Program(_)) && !stdin().is_terminal();
    wanted.then(|| duplicate(stdin())).transpose()
}

fn output(options: &Options) -> Result<Output> {
    Ok(Output {
        stdout: Some(duplicate(stdout())?),
        stderr: Some(duplicate(stderr())?),
        debug: options.strace.as_ref().map(open).transpose()?,
        log: if options.quiet { None } else { Some(duplicate(stderr())?) },
        severity: Severity::Warning,
    })
}

fn finish(options: &Options, devices: &Devices, report: &Report) -> Result<u8> {
    let devices = devices.report();
    for (device, fault) in devices.iter().filter_map(|device| Some((&device.name, device.fault.as_ref()?))) {
        eprintln!("rkt-io: device {device} stopped: {fault}");
    }
    if let Some(message) = report.outcome.message() {
        eprintln!("rkt-io: {message}");
    }
    if let Some(destination) = &options.stats {
        stats::write(destination, report, &devices)?;
    }
    Ok(report.outcome.exit_code())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_free_again_when_its_holder_is_gone() {
        let name = format!("test-{}", std::process::id());
        let holder = claim_name(&name).unwrap();
        let error = claim_name(&name).unwrap_err();
        assert!(error.to_string().contains(&name));
        drop(holder);
        claim_name(&name).unwrap();
    }
}
