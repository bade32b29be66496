//! What the fuzz targets share.

use rkt_window::Region;

/// Memory as the other half sees it: leaked once per size and thread.
/// It holds what the call before left there: callers zero what they read.
pub fn shared(len: usize) -> Region {
    use std::cell::RefCell;
    use std::collections::HashMap;
    thread_local!(static REGIONS: RefCell<HashMap<usize, Region>> = RefCell::default());
    REGIONS.with_borrow_mut(|regions| {
        *regions.entry(len).or_insert_with(|| {
            let words = Box::leak(vec![0u64; len.div_ceil(8)].into_boxed_slice());
            // SAFETY: leaked, so mapped for ever and reachable through the region alone.
            unsafe { Region::from_raw(words.as_mut_ptr().cast(), len) }
        })
    })
}

/// Reads a script from bytes; when they end, zeros go on.
pub struct Script<'a>(pub &'a [u8]);

impl<'a> Script<'a> {
    /// Whether nothing is left.
    pub fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    /// The next bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        let (taken, rest) = self.0.split_at(self.0.len().min(N));
        bytes[..taken.len()].copy_from_slice(taken);
        self.0 = rest;
        bytes
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        let [byte] = self.bytes();
        byte
    }

    /// The next bytes, as many as the first of them says.
    pub fn slice(&mut self) -> &'a [u8] {
        let len = usize::from(self.byte()).min(self.0.len());
        let (taken, rest) = self.0.split_at(len);
        self.0 = rest;
        taken
    }

    /// A span of nanoseconds: short and long ones are as likely.
    pub fn span(&mut self) -> u64 {
        let [mantissa, exponent] = self.bytes();
        u64::from(mantissa) << (exponent % 44)
    }
}
