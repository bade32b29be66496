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
