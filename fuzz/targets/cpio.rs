//! An archive ends, and gives out only parts of itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rkt_cpio::{Reader, check_name};

fuzz_target!(|data: &[u8]| {
    for entry in Reader::new(data) {
        let Ok(entry) = entry else { return };
        let inside = |part: &[u8]| part.is_empty() || data.as_ptr_range().contains(&part.as_ptr());
        assert!(inside(entry.name) && inside(entry.data));
        if check_name(entry.name).is_ok() {
            assert!(!entry.name.split(|byte| *byte == b'/').any(|part| part == b".."));
        }
    }
});
