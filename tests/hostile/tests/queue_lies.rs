//! Lies about used rings, told to both drivers.

use rkt_blockdev::{BlockDevice, BlockError, Request, SubmitError};
use rkt_netdev::TxMeta;
use rkt_tests_hostile::{DISK_LEN, Device, card_down, open_disk, open_net, window};
use rkt_virtio::net::Header;
use rkt_virtio::split::DESC_LEN;
use rkt_virtio::status;

const SPLIT: u64 = Device::NET_FEATURES;
const RX: usize = 0;
const TX: usize = 1;

/// Tells a lie to a disk with a read and a write in flight. Both must fail, the disk must be down,
/// with this reason, and come back by a reset once the device is honest.
fn disk_down(reason: &str, lie: impl FnOnce(&mut Device)) {
    let window = window();
    let mut device = Device::blk(&window, Device::BLK_FEATURES);
    let mut disk = open_disk(&window, &mut device).unwrap();
    let read = disk.submit(Request::Read { offset: 0, data: vec![0; 1024] }).unwrap();
    let write = disk.submit(Request::Write { offset: 512, data: vec![5; 512], fua: true }).unwrap();
    disk.kick();
    lie(&mut device);
    assert!(disk.has_work(), "the poller has to find out");
    for token in [read, write] {
        let completion = disk.poll().unwrap();
        assert_eq!((completion.token, completion.result), (token, Err(BlockError::Device)));
    }
    assert_eq!(disk.fault().unwrap().to_string(), reason);
    assert_eq!((disk.poll(), disk.in_flight(), disk.has_work()), (None, 0, false));
    assert_eq!(disk.submit(Request::Flush).unwrap_err().error, SubmitError::Down);

    disk.reset(&mut || device.step()).unwrap();
    disk.submit(Request::Read { offset: 0, data: vec![0; 1024] }).unwrap();
    disk.kick();
    device.serve(&mut [9; DISK_LEN]);
    let completion = disk.poll().unwrap();
    assert_eq!(completion.result, Ok(()));
    assert_eq!(completion.request, Request::Read { offset: 0, data: vec![9; 1024] });
}

#[test]
fn used_id_out_of_range() {
    for id in [256, 65_535, 65_536, u32::MAX] {
        let reason = format!("device: used id {id} is not in flight");
        card_down(SPLIT, &reason, |device| device.use_chain(RX, id, 100));
        card_down(SPLIT, &reason, |device| device.use_chain(TX, id, 0));
        disk_down(&reason, |device| device.use_chain(0, id, 1));
    }
}

#[test]
fn used_id_not_in_flight() {
    card_down(SPLIT, "device: used id 200 is not in flight", |device| device.use_chain(TX, 200, 0));
    disk_down("device: used id 200 is not in flight", |device| device.use_chain(0, 200, 1));
}

#[test]
fn used_id_in_the_middle_of_a_chain() {
    disk_down("device: used id 1 is not in flight", |device| device.use_chain(0, 1, 1));
}

#[test]
fn used_id_twice() {
    let window = window();
    let mut device = Device::blk(&window, Device::BLK_FEATURES);
    let mut disk = open_disk(&window, &mut device).unwrap();
    for _ in 0..2 {
        disk.submit(Request::Flush).unwrap();
    }
    disk.kick();
    let (chain, ..) = device.next_request().unwrap();
    device.finish(&chain, &[], 0);
    device.use_chain(0, chain.head, 1);
    assert_eq!(disk.poll().unwrap().result, Ok(()));
    assert_eq!(disk.poll().unwrap().result, Err(BlockError::Device));
    assert_eq!(disk.fault().unwrap().to_string(), format!("device: used id {} is not in flight", chain.head));
}

#[test]
fn used_length_longer_than_the_chain() {
    let reason = "device: 4097 bytes written into chain 0, which has room for 4096";
    card_down(SPLIT, reason, |device| device.use_chain(RX, 0, 4097));
    card_down(SPLIT, "device: 1 bytes written into chain 0, which has room for 0", |device| device.use_chain(TX, 0, 1));
    disk_down("device: 1026 bytes written into chain 0, which has room for 1025", |device| {
        device.use_chain(0, 0, 1026);
    });
}

#[test]
fn used_index_ahead() {
    for ahead in [2, 257, 0x8000] {
        let reason = format!("device: used index {ahead} is impossible: expected 0 with 1 chains in flight");
        card_down(SPLIT, &reason, |device| device.write_used_index(TX, ahead));
    }
    disk_down("device: used index 3 is impossible: expected 0 with 2 chains in flight", |device| {
        device.write_used_index(0, 3);
    });
}

#[test]
fn used_index_backwards() {
    let back = u16::MAX;
    card_down(
        SPLIT,
        &format!("device: used index {back} is impossible: expected 0 with 256 chains in flight"),
        |device| {
            device.write_used_index(RX, back);
        },
    );
    disk_down(&format!("device: used index {back} is impossible: expected 0 with 2 chains in flight"), |device| {
        device.write_used_index(0, back);
    });
}

#[test]
fn used_entries_of_an_index_moved_without_writing_any() {
    // Zeroes: chain 0, nothing written.
    card_down(SPLIT, "device: packet of 0 bytes, shorter than its header", |device| device.write_used_index(RX, 1));
    disk_down("device: request status 255", |device| device.write_used_index(0, 1));
}

#[test]
fn needs_reset_and_forgotten_starts() {
    card_down(SPLIT, "device: status 0x4f, asked for 0xf", |device| device.add_status(status::DEVICE_NEEDS_RESET));
    disk_down("device: status 0x4f, asked for 0xf", |device| device.add_status(status::DEVICE_NEEDS_RESET));
    let forget = |device: &mut Device| device.regs().answer(Default::default());
    card_down(SPLIT, "device: no status since the last reset, asked for 0xf", forget);
    disk_down("device: no status since the last reset, asked for 0xf", forget);
}

#[test]
fn descriptors_changed_by_the_device_have_no_effect() {
    let window = window();
    let mut device = Device::net(&window, Device::NET_FEATURES);
    let mut card = open_net(&window, &mut device).unwrap();
    let mut buffer = vec![0; card.capabilities().max_rx_frame];
    for round in 0..1000u32 {
        let frame = [round as u8; 6000];
        assert!(device.deliver(Header::default(), &frame));
        card.transmit(&TxMeta::default(), &[&frame[..1500]]).unwrap();
        card.kick().unwrap();
        assert!(device.take_frame().is_some());
        // Loops, foreign addresses, lengths beyond all bounds, in every descriptor of both queues.
        for queue in [RX, TX] {
            let table = device.setup(queue).unwrap().desc as usize;
            let before = window.sub(table, 256 * DESC_LEN).unwrap();
            let mut honest = [0; 256 * DESC_LEN];
            before.read(0, &mut honest).unwrap();
            for descriptor in 0..256 {
                before.write_u64(descriptor * DESC_LEN, u64::MAX).unwrap();
                before.write_u32(descriptor * DESC_LEN + 8, u32::MAX).unwrap();
                before.write_u16(descriptor * DESC_LEN + 12, 7).unwrap();
                before.write_u16(descriptor * DESC_LEN + 14, descriptor as u16).unwrap();
            }
            if queue == RX {
                assert_eq!(card.receive(&mut buffer).unwrap().unwrap().len, 6000);
                assert!(buffer[..6000] == frame);
            } else {
                assert_eq!(card.receive(&mut buffer), Ok(None));
                assert!(!card.transmitting());
            }
            // The device needs its own copy back to go on, but for what the driver has posted anew.
            for (at, entry) in honest.chunks_exact(DESC_LEN).enumerate() {
                if before.read_u64(at * DESC_LEN) == Ok(u64::MAX) {
                    before.write(at * DESC_LEN, entry).unwrap();
                }
            }
        }
    }
    assert_eq!(card.stats().rx_frames, 1000);
}

#[test]
fn descriptors_of_a_disk_changed_while_in_flight_have_no_effect() {
    let window = window();
    let mut device = Device::blk(&window, Device::BLK_FEATURES);
    let mut disk = open_disk(&window, &mut device).unwrap();
    let token = disk.submit(Request::Read { offset: 0, data: vec![0; 8192] }).unwrap();
    disk.kick();
    let (chain, ..) = device.next_request().unwrap();
    let table = device.setup(0).unwrap().desc as usize;
    for at in (table..table + 256 * DESC_LEN).step_by(2) {
        window.write_u16(at, 1).unwrap();
    }
    device.finish(&chain, &[4; 8192], 0);
    let completion = disk.poll().unwrap();
    assert_eq!((completion.token, completion.result), (token, Ok(())));
    assert_eq!(completion.request, Request::Read { offset: 0, data: vec![4; 8192] });
}

#[test]
fn kicks_without_work() {
    let window = window();
    let mut device = Device::net(&window, Device::NET_FEATURES);
    let mut card = open_net(&window, &mut device).unwrap();
    let mut buffer = vec![0; card.capabilities().max_rx_frame];
    for _ in 0..10_000 {
        device.regs().notify(0).unwrap();
        assert!(!card.has_work());
        assert_eq!(card.receive(&mut buffer), Ok(None));
    }
}

#[test]
fn silence_after_the_handshake_is_back_pressure_and_no_error() {
    let window = window();
    let mut device = Device::blk(&window, Device::BLK_FEATURES);
    let mut disk = open_disk(&window, &mut device).unwrap();
    let accepted = (0..).find(|_| disk.submit(Request::Flush).is_err()).unwrap();
    disk.kick();
    for _ in 0..1000 {
        assert_eq!(disk.poll(), None);
    }
    assert_eq!((disk.in_flight(), disk.submit(Request::Flush).unwrap_err().error), (accepted, SubmitError::Full));
    assert_eq!(disk.reset(&mut || {}), Err(BlockError::Device));
    assert_eq!(disk.fault().unwrap().to_string(), "device: silent during reset");
    let failed = std::iter::from_fn(|| disk.poll()).filter(|c| c.result == Err(BlockError::Device)).count();
    assert_eq!(failed, accepted);
}
