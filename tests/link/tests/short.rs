//! A few links for a moment each, both ways: every byte arrives, and tshark finds nothing wrong with what was sent.

use rkt_tests_link::{Cell, Flow, Options, faults, measure};

fn check(cell: &str) {
    let cell: Cell = cell.parse().expect("a cell");
    let folder = tempfile::tempdir().expect("a folder");
    for flow in [Flow::EnclaveToLinux, Flow::LinuxToEnclave] {
        let path = folder.path().join(format!("{flow:?}.pcap"));
        let options = Options { seconds: 1.0, bytes: 16 << 20, seed: 1, capture: Some(path.clone()) };
        let transfer = measure(flow, &cell, &options).unwrap_or_else(|error| panic!("{cell}, {flow:?}: {error:#}"));
        assert!(transfer.bytes > 0);
        let faults = faults(&path).expect("tshark");
        assert!(faults.is_empty(), "{cell}, {flow:?}: tshark finds\n{}", faults.join("\n"));
    }
}

#[test]
fn a_link_that_loses() {
    check("loss=1%,rtt=10ms");
}

#[test]
fn a_link_that_does_everything() {
    check("rate=50M,rtt=20ms,queue=256k,loss=0.5%,reorder=1%,duplicate=1%,corrupt=0.1%");
}
