//! Packed queues (virtio 1.2 §2.8): what works, and devices that lie about them.

use rkt_netdev::{Checksum, Gso, GsoKind, RxMeta, TxMeta};
use rkt_tests_hostile::{Device, card_down, noise, open_net, window};
use rkt_virtio::net::{Header, header_flags};
use rkt_virtio::packed::{Cursor, DESC_LEN, event_flags};
use zerocopy::IntoBytes;

const PACKED: u64 = Device::PACKED_FEATURES;
const RX: usize = 0;
const TX: usize = 1;

#[test]
fn frames_of_all_sizes_pass_both_ways_many_times_round_the_ring() {
    let window = window();
    let mut device = Device::net(&window, PACKED);
    let mut card = open_net(&window, &mut device).unwrap();
    let mut buffer = vec![0; card.capabilities().max_rx_frame];
    for seed in 0..1500 {
        let len = if seed % 3 == 0 { 14 + seed as usize * 43 } else { 60 + seed as usize % 1400 };
        let frame = noise(seed, len);
        let checksum = Checksum::Partial { start: 2, offset: 4 };
        let gso = (len > 1514).then_some(Gso { kind: GsoKind::Tcp4, segment: 1448, headers: 14 });
        card.transmit(&TxMeta { checksum, gso }, &[&frame[..14], &frame[14..]]).unwrap();
        card.kick().unwrap();
        let (header, sent) = device.take_frame().unwrap();
        assert_eq!(header.flags, header_flags::NEEDS_CSUM);
        assert!(sent == frame);
        assert!(device.deliver(header, &frame));
        assert!(card.has_work());
        assert_eq!(card.receive(&mut buffer), Ok(Some(RxMeta { len, checksum, gso })));
        assert!(buffer[..len] == frame);
        assert!(!card.transmitting() && !card.has_work());
    }
}

#[test]
fn chains_come_back_in_any_order() {
    let window = window();
    let mut device = Device::net(&window, PACKED);
    let mut card = open_net(&window, &mut device).unwrap();
    let gso = Some(Gso { kind: GsoKind::Tcp4, segment: 1000, headers: 54 });
    let meta = TxMeta { checksum: Checksum::Partial { start: 34, offset: 16 }, gso };
    for round in 0..300u32 {
        let mut sent = 0;
        // Chains of several lengths.
        while card.transmit(&meta, &[&noise(round.into(), 100 + 9000 * (sent % 5))]).is_ok() {
            sent += 1;
        }
        card.kick().unwrap();
        let mut chains: Vec<_> = std::iter::from_fn(|| device.next(TX)).collect();
        assert_eq!(chains.len(), sent);
        chains.rotate_left(round as usize % sent);
        chains.iter().rev().for_each(|chain| device.stage_used(TX, chain.head, 0));
        device.publish_used(TX);
        assert_eq!(card.receive(&mut []), Ok(None));
        assert!(!card.transmitting());
    }
}

#[test]
fn used_ids_that_are_not_in_flight() {
    for id in [256, 32_768, 65_535] {
        let reason = format!("device: used id {id} is not in flight");
        card_down(PACKED, &reason, |device| device.use_chain(RX, id, 100));
        card_down(PACKED, &reason, |device| device.use_chain(TX, id, 0));
    }
    card_down(PACKED, "device: used id 200 is not in flight", |device| device.use_chain(TX, 200, 0));
}

#[test]
fn a_used_id_twice() {
    card_down(PACKED, "device: used id 0 is not in flight", |device| {
        device.use_chain(TX, 0, 0);
        device.use_chain(TX, 0, 0);
    });
}

#[test]
fn a_used_length_longer_than_the_chain() {
    let reason = "device: 4097 bytes written into chain 0, which has room for 4096";
    card_down(PACKED, reason, |device| device.use_chain(RX, 0, 4097));
    card_down(PACKED, "device: 1 bytes written into chain 0, which has room for 0", |device| {
        device.use_chain(TX, 0, 1)
    });
}

#[test]
fn a_used_flag_on_what_the_driver_wrote() {
    // The driver's own descriptor with flags turned: its id and a length of a whole chunk.
    card_down(PACKED, "device: 72 bytes written into chain 0, which has room for 0", |device| {
        device.write_used_index(TX, 0);
    });
}

#[test]
fn flags_that_are_forged_elsewhere_have_no_effect_until_their_turn() {
    let window = window();
    let mut device = Device::net(&window, PACKED);
    let mut card = open_net(&window, &mut device).unwrap();
    let mut buffer = vec![0; card.capabilities().max_rx_frame];
    for ahead in [1, 7, 200, 255] {
        device.write_used_index(RX, ahead);
        device.write_used_index(TX, ahead);
        assert_eq!(card.receive(&mut buffer), Ok(None));
        assert!(!card.has_work() && card.fault().is_none());
    }
}

#[test]
fn a_packet_in_more_buffers_than_are_used() {
    card_down(PACKED, "device: packet in 3 buffers, where 1 to 1 are possible", |device| {
        device.deliver_raw(Header { num_buffers: 3.into(), ..Header::default() }, &[1; 60]);
    });
}

#[test]
fn descriptors_changed_by_the_device_have_no_effect() {
    let window = window();
    let mut device = Device::net(&window, PACKED);
    let mut card = open_net(&window, &mut device).unwrap();
    let mut buffer = vec![0; card.capabilities().max_rx_frame];
    card.transmit(&TxMeta::default(), &[&[4; 1500]]).unwrap();
    card.kick().unwrap();
    let (rx, tx) = (device.next(RX).unwrap(), device.next(TX).unwrap());
    for queue in [RX, TX] {
        let ring = device.setup(queue).unwrap().desc as usize;
        for descriptor in 0..256 {
            // All but the flags.
            window.write(ring + descriptor * DESC_LEN, &[0xff; 14]).unwrap();
        }
    }
    let header = Header { num_buffers: 1.into(), ..Header::default() };
    device.fill(&rx, &[header.as_bytes(), &[3; 60]].concat());
    device.use_chain(RX, rx.head, 72);
    device.use_chain(TX, tx.head, 0);
    assert_eq!(card.receive(&mut buffer).unwrap().unwrap().len, 60);
    assert!(buffer[..60] == [3; 60] && !card.transmitting());
}

#[test]
fn whoever_does_not_ask_is_not_kicked() {
    for features in [Device::NET_FEATURES, PACKED] {
        let window = window();
        let mut device = Device::net(&window, features);
        let mut card = open_net(&window, &mut device).unwrap();
        let mut kicks = |device: &mut Device, sent: u16| {
            let before = card.stats().kicks;
            for _ in 0..sent {
                card.transmit(&TxMeta::default(), &[&[1; 60]]).unwrap();
            }
            card.kick().unwrap();
            while device.take_frame().is_some() {}
            assert_eq!(card.receive(&mut []), Ok(None));
            card.stats().kicks - before
        };
        let word = |sent: u16| if features == PACKED { Cursor::START.advance(sent, 256).to_word() } else { sent };
        // An event that a packed device did not move on may be one that it asked for too late: it is told again.
        let again = u64::from(features == PACKED);
        device.ask(TX, word(0), event_flags::DESC);
        assert_eq!(kicks(&mut device, 1), 1, "for the first");
        assert_eq!(kicks(&mut device, 5), again, "none was asked for");
        device.ask(TX, word(7), event_flags::DESC);
        assert_eq!((kicks(&mut device, 1), kicks(&mut device, 3)), (0, 1), "for the eighth");
        device.ask(TX, word(3), event_flags::DESC);
        assert_eq!(kicks(&mut device, 50), again, "that one is long past");
        if features == PACKED {
            device.ask(TX, 0, event_flags::DISABLE);
            assert_eq!(kicks(&mut device, 50), 0, "it wants none");
        }
    }
}

#[test]
fn nonsense_in_the_event_suppression_structure_costs_kicks_at_most() {
    let window = window();
    let mut device = Device::net(&window, PACKED);
    let mut card = open_net(&window, &mut device).unwrap();
    for (word, flags) in [(0, 0), (0, 1), (0, 3), (u16::MAX, 2), (0x7fff, 2), (300, 2), (0, u16::MAX)] {
        device.ask(TX, word, flags);
        card.transmit(&TxMeta::default(), &[&[1; 60]]).unwrap();
        card.kick().unwrap();
        assert!(device.take_frame().is_some());
        assert_eq!(card.receive(&mut []), Ok(None));
    }
}
