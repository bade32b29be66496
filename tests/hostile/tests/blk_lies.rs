//! Lies about requests.

use rkt_blockdev::{BlockDevice, BlockError, Request, SubmitError};
use rkt_tests_hostile::{DISK_LEN, Device, disk_config, open_disk, window};
use rkt_virtio::blk::features;
use rkt_virtio::device_id;
use rkt_virtio_blk::VirtioBlk;
use zerocopy::IntoBytes;

fn open(features: u64) -> (Device, VirtioBlk) {
    let window = window();
    let mut device = Device::blk(&window, features);
    let disk = open_disk(&window, &mut device).unwrap();
    (device, disk)
}

fn read(offset: u64, len: usize) -> Request {
    Request::Read { offset, data: vec![0xa5; len] }
}

#[test]
fn a_status_that_does_not_exist() {
    for status in [3, 0x7f, 0xff] {
        let (mut device, mut disk) = open(Device::BLK_FEATURES);
        disk.submit(read(0, 512)).unwrap();
        disk.kick();
        let (chain, ..) = device.next_request().unwrap();
        device.finish(&chain, &[0; 512], status);
        assert_eq!(disk.poll().unwrap().result, Err(BlockError::Device));
        assert_eq!(disk.fault().unwrap().to_string(), format!("device: request status {status}"));
    }
}

#[test]
fn success_without_a_status() {
    let (mut device, mut disk) = open(Device::BLK_FEATURES);
    disk.submit(Request::Write { offset: 0, data: vec![1; 512], fua: false }).unwrap();
    disk.kick();
    let (chain, ..) = device.next_request().unwrap();
    device.use_chain(0, chain.head, 1);
    assert_eq!(disk.poll().unwrap().result, Err(BlockError::Device));
}

#[test]
fn a_successful_read_of_less_than_was_asked_for() {
    for len in [0, 1, 511] {
        let (mut device, mut disk) = open(Device::BLK_FEATURES);
        disk.submit(read(0, 512)).unwrap();
        disk.kick();
        let (chain, ..) = device.next_request().unwrap();
        device.fill(&chain, &[0; 513]);
        device.use_chain(0, chain.head, len);
        let completion = disk.poll().unwrap();
        assert_eq!(completion.result, Err(BlockError::Device));
        assert_eq!(completion.request, read(0, 512), "nothing of it in the buffer");
        assert_eq!(disk.fault().unwrap().to_string(), format!("device: {len} bytes of a successful read of 512"));
    }
}

#[test]
fn a_status_changed_after_completion() {
    let (mut device, mut disk) = open(Device::BLK_FEATURES);
    disk.submit(read(0, 512)).unwrap();
    disk.kick();
    let (chain, ..) = device.next_request().unwrap();
    device.finish(&chain, &[1; 512], 0);
    let completion = disk.poll().unwrap();
    device.fill(&chain, &[[2; 512].as_slice(), &[1]].concat());
    assert_eq!((completion.result, completion.request), (Ok(()), Request::Read { offset: 0, data: vec![1; 512] }));
    assert_eq!(disk.poll(), None);
}

#[test]
fn the_flush_of_a_durable_write_fails_or_lies() {
    for (status, error) in [(1, BlockError::Io), (2, BlockError::Refused), (9, BlockError::Device)] {
        let (mut device, mut disk) = open(Device::BLK_FEATURES);
        disk.submit(Request::Write { offset: 0, data: vec![1; 512], fua: true }).unwrap();
        disk.kick();
        let (chain, ..) = device.next_request().unwrap();
        device.finish(&chain, &[], 0);
        assert_eq!((disk.poll(), disk.in_flight()), (None, 1), "written, not durable");
        let (chain, ..) = device.next_request().unwrap();
        device.finish(&chain, &[], status);
        assert_eq!(disk.poll().unwrap().result, Err(error));
    }
}

#[test]
fn a_capacity_that_is_a_lie() {
    let window = window();
    let mut device = Device::blk(&window, Device::BLK_FEATURES);
    let huge = rkt_virtio::blk::Config { capacity: (u64::MAX / 512).into(), ..disk_config() };
    device.describe(device_id::BLOCK, Device::BLK_FEATURES, &[256], huge.as_bytes());
    let mut disk = open_disk(&window, &mut device).unwrap();
    disk.submit(read(DISK_LEN as u64, 512)).unwrap();
    disk.kick();
    device.serve(&mut [0; DISK_LEN]);
    assert_eq!(disk.poll().unwrap().result, Err(BlockError::Io));
    assert!(disk.fault().is_none());

    let empty = rkt_virtio::blk::Config { capacity: 0.into(), ..disk_config() };
    device.describe(device_id::BLOCK, Device::BLK_FEATURES, &[256], empty.as_bytes());
    assert!(disk.submit(read(0, 512)).is_ok(), "the geometry is fixed until a reset");
    disk.reset(&mut || device.step()).unwrap();
    assert_eq!(disk.poll().unwrap().result, Err(BlockError::Device));
    assert_eq!(disk.submit(read(0, 512)).unwrap_err().error, SubmitError::OutOfRange);
}

#[test]
fn a_read_only_disk_sees_no_write() {
    let (mut device, mut disk) = open(Device::BLK_FEATURES | features::RO);
    assert!(disk.geometry().read_only);
    let write = Request::Write { offset: 0, data: vec![1; 512], fua: false };
    assert_eq!(disk.submit(write).unwrap_err().error, SubmitError::ReadOnly);
    assert_eq!(disk.submit(Request::Discard { offset: 0, len: 512 }).unwrap_err().error, SubmitError::ReadOnly);
    disk.kick();
    assert!(device.next_request().is_none());
}

#[test]
fn one_segment_and_no_discard() {
    let (mut device, mut disk) = open(rkt_virtio::features::VERSION_1);
    assert_eq!((disk.geometry().max_transfer, disk.geometry().max_discard), (4096, 0));
    assert_eq!(disk.submit(Request::Discard { offset: 0, len: 512 }).unwrap_err().error, SubmitError::Unsupported);
    assert_eq!(disk.submit(read(0, 4608)).unwrap_err().error, SubmitError::TooLong);
    disk.submit(read(0, 4096)).unwrap();
    disk.kick();
    assert_eq!(device.next_request().unwrap().0.buffers.len(), 3);
}
