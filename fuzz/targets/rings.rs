//! One side of a byte ring is honest, the other writes what it likes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rkt_tests_hostile::Script;
use rkt_window::{ByteRing, Side};

const CAPACITY: usize = 256;

fuzz_target!(|data: &[u8]| {
    let mut script = Script::new(data);
    let region = rkt_fuzz::shared(ByteRing::region_len(CAPACITY));
    region.zero(0, region.len()).expect("all of the region");
    let side = if script.one_in(2) { Side::Producer } else { Side::Consumer };
    let Ok(mut ring) = ByteRing::open(region, side) else { return };
    let mut buffer = [0; CAPACITY * 2];
    while !script.is_done() {
        let len = script.below(buffer.len());
        let moved = match (script.u8() % 4, side) {
            (0, _) => {
                let at = script.below(region.len() / 4) * 4;
                region.write_u32(at, script.u32()).expect("a word of the region");
                continue;
            }
            (1, _) => ring.available(),
            (_, Side::Producer) => ring.put(&buffer[..len]),
            (_, Side::Consumer) => ring.take(&mut buffer[..len]),
        };
        assert!(moved.is_err() || moved.is_ok_and(|moved| moved <= CAPACITY));
    }
});
