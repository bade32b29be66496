//! MariaDB on the disk, under sysbench over a TAP: with TLS and without, every commit durable, as by default.

use super::{Bench, PROTECTIONS, Task};
use crate::cpu;
use crate::net::{OFFLOADS, links, sides};
use crate::pairs::{Reading, Side, interleave};
use crate::place::{Beside, require};
use crate::process;
use crate::report::{Report, Unit};
use crate::server::{Server, connect};
use crate::tls::Identity;
use anyhow::{Context, Result};
use std::io::Read;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// MariaDB's own.
const PORT: u16 = 3306;
/// Its first start on an empty disk takes time.
const START_LIMIT: Duration = Duration::from_secs(120);
const OVERHEAD: Duration = Duration::from_secs(120);
const THREADS: u32 = 8;
/// Rows of the table; --quick has a tenth.
const ROWS: u32 = 10_000;
/// Run when the server starts: sysbench makes its table anew.
const INIT: &str = "DROP DATABASE IF EXISTS sbtest; CREATE DATABASE sbtest;\n";

/// Runs the load and adds its figures.
pub fn run(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    let (mariadbd, sysbench) = (require("mariadbd", "mariadb-server")?, require("sysbench", "sysbench")?);
    let folder = bench.places.folder.join("mariadb");
    std::fs::create_dir_all(&folder)?;
    let identity = Identity::new(&folder)?;
    as_sysbench_names(&identity, &folder)?;
    std::fs::write(folder.join("init.sql"), INIT)?;
    let ready = bench.places.prepare_with(&mariadbd, &Beside::folder(&folder))?;
    let links = links(bench.places, 0)?;
    let args = arguments(&bench.backing.point().join("mariadb"), &folder, &identity);
    let rows = if bench.options.common.quick { ROWS / 10 } else { ROWS };
    let load = Load { sysbench, folder, rows, seconds: bench.options.time() };
    report.condition("load of MariaDB", format!("sysbench oltp_read_write, {THREADS} threads, {rows} rows"));
    let mut setting = bench.setting("MariaDB, sysbench oltp_read_write (figure 7f)");
    let network = sides(bench.places, OFFLOADS.0, OFFLOADS.1);
    setting.sides.enclave = format!("{}; {}", setting.sides.enclave, network.enclave);
    setting.sides.native = format!("{}; {}", setting.sides.native, network.native);
    interleave(bench.options.common.pairs(), &setting, report, |side, readings| {
        let link = if side == Side::Subject { &links.0 } else { &links.1 };
        let task = Task { ready: (&ready.0, &ready.1), args: &args, link: Some(link) };
        bench.side(side, &PROTECTIONS, &task, readings, |command| {
            link.settle()?;
            let server = Server::of(command, link.server(), None, START_LIMIT, greeted)?;
            let found = load.all(server.address);
            server.stop();
            found
        })
    });
    Ok(())
}

/// Nothing of the system's configuration, no accounts, and no tables but those of the load.
fn arguments(data: &Path, folder: &Path, identity: &Identity) -> Vec<String> {
    let mut all = crate::server::arguments(["--no-defaults", "--user=root", "--skip-grant-tables", "--skip-log-bin"]);
    all.extend(crate::server::arguments(["--bind-address=0.0.0.0", "--socket=/tmp/mariadb.socket"]));
    all.extend([format!("--port={PORT}"), format!("--datadir={}", data.display())]);
    all.extend([format!("--pid-file={}", data.join("pid").display())]);
    all.push(format!("--init-file={}", folder.join("init.sql").display()));
    all.extend([format!("--ssl-ca={0}", identity.certificate()), format!("--ssl-cert={}", identity.certificate())]);
    all.push(format!("--ssl-key={}", identity.key()));
    all
}

/// The files that sysbench looks for in its working directory.
fn as_sysbench_names(identity: &Identity, folder: &Path) -> Result<()> {
    let (certificate, key) = (identity.certificate(), identity.key());
    for (from, name) in [(&certificate, "cacert.pem"), (&certificate, "client-cert.pem"), (&key, "client-key.pem")] {
        std::fs::copy(from, folder.join(name)).with_context(|| format!("cannot copy {from}"))?;
    }
    Ok(())
}

/// The server speaks first.
fn greeted(address: Ipv4Addr) -> Result<()> {
    Ok(connect(address, PORT)?.read_exact(&mut [0])?)
}

struct Load {
    sysbench: PathBuf,
    /// With sysbench's certificates.
    folder: PathBuf,
    rows: u32,
    seconds: u32,
}

impl Load {
    fn all(&self, server: Ipv4Addr) -> Result<Vec<Reading>> {
        self.sysbench(server, false, "prepare")?;
        let mut readings = Vec::new();
        for (tls, shown) in [(false, "plain TCP"), (true, "TLS")] {
            let before = cpu::machine()?;
            let text = self.sysbench(server, tls, "run")?;
            let spent = cpu::machine()?.saturating_sub(before).as_secs_f64();
            let found = parse(&text).with_context(|| format!("sysbench printed {text:?}"))?;
            let cost = Some(spent / found.transactions);
            readings.push(Reading {
                name: format!("transactions, {shown}"),
                unit: Unit::PerSecond,
                value: found.rate,
                cost,
            });
            let name = format!("p95, {shown}");
            readings.push(Reading { name, unit: Unit::Seconds, value: found.p95, cost: None });
        }
        Ok(readings)
    }

    fn sysbench(&self, server: Ipv4Addr, tls: bool, what: &str) -> Result<String> {
        let mut command = Command::new(&self.sysbench);
        command.current_dir(&self.folder).args(["oltp_read_write", "--mysql-user=root", "--tables=1"]);
        command.args([format!("--mysql-host={server}"), format!("--mysql-port={PORT}")]);
        command.args([format!("--table-size={}", self.rows), format!("--threads={THREADS}")]);
        command.arg(format!("--time={}", self.seconds)).arg(format!("--mysql-ssl={}", if tls { "on" } else { "off" }));
        let mut text = String::new();
        let limit = OVERHEAD + Duration::from_secs(self.seconds.into());
        process::lines(command.arg(what), None, limit, |line| {
            text.push_str(&line.text);
            text.push('\n');
            Ok(())
        })
        .with_context(|| format!("sysbench {what}: {text}"))?;
        Ok(text)
    }
}

/// What sysbench found out.
#[derive(Debug, PartialEq)]
struct Found {
    transactions: f64,
    rate: f64,
    p95: f64,
}

fn parse(text: &str) -> Option<Found> {
    let behind = |name: &str| text.lines().find_map(|line| line.trim().strip_prefix(name)).map(str::trim);
    let (transactions, rate) = behind("transactions:")?.split_once('(')?;
    Some(Found {
        transactions: transactions.trim().parse().ok().filter(|count| *count > 0.0)?,
        rate: rate.split_whitespace().next()?.parse().ok()?,
        p95: behind("95th percentile:")?.parse::<f64>().ok()? / 1000.0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sysbenchs_words_are_understood() {
        // As sysbench 1.0.20 prints it.
        let text = "\
    transactions:                        200    (96.80 per sec.)
    queries:                             4000   (1936.02 per sec.)
Latency (ms):
         95th percentile:                       78.60
";
        assert_eq!(parse(text), Some(Found { transactions: 200.0, rate: 96.8, p95: 78.6 / 1000.0 }));
        assert_eq!(parse(&text.replace("200 ", "0 ")), None);
        assert_eq!(parse("FATAL: unable to connect"), None);
    }
}
