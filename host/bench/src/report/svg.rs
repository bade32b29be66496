//! A chart: a row for each figure, with a bar for each side from zero on, whiskers from the smallest to the
//! largest value, the median and the ratio in words.

use super::{Figure, Unit};
use crate::measure::Summary;
use std::fmt::Write;

const WIDTH: f64 = 920.0;
/// Names, bars and ratios from left to right.
const NAMES: f64 = 300.0;
const BARS: f64 = 380.0;
/// Room for a value behind the longest bar.
const VALUE: f64 = 110.0;
/// Above the rows: title, then legend.
const TOP: f64 = 64.0;
/// Below the rows: numbers of the axis.
const BOTTOM: f64 = 30.0;
const BAR: f64 = 15.0;
const GAP: f64 = 12.0;
const CAP: f64 = 3.5;

/// Colours for light and dark. Bars are told apart by lightness, too.
pub const STYLE: &str = "\
.rkt{--ink:#1b1f24;--paper:#ffffff;--line:#d5d9df;--enclave:#1f6feb;--native:#9aa3ad;--gvisor:#d9822b}\
@media(prefers-color-scheme:dark){.rkt{--ink:#e6e9ed;--paper:#14181d;--line:#363d46;--enclave:#58a6ff;--native:#6f7a86;--gvisor:#e3a35a}}\
.rkt text{fill:var(--ink);font:13px system-ui,sans-serif}.rkt .title{font-weight:600;font-size:16px}\
.rkt .note{font-size:11px}.rkt .ratio{font-weight:600}.rkt .paper{fill:var(--paper)}\
.rkt .line{stroke:var(--line);stroke-width:1}.rkt .whisker{stroke:var(--ink);stroke-width:1.2;fill:none}\
.rkt .enclave{fill:var(--enclave)}.rkt .native{fill:var(--native)}.rkt .gvisor{fill:var(--gvisor)}";

/// A bar of a row.
struct Bar {
    class: &'static str,
    of: Summary,
}

fn bars(figure: &Figure) -> Vec<Bar> {
    let own = Bar { class: "enclave", of: figure.enclave };
    let others = [("native", figure.native), ("gvisor", figure.gvisor)];
    let others = others.into_iter().filter_map(|(class, of)| Some(Bar { class, of: of? }));
    std::iter::once(own).chain(others).collect()
}

/// The chart as a document. `figures` share title and unit, and there is at least one.
pub fn chart(figures: &[Figure]) -> String {
    let Some(first) = figures.first() else { return String::new() };
    let rows: Vec<(&Figure, Vec<Bar>)> = figures.iter().map(|figure| (figure, bars(figure))).collect();
    let height_of = |bars: &[Bar]| bars.len() as f64 * BAR + GAP;
    let bottom = TOP + rows.iter().map(|(_, bars)| height_of(bars)).sum::<f64>();
    let largest = rows.iter().flat_map(|(_, bars)| bars).map(|bar| bar.of.max).fold(0.0, f64::max);
    let axis = Axis::new(largest);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"rkt\" viewBox=\"0 0 {WIDTH} {0}\" width=\"{WIDTH}\" \
         height=\"{0}\" role=\"img\"><title>{1}</title><style>{STYLE}</style>\
         <rect class=\"paper\" width=\"100%\" height=\"100%\"/>",
        bottom + BOTTOM,
        escaped(&first.chart),
    );
    text(&mut out, 16.0, 26.0, "title", "start", &first.chart);
    legend(&mut out, first.unit, rows.iter().flat_map(|(_, bars)| bars.iter().map(|bar| bar.class)));
    axis.draw(&mut out, first.unit, bottom);
    let mut y = TOP;
    for (figure, bars) in &rows {
        let middle = y + bars.len() as f64 * BAR / 2.0 + 4.5;
        text(&mut out, NAMES - 10.0, middle, "", "end", &figure.name);
        if let Some(speed) = figure.speed {
            text(&mut out, WIDTH - 16.0, middle, "ratio", "end", &format!("{:.2} ×", speed.median));
        }
        for (n, bar) in bars.iter().enumerate() {
            draw(&mut out, bar, &axis, figure.unit, y + n as f64 * BAR);
        }
        y += height_of(bars);
    }
    out.push_str("</svg>\n");
    out
}

fn draw(out: &mut String, bar: &Bar, axis: &Axis, unit: Unit, y: f64) {
    let Summary { median, min, max, n } = bar.of;
    let (top, height, middle) = (y + 1.0, BAR - 2.0, y + BAR / 2.0);
    let _ = write!(
        out,
        "<rect class=\"{}\" x=\"{NAMES}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{height:.1}\"/>",
        bar.class,
        axis.x(median) - NAMES,
    );
    if n > 1 {
        let (from, to, up, down) = (axis.x(min), axis.x(max), middle - CAP, middle + CAP);
        let _ = write!(
            out,
            "<path class=\"whisker\" d=\"M{from:.1} {up:.1}V{down:.1}M{to:.1} {up:.1}V{down:.1}\
             M{from:.1} {middle:.1}H{to:.1}\"/>"
        );
    }
    text(out, axis.x(max.max(median)) + 7.0, middle + 4.0, "note", "start", &unit.show(median));
}

/// What the colours mean, and which way is better.
fn legend(out: &mut String, unit: Unit, classes: impl Iterator<Item = &'static str>) {
    let there: Vec<&str> = classes.collect();
    let mut x = NAMES;
    for (class, name) in [("enclave", "rkt-io"), ("native", "native Linux"), ("gvisor", "gVisor")] {
        if there.contains(&class) {
            let _ = write!(out, "<rect class=\"{class}\" x=\"{x}\" y=\"40\" width=\"12\" height=\"12\"/>");
            text(out, x + 17.0, 50.5, "note", "start", name);
            x += 100.0;
        }
    }
    let better = if unit.less_is_better() { "shorter is better" } else { "longer is better" };
    text(out, NAMES - 10.0, 50.5, "note", "end", &format!("median, whiskers min to max; {better}"));
    if there.contains(&"native") && unit.speed(1.0, 1.0).is_some() {
        text(out, WIDTH - 16.0, 50.5, "note", "end", "speed against native");
    }
}

/// Where values lie from left to right.
struct Axis {
    largest: f64,
    step: f64,
}

impl Axis {
    /// From zero to a round value not below `largest`, in up to six steps of 1, 2 or 5 times a power of ten.
    fn new(largest: f64) -> Self {
        const STEPS: f64 = 6.0;
        let largest = if largest.is_finite() && largest > 0.0 { largest } else { 1.0 };
        let power = 10f64.powf((largest / STEPS).log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|n| n * power).into_iter().find(|step| largest / step <= STEPS);
        let step = step.unwrap_or(largest);
        Self { largest: (largest / step).ceil() * step, step }
    }

    fn x(&self, value: f64) -> f64 {
        NAMES + BARS * (value / self.largest).clamp(0.0, 1.0)
    }

    fn draw(&self, out: &mut String, unit: Unit, bottom: f64) {
        let steps = (self.largest / self.step).round() as u32;
        for value in (0..=steps).map(|n| f64::from(n) * self.step) {
            let x = self.x(value);
            let _ = write!(out, "<path class=\"line\" d=\"M{x:.1} {}V{bottom:.1}\"/>", TOP - 4.0);
            text(out, x, bottom + 16.0, "note", "middle", &unit.show(value).replace("0.00 ns", "0"));
        }
    }
}

fn text(out: &mut String, x: f64, y: f64, class: &str, anchor: &str, content: &str) {
    let content = escaped(content);
    let _ = write!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"{class}\" text-anchor=\"{anchor}\">{content}</text>");
}

/// Text in XML and HTML.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

const _: () = assert!(NAMES + BARS + VALUE < WIDTH);

#[cfg(test)]
mod tests {
    use super::super::tests::example;
    use super::*;

    #[test]
    fn the_axis_is_round() {
        for (largest, expected, step) in [(9.3, 10.0, 2.0), (61_633.0, 80_000.0, 20_000.0), (3.0e-8, 3.0e-8, 5.0e-9)] {
            let axis = Axis::new(largest);
            assert!((axis.largest / expected - 1.0).abs() < 1e-9, "{largest}: {}", axis.largest);
            assert!((axis.step / step - 1.0).abs() < 1e-9, "{largest}: {}", axis.step);
        }
        assert_eq!(Axis::new(0.0).largest, Axis::new(f64::NAN).largest);
    }

    #[test]
    fn bars_are_as_long_as_their_values() {
        let axis = Axis { largest: 10.0, step: 2.0 };
        assert_eq!([axis.x(0.0), axis.x(5.0), axis.x(99.0)], [NAMES, NAMES + BARS / 2.0, NAMES + BARS]);
    }

    #[test]
    fn a_chart_shows_both_sides_and_the_ratio() {
        let odd = Figure { name: "a < b & \"c\"".into(), gvisor: Summary::of([2e-7]), ..example() };
        let svg = chart(&[example(), odd]);
        for (what, times) in [
            ("class=\"enclave\"", 3),
            ("class=\"native\"", 3),
            ("class=\"gvisor\"", 2),
            ("5.00 ×", 2),
            ("class=\"whisker\"", 2),
            ("a &lt; b &amp; &quot;c&quot;", 1),
            ("shorter is better", 1),
            ("20.0 ns", 2),
        ] {
            assert_eq!(svg.matches(what).count(), times, "{what} in {svg}");
        }
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    }
}
