//! The report as tables for a terminal.

use super::{Figure, Report, seconds};
use crate::measure::Summary;
use std::fmt::{self, Display, Formatter};

const HEADINGS: [&str; 10] =
    ["measure", "enclave", "(min-max)", "native", "(min-max)", "speed", "(min-max, n)", "target", "CPU/op", "native"];

impl Figure {
    fn cells(&self) -> [String; 10] {
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
            self.target.map_or_else(dash, |target| format!("{target:.2}")),
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
        let setting =
            |figure: &Figure| (figure.chart.clone(), figure.cpus, figure.pinning.clone(), figure.sides.clone());
        for group in self.figures.chunk_by(|a, b| setting(a) == setting(b)) {
            let Some(first) = group.first() else { continue };
            writeln!(f, "\n{}\n--cpus {}; pinning: {}", first.chart, first.cpus, first.pinning)?;
            writeln!(f, "enclave: {}; native: {}", first.sides.enclave, first.sides.native)?;
            let rows: Vec<_> =
                [HEADINGS.map(str::to_owned)].into_iter().chain(group.iter().map(Figure::cells)).collect();
            table(f, &rows)?;
        }
        for skipped in &self.skipped {
            writeln!(f, "\nskipped: {skipped}")?;
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
    use super::super::tests::example;
    use super::*;

    #[test]
    fn a_report_reads_well() {
        let mut report = Report::new(vec![]);
        report.condition("--poll", "adaptive");
        report.figures.push(example());
        report.skipped.push("nginx: not installed".into());
        report.failures.push("clock: no time".into());
        let text = report.to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "--poll: adaptive");
        assert_eq!(lines[2..5], ["calls", "--cpus 1; pinning: none", "enclave: one way; native: another"]);
        let words: Vec<&str> = lines[6].split_whitespace().collect();
        let expected = "getpid 20.0 ns 10.0 ns-30.0 ns 100 ns 100 ns-100 ns 5.00 5.00-5.00, 1 0.50 20.0 ns -";
        assert_eq!(words.join(" "), expected);
        assert!(text.contains("\nskipped: nginx: not installed\n"));
        assert_eq!(lines.last(), Some(&"failed: clock: no time"));
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["figures"][0]["enclave"]["n"], 3);
        assert_eq!(json["figures"][0]["unit"], "seconds");
        assert_eq!(json["conditions"][0][0], "--poll");
    }
}
