//! The drivers with honest devices: what works, before what is survived.

use rkt_blockdev::{BlockDevice, BlockError, Completion, Request, SubmitError, Token};
use rkt_netdev::{Checksum, Gso, GsoKind, NetDevice, RxMeta, TxError, TxMeta};
use rkt_tests_hostile::{DISK_LEN, Device, MAC, net_config, noise, open_disk, open_net, window};
use rkt_virtio::blk::request;
use rkt_virtio::net::{Config, Header, features, gso, header_flags};
use rkt_virtio_blk::VirtioBlk;
use zerocopy::IntoBytes;

#[test]
fn frames_pass_both_ways_many_times_round_the_rings() {
    let window = window();
    let mut device = Device::net(&window, Device::NET_FEATURES);
    let mut card = open_net(&window, &mut device).unwrap();
    assert_eq!((card.capabilities().mac, card.capabilities().mtu), (MAC, 1500));
    let mut buffer = vec![0; card.capabilities().max_rx_frame];
    for seed in 0..5000 {
        let frame = noise(seed, 60 + seed as usize % 1400);
        card.transmit(&TxMeta::default(), &[&frame[..14], &frame[14..]]).unwrap();
        card.kick().unwrap();
        assert_eq!(device.take_frame(), Some((Header::default(), frame.clone())));
        assert!(device.deliver(Header::default(), &frame));
        assert!(card.has_work());
        let meta = card.receive(&mut buffer).unwrap().unwrap();
        assert_eq!(meta, RxMeta { len: frame.len(), checksum: Checksum::Plain, gso: None });
        assert_eq!(buffer[..meta.len], frame);
        assert!(!card.transmitting() && !card.has_work());
    }
    let stats = card.stats();
    assert_eq!((stats.rx_frames, stats.tx_frames, stats.rx_invalid, stats.tx_full), (5000, 5000, 0, 0));
}

#[test]
fn segmented_frames_of_64_kib_pass_both_ways() {
    let window = window();
    let mut device = Device::net(&window, Device::NET_FEATURES);
    let mut card = open_net(&window, &mut device).unwrap();
    let frame = noise(1, 65_549);
    let checksum = Checksum::Partial { start: 34, offset: 16 };
    let kinds = [(GsoKind::Tcp4, gso::TCPV4), (GsoKind::Tcp6, gso::TCPV6), (GsoKind::Udp, gso::UDP_L4)];
    for (kind, number) in kinds.into_iter().cycle().take(200) {
        let gso_meta = Gso { kind, segment: 1448, headers: 66 };
        card.transmit(&TxMeta { checksum, gso: Some(gso_meta) }, &[&frame]).unwrap();
        card.kick().unwrap();
        let (header, sent) = device.take_frame().unwrap();
        assert_eq!((header.flags, header.gso_type), (header_flags::NEEDS_CSUM, number));
        assert_eq!((header.gso_size.get(), header.hdr_len.get()), (1448, 66));
        assert!(sent == frame);
        assert!(device.deliver(header, &frame));
        let mut buffer = vec![0; card.capabilities().max_rx_frame];
        let meta = card.receive(&mut buffer).unwrap().unwrap();
        assert_eq!(meta, RxMeta { len: frame.len(), checksum, gso: Some(gso_meta) });
        assert!(buffer == frame);
        card.kick().unwrap();
    }
}

#[test]
fn a_full_transmit_queue_says_so_and_empties() {
    let window = window();
    let mut device = Device::net(&window, Device::NET_FEATURES);
    let mut card = open_net(&window, &mut device).unwrap();
    let sent = (0..).find(|_| card.transmit(&TxMeta::default(), &[&[1; 60]]).is_err()).unwrap();
    assert_eq!(sent, 256);
    assert_eq!(card.transmit(&TxMeta::default(), &[&[1; 60]]), Err(TxError::Full));
    card.kick().unwrap();
    assert!(device.take_frame().is_some());
    assert_eq!(card.transmit(&TxMeta::default(), &[&[1; 60]]), Ok(()));
}

#[test]
fn a_plain_card_offers_no_offload_and_refuses_them() {
    let window = window();
    let mut device = Device::net(&window, rkt_virtio::features::VERSION_1 | features::MAC);
    let mut card = open_net(&window, &mut device).unwrap();
    let can = card.capabilities();
    assert!(!can.tx_checksum && !can.tx_tso4 && !can.tx_tso6);
    assert_eq!((can.max_tx_frame, can.max_rx_frame), (1514, 1514));
    let partial = TxMeta { checksum: Checksum::Partial { start: 34, offset: 16 }, gso: None };
    assert_eq!(card.transmit(&partial, &[&[0; 100]]), Err(TxError::Frame));
    assert_eq!(card.transmit(&TxMeta::default(), &[&[0; 1515]]), Err(TxError::Frame));
    assert_eq!(card.transmit(&TxMeta::default(), &[&[0; 13]]), Err(TxError::Frame));
    assert_eq!(card.transmit(&TxMeta::default(), &[]), Err(TxError::Frame));
    let mut buffer = [0; 1514];
    device.deliver_raw(Header::default(), &[8; 1514]);
    assert_eq!(card.receive(&mut buffer).unwrap().unwrap().len, 1514);
}

#[test]
fn a_callers_nonsense_is_the_callers_error() {
    let window = window();
    let mut device = Device::net(&window, Device::NET_FEATURES);
    let mut card = open_net(&window, &mut device).unwrap();
    let gso = Some(Gso { kind: GsoKind::Tcp6, segment: 1000, headers: 74 });
    let partial = |start, offset| Checksum::Partial { start, offset };
    for (checksum, gso) in [
        (partial(99, 0), None),
        (partial(u16::MAX, u16::MAX), None),
        (Checksum::Valid, None),
        (Checksum::Plain, gso),
        (partial(54, 16), Some(Gso { kind: GsoKind::Tcp6, segment: 0, headers: 74 })),
        (partial(54, 16), Some(Gso { kind: GsoKind::Tcp6, segment: 1000, headers: 101 })),
    ] {
        assert_eq!(card.transmit(&TxMeta { checksum, gso }, &[&[0; 100]]), Err(TxError::Frame));
    }
    assert_eq!(card.transmit(&TxMeta { checksum: partial(54, 16), gso }, &[&[0; 65_550]]), Err(TxError::Frame));
    assert_eq!(card.transmit(&TxMeta { checksum: partial(54, 16), gso }, &[&[0; 100]]), Ok(()));
}

fn finish(disk: &mut VirtioBlk, device: &mut Device, content: &mut [u8], request: Request) -> (Request, Vec<u32>) {
    let token = disk.submit(request).unwrap();
    let mut kinds = Vec::new();
    for _ in 0..4 {
        disk.kick();
        kinds.extend(device.serve(content));
        if let Some(completion) = disk.poll() {
            assert_eq!((completion.token, completion.result), (token, Ok(())));
            return (completion.request, kinds);
        }
    }
    panic!("no completion");
}

#[test]
fn a_disk_keeps_what_is_written() {
    let window = window();
    let mut device = Device::blk(&window, Device::BLK_FEATURES);
    let mut disk = open_disk(&window, &mut device).unwrap();
    let mut content = vec![0; DISK_LEN];
    assert_eq!((disk.geometry().len, disk.geometry().max_transfer), (DISK_LEN as u64, 128 << 10));
    for seed in 0..300 {
        let data = noise(seed, 512 * (1 + seed as usize % 256));
        let offset = 512 * (seed * 97 % 1700);
        let write = Request::Write { offset, data: data.clone(), fua: false };
        let (_, kinds) = finish(&mut disk, &mut device, &mut content, write);
        assert_eq!(kinds, [request::OUT]);
        let read = Request::Read { offset, data: vec![0; data.len()] };
        let (read, kinds) = finish(&mut disk, &mut device, &mut content, read);
        assert_eq!(kinds, [request::IN]);
        assert!(read == Request::Read { offset, data });
    }
    let (_, kinds) = finish(&mut disk, &mut device, &mut content, Request::Discard { offset: 0, len: 512 << 10 });
    assert_eq!(
        (kinds.as_slice(), content[..512 << 10].iter().all(|byte| *byte == 0)),
        ([request::DISCARD].as_slice(), true)
    );
    let stats = disk.stats();
    assert_eq!((stats.reads, stats.writes, stats.discards, stats.errors), (300, 300, 1, 0));
    assert_eq!(stats.read_bytes, stats.write_bytes);
}

#[test]
fn a_durable_write_is_a_write_and_then_a_flush() {
    let window = window();
    let mut device = Device::blk(&window, Device::BLK_FEATURES);
    let mut disk = open_disk(&window, &mut device).unwrap();
    let mut content = vec![0; DISK_LEN];
    let write = Request::Write { offset: 0, data: vec![4; 4096], fua: true };
    let (_, kinds) = finish(&mut disk, &mut device, &mut content, write);
    assert_eq!(kinds, [request::OUT, request::FLUSH]);
    let (_, kinds) = finish(&mut disk, &mut device, &mut content, Request::Flush);
    assert_eq!(kinds, [request::FLUSH]);
}

#[test]
fn a_disk_without_cache_needs_no_flush() {
    let window = window();
    let mut device = Device::blk(&window, Device::BLK_FEATURES & !rkt_virtio::blk::features::FLUSH);
    let mut disk = open_disk(&window, &mut device).unwrap();
    let mut content = vec![0; DISK_LEN];
    let write = Request::Write { offset: 0, data: vec![4; 4096], fua: true };
    assert_eq!(finish(&mut disk, &mut device, &mut content, write).1, [request::OUT]);
    assert_eq!(finish(&mut disk, &mut device, &mut content, Request::Flush).1, []);
}

#[test]
fn a_batch_completes_in_any_order_and_a_full_disk_says_so() {
    let window = window();
    let mut device = Device::blk(&window, Device::BLK_FEATURES);
    let mut disk = open_disk(&window, &mut device).unwrap();
    let read = |block: u64| Request::Read { offset: block * 512, data: vec![0; 512] };
    let mut tokens = Vec::new();
    let rejected = loop {
        match disk.submit(read(tokens.len() as u64)) {
            Ok(token) => tokens.push(token),
            Err(rejected) => break rejected,
        }
    };
    assert_eq!((rejected.error, rejected.request), (SubmitError::Full, read(tokens.len() as u64)));
    disk.kick();
    let mut chains: Vec<_> = std::iter::from_fn(|| device.next_request()).collect();
    assert_eq!((chains.len(), disk.in_flight()), (tokens.len(), tokens.len()));
    chains.reverse();
    for (chain, header, _) in &chains {
        device.finish(chain, &[header.sector.get() as u8; 512], 0);
    }
    let mut done: Vec<Completion> = std::iter::from_fn(|| disk.poll()).collect();
    assert_eq!(done.first().map(|first| first.token), tokens.last().copied());
    done.sort_by_key(|completion| completion.token);
    for (number, completion) in (0u64..).zip(done) {
        assert_eq!(completion.token, tokens[number as usize]);
        assert_eq!(completion.request, Request::Read { offset: number * 512, data: vec![number as u8; 512] });
    }
}

#[test]
fn a_failed_request_fails_alone() {
    let window = window();
    let mut device = Device::blk(&window, Device::BLK_FEATURES);
    let mut disk = open_disk(&window, &mut device).unwrap();
    for (status, error) in [(1, BlockError::Io), (2, BlockError::Refused)] {
        disk.submit(Request::Read { offset: 0, data: vec![0; 512] }).unwrap();
        disk.kick();
        let (chain, ..) = device.next_request().unwrap();
        device.finish(&chain, &[0; 512], status);
        assert_eq!(disk.poll().unwrap().result, Err(error));
    }
    assert!(disk.fault().is_none());
    assert_eq!(disk.submit(Request::Flush).unwrap(), Token(2));
}

#[test]
fn the_link_goes_and_comes() {
    let window = window();
    let mut device = Device::net(&window, Device::NET_FEATURES);
    let card = open_net(&window, &mut device).unwrap();
    for up in [true, false, true] {
        let config = Config { status: u16::from(up).into(), ..net_config() };
        device.regs().write_config(config.as_bytes()).unwrap();
        assert_eq!(card.device.link_up(), up);
    }
    device.write_generation(7);
    assert!(!card.device.link_up(), "a configuration that never comes to rest");
}
