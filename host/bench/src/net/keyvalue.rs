//! Redis under redis-benchmark, with TLS and without.

use super::{OFFLOADS, Options, links, sides};
use crate::pairs::{Setting, Side, interleave};
use crate::place::{Beside, Places, require};
use crate::redis::client::Load;
use crate::redis::server::{ping, program, server_arguments};
use crate::redis::{PIPELINES, TESTS, WARM_UP, of_load};
use crate::report::Report;
use crate::server::{Server, Start};
use crate::tls::Identity;
use anyhow::Result;

const CLIENTS: u32 = 50;
/// Requests for each second that a load is to take; at -P 16 ten times as many.
const REQUESTS: u64 = 30_000;

/// Runs all loads and adds their figures.
pub fn run(options: &Options, places: &Places, report: &mut Report) -> Result<()> {
    let benchmark = require("redis-benchmark", "redis-tools")?;
    let folder = places.folder.join("redis");
    std::fs::create_dir_all(&folder)?;
    let identity = Identity::new(&folder)?;
    let (subject, baseline) = places.prepare_with(&program()?, &Beside::folder(&folder))?;
    let args = server_arguments(Some(&identity));
    let requests = REQUESTS * u64::from(options.time());
    report.condition(
        "load of Redis",
        format!("redis-benchmark -c {CLIENTS} -n {requests} (-P 16: times 10), 3 B values"),
    );
    for (number, tls) in [(0, false), (2, true)] {
        let links = links(places, number)?;
        let over = if tls { "Redis over TLS (figures 7d and 7e)" } else { "Redis" };
        let setting = Setting {
            name: over.into(),
            chart: over.into(),
            sides: sides(places, OFFLOADS.0, OFFLOADS.1),
            cpus: options.cpus,
            pinning: "none".into(),
            ..Setting::default()
        };
        interleave(options.common.pairs(), &setting, report, |side, readings| {
            let (ready, link) = if side == Side::Subject { (&subject, &links.0) } else { (&baseline, &links.1) };
            let start = Start { ready, args: &args, options: &[], cpus: options.cpus, link, cpu: None };
            let server = Server::start(&start, ping)?;
            for (test, (pipeline, times)) in TESTS.iter().flat_map(|test| PIPELINES.map(|p| (*test, p))) {
                let load = Load { test, pipeline, requests: requests * times, clients: CLIENTS, tls };
                Load { requests: WARM_UP, ..load }.run(&benchmark, server.address, None)?;
                let (found, cost) = load.run(&benchmark, server.address, None)?;
                readings.extend(of_load(&load, &found, cost));
            }
            server.stop();
            Ok(())
        });
    }
    Ok(())
}
