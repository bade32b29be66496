//! Where `unsafe` may be (DESIGN §2), and what stands beside it (§3.9).

use rkt_tests_rules::source::{File, files};
use rkt_tests_rules::workspace::{Workspace, root};
use std::collections::BTreeSet;
use std::fs;

/// The one list: a line `crate: why`.
const LIST: &str = "docs/unsafe-crates.txt";

fn listed() -> BTreeSet<String> {
    let text = File::read(LIST).unwrap().text;
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines.map(|line| line.split_once(": ").expect("`crate: why`").0.to_owned()).collect()
}

#[test]
fn crates_outside_of_the_list_forbid_unsafe_code() {
    let listed = listed();
    let workspace = Workspace::load().unwrap();
    for name in &listed {
        assert!(workspace.members().any(|package| package.name == *name), "{LIST} names {name}, which does not exist");
    }
    for package in workspace.members().filter(|package| !listed.contains(&package.name)) {
        for path in package.roots() {
            let text = fs::read_to_string(path).unwrap();
            let forbids = text.contains("#![forbid(unsafe_code)]");
            let denies = text.contains("#![deny(unsafe_code)]") && modules_that_allow(package.folder()) <= 1;
            assert!(forbids || denies, "{} is not in {LIST} and does not forbid unsafe code", package.name);
        }
    }
}

/// Modules of a crate that are allowed what the crate denies.
fn modules_that_allow(folder: &std::path::Path) -> usize {
    let own = folder.strip_prefix(root()).unwrap().join("src");
    let rust = files().unwrap().into_iter().filter(|file| file.is_rust() && file.is_in(&own) && !file.is_test());
    rust.map(|file| file.text.matches("allow(unsafe_code)").count()).sum()
}

#[test]
fn listed_crates_contain_some() {
    let listed = listed();
    for package in Workspace::load().unwrap().members().filter(|package| listed.contains(&package.name)) {
        let own = package.folder().strip_prefix(root()).unwrap().join("src");
        // In macros, too, whose insides the parser does not see.
        let is_unsafe = |text: &str| text.contains("unsafe {") || text.contains("#[unsafe(");
        let all = files().unwrap();
        let some = all.iter().any(|file| file.is_rust() && file.is_in(&own) && is_unsafe(&file.text));
        assert!(some, "{} has no unsafe code: take it from {LIST}", package.name);
    }
}

#[test]
fn the_lint_that_wants_safety_comments_is_on() {
    let manifest: toml::Table = File::read("Cargo.toml").unwrap().text.parse().unwrap();
    let lints = &manifest["workspace"]["lints"];
    assert_eq!(lints["clippy"]["undocumented_unsafe_blocks"].as_str(), Some("warn"));
    assert_eq!(lints["rust"]["unsafe_op_in_unsafe_fn"].as_str(), Some("deny"));
    for file in files().unwrap().iter().filter(|file| file.is_rust() && !file.is_in("tests/rules")) {
        assert!(!file.text.contains("allow(clippy::undocumented_unsafe_blocks)"), "{}", file.path.display());
    }
}
