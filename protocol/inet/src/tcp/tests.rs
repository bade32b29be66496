use super::*;
use std::vec::Vec;

const HEADER: Header = Header {
    source_port: 43_210,
    destination_port: 80,
    sequence: 0xdead_beef,
    acknowledgement: 0x0102_0304,
    flags: Flags::ACK.union(Flags::PSH).union(Flags::AE),
    window: 502,
    checksum: 0x1234,
    urgent: 7,
};

fn block(left: u32) -> SackBlock {
    SackBlock { left, right: left + 100 }
}

#[test]
fn a_segment_survives_the_wire() {
    let mut bytes = [0xaa; 40];
    let timestamps = Some(Timestamps { value: 1, echo: 2 });
    let options = Options { timestamps, ..Options::default() };
    assert_eq!(HEADER.emit(&options, &mut bytes), Ok(32));
    let segment = Segment::parse(&bytes).unwrap();
    assert_eq!((segment.header, segment.payload), (HEADER, &[0xaa; 8][..]));
    assert_eq!(segment.options, [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2]);
    assert_eq!(Options::parse(segment.options), options);
    assert_eq!(Segment::parse(&bytes[..31]), Err(Malformed::Truncated));
    let quote = Quote::parse(&bytes[..8]).unwrap();
    assert_eq!((quote.source_port, quote.destination_port, quote.sequence), (43_210, 80, 0xdead_beef));
    bytes[12] = 0x40;
    assert_eq!(Segment::parse(&bytes), Err(Malformed::Length));
}

#[test]
fn every_mix_of_options_survives_the_wire() {
    let mut bytes = [0; 80];
    for mix in 0..16u8 {
        for blocks in 0..=MAX_SACK_BLOCKS {
            let mut options = Options {
                mss: (mix & 1 != 0).then_some(1460),
                window_scale: (mix & 2 != 0).then_some(7),
                sack_permitted: mix & 4 != 0,
                timestamps: (mix & 8 != 0).then_some(Timestamps { value: 0xffff_0000, echo: 3 }),
                sack: SackBlocks::default(),
            };
            for i in 0..blocks as u32 {
                assert!(options.sack.push(block(i * 1000)));
            }
            let emitted = HEADER.emit(&options, &mut bytes);
            if options.len() > MAX_OPTIONS_LEN {
                assert_eq!(emitted, Err(NoRoom));
                continue;
            }
            assert_eq!(emitted, Ok(HEADER_LEN + options.len()));
            let segment = Segment::parse(&bytes).unwrap();
            assert_eq!(Options::parse(segment.options), options, "{options:?}");
        }
    }
}

#[test]
fn the_options_of_a_syn_take_twenty_bytes() {
    let timestamps = Some(Timestamps::default());
    let options =
        Options { mss: Some(1460), window_scale: Some(7), sack_permitted: true, timestamps, ..Options::default() };
    assert_eq!(options.len(), 20);
}

#[test]
fn a_broken_list_counts_as_far_as_it_is_whole() {
    let parse = |tail: &[u8]| {
        let mut bytes = Vec::from([kind::MSS, 4, 5, 0xb4]);
        bytes.extend(tail);
        Options::parse(&bytes)
    };
    let mss = Options { mss: Some(1460), ..Options::default() };
    // No length, a length below two, one beyond the end, one that is not the kind's.
    for tail in [&[kind::SACK][..], &[9, 1, 0], &[9, 0, 0], &[9, 9], &[kind::WINDOW_SCALE, 4, 1, 1]] {
        assert_eq!(parse(tail), mss, "{tail:?}");
    }
    assert_eq!(parse(&[kind::END, kind::WINDOW_SCALE, 3, 1]), mss);
    // Unknown ones are skipped, too large shifts cut.
    assert_eq!(parse(&[30, 3, 0, kind::WINDOW_SCALE, 3, 200]), Options { window_scale: Some(14), ..mss });
}

#[test]
fn a_fifth_block_is_left_out() {
    let mut list = Vec::from([kind::SACK, 42]);
    for i in 0..5u32 {
        list.extend((i * 10).to_be_bytes());
        list.extend((i * 10 + 5).to_be_bytes());
    }
    let sack = Options::parse(&list).sack;
    assert_eq!(sack.as_slice().len(), 4);
    assert_eq!(sack.as_slice()[3], SackBlock { left: 30, right: 35 });
    assert_eq!(Options::parse(&[kind::SACK, 9, 0, 0, 0, 1, 0, 0, 0]).sack.as_slice(), []);
}
