//! What decodes is canonical: it encodes to the same bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rkt_manifest::Manifest;

fuzz_target!(|data: &[u8]| {
    if let Ok(manifest) = Manifest::decode(data) {
        assert_eq!(manifest.encode().as_deref(), Ok(data));
    }
});
