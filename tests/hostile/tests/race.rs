//! A device that changes shared memory while the drivers look at it.

use rkt_blockdev::{BlockDevice, Request};
use rkt_netdev::{Checksum, TxMeta};
use rkt_tests_hostile::{DISK_LEN, Device, Script, noise, open_disk, open_net, window};
use rkt_virtio::net::Header;
use rkt_window::Window;
use rkt_window::layout::DMA;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

const ROUNDS: u64 = 4000;

/// Runs `work` while another thread overwrites words of the first 32 KiB of the DMA area, where
/// rings and the first buffers lie.
fn while_scribbled(window: Window, work: impl FnOnce()) {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let bytes = noise(1, 1 << 16);
            while !stop.load(Ordering::Relaxed) {
                let mut script = Script::new(&bytes);
                while !script.is_done() && !stop.load(Ordering::Relaxed) {
                    window.write_u16(DMA + script.below(16 << 10) * 2, script.u16() % 300).unwrap();
                }
            }
        });
        work();
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_card_whose_rings_change_under_it() {
    race(Device::NET_FEATURES);
}

#[test]
fn a_card_whose_packed_rings_change_under_it() {
    race(Device::PACKED_FEATURES);
}

fn race(features: u64) {
    let window = window();
    let mut device = Device::net(&window, features);
    let mut card = open_net(&window, &mut device).unwrap();
    let mut buffer = vec![0; card.capabilities().max_rx_frame];
    while_scribbled(window, || {
        for _ in 0..ROUNDS {
            let _ = card.transmit(&TxMeta::default(), &[&[1; 1400]]);
            let _ = card.kick();
            device.deliver(Header { flags: 1, ..Header::default() }, &[2; 1400]);
            while let Ok(Some(meta)) = card.receive(&mut buffer) {
                assert!(meta.len <= buffer.len());
                if let Checksum::Partial { start, offset } = meta.checksum {
                    assert!(usize::from(start) + usize::from(offset) + 2 <= meta.len);
                }
            }
            if card.fault().is_some() {
                card.reset(&mut || device.step()).unwrap();
            }
        }
    });
}

#[test]
fn a_disk_whose_rings_change_under_it() {
    let window = window();
    let mut device = Device::blk(&window, Device::BLK_FEATURES);
    let mut disk = open_disk(&window, &mut device).unwrap();
    let mut content = vec![0; DISK_LEN];
    let (mut accepted, mut completed) = (0, 0);
    while_scribbled(window, || {
        for _ in 0..ROUNDS {
            accepted += u64::from(disk.submit(Request::Read { offset: 0, data: vec![0; 512] }).is_ok());
            accepted += u64::from(disk.submit(Request::Flush).is_ok());
            disk.kick();
            device.serve(&mut content);
            completed += std::iter::from_fn(|| disk.poll()).count() as u64;
            if disk.fault().is_some() {
                disk.reset(&mut || device.step()).unwrap();
            }
        }
    });
    disk.reset(&mut || device.step()).unwrap();
    completed += std::iter::from_fn(|| disk.poll()).count() as u64;
    assert!(accepted >= ROUNDS);
    assert_eq!(completed, accepted, "each request once");
}
