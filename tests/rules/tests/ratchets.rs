//! Numbers that may only fall.

use rkt_tests_rules::measure::{self, Counts};
use rkt_tests_rules::source::{File, files};
use rkt_tests_rules::syscalls;
use serde::Deserialize;

const FILE: &str = "tests/rules/ratchets.toml";
/// DESIGN §2.
const LONGEST: usize = 800;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Ratchets {
    unsafe_in_trusted: usize,
    panics_in_trusted: usize,
    indexing_in_trusted: usize,
    longest_file: usize,
    partial_syscalls: usize,
}

/// Code that ends up in the image: `trusted`, and ext4, which the host runs too. The mock platform is there for
/// tests.
fn is_shipped(file: &&File) -> bool {
    let inside = file.is_in("trusted") || file.is_in("boundary/fs-ext4");
    file.is_rust() && inside && !file.is_in("trusted/platform-mock") && !file.is_test()
}

#[test]
fn nothing_rises_and_what_fell_is_written_down() {
    let bounds: Ratchets = toml::from_str(&File::read(FILE).unwrap().text).unwrap();
    let files = files().unwrap();
    let mut counts = Counts::default();
    for file in files.iter().filter(is_shipped) {
        counts += measure::count(&file.text).unwrap_or_else(|error| panic!("{}: {error:#}", file.path.display()));
    }
    let longest = files.iter().filter(|file| file.is_rust()).map(File::lines).max().unwrap_or(0);
    let table = File::read(syscalls::TABLE).unwrap();
    let calls = syscalls::parse(&table.text).unwrap();
    let partial = calls.iter().filter(|call| call.completeness != "Full").count();

    let checks = [
        ("unsafe-in-trusted", counts.unsafe_code, bounds.unsafe_in_trusted),
        ("panics-in-trusted", counts.panics, bounds.panics_in_trusted),
        ("indexing-in-trusted", counts.indexing, bounds.indexing_in_trusted),
        ("longest-file", longest, bounds.longest_file),
        ("partial-syscalls", partial, bounds.partial_syscalls),
    ];
    let risen: Vec<_> = checks.iter().filter(|(_, now, bound)| now > bound).collect();
    assert!(risen.is_empty(), "(name, now, bound) that rose: {risen:?}");
    for (name, now, bound) in checks.iter().filter(|(_, now, bound)| now < bound) {
        println!("{name} fell from {bound} to {now}: write that into {FILE}");
    }
    assert!(bounds.longest_file <= LONGEST);
}

#[test]
fn no_file_is_too_long() {
    let long: Vec<_> =
        files().unwrap().into_iter().filter(|file| file.is_rust() && file.lines() > LONGEST).map(|f| f.path).collect();
    assert!(long.is_empty(), "over {LONGEST} lines: {long:?}");
}
