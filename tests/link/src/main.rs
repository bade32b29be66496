//! Runs the matrix of links and prints ours against Linux's.
#![forbid(unsafe_code)]

use anyhow::{Context, Result, ensure};
use clap::Parser;
use rkt_tests_link::{Cell, Flow, Options, faults, matrix, measure};
use serde::Serialize;
use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Our TCP and Linux's over a link that loses, delays, reorders, duplicates and corrupts, against Linux and
/// Linux over the same link.
#[derive(Parser)]
struct Arguments {
    /// Only this cell (repeatable): a name that `--list` shows, or a new one of the same form.
    #[arg(long)]
    cell: Vec<Cell>,
    /// Only names the cells.
    #[arg(long)]
    list: bool,
    /// Seconds that each transfer sends for.
    #[arg(long, default_value_t = 20.0)]
    seconds: f64,
    /// Bytes that each transfer sends at most.
    #[arg(long, default_value_t = 1 << 30)]
    bytes: u64,
    /// Pairs of runs of each cell.
    #[arg(long, default_value_t = 3)]
    pairs: u64,
    /// Seed of the first pair; each pair has the next.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Pairs that run at the same time: for cells that leave the processor idle.
    #[arg(long, default_value_t = 1)]
    in_parallel: usize,
    /// Writes the figures here.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Keeps what was sent here, and has tshark judge it.
    #[arg(long)]
    capture: Option<PathBuf>,
}

/// Megabits a second of a pair, all over the same link.
#[derive(Clone, Copy, Serialize)]
struct Pair {
    linux_to_linux: f64,
    enclave_to_linux: f64,
    linux_to_enclave: f64,
}

/// Medians over the pairs of a cell.
#[derive(Serialize)]
struct Row {
    cell: String,
    linux_to_linux: f64,
    sending_ratio: f64,
    receiving_ratio: f64,
    pairs: Vec<Pair>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let cells = if arguments.cell.is_empty() { matrix() } else { arguments.cell.clone() };
    if arguments.list {
        cells.iter().for_each(|cell| println!("{cell}"));
        return Ok(());
    }
    if let Some(folder) = &arguments.capture {
        fs::create_dir_all(folder)?;
    }
    println!("| link | Linux to Linux, Mbit/s | ours to Linux | Linux to ours |\n|---|---:|---:|---:|");
    let mut rows = Vec::new();
    for cell in &cells {
        let row = run(cell, &arguments).with_context(|| format!("cell {cell}"))?;
        println!(
            "| {} | {:.1} | {:.2} | {:.2} |",
            row.cell, row.linux_to_linux, row.sending_ratio, row.receiving_ratio
        );
        rows.push(row);
    }
    if let Some(path) = &arguments.json {
        let run = serde_json::json!({
            "seconds": arguments.seconds, "seed": arguments.seed, "in_parallel": arguments.in_parallel,
            "unit": "Mbit/s", "cells": rows,
        });
        fs::write(path, serde_json::to_string_pretty(&run)?)?;
    }
    Ok(())
}

/// All pairs of a cell.
fn run(cell: &Cell, arguments: &Arguments) -> Result<Row> {
    let seeds: Vec<u64> = (arguments.seed..arguments.seed + arguments.pairs).collect();
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
            let pair = pair(cell, *seed, arguments);
            done.lock().expect("no panic").push(pair);
        }
    };
    thread::scope(|scope| (0..arguments.in_parallel.max(1)).for_each(|_| drop(scope.spawn(work))));
    let pairs: Vec<Pair> = done.into_inner().expect("no panic").into_iter().collect::<Result<_>>()?;
    Ok(Row {
        cell: cell.name.clone(),
        linux_to_linux: median(pairs.iter().map(|pair| pair.linux_to_linux)),
        sending_ratio: median(pairs.iter().map(|pair| pair.enclave_to_linux / pair.linux_to_linux)),
        receiving_ratio: median(pairs.iter().map(|pair| pair.linux_to_enclave / pair.linux_to_linux)),
        pairs,
    })
}

fn pair(cell: &Cell, seed: u64, arguments: &Arguments) -> Result<Pair> {
    let rate = |flow: Flow| {
        let file = format!("{cell}-{seed}-{flow:?}.pcap");
        let capture = arguments.capture.as_ref().map(|folder| folder.join(file));
        let options = Options { seconds: arguments.seconds, bytes: arguments.bytes, seed, capture };
        let transfer = measure(flow, cell, &options).with_context(|| format!("{flow:?}, seed {seed}"))?;
        if let Some(path) = options.capture.filter(|_| flow != Flow::LinuxToLinux) {
            let faults = faults(&path)?;
            ensure!(faults.is_empty(), "tshark finds in {}:\n{}", path.display(), faults.join("\n"));
        }
        Ok::<_, anyhow::Error>(transfer.rate())
    };
    Ok(Pair {
        linux_to_linux: rate(Flow::LinuxToLinux)?,
        enclave_to_linux: rate(Flow::EnclaveToLinux)?,
        linux_to_enclave: rate(Flow::LinuxToEnclave)?,
    })
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.as_slice() {
        [] => f64::NAN,
        all if all.len() % 2 == 1 => all[middle],
        all => (all[middle - 1] + all[middle]) / 2.0,
    }
}
