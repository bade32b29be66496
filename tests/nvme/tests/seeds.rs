//! Scripts from seeds: no panic, no inconsistent output, always a way back. `RKT_SOAK=1` runs 10,000.

use rkt_tests_hostile::noise;
use rkt_tests_nvme::{fuzz_identify, fuzz_nvme};

/// Runs a script for each seed, and names the one that fails.
fn for_seeds(few: u64, run: impl Fn(u64) + std::panic::RefUnwindSafe) {
    let seeds = if std::env::var_os("RKT_SOAK").is_some() { 10_000 } else { few };
    for seed in 0..seeds {
        if let Err(cause) = std::panic::catch_unwind(|| run(seed)) {
            eprintln!("seed {seed}");
            std::panic::resume_unwind(cause);
        }
    }
}

#[test]
fn controllers_that_follow_random_scripts() {
    for_seeds(300, |seed| fuzz_nvme(&noise(seed, 1200)));
}

#[test]
fn controllers_with_random_identify_data() {
    for_seeds(300, |seed| fuzz_identify(&noise(seed, 3 * (1 + seed as usize % 40))));
}
