//! One direction of a link: what becomes of each frame, by seed.

use rkt_tests_virtio::Random;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Chances are told in millionths.
const MILLION: u64 = 1_000_000;
/// Bytes of the Ethernet header, which is spared: a frame for nobody would only be lost.
const SPARED: usize = 14;
/// Frames that wait for the wire at most where there is no rate.
const FRAMES: usize = 10_000;

/// How a direction is. Chances are in millionths, times in ns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// Chance of a frame to be lost.
    pub loss: u64,
    /// What each frame takes.
    pub delay: u64,
    /// Chance of a frame to be held up, so that others overtake it.
    pub reorder: u64,
    /// How long at most it is held up.
    pub hold: u64,
    /// Chance of a frame to arrive twice.
    pub duplicate: u64,
    /// Chance of a frame to have a bit changed.
    pub corrupt: u64,
    /// Bits a second; zero: no limit.
    pub rate: u64,
    /// Bytes that wait for the wire before others are dropped, where there is a rate.
    pub queue: u64,
}

/// What happened to frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Offered.
    pub offered: u64,
    /// Lost by chance.
    pub lost: u64,
    /// Dropped because the queue was full.
    pub dropped: u64,
}

/// A frame on its way: when it arrives, and its number, which keeps the order of those that arrive together.
type Flying = Reverse<(u64, u64, Vec<u8>)>;

/// One direction: frames go in with the time, and come out when they are due.
pub struct Link {
    shape: Shape,
    random: Random,
    /// When the wire is free.
    free: u64,
    flying: BinaryHeap<Flying>,
    number: u64,
    tally: Tally,
}

impl Link {
    /// A link of this shape; the same seed and frames have the same fate.
    pub fn new(shape: Shape, seed: u64) -> Self {
        Self { shape, random: Random(seed), free: 0, flying: BinaryHeap::new(), number: 0, tally: Tally::default() }
    }

    /// A frame is sent.
    pub fn offer(&mut self, now: u64, frame: &[u8]) {
        self.tally.offered += 1;
        if self.chance(self.shape.loss) {
            self.tally.lost += 1;
            return;
        }
        let Some(leaves) = self.leave(now, frame.len()) else {
            self.tally.dropped += 1;
            return;
        };
        let copies = 1 + u64::from(self.chance(self.shape.duplicate));
        for _ in 0..copies {
            let held = if self.chance(self.shape.reorder) { self.random.below(self.shape.hold.max(1)) } else { 0 };
            let mut frame = frame.to_vec();
            if self.chance(self.shape.corrupt) && frame.len() > SPARED {
                let at = SPARED as u64 + self.random.below((frame.len() - SPARED) as u64);
                frame[at as usize] ^= 1 << self.random.below(8);
            }
            self.number += 1;
            self.flying.push(Reverse((leaves + self.shape.delay + held, self.number, frame)));
        }
    }

    /// When the next frame is due.
    pub fn next(&self) -> Option<u64> {
        self.flying.peek().map(|Reverse((time, ..))| *time)
    }

    /// A frame that is due.
    pub fn take(&mut self, now: u64) -> Option<Vec<u8>> {
        if self.next()? > now {
            return None;
        }
        self.flying.pop().map(|Reverse((.., frame))| frame)
    }

    /// What happened so far.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// When the last bit is on the wire; `None` if there is no place to wait.
    fn leave(&mut self, now: u64, len: usize) -> Option<u64> {
        if self.shape.rate == 0 {
            return (self.flying.len() < FRAMES).then_some(now);
        }
        let takes = |bytes: u64| bytes * 8 * 1_000_000_000 / self.shape.rate;
        let begins = self.free.max(now);
        if begins - now > takes(self.shape.queue) {
            return None;
        }
        self.free = begins + takes(len as u64);
        Some(self.free)
    }

    fn chance(&mut self, millionths: u64) -> bool {
        // The sequence of numbers is the same whatever the shape.
        self.random.below(MILLION) < millionths
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn through(shape: Shape, frames: u64, apart: u64) -> Vec<(u64, Vec<u8>)> {
        let mut link = Link::new(shape, 7);
        let mut out = Vec::new();
        for number in 0..frames {
            link.offer(number * apart, &[number as u8; 1000]);
        }
        while let Some(time) = link.next() {
            out.push((time, link.take(time).expect("a frame that is due")));
        }
        out
    }

    #[test]
    fn a_plain_link_delays_and_keeps_the_order() {
        let out = through(Shape { delay: 5 * MS, ..Shape::default() }, 100, MS);
        assert!(
            out.iter()
                .enumerate()
                .all(|(n, (time, frame))| { *time == (n as u64 + 5) * MS && *frame == [n as u8; 1000] })
        );
        assert_eq!(out.len(), 100);
    }

    #[test]
    fn chances_are_what_they_say_and_the_seed_repeats_them() {
        let shape = Shape { loss: 100_000, duplicate: 50_000, ..Shape::default() };
        let out = through(shape, 10_000, MS);
        // 10,000 · 0.9 · 1.05, and four times the deviation.
        assert!((9_310..9_590).contains(&out.len()), "{}", out.len());
        assert_eq!(out, through(shape, 10_000, MS));
    }

    #[test]
    fn held_frames_are_overtaken_and_one_bit_differs() {
        let held = through(Shape { reorder: 100_000, hold: 10 * MS, ..Shape::default() }, 1000, MS);
        assert!(held.windows(2).any(|pair| pair[0].1[0] == pair[1].1[0].wrapping_add(1)));
        let bits: u32 = through(Shape { corrupt: 1_000_000, ..Shape::default() }, 100, MS)
            .iter()
            .enumerate()
            .map(|(n, (_, frame))| frame.iter().map(|byte| (byte ^ n as u8).count_ones()).sum::<u32>())
            .sum();
        assert_eq!(bits, 100);
    }

    #[test]
    fn a_rate_spaces_frames_and_a_full_queue_drops_them() {
        // 1,000 bytes at 8 Mbit/s take a millisecond.
        let shape = Shape { rate: 8_000_000, queue: 10_000, ..Shape::default() };
        let out = through(shape, 100, 0);
        assert_eq!(out.len(), 11);
        assert!(out.windows(2).all(|pair| pair[1].0 - pair[0].0 == MS));
    }
}
