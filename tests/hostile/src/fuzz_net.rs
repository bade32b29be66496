//! A card whose every move is chosen by bytes.

use crate::{Card, Device, Script, net_config, open_net, window};
use rkt_netdev::{Checksum, Gso, GsoKind, RxMeta, TxMeta};
use rkt_virtio::net::{Config, Header};
use rkt_virtio::{device_id, status};
use rkt_virtio_transport::StatusWord;
use rkt_window::layout::{DEVICE_SLOT_LEN, DEVICE_SLOTS};
use zerocopy::IntoBytes;

const CANARY: u8 = 0xa5;
const BUFFER: usize = 70_000;

/// Opens a card and drives it against a device that `data` scripts. Then the device turns honest,
/// and a reset has to bring the card back.
///
/// # Panics
/// If the driver gives out what is not consistent, or does not recover.
pub fn fuzz_net(data: &[u8]) {
    let mut script = Script::new(data);
    let window = window();
    let features = if script.one_in(2) { Device::PACKED_FEATURES } else { Device::NET_FEATURES };
    let mut device = Device::net(&window, features);
    let mut described = (features, net_config());
    if script.one_in(4) {
        described = describe(&mut device, &mut script);
    }
    let Ok(mut card) = open_net(&window, &mut device) else { return };
    let mut buffer = vec![CANARY; BUFFER];
    // Each turn takes at least a byte of the script.
    while !script.is_done() {
        turn(&mut script, &mut device, &mut card, &mut buffer);
    }
    recover(&mut device, described, &mut card, &mut buffer);
}

/// A description that may make no sense: features and configuration.
fn describe(device: &mut Device, script: &mut Script<'_>) -> (u64, Config) {
    let mut config = net_config();
    config.mac[0] = script.u8();
    config.mtu = script.u16().into();
    let kind = if script.one_in(8) { script.u32() } else { device_id::NET };
    let features = script.u64() | 1 << 32;
    device.describe(kind, features, &[1 << (script.u8() % 16), script.u16()], config.as_bytes());
    (features, config)
}

fn turn(script: &mut Script<'_>, device: &mut Device, card: &mut Card, buffer: &mut [u8]) {
    match script.u8() % 15 {
        0..=2 => receive(card, buffer),
        3..=4 => transmit(card, script),
        5 => {
            let down = card.kick().is_err();
            assert_eq!(down, card.fault().is_some());
        }
        6..=7 => {
            let frame = vec![script.u8(); script.below(BUFFER)];
            device.deliver(header(script), &frame);
        }
        8 => {
            if let Some(chain) = device.rx_buffer() {
                let header = header(script);
                device.fill(&chain, header.as_bytes());
                device.use_chain(0, chain.head, script.u32() % 5000);
            }
        }
        9 => while device.take_frame().is_some() {},
        10..=13 => lie(script, device),
        _ => {
            let honest = !script.one_in(4);
            let _down = card.reset(&mut || {
                if honest {
                    device.step();
                }
            });
        }
    }
    check(card);
}

/// One of the lies that take the device down, most of the time.
pub(crate) fn lie(script: &mut Script<'_>, device: &mut Device) {
    match script.u8() % 16 {
        0 => device.use_chain(script.below(2), script.u32() % 512, script.u32() % 8192),
        1 => device.write_used_index(script.below(2), script.u16()),
        2 => device.regs().answer(StatusWord::from_word(script.u32())),
        3 => device.add_status(status::DEVICE_NEEDS_RESET),
        4..=7 => scribble(device, script),
        _ => {}
    }
}

fn check(card: &Card) {
    let can = card.capabilities();
    assert!(can.mtu >= 68 && can.mac[0] & 1 == 0);
    assert!(can.max_rx_frame <= BUFFER && can.max_tx_frame <= BUFFER);
}

fn header(script: &mut Script<'_>) -> Header {
    let mut header = Header { num_buffers: 1.into(), ..Header::default() };
    if script.one_in(2) {
        header.flags = script.u8() % 8;
        header.gso_type = script.u8() % 8;
        header.hdr_len = script.u16().into();
        header.gso_size = script.u16().into();
        header.csum_start = (script.u16() % 2048).into();
        header.csum_offset = (script.u16() % 2048).into();
        header.num_buffers = (script.u16() % 32).into();
    }
    header
}

/// Overwrites up to 64 bytes of the registers or of the DMA area.
fn scribble(device: &Device, script: &mut Script<'_>) {
    let len = 1 + script.below(64);
    let offset = match script.u8() % 3 {
        0 => DEVICE_SLOTS + crate::SLOT * DEVICE_SLOT_LEN + script.below(DEVICE_SLOT_LEN - len),
        1 => device.setup(script.below(2)).map_or(0, |setup| setup.device as usize) + script.below(2048),
        _ => script.below(device.window.len() - len),
    };
    let bytes: Vec<u8> = (0..len).map(|_| script.u8()).collect();
    device.window.write(offset, &bytes).expect("an offset in the window");
}

fn receive(card: &mut Card, buffer: &mut [u8]) {
    let longest = card.capabilities().max_rx_frame;
    buffer.fill(CANARY);
    if let Ok(Some(meta)) = card.receive(buffer) {
        check_frame(&meta, longest);
    }
    assert!(buffer[longest..].iter().all(|byte| *byte == CANARY), "bytes behind the longest frame");
}

fn check_frame(meta: &RxMeta, longest: usize) {
    assert!((14..=longest).contains(&meta.len), "{meta:?}");
    if let Checksum::Partial { start, offset } = meta.checksum {
        assert!(usize::from(start) + usize::from(offset) + 2 <= meta.len, "{meta:?}");
    }
    if let Some(gso) = meta.gso {
        assert!(gso.segment > 0 && usize::from(gso.headers) <= meta.len, "{meta:?}");
    }
}

fn transmit(card: &mut Card, script: &mut Script<'_>) {
    let mut meta = TxMeta::default();
    if script.one_in(2) {
        meta.checksum = Checksum::Partial { start: script.u16() % 128, offset: script.u16() % 64 };
        meta.gso = Some(Gso { kind: GsoKind::Tcp4, segment: script.u16(), headers: 54 });
    }
    let frame = vec![script.u8(); script.below(BUFFER)];
    let (first, second) = frame.split_at(script.below(frame.len()));
    if card.transmit(&meta, &[first, second]).is_ok() {
        assert!(frame.len() >= 14 && frame.len() <= card.capabilities().max_tx_frame);
    }
}

/// The same device turned honest, and a reset: frames pass again, both ways.
fn recover(device: &mut Device, (features, config): (u64, Config), card: &mut Card, buffer: &mut [u8]) {
    device.describe(device_id::NET, features, &[256, 256], config.as_bytes());
    device.settle_config();
    // A word that the lying device left behind may pass for an answer to the first reset.
    let up = (0..2).any(|_| card.reset(&mut || device.step()).is_ok());
    assert!(up, "an honest device comes up");
    card.transmit(&TxMeta::default(), &[&[7; 60]]).expect("room for a frame");
    card.kick().expect("an honest device");
    assert_eq!(device.take_frame().map(|(_, frame)| frame), Some(vec![7; 60]));
    let len = card.capabilities().max_rx_frame.min(4000);
    assert!(device.deliver(Header::default(), &vec![9; len]));
    let meta = card.receive(buffer).expect("an honest device").expect("a frame");
    assert_eq!((meta.len, buffer[..len].iter().all(|byte| *byte == 9)), (len, true));
}
