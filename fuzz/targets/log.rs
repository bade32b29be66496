//! The log of an enclave that lies: each record takes bytes, so the stream ends.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rkt_log::Record;

fuzz_target!(|data: &[u8]| {
    let mut rest = data;
    while let Ok(Some((record, behind))) = Record::parse(rest) {
        assert!(behind.len() < rest.len());
        let _shown = format!("{record:?}");
        rest = behind;
    }
});
