//! What was found, as a table and as JSON.

use crate::measure::Summary;
use serde::Serialize;
use std::fmt::{self, Display, Formatter};

/// Figures of one run, and what they hold for.
#[derive(Debug, Serialize)]
pub struct Report {
    /// What holds for all figures: machine, polling, and so on; name and value.
    pub conditions: Vec<(String, String)>,
    /// The figures.
    pub figures: Vec<Figure>,
    /// What could not be measured, and why.
    pub failures: Vec<String>,
}

/// One figure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// What was measured.
    pub name: String,
    /// The unit of `enclave` and `native`.
    pub unit: Unit,
    /// `--cpus` of the enclave.
    pub cpus: u32,
    /// Who ran on which processor, on either side.
    pub pinning: String,
    /// In the enclave.
    pub enclave: Summary,
    /// Natively; not for parts that only an enclave has.
    pub native: Option<Summary>,
    /// How fast the enclave is, pair by pair: 2 is twice as fast as native, in every unit.
    pub speed: Option<Summary>,
    /// What the whole machine spent on one operation.
    pub cost: Cost,
}

/// Processor time of the whole machine (`/proc/stat`) for one operation, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Cost {
    /// Of the enclave's operation.
    pub enclave: Option<Summary>,
    /// Of the native operation.
    pub native: Option<Summary>,
}

/// What a value means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Seconds for one operation, or a latency.
    Seconds,
    /// Operations in a second.
    PerSecond,
    /// Part of a processor's time.
    PercentOfCore,
}

impl Unit {
    /// How many times as fast as `native` is `enclave`? Idling has no speed.
    pub fn speed(self, enclave: f64, native: f64) -> Option<f64> {
        match self {
            Self::Seconds => Some(native / enclave),
            Self::PerSecond => Some(enclave / native),
            Self::PercentOfCore => None,
        }
    }

    fn show(self, value: f64) -> String {
        match self {
            Self::Seconds => seconds(value),
            Self::PerSecond => format!("{value:.0}/s"),
            Self::PercentOfCore => format!("{value:.2} %"),
        }
    }
}

/// Three significant digits, in the unit of time that fits.
fn seconds(value: f64) -> String {
    let units = [(1e-9, "ns"), (1e-6, "us"), (1e-3, "ms"), (1.0, "s")];
    let (scale, unit) = units.into_iter().rev().find(|(scale, _)| value >= *scale).unwrap_or((1e-9, "ns"));
    let scaled = value / scale;
    let digits = if scaled < 9.995 { 2 } else { usize::from(scaled < 99.95) };
    format!("{scaled:.digits$} {unit}")
}

impl Report {
    /// An empty one.
    pub fn new(conditions: Vec<(String, String)>) -> Self {
        Self { conditions, figures: Vec::new(), failures: Vec::new() }
    }

    /// Adds what holds for all figures.
    pub fn condition(&mut self, name: &str, value: impl Into<String>) {
        self.conditions.push((name.into(), value.into()));
    }
}

const HEADINGS: [&str; 9] =
    ["measure", "enclave", "(min-max)", "native", "(min-max)", "speed", "(min-max, n)", "CPU/op", "native"];

impl Figure {
    fn cells(&self) -> [String; 9] {
        let show = |value| self.unit.show(value);
        let spread = |s: Summary| format!("{}-{}", show(s.min), show(s.max));
        let cost = |s: Option<Summary>| s.map_or("-".into(), |s| seconds(s.median));
        let dash = || "-".to_owned();
        [
            self.name.clone(),
            show(self.enclave.median),
            spread(self.enclave),
            self.native.map_or_else(dash, |s| show(s.median)),
            self.native.map_or_else(dash, spread),
            self.speed.map_or_else(dash, |s| format!("{:.2}", s.median)),
            self.speed.map_or_else(dash, |s| format!("{:.2}-{:.2}, {}", s.min, s.max, s.n)),
            cost(self.cost.enclave),
            cost(self.cost.native),
        ]
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.conditions {
            writeln!(f, "{name}: {value}")?;
        }
        // Consecutive figures of the same setting share a table.
        for group in self.figures.chunk_by(|a, b| (a.cpus, &a.pinning) == (b.cpus, &b.pinning)) {
            let Some(first) = group.first() else { continue };
            writeln!(f, "\n--cpus {}; pinning: {}", first.cpus, first.pinning)?;
            let rows: Vec<_> =
                [HEADINGS.map(str::to_owned)].into_iter().chain(group.iter().map(Figure::cells)).collect();
            table(f, &rows)?;
        }
        for failure in &self.failures {
            writeln!(f, "\nfailed: {failure}")?;
        }
        Ok(())
    }
}

/// The first column to the left, the others to the right.
fn table<const N: usize>(f: &mut Formatter<'_>, rows: &[[String; N]]) -> fmt::Result {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    for row in rows {
        let mut cells = row.iter().zip(widths);
        if let Some((cell, width)) = cells.next() {
            write!(f, "{cell:width$}")?;
        }
        for (cell, width) in cells {
            write!(f, "  {cell:>width$}")?;
        }
        writeln!(f)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits() {
        let cases =
            [(1.234e-8, "12.3 ns"), (9.876e-6, "9.88 us"), (0.1234, "123 ms"), (2.0, "2.00 s"), (0.0, "0.00 ns")];
        for (value, text) in cases {
            assert_eq!(seconds(value), text);
        }
        assert_eq!(Unit::PerSecond.show(61633.4), "61633/s");
        assert_eq!(Unit::PercentOfCore.show(0.4), "0.40 %");
    }

    #[test]
    fn more_is_faster_in_every_unit() {
        assert_eq!(Unit::Seconds.speed(1.0, 5.0), Some(5.0));
        assert_eq!(Unit::PerSecond.speed(80.0, 100.0), Some(0.8));
        assert_eq!(Unit::PercentOfCore.speed(1.0, 2.0), None);
    }

    #[test]
    fn a_report_reads_well() {
        let mut report = Report::new(vec![]);
        report.condition("--poll", "adaptive");
        let enclave = Summary::of([1e-8, 2e-8, 3e-8]).unwrap();
        let native = Summary::of([1e-7]);
        report.figures.push(Figure {
            name: "getpid".into(),
            unit: Unit::Seconds,
            cpus: 1,
            pinning: "none".into(),
            enclave,
            native,
            speed: Summary::of([5.0]),
            cost: Cost { enclave: Some(enclave), native: None },
        });
        report.failures.push("clock: no time".into());
        let text = report.to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!((lines[0], lines[2]), ("--poll: adaptive", "--cpus 1; pinning: none"));
        let words: Vec<&str> = lines[4].split_whitespace().collect();
        let expected = "getpid 20.0 ns 10.0 ns-30.0 ns 100 ns 100 ns-100 ns 5.00 5.00-5.00, 1 20.0 ns -";
        assert_eq!(words.join(" "), expected);
        assert_eq!(lines.last(), Some(&"failed: clock: no time"));
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["figures"][0]["enclave"]["n"], 3);
        assert_eq!(json["figures"][0]["unit"], "seconds");
        assert_eq!(json["conditions"][0][0], "--poll");
    }
}
