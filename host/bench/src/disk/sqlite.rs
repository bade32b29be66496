//! SQLite through its own shell: a script of ours with the kinds of work that SQLite's speed test has, in both
//! kinds of journal, every commit durable.

use super::{Bench, PROTECTIONS, Task};
use crate::cpu;
use crate::pairs::{Reading, interleave};
use crate::place::{Beside, require};
use crate::process;
use crate::report::{Report, Unit};
use anyhow::{Context, Result, ensure};
use std::fmt::Write;
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(600);
/// Rows of the large table; --quick has a tenth.
const ROWS: u32 = 50_000;
/// Transactions of one row each.
const COMMITS: u32 = 200;
/// Begins a line with the name and the time of a mark.
const MARK: &str = "mark ";
const JOURNALS: [&str; 2] = ["DELETE", "WAL"];

/// Runs the script and adds its figures.
pub fn run(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    let sqlite = require("sqlite3", "sqlite3")?;
    let rows = if bench.options.common.quick { ROWS / 10 } else { ROWS };
    let folder = bench.places.folder.join("sqlite");
    std::fs::create_dir_all(&folder)?;
    for journal in JOURNALS {
        std::fs::write(folder.join(journal), script(journal, rows))?;
    }
    let ready = bench.places.prepare_with(&sqlite, &Beside::folder(&folder))?;
    for journal in JOURNALS {
        let database = bench.backing.point().join(format!("{journal}.db"));
        let read = format!(".read {}", folder.join(journal).display());
        let args = ["-batch".into(), database.display().to_string(), read];
        let task = Task { ready: (&ready.0, &ready.1), args: &args, link: None };
        let setting = bench.setting(&format!("SQLite, journal {journal}, synchronous=FULL (figure 7a)"));
        interleave(bench.options.common.pairs(), &setting, report, |side, readings| {
            bench.side(side, &PROTECTIONS, &task, readings, once)
        });
    }
    Ok(())
}

/// Runs the shell: a reading for each part, and one for all.
fn once(command: &mut Command) -> Result<Vec<Reading>> {
    let (mut marks, before) = (Vec::new(), cpu::machine()?);
    process::lines(command, None, LIMIT, |line| {
        // Other lines are what the queries found.
        if let Some((name, time)) = line.text.strip_prefix(MARK).and_then(|mark| mark.split_once('|')) {
            marks.push((name.to_owned(), time.parse::<f64>().with_context(|| format!("unexpected: {}", line.text))?));
        }
        Ok(())
    })?;
    let spent = cpu::machine()?.saturating_sub(before).as_secs_f64();
    let (first, last) = (marks.first().context("sqlite3 printed nothing")?.1, marks.last().map_or(0.0, |mark| mark.1));
    ensure!(marks.len() > 1, "the script did not get far");
    let reading = |name: &str, value, cost| Reading { name: name.into(), unit: Unit::Seconds, value, cost };
    let parts = marks.iter().zip(marks.iter().skip(1)).map(|(from, to)| reading(&to.0, to.1 - from.1, None));
    Ok(parts.chain([reading("all", last - first, Some(spent))]).collect())
}

/// What is done, and marks in between with the time in seconds, as SQL tells it.
fn script(journal: &str, rows: u32) -> String {
    let mut sql = format!(
        "PRAGMA journal_mode={journal};\nPRAGMA synchronous=FULL;\nPRAGMA cache_size=-8192;\n\
         DROP TABLE IF EXISTS t1;\nDROP TABLE IF EXISTS t2;\n\
         CREATE TABLE t1(a INTEGER, b INTEGER, c TEXT);\nCREATE TABLE t2(a INTEGER PRIMARY KEY, b INTEGER, c TEXT);\n"
    );
    let mut part = |name: &str, body: String| {
        sql.push_str(&body);
        let _ = writeln!(sql, "SELECT '{MARK}{name}', printf('%.6f', (julianday('now') - 2440587.5) * 86400.0);");
    };
    let many = |count: u32, statement: &dyn Fn(u32) -> String| (1..=count).map(statement).collect::<String>();
    let one = |body: String| format!("BEGIN;\n{body}COMMIT;\n");
    let text = |n: u32| format!("'row {n} {:08x} {:08x}'", scatter(n), scatter(n ^ 0x5555));
    part("start", String::new());
    part(
        "insert, one transaction",
        one(many(rows, &|n| format!("INSERT INTO t1 VALUES({n},{},{});\n", scatter(n) % rows, text(n)))),
    );
    part(
        "insert by key, one transaction",
        one(many(rows, &|n| format!("INSERT OR IGNORE INTO t2 VALUES({},{n},{});\n", scatter(n) >> 4, text(n)))),
    );
    part("insert, a transaction each", many(COMMITS, &|n| format!("INSERT INTO t1 VALUES(-{n},{n},{});\n", text(n))));
    part(
        "select by scanning",
        many(20, &|n| format!("SELECT count(*), avg(b) FROM t1 WHERE c LIKE '%{:02x}%';\n", scatter(n) & 0xff)),
    );
    part("create two indexes", "CREATE INDEX i1 ON t1(a);\nCREATE INDEX i2 ON t1(b);\n".into());
    part("select by index", one(many(rows, &|n| format!("SELECT c FROM t1 WHERE a={} LIMIT 0;\n", scatter(n) % rows))));
    part(
        "update by index, one transaction",
        one(many(rows / 2, &|n| format!("UPDATE t1 SET b=b+1 WHERE a={};\n", scatter(n) % rows))),
    );
    part("update, a transaction each", many(COMMITS, &|n| format!("UPDATE t1 SET b={n} WHERE a=-{n};\n")));
    part(
        "delete by index, one transaction",
        one(many(rows / 4, &|n| format!("DELETE FROM t1 WHERE a={};\n", scatter(n) % rows))),
    );
    part(
        "join and group",
        "SELECT count(*) FROM (SELECT t1.b % 97 AS g, count(*) FROM t1 JOIN t2 ON t1.a=t2.b GROUP BY g);\n".into(),
    );
    part("vacuum", "VACUUM;\n".into());
    sql
}

/// Numbers in no order, the same in each run.
fn scatter(n: u32) -> u32 {
    (n.wrapping_mul(2_654_435_769) ^ 0x9e37_79b9).rotate_left(13).wrapping_mul(0x85eb_ca6b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_is_one_that_sqlite_runs() {
        let folder = tempfile::tempdir().unwrap();
        for journal in JOURNALS {
            let (path, database) = (folder.path().join(journal), folder.path().join("database"));
            std::fs::write(&path, script(journal, 400)).unwrap();
            let mut command = Command::new(require("sqlite3", "sqlite3").unwrap());
            let readings = once(command.arg("-batch").arg(database).arg(format!(".read {}", path.display()))).unwrap();
            assert_eq!(readings.len(), 12, "{readings:?}");
            assert!(readings.last().unwrap().name == "all" && readings.iter().all(|r| r.value >= 0.0), "{readings:?}");
        }
    }
}
