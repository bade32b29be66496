//! Bytes that are told by their place in the stream.

use rkt_tests_virtio::Random;

/// The period: prime, so that no segment or buffer that is left out or comes twice goes unnoticed.
const PERIOD: usize = 1_000_003;

/// An endless stream of known bytes.
pub struct Pattern {
    bytes: Vec<u8>,
}

impl Pattern {
    /// The stream of this seed.
    pub fn new(seed: u64) -> Self {
        Self { bytes: Random(seed).bytes(PERIOD) }
    }

    /// Bytes from the place `at` on: at least one, at most `most`.
    pub fn at(&self, at: u64, most: usize) -> &[u8] {
        let start = (at % PERIOD as u64) as usize;
        &self.bytes[start..PERIOD.min(start + most)]
    }

    /// The first place in which `bytes`, which should start at `at`, differ.
    pub fn differs(&self, at: u64, bytes: &[u8]) -> Option<u64> {
        let mut done = 0;
        while done < bytes.len() {
            let expected = self.at(at + done as u64, bytes.len() - done);
            let found = &bytes[done..done + expected.len()];
            if expected != found {
                let wrong = expected.iter().zip(found).position(|(a, b)| a != b);
                return wrong.map(|wrong| at + (done + wrong) as u64);
            }
            done += expected.len();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_missing_or_repeated_byte_is_found() {
        let pattern = Pattern::new(1);
        let mut bytes: Vec<u8> = Vec::new();
        while bytes.len() < 2 * PERIOD {
            bytes.extend(pattern.at(bytes.len() as u64, 4096));
        }
        assert_eq!(pattern.differs(0, &bytes), None);
        assert_eq!(pattern.differs(5, &bytes[5..]), None);
        assert!(pattern.differs(0, &bytes[1448..]).is_some() && pattern.differs(1448, &bytes).is_some());
        bytes[PERIOD + 7] ^= 1;
        assert_eq!(pattern.differs(0, &bytes), Some(PERIOD as u64 + 7));
    }
}
