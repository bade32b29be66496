//! The enclave image: the process platform, the heap over the trusted region, and the kernel.
#![no_std]
#![no_main]

use core::alloc::{GlobalAlloc, Layout};
use core::panic::PanicInfo;
use core::sync::atomic::AtomicU32;
use rkt_log::{Encoded, Event};
use rkt_platform::Exit;
use rkt_platform_process::{Boot, Process};

rkt_platform::export_platform!(Process);

/// The region's heap as the global allocator.
struct Global;

// SAFETY: `Heap` is an allocator; this only names the one of the region.
unsafe impl GlobalAlloc for Global {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: passed on.
        unsafe { rkt_heap::REGION.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: passed on.
        unsafe { rkt_heap::REGION.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, len: usize) -> *mut u8 {
        // SAFETY: passed on.
        unsafe { rkt_heap::REGION.realloc(at, layout, len) }
    }
}

#[global_allocator]
static GLOBAL: Global = Global;

static LOCK_HOOKS: rkt_sync::Hooks = rkt_sync::Hooks { wait: lock_wait, wake: lock_wake };

fn lock_wait(word: &AtomicU32, expected: u32) {
    rkt_platform::lock_wait(word, expected);
}

fn lock_wake(word: &AtomicU32, count: u32) {
    rkt_platform::lock_wake(word, count);
}

static HEAP_HOOKS: rkt_heap::Hooks = rkt_heap::Hooks { cpu_index: rkt_platform::cpu, release };

fn release(address: *mut u8, len: usize) -> bool {
    rkt_platform::release(address as usize, len);
    true
}

/// Called by the platform as soon as the region is mapped.
#[unsafe(no_mangle)]
fn rkt_image_heap((base, len): (usize, usize)) {
    // SAFETY: the platform mapped the region for ever, zeroed, for nobody else.
    if unsafe { rkt_heap::REGION.init(base as *mut u8, len, &rkt_heap::Hooks::BOOT) }.is_err() {
        fail(Event::NoMemory, &[len as u64, 0]);
    }
}

/// Called by the platform once the carrier of slot 0 exists and the process is locked down.
#[unsafe(no_mangle)]
fn rkt_image_main(boot: Boot) -> ! {
    rkt_sync::install(&LOCK_HOOKS);
    // SAFETY: `rkt_platform::cpu` tells the slot, and only the slot's holder runs.
    unsafe { rkt_heap::REGION.install(&HEAP_HOOKS) };
    rkt_kernel::boot::start(boot.image)
}

fn fail(event: Event, values: &[u64]) -> ! {
    rkt_platform::log(Encoded::integers(event, values).as_bytes());
    rkt_platform::exit(Exit::Failed)
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let line = info.location().map_or(0, |location| u64::from(location.line()));
    let file = info.location().map_or(0, |location| location.file().as_ptr() as u64);
    if let Some(location) = info.location() {
        // The place in our own source holds nothing of the program's.
        rkt_platform::log(Encoded::text(Event::Panic, location.file()).as_bytes());
    }
    fail(Event::Panic, &[file, line])
}

/// The unwinder's hooks, which precompiled parts of the standard library name but which nothing
/// calls: a panic ends the image.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() -> ! {
    rkt_platform::exit(Exit::Failed)
}
