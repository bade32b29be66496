//! redis-benchmark, and how it reports.

use super::server::{PORT, TLS_PORT};
use crate::{cpu, process};
use anyhow::{Context, Result, ensure};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Slower than this many requests a second is taken for a hang.
const SLOWEST: u64 = 500;
const OVERHEAD: Duration = Duration::from_secs(30);

/// One run of one test.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Command of Redis, as `-t` has it.
    pub test: &'static str,
    /// Requests sent at once on a connection (`-P`).
    pub pipeline: u32,
    /// Requests in all (`-n`).
    pub requests: u64,
    /// Connections (`-c`).
    pub clients: u32,
    /// Under TLS.
    pub tls: bool,
}

/// What a run found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found {
    /// Requests a second.
    pub rate: f64,
    /// Median latency, in seconds.
    pub p50: f64,
    /// Latency that one in a hundred exceeds, in seconds.
    pub p99: f64,
}

impl Load {
    /// Runs it against a server; also gives the machine's processor seconds for one request.
    ///
    /// # Errors
    /// If redis-benchmark fails, takes too long or prints something else than known.
    pub fn run(&self, benchmark: &Path, server: Ipv4Addr, cpu: Option<usize>) -> Result<(Found, f64)> {
        let mut command = Command::new(benchmark);
        let port = if self.tls { TLS_PORT } else { PORT };
        command.args(["-q", "--csv", "-h", &server.to_string(), "-p", &port.to_string(), "-t", self.test]);
        if self.tls {
            command.args(["--tls", "--insecure"]);
        }
        command.args(["-n", &self.requests.to_string(), "-c", &self.clients.to_string()]);
        command.args(["-P", &self.pipeline.to_string(), "--precision", "3"]);
        let limit = OVERHEAD + Duration::from_secs(self.requests / SLOWEST);
        let mut text = String::new();
        let before = cpu::machine()?;
        process::lines(&mut command, cpu, limit, |line| {
            text.push_str(&line.text);
            text.push('\n');
            Ok(())
        })?;
        let spent = cpu::machine()?.saturating_sub(before);
        let found = parse(&text).with_context(|| format!("redis-benchmark printed {text:?}"))?;
        ensure!(found.rate > 0.0, "no request was answered");
        Ok((found, spent.as_secs_f64() / self.requests as f64))
    }
}

/// A line of headings and one of values, all in quotes.
fn parse(csv: &str) -> Option<Found> {
    let mut lines = csv
        .lines()
        .skip_while(|line| !line.starts_with("\"test\""))
        .map(|line| line.split(',').map(|cell| cell.trim_matches('"')).collect::<Vec<_>>());
    let (headings, values) = (lines.next()?, lines.next()?);
    let value = |name: &str| -> Option<f64> {
        let column = headings.iter().position(|heading| *heading == name)?;
        values.get(column)?.parse().ok()
    };
    let seconds = |name: &str| value(name).map(|milliseconds| milliseconds / 1e3);
    Some(Found { rate: value("rps")?, p50: seconds("p50_latency_ms")?, p99: seconds("p99_latency_ms")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As redis-benchmark 7.0.15 prints it.
    const CSV: &str = concat!(
        r#""test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms""#,
        "\n",
        r#""SET","59880.24","0.691","0.200","0.655","1.031","1.575","3.063""#,
        "\n"
    );

    #[test]
    fn columns_are_found_by_name() {
        assert_eq!(parse(CSV), Some(Found { rate: 59880.24, p50: 0.000_655, p99: 0.001_575 }));
        assert_eq!(parse(&format!("WARNING: something\n{CSV}")), parse(CSV));
    }

    #[test]
    fn half_an_answer_is_none() {
        assert_eq!(parse(""), None);
        assert_eq!(parse(CSV.lines().next().unwrap()), None);
        assert_eq!(parse(&CSV.replace("p99", "p98")), None);
        assert_eq!(parse(&CSV.replace("59880.24", "many")), None);
    }
}
