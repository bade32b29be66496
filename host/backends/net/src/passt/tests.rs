//! passt's stream, with a socket of the test at the far end.

use super::*;
use std::io::Write;

/// Not passt at the other end, but a socket that the test holds.
fn detached() -> (Passt, UnixStream) {
    let (socket, peer) = UnixStream::pair().unwrap();
    socket.set_nonblocking(true).unwrap();
    let child = Command::new("sleep").arg("60").spawn().unwrap();
    let buffer = vec![0; BUFFER].into();
    (Passt { child, socket, mtu: 1500, buffer, start: 0, end: 0, unsent: Vec::new() }, peer)
}

/// A header and `len` bytes that say which frame it is, in memory that nobody else has.
fn packet(frame: u8, len: usize) -> [Region; 2] {
    let words = Box::leak(vec![0u64; (HEADER_LEN + len).div_ceil(8)].into_boxed_slice());
    // SAFETY: leaked, and reached through the region alone from here on.
    #[allow(unsafe_code)]
    let region = unsafe { Region::from_raw(words.as_mut_ptr().cast(), HEADER_LEN + len) };
    region.write(HEADER_LEN, &vec![frame; len]).unwrap();
    [region.sub(0, 7).unwrap(), region.sub(7, HEADER_LEN + len - 7).unwrap()]
}

#[test]
fn frames_that_the_socket_takes_in_part_arrive_whole() {
    let (mut passt, mut peer) = detached();
    let lens = [60_000, 14, 65_549, 1514];
    let reader = std::thread::spawn(move || {
        for frame in 0..200u8 {
            let mut prefix = [0; PREFIX];
            peer.read_exact(&mut prefix).unwrap();
            let mut bytes = vec![0; u32::from_be_bytes(prefix) as usize];
            peer.read_exact(&mut bytes).unwrap();
            assert!(bytes == vec![frame; lens[usize::from(frame) % 4]], "frame {frame}");
        }
    });
    let mut blocked = 0;
    for frame in 0..200u8 {
        let packet = packet(frame, lens[usize::from(frame) % 4]);
        while passt.send(&packet).unwrap() == Sent::Blocked {
            blocked += 1;
            std::thread::yield_now();
        }
    }
    while !passt.flush().unwrap() {
        std::thread::yield_now();
    }
    reader.join().unwrap();
    assert!(blocked > 0, "the socket was never full, so the test shows nothing");
    assert_eq!(passt.send(&packet(0, 13)).unwrap(), Sent::Refused);
    assert_eq!(passt.send(&packet(0, MAX_FRAME + 1)).unwrap(), Sent::Refused);
}

#[test]
fn frames_are_found_in_a_stream_cut_anywhere() {
    let (mut passt, mut peer) = detached();
    let stream: Vec<u8> = (1..=60u8)
        .flat_map(|frame| {
            [&(u32::from(frame) * 100).to_be_bytes()[..], &vec![frame; usize::from(frame) * 100]].concat()
        })
        .collect();
    let mut pieces = stream.chunks(777);
    let mut expected = 1..=60u8;
    while !expected.is_empty() {
        let room = packet(0, 4000);
        let mut overflow = [0; 4000];
        match passt.receive(&room, &mut overflow).unwrap() {
            Received::Packet(len) => {
                let frame = expected.next().unwrap();
                let mut bytes = vec![0; len.min(total_len(&room)) - HEADER_LEN];
                gather(&room, HEADER_LEN, &mut bytes);
                bytes.extend(&overflow[..len - HEADER_LEN - bytes.len()]);
                assert!(bytes == vec![frame; usize::from(frame) * 100], "frame {frame}");
            }
            Received::Nothing => peer.write_all(pieces.next().unwrap()).unwrap(),
            Received::Cut => panic!("there is room for all"),
        }
    }
    drop(peer);
    // A child of another test may hold the other end for a moment, between its fork and its exec.
    let end = std::iter::repeat_with(|| passt.receive(&packet(0, 100), &mut []))
        .find(|received| !matches!(received, Ok(Received::Nothing)));
    assert_eq!(end.unwrap().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
}

#[test]
fn an_impossible_length_ends_the_stream() {
    let (mut passt, mut peer) = detached();
    peer.write_all(&[0xff; 4]).unwrap();
    assert_eq!(passt.receive(&packet(0, 100), &mut []).unwrap_err().kind(), io::ErrorKind::InvalidData);
}
