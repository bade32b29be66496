//! nginx under wrk: a small file and a large one, HTTP and HTTPS.

use super::{OFFLOADS, Options, links, sides};
use crate::cpu;
use crate::pairs::{Reading, Setting, Side, interleave};
use crate::place::{Beside, Places, require};
use crate::process;
use crate::report::{Report, Unit};
use crate::server::{Server, Start, connect};
use crate::tls::Identity;
use anyhow::{Context, Result, ensure};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Threads and connections of wrk: the connections are the paper's, the threads as many as this machine
/// can use.
const THREADS: u32 = 2;
const CONNECTIONS: u32 = 100;
const OVERHEAD: Duration = Duration::from_secs(60);

/// A file to ask for.
struct Page {
    name: &'static str,
    shown: &'static str,
    len: usize,
}

const PAGES: [Page; 2] =
    [Page { name: "1k", shown: "1 KiB", len: 1 << 10 }, Page { name: "3m", shown: "3 MiB", len: 3 << 20 }];

/// One server process, or a master with workers.
#[derive(Clone, Copy)]
enum Mode {
    Single,
    Workers(u32),
}

impl Mode {
    fn shown(self) -> String {
        match self {
            Self::Single => "master_process off".into(),
            Self::Workers(1) => "1 worker".into(),
            Self::Workers(n) => format!("{n} workers"),
        }
    }
}

/// Runs all loads and adds their figures.
pub fn run(options: &Options, places: &Places, report: &mut Report) -> Result<()> {
    let (nginx, wrk) = (require("nginx", "nginx-light")?, require("wrk", "wrk")?);
    for (number, mode) in [(0, Mode::Single), (2, Mode::Workers(options.cpus))] {
        let site = Site::new(&places.folder, mode)?;
        let (subject, baseline) = places.prepare_with(&nginx, &Beside::folder(&site.folder))?;
        let links = links(places, number)?;
        let setting = Setting {
            name: format!("nginx, {}", mode.shown()),
            chart: format!("nginx, {} (figures 7b and 7c)", mode.shown()),
            sides: sides(places, OFFLOADS.0, OFFLOADS.1),
            cpus: options.cpus,
            pinning: "none".into(),
            ..Setting::default()
        };
        let load = format!("wrk -t{THREADS} -c{CONNECTIONS} -d{}s, keep-alive", options.time());
        report.condition("load of nginx", format!("{load}; {}", mode.shown()));
        interleave(options.common.pairs(), &setting, report, |side, readings| {
            let (ready, link) = if side == Side::Subject { (&subject, &links.0) } else { (&baseline, &links.1) };
            let args = site.arguments();
            let start = Start { ready, args: &args, options: &[], cpus: options.cpus, link, cpu: None };
            let server = Server::start(&start, |address| connect(address, 443).map(drop))?;
            for (page, scheme) in PAGES.iter().flat_map(|page| ["http", "https"].map(|scheme| (page, scheme))) {
                readings.extend(load_page(&wrk, scheme, server.address, page, options.time())?);
            }
            server.stop();
            Ok(())
        });
    }
    Ok(())
}

/// Configuration, key and pages, at the same path on either side.
struct Site {
    folder: PathBuf,
}

impl Site {
    fn new(parent: &Path, mode: Mode) -> Result<Self> {
        let folder = parent.join(match mode {
            Mode::Single => "site-single",
            Mode::Workers(_) => "site-workers",
        });
        let pages = folder.join("pages");
        std::fs::create_dir_all(&pages).with_context(|| format!("cannot make {}", pages.display()))?;
        Identity::new(&folder)?;
        for page in PAGES {
            std::fs::write(pages.join(page.name), vec![b'x'; page.len])?;
        }
        std::fs::write(folder.join("nginx.conf"), configuration(mode))?;
        Ok(Self { folder })
    }

    fn arguments(&self) -> Vec<String> {
        vec!["-p".into(), self.folder.display().to_string(), "-c".into(), "nginx.conf".into()]
    }
}

/// All paths are relative to the folder that `-p` names.
fn configuration(mode: Mode) -> String {
    let (master, workers) = match mode {
        Mode::Single => ("off", 1),
        Mode::Workers(n) => ("on", n),
    };
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary: String = temporary.iter().map(|of| format!("  {of}_temp_path {of};\n")).collect();
    format!(
        "daemon off;\nmaster_process {master};\nworker_processes {workers};\nuser root;\npid nginx.pid;\n\
         error_log stderr error;\nevents {{ worker_connections 1024; }}\nhttp {{\n{temporary}\
         \x20 access_log off;\n  sendfile on;\n  keepalive_requests 1000000000;\n  server {{\n    listen 80;\n    listen 443 ssl;\n\
         \x20   ssl_certificate certificate.pem;\n    ssl_certificate_key key.pem;\n    root pages;\n  }}\n}}\n"
    )
}

/// A rate, a median and a 99th percentile of latency.
fn load_page(wrk: &Path, scheme: &str, server: Ipv4Addr, page: &Page, seconds: u32) -> Result<[Reading; 3]> {
    let mut command = Command::new(wrk);
    command.args([format!("-t{THREADS}"), format!("-c{CONNECTIONS}"), format!("-d{seconds}s"), "--latency".into()]);
    command.arg(format!("{scheme}://{server}/{}", page.name));
    let (mut text, before) = (String::new(), cpu::machine()?);
    process::lines(&mut command, None, OVERHEAD + Duration::from_secs(seconds.into()), |line| {
        text.push_str(&line.text);
        text.push('\n');
        Ok(())
    })?;
    let spent = cpu::machine()?.saturating_sub(before).as_secs_f64();
    let found = parse(&text).with_context(|| format!("wrk printed {text:?}"))?;
    ensure!(found.requests > 0.0, "no request was answered");
    ensure!(!text.contains("Non-2xx"), "nginx answered with an error: {text:?}");
    let name = format!("{}, {}", page.shown, scheme.to_uppercase());
    let latency = |which, value| Reading { name: format!("{name}, {which}"), unit: Unit::Seconds, value, cost: None };
    Ok([
        Reading { name: name.clone(), unit: Unit::PerSecond, value: found.rate, cost: Some(spent / found.requests) },
        latency("p50", found.p50),
        latency("p99", found.p99),
    ])
}

/// What wrk found out.
#[derive(Debug, PartialEq)]
struct Found {
    requests: f64,
    rate: f64,
    p50: f64,
    p99: f64,
}

fn parse(text: &str) -> Option<Found> {
    let words = || text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let behind = |name: &str| words().find(|line| line.first() == Some(&name)).and_then(|line| line.get(1).copied());
    let requests = words().find(|line| line.get(1) == Some(&"requests"))?.first()?.parse().ok()?;
    Some(Found {
        requests,
        rate: behind("Requests/sec:")?.parse().ok()?,
        p50: duration(behind("50%")?)?,
        p99: duration(behind("99%")?)?,
    })
}

/// A time as wrk prints it, in seconds.
fn duration(text: &str) -> Option<f64> {
    let number = text.trim_end_matches(char::is_alphabetic);
    let scale = match &text[number.len()..] {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As wrk 4.1.0 prints it.
    const OUTPUT: &str = "\
Running 2s test @ http://10.0.0.2/1k
  2 threads and 100 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     3.05ms    1.21ms  21.95ms   84.25%
    Req/Sec    16.53k     1.91k   19.23k    70.00%
  Latency Distribution
     50%    2.83ms
     75%    3.51ms
     90%  950.00us
     99%    1.20s
  65895 requests in 2.00s, 78.94MB read
Requests/sec:  32893.21
Transfer/sec:     39.40MB
";

    #[test]
    fn wrks_words_are_understood() {
        assert_eq!(parse(OUTPUT), Some(Found { requests: 65895.0, rate: 32893.21, p50: 2.83e-3, p99: 1.2 }));
        assert_eq!(parse(&OUTPUT.replace("99%", "98%")), None);
        assert_eq!(
            [duration("950.00us"), duration("2m"), duration("3"), duration("ms")],
            [Some(950e-6), Some(120.0), None, None]
        );
    }

    #[test]
    fn the_configuration_says_how_many_processes() {
        let single = configuration(Mode::Single);
        assert!(single.contains("master_process off;") && single.contains("listen 443 ssl;"), "{single}");
        assert!(configuration(Mode::Workers(2)).contains("worker_processes 2;"));
    }
}
