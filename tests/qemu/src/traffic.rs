//! Frames that tell their number, and whoever sends, takes and compares them.

use rkt_netdev::{TxError, TxMeta};
use rkt_tests_hostile::Card;
use rkt_tests_virtio::Random;
use rkt_tests_virtio::packets::{EXPERIMENT, ethernet};
use std::time::{Duration, Instant};

/// Bytes of the longest frame.
const LONGEST: usize = 1514;
/// The header, and a frame's number behind it.
const NUMBERED: usize = 14 + 8;
/// Nothing that works stands still for so long.
const WATCHDOG: Duration = Duration::from_secs(60);

/// The frames of one direction: each known by its number, of any length and content.
pub struct Traffic {
    to: [u8; 6],
    from: [u8; 6],
    bytes: Vec<u8>,
}

impl Traffic {
    /// Frames between two cards.
    pub fn new(to: [u8; 6], from: [u8; 6], seed: u64) -> Self {
        Self { to, from, bytes: Random(seed).bytes(64 << 10) }
    }

    /// A frame by its number.
    pub fn frame(&self, number: u64) -> Vec<u8> {
        let mut random = Random(number);
        let len = random.below((LONGEST - NUMBERED) as u64 + 1) as usize;
        let at = random.below((self.bytes.len() - len) as u64) as usize;
        let payload = [&number.to_be_bytes()[..], &self.bytes[at..at + len]].concat();
        ethernet(self.to, self.from, EXPERIMENT, &payload)
    }

    /// The number that a frame claims; `None` if it is no frame of this kind.
    pub fn number(frame: &[u8]) -> Option<u64> {
        let ours = frame.get(12..14)? == EXPERIMENT.to_be_bytes();
        ours.then(|| frame.get(14..NUMBERED)?.try_into().ok().map(u64::from_be_bytes)).flatten()
    }

    /// Compares a frame with the one of its number, and returns that. Short ones may be padded.
    ///
    /// # Panics
    /// They differ.
    pub fn check(&self, frame: &[u8]) -> Option<u64> {
        let number = Self::number(frame)?;
        let sent = self.frame(number);
        assert!(frame.get(..sent.len()) == Some(&sent[..]) && frame.len() <= sent.len().max(60), "frame {number}");
        Some(number)
    }
}

/// Drives a card from its vCPU: sends frames and takes those that come.
pub struct Driver<'a> {
    card: &'a mut Card,
    buffer: Vec<u8>,
    moved: Instant,
}

impl<'a> Driver<'a> {
    /// For this card.
    pub fn new(card: &'a mut Card) -> Self {
        Self { card, buffer: vec![0; 70_000], moved: Instant::now() }
    }

    /// Sends frame `number` if there is room. Whether there was.
    ///
    /// # Panics
    /// The card is down.
    pub fn send(&mut self, traffic: &Traffic, number: u64) -> bool {
        match self.card.transmit(&TxMeta::default(), &[&traffic.frame(number)]) {
            Ok(()) => {
                self.moved = Instant::now();
                true
            }
            Err(TxError::Full) => false,
            Err(error) => panic!("{error}: {:?}", self.card.fault()),
        }
    }

    /// The number of the next frame that came.
    ///
    /// # Panics
    /// The card is down, or the frame is not what was sent.
    pub fn take(&mut self, traffic: &Traffic) -> Option<u64> {
        loop {
            let received = self.card.receive(&mut self.buffer);
            let meta = received.unwrap_or_else(|_| panic!("the card is down: {:?}", self.card.fault()))?;
            if let Some(number) = traffic.check(&self.buffer[..meta.len]) {
                self.moved = Instant::now();
                return Some(number);
            }
        }
    }

    /// Kicks the card, and lets others run.
    ///
    /// # Panics
    /// The card is down, or nothing has moved for long.
    pub fn turn(&mut self) {
        self.card.kick().unwrap_or_else(|_| panic!("the card is down: {:?}", self.card.fault()));
        assert!(self.moved.elapsed() < WATCHDOG, "nothing moves");
        std::thread::yield_now();
    }
}
