//! Pairs of runs, and the figures that they make.

use crate::measure::{Summary, median_is_at_least};
use crate::report::{Cost, Figure, Report, Sides, Unit};
use anyhow::{Error, Result};

/// What one run found out about one measure.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// What was measured.
    pub name: String,
    /// The value's unit.
    pub unit: Unit,
    /// The value.
    pub value: f64,
    /// Processor seconds of the whole machine for one operation.
    pub cost: Option<f64>,
}

/// What figures of a series have in common.
#[derive(Clone, Debug, Default)]
pub struct Setting {
    /// Of what, in messages.
    pub name: String,
    /// The chart that the figures belong to.
    pub chart: String,
    /// What each side is.
    pub sides: Sides,
    /// `--cpus`.
    pub cpus: u32,
    /// Who ran where.
    pub pinning: String,
    /// Names of measures and how many times as fast as native each is to be at least.
    pub targets: &'static [(&'static str, f64)],
    /// Whether gVisor's sandbox is measured, too.
    pub gvisor: bool,
}

/// Which of the two, or of the three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// rkt-io.
    Subject,
    /// Linux.
    Baseline,
    /// gVisor.
    Sandbox,
}

/// Readings of one pair, and of gVisor in its company.
#[derive(Default)]
struct Pair {
    subject: Vec<Reading>,
    baseline: Vec<Reading>,
    sandbox: Vec<Reading>,
}

/// Runs `pairs` pairs, whose order changes from one to the next so that neither side always
/// follows the other, and adds their figures to the report. `run` appends what it finds, so that
/// what it found before an error is kept; the error ends the series and goes into the report.
pub fn interleave(
    pairs: u32,
    setting: &Setting,
    report: &mut Report,
    mut run: impl FnMut(Side, &mut Vec<Reading>) -> Result<()>,
) {
    let mut all = Vec::new();
    let mut error = None;
    for number in 0..pairs {
        eprintln!("rkt-io: measuring {}, {} of {pairs}", setting.name, number + 1);
        let mut pair = Pair::default();
        let order = if number % 2 == 0 { [Side::Baseline, Side::Subject] } else { [Side::Subject, Side::Baseline] };
        for side in order.into_iter().chain(setting.gvisor.then_some(Side::Sandbox)) {
            let (readings, name) = match side {
                Side::Subject => (&mut pair.subject, "enclave"),
                Side::Baseline => (&mut pair.baseline, "native"),
                Side::Sandbox => (&mut pair.sandbox, "gVisor"),
            };
            if let Err(e) = run(side, readings) {
                error = Some(failure(setting, name, &e));
            }
        }
        all.push(pair);
        if error.is_some() {
            break;
        }
    }
    report.figures.extend(figures(setting, &all));
    report.failures.extend(error);
}

fn failure(setting: &Setting, side: &str, error: &Error) -> String {
    format!("{} ({side}, --cpus {}): {error:#}", setting.name, setting.cpus)
}

/// In the order of the first pair.
fn figures(setting: &Setting, pairs: &[Pair]) -> Vec<Figure> {
    let Some(first) = pairs.first() else { return Vec::new() };
    first.subject.iter().filter_map(|reading| figure(setting, reading, pairs)).collect()
}

fn figure(setting: &Setting, like: &Reading, pairs: &[Pair]) -> Option<Figure> {
    let find = |readings: &[Reading]| readings.iter().find(|r| r.name == like.name).cloned();
    let found: Vec<(Option<Reading>, Option<Reading>)> =
        pairs.iter().map(|pair| (find(&pair.subject), find(&pair.baseline))).collect();
    let subject = || found.iter().filter_map(|(subject, _)| subject.as_ref());
    let baseline = || found.iter().filter_map(|(_, baseline)| baseline.as_ref());
    let speeds = found.iter().filter_map(|(s, b)| like.unit.speed(s.as_ref()?.value, b.as_ref()?.value));
    let speeds: Vec<f64> = speeds.collect();
    Some(Figure {
        chart: setting.chart.clone(),
        name: like.name.clone(),
        unit: like.unit,
        cpus: setting.cpus,
        pinning: setting.pinning.clone(),
        sides: setting.sides.clone(),
        enclave: Summary::of(subject().map(|r| r.value))?,
        native: Summary::of(baseline().map(|r| r.value)),
        gvisor: Summary::of(pairs.iter().filter_map(|pair| Some(find(&pair.sandbox)?.value))),
        speed: Summary::of(speeds.iter().copied()),
        speed_at_least: median_is_at_least(speeds),
        target: setting.targets.iter().find(|(name, _)| *name == like.name).map(|(_, target)| *target),
        cost: Cost {
            enclave: Summary::of(subject().filter_map(|r| r.cost)),
            native: Summary::of(baseline().filter_map(|r| r.cost)),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::bail;

    fn setting() -> Setting {
        Setting { name: "test".into(), cpus: 1, ..Setting::default() }
    }

    fn reading(name: &str, value: f64) -> Reading {
        Reading { name: name.into(), unit: Unit::Seconds, value, cost: Some(value / 2.0) }
    }

    #[test]
    fn ratios_are_of_pairs() {
        let mut report = Report::new(vec![]);
        let mut order = Vec::new();
        let mut value = 0.0;
        let setting = Setting { targets: &[("b", 0.1), ("a", 0.9)], ..setting() };
        interleave(3, &setting, &mut report, |side, readings| {
            order.push(side);
            value += 1.0;
            readings.push(reading("a", value));
            Ok(())
        });
        use Side::{Baseline as B, Subject as S};
        assert_eq!(order, [B, S, S, B, B, S]);
        let figure = &report.figures[0];
        // Subject: 2, 3, 6. Baseline: 1, 4, 5.
        assert_eq!((figure.enclave.median, figure.native.unwrap().median), (3.0, 4.0));
        assert_eq!(figure.speed, Summary::of([1.0 / 2.0, 4.0 / 3.0, 5.0 / 6.0]));
        assert_eq!((figure.cost.enclave.unwrap().median, figure.target), (1.5, Some(0.9)));
        assert!(report.failures.is_empty());
    }

    #[test]
    fn what_was_found_before_an_error_is_kept() {
        let mut report = Report::new(vec![]);
        let mut runs = 0;
        interleave(9, &setting(), &mut report, |side, readings| {
            runs += 1;
            readings.push(reading("a", 1.0));
            if side == Side::Subject {
                bail!("no luck");
            }
            readings.push(reading("b", 1.0));
            Ok(())
        });
        assert_eq!(runs, 2);
        assert_eq!(report.figures.iter().map(|f| f.name.as_str()).collect::<Vec<_>>(), ["a"]);
        assert_eq!(report.failures, ["test (enclave, --cpus 1): no luck"]);
    }

    #[test]
    fn gvisor_is_asked_for() {
        let mut report = Report::new(vec![]);
        let mut order = Vec::new();
        interleave(2, &Setting { gvisor: true, ..setting() }, &mut report, |side, readings| {
            order.push(side);
            readings.push(reading("a", if side == Side::Sandbox { 9.0 } else { 1.0 }));
            Ok(())
        });
        use Side::{Baseline as B, Sandbox as G, Subject as S};
        assert_eq!(order, [B, S, G, S, B, G]);
        assert_eq!(
            (report.figures[0].gvisor, report.figures[0].native),
            (Summary::of([9.0, 9.0]), Summary::of([1.0, 1.0]))
        );
    }

    #[test]
    fn a_part_that_only_an_enclave_has() {
        let mut report = Report::new(vec![]);
        interleave(2, &setting(), &mut report, |side, readings| {
            if side == Side::Subject {
                readings.push(reading("supervisor", 1.0));
            }
            Ok(())
        });
        assert_eq!((report.figures[0].native, report.figures[0].speed), (None, None));
        assert_eq!(report.figures[0].enclave.n, 2);
    }
}
