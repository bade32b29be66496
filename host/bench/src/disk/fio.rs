//! fio: Debian's, the same job on both sides but for the engine of queued input and output.

use super::{Bench, PROTECTIONS, Protection, Task};
use crate::cpu;
use crate::pairs::{Reading, Setting, Side, interleave};
use crate::place::require;
use crate::process;
use crate::report::{Report, Unit};
use anyhow::{Context, Result, bail};
use std::process::Command;
use std::time::Duration;

const OVERHEAD: Duration = Duration::from_secs(120);

/// A job of fio.
#[derive(Clone, Copy)]
struct Job {
    name: &'static str,
    /// `--rw`.
    rw: &'static str,
    /// `--bs`.
    block: &'static str,
    jobs: u32,
    how: How,
    /// What is read off.
    gives: Gives,
}

/// How bytes are asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    /// Through the page cache, one at a time.
    Buffered,
    /// Past it, so many at a time: by libaio in the enclave, by io_uring natively.
    Direct(u32),
    /// Through the page cache, an fsync behind each.
    Synced,
    /// Through the page cache, all of `--size` once and an fsync at the end, whose time counts.
    Whole,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Gives {
    Operations,
    Bytes,
}

const fn job(name: &'static str, rw: &'static str, how: How) -> Job {
    Job { name, rw, block: "4k", jobs: 1, how, gives: Gives::Operations }
}

const fn stream(name: &'static str, rw: &'static str, how: How) -> Job {
    Job { name, rw, block: "128k", jobs: 1, how, gives: Gives::Bytes }
}

const fn mixed(name: &'static str, jobs: u32) -> Job {
    Job { jobs, ..job(name, "randrw", How::Buffered) }
}

/// Figures 1b, its eight jobs, and 5a.
const MIXED: [Job; 5] =
    [mixed("1 job", 1), mixed("2 jobs", 2), mixed("4 jobs", 4), mixed("6 jobs", 6), mixed("8 jobs", 8)];
const RANDOM: [Job; 7] = [
    job("random read, direct, depth 1", "randread", How::Direct(1)),
    job("random write, direct, depth 1", "randwrite", How::Direct(1)),
    job("random read, direct, depth 32", "randread", How::Direct(32)),
    job("random write, direct, depth 32", "randwrite", How::Direct(32)),
    job("random read, buffered", "randread", How::Buffered),
    job("random write, buffered", "randwrite", How::Buffered),
    job("random write, fsync after each", "randwrite", How::Synced),
];
const SEQUENTIAL: [Job; 4] = [
    stream("read, direct, depth 32", "read", How::Direct(32)),
    stream("write, direct, depth 32", "write", How::Direct(32)),
    stream("read, buffered", "read", How::Buffered),
    stream("write, buffered", "write", How::Buffered),
];
/// Figure 5c.
const WHOLE: [Job; 1] = [stream("write all, fsync at the end", "write", How::Whole)];
const WITH_SOFTWARE: [Protection; 3] = [Protection::Luks, Protection::LuksInSoftware, Protection::Plain];

/// Runs all jobs and adds their figures.
pub fn run(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    let ready = bench.places.prepare(&require("fio", "fio")?)?;
    let size = bench.options.size_mib();
    report.condition(
        "load of fio",
        format!(
            "a file of {size} MiB, {} s a job; libaio in the enclave where Linux has io_uring",
            bench.options.time()
        ),
    );
    let charts: [(&str, &[Job], &[Protection]); 4] = [
        ("fio, 4 KiB random read and write 60:40, buffered (figures 1b and 5a)", &MIXED, &PROTECTIONS),
        ("fio, 4 KiB random", &RANDOM, &PROTECTIONS),
        ("fio, 128 KiB sequential", &SEQUENTIAL, &PROTECTIONS),
        ("fio, sequential write, with and without AES instructions (figure 5c)", &WHOLE, &WITH_SOFTWARE),
    ];
    for (chart, jobs, protections) in charts {
        let setting = bench.setting(chart);
        let setting = Setting { name: format!("fio: {}", setting.name), ..setting };
        interleave(bench.options.common.pairs(), &setting, report, |side, readings| {
            for job in jobs {
                let enclave = side == Side::Subject;
                let args = job.arguments(bench, enclave);
                let task = Task { ready: (&ready.0, &ready.1), args: &args, link: None };
                bench.side(side, protections, &task, readings, |command| Ok(vec![job.once(bench, command)?]))?;
            }
            Ok(())
        });
    }
    Ok(())
}

impl Job {
    fn arguments(&self, bench: &Bench<'_>, enclave: bool) -> Vec<String> {
        let (size, seconds) = (bench.options.size_mib(), bench.options.time());
        let file = bench.backing.point().join("fio");
        let mut all = vec!["--name=bench".into(), "--output-format=json".into(), "--group_reporting".into()];
        all.extend([format!("--filename={}", file.display()), format!("--size={size}m")]);
        all.extend([format!("--rw={}", self.rw), format!("--bs={}", self.block), format!("--numjobs={}", self.jobs)]);
        // Another order each time, without a map of what was done.
        all.extend(["--randrepeat=0".into(), "--norandommap".into()]);
        if self.rw == "randrw" {
            all.push("--rwmixread=60".into());
        }
        if self.how != How::Whole {
            all.extend(["--time_based".into(), format!("--runtime={seconds}")]);
        }
        let engine = |name: &str| format!("--ioengine={name}");
        match self.how {
            How::Buffered => all.push(engine("psync")),
            How::Synced => all.extend([engine("psync"), "--fsync=1".into()]),
            How::Whole => all.extend([engine("psync"), "--end_fsync=1".into()]),
            How::Direct(1) => all.extend([engine("psync"), "--direct=1".into()]),
            How::Direct(depth) => {
                let queued = if enclave { "libaio" } else { "io_uring" };
                all.extend([engine(queued), "--direct=1".into(), format!("--iodepth={depth}")]);
            }
        }
        all
    }

    fn once(&self, bench: &Bench<'_>, command: &mut Command) -> Result<Reading> {
        let limit = OVERHEAD + Duration::from_secs(bench.options.time().into());
        let (mut text, before) = (String::new(), cpu::machine()?);
        process::lines(command, None, limit, |line| {
            text.push_str(&line.text);
            text.push('\n');
            Ok(())
        })
        .with_context(|| format!("fio, {}", self.name))?;
        let spent = cpu::machine()?.saturating_sub(before).as_secs_f64();
        let found = parse(&text).with_context(|| format!("fio printed {text:?}"))?;
        if found.operations == 0.0 {
            bail!("fio did nothing in {}", self.name);
        }
        let (unit, value, cost) = match self.gives {
            Gives::Operations => (Unit::PerSecond, found.operations_a_second, spent / found.operations),
            Gives::Bytes => (Unit::BytesPerSecond, found.bytes_a_second, spent / (found.bytes / 1e9)),
        };
        Ok(Reading { name: self.name.into(), unit, value, cost: Some(cost) })
    }
}

/// Sums over both directions.
#[derive(Debug, Default, PartialEq)]
struct Found {
    operations: f64,
    operations_a_second: f64,
    bytes: f64,
    bytes_a_second: f64,
}

/// The report of the one group of jobs. Notes may stand before it.
fn parse(text: &str) -> Option<Found> {
    let json: serde_json::Value = serde_json::from_str(text.get(text.find('{')?..)?).ok()?;
    let job = json["jobs"].get(0)?;
    let mut sum = Found::default();
    for direction in ["read", "write"] {
        let value = |name: &str| job[direction][name].as_f64();
        sum.operations += value("total_ios")?;
        sum.operations_a_second += value("iops")?;
        sum.bytes += value("io_bytes")?;
        sum.bytes_a_second += value("bw_bytes")?;
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_directions_count() {
        let text = r#"fio: a note
            {"jobs": [{"jobname": "bench",
            "read": {"total_ios": 60, "iops": 30.5, "io_bytes": 600, "bw_bytes": 300},
            "write": {"total_ios": 40, "iops": 20, "io_bytes": 400, "bw_bytes": 200}}]}"#;
        let found = parse(text).unwrap();
        assert_eq!((found.operations, found.operations_a_second), (100.0, 50.5));
        assert_eq!((found.bytes, found.bytes_a_second), (1000.0, 500.0));
        assert_eq!(parse("fio: no such engine"), None);
        assert_eq!(parse(&text.replace("iops", "iop")), None);
    }
}
