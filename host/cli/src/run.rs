//! `rkt-io run` and `rkt-io measure`.

use crate::args::{Options, Request};
use crate::detach::{self, Detached};
use crate::disk_image::read_key;
use crate::plan::{Plan, attached, busy_poll, duplicate, open};
use crate::root::Root;
use crate::start;
use crate::stats;
use crate::top::Teller;
use crate::values::{Destination, Protection, Target, Tee};
use crate::volumes;
use anyhow::{Context, Result};
use rkt_backend_blk::DiskOptions;
use rkt_log::Severity;
use rkt_manifest::Changes;
use rkt_runs::{Claim, Record, State};
use rkt_supervisor::{DEFAULT_LEN, Devices, Header, Launch, Output, Reading, Report, Supervisor};
use rustix::process::Signal;
use std::ffi::OsString;
use std::fs::File;
use std::io::{IsTerminal, stderr, stdin, stdout};
use std::sync::atomic::AtomicBool;
use std::time::{SystemTime, UNIX_EPOCH};

/// Runs a request and returns the status to exit with.
///
/// # Errors
/// What was asked, what is wrong and what to do.
pub fn run(request: &Request, started: Reading) -> Result<u8> {
    let options = &request.options;
    if request.supervise {
        detach::leave_session()?;
    }
    let mut claim = claim(request)?;
    let root = Root::open(&request.target, options)?;
    let enclave = rkt_supervisor::enclave_binary()?;
    let mut plan = Plan::new(options, &request.target, &root)?;
    let (stop_signal, note) = start::stop_signal(&root.config)?;
    plan.notes.extend(note);
    if let Some(claim) = &mut claim {
        claim.update(words(&root.argv), stop_signal)?;
    }
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
    for volume in &options.volume {
        if let Some(note) = volumes::make(volume)?.filter(|_| !options.quiet) {
            eprintln!("rkt-io: {note}");
        }
    }
    for disk in &attached(options, &root)? {
        let key = match &disk.protection {
            Protection::Luks(file) | Protection::LuksOrNew(file) => Some(read_key(file)?),
            Protection::Plain | Protection::Verity => None,
        };
        let how = DiskOptions { path: disk.file.clone(), read_only: disk.changes != Changes::Kept };
        devices.add_disk(&how, key.as_deref())?;
    }
    let exec = claim.as_ref().filter(|_| options.allow_exec).map(Claim::listen).transpose()?;
    let control = claim.as_ref().map(Claim::control);
    let detached = claim.take_if(|_| request.supervise).map(Detached::announce).transpose()?;
    let launch = Launch {
        enclave: &enclave,
        image: root.image.into(),
        header: Header {
            vcpus: plan.manifest.cpus,
            memory: plan.manifest.memory,
            busy_poll: busy_poll(options),
            without: options.without.iter().fold(0, |bits, without| bits | without.bit()),
            devices: devices.count(),
            terminals: if options.tty { terminals() } else { 0 },
            manifest: &manifest,
        },
        stdin: standard_input(options, &request.target)?,
        terminal: options.tty.then(|| duplicate(stdin())).transpose()?,
        output: output(options)?,
        exec,
        started,
        live: options.stats.is_some(),
    };
    let (done, observer, devices) = (AtomicBool::new(false), supervisor.observer(), &devices);
    let status = std::thread::scope(|scope| {
        let started = control.map(|path| Teller::start(scope, path, &done, observer, devices)).transpose();
        // An enclave runs without being looked at, too.
        let teller = started.unwrap_or_else(|error| {
            if !options.quiet {
                eprintln!("rkt-io: `rkt-io top` will not show this run: {error:#}");
            }
            None
        });
        let report = supervisor.run(launch);
        drop(teller);
        report.and_then(|report| finish(options, devices, &report))
    });
    match detached {
        Some(detached) => detached.end(status),
        None => status,
    }
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

/// Claims the name of the run. Who did not ask for one can do without, where there is no place for
/// records.
fn claim(request: &Request) -> Result<Option<Claim>> {
    let options = &request.options;
    let (image, command) = match &request.target {
        Target::Program(command) => (command.first().cloned().unwrap_or_default(), words(command)),
        Target::Image(path, command) => (path.clone().into_os_string(), words(command)),
    };
    let record = Record {
        name: options.name.clone().unwrap_or_default(),
        pid: rustix::process::getpid().as_raw_nonzero().get(),
        started: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs()),
        image: image.to_string_lossy().into_owned(),
        command,
        detached: request.supervise,
        stop_signal: Signal::TERM.as_raw(),
        allow_exec: options.allow_exec,
        ended: None,
    };
    match State::of_this_user().and_then(|state| state.claim(record)) {
        Err(error) if options.name.is_none() && !request.supervise => {
            if !options.quiet {
                eprintln!("rkt-io: `rkt-io ps` will not show this run: {error:#}");
            }
            Ok(None)
        }
        claimed => claimed.map(Some),
    }
}

fn words(command: &[OsString]) -> Vec<String> {
    command.iter().map(|word| word.to_string_lossy().into_owned()).collect()
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
        capture: options.pcap.as_ref().map(|path| open(&Destination::File(path.clone()))).transpose()?,
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
