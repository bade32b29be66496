//! Devices that misbehave before they run.

use rkt_blockdev::BlockDevice;
use rkt_tests_hostile::{Device, POLLS, disk_config, net_config, open_disk, open_net, window};
use rkt_virtio::blk::features as blk;
use rkt_virtio::net::features as net;
use rkt_virtio::{device_id, features, status};
use rkt_virtio_transport::StatusWord;
use rkt_virtqueue::{DeviceError, Phase, VirtioError};
use zerocopy::IntoBytes;

/// What a driver says of a card that was changed before the handshake.
fn net_error(change: impl FnOnce(&mut Device)) -> DeviceError {
    let window = window();
    let mut device = Device::net(&window, Device::NET_FEATURES);
    change(&mut device);
    match open_net(&window, &mut device) {
        Err(VirtioError::Device(e)) => e,
        Err(other) => panic!("not the device's fault: {other}"),
        Ok(_) => panic!("the card came up"),
    }
}

/// The same for a disk with this configuration.
fn blk_error(features: u64, config: rkt_virtio::blk::Config) -> DeviceError {
    let window = window();
    let mut device = Device::blk(&window, features);
    device.describe(device_id::BLOCK, features, &[256], config.as_bytes());
    match open_disk(&window, &mut device) {
        Err(VirtioError::Device(e)) => e,
        Err(other) => panic!("not the device's fault: {other}"),
        Ok(_) => panic!("the disk came up"),
    }
}

#[test]
fn silence_in_each_phase() {
    for (bit, phase) in [
        (0, Phase::Reset),
        (status::ACKNOWLEDGE, Phase::Greeting),
        (status::FEATURES_OK, Phase::Features),
        (status::DRIVER_OK, Phase::Start),
    ] {
        let silent = move |asked: StatusWord| (bit != 0 && asked.status & bit == 0).then_some(asked);
        assert_eq!(net_error(|device| device.answer = Box::new(silent)), DeviceError::Silent(phase));
    }
}

#[test]
fn a_silent_device_is_asked_a_bounded_number_of_times() {
    let looks = std::rc::Rc::new(std::cell::Cell::new(0));
    let counter = looks.clone();
    net_error(|device| {
        device.answer = Box::new(move |_| {
            counter.set(counter.get() + 1);
            None
        });
    });
    assert_eq!(looks.get(), POLLS);
}

#[test]
fn an_answer_from_another_life() {
    let stale = |asked: StatusWord| Some(StatusWord { epoch: asked.epoch.wrapping_sub(1), ..asked });
    assert_eq!(net_error(|device| device.answer = Box::new(stale)), DeviceError::Silent(Phase::Reset));
}

#[test]
fn needs_reset_in_each_phase() {
    for bit in [status::ACKNOWLEDGE, status::FEATURES_OK, status::DRIVER_OK] {
        let broken = move |asked: StatusWord| {
            let extra = if asked.status & bit != 0 { status::DEVICE_NEEDS_RESET } else { 0 };
            Some(StatusWord { status: asked.status | extra, ..asked })
        };
        assert!(matches!(net_error(|device| device.answer = Box::new(broken)), DeviceError::Status { .. }));
    }
}

#[test]
fn refused_features() {
    let refuse = |asked: StatusWord| {
        let refused = asked.status & status::FEATURES_OK != 0;
        let status = if refused { asked.status & !status::FEATURES_OK | status::FAILED } else { asked.status };
        Some(StatusWord { status, ..asked })
    };
    let accepted = Device::NET_FEATURES;
    assert_eq!(net_error(|device| device.answer = Box::new(refuse)), DeviceError::FeaturesRefused { accepted });
}

#[test]
fn another_kind_of_device() {
    let disk = |device: &mut Device| {
        device.describe(device_id::BLOCK, Device::BLK_FEATURES, &[256], disk_config().as_bytes());
    };
    assert_eq!(net_error(disk), DeviceError::Kind { claimed: device_id::BLOCK });
}

#[test]
fn a_required_feature_is_not_offered() {
    for missing in [features::VERSION_1, net::MAC] {
        let offered = Device::NET_FEATURES & !missing;
        let without = |device: &mut Device| {
            device.describe(device_id::NET, offered, &[256, 256], net_config().as_bytes());
        };
        assert_eq!(net_error(without), DeviceError::FeatureMissing { offered, missing });
    }
}

#[test]
fn offloads_without_what_they_build_on_are_not_taken() {
    for missing in [net::CSUM | net::GUEST_CSUM, net::MRG_RXBUF | net::CSUM] {
        let window = window();
        let mut device = Device::net(&window, Device::NET_FEATURES & !missing);
        let card = open_net(&window, &mut device).unwrap();
        let can = card.capabilities();
        assert!(!can.tx_tso4 && !can.tx_tso6 && can.max_rx_frame == 1514);
        let taken = device.regs().driver_features().unwrap();
        assert_eq!(taken & (net::GUEST_TSO4 | net::GUEST_TSO6 | net::HOST_TSO4 | net::HOST_TSO6), 0);
    }
}

#[test]
fn every_feature_at_once_is_cut_down_to_what_the_driver_knows() {
    let window = window();
    let mut device = Device::net(&window, u64::MAX);
    open_net(&window, &mut device).unwrap();
    assert_eq!(device.regs().driver_features(), Ok(Device::PACKED_FEATURES));
    let mut device = Device::blk(&window, u64::MAX);
    open_disk(&window, &mut device).unwrap();
    assert_eq!(device.regs().driver_features(), Ok(Device::BLK_FEATURES | blk::RO));
}

#[test]
fn queue_sizes_that_cannot_be() {
    for (sizes, queue, claimed) in [
        ([0, 256].as_slice(), 0, 0),
        (&[256, 0], 1, 0),
        (&[256, 100], 1, 100),
        (&[16, 256], 0, 16),
        (&[u16::MAX, 256], 0, u16::MAX),
        (&[256], 1, 256),
    ] {
        let resize = |device: &mut Device| {
            // What an earlier description left behind a smaller number of queues.
            device.describe(device_id::NET, Device::NET_FEATURES, &[256, 256], net_config().as_bytes());
            device.describe(device_id::NET, Device::NET_FEATURES, sizes, net_config().as_bytes());
        };
        assert_eq!(net_error(resize), DeviceError::QueueSize { queue, claimed });
    }
}

#[test]
fn the_largest_queue_is_not_used_in_full() {
    let window = window();
    let mut device = Device::net(&window, Device::NET_FEATURES);
    device.describe(device_id::NET, Device::NET_FEATURES, &[1 << 15, 1 << 15], net_config().as_bytes());
    open_net(&window, &mut device).unwrap();
    assert_eq!(device.setup(0).map(|setup| setup.size), Some(256));
}

#[test]
fn a_configuration_that_never_comes_to_rest() {
    assert_eq!(net_error(|device| device.write_generation(7)), DeviceError::ConfigUnstable);
}

#[test]
fn addresses_and_mtus_that_cannot_be() {
    let with = |mac: [u8; 6], mtu: u16| {
        let config = rkt_virtio::net::Config { mac, mtu: mtu.into(), ..net_config() };
        net_error(|device| device.describe(device_id::NET, Device::NET_FEATURES, &[256, 256], config.as_bytes()))
    };
    assert_eq!(with([0; 6], 1500), DeviceError::ConfigValue { field: "mac", value: 0 });
    assert_eq!(with([0xff; 6], 1500), DeviceError::ConfigValue { field: "mac", value: (1 << 48) - 1 });
    assert_eq!(with([2; 6], 67), DeviceError::ConfigValue { field: "mtu", value: 67 });
}

#[test]
fn an_mtu_without_bounds_is_bounded_by_the_buffers() {
    let window = window();
    let config = rkt_virtio::net::Config { mtu: u16::MAX.into(), ..net_config() };
    for (features, mtu) in [(Device::NET_FEATURES, u16::MAX), (Device::NET_FEATURES & !net::MRG_RXBUF, 4070)] {
        let mut device = Device::net(&window, features);
        device.describe(device_id::NET, features, &[256, 256], config.as_bytes());
        assert_eq!(open_net(&window, &mut device).unwrap().capabilities().mtu, mtu);
    }
}

#[test]
fn disks_that_cannot_be() {
    let config = disk_config();
    let wrong = |field, value| DeviceError::ConfigValue { field, value };
    let all = Device::BLK_FEATURES;
    for size in [0, 1, 256, 1000, 1 << 20, 1 << 31] {
        let config = rkt_virtio::blk::Config { blk_size: size.into(), ..config };
        assert_eq!(blk_error(all, config), wrong("blk_size", size.into()));
    }
    for capacity in [u64::MAX, u64::MAX / 512 + 1] {
        let config = rkt_virtio::blk::Config { capacity: capacity.into(), ..config };
        assert_eq!(blk_error(all, config), wrong("capacity", capacity));
    }
    assert_eq!(blk_error(all, rkt_virtio::blk::Config { seg_max: 0.into(), ..config }), wrong("seg_max", 0));
}

#[test]
fn a_capacity_in_the_middle_of_a_block_is_rounded_down() {
    let window = window();
    let mut device = Device::blk(&window, Device::BLK_FEATURES);
    let config = rkt_virtio::blk::Config { capacity: 17.into(), blk_size: 4096.into(), ..disk_config() };
    device.describe(device_id::BLOCK, Device::BLK_FEATURES, &[256], config.as_bytes());
    assert_eq!(open_disk(&window, &mut device).unwrap().geometry().len, 8192);
}
