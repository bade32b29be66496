//! Who may depend on whom (DESIGN §2).

use rkt_tests_rules::workspace::Workspace;
use std::fs;

/// Each layer and the layers that its members may name.
const MAY: [(&str, &[&str]); 6] = [
    ("protocol", &[]),
    ("boundary", &["boundary", "protocol"]),
    ("trusted", &["trusted", "boundary", "protocol"]),
    ("host", &["host", "boundary", "protocol"]),
    ("tests", &["tests", "trusted", "host", "boundary", "protocol"]),
    ("xtask", &["tests", "host", "boundary", "protocol"]),
];

/// Layers whose crates run without an operating system.
const WITHOUT_STD: [&str; 3] = ["protocol", "boundary", "trusted"];

#[test]
fn dependencies_point_the_right_way() {
    let workspace = Workspace::load().unwrap();
    let mut wrong = Vec::new();
    for package in workspace.members() {
        let layer = package.layer();
        let (_, may) = MAY.iter().find(|(name, _)| *name == layer).expect("a member lies in a layer");
        for other in workspace.dependencies(package) {
            if other.source.is_none() && !may.contains(&other.layer()) {
                wrong.push(format!("{layer}: {} depends on {} of {}", package.name, other.name, other.layer()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_enclave_gets_by_without_std() {
    let workspace = Workspace::load().unwrap();
    let mut built: Vec<_> = WITHOUT_STD.iter().flat_map(|layer| workspace.built_into(layer)).collect();
    built.dedup_by_key(|package| &package.name);
    assert!(built.iter().any(|package| package.name == "hashbrown"), "the walk reaches what others wrote");
    for package in built {
        for path in package.roots() {
            let text = fs::read_to_string(path).unwrap();
            let ours = package.source.is_none();
            let without = if ours { text.contains("#![no_std]") } else { text.contains("no_std") };
            assert!(without, "{} {} needs std: {}", package.name, package.version, path.display());
        }
    }
}

#[test]
fn every_member_keeps_the_lints_of_the_workspace() {
    for package in Workspace::load().unwrap().members() {
        let manifest: toml::Table = fs::read_to_string(&package.manifest_path).unwrap().parse().unwrap();
        let inherits = manifest.get("lints").and_then(|lints| lints.get("workspace")?.as_bool());
        assert_eq!(inherits, Some(true), "{} has no `[lints] workspace = true`", package.name);
    }
}
