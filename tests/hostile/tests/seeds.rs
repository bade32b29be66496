//! Thousands of scripts from seeds: no panic, no inconsistent output, always a way back.

use rkt_blockdev::{BlockDevice, Request};
use rkt_netdev::TxMeta;
use rkt_tests_hostile::{DISK_LEN, Device, fuzz_blk, fuzz_net, noise, open_disk, open_net, window};
use rkt_virtio::net::Header;
use rkt_window::Window;
use rkt_window::layout::{DMA, STDIN};

const SEEDS: u64 = 2500;

#[test]
fn cards_that_follow_random_scripts() {
    for seed in 0..SEEDS {
        fuzz_net(&noise(seed, 300));
    }
}

#[test]
fn disks_that_follow_random_scripts() {
    for seed in 0..SEEDS {
        fuzz_blk(&noise(!seed, 300));
    }
}

/// Overwrites 128 runs of bytes all over the window: half of them in the registers, half from the
/// start of the DMA area on, where rings and buffers lie.
fn scribble(window: &Window, seed: u64) {
    for (index, run) in noise(seed, 128 * 16).chunks(16).enumerate() {
        let (choice, bytes) = run.split_at(4);
        let choice = u32::from_le_bytes(choice.try_into().unwrap()) as usize;
        let at = if index % 2 == 0 { DMA + choice % (32 << 10) } else { choice % STDIN };
        window.write(at, bytes).unwrap();
    }
}

#[test]
fn a_card_in_a_scribbled_window() {
    for seed in 0..SEEDS {
        let window = window();
        let features = if seed % 2 == 0 { Device::PACKED_FEATURES } else { Device::NET_FEATURES };
        let mut device = Device::net(&window, features);
        let mut card = open_net(&window, &mut device).unwrap();
        let mut buffer = vec![0; card.capabilities().max_rx_frame];
        card.transmit(&TxMeta::default(), &[&[1; 1000]]).unwrap();
        card.kick().unwrap();
        device.deliver(Header::default(), &[2; 5000]);
        scribble(&window, seed);
        while let Ok(Some(meta)) = card.receive(&mut buffer) {
            assert!(meta.len <= buffer.len());
        }
        assert_eq!(card.kick().is_err(), card.fault().is_some());
    }
}

#[test]
fn a_disk_in_a_scribbled_window() {
    for seed in 0..SEEDS {
        let window = window();
        let mut device = Device::blk(&window, Device::BLK_FEATURES);
        let mut disk = open_disk(&window, &mut device).unwrap();
        for _ in 0..4 {
            disk.submit(Request::Read { offset: 4096, data: vec![0; 4096] }).unwrap();
            disk.submit(Request::Write { offset: 0, data: vec![6; 4096], fua: true }).unwrap();
        }
        disk.kick();
        device.serve(&mut [5; DISK_LEN]);
        scribble(&window, seed);
        let mut completed = 0;
        while disk.poll().is_some() {
            completed += 1;
        }
        assert_eq!(completed + disk.in_flight(), 8);
        let _down = disk.reset(&mut || {});
        while disk.poll().is_some() {
            completed += 1;
        }
        assert_eq!(completed, 8, "each request once");
    }
}
