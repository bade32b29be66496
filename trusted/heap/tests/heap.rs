//! The whole heap, as a program uses it.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;

use rkt_heap::{BadRegion, Folio, Heap, Hooks, OutOfRange, PAGE, PageBox};

thread_local! {
    static CPU: Cell<usize> = const { Cell::new(0) };
}

static HOOKS: Hooks = Hooks {
    cpu_index: || CPU.get(),
    release: |address, len| {
        // SAFETY: the pages are free, and part of a test's memory.
        unsafe { address.write_bytes(0, len) };
        true
    },
};

/// A heap with so many MiB that nobody ever frees.
fn heap(mib: usize) -> &'static Heap {
    let heap: &'static Heap = Box::leak(Box::new(Heap::new()));
    let memory = vec![0_u64; mib << 17].leak();
    // SAFETY: the memory is zero, leaked and used by nobody else; each test gives each of its
    // threads a number of its own.
    unsafe { heap.init(memory.as_mut_ptr().cast(), mib << 20, &HOOKS).unwrap() };
    heap
}

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    fn layout(&mut self) -> Layout {
        let largest = 1 << (2 + self.below(13));
        let size = 1 + self.below(largest);
        let align = if self.below(4) == 0 { 1 << self.below(14) } else { 8 };
        Layout::from_size_align(size, align).unwrap()
    }
}

/// An allocated block, filled with a byte.
struct Object {
    address: *mut u8,
    layout: Layout,
    mark: u8,
}

// SAFETY: the block belongs to whoever has the object.
unsafe impl Send for Object {}

impl Object {
    fn new(heap: &Heap, layout: Layout, zeroed: bool, mark: u8) -> Option<Self> {
        // SAFETY: no layout of these tests has size 0.
        let address = unsafe { if zeroed { heap.alloc_zeroed(layout) } else { heap.alloc(layout) } };
        if address.is_null() {
            return None;
        }
        assert_eq!(address.addr() % layout.align(), 0, "{layout:?}");
        let object = Self { address, layout, mark };
        assert!(!zeroed || object.bytes().iter().all(|&byte| byte == 0));
        // SAFETY: the block is ours.
        unsafe { address.write_bytes(mark, layout.size()) };
        Some(object)
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: the block is ours.
        unsafe { std::slice::from_raw_parts(self.address, self.layout.size()) }
    }

    fn resize(&mut self, heap: &Heap, size: usize) {
        // SAFETY: the block is ours, and the size neither 0 nor huge.
        let address = unsafe { heap.realloc(self.address, self.layout, size) };
        if address.is_null() {
            return;
        }
        let kept = size.min(self.layout.size());
        self.address = address;
        self.layout = Layout::from_size_align(size, self.layout.align()).unwrap();
        assert_eq!(address.addr() % self.layout.align(), 0);
        assert!(self.bytes()[..kept].iter().all(|&byte| byte == self.mark));
        // SAFETY: the block is ours.
        unsafe { address.write_bytes(self.mark, size) };
    }

    fn free(self, heap: &Heap) {
        assert!(self.bytes().iter().all(|&byte| byte == self.mark), "overlap");
        // SAFETY: the block is ours, and was.
        unsafe { heap.dealloc(self.address, self.layout) };
    }
}

#[test]
fn nothing_before_init() {
    let heap = Heap::new();
    assert!(Object::new(&heap, Layout::new::<u64>(), false, 1).is_none());
    assert!(heap.try_pages(1, PAGE).is_none());
    assert_eq!(heap.stats().total, 0);
}

#[test]
fn refuses_a_region_too_small() {
    let heap = Heap::new();
    let memory = vec![0_u64; 4096].leak();
    // SAFETY: as in `heap`.
    let result = unsafe { heap.init(memory.as_mut_ptr().cast(), 4096 * 8, &HOOKS) };
    assert_eq!(result, Err(BadRegion));
}

#[test]
fn random_use_against_a_model() {
    for seed in 0..4 {
        let heap = heap(24);
        let mut random = Random(seed);
        let mut live: Vec<Object> = Vec::new();
        for round in 0..30_000 {
            match random.below(10) {
                0..=4 => {
                    let zeroed = random.below(2) == 0;
                    live.extend(Object::new(heap, random.layout(), zeroed, round as u8));
                }
                5 if !live.is_empty() => {
                    let index = random.below(live.len());
                    let size = random.layout().size();
                    live[index].resize(heap, size);
                }
                _ if !live.is_empty() => live.swap_remove(random.below(live.len())).free(heap),
                _ => {}
            }
            if round % 1000 == 0 {
                let ends: BTreeMap<_, _> = live.iter().map(|o| (o.address.addr(), o.layout.size())).collect();
                let mut end = 0;
                for (start, size) in ends {
                    assert!(start >= end, "overlap");
                    end = start + size;
                }
            }
        }
        live.into_iter().for_each(|object| object.free(heap));
        // What is left: an empty slab and half a magazine for each class.
        assert!(heap.stats().used < 19 * 3 * 8, "{:?}", heap.stats());
    }
}

#[test]
fn exhaustion_and_recovery() {
    let heap = heap(8);
    for size in [16, 640, 2048, 5000] {
        let layout = Layout::from_size_align(size, 8).unwrap();
        for _ in 0..2 {
            let all: Vec<_> = std::iter::from_fn(|| Object::new(heap, layout, false, 7)).collect();
            assert!(all.len() * size > 4 << 20, "{} of {size}", all.len());
            all.into_iter().for_each(|object| object.free(heap));
        }
    }
    assert!(heap.stats().used < 200, "{:?}", heap.stats());
}

#[test]
fn shrinks_and_keeps_in_place() {
    let heap = heap(8);
    let mut object = Object::new(heap, Layout::from_size_align(100, 8).unwrap(), false, 1).unwrap();
    let (address, used) = (object.address, heap.stats().used);
    object.resize(heap, 128);
    assert_eq!(object.address, address);
    object.free(heap);
    let mut object = Object::new(heap, Layout::from_size_align(10 * PAGE, 8).unwrap(), false, 1).unwrap();
    let address = object.address;
    assert_eq!(heap.stats().used, used + 10);
    object.resize(heap, 3 * PAGE - 5);
    assert_eq!((object.address, heap.stats().used), (address, used + 3));
    object.free(heap);
    assert_eq!(heap.stats().used, used);
}

#[test]
fn threads_free_each_others_objects() {
    const THREADS: usize = 4;
    let heap = heap(64);
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..THREADS).map(|_| mpsc::sync_channel::<Object>(256)).unzip();
    thread::scope(|scope| {
        for (cpu, receiver) in receivers.into_iter().enumerate() {
            let senders = senders.clone();
            scope.spawn(move || {
                CPU.set(cpu);
                let mut random = Random(cpu as u64);
                let mut live: Vec<Object> = Vec::new();
                for round in 0..40_000 {
                    live.extend(Object::new(heap, random.layout(), round % 3 == 0, (round + cpu) as u8));
                    live.extend(receiver.try_recv());
                    if live.len() > 200 {
                        let object = live.swap_remove(random.below(live.len()));
                        match senders[random.below(THREADS)].try_send(object) {
                            Ok(()) => {}
                            Err(mpsc::TrySendError::Full(object) | mpsc::TrySendError::Disconnected(object)) => {
                                object.free(heap);
                            }
                        }
                    }
                }
                drop(senders);
                live.into_iter().chain(receiver).for_each(|object| object.free(heap));
            });
        }
        drop(senders);
    });
    // An empty slab for each class, and the slabs that magazines hold objects of.
    assert!(heap.stats().used < 19 * 8 * (1 + THREADS * 16), "{:?}", heap.stats());
}

#[test]
fn trim_gives_memory_back() {
    let heap = heap(16);
    drop(PageBox::zeroed(heap, 1024).unwrap());
    assert_eq!(heap.stats().dirty, 1024);
    heap.trim();
    assert_eq!(heap.stats().dirty, 0);
}

#[test]
fn page_box_owns_its_pages() {
    let heap = heap(8);
    let used = heap.stats().used;
    let mut pages = PageBox::zeroed(heap, 3).unwrap();
    assert_eq!((pages.as_slice().len(), pages.addr() % PAGE, pages.pages()), (3 * PAGE, 0, 3));
    assert!(pages.as_slice().iter().all(|&byte| byte == 0));
    pages.as_mut_slice().fill(9);
    assert_eq!(heap.stats().used, used + 3);
    drop(pages);
    assert_eq!(heap.stats().used, used);
    assert!(PageBox::zeroed(heap, 0).is_none());
}

#[test]
fn parts_of_a_folio_lie_side_by_side_and_go_one_by_one() {
    let heap = heap(8);
    let free = heap.stats().free;
    let mut rest = Folio::zeroed(heap, 24).unwrap();
    let start = rest.addr();
    let first = rest.split_first(16).unwrap();
    assert_eq!((first.addr(), first.pages()), (start, 16));
    assert_eq!((rest.addr(), rest.pages()), (start + 16 * PAGE, 8));
    assert!(rest.split_first(8).is_none() && rest.split_first(0).is_none());
    drop(first);
    assert_eq!(heap.stats().free, free - 8);
    drop(rest);
    assert_eq!(heap.stats().free, free);
}

#[test]
fn folio_copies_within_its_bounds() {
    let heap = heap(8);
    let folio = Arc::new(Folio::zeroed(heap, 16).unwrap());
    assert_eq!((folio.size(), folio.addr() % (16 * PAGE)), (16 * PAGE, 0));
    let mut bytes = [1; 10];
    folio.copy_in(16 * PAGE - 5, &[2, 3, 4, 5, 6]).unwrap();
    folio.copy_out(16 * PAGE - 10, &mut bytes).unwrap();
    assert_eq!(bytes, [0, 0, 0, 0, 0, 2, 3, 4, 5, 6]);
    folio.zero(16 * PAGE - 4, 2).unwrap();
    folio.copy_out(16 * PAGE - 10, &mut bytes).unwrap();
    assert_eq!(bytes, [0, 0, 0, 0, 0, 2, 0, 0, 5, 6]);
    assert_eq!(folio.copy_in(16 * PAGE - 5, &[0; 6]), Err(OutOfRange));
    assert_eq!(folio.copy_out(usize::MAX, &mut bytes), Err(OutOfRange));
    assert_eq!(folio.zero(16 * PAGE + 1, 0), Err(OutOfRange));
    assert_eq!(folio.zero(16 * PAGE, 0), Ok(()));
}
