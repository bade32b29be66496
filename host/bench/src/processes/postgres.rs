//! PostgreSQL: server and pgbench both inside, over a UNIX socket, data on a tmpfs.

use super::Options;
use crate::pairs::{Reading, Side, interleave};
use crate::place::{Beside, Places, Ready, no_network, require};
use crate::process::lines;
use crate::report::{Report, Unit};
use anyhow::{Context, Result};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

const OVERHEAD: Duration = Duration::from_secs(180);
const PROGRAMS: [&str; 4] = ["initdb", "postgres", "pg_ctl", "pgbench"];
/// Debian's folders of its versions.
const VERSIONS: &str = "/usr/lib/postgresql";
/// `$1` has the programs, `$2` is for the data, `$3` the time of the load. The server refuses to be root.
const SCRIPT: &str = "\
set -e
export LC_ALL=C
mkdir $2
$1/initdb -D $2/data -A trust --no-sync >$2/log 2>&1 || { cat $2/log >&2; exit 1; }
$1/pg_ctl -D $2/data -o \"-k $2 -c listen_addresses=''\" -w -l $2/log start >$2/ctl || { cat $2/log >&2; exit 1; }
$1/pgbench -h $2 -i -q -s 5 postgres >$2/init 2>&1
echo begin
$1/pgbench -h $2 -c 4 -j 2 -T $3 postgres
$1/pg_ctl -D $2/data -m fast -w stop >$2/ctl
rm -rf $2
";

/// Measures it and adds the figures.
pub fn run(options: &Options, places: &Places, report: &mut Report) -> Result<()> {
    let folder = folder()?;
    let shell = require("sh", "dash")?;
    let programs: Vec<PathBuf> = PROGRAMS.iter().map(|name| folder.join(name)).collect();
    let tools = ["mkdir", "rm", "cat"].map(|name| require(name, "coreutils"));
    let tools = tools.into_iter().collect::<Result<Vec<PathBuf>>>()?;
    let beside = Beside { programs: [programs, tools].concat(), ..Beside::default() };
    let (subject, baseline) = places.prepare_with(&shell, &beside)?;
    let seconds = (options.time() / 100).max(1);
    report.condition("load of PostgreSQL", format!("pgbench -c 4 -j 2 -T {seconds}, scale 5, over a UNIX socket"));
    let setting = options.setting("PostgreSQL", options.cpus, "none");
    interleave(options.common.pairs(), &setting, report, |side, readings| {
        let ready = if side == Side::Subject { &subject } else { &baseline };
        let mut command = as_somebody(ready, options.cpus)?;
        let data = format!("{}/rkt-bench-{}", ready.tmpfs(), std::process::id());
        command.args(["-c", SCRIPT, "postgres"]).arg(&folder).arg(data).arg(seconds.to_string());
        readings.push(once(&mut command, OVERHEAD + Duration::from_secs(seconds.into()))?);
        Ok(())
    });
    Ok(())
}

/// The programs' folder, of the newest version.
fn folder() -> Result<PathBuf> {
    let versions = std::fs::read_dir(VERSIONS).into_iter().flatten().flatten().map(|entry| entry.path().join("bin"));
    match versions.filter(|bin| bin.join("postgres").is_file()).max() {
        Some(bin) => Ok(bin),
        None => Ok(require("postgres", "postgresql")?.parent().context("a program without a folder")?.into()),
    }
}

/// The shell, as a user who is not root.
fn as_somebody(ready: &Ready, cpus: u32) -> Result<Command> {
    let user = "postgres";
    let options = [no_network(), ["--memory=2g".into(), format!("--user={user}")].to_vec()].concat();
    let command = ready.command(cpus, &options);
    if !matches!(ready, Ready::Native(_)) {
        return Ok(command);
    }
    let mut somebody = Command::new(require("setpriv", "util-linux")?);
    somebody.args([format!("--reuid={user}"), format!("--regid={user}"), "--init-groups".into(), "--".into()]);
    somebody.arg(command.get_program());
    Ok(somebody)
}

fn once(command: &mut Command, limit: Duration) -> Result<Reading> {
    let (mut text, mut begun, mut ended) = (String::new(), None, None);
    lines(command, None, limit, |line| {
        if line.text == "begin" {
            begun = Some(line.cpu);
        }
        if line.text.starts_with("tps") {
            ended = Some(line.cpu);
        }
        text.push_str(&line.text);
        text.push('\n');
        Ok(())
    })?;
    let spent = begun.zip(ended).map(|(begin, end)| end.saturating_sub(begin).as_secs_f64());
    let found = parse(&text).with_context(|| format!("pgbench printed {text:?}"))?;
    let cost = spent.map(|spent| spent / found.transactions);
    Ok(Reading { name: "pgbench".into(), unit: Unit::PerSecond, value: found.rate, cost })
}

#[derive(Debug, PartialEq)]
struct Found {
    transactions: f64,
    rate: f64,
}

fn parse(text: &str) -> Option<Found> {
    let number = |prefix: &str| {
        let behind = text.lines().find_map(|line| line.strip_prefix(prefix))?;
        behind.split_whitespace().next()?.parse::<f64>().ok().filter(|number| *number > 0.0)
    };
    Some(Found { transactions: number("number of transactions actually processed: ")?, rate: number("tps = ")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(text: &str) -> Result<Reading> {
        once(Command::new("printf").arg("%s").arg(text), Duration::from_secs(60))
    }

    #[test]
    fn pgbenchs_words_are_understood() {
        // As pgbench 15 prints it.
        let text = "begin\nnumber of transactions actually processed: 1200\nlatency average = 10.0 ms\n\
                    tps = 396.4 (without initial connection time)\n";
        let found = say(text).unwrap();
        assert_eq!((found.name.as_str(), found.value), ("pgbench", 396.4));
        assert!(found.cost.is_some_and(|cost| cost >= 0.0));
        assert!(say(&text.replace("1200", "0")).is_err());
        assert!(say("FATAL").is_err());
    }
}
