//! Pages that must exist and be true, and words that must not occur.

use rkt_tests_rules::source::{File, LAYERS, files};
use rkt_tests_rules::syscalls;

#[test]
fn each_top_folder_has_a_short_readme() {
    for layer in LAYERS {
        let readme = File::read(format!("{layer}/README.md")).unwrap();
        assert!(readme.lines() <= 12, "{} has {} lines", readme.path.display(), readme.lines());
    }
}

#[test]
fn the_page_on_system_calls_is_that_of_the_table() {
    let table = File::read(syscalls::TABLE).unwrap();
    let page = File::read(syscalls::PAGE).unwrap();
    let same = page.text == syscalls::page(&table.text).unwrap();
    assert!(same, "{} is old: run `cargo xtask syscalls`", syscalls::PAGE);
}

#[test]
fn nothing_is_left_for_later() {
    // In halves, so that this file does not find itself.
    let words =
        [("TO", "DO"), ("FIX", "ME"), ("XX", "X"), ("HA", "CK"), ("place", "holder"), ("not implemented", " yet")];
    let words = words.map(|(a, b)| format!("{a}{b}"));
    let mut found = Vec::new();
    for file in files().unwrap().iter().filter(|file| LAYERS.iter().any(|layer| file.is_in(layer)) || file.is_rust()) {
        for (number, line) in (1..).zip(file.text.lines()) {
            if let Some(word) = words.iter().find(|word| has_word(line, word)) {
                found.push(format!("{}:{number}: {word}", file.path.display()));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// Whether `word` stands in `line` as a word, not inside of another (`mktemp XXXXXX`).
fn has_word(line: &str, word: &str) -> bool {
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric());
    line.match_indices(word).any(|(at, _)| {
        let (before, behind) = (&line[..at], &line[at + word.len()..]);
        !is_part(before.chars().next_back()) && !is_part(behind.chars().next())
    })
}
