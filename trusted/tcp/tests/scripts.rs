//! Exact exchanges of segments: every file in `tests/scripts` (its README has the notation). What they expect comes from the
//! RFCs and from Linux. `RKT_SCRIPT=NAME` runs those whose names contain it.

mod common;
mod script;

use std::path::Path;

#[test]
fn every_script_is_followed_to_the_letter() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    let only = std::env::var("RKT_SCRIPT").unwrap_or_default();
    let entries = std::fs::read_dir(&directory).expect("tests/scripts can be read");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "pkt") && path.to_string_lossy().contains(&only));
    paths.sort();
    assert!(!paths.is_empty(), "no script is named like {only}");
    let mut failed = 0;
    for path in &paths {
        let text = std::fs::read_to_string(path).expect("a script");
        if let Err(error) = script::run(&text) {
            failed += 1;
            println!("{}: {error}", path.file_name().expect("a name").to_string_lossy());
        }
    }
    assert_eq!(failed, 0, "of {} scripts", paths.len());
}
