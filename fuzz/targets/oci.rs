//! The documents of a container image are read, or an error; what an image says about its run comes
//! back from its canonical form.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rkt_oci::{Config, Index, Limits, Manifest, Spool, parse, read_tar};

fuzz_target!(|data: &[u8]| {
    let _index = parse::<Index>(data, "the index");
    let _manifest = parse::<Manifest>(data, "the manifest");
    if let Ok(config) = parse::<Config>(data, "the configuration") {
        let canonical = serde_json::to_vec(&config).expect("a configuration can be written");
        assert_eq!(parse::<Config>(&canonical, "the configuration").expect("and read"), config);
    }
    // Bytes as they are, headers included.
    let limits = Limits { unpacked: 1 << 20, entries: 64, names: 1 << 16 };
    let mut spool = Spool::new(&limits).expect("a temporary file");
    let _entries = read_tar(data, &mut spool);
});
