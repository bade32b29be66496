//! What was found: as a table, as JSON, as charts and as a page.

mod page;
mod svg;
mod text;

use crate::measure::Summary;
use crate::place::Missing;
use serde::Serialize;

pub use page::write_folder;

/// Figures of one run, and what they hold for.
#[derive(Debug, Serialize)]
pub struct Report {
    /// What holds for all figures: machine, load, polling, and so on; name and value.
    pub conditions: Vec<(String, String)>,
    /// The figures.
    pub figures: Vec<Figure>,
    /// What was not measured, as something is not installed.
    pub skipped: Vec<String>,
    /// What could not be measured, and why.
    pub failures: Vec<String>,
}

/// One figure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// The chart that it belongs to.
    pub chart: String,
    /// What was measured.
    pub name: String,
    /// The unit of `enclave`, `native` and `gvisor`.
    pub unit: Unit,
    /// `--cpus` of the enclave.
    pub cpus: u32,
    /// Who ran on which processor, on either side.
    pub pinning: String,
    /// What each side was.
    pub sides: Sides,
    /// In the enclave.
    pub enclave: Summary,
    /// Natively; not for parts that only an enclave has.
    pub native: Option<Summary>,
    /// In gVisor's sandbox, where that is installed and was asked for.
    pub gvisor: Option<Summary>,
    /// How fast the enclave is, pair by pair: 2 is twice as fast as native, in every unit.
    pub speed: Option<Summary>,
    /// What the median of `speed` is at least, with 95 % confidence; of five pairs or more.
    pub speed_at_least: Option<f64>,
    /// What `speed` is to be at least, where that was set.
    pub target: Option<f64>,
    /// What the whole machine spent on one operation.
    pub cost: Cost,
}

/// The settings of each side: devices, offloads, encryption.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sides {
    /// Of the enclave.
    pub enclave: String,
    /// Of the native run.
    pub native: String,
}

/// Processor time of the whole machine (`/proc/stat`), in seconds: for one operation, or for 10^9 bytes
/// where the unit is a rate of bits or bytes.
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
    /// Bits in a second.
    BitsPerSecond,
    /// Bytes in a second.
    BytesPerSecond,
    /// Part of a processor's time.
    PercentOfCore,
}

impl Unit {
    /// How many times as fast as `native` is `enclave`? Idling has no speed.
    pub fn speed(self, enclave: f64, native: f64) -> Option<f64> {
        match self {
            Self::Seconds => Some(native / enclave),
            Self::PerSecond | Self::BitsPerSecond | Self::BytesPerSecond => Some(enclave / native),
            Self::PercentOfCore => None,
        }
    }

    /// A value with its unit, for people.
    pub fn show(self, value: f64) -> String {
        match self {
            Self::Seconds => seconds(value),
            Self::PerSecond => format!("{value:.0}/s"),
            Self::BitsPerSecond => format!("{:.2} Gb/s", value / 1e9),
            Self::BytesPerSecond => format!("{:.0} MB/s", value / 1e6),
            Self::PercentOfCore => format!("{value:.2} %"),
        }
    }

    /// Whether less is better.
    pub fn less_is_better(self) -> bool {
        matches!(self, Self::Seconds | Self::PercentOfCore)
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
        Self { conditions, figures: Vec::new(), skipped: Vec::new(), failures: Vec::new() }
    }

    /// Adds what holds for all figures.
    pub fn condition(&mut self, name: &str, value: impl Into<String>) {
        self.conditions.push((name.into(), value.into()));
    }

    /// Adds what programs noted.
    pub fn notes(&mut self, notes: Vec<String>) {
        notes.into_iter().for_each(|note| self.condition("note", note));
    }

    /// A part could not be measured: something is not installed, or it failed.
    pub fn not_measured(&mut self, part: &str, error: &anyhow::Error) {
        let list = if error.is::<Missing>() { &mut self.skipped } else { &mut self.failures };
        list.push(format!("{part}: {error:#}"));
    }

    /// Figures that share a chart: neighbours with the same title and unit.
    fn charts(&self) -> impl Iterator<Item = &[Figure]> {
        self.figures.chunk_by(|a, b| (&a.chart, a.unit) == (&b.chart, b.unit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_three_digits_and_a_unit() {
        for (value, expected) in [
            (3.4e-10, "0.34 ns"),
            (2.4e-8, "24.0 ns"),
            (1.67e-7, "167 ns"),
            (2.2e-6, "2.20 us"),
            (0.017, "17.0 ms"),
            (9.996, "10.0 s"),
        ] {
            assert_eq!(Unit::Seconds.show(value), expected);
        }
        assert_eq!(Unit::PerSecond.show(61633.4), "61633/s");
        assert_eq!(Unit::PercentOfCore.show(0.4), "0.40 %");
        assert_eq!(Unit::BitsPerSecond.show(9.82e9), "9.82 Gb/s");
        assert_eq!(Unit::BytesPerSecond.show(1.48e9), "1480 MB/s");
    }

    #[test]
    fn more_is_faster_in_every_unit() {
        assert_eq!(Unit::Seconds.speed(1.0, 5.0), Some(5.0));
        assert_eq!(Unit::PerSecond.speed(80.0, 100.0), Some(0.8));
        assert_eq!(Unit::BitsPerSecond.speed(80.0, 100.0), Some(0.8));
        assert_eq!(Unit::PercentOfCore.speed(1.0, 2.0), None);
    }

    #[test]
    fn a_chart_has_one_title_and_one_unit() {
        let mut report = Report::new(vec![]);
        let figure = |chart: &str, unit| Figure { chart: chart.into(), unit, ..example() };
        report.figures = vec![
            figure("a", Unit::Seconds),
            figure("a", Unit::Seconds),
            figure("a", Unit::PerSecond),
            figure("b", Unit::PerSecond),
        ];
        assert_eq!(report.charts().map(<[Figure]>::len).collect::<Vec<_>>(), [2, 1, 1]);
    }

    #[test]
    fn what_is_not_installed_is_skipped_and_the_rest_has_failed() {
        let mut report = Report::new(vec![]);
        report.not_measured("a", &crate::place::require("no-such-program", "a-package").unwrap_err());
        report.not_measured("b", &anyhow::anyhow!("broken"));
        assert!(report.skipped.len() == 1 && report.skipped[0].contains("apt-get install a-package"));
        assert_eq!(report.failures, ["b: broken"]);
    }

    /// A figure for the tests of all parts.
    pub(super) fn example() -> Figure {
        let enclave = Summary::of([1e-8, 2e-8, 3e-8]).unwrap();
        Figure {
            chart: "calls".into(),
            name: "getpid".into(),
            unit: Unit::Seconds,
            cpus: 1,
            pinning: "none".into(),
            sides: Sides { enclave: "one way".into(), native: "another".into() },
            enclave,
            native: Summary::of([1e-7]),
            gvisor: None,
            speed: Summary::of([5.0]),
            speed_at_least: None,
            target: Some(0.5),
            cost: Cost { enclave: Some(enclave), native: None },
        }
    }
}
