//! Buffers of requests that have ended, for the next ones: a fresh one would have to be zeroed first.

use alloc::vec;
use alloc::vec::Vec;
use rkt_sync::Mutex;

/// Most buffers that are kept.
const MOST: usize = 64;
/// Most bytes that they have together.
const MOST_BYTES: usize = 8 << 20;

#[derive(Default)]
struct Kept {
    buffers: Vec<Vec<u8>>,
    bytes: usize,
}

/// Buffers that nobody uses.
#[derive(Default)]
pub struct Buffers(Mutex<Kept>);

impl Buffers {
    /// A buffer of this length. Its content is what somebody left there, or zero.
    pub fn take(&self, len: usize) -> Vec<u8> {
        let mut kept = self.0.lock();
        // The one that was used last is the likeliest to lie in the processor's cache.
        let Some(at) = kept.buffers.iter().rposition(|buffer| buffer.len() == len) else {
            drop(kept);
            return vec![0; len];
        };
        kept.bytes -= len;
        kept.buffers.remove(at)
    }

    /// Keeps a buffer, and lets go of those that were not used for longest if these are too many.
    pub fn keep(&self, buffer: Vec<u8>) {
        let mut kept = self.0.lock();
        kept.bytes += buffer.len();
        kept.buffers.push(buffer);
        let mut surplus = 0;
        while let Some(oldest) = kept.buffers.get(surplus)
            && (kept.buffers.len() - surplus > MOST || kept.bytes > MOST_BYTES)
        {
            kept.bytes -= oldest.len();
            surplus += 1;
        }
        kept.buffers.drain(..surplus);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_to_who_wants_its_length() {
        let buffers = Buffers::default();
        buffers.keep(vec![1; 4096]);
        buffers.keep(vec![2; 8192]);
        assert_eq!(buffers.take(4096), [1; 4096]);
        assert_eq!(buffers.take(4096), [0; 4096], "there was only one");
        assert_eq!(buffers.take(8192), [2; 8192]);
    }

    #[test]
    fn they_are_bounded_in_number_and_in_bytes() {
        let buffers = Buffers::default();
        (0..3 * MOST).for_each(|_| buffers.keep(vec![1; 16]));
        assert_eq!(buffers.0.lock().buffers.len(), MOST);
        (0..100).for_each(|_| buffers.keep(vec![1; 1 << 20]));
        assert!(buffers.0.lock().bytes <= MOST_BYTES);
    }
}
