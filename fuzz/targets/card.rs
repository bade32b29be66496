//! The driver of a network card that bytes script.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rkt_tests_hostile::fuzz_net(data));
