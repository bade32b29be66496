//! The window types against memory of our own.
#![cfg(not(loom))]

use rkt_window::{ByteRing, Doorbell, Region, RingError, Side};

fn region(len: usize) -> Region {
    let words = Box::leak(vec![0u64; len.div_ceil(8)].into_boxed_slice());
    // SAFETY: leaked, so mapped for ever and reachable through nothing else.
    unsafe { Region::from_raw(words.as_mut_ptr().cast(), len) }
}

#[test]
fn accesses_outside_or_unaligned_are_errors() {
    let r = region(64);
    assert!(r.read_u32(60).is_ok());
    assert!(r.read_u32(61).is_err());
    assert!(r.read_u64(60).is_err());
    assert!(r.read_u32(usize::MAX - 1).is_err());
    assert!(r.read(1, &mut [0; 64]).is_err());
    assert!(r.sub(32, 33).is_err());
    assert!(r.sub(32, 32).is_ok());
}

#[test]
fn a_byte_ring_carries_a_stream_across_its_edge() {
    let r = region(ByteRing::region_len(64));
    let mut put = ByteRing::open(r, Side::Producer).unwrap();
    let mut take = ByteRing::open(r, Side::Consumer).unwrap();
    let (mut sent, mut got) = (0u8, 0u8);
    for step in 0..1000usize {
        let bytes: Vec<u8> = (0..step % 50).map(|i| sent.wrapping_add(i as u8)).collect();
        sent = sent.wrapping_add(put.put(&bytes).unwrap() as u8);
        let mut out = [0; 37];
        let n = take.take(&mut out).unwrap();
        for byte in &out[..n] {
            assert_eq!(*byte, got);
            got = got.wrapping_add(1);
        }
    }
    assert!(!take.peer_shut());
    put.shut();
    assert!(take.peer_shut());
}

#[test]
fn an_impossible_index_is_an_error() {
    let r = region(ByteRing::region_len(64));
    let mut take = ByteRing::open(r, Side::Consumer).unwrap();
    r.write_u32(0, 65).unwrap();
    assert_eq!(take.take(&mut [0; 8]), Err(RingError::Index { own: 0, peer: 65 }));
}

#[test]
fn no_wake_is_lost() {
    let r = region(64);
    let bell = Doorbell::at(&r, 0).unwrap();
    assert!(!bell.ring(), "nobody sleeps");
    let seen = bell.arm();
    assert!(bell.ring());
    assert_ne!(bell.word().load(std::sync::atomic::Ordering::Relaxed), seen);
    bell.disarm();
    assert!(!bell.ring());
}

#[test]
fn copies_are_whole_at_every_distance() {
    const PAGE: usize = 4096;
    let memory = region(3 * PAGE);
    let bytes: Vec<u8> = (0..1000usize).map(|i| (i * 7 + i / 256) as u8).collect();
    memory.write(0, &bytes).unwrap();
    for distance in 0..130 {
        for len in [0, 1, 63, 64, 65, 127, 1000] {
            memory.zero(PAGE, 2 * PAGE).unwrap();
            memory.copy_from(PAGE + distance, &memory, 0, len).unwrap();
            let mut copied = vec![1; len + 1];
            memory.read(PAGE + distance, &mut copied).unwrap();
            assert_eq!(copied[..len], bytes[..len], "{len} bytes, {distance} ahead");
            assert_eq!(copied[len], 0);
        }
    }
}
