//! Nanoseconds for an allocation and its freeing, with one thread and with two:
//! `cargo run --release -p rkt-heap --example pair`

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use rkt_heap::{Heap, Hooks};

thread_local! {
    static CPU: Cell<usize> = const { Cell::new(0) };
}

static HEAP: Heap = Heap::new();
static HOOKS: Hooks = Hooks { cpu_index: || CPU.get(), release: |_, _| false };
const ROUNDS: usize = 2_000_000;
const REPEATS: usize = 5;

fn layout(round: usize) -> Layout {
    Layout::from_size_align(if round.is_multiple_of(2) { 64 } else { 2048 }, 8).expect("constant")
}

/// Allocates and frees at once.
fn pair(heap: &impl GlobalAlloc) {
    for round in 0..ROUNDS {
        let layout = black_box(layout(round));
        // SAFETY: allocated just before.
        unsafe { heap.dealloc(black_box(heap.alloc(layout)), layout) };
    }
}

/// Replaces one of 512 live objects at random.
fn live(heap: &impl GlobalAlloc) {
    // SAFETY: the layout has a size, and what is freed is live.
    unsafe {
        let mut slots: Vec<_> = (0..512).map(|slot| (heap.alloc(layout(slot)), layout(slot))).collect();
        let mut random = 1_u64;
        for _ in 0..ROUNDS {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let slot = &mut slots[(random >> 33) as usize % 512];
            heap.dealloc(slot.0, slot.1);
            let layout = layout(usize::from(random >> 62 == 0));
            *slot = (heap.alloc(layout), layout);
        }
        slots.into_iter().for_each(|(object, layout)| heap.dealloc(object, layout));
    }
}

/// Best time a round of the slowest thread.
fn measure(threads: usize, work: impl Fn() + Sync) -> f64 {
    let once = || {
        let start = Barrier::new(threads);
        thread::scope(|scope| {
            let run = |cpu| {
                let (start, work) = (&start, &work);
                scope.spawn(move || {
                    CPU.set(cpu);
                    start.wait();
                    let begin = Instant::now();
                    work();
                    begin.elapsed().as_secs_f64() * 1e9 / ROUNDS as f64
                })
            };
            let running: Vec<_> = (0..threads).map(run).collect();
            running.into_iter().map(|thread| thread.join().expect("no panic")).fold(0.0, f64::max)
        })
    };
    (0..REPEATS).map(|_| once()).fold(f64::MAX, f64::min)
}

fn main() {
    let memory = vec![0_u64; 256 << 17].leak();
    // SAFETY: the memory is zero, leaked and used by nobody else; each thread has its own number.
    unsafe { HEAP.init(memory.as_mut_ptr().cast(), 256 << 20, &HOOKS) }.expect("large enough");
    println!("ns a pair          1 thread   2 threads");
    for (name, result) in [
        ("pair, rkt-heap", [1, 2].map(|threads| measure(threads, || pair(&HEAP)))),
        ("pair, libc    ", [1, 2].map(|threads| measure(threads, || pair(&System)))),
        ("live, rkt-heap", [1, 2].map(|threads| measure(threads, || live(&HEAP)))),
        ("live, libc    ", [1, 2].map(|threads| measure(threads, || live(&System)))),
    ] {
        println!("{name}     {:>8.1}    {:>8.1}", result[0], result[1]);
    }
}
