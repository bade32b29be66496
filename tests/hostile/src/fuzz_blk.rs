//! A disk whose every move is chosen by bytes.

use crate::fuzz_net::lie;
use crate::{DISK_LEN, Device, Script, disk_config, open_disk, window};
use rkt_blockdev::{BlockDevice, Completion, Request, Token};
use rkt_virtio::device_id;
use rkt_virtio_blk::VirtioBlk;
use std::collections::HashMap;
use zerocopy::IntoBytes;

/// What a request has to look like when it comes back: its bytes if they must not change.
type InFlight = HashMap<Token, (Option<Vec<u8>>, usize)>;

/// Opens a disk and drives it against a device that `data` scripts. Then the device turns honest, and a
/// reset has to bring the disk back. Every request accepted must be completed exactly once.
///
/// # Panics
/// If the driver loses a request, gives out what is not consistent, or does not recover.
pub fn fuzz_blk(data: &[u8]) {
    let mut script = Script::new(data);
    let window = window();
    let mut device = Device::blk(&window, Device::BLK_FEATURES);
    if script.one_in(4) {
        describe(&mut device, &mut script);
    }
    let Ok(mut disk) = open_disk(&window, &mut device) else { return };
    let mut in_flight = InFlight::new();
    let mut content = vec![0; DISK_LEN];
    while !script.is_done() {
        turn(&mut script, &mut device, &mut disk, &mut in_flight, &mut content);
        assert_eq!(disk.in_flight(), in_flight.len());
    }
    recover(&mut device, &mut disk, &mut in_flight);
}

/// A description that may make no sense.
fn describe(device: &mut Device, script: &mut Script<'_>) {
    let mut config = disk_config();
    config.capacity = script.u64().into();
    config.seg_max = (script.u32() % 64).into();
    config.blk_size = (1 << (script.u8() % 32)).into();
    config.max_discard_sectors = script.u32().into();
    let kind = if script.one_in(8) { script.u32() } else { device_id::BLOCK };
    device.describe(kind, script.u64() | 1 << 32, &[1 << (script.u8() % 16)], config.as_bytes());
}

fn turn(
    script: &mut Script<'_>,
    device: &mut Device,
    disk: &mut VirtioBlk,
    in_flight: &mut InFlight,
    content: &mut [u8],
) {
    match script.u8() % 13 {
        0..=2 => submit(disk, script, in_flight),
        3..=4 => poll(disk, in_flight),
        5 => disk.kick(),
        6..=7 => drop(device.serve(content)),
        8 => {
            if let Some((chain, ..)) = device.next_request() {
                let data = vec![script.u8(); script.below(8192)];
                device.fill(&chain, &data);
                device.use_chain(0, chain.head, script.u32() % 8192);
            }
        }
        9..=11 => lie(script, device),
        _ => {
            let honest = !script.one_in(4);
            let _down = disk.reset(&mut || {
                if honest {
                    device.step();
                }
            });
        }
    }
    let geometry = disk.geometry();
    assert!(geometry.block_len.is_power_of_two() && geometry.len.is_multiple_of(geometry.block_len.into()));
}

fn submit(disk: &mut VirtioBlk, script: &mut Script<'_>, in_flight: &mut InFlight) {
    let geometry = disk.geometry();
    let block = u64::from(geometry.block_len);
    let offset = u64::from(script.u16() % 2100) * block;
    let len = script.below(40) * geometry.block_len as usize;
    let (request, expected) = match script.u8() % 4 {
        0 => (Request::Read { offset, data: vec![0; len] }, (None, len)),
        1 => {
            let data = vec![script.u8(); len];
            (Request::Write { offset, data: data.clone(), fua: script.one_in(2) }, (Some(data), len))
        }
        2 => (Request::Discard { offset, len: len as u64 }, (None, 0)),
        _ => (Request::Flush, (None, 0)),
    };
    let sent = request.clone();
    match disk.submit(request) {
        Ok(token) => assert!(in_flight.insert(token, expected).is_none(), "token used twice"),
        Err(rejected) => assert_eq!(rejected.request, sent),
    }
}

fn poll(disk: &mut VirtioBlk, in_flight: &mut InFlight) {
    while let Some(Completion { token, request, .. }) = disk.poll() {
        let (bytes, len) = in_flight.remove(&token).expect("a request that was in flight");
        match request {
            Request::Read { data, .. } => assert_eq!(data.len(), len),
            Request::Write { data, .. } => assert_eq!(Some(data), bytes),
            Request::Flush | Request::Discard { .. } | Request::WriteZeroes { .. } => {}
        }
    }
}

/// An honest device and a reset: all that was in flight ends, and new requests succeed.
fn recover(device: &mut Device, disk: &mut VirtioBlk, in_flight: &mut InFlight) {
    device.describe(device_id::BLOCK, Device::BLK_FEATURES, &[256], disk_config().as_bytes());
    device.settle_config();
    // A word that the lying device left behind may pass for an answer to the first reset.
    let up = (0..2).any(|_| disk.reset(&mut || device.step()).is_ok());
    assert!(up, "an honest device comes up");
    poll(disk, in_flight);
    assert!(in_flight.is_empty(), "requests without completion: {in_flight:?}");
    let mut content = vec![3; DISK_LEN];
    let token = disk.submit(Request::Read { offset: 512, data: vec![0; 8192] }).expect("room for a request");
    disk.kick();
    device.serve(&mut content);
    let request = Request::Read { offset: 512, data: vec![3; 8192] };
    assert_eq!(disk.poll(), Some(Completion { token, request, result: Ok(()) }));
}
