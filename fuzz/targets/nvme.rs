//! The NVMe driver over a controller that bytes script: completions above all.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rkt_tests_nvme::fuzz_nvme(data));
