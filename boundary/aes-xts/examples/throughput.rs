//! Bytes a second of each implementation, for the figures in the documentation.

use rkt_aes_xts::{Kernel, Sectors, Xts};
use std::time::Instant;

/// The best of many short runs: the machine is shared.
fn best(mut run: impl FnMut(), bytes: usize) -> f64 {
    let rates = (0..30).map(|_| {
        let start = Instant::now();
        let mut done = 0;
        while start.elapsed().as_micros() < 3000 {
            (0..16).for_each(|_| run());
            done += 16 * bytes;
        }
        done as f64 / start.elapsed().as_secs_f64() / 1e9
    });
    rates.fold(0.0, f64::max)
}

fn main() {
    println!(
        "GB/s, encrypt/decrypt in place\nkernel    key   512 B         4 KiB         4 KiB of 512  64 KiB of 4 KiB"
    );
    for kernel in Kernel::available() {
        for bits in [128, 256] {
            let xts = Xts::new(&vec![7; bits / 4], kernel).unwrap();
            print!("{:<9} {bits}", kernel.to_string());
            for (len, total) in [(512, 512), (4096, 4096), (512, 4096), (4096, 65536)] {
                let (sectors, mut data) = (Sectors { first: 1, len }, vec![1; total]);
                let encrypt = best(|| xts.encrypt(sectors, &mut data).unwrap(), total);
                let decrypt = best(|| xts.decrypt(sectors, &mut data).unwrap(), total);
                print!("   {encrypt:5.2}/{decrypt:5.2}");
            }
            println!();
        }
    }
}
