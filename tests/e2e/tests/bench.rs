//! `rkt-io bench` at its smallest: the shape of what it writes. No figure is judged.

use rkt_tests_e2e::{finish, rkt_io};
use serde_json::Value;
use std::process::Command;

/// Runs it; gives the JSON, after a look at the page and the charts.
fn bench(args: &[&str]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(rkt_io());
    command.arg("bench").args(args).args(["--quick", "--out"]).arg(folder.path());
    let table = finish(&mut command, b"").succeeded();
    assert!(table.contains("load average at the end"), "{table}");
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let page = read("index.html");
    assert!(page.ends_with("</html>\n") && page.contains("<svg "));
    let names = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let charts: Vec<_> = names.filter(|name| name.extension().is_some_and(|extension| extension == "svg")).collect();
    assert!(!charts.is_empty());
    for chart in charts {
        assert!(page.contains(chart.file_name().unwrap().to_str().unwrap()), "{}", chart.display());
    }
    serde_json::from_str(&read("figures.json")).unwrap()
}

/// Every figure has both sides, with their settings, median, spread, and the ratio.
fn check(report: &Value, names: &[&str]) {
    assert_eq!(report["failures"], Value::Array(vec![]));
    for condition in ["machine", "cores", "Linux", "load average at the start", "pairs"] {
        let found = report["conditions"].as_array().unwrap().iter().any(|pair| pair[0] == condition);
        assert!(found, "{condition} in {}", report["conditions"]);
    }
    let figures = report["figures"].as_array().unwrap();
    for name in names {
        let figure = figures.iter().find(|figure| figure["name"] == *name);
        let figure = figure.unwrap_or_else(|| panic!("no {name} in {figures:?}"));
        for side in ["enclave", "native", "speed"] {
            for value in ["median", "min", "max"] {
                assert!(figure[side][value].as_f64().unwrap() > 0.0, "{side} {value} of {figure}");
            }
            assert_eq!(figure[side]["n"], 1);
        }
        for text in ["chart", "unit", "pinning"] {
            assert!(figure[text].is_string(), "{text} of {figure}");
        }
        assert!(figure["sides"]["enclave"].is_string() && figure["sides"]["native"].is_string());
        assert!(figure["cpus"].is_u64());
    }
}

#[test]
fn the_network_is_measured() {
    let report = bench(&["net", "loopback", "udp", "--seconds", "1"]);
    check(&report, &["TCP round trip of 1 B, loopback", "send of 32 B, 1 thread", "send of 32 B, 8 threads"]);
}

#[test]
fn disks_are_measured_encrypted_and_plain() {
    let report = bench(&["disk", "files", "sqlite", "--backing", "/dev/shm", "--size", "4", "--files", "100"]);
    check(&report, &["write of 4 KiB and fsync, LUKS", "create of a file, plain", "all, LUKS", "vacuum, plain"]);
}

#[test]
fn processes_are_measured_beside_their_targets() {
    let report = bench(&["processes", "lives", "--time", "1", "--touched", "1", "--touched", "10"]);
    check(&report, &["fork + exec + wait", "fork + exit + wait, 1 MiB touched"]);
    let targets: Vec<bool> = report["figures"].as_array().unwrap().iter().map(|f| f["target"].is_f64()).collect();
    // Not for 1 MiB.
    assert_eq!(targets, [true, true, false, true]);
}

#[test]
fn what_is_not_absolute_is_refused() {
    let mut command = Command::new(rkt_io());
    let refused = finish(command.args(["bench", "disk", "files", "--backing", "here", "--quick"]), b"");
    let said = String::from_utf8_lossy(&refused.stdout);
    assert!(refused.status != 0 && said.contains("here is no absolute path"), "{said}");
}
