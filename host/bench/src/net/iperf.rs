//! iperf3: TCP streams to a server and from it.

use super::{OFFLOADS, Options, links, sides};
use crate::cpu;
use crate::link::{CONGESTION_CONTROL, Link, MTU};
use crate::pairs::{Reading, Setting, Side, interleave};
use crate::place::{Place, Places, Ready, require};
use crate::process::{self, Process};
use crate::report::{Report, Sides, Unit};
use crate::server::{Server, Start, arguments, connect};
use anyhow::{Context, Result, anyhow, bail};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// iperf3's own.
const PORT: u16 = 5201;
/// What a run takes besides its load.
const OVERHEAD: Duration = Duration::from_secs(60);
const CHART: &str = "iperf3: TCP streams (figures 1c and 5b)";

/// What is switched off.
struct Variant {
    /// Behind the name of each measure.
    suffix: &'static str,
    /// `--without` of the enclave.
    without: Option<&'static str>,
    /// In words: of the enclave, of the native side.
    offloads: (&'static str, &'static str),
    /// Numbers of streams.
    streams: &'static [u32],
}

const VARIANTS: [Variant; 3] = [
    Variant { suffix: "", without: None, offloads: OFFLOADS, streams: &[1, 4] },
    Variant {
        suffix: ", no offloads",
        without: Some("offloads"),
        offloads: ("no offloads", "no offloads (ethtool -K tx off tso off gso off gro off at both ends)"),
        streams: &[1, 4],
    },
    Variant {
        suffix: ", forced copy",
        without: Some("direct-copy"),
        offloads: ("offloads, every frame copied once more in trusted memory", OFFLOADS.1),
        streams: &[1],
    },
];

/// A server in the enclave on a TAP, and natively behind a veth pair; the client in this namespace.
pub fn over_links(options: &Options, places: &Places, report: &mut Report) -> Result<()> {
    let iperf = program()?;
    let (subject, baseline) = places.prepare(&iperf)?;
    for (number, variant) in (0..).zip(&VARIANTS) {
        if let Err(error) = one(options, places, report, (&subject, &baseline), &iperf, variant, number) {
            report.not_measured(&format!("iperf3{}", variant.suffix), &error);
        }
    }
    Ok(())
}

fn one(
    options: &Options,
    places: &Places,
    report: &mut Report,
    (subject, baseline): (&Ready, &Ready),
    iperf: &Path,
    variant: &Variant,
    number: u32,
) -> Result<()> {
    let (tap, veth) = links(places, 2 * number)?;
    let links = if variant.without == Some("offloads") { (tap, veth.without_offloads()?) } else { (tap, veth) };
    let setting = Setting {
        name: format!("iperf3{}", variant.suffix),
        chart: CHART.into(),
        sides: sides(places, variant.offloads.0, variant.offloads.1),
        cpus: options.cpus,
        pinning: "none".into(),
        ..Setting::default()
    };
    let without: Vec<String> = variant.without.map(|what| format!("--without={what}")).into_iter().collect();
    interleave(options.common.pairs(), &setting, report, |side, readings| {
        let (ready, link) = if side == Side::Subject { (subject, &links.0) } else { (baseline, &links.1) };
        let args = arguments(["-s"]);
        let start = Start { ready, args: &args, options: &without, cpus: options.cpus, link, cpu: None };
        let server = Server::start(&start, |address| connect(address, PORT).map(drop))?;
        for &streams in variant.streams {
            for reverse in [false, true] {
                let load = Load { streams, reverse, seconds: options.time() };
                let mut client = Command::new(iperf);
                readings.push(load.run(client.args(load.arguments(server.address)), None, variant.suffix)?);
            }
        }
        server.stop();
        Ok(())
    });
    Ok(())
}

/// Server and client in an enclave each, on a wire of shared memory, a processor each; natively the same
/// over a veth pair.
pub fn between_enclaves(options: &Options, places: &Places, report: &mut Report) -> Result<()> {
    let iperf = program()?;
    let (subject, baseline) = places.prepare(&iperf)?;
    for (number, variant) in (0..).zip(&VARIANTS[..2]) {
        let veth = Link::veth(number)?;
        let veth = if variant.without.is_some() { veth.without_offloads()? } else { veth };
        let name = format!("iperf3 between enclaves{}", variant.suffix);
        let sides = Sides {
            enclave: format!("two enclaves on --net shm, MTU {MTU}, {}, {CONGESTION_CONTROL}", variant.offloads.0),
            native: format!("Linux over veth, MTU {MTU}, {}, {CONGESTION_CONTROL}", variant.offloads.1),
        };
        let pinning = "server on CPU 0, client on CPU 1".into();
        let chart = "iperf3 between two enclaves".into();
        let setting = Setting { name, chart, sides, cpus: options.cpus, pinning, ..Setting::default() };
        interleave(options.common.pairs(), &setting, report, |side, readings| {
            let wire = Wire { path: places.folder.join("wire"), options, variant };
            for &streams in variant.streams {
                let load = Load { streams, reverse: false, seconds: options.time() };
                readings.push(match (side, &places.subject) {
                    (Side::Subject, Place::Enclave { .. }) => wire.run(&subject, &load)?,
                    _ => natively(&baseline, &iperf, &veth, &load, variant.suffix)?,
                });
            }
            Ok(())
        });
    }
    Ok(())
}

fn natively(ready: &Ready, iperf: &Path, link: &Link, load: &Load, suffix: &str) -> Result<Reading> {
    let args = arguments(["-s", "-1"]);
    let start = Start { ready, args: &args, options: &[], cpus: 1, link, cpu: Some(0) };
    // It ends after one connection: asking would be that one.
    let server = Server::start(&start, |_| Ok(()))?;
    let client = || {
        let mut command = Command::new(iperf);
        command.args(load.arguments(server.address));
        command
    };
    let reading = load.retried(client, Some(1), suffix)?;
    server.stop();
    Ok(reading)
}

/// Two enclaves on a wire.
struct Wire<'a> {
    path: std::path::PathBuf,
    options: &'a Options,
    variant: &'a Variant,
}

impl Wire<'_> {
    const SERVER: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);
    const CLIENT: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 2);

    fn command(&self, ready: &Ready, own: Ipv4Addr) -> Command {
        let mut options = vec!["--net".into(), format!("shm={}", self.path.display()), format!("--ip={own}/30")];
        options.extend(self.variant.without.map(|what| format!("--without={what}")));
        ready.command(self.options.cpus, &options)
    }

    fn run(&self, ready: &Ready, load: &Load) -> Result<Reading> {
        let mut server = self.command(ready, Self::SERVER);
        let server = Process::spawn(server.args(["-s", "-1"]).stdout(Stdio::null()), Some(0))?;
        let client = || {
            let mut command = self.command(ready, Self::CLIENT);
            command.args(load.arguments(Self::SERVER));
            command
        };
        let reading = load.retried(client, Some(1), self.variant.suffix)?;
        server.terminate(Duration::from_secs(5));
        Ok(reading)
    }
}

/// One run of the client.
struct Load {
    streams: u32,
    /// From the server to the client.
    reverse: bool,
    seconds: u32,
}

impl Load {
    fn arguments(&self, server: Ipv4Addr) -> Vec<String> {
        let mut all = arguments(["-J", "-C", CONGESTION_CONTROL, "-c"]);
        all.push(server.to_string());
        all.extend(["-P".into(), self.streams.to_string(), "-t".into(), self.seconds.to_string()]);
        if self.reverse {
            all.push("-R".into());
        }
        all
    }

    /// As [`Self::run`], again while the server is not up.
    fn retried(&self, client: impl Fn() -> Command, cpu: Option<usize>, suffix: &str) -> Result<Reading> {
        const TRIES: u32 = 20;
        let mut tries = 0;
        loop {
            tries += 1;
            match self.run(&mut client(), cpu, suffix) {
                Err(_) if tries < TRIES => std::thread::sleep(Duration::from_millis(100)),
                result => return result,
            }
        }
    }

    fn run(&self, client: &mut Command, cpu: Option<usize>, suffix: &str) -> Result<Reading> {
        let limit = OVERHEAD + Duration::from_secs(self.seconds.into());
        let (mut text, before, start) = (String::new(), cpu::machine()?, Instant::now());
        let ended = process::lines(client, cpu, limit, |line| {
            text.push_str(&line.text);
            Ok(())
        });
        let spent = cpu::machine()?.saturating_sub(before).as_secs_f64();
        let found: serde_json::Value = match (serde_json::from_str(&text), ended) {
            (Ok(found), _) => found,
            (Err(_), Err(error)) => return Err(error),
            (Err(error), Ok(())) => bail!("iperf3 printed {text:?} in {:?}: {error}", start.elapsed()),
        };
        if let Some(error) = found["error"].as_str() {
            return Err(anyhow!("iperf3: {error}"));
        }
        let received = &found["end"]["sum_received"];
        let value = |name: &str| received[name].as_f64().with_context(|| format!("iperf3 reports no {name}"));
        let plural = if self.streams == 1 { "" } else { "s" };
        let direction = if self.reverse { "from the server" } else { "to the server" };
        Ok(Reading {
            name: format!("{} stream{plural} {direction}{suffix}", self.streams),
            unit: Unit::BitsPerSecond,
            value: value("bits_per_second")?,
            cost: Some(spent / (value("bytes")? / 1e9)),
        })
    }
}

fn program() -> Result<std::path::PathBuf> {
    require("iperf3", "iperf3")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(script: &str) -> Result<Reading> {
        let load = Load { streams: 4, reverse: true, seconds: 1 };
        load.run(Command::new("sh").args(["-c", script]), None, ", no offloads")
    }

    #[test]
    fn what_was_received_counts() {
        let json = r#"{"end": {"sum_sent": {"bytes": 9, "bits_per_second": 9},
            "sum_received": {"bytes": 2e9, "bits_per_second": 1.6e10}}}"#;
        let found = run(&format!("echo '{json}'")).unwrap();
        assert_eq!((found.value, found.name.as_str()), (1.6e10, "4 streams from the server, no offloads"));
        assert!(found.cost.unwrap() >= 0.0);
    }

    #[test]
    fn iperfs_own_words_are_passed_on() {
        let error = run(r#"echo '{"error": "unable to connect"}'; exit 1"#).unwrap_err().to_string();
        assert!(error.contains("unable to connect"), "{error}");
        assert!(run("echo nonsense; exit 1").is_err());
        assert!(run("echo '{}'").unwrap_err().to_string().contains("bits_per_second"));
    }

    #[test]
    fn arguments_are_iperfs() {
        let load = Load { streams: 4, reverse: true, seconds: 2 };
        let args = load.arguments(Ipv4Addr::new(10, 0, 0, 1)).join(" ");
        assert_eq!(args, "-J -C cubic -c 10.0.0.1 -P 4 -t 2 -R");
    }
}
