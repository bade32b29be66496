//! Redis alone and beside ten thousand connections that are idle.

use super::{OFFLOADS, Options, links, sides};
use crate::pairs::{Reading, Setting, Side, interleave};
use crate::place::{Places, require};
use crate::redis::client::Load;
use crate::redis::of_load;
use crate::redis::server::{PORT, ping, program, server_arguments};
use crate::report::Report;
use crate::server::{Server, Start};
use anyhow::{Context, Result, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// Connections that nobody uses.
const IDLE: usize = 10_000;
/// Descriptors that either end needs besides.
const OTHERS: usize = 200;
/// A server that does not keep up with accepting drops SYNs: they come again after 1 s, 3 s and so on.
const PATIENCE: Duration = Duration::from_secs(30);
const CLIENTS: u32 = 10;
/// Requests for each second that a load is to take.
const REQUESTS: u64 = 30_000;

/// Runs the loads and adds their figures.
pub fn run(options: &Options, places: &Places, report: &mut Report) -> Result<()> {
    let benchmark = require("redis-benchmark", "redis-tools")?;
    let (subject, baseline) = places.prepare(&program()?)?;
    allow_descriptors()?;
    let mut args = server_arguments(None);
    args.extend(["--maxclients".into(), (IDLE + OTHERS).to_string()]);
    let links = links(places, 0)?;
    let over = "Redis beside idle connections";
    let setting = Setting {
        name: over.into(),
        chart: over.into(),
        sides: sides(places, OFFLOADS.0, OFFLOADS.1),
        cpus: options.cpus,
        pinning: "none".into(),
        ..Setting::default()
    };
    let requests = REQUESTS * u64::from(options.time());
    report.condition("idle connections", format!("{IDLE}; redis-benchmark -t get -c {CLIENTS} -n {requests}"));
    interleave(options.common.pairs(), &setting, report, |side, readings| {
        let (ready, link) = if side == Side::Subject { (&subject, &links.0) } else { (&baseline, &links.1) };
        let start = Start { ready, args: &args, options: &[], cpus: options.cpus, link, cpu: None };
        let server = Server::start(&start, ping)?;
        let mut measure = |beside: &str| -> Result<()> {
            let load = Load { test: "get", pipeline: 1, requests, clients: CLIENTS, tls: false };
            let (found, cost) = load.run(&benchmark, server.address, None)?;
            let named = |reading: Reading| Reading { name: format!("{}{beside}", reading.name), ..reading };
            readings.extend(of_load(&load, &found, cost).map(named));
            Ok(())
        };
        measure("")?;
        let crowd = crowd(server.address)?;
        measure(&format!(", {IDLE} idle"))?;
        drop(crowd);
        server.stop();
        Ok(())
    });
    Ok(())
}

/// This many connections, which children may have, too, need descriptors.
fn allow_descriptors() -> Result<()> {
    let wanted = (IDLE + OTHERS) as u64;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < wanted) {
        ensure!(limit.maximum.is_none_or(|most| most >= wanted), "RLIMIT_NOFILE is below {wanted}: ulimit -Hn");
        setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..limit })?;
    }
    Ok(())
}

fn crowd(server: Ipv4Addr) -> Result<Vec<TcpStream>> {
    let address = SocketAddr::from((server, PORT));
    let one = |nth: usize| {
        let connected = TcpStream::connect_timeout(&address, PATIENCE);
        connected.with_context(|| format!("connection {nth} of {IDLE}"))
    };
    (0..IDLE).map(one).collect()
}
