//! `rkt-io bench redis`: Debian's redis-server in an enclave on a TAP, and natively in a network
//! namespace on a veth pair, under the same redis-benchmark in this namespace.

pub mod client;
pub mod server;

use crate::Common;
use crate::link::{CONGESTION_CONTROL, Link, MTU};
use crate::pairs::{Reading, Setting, Side, interleave};
use crate::pinning::Pinning;
use crate::place::{Place, Places, require};
use crate::report::{Report, Sides, Unit};
use crate::server::{Server, Start};
use anyhow::Result;
use clap::Args;
use client::{Found, Load};
use server::{ping, program, server_arguments};
use std::time::Duration;

/// `rkt-io bench redis`.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// What all measurements have.
    #[command(flatten)]
    pub common: Common,
    /// vCPUs of the enclave.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub cpus: u32,
    /// Requests of each test at -P 1; at -P 16 ten times as many.
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub requests: u64,
    /// Connections.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub clients: u32,
    /// Keep either server and its client on a processor each [default: any].
    #[arg(long, value_name = "server=CPU,client=CPU", default_value = "", hide_default_value = true, value_parser = pinning)]
    pub pin: Pinning,
    /// How long a waiting server is watched, in each run; 0: not at all.
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(0..=3600))]
    pub idle: u64,
}

fn pinning(text: &str) -> Result<Pinning, String> {
    if text.is_empty() { Ok(Pinning::default()) } else { text.parse() }
}

/// `-P`, and how many times `--requests` are sent.
pub(crate) const PIPELINES: [(u32, u64); 2] = [(1, 1), (16, 10)];
/// Commands of Redis.
pub(crate) const TESTS: [&str; 2] = ["set", "get"];
/// Requests before anything is measured: code and data are then where they stay.
pub(crate) const WARM_UP: u64 = 2_000;

/// Runs all pairs and adds their figures.
///
/// # Errors
/// If programs or rights are missing; what fails later is in the report.
pub fn run(options: &Options, places: &Places, report: &mut Report) -> Result<()> {
    let benchmark = require("redis-benchmark", "redis-tools")?;
    let (subject, baseline) = places.prepare(&program()?)?;
    let links = (link(&places.subject, 0)?, link(&places.baseline, 1)?);
    conditions(options, report)?;
    let args = server_arguments(None);
    let setting = Setting {
        name: "redis".into(),
        chart: "Redis, 3-byte values".into(),
        sides: sides(places),
        cpus: options.cpus,
        pinning: options.pin.to_string(),
        ..Setting::default()
    };
    interleave(options.common.pairs(), &setting, report, |side, readings| {
        let (ready, link, place) = if side == Side::Subject {
            (&subject, &links.0, &places.subject)
        } else {
            (&baseline, &links.1, &places.baseline)
        };
        let start = Start { ready, args: &args, options: &[], cpus: options.cpus, link, cpu: options.pin.server };
        let server = Server::start(&start, ping)?;
        for (pipeline, times) in PIPELINES {
            let (clients, client) = (options.clients, options.pin.client);
            for test in TESTS {
                let load = Load { test, pipeline, requests: options.requests * times, clients, tls: false };
                Load { requests: WARM_UP, ..load }.run(&benchmark, server.address, client)?;
                let (found, cost) = load.run(&benchmark, server.address, client)?;
                readings.extend(of_load(&load, &found, cost));
            }
        }
        if options.idle > 0 {
            readings.extend(of_idle(&server, place, Duration::from_secs(options.idle))?);
        }
        server.stop();
        Ok(())
    });
    Ok(())
}

fn link(place: &Place, number: u32) -> Result<Link> {
    if place.is_enclave() { Ok(Link::tap(number)) } else { Link::veth(number) }
}

fn sides(places: &Places) -> Sides {
    let kind = |place: &Place| match place.is_enclave() {
        true => format!("TAP with virtio header (checksum and TCP segmentation offload), MTU {MTU}, no encryption"),
        false => format!("veth (default offloads), MTU {MTU}, no encryption"),
    };
    Sides { enclave: kind(&places.subject), native: kind(&places.baseline) }
}

fn conditions(options: &Options, report: &mut Report) -> Result<()> {
    let own = std::fs::read_to_string("/proc/sys/net/ipv4/tcp_congestion_control")?;
    report.condition(
        "congestion control",
        format!("native server {CONGESTION_CONTROL}, client of both {}; enclave: its stack's own", own.trim()),
    );
    report.condition(
        "load",
        format!("redis-benchmark -c {} -n {} (-P 16: times 10), 3 B values", options.clients, options.requests),
    );
    Ok(())
}

/// What a load found, as readings.
pub(crate) fn of_load(load: &Load, found: &Found, cost: f64) -> [Reading; 3] {
    let name = format!("{} -P {}", load.test.to_uppercase(), load.pipeline);
    let latency = |which, value| Reading { name: format!("{name}, {which}"), unit: Unit::Seconds, value, cost: None };
    [
        Reading { name: name.clone(), unit: Unit::PerSecond, value: found.rate, cost: Some(cost) },
        latency("p50", found.p50),
        latency("p99", found.p99),
    ]
}

fn of_idle(server: &Server, place: &Place, time: Duration) -> Result<Vec<Reading>> {
    let idle = server.idle(place.is_enclave(), time)?;
    let percent = |name: &str, part: f64| Reading {
        name: name.into(),
        unit: Unit::PercentOfCore,
        value: part * 100.0,
        cost: None,
    };
    let mut readings = vec![percent("waiting", idle.own + idle.children)];
    if place.is_enclave() {
        readings.push(percent("waiting, enclave process", idle.children));
        readings.push(percent("waiting, supervisor", idle.own));
    }
    Ok(readings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_makes_a_rate_and_two_latencies() {
        let load = Load { test: "set", pipeline: 16, requests: 10, clients: 1, tls: false };
        let readings = of_load(&load, &Found { rate: 5.0, p50: 1.0, p99: 2.0 }, 0.5);
        let names = readings.clone().map(|r| r.name);
        assert_eq!(names, ["SET -P 16", "SET -P 16, p50", "SET -P 16, p99"]);
        assert_eq!(readings.map(|r| (r.value, r.cost)), [(5.0, Some(0.5)), (1.0, None), (2.0, None)]);
    }

    #[test]
    fn no_pinning_is_the_default() {
        assert_eq!(pinning(""), Ok(Pinning::default()));
        assert_eq!(pinning("server=0,client=1").unwrap().client, Some(1));
    }
}
