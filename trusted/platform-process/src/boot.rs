//! From the first instruction to the kernel: relocation, shared memory, checks, lockdown.
//!
//! The supervisor's contract: descriptor 3 is the window, 4 the root image.

use crate::host::{self, HostError, mm, nr};
use crate::{carrier, lockdown, map, random, shared_data, time, trap, vector};
use alloc::boxed::Box;
use core::arch::naked_asm;
use rkt_log::{Encoded, Event};
use rkt_platform::{Exit, MAX_CPUS, Region};
use rkt_sync::Mutex;
use rkt_window::layout::{self, exit_state, header};
use rkt_window::{ByteRing, Side};

const WINDOW_FD: usize = 3;
const IMAGE_FD: usize = 4;

/// What the kernel starts with.
#[derive(Clone, Copy, Debug)]
pub struct Boot {
    /// The DMA window.
    pub window: Region,
    /// The root image, read-only for us and untrusted. Empty if there is none.
    pub image: Region,
    /// The trusted region: all zero.
    pub region: (usize, usize),
}

/// Why the enclave does not start: an event and its integers.
pub type Failure = (Event, [u64; 2]);

unsafe extern "Rust" {
    /// Prepares the allocator with the trusted region: the image's part of booting that has to
    /// come before anything is allocated.
    fn rkt_image_heap(region: (usize, usize));
    /// The kernel. Never returns.
    fn rkt_image_main(boot: Boot) -> !;
}

/// First instruction of the image: the kernel's stack layout (argc, argv, envp, auxv) is at rsp.
///
/// # Safety
/// Called by the host's kernel only.
#[unsafe(naked)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _start() -> ! {
    naked_asm!(
        "xor ebp, ebp",
        "mov rdx, rsp",
        "lea rdi, [rip + __ehdr_start]",
        "lea rsi, [rip + _DYNAMIC]",
        "and rsp, -16",
        "call {start}",
        "ud2",
        start = sym start,
    )
}

/// # Safety
/// `base` and `dynamic` must be the image's own, `stack` the initial stack.
pub unsafe extern "C" fn start(base: *mut u8, dynamic: *const rkt_rt::Dyn, stack: *const u64) -> ! {
    // SAFETY: passed on.
    if unsafe { rkt_rt::relocate(base, dynamic) }.is_err() {
        host::exit_group(125);
    }
    // SAFETY: the initial stack is the kernel's.
    let aux = unsafe { Aux::read(stack) };
    match prepare(base as usize, aux) {
        // SAFETY: the image defines it.
        Ok(boot) => unsafe { rkt_image_main(boot) },
        Err((event, values)) => die(event, &values),
    }
}

/// The entries of the auxiliary vector that we need (getauxval(3)).
#[derive(Default, Clone, Copy)]
struct Aux {
    headers: usize,
    header_count: usize,
    hwcap2: usize,
}

impl Aux {
    /// # Safety
    /// `stack` must be the initial stack.
    unsafe fn read(stack: *const u64) -> Self {
        const AT_PHDR: u64 = 3;
        const AT_PHNUM: u64 = 5;
        const AT_HWCAP2: u64 = 26;
        let mut aux = Self::default();
        // SAFETY: argc, argv and a null, envp and a null, then pairs up to AT_NULL.
        unsafe {
            let mut at = stack.add(stack.read() as usize + 2);
            while at.read() != 0 {
                at = at.add(1);
            }
            at = at.add(1);
            while at.read() != 0 {
                let value = at.add(1).read() as usize;
                match at.read() {
                    AT_PHDR => aux.headers = value,
                    AT_PHNUM => aux.header_count = value,
                    AT_HWCAP2 => aux.hwcap2 = value,
                    _ => {}
                }
                at = at.add(2);
            }
        }
        aux
    }
}

fn refused(call: usize) -> impl Fn(HostError) -> Failure {
    move |error| (Event::HostRefused, [call as u64, u64::from(error.0)])
}

fn prepare(base: usize, aux: Aux) -> Result<Boot, Failure> {
    let window = map_window()?;
    let large = window.read_u32(header::LARGE_PAGES).is_ok_and(|word| word == 1);
    // SAFETY: single-threaded, and these are the image's headers.
    let image =
        unsafe { shared_data::share(base, aux.headers, aux.header_count, large) }.map_err(refused(nr::MREMAP))?;
    carrier::set_window(window.len());
    const HWCAP2_FSGSBASE: usize = 2;
    if aux.hwcap2 & HWCAP2_FSGSBASE == 0 || !vector::detect() {
        return Err((Event::ProcessorFeature, [0; 2]));
    }
    if !random::present() || random::word().is_none() {
        return Err((Event::NoEntropy, [0; 2]));
    }
    let bad_window = |_| (Event::BadWindow, [0; 2]);
    let read = |at| window.read_u64(at).map_err(bad_window);
    let cpus = window.read_u32(header::VCPUS).map_err(bad_window)? as usize;
    let memory = read(header::MEMORY)? as usize & !((2 << 20) - 1);
    let clock = time::start(read(header::TSC_HZ)?, read(header::TSC)?, read(header::WALL_NS)?);
    if !(1..=MAX_CPUS).contains(&cpus) || memory > map::REGION_MAX || !clock {
        return Err((Event::BadWindow, [0; 2]));
    }
    map_region(memory)?;
    // SAFETY: the image defines it; the region is mapped and zero.
    unsafe { rkt_image_heap((map::REGION, memory)) };
    touch_first(map::REGION + memory);
    let root = map_image()?;
    trap::install(image).map_err(refused(nr::RT_SIGACTION))?;
    // SAFETY: no arguments.
    let tid = unsafe { host::call(nr::GETTID, [0; 6]) }.map_err(refused(nr::GETTID))? as u32;
    // SAFETY: once, and the allocator works.
    if !unsafe { carrier::adopt_boot_thread(cpus, tid) } {
        return Err((Event::NoMemory, [memory as u64, 0]));
    }
    // SAFETY: everything that needs more rights has been done.
    unsafe { lockdown::lock_down(image) }.map_err(|error| (Event::Lockdown, [u64::from(error.0), 0]))?;
    Ok(Boot { window, image: root, region: (map::REGION, memory) })
}

/// Bytes of an open file (`st_size` of fstat(2)).
fn file_len(fd: usize) -> Result<usize, HostError> {
    let mut stat = [0u64; 18];
    // SAFETY: struct stat has 144 bytes.
    unsafe { host::call(nr::FSTAT, [fd, stat.as_mut_ptr() as usize, 0, 0, 0, 0])? };
    Ok(stat[6] as usize)
}

/// Maps a descriptor's whole content.
fn map_file(fd: usize, at: usize, prot: usize) -> Result<Region, Failure> {
    let len = file_len(fd).map_err(refused(nr::FSTAT))?;
    if len == 0 {
        // SAFETY: an empty region allows no access.
        return Ok(unsafe { Region::from_raw(at as *mut u8, 0) });
    }
    let args = [at, len, prot, mm::MAP_SHARED | mm::MAP_FIXED_NOREPLACE, fd, 0];
    // SAFETY: an address that nothing uses (`map`).
    let mapped = unsafe { host::call(nr::MMAP, args) }.map_err(refused(nr::MMAP))?;
    if mapped != at {
        return Err((Event::HostRefused, [nr::MMAP as u64, 0]));
    }
    // SAFETY: mapped for ever; only `Region` reaches it.
    Ok(unsafe { Region::from_raw(at as *mut u8, len) })
}

fn map_window() -> Result<Region, Failure> {
    let window = map_file(WINDOW_FD, map::WINDOW, mm::PROT_READ | mm::PROT_WRITE)?;
    let bad = |_| (Event::BadWindow, [0; 2]);
    let good = window.len() >= layout::MIN_LEN
        && window.read_u64(header::MAGIC).map_err(bad)? == layout::MAGIC
        && window.read_u64(header::LEN).map_err(bad)? == window.len() as u64;
    if !good {
        return Err((Event::BadWindow, [0; 2]));
    }
    carrier::set_window(window.len());
    Ok(window)
}

fn map_image() -> Result<Region, Failure> {
    map_file(IMAGE_FD, map::IMAGE, mm::PROT_READ)
}

/// The trusted region: shared, so that forks share it; sparse, so that it costs what is used.
fn map_region(len: usize) -> Result<(), Failure> {
    let prot = mm::PROT_READ | mm::PROT_WRITE;
    let flags = mm::MAP_SHARED | mm::MAP_NORESERVE | mm::MAP_FIXED_NOREPLACE;
    // SAFETY: an address that nothing uses (`map`).
    unsafe { host::map_fixed(map::REGION, len, prot, flags) }.map_err(|_| (Event::NoMemory, [len as u64, 0]))?;
    advise(map::REGION, len, mm::MADV_HUGEPAGE);
    Ok(())
}

/// Advice on the region that changes no contents.
fn advise(start: usize, len: usize, advice: usize) {
    // SAFETY: the region is ours, and stays as it is.
    let _ = unsafe { host::call(nr::MADVISE, [start, len, advice, 0, 0, 0]) };
}

/// What the smallest program uses of the heap, bytes.
const FIRST_USED: usize = 2 << 20;

/// Touches what the heap hands out first: as one call it costs a fraction of the faults.
fn touch_first(end: usize) {
    let first = Box::<[u8; 4096]>::new_uninit();
    let start = first.as_ptr().addr() & !4095;
    let len = FIRST_USED.min(end.saturating_sub(start));
    advise(start, len, mm::MADV_POPULATE_WRITE);
}

static LOG: Mutex<Option<ByteRing>> = Mutex::new(None);

/// Puts a record into the log ring; drops it if the ring is full, broken, or in use by the code
/// that just faulted.
pub fn log(record: &[u8]) {
    let Some(mut log) = LOG.try_lock() else { return };
    if log.is_none() {
        let region = carrier::window().sub(layout::LOG, ByteRing::region_len(layout::LOG_CAPACITY));
        *log = region.ok().and_then(|region| ByteRing::open(region, Side::Producer).ok());
    }
    if let Some(ring) = log.as_mut()
        && ring.available().is_ok_and(|room| room >= record.len())
    {
        let _ = ring.put(record);
    }
}

/// Gives up during start-up.
pub fn die(event: Event, values: &[u64]) -> ! {
    log(Encoded::integers(event, values).as_bytes());
    exit(Exit::Failed)
}

/// Gives up because our own text faulted.
pub fn die_of_fault(signal: i32, rip: u64, address: u64) -> ! {
    let values = [signal as u64, rip, address];
    die(Event::KernelFault, &values)
}

/// Ends the program; see [`rkt_platform::exit`].
pub fn exit(how: Exit) -> ! {
    let (state, code, status) = match how {
        Exit::Code(code) => (exit_state::EXITED, u32::from(code), i32::from(code)),
        Exit::Signal(signal) => (exit_state::SIGNALLED, u32::from(signal), 128 + i32::from(signal)),
        Exit::Failed => (exit_state::FAILED, 0, 125),
    };
    let window = carrier::window();
    let _ = window.write_u32(header::EXIT_CODE, code);
    let _ = window.write_u32(header::EXIT_STATE, state);
    carrier::ring(layout::CONSOLE_DOORBELL);
    host::exit_group(status)
}
