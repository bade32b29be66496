//! Lies about frames.

use rkt_netdev::{Down, HEAD_LEN, TxMeta};
use rkt_tests_hostile::{Card, Device, net_config, noise, open_net, window};
use rkt_virtio::device_id;
use rkt_virtio::net::{Config, Header, features, gso, header_flags};
use rkt_virtqueue::CHUNK_LEN;
use rkt_window::layout::DMA;
use zerocopy::IntoBytes;

fn open(features: u64) -> (Device, Card) {
    let window = window();
    let mut device = Device::net(&window, features);
    let card = open_net(&window, &mut device).unwrap();
    (device, card)
}

fn one(header: Header) -> Header {
    Header { num_buffers: 1.into(), ..header }
}

/// Frames of which each costs itself and nothing else.
fn dropped(features: u64, frames: &[(Header, usize)]) {
    let (mut device, mut card) = open(features);
    let mut buffer = vec![0; card.capabilities().max_rx_frame];
    for (index, (header, len)) in (1..).zip(frames) {
        device.deliver_raw(*header, &vec![1; *len]);
        assert_eq!(card.receive(&mut buffer), Ok(None), "{header:?}");
        assert_eq!(card.stats().rx_invalid, index);
        device.deliver_raw(one(Header::default()), &[2; 60]);
        assert_eq!(card.receive(&mut buffer).unwrap().unwrap().len, 60, "the next frame");
        card.kick().unwrap();
    }
}

fn partial(start: u16, offset: u16) -> Header {
    one(Header {
        flags: header_flags::NEEDS_CSUM,
        csum_start: start.into(),
        csum_offset: offset.into(),
        ..Header::default()
    })
}

fn segmented(kind: u8, size: u16, headers: u16) -> Header {
    Header { gso_type: kind, gso_size: size.into(), hdr_len: headers.into(), ..partial(34, 16) }
}

#[test]
fn checksums_outside_the_frame() {
    let frames = [(99, 0), (0, 99), (u16::MAX, u16::MAX), (50, 49), (100, u16::MAX)];
    dropped(Device::NET_FEATURES, &frames.map(|(start, offset)| (partial(start, offset), 100)));
}

#[test]
fn segmentation_that_cannot_be() {
    let no_checksum = Header { flags: 0, ..segmented(gso::TCPV4, 1000, 54) };
    let headers = [
        segmented(gso::TCPV4, 0, 54),
        segmented(gso::TCPV4, 1000, 2001),
        segmented(gso::TCPV6, 1000, u16::MAX),
        segmented(gso::UDP, 1000, 42),
        segmented(gso::TCPV4 | gso::ECN, 1000, 54),
        segmented(2, 1000, 54),
        segmented(0x7f, 1000, 54),
        no_checksum,
    ];
    dropped(Device::NET_FEATURES, &headers.map(|header| (header, 2000)));
}

#[test]
fn offloads_that_were_not_agreed() {
    let valid = one(Header { flags: header_flags::DATA_VALID, ..Header::default() });
    let plain = rkt_virtio::features::VERSION_1 | features::MAC;
    dropped(plain, &[(partial(34, 16), 100), (valid, 100), (segmented(gso::TCPV4, 1000, 54), 1500)]);
    let only_ipv4 = Device::NET_FEATURES & !(features::GUEST_TSO6 | features::GUEST_USO6);
    dropped(only_ipv4, &[(segmented(gso::TCPV6, 1000, 74), 1500), (segmented(gso::UDP_L4, 1000, 42), 1500)]);
}

#[test]
fn frames_too_short_or_too_long() {
    let plain = one(Header::default());
    dropped(Device::NET_FEATURES, &[(plain, 0), (plain, 13)]);
    let no_tso = Device::NET_FEATURES & !(features::GUEST_TSO4 | features::GUEST_TSO6 | features::GUEST_USO4);
    dropped(no_tso, &[(plain, 1515), (plain, 4084)]);
}

#[test]
fn bytes_in_the_window_are_looked_at_once() {
    let window = window();
    let mut device = Device::net(&window, Device::NET_FEATURES);
    let mut card = open_net(&window, &mut device).unwrap();
    assert!(device.deliver(Header::default(), &noise(3, 9000)));
    let frame = noise(3, 9000);
    let taken = card.queues[0].receive(8, &mut |received| {
        assert_eq!(received.head(), &frame[..HEAD_LEN]);
        // The device overwrites the frame after its head was copied.
        window.zero(DMA, 256 * CHUNK_LEN).unwrap();
        let mut bytes = [1; 300];
        assert!(received.copy(100, &mut bytes));
        assert_eq!(bytes[..156], frame[100..256]);
        assert_eq!(bytes[156..], [0; 144], "from the window");
        assert!(!received.copy(399, &mut bytes), "one byte was passed already");
        assert!(received.copy(100, &mut bytes[..156]), "the head any number of times");
        assert!(received.copy(400, &mut bytes));
        assert!(received.copy(8700, &mut bytes) && !received.copy(8999, &mut bytes[..2]));
        assert!(!received.copy(9001, &mut []) && !received.copy(usize::MAX, &mut bytes));
    });
    assert_eq!(taken, Ok(1));
}

#[test]
fn number_of_buffers_none_huge_or_more_than_were_used() {
    for (count, possible) in [(0, 17), (2, 1), (17, 1), (18, 17), (256, 17), (u16::MAX, 17)] {
        let (mut device, mut card) = open(Device::NET_FEATURES);
        device.deliver_raw(Header { num_buffers: count.into(), ..Header::default() }, &[1; 60]);
        let mut buffer = vec![0; card.capabilities().max_rx_frame];
        assert_eq!(card.receive(&mut buffer), Err(Down));
        let reason = format!("device: packet in {count} buffers, where 1 to {possible} are possible");
        assert_eq!(card.fault().unwrap().to_string(), reason);
        card.reset(&mut || device.step()).unwrap();
    }
}

#[test]
fn number_of_buffers_beyond_the_largest_frame() {
    let (mut device, mut card) = open(Device::NET_FEATURES);
    let first = device.rx_buffer().unwrap();
    device.fill(&first, Header { num_buffers: 18.into(), ..Header::default() }.as_bytes());
    device.stage_used(0, first.head, 4096);
    for _ in 1..18 {
        let next = device.rx_buffer().unwrap();
        device.stage_used(0, next.head, 4096);
    }
    device.publish_used(0);
    let mut buffer = vec![0; card.capabilities().max_rx_frame];
    assert_eq!(card.receive(&mut buffer), Err(Down));
    assert_eq!(card.fault().unwrap().to_string(), "device: packet in 18 buffers, where 1 to 17 are possible");
}

#[test]
fn number_of_buffers_means_nothing_without_merging() {
    let (mut device, mut card) = open(rkt_virtio::features::VERSION_1 | features::MAC);
    device.deliver_raw(Header { num_buffers: 77.into(), ..Header::default() }, &[1; 60]);
    assert_eq!(card.receive(&mut [0; 1514]).unwrap().unwrap().len, 60);
}

#[test]
fn a_packet_shorter_than_its_header() {
    let (mut device, mut card) = open(Device::NET_FEATURES);
    let chain = device.rx_buffer().unwrap();
    device.use_chain(0, chain.head, 11);
    assert_eq!(card.receive(&mut [0; 1514]), Err(Down));
    assert_eq!(card.fault().unwrap().to_string(), "device: packet of 11 bytes, shorter than its header");
}

#[test]
fn a_round_of_nonsense_ends() {
    let (mut device, mut card) = open(Device::NET_FEATURES);
    let mut buffer = vec![0; card.capabilities().max_rx_frame];
    for _ in 0..256 {
        device.deliver_raw(partial(u16::MAX, 0), &[1; 60]);
    }
    assert_eq!(card.receive(&mut buffer), Ok(None));
    assert_eq!(card.stats().rx_invalid, 256);
    for _ in 0..256 {
        device.deliver_raw(one(Header::default()), &[1; 60]);
    }
    let received = std::iter::from_fn(|| card.receive(&mut buffer).unwrap()).count();
    assert_eq!(received, 256);
}

#[test]
fn a_card_that_comes_back_as_another() {
    let (mut device, mut card) = open(Device::NET_FEATURES);
    let mut stays_down = |features, sizes: &[u16], config: Config, reason: &str| {
        device.describe(device_id::NET, features, sizes, config.as_bytes());
        assert_eq!(card.reset(&mut || device.step()), Err(Down));
        assert_eq!(card.fault().unwrap(), reason);
        assert!(card.transmit(&TxMeta::default(), &[&[0; 60]]).is_err());
        assert_eq!((card.capabilities().mac, card.capabilities().mtu), (net_config().mac, 1500));
    };
    let (all, sizes) = (Device::NET_FEATURES, [256, 256]);
    let changed = "device: another configuration after a reset";
    stays_down(all, &sizes, Config { mac: [2, 9, 9, 9, 9, 9], ..net_config() }, changed);
    stays_down(all, &sizes, Config { mtu: 9000.into(), ..net_config() }, changed);
    let fewer = format!("device: offers {:#x}, which lacks {:#x}", all & !features::CSUM, features::CSUM);
    stays_down(all & !features::CSUM, &sizes, net_config(), &fewer);
    // Smaller queues than the memory that was set up for them.
    stays_down(all, &[32, 256], net_config(), "device: queue 0 has the impossible size 32");
    device.describe(device_id::NET, all, &sizes, net_config().as_bytes());
    card.reset(&mut || device.step()).unwrap();
}
