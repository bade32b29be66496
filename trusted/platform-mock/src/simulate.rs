//! Running a test on the machine.

use crate::machine::{End, Machine, finish, machine, try_machine};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::panic::AssertUnwindSafe;
use rkt_platform::{Exit, SpaceId, Upcalls};
use rkt_sched::Thread;
use rkt_window::layout::MAX_DEVICES;
use std::sync::{Mutex, Once, PoisonError};

/// How to simulate.
#[derive(Clone, Copy)]
pub struct Config {
    /// Where all chance comes from.
    pub seed: u64,
    /// Number of vCPUs.
    pub cpus: usize,
    /// A vCPU is preempted at one in so many calls of the door; 0 = never.
    pub preemption: u64,
    /// One in so many parks ends early; 0 = none.
    pub spurious: u64,
    /// One in so many mapping calls and forks fails for want of memory; 0 = none.
    pub no_memory: u64,
    /// Calls of the door after which a simulation counts as endless.
    pub limit: u64,
    /// The kernel's entry points, until the kernel calls `start` itself.
    pub upcalls: Upcalls,
}

impl Config {
    /// One to four vCPUs, much preemption, some early ends of parks, memory enough.
    pub fn new(seed: u64) -> Self {
        let upcalls = Upcalls {
            syscall: |_| panic!("a system call without a kernel"),
            syscall32: |_| panic!("a system call without a kernel"),
            fault: |_, fault| panic!("a fault without a kernel: {fault:?}"),
            tick: |_, _| panic!("a tick without a kernel"),
            reserve_near: |_, _| None,
            patch: |_, _, _| false,
            prove: |_, _| 0,
            idle: rkt_sched::idle_loop,
        };
        let cpus = 1 + (seed % 4) as usize;
        Self { seed, cpus, preemption: 3, spurious: 8, no_memory: 0, limit: 200_000_000, upcalls }
    }

    /// Runs `test` as a kernel thread, and the machine until that and all threads made by
    /// [`spawn`] have ended and the rest is idle, or the kernel exits. Threads that have not ended
    /// by then are forgotten; those that still hold references to themselves are lost memory.
    ///
    /// # Panics
    /// With the panic of a thread or the application; if nothing can run any more (deadlock) or
    /// it never ends. The seed is printed.
    pub fn run(self, test: impl FnOnce() + Send + 'static) -> Report {
        assert!(try_machine().is_none(), "a simulation within a simulation");
        // The scheduler's state is the program's, so only one test runs at a time.
        static ONE: Mutex<()> = Mutex::new(());
        let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        boot();
        rkt_sched::set_spin(if self.seed.is_multiple_of(3) { 5 } else { 0 });
        *MAIN.lock() = Some(Box::new(test));
        let (end, report) = Machine::new(self).run(main);
        rkt_sched::reset();
        match end {
            End::Done | End::Exit => report,
            End::Panic(payload) => std::panic::resume_unwind(payload),
            End::Stuck(why) => panic!("simulation with seed {}: {why}", self.seed),
        }
    }
}

/// What a simulation left behind.
#[derive(Debug, Default)]
pub struct Report {
    /// How the kernel exited, if it did.
    pub exit: Option<Exit>,
    /// Virtual nanoseconds that passed.
    pub elapsed: u64,
    /// Log records in order.
    pub log: Vec<Vec<u8>>,
    /// How often each device was rung.
    pub device_rings: [u64; MAX_DEVICES],
    /// How often the console thread was rung.
    pub console_rings: u64,
    /// Rings of the doorbells of sessions.
    pub session_rings: u64,
}

/// [`Config::run`] with the defaults for a seed.
pub fn simulate(seed: u64, test: impl FnOnce() + Send + 'static) -> Report {
    Config::new(seed).run(test)
}

/// Calls `test` with the seeds 0 to `count - 1`; with as many as the environment variable
/// `RKT_SEEDS` says, if it is set; or only with the one in `RKT_SEED`.
pub fn each_seed(count: u64, test: impl FnMut(u64)) {
    let number = |name| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    match number("RKT_SEED") {
        Some(seed) => [seed].into_iter().for_each(test),
        None => (0..number("RKT_SEEDS").unwrap_or(count)).for_each(test),
    }
}

/// Makes a thread that the simulation waits for, and whose panic is the test's.
///
/// # Panics
/// If there is no memory for its stack.
pub fn spawn(space: SpaceId, entry: impl FnOnce() + Send + 'static) -> Arc<Thread> {
    machine().live += 1;
    rkt_sched::spawn(space, Box::new(move || counted(entry))).expect("memory for a thread")
}

/// A number below `n` by the simulation's seed.
pub fn pick(n: u64) -> u64 {
    machine().chance.below(n)
}

/// True one in `n` times by the simulation's seed.
pub fn chance(n: u64) -> bool {
    machine().chance.one_in(n)
}

/// Lets so many virtual nanoseconds pass.
pub fn advance(ns: u64) {
    machine().clock += ns;
}

fn counted(entry: impl FnOnce()) {
    match std::panic::catch_unwind(AssertUnwindSafe(entry)) {
        Ok(()) => machine().thread_ended(),
        Err(payload) => finish(End::Panic(payload)),
    }
}

static MAIN: rkt_sync::Mutex<Option<Box<dyn FnOnce() + Send>>> = rkt_sync::Mutex::new(None);

/// What a boot code does: starts the first thread and the other vCPUs, then idles.
fn main() -> ! {
    let test = MAIN.lock().take().expect("the test's closure");
    rkt_sched::spawn(SpaceId::FIRST, Box::new(move || counted(test))).expect("memory for a thread");
    let upcalls = machine().config.upcalls;
    rkt_platform::start(upcalls);
    (upcalls.idle)()
}

/// Memory of the simulated trusted region; sparse, so that it costs what is touched.
pub(crate) const REGION_LEN: usize = 512 << 20;

/// Once a process: memory for the heap, waiting for locks, and panics that say their seed.
fn boot() {
    static BOOT: Once = Once::new();
    static LOCKS: rkt_sync::Hooks = rkt_sync::Hooks { wait: rkt_platform::lock_wait, wake: rkt_platform::lock_wake };
    static HEAP: rkt_heap::Hooks = rkt_heap::Hooks {
        cpu_index: || try_machine().map_or(0, |m| m.cpu()),
        release: |address, len| {
            // SAFETY: free pages of the region, by the heap's contract.
            unsafe { address.write_bytes(0, len) };
            true
        },
    };
    BOOT.call_once(|| {
        let region = Vec::leak(alloc::vec![0u8; REGION_LEN]);
        // SAFETY: leaked, zero, and used by nobody else.
        unsafe { rkt_heap::REGION.init(region.as_mut_ptr(), region.len(), &HEAP) }.expect("a heap in the region");
        crate::platform::set_region(region.as_ptr() as usize);
        rkt_sync::install(&LOCKS);
        let outside = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| match try_machine() {
            // A backtrace would not fit on a kernel stack.
            Some(m) => std::eprintln!("simulation with seed {}, vCPU {}: {info}", m.config.seed, m.cpu()),
            None => outside(info),
        }));
    });
}
