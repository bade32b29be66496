//! Random 4 KiB requests at queue depth 32: the driver on this thread, our controller on its own, over a
//! file that was written once.
//!
//! `cargo run --release -p rkt-tests-nvme --example iops -- [FOLDER [SECONDS]]`, by default /dev/shm and 3.

use rkt_backend_nvme::{Disk, DiskOptions, Options as DeviceOptions, Polling, start};
use rkt_blockdev::{BlockDevice, Request};
use rkt_nvme_driver::{NvmeDriver, Options};
use rkt_tests_nvme::{Random, Rig, clock, wait};
use std::fs::File;
use std::io::Write;
use std::time::{Duration, Instant};

const LEN: u64 = 256 << 20;
const DEPTH: usize = 32;

/// Keeps `DEPTH` requests in flight for `time` and returns how many were completed a second.
fn run(disk: &mut dyn BlockDevice, time: Duration, reads: bool) -> f64 {
    let mut random = Random(1);
    let mut place = || random.below(LEN / 4096) * 4096;
    let request =
        |offset, data| if reads { Request::Read { offset, data } } else { Request::Write { offset, data, fua: false } };
    for _ in 0..DEPTH {
        disk.submit(request(place(), vec![1; 4096])).expect("room");
    }
    disk.kick();
    let start = Instant::now();
    let mut done = 0u64;
    while start.elapsed() < time {
        for _ in 0..64 {
            let mut any = false;
            while let Some(completion) = disk.poll() {
                completion.result.expect("success");
                let (Request::Read { data, .. } | Request::Write { data, .. }) = completion.request else { continue };
                disk.submit(request(place(), data)).expect("room");
                done += 1;
                any = true;
            }
            if any {
                disk.kick();
            } else {
                std::hint::spin_loop();
            }
        }
    }
    let rate = done as f64 / start.elapsed().as_secs_f64();
    while disk.in_flight() > 0 {
        if disk.poll().is_none() {
            std::hint::spin_loop();
        }
    }
    rate
}

fn main() {
    let mut args = std::env::args().skip(1);
    let folder = args.next().unwrap_or_else(|| "/dev/shm".into());
    let seconds = args.next().map_or(3, |text| text.parse().expect("seconds"));
    let file = tempfile::NamedTempFile::new_in(folder).expect("a file");
    let mut to: &File = file.as_file();
    for _ in 0..LEN >> 20 {
        to.write_all(&[7; 1 << 20]).expect("write");
    }
    to.sync_all().expect("sync");
    let disk = Disk::open(&DiskOptions { path: file.path().into(), read_only: false }).expect("a disk");
    let rig = Rig::new();
    let options = DeviceOptions { polling: Polling::Busy, ..DeviceOptions::default() };
    let device = start(vec![disk], 0, &rig.window, options).expect("a controller");
    let options = Options { interrupts: false, ..Options::new(clock) };
    let (_driver, mut lanes) = NvmeDriver::new(rig.regs(0), &mut rig.arena(), options, &mut wait).expect("up");
    let lane = lanes.first_mut().expect("a lane");
    for round in 1..=3 {
        let [reads, writes] = [true, false].map(|reads| run(lane, Duration::from_secs(seconds), reads));
        println!("round {round}: {reads:.0} reads/s, {writes:.0} writes/s");
    }
    println!("{:?}", device.stop());
}
