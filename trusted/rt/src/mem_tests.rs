use std::vec::Vec;

use super::*;

const LENGTHS: usize = 600;
const OFFSETS: usize = 32;
/// Lengths about the thresholds that the exhaustive range does not reach.
const LONG: [usize; 6] = [1023, 1024, 4095, 4096, 4097, 10_000];

fn lengths() -> impl Iterator<Item = usize> {
    (0..LENGTHS).chain(LONG)
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i.wrapping_mul(167) >> 3) as u8).collect()
}

#[test]
fn copies_like_std() {
    for len in lengths() {
        let source = pattern(len + OFFSETS);
        for offset in 0..OFFSETS {
            let mut ours = std::vec![0xee; len + 2 * OFFSETS];
            let mut std = ours.clone();
            let (from, to) = (offset, OFFSETS - 1 - offset * 7 % OFFSETS);
            std[to..to + len].copy_from_slice(&source[from..from + len]);
            // SAFETY: both ranges lie in their vectors.
            unsafe { copy(ours.as_mut_ptr().add(to), source.as_ptr().add(from), len) };
            assert_eq!(ours, std, "len {len}, from {from}, to {to}");
        }
    }
}

#[test]
fn moves_overlapping_areas_like_std() {
    for len in lengths() {
        let whole = pattern(len + 160);
        let distances = (0..OFFSETS).chain([47, 63, 64, 65, 127, 128]);
        for (from, to) in distances.flat_map(|d| [(d, 0), (0, d), (d, 31), (17, d)]) {
            let mut ours = whole.clone();
            let mut std = whole.clone();
            std.copy_within(from..from + len, to);
            let start = ours.as_mut_ptr();
            // SAFETY: both ranges lie in the vector.
            unsafe { copy_overlapping(start.add(to), start.add(from), len) };
            assert_eq!(ours, std, "len {len}, from {from}, to {to}");
        }
    }
}

#[test]
fn fills_like_std() {
    for len in lengths() {
        for to in 0..OFFSETS {
            let mut ours = std::vec![0xee; len + 2 * OFFSETS];
            let mut std = ours.clone();
            std[to..to + len].fill(0xa5);
            // SAFETY: the range lies in the vector.
            unsafe { fill(ours.as_mut_ptr().add(to), 0xa5, len) };
            assert_eq!(ours, std, "len {len}, to {to}");
        }
    }
}

#[test]
fn compares_like_std() {
    for len in 0..LENGTHS {
        let a = pattern(len + OFFSETS);
        for offset in [0, 1, 7, 15, 31] {
            let left = &a[offset..offset + len];
            let mut right = left.to_vec();
            // SAFETY: both are `len` bytes long.
            let ours = |right: &[u8]| unsafe { compare(left.as_ptr(), right.as_ptr(), len) };
            assert_eq!(ours(&right), 0);
            for at in (0..len).step_by(if len < 64 { 1 } else { 13 }) {
                for change in [1, 0x80, 0xff] {
                    right[at] = right[at].wrapping_add(change);
                    // A later difference of the other sign must not count.
                    if let Some(later) = right.get_mut(at + 1) {
                        *later ^= 0xff;
                    }
                    let std = left.cmp(&right) as i32;
                    assert_eq!(ours(&right).signum(), std, "len {len}, at {at}");
                    right.copy_from_slice(left);
                }
            }
        }
    }
}

#[test]
fn measures_strings() {
    for len in 0..100 {
        let mut text = std::vec![b'x'; len];
        text.extend_from_slice(b"\0y\0");
        // SAFETY: there is a zero byte.
        assert_eq!(unsafe { string_len(text.as_ptr()) }, len);
    }
}
