//! Programs of ours that measure by themselves: the loopback, and UDP out of the door.

use super::{OFFLOADS, Options, links, sides};
use crate::pairs::{Setting, Side, interleave};
use crate::place::{Beside, Places, no_network};
use crate::programs::{LOOPBACK, UDP, measure};
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
    let ready = places.prepare_everywhere(&LOOPBACK.compile(&places.folder)?, &Beside::default())?;
    let setting = Setting {
        chart: "TCP over the loopback".into(),
        sides: in_memory(),
        gvisor: places.gvisor.is_some(),
        ..setting(options, "loopback")
    };
    let mut notes = Vec::new();
    interleave(options.common.pairs(), &setting, report, |side, readings| {
        let mut command = ready.on(side)?.command(options.cpus, &no_network());
        measure(command.arg(budget(options)), None, LIMIT, readings, &mut notes)
    });
    report.notes(notes);
    Ok(())
}

/// Datagrams of 32 bytes to a socket of this process, which never reads them: what it has no room for is lost.
pub fn udp(options: &Options, places: &Places, report: &mut Report) -> Result<()> {
    let sink = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    let port = sink.local_addr()?.port().to_string();
    let links = links(places, 0)?;
    let (subject, baseline) = places.prepare(&UDP.compile(&places.folder)?)?;
    let sides = sides(places, OFFLOADS.0, OFFLOADS.1);
    let setting = Setting { chart: "UDP: sending 32 bytes (figure 1a)".into(), sides, ..setting(options, "UDP") };
    let mut notes = Vec::new();
    interleave(options.common.pairs(), &setting, report, |side, readings| {
        let (ready, link) = if side == Side::Subject { (&subject, &links.0) } else { (&baseline, &links.1) };
        link.settle()?;
        let mut command = ready.command(options.cpus, &link.options());
        command.args([&budget(options), &link.host().to_string(), &port]);
        measure(&mut link.wrap(&command)?, None, LIMIT, readings, &mut notes)
    });
    report.notes(notes);
    Ok(())
}

fn setting(options: &Options, name: &str) -> Setting {
    Setting { name: name.into(), cpus: options.cpus, pinning: "none".into(), ..Setting::default() }
}

/// Milliseconds of each measure.
fn budget(options: &Options) -> String {
    (options.time() * 1000 / PART).to_string()
}
