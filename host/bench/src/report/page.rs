//! The report in a folder: `figures.json`, a chart each in SVG, and `index.html` with all of it.

use super::svg::{self, escaped};
use super::{Figure, Report, Unit, seconds};
use crate::measure::Summary;
use anyhow::{Context, Result};
use std::fmt::Write;
use std::path::Path;

const STYLE: &str = "\
body{margin:2rem auto;max-width:60rem;padding:0 1rem;font:15px/1.5 system-ui,sans-serif;background:var(--paper);color:var(--ink)}\
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2.5rem}svg{max-width:100%;height:auto}\
table{border-collapse:collapse;width:100%;font-size:13px;font-variant-numeric:tabular-nums}\
th,td{padding:.25rem .5rem;border-bottom:1px solid var(--line);text-align:right;vertical-align:top}\
th:first-child,td:first-child{text-align:left}.scroll{overflow-x:auto}\
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;font-size:13px}dt{font-weight:600}dd{margin:0}\
.small{font-size:12px}a{color:var(--enclave)}";

/// Writes the report's files into `folder`, which is made if it is not there. Gives the page.
///
/// # Errors
/// If one cannot be written.
pub fn write_folder(report: &Report, folder: &Path) -> Result<std::path::PathBuf> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        anyhow::Ok(path)
    };
    write("figures.json", &serde_json::to_string_pretty(report)?)?;
    for (name, figures) in named(report) {
        write(&name, &svg::chart(figures))?;
    }
    write("index.html", &page(report))
}

/// Charts with the names of their files, which all differ.
fn named(report: &Report) -> Vec<(String, &[Figure])> {
    let mut all: Vec<(String, &[Figure])> = Vec::new();
    for figures in report.charts() {
        let title = figures.first().map_or("", |figure| figure.chart.as_str());
        let stem = file_stem(title);
        let count = all.iter().filter(|(name, _)| name.starts_with(&stem)).count();
        let name = if count == 0 { format!("{stem}.svg") } else { format!("{stem}-{}.svg", count + 1) };
        all.push((name, figures));
    }
    all
}

/// Letters and digits of a title, in words.
fn file_stem(title: &str) -> String {
    let words = title.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-")
}

fn page(report: &Report) -> String {
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\" class=\"rkt\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><meta name=\"color-scheme\" content=\"light dark\">\
         <title>rkt-io: figures</title><style>{}{STYLE}</style></head><body>\n<h1>rkt-io beside native Linux</h1>\n\
         <p>Medians over interleaved pairs of runs. <i>Speed</i> is the median over the pairs of how many times as fast \
         as native the enclave is; <i>at least</i> is its lower bound with 95 % confidence, <i>target</i> what \
         it is to be at least. <i>CPU</i> is what the whole \
         machine spent on one operation, or on a gigabyte.</p>\n<dl>",
        svg::STYLE
    );
    for (name, value) in &report.conditions {
        let _ = writeln!(out, "<dt>{}</dt><dd>{}</dd>", escaped(name), escaped(value));
    }
    out.push_str("</dl>\n");
    for (what, list) in [("Skipped", &report.skipped), ("Failed", &report.failures)] {
        for item in list {
            let _ = writeln!(out, "<p><b>{what}:</b> {}</p>", escaped(item));
        }
    }
    for (name, figures) in named(report) {
        section(&mut out, &name, figures);
    }
    out.push_str("</body></html>\n");
    out
}

fn section(out: &mut String, file: &str, figures: &[Figure]) {
    let title = figures.first().map_or("", |figure| figure.chart.as_str());
    let _ = writeln!(out, "<h2>{}</h2>\n{}", escaped(title), svg::chart(figures));
    let _ = writeln!(out, "<p class=\"small\"><a href=\"{file}\">{file}</a></p><div class=\"scroll\"><table><tr>");
    let gvisor = figures.iter().any(|figure| figure.gvisor.is_some());
    let mut headings = vec!["", "rkt-io", "native", "speed", "at least", "target", "CPU, rkt-io", "CPU, native"];
    if gvisor {
        headings.insert(3, "gVisor");
    }
    headings.iter().for_each(|heading| out.push_str(&format!("<th>{heading}</th>")));
    out.push_str("</tr>\n");
    for figure in figures {
        let mut cells = vec![
            escaped(&figure.name),
            spread(figure.unit, Some(figure.enclave)),
            spread(figure.unit, figure.native),
            figure.speed.map_or("–".into(), |s| format!("{:.2} ({:.2}–{:.2})", s.median, s.min, s.max)),
            figure.speed_at_least.map_or("–".into(), |bound| format!("{bound:.2}")),
            figure.target.map_or("–".into(), |target| format!("{target:.2}")),
            cost(figure.cost.enclave),
            cost(figure.cost.native),
        ];
        if gvisor {
            cells.insert(3, spread(figure.unit, figure.gvisor));
        }
        let cells: String = cells.iter().map(|cell| format!("<td>{cell}</td>")).collect();
        let _ = writeln!(out, "<tr>{cells}</tr>");
    }
    out.push_str("</table></div>\n");
    settings(out, figures);
}

/// What the figures of a chart hold for; once where neighbours share it.
fn settings(out: &mut String, figures: &[Figure]) {
    let same = |a: &Figure, b: &Figure| (a.cpus, &a.pinning, &a.sides) == (b.cpus, &b.pinning, &b.sides);
    for group in figures.chunk_by(same) {
        let Some(first) = group.first() else { continue };
        let names = group.iter().map(|figure| figure.name.as_str()).collect::<Vec<_>>().join("; ");
        let whose = if group.len() == figures.len() { String::new() } else { format!("<b>{}.</b> ", escaped(&names)) };
        let pairs = first.speed.map_or(first.enclave.n, |speed| speed.n);
        let _ = writeln!(
            out,
            "<p class=\"small\">{whose}{pairs} pairs. rkt-io: {}, --cpus {}. Native: {}. Pinning: {}.</p>",
            escaped(&first.sides.enclave),
            first.cpus,
            escaped(&first.sides.native),
            escaped(&first.pinning)
        );
    }
}

fn spread(unit: Unit, of: Option<Summary>) -> String {
    of.map_or("–".into(), |s| {
        let range = format!("{}–{}", unit.show(s.min), unit.show(s.max));
        if s.n > 1 {
            format!("{} <span class=\"small\">({range})</span>", unit.show(s.median))
        } else {
            unit.show(s.median)
        }
    })
}

fn cost(of: Option<Summary>) -> String {
    of.map_or("–".into(), |s| seconds(s.median))
}

#[cfg(test)]
mod tests {
    use super::super::tests::example;
    use super::*;

    fn report() -> Report {
        let mut report = Report::new(vec![("machine".into(), "2 x <fast>".into())]);
        report.figures = vec![
            Figure { chart: "nginx, 3 MiB (figure 7b)".into(), ..example() },
            Figure { chart: "nginx, 3 MiB (figure 7b)".into(), unit: Unit::PerSecond, ..example() },
        ];
        report.skipped.push("wrk & co".into());
        report
    }

    #[test]
    fn a_folder_has_data_charts_and_a_page() {
        let folder = tempfile::tempdir().unwrap();
        let page = write_folder(&report(), &folder.path().join("a/b")).unwrap();
        let mut names: Vec<_> = std::fs::read_dir(folder.path().join("a/b")).unwrap().flatten().collect();
        names.sort_by_key(|entry| entry.file_name());
        let names: Vec<String> = names.iter().map(|entry| entry.file_name().into_string().unwrap()).collect();
        let charts = ["nginx-3-mib-figure-7b-2.svg", "nginx-3-mib-figure-7b.svg"];
        assert_eq!(names, [["figures.json", "index.html"], charts].concat());
        let html = std::fs::read_to_string(page).unwrap();
        for part in ["2 x &lt;fast&gt;", "wrk &amp; co", charts[0], charts[1], "another", "5.00 (5.00–5.00)", "</html>"]
        {
            assert!(html.contains(part), "{part} in {html}");
        }
        assert_eq!(html.matches("<svg ").count(), 2);
    }
}
