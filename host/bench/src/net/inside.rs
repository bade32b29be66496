//! Programs of ours that measure by themselves: the loopback, and UDP out of the door.

use super::{OFFLOADS, Options, links, sides};
use crate::link::Link;
use crate::pairs::{Setting, Side, interleave};
use crate::place::{Places, no_network};
use crate::programs::{LOOPBACK, Source, UDP, measure};
use crate::report::Report;
use crate::syscalls::in_memory;
use anyhow::Result;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

/// Time of each measure, in parts of the time of a load.
const PART: u32 = 5;
const LIMIT: Duration = Duration::from_secs(120);

/// TCP between two threads over 127.0.0.1.
pub fn loopback(options: &Options, places: &Places, report: &mut Report) -> Result<()> {
    let setting = Setting { chart: "TCP over the loopback".into(), sides: in_memory(), ..setting(options, "loopback") };
    run(options, places, report, LOOPBACK, &setting, None)
}

/// Datagrams of 32 bytes to a socket of this process, which never reads them: what it has no room for is lost.
pub fn udp(options: &Options, places: &Places, report: &mut Report) -> Result<()> {
    let sink = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    let links = links(places, 0)?;
    let sides = sides(places, OFFLOADS.0, OFFLOADS.1);
    let setting = Setting { chart: "UDP: sending 32 bytes (figure 1a)".into(), sides, ..setting(options, "UDP") };
    run(options, places, report, UDP, &setting, Some((&links, sink.local_addr()?.port())))
}

fn setting(options: &Options, name: &str) -> Setting {
    Setting { name: name.into(), cpus: options.cpus, pinning: "none".into(), ..Setting::default() }
}

/// Runs a program without a network, or with links to a port at this end of them.
fn run(
    options: &Options,
    places: &Places,
    report: &mut Report,
    source: Source,
    setting: &Setting,
    to: Option<(&(Link, Link), u16)>,
) -> Result<()> {
    let (subject, baseline) = places.prepare(&source.compile(&places.folder)?)?;
    let budget = (options.time() * 1000 / PART).to_string();
    let mut notes = Vec::new();
    interleave(options.common.pairs(), setting, report, |side, readings| {
        let ready = if side == Side::Subject { &subject } else { &baseline };
        let Some((links, port)) = to else {
            let mut command = ready.command(options.cpus, &no_network());
            return measure(command.arg(&budget), None, LIMIT, readings, &mut notes);
        };
        let link = if side == Side::Subject { &links.0 } else { &links.1 };
        link.settle()?;
        let mut command = ready.command(options.cpus, &link.options());
        command.args([&budget, &link.host().to_string(), &port.to_string()]);
        measure(&mut link.wrap(&command)?, None, LIMIT, readings, &mut notes)
    });
    notes.into_iter().for_each(|note| report.condition("note", note));
    Ok(())
}
