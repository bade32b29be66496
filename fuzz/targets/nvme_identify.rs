//! The NVMe driver over a controller whose identify data are bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rkt_tests_nvme::fuzz_identify(data));
