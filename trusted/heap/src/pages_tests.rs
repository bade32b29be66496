use std::vec::Vec;

use super::*;
use crate::region::Region;

const LEN: usize = 24 << 20;

/// A page allocator over memory that nobody ever frees.
fn pages(keep: usize) -> Pages {
    let memory: &'static mut [u64] = std::vec![0; LEN / 8].leak();
    // SAFETY: the memory is zero, leaked and used by nobody else.
    let region = unsafe { Region::divide(memory.as_mut_ptr().cast(), LEN).unwrap() };
    Pages::new(region.origin, (region.first, region.pages), keep, region.info, region.dirty)
}

/// As the host does it: the pages read as zero afterwards.
fn release(address: *mut u8, len: usize) -> bool {
    assert!(address.addr().is_multiple_of(PAGE) && len.is_multiple_of(PAGE) && len > 0);
    // SAFETY: the pages are free, and the test's own.
    unsafe { address.write_bytes(0, len) };
    true
}

fn refuse(_: *mut u8, _: usize) -> bool {
    false
}

/// All free blocks as (index, order).
fn free_blocks(pages: &Pages) -> Vec<(usize, usize)> {
    let buddy = pages.buddy.lock();
    let list = |order| core::iter::successors(buddy.first(order), |&block| buddy.after(block));
    let mut blocks: Vec<_> = (0..=MAX_ORDER).flat_map(list).map(|block| (block.index, block.order)).collect();
    blocks.sort_unstable();
    blocks
}

fn bytes(address: NonNull<u8>, pages: usize) -> &'static mut [u8] {
    // SAFETY: the test has been given these pages, and looks at them in one place at a time.
    unsafe { core::slice::from_raw_parts_mut(address.as_ptr(), pages * PAGE) }
}

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

/// Random allocation against a model: no overlap, alignment, zeros where promised, and at the end
/// everything in one piece again.
fn churn(seed: u64, keep: usize, release: Release) {
    let pages = pages(keep);
    let whole = free_blocks(&pages);
    let mut random = Random(seed);
    let mut live: Vec<(NonNull<u8>, usize, u8)> = Vec::new();
    for round in 0..4000 {
        if random.below(100) < if round / 500 % 2 == 0 { 60 } else { 40 } {
            let largest = 1 << random.below(9);
            let count = 1 + random.below(largest);
            let align = PAGE << if random.below(4) == 0 { random.below(10) } else { 0 };
            let zeroed = random.below(2) == 0;
            let got = if zeroed { pages.alloc_zeroed(count, align) } else { pages.alloc(count, align) };
            let Some(address) = got else { continue };
            assert_eq!(address.addr().get() % align, 0);
            let content = bytes(address, count);
            assert!(!zeroed || content.iter().all(|&byte| byte == 0), "round {round}");
            let mark = round as u8 | 1;
            content.fill(mark);
            live.push((address, count, mark));
        } else if !live.is_empty() {
            let (address, count, mark) = live.swap_remove(random.below(live.len()));
            assert!(bytes(address, count).iter().all(|&byte| byte == mark), "overlap in round {round}");
            let part = random.below(count);
            // SAFETY: allocated above; the block is freed in two parts.
            unsafe {
                pages.free(address.as_ptr().wrapping_add(part * PAGE), count - part, release);
                pages.free(address.as_ptr(), part, release);
            }
        }
        let used = live.iter().map(|&(_, count, _)| count).sum();
        let stats = pages.stats();
        assert_eq!((stats.used, stats.free), (used, stats.total - used));
        assert!(stats.dirty <= stats.free);
    }
    for (address, count, _) in live {
        // SAFETY: allocated above.
        unsafe { pages.free(address.as_ptr(), count, release) };
    }
    assert_eq!(free_blocks(&pages), whole);
    pages.trim(self::release);
    assert_eq!(free_blocks(&pages), whole);
    let largest = whole.iter().map(|&(_, order)| order).max().unwrap();
    let small = whole.iter().filter(|&&(_, order)| order < RELEASE_MIN_ORDER).map(|&(_, order)| 1 << order).sum();
    assert!(pages.stats().dirty <= small, "only what is too small to release is left");
    assert!(bytes(pages.alloc_zeroed(1 << largest, PAGE).unwrap(), 1 << largest).iter().all(|&byte| byte == 0));
}

#[test]
fn keeps_order_without_releasing() {
    (0..4).for_each(|seed| churn(seed, usize::MAX, refuse));
}

#[test]
fn keeps_order_with_much_releasing() {
    (10..14).for_each(|seed| churn(seed, 256, release));
}

#[test]
fn keeps_order_with_a_host_that_refuses() {
    (20..22).for_each(|seed| churn(seed, 0, refuse));
}

#[test]
fn releases_beyond_the_mark_only() {
    let pages = pages(1024);
    let blocks: Vec<_> = (0..64).map(|_| pages.alloc(32, PAGE).unwrap()).collect();
    for (freed, address) in blocks.into_iter().enumerate() {
        // SAFETY: allocated above.
        unsafe { pages.free(address.as_ptr(), 32, release) };
        let dirty = pages.stats().dirty;
        assert!(dirty <= 1024, "{dirty}");
        assert!(freed >= 32 || dirty == 32 * (freed + 1));
    }
}

#[test]
fn refuses_what_cannot_be() {
    let pages = pages(0);
    assert!(pages.alloc(0, PAGE).is_none());
    assert!(pages.alloc(usize::MAX, PAGE).is_none());
    assert!(pages.alloc(LEN / PAGE, PAGE).is_none());
    assert!(pages.alloc(1, 2 * MAX_ALIGN).is_none());
    assert_eq!(pages.alloc(1, MAX_ALIGN).unwrap().addr().get() % MAX_ALIGN, 0);
}

#[test]
fn hands_out_every_page() {
    let pages = pages(0);
    let total = pages.stats().total;
    let mut all: Vec<_> = core::iter::from_fn(|| pages.alloc(1, PAGE)).map(|address| address.addr()).collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!((all.len(), pages.stats().free), (total, 0));
}

#[test]
fn threads_share_while_memory_goes_back() {
    let pages = pages(64);
    let whole = free_blocks(&pages);
    std::thread::scope(|scope| {
        for thread in 0..3_u8 {
            let pages = &pages;
            scope.spawn(move || {
                let mut random = Random(u64::from(thread));
                let mut live: Vec<(NonNull<u8>, usize)> = Vec::new();
                for _ in 0..3000 {
                    let count = 1 + random.below(64);
                    if let Some(address) = pages.alloc_zeroed(count, PAGE) {
                        let content = bytes(address, count);
                        assert!(content.iter().all(|&byte| byte == 0));
                        content.fill(thread + 1);
                        live.push((address, count));
                    }
                    if live.len() > 16 {
                        let (address, count) = live.swap_remove(random.below(live.len()));
                        assert!(bytes(address, count).iter().all(|&byte| byte == thread + 1), "overlap");
                        // SAFETY: allocated above.
                        unsafe { pages.free(address.as_ptr(), count, release) };
                    }
                }
                for (address, count) in live {
                    // SAFETY: allocated above.
                    unsafe { pages.free(address.as_ptr(), count, release) };
                }
            });
        }
    });
    assert_eq!(free_blocks(&pages), whole);
    // The mark, what is too little in each block, and what came back while a neighbour was released.
    assert!(pages.stats().dirty <= 64 + whole.len() * RELEASE_MIN + 3 * 64);
}
