//! Scripts from seeds: no panic, no inconsistent output, always a way back. `RKT_SOAK=1` runs 10,000.

use rkt_tests_hostile::noise;
use rkt_tests_nvme::fuzz_nvme;

#[test]
fn controllers_that_follow_random_scripts() {
    let seeds = if std::env::var_os("RKT_SOAK").is_some() { 10_000 } else { 300 };
    for seed in 0..seeds {
        if let Err(cause) = std::panic::catch_unwind(|| fuzz_nvme(&noise(seed, 1200))) {
            eprintln!("seed {seed}");
            std::panic::resume_unwind(cause);
        }
    }
}
