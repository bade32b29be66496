//! Random operations, compared with a model after remounts, and judged by `e2fsck`.

mod common;

use common::model::{Model, Op, Random, compare, perform};
use common::*;

fn seeds() -> u64 {
    std::env::var("RKT_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(6)
}

#[test]
fn random_operations_do_what_the_model_does() {
    for seed in 0..seeds() {
        let mut random = Random(seed);
        let disk = formatted(24 << 20);
        let mut fs = mount(&disk);
        let mut model = Model::new();
        for step in 0..600 {
            let op = model.random(&mut random, step);
            if let Err(error) = perform(&fs, &op) {
                panic!("seed {seed}, step {step}: {op:?}: {error:?}");
            }
            model.apply(&op);
            if matches!(op, Op::Sync) && random.below(4) == 0 {
                compare(&fs, &model);
                fs.unmount().unwrap();
                check(&disk);
                fs = mount(&disk);
                compare(&fs, &model);
            }
        }
        compare(&fs, &model);
        fs.unmount().unwrap();
        check(&disk);
    }
}
