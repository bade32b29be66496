//! The first line of a script.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rkt_elf::Script;

fuzz_target!(|data: &[u8]| {
    if let Ok(Some(script)) = Script::parse(data) {
        assert!(data.starts_with(b"#!") && !script.interpreter.is_empty());
        assert!(!script.interpreter.contains(&b'\n'));
    }
});
