//! The key expansion (FIPS 197 §5.2), in constant time and the same for all kernels.

use crate::bitslice::{self, BATCH, MAX_KEYS};
use zeroize::Zeroize;

/// Round keys of one AES key.
pub(crate) struct Schedule {
    keys: [[u8; 16]; MAX_KEYS],
    rounds: usize,
}

impl Schedule {
    /// Expands a key of 16 or 32 bytes; `None` for other lengths.
    pub(crate) fn new(key: &[u8]) -> Option<Self> {
        let rounds = match key.len() {
            16 => 10,
            32 => 14,
            _ => return None,
        };
        let in_key = key.len() / 4;
        let mut words = [[0u8; 4]; 4 * MAX_KEYS];
        for (word, bytes) in words.iter_mut().zip(key.as_chunks::<4>().0) {
            *word = *bytes;
        }
        let mut constant = 1u8;
        for i in in_key..4 * (rounds + 1) {
            let mut word = words[i - 1];
            if i % in_key == 0 {
                word.rotate_left(1);
                word = sub_word(word);
                word[0] ^= constant;
                // Times x in the field; the constants are no secret.
                constant = (constant << 1) ^ if constant & 0x80 == 0 { 0 } else { 0x1b };
            } else if in_key == 8 && i % 8 == 4 {
                word = sub_word(word);
            }
            for (byte, earlier) in word.iter_mut().zip(words[i - in_key]) {
                *byte ^= earlier;
            }
            words[i] = word;
        }
        let mut keys = [[0; 16]; MAX_KEYS];
        for (key, words) in keys.iter_mut().zip(words.as_chunks::<4>().0) {
            key.copy_from_slice(words.as_flattened());
        }
        words.zeroize();
        Some(Self { keys, rounds })
    }

    /// The round keys, in the order of encryption.
    pub(crate) fn keys(&self) -> &[[u8; 16]] {
        &self.keys[..=self.rounds]
    }

    /// The round keys of the equivalent inverse cipher (§5.3.5), in the order of decryption.
    pub(crate) fn inverse(&self) -> Self {
        let mut keys = [[0; 16]; MAX_KEYS];
        for (i, (key, from)) in keys.iter_mut().zip(self.keys().iter().rev()).enumerate() {
            *key = if i == 0 || i == self.rounds { *from } else { inv_mix(from) };
        }
        Self { keys, rounds: self.rounds }
    }
}

impl Drop for Schedule {
    fn drop(&mut self) {
        self.keys.zeroize();
    }
}

fn sub_word(word: [u8; 4]) -> [u8; 4] {
    let mut bytes = [0; BATCH];
    bytes[..4].copy_from_slice(&word);
    let [a, b, c, d, ..] = bitslice::unpack(&bitslice::sub_bytes(&bitslice::pack(&bytes)));
    [a, b, c, d]
}

fn inv_mix(key: &[u8; 16]) -> [u8; 16] {
    let mixed = bitslice::unpack(&bitslice::inv_mix_columns(&bitslice::pack(&bitslice::four(key))));
    let mut result = [0; 16];
    result.copy_from_slice(&mixed[..16]);
    result
}
