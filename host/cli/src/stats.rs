//! Counters and manifests for people and for programs.

use crate::plan::open;
use crate::values::Destination;
use anyhow::Result;
use rkt_manifest::{Changes, Disk, DiskFormat, Ipv4, Ipv6, Manifest, RootIdentity, Stream};
use rkt_supervisor::{DeviceReport, DeviceStats, Live, Report, Row, Stats};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::io::Write as _;

/// Writes the counters: a table to standard error, JSON to a file.
///
/// # Errors
/// If the file cannot be written.
pub fn write(destination: &Destination, report: &Report, devices: &[DeviceReport]) -> Result<()> {
    let text = match destination {
        Destination::Stderr => table(report, devices),
        Destination::File(_) => format!("{:#}\n", document(report, devices)),
    };
    Ok(open(destination)?.write_all(text.as_bytes())?)
}

fn counters(s: &DeviceStats) -> [(&'static str, u64); 8] {
    [
        ("in_units", s.in_units),
        ("in_bytes", s.in_bytes),
        ("out_units", s.out_units),
        ("out_bytes", s.out_bytes),
        ("dropped", s.dropped),
        ("failed", s.failed),
        ("notified", s.notified),
        ("parked", s.parked),
    ]
}

fn table(report: &Report, devices: &[DeviceReport]) -> String {
    let mut text = report.stats.to_string();
    for row in report.live.queues.iter().chain(&report.live.sockets) {
        let counters = row.counters.iter().filter(|(_, value)| *value != 0);
        let counters: Vec<String> = counters.map(|(name, value)| format!("{name}={value}")).collect();
        let _ = writeln!(text, "{:<40} {}", row.names.join(" "), counters.join(" "));
    }
    for device in devices {
        for (name, value) in counters(&device.stats).into_iter().filter(|(_, value)| *value != 0) {
            let name = format!("{}.{name}", device.name);
            let _ = writeln!(text, "{name:<20} {value:>20}");
        }
    }
    text
}

fn document(report: &Report, devices: &[DeviceReport]) -> Value {
    let devices: Vec<_> = devices.iter().map(|device| (device.name.clone(), device.stats)).collect();
    let mut document = now(&report.stats, &report.live, &devices);
    document["outcome"] = report.outcome.to_string().into();
    document["exit_code"] = report.outcome.exit_code().into();
    document
}

/// The counters of an enclave at one moment.
pub fn now(stats: &Stats, live: &Live, devices: &[(String, DeviceStats)]) -> Value {
    let object = |pairs: &[(&'static str, u64)]| -> Map<String, Value> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect()
    };
    let devices: Map<_, _> =
        devices.iter().map(|(name, stats)| (name.clone(), object(&counters(stats)).into())).collect();
    let rows = |rows: &[Row]| -> Vec<Value> {
        let counters = |row: &Row| row.counters.iter().cloned().collect::<std::collections::BTreeMap<_, _>>();
        rows.iter().map(|row| json!({ "names": row.names, "counters": counters(row) })).collect()
    };
    json!({
        "enclave": object(&stats.0),
        "devices": devices,
        "queues": rows(&live.queues),
        "sockets": rows(&live.sockets),
    })
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A manifest for reading. The digest is over the canonical encoding, not over this.
pub fn manifest(m: &Manifest, digest: &str) -> Value {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let texts = |list: &[Vec<u8>]| list.iter().map(|bytes| text(bytes)).collect::<Vec<_>>();
    let stream = |stream: Stream| if stream == Stream::Plain { "plain" } else { "none" };
    let root = match &m.root {
        RootIdentity::Image { digest } => json!({ "image": hex(digest) }),
        RootIdentity::Disk => json!("disk"),
    };
    let network = m.network.iter().map(|i| {
        let ipv4 = match i.ipv4 {
            Ipv4::None => json!(null),
            Ipv4::Dhcp => json!("dhcp"),
            Ipv4::Static { address, prefix, gateway } => {
                json!({ "address": format!("{address}/{prefix}"), "gateway": gateway })
            }
        };
        let ipv6 = match i.ipv6 {
            Ipv6::None => json!(null),
            Ipv6::Auto => json!("auto"),
            Ipv6::Static { address, prefix, gateway } => {
                json!({ "address": format!("{address}/{prefix}"), "gateway": gateway })
            }
        };
        json!({ "name": text(&i.name), "ipv4": ipv4, "ipv6": ipv6, "mtu": i.mtu, "mac": i.mac.map(|mac| hex(&mac)), "dns": i.dns })
    });
    json!({
        "digest": digest,
        "argv": texts(&m.argv),
        "env": texts(&m.env),
        "workdir": text(&m.workdir),
        "hostname": text(&m.hostname),
        "user": { "uid": m.user.uid, "gid": m.user.gid, "groups": m.user.groups },
        "root": root,
        "memory": m.memory,
        "cpus": m.cpus,
        "network": network.collect::<Vec<_>>(),
        "plaintext_network": m.plaintext_network,
        "disks": m.disks.iter().map(disk).collect::<Vec<_>>(),
        "stdio": {
            "stdin": stream(m.stdio.stdin), "stdout": stream(m.stdio.stdout), "stderr": stream(m.stdio.stderr),
            "tty": m.stdio.tty,
        },
        "signals": m.signals.bits(),
        "debug": m.debug,
        "allow-exec": m.allow_exec,
        "anchor": "none",
    })
}

fn disk(disk: &Disk) -> Value {
    let (format, pin) = match &disk.format {
        DiskFormat::Plain => ("plain", Value::Null),
        DiskFormat::LuksHostKey => ("luks", Value::Null),
        DiskFormat::LuksHostKeyOrNew => ("luks, made if new", Value::Null),
        DiskFormat::Verity { root, superblock, tree } => {
            ("verity", json!({ "root": hex(root), "superblock": hex(superblock), "tree": tree }))
        }
    };
    let changes = match disk.changes {
        Changes::Kept => "kept",
        Changes::Refused => "refused",
        Changes::Lost => "lost",
    };
    json!({ "format": format, "pin": pin, "changes": changes, "mount": String::from_utf8_lossy(&disk.mount) })
}
