//! Where the crates that we use come from, and under which licences.

use rkt_tests_rules::workspace::Workspace;
use spdx::Expression;
use std::collections::BTreeMap;

/// Licences that ask for no more than a notice.
const ALLOWED: [&str; 9] =
    ["MIT", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "Zlib", "0BSD", "CC0-1.0", "Unicode-3.0"];
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

#[test]
fn licences_are_on_the_list() {
    for package in Workspace::load().unwrap().others() {
        let license = package.license.as_deref().unwrap_or_else(|| panic!("{} names no licence", package.name));
        // Old crates write `A/B` for `A OR B`.
        let expression = Expression::parse(&license.replace('/', " OR ")).unwrap();
        let allowed = |license: &spdx::LicenseReq| license.license.id().is_some_and(|id| ALLOWED.contains(&id.name));
        assert!(expression.evaluate(allowed), "{} {}: {license}", package.name, package.version);
    }
}

#[test]
fn everything_comes_from_the_registry() {
    for package in Workspace::load().unwrap().others() {
        assert_eq!(package.source.as_deref(), Some(REGISTRY), "{}", package.name);
    }
}

#[test]
fn two_versions_of_a_crate_are_at_least_known() {
    /// Both come from below crates that we cannot move.
    const KNOWN: &[&str] = &["bitflags", "syn"];
    let workspace = Workspace::load().unwrap();
    let mut versions = BTreeMap::<_, Vec<_>>::new();
    for package in workspace.others() {
        versions.entry(package.name.as_str()).or_default().push(package.version.as_str());
    }
    versions.retain(|name, versions| versions.len() > 1 && !KNOWN.contains(name));
    assert!(versions.is_empty(), "several versions: {versions:?}");
}
