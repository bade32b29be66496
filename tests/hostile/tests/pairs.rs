//! Cards with several pairs of queues, honest and lying.

use rkt_netdev::{Down, NetDevice, Steering, TxMeta};
use rkt_tests_hostile::{Card, Device, open_pairs, options, pairs_config, window};
use rkt_virtio::device_id;
use rkt_virtio::net::{Config, Header, control, features};
use rkt_virtqueue::{DeviceError, Phase, VirtioError};
use rkt_window::Window;
use zerocopy::IntoBytes;

const PAIRS: u16 = 3;
const CONTROL: usize = 2 * PAIRS as usize;

/// Opens a card with up to `wanted` pairs; the device answers commands with `answer`, which are returned.
fn open(device: &mut Device, window: &Window, wanted: u16, answer: u8) -> (Result<Card, VirtioError>, Vec<Vec<u8>>) {
    let mut commands = Vec::new();
    let card = open_pairs(window, wanted, &mut || {
        device.step();
        commands.extend(device.take_command(CONTROL, answer));
    });
    (card, commands)
}

fn honest(features: u64) -> (Device, Card) {
    let window = window();
    let mut device = Device::net_pairs(&window, features, PAIRS);
    let (card, commands) = open(&mut device, &window, PAIRS, control::OK);
    assert_eq!(commands.len(), 1);
    (device, card.unwrap())
}

#[test]
fn each_pair_has_its_frames_and_its_vcpu() {
    for features in [Device::NET_FEATURES, Device::PACKED_FEATURES] {
        let (mut device, mut card) = honest(features);
        assert_eq!((card.queues.len(), card.device.steering()), (3, Steering::FollowsTransmit));
        let mut buffer = [0; 1514];
        for round in 0..2000usize {
            let (pair, byte) = (round % 3, round as u8);
            assert_eq!(device.setup(2 * pair).unwrap().vcpu, pair as u16);
            card.queues[pair].transmit(&TxMeta::default(), &[&[byte; 100]]).unwrap();
            card.queues[pair].kick().unwrap();
            assert_eq!(device.take_frame_on(2 * pair + 1).unwrap().1, [byte; 100]);
            assert!(device.deliver_on(2 * pair, Header::default(), &[byte; 60]));
            for other in 0..3 {
                assert_eq!(card.queues[other].probe().has_work(), other == pair);
                let received = card.receive_on(other, &mut buffer).unwrap();
                assert_eq!(received.map(|meta| meta.len), (other == pair).then_some(60));
            }
            assert_eq!(buffer[..60], [byte; 60]);
        }
    }
}

#[test]
fn the_device_is_told_how_many_pairs_are_in_use() {
    for (wanted, used) in [(2, 2), (3, 3), (100, 3)] {
        let window = window();
        let mut device = Device::net_pairs(&window, Device::NET_FEATURES, PAIRS);
        let (card, commands) = open(&mut device, &window, wanted, control::OK);
        assert_eq!(commands, [vec![control::MQ, control::MQ_VQ_PAIRS_SET, used as u8, 0]]);
        assert_eq!(card.unwrap().queues.len(), used);
    }
}

#[test]
fn one_pair_needs_no_control_queue() {
    let window = window();
    let mut device = Device::net_pairs(&window, Device::NET_FEATURES, PAIRS);
    let (card, commands) = open(&mut device, &window, 1, control::OK);
    assert_eq!((card.unwrap().queues.len(), commands.len()), (1, 0));
    assert_eq!(device.regs().driver_features().unwrap() & Device::PAIRS, 0);
}

#[test]
fn a_device_that_hashes_is_given_key_and_table() {
    let window = window();
    let mut device = Device::net_pairs(&window, Device::NET_FEATURES | features::RSS, PAIRS);
    let (card, commands) = open(&mut device, &window, PAIRS, control::OK);
    let [command] = commands.as_slice() else { panic!("{commands:?}") };
    assert_eq!(command[..10], [control::MQ, control::MQ_RSS_CONFIG, 0x3f, 0, 0, 0, 127, 0, 0, 0]);
    let table: Vec<u16> = command[10..266].chunks(2).map(|entry| u16::from_le_bytes([entry[0], entry[1]])).collect();
    assert_eq!(table, (0..128).map(|entry| entry % PAIRS).collect::<Vec<_>>());
    assert_eq!(command[266..269], [PAIRS as u8, 0, 40]);
    assert_eq!(command[269..], options(PAIRS).rss_key);
    let Steering::Hash(rss) = card.unwrap().device.steering() else { panic!("no hash") };
    assert_eq!((rss.table(), rss.queue_for(129)), (table.as_slice(), 1));
}

#[test]
fn a_device_that_hashes_too_little_chooses_by_itself() {
    let window = window();
    let offered = Device::NET_FEATURES | features::RSS | Device::PAIRS;
    let mut device = Device::net_pairs(&window, offered, PAIRS);
    let config = Config { supported_hash_types: 0x1f.into(), ..pairs_config(PAIRS) };
    device.describe(device_id::NET, offered, &[256, 256, 256, 256, 256, 256, 64], config.as_bytes());
    let (card, commands) = open(&mut device, &window, PAIRS, control::OK);
    assert_eq!(commands, [vec![control::MQ, control::MQ_VQ_PAIRS_SET, PAIRS as u8, 0]]);
    assert_eq!(card.unwrap().device.steering(), Steering::FollowsTransmit);
}

#[test]
fn configurations_that_cannot_be() {
    let window = window();
    let offered = Device::NET_FEATURES | features::RSS | Device::PAIRS;
    let with = |config: Config, field, value| {
        let mut device = Device::net_pairs(&window, offered, PAIRS);
        device.describe(device_id::NET, offered, &[256, 256, 256, 256, 256, 256, 64], config.as_bytes());
        let error = open(&mut device, &window, PAIRS, control::OK).0.err();
        assert_eq!(error, Some(DeviceError::ConfigValue { field, value }.into()));
    };
    let config = pairs_config(PAIRS);
    for pairs in [0, 17, u16::MAX] {
        with(Config { max_virtqueue_pairs: pairs.into(), ..config }, "max_virtqueue_pairs", pairs.into());
    }
    with(Config { rss_max_key_size: 39, ..config }, "rss_max_key_size", 39);
    let table = Config { rss_max_indirection_table_length: 127.into(), ..config };
    with(table, "rss_max_indirection_table_length", 127);
}

#[test]
fn commands_refused_and_unanswered() {
    for answer in [control::ERR, 2, 0xff] {
        let window = window();
        let mut device = Device::net_pairs(&window, Device::NET_FEATURES, PAIRS);
        let refused = DeviceError::Command { class: control::MQ, command: control::MQ_VQ_PAIRS_SET, answer };
        assert_eq!(open(&mut device, &window, PAIRS, answer).0.err(), Some(refused.into()));
    }
    let window = window();
    let mut device = Device::net_pairs(&window, Device::NET_FEATURES, PAIRS);
    let error = open_pairs(&window, PAIRS, &mut || device.step()).err();
    assert_eq!(error, Some(DeviceError::Silent(Phase::Command).into()));
}

#[test]
fn one_pair_that_is_lied_to_takes_all_down_until_a_reset_of_all() {
    for features in [Device::NET_FEATURES, Device::PACKED_FEATURES] {
        let (mut device, mut card) = honest(features);
        device.use_chain(2, 0, 5000);
        let mut buffer = [0; 1514];
        assert_eq!(card.receive_on(0, &mut buffer), Ok(None), "nobody has noticed");
        assert_eq!(card.receive_on(1, &mut buffer), Err(Down));
        for pair in 0..3 {
            assert_eq!(card.receive_on(pair, &mut buffer), Err(Down));
            assert!(card.queues[pair].transmit(&TxMeta::default(), &[&[1; 60]]).is_err());
            assert!(card.queues[pair].kick().is_err() && !card.queues[pair].probe().has_work());
            assert!(card.queues[pair].rearm().is_err(), "not on its own");
            assert_eq!(card.queues[pair].fault().is_some(), pair == 1);
        }
        let mut some: Vec<_> = card.queues.iter_mut().take(2).map(|queue| queue.as_mut() as _).collect();
        assert_eq!(card.device.reset(&mut some, &mut || device.step()), Err(Down), "one is missing");
        card.reset(&mut || {
            device.step();
            device.take_command(CONTROL, control::OK);
        })
        .unwrap();
        for pair in 0..3 {
            assert!(device.deliver_on(2 * pair, Header::default(), &[5; 60]));
            assert_eq!(card.receive_on(pair, &mut buffer).unwrap().unwrap().len, 60);
        }
        assert_eq!(card.stats().resets, 3);
    }
}
