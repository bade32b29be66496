//! The thread of a controller.

use crate::controller::Controller;
use crate::queues::Fault;
use rkt_backend_blk::Disk;
use rkt_nvme_transport::ControllerRegisters;
use rkt_virtio_device::{Counters, Polling, Stats, futex_wake};
use rkt_window::{Doorbell, Window};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Longest sleep. Every wake-up is by doorbell or by a request that completes; this only bounds the damage
/// if the enclave scribbles over its doorbell, or waits with a full completion queue.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);
/// Looks in a row that find nothing before the thread yields: about as long as a driver takes to answer a
/// completion with the next command.
const SPINS: u32 = 32;
/// A yield that takes longer than this let somebody else run.
const UNDISTURBED: Duration = Duration::from_micros(5);

/// What the supervisor and the thread share.
#[derive(Default)]
pub(crate) struct Shared {
    pub(crate) counters: Counters,
    stop: AtomicBool,
    rescan: AtomicBool,
    fault: Mutex<Option<Fault>>,
}

impl Shared {
    pub(crate) fn fail(&self, e: Fault) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(e);
    }

    pub(crate) fn take_rescan(&self) -> bool {
        self.rescan.load(Ordering::Relaxed) && self.rescan.swap(false, Ordering::AcqRel)
    }
}

/// What a controller shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Serial number: ASCII, 20 characters at most.
    pub serial: String,
    /// Log2 of the bytes of a block: 9 to 12. Disks end with the last whole block.
    pub block_shift: u8,
    /// How the thread waits for work.
    pub polling: Polling,
}

impl Default for Options {
    /// Blocks of 512 bytes, which all that lies above can use.
    fn default() -> Self {
        Self { serial: "rkt-io".into(), block_shift: 9, polling: Polling::default() }
    }
}

/// A controller that runs on its thread until it is stopped or dropped. What was flushed is on the
/// disks; what was not is in the host's page cache.
pub struct RunningController {
    shared: Arc<Shared>,
    doorbell: Doorbell,
    thread: Option<JoinHandle<()>>,
}

/// Puts a controller with these disks, which become namespaces 1 and up, into `slot` of the window and
/// starts its thread. Call before the enclave starts, so that it sees the controller.
///
/// # Errors
/// If the slot does not exist, the block size cannot be, or the host denies the thread.
pub fn start(disks: Vec<Disk>, slot: usize, window: &Window, options: Options) -> io::Result<RunningController> {
    if !(9..=12).contains(&options.block_shift) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "blocks have 512 to 4096 bytes"));
    }
    let regs = ControllerRegisters::open(window, slot, wake).map_err(io::Error::other)?;
    Controller::describe(&regs).map_err(io::Error::other)?;
    let (shared, doorbell, window) = (Arc::new(Shared::default()), regs.doorbell(), *window);
    let theirs = Arc::clone(&shared);
    let serve = move || {
        // io_uring wants to be used by the thread that made it, so all is made here.
        let Options { serial, block_shift, polling } = options;
        let mut controller = Controller::new(window, regs, disks, serial, block_shift, Arc::clone(&theirs));
        if let Err(e) = run(&mut controller, &theirs, polling) {
            theirs.fail(Fault::of_host(e));
        }
        // What the kernel still has ends before its memory may be used for something else.
        let _ = controller.drain();
    };
    let thread = std::thread::Builder::new().name(format!("rkt-nvme{slot}")).spawn(serve)?;
    Ok(RunningController { shared, doorbell, thread: Some(thread) })
}

fn wake(word: &'static AtomicU32) {
    futex_wake(word);
}

/// Works, looks for more work for a while, sleeps.
fn run(controller: &mut Controller, shared: &Shared, polling: Polling) -> io::Result<()> {
    let mut last_work = Instant::now();
    let (mut idle, mut contended) = (0u32, false);
    while !shared.stop.load(Ordering::Acquire) {
        if controller.step() {
            idle = 0;
            continue;
        }
        idle = idle.saturating_add(1);
        if idle == 1 {
            (last_work, contended) = (Instant::now(), false);
        }
        match polling {
            _ if idle < SPINS => std::hint::spin_loop(),
            Polling::Busy => std::thread::yield_now(),
            Polling::Adaptive(budget) if !contended && last_work.elapsed() < budget => contended = yield_took_long(),
            Polling::Adaptive(_) => {
                sleep(controller, shared)?;
                idle = 0;
            }
        }
    }
    Ok(())
}

fn sleep(controller: &mut Controller, shared: &Shared) -> io::Result<()> {
    let doorbell = controller.doorbell();
    let seen = doorbell.arm();
    let slept = if shared.stop.load(Ordering::Acquire) || controller.step() {
        Ok(())
    } else {
        shared.counters.parked.add(1);
        controller.sleep(seen, LONGEST_SLEEP)
    };
    doorbell.disarm();
    slept
}

/// Yields; true if another thread wanted this processor.
fn yield_took_long() -> bool {
    let before = Instant::now();
    std::thread::yield_now();
    before.elapsed() > UNDISTURBED
}

impl RunningController {
    /// The counters now.
    pub fn stats(&self) -> Stats {
        self.shared.counters.snapshot()
    }

    /// Why the controller stopped serving until a reset, once per fault.
    pub fn take_fault(&self) -> Option<Fault> {
        self.shared.fault.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Looks at the sizes of the disks again, and tells the driver if one has changed.
    pub fn rescan(&self) {
        self.shared.rescan.store(true, Ordering::Release);
        self.wake();
    }

    fn wake(&self) {
        self.doorbell.word().fetch_add(1, Ordering::Release);
        futex_wake(self.doorbell.word());
    }

    /// Stops the thread and returns the final counters.
    pub fn stop(mut self) -> Stats {
        self.join();
        self.stats()
    }

    fn join(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        self.wake();
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has already said so.
            let _ = thread.join();
        }
    }
}

impl Drop for RunningController {
    fn drop(&mut self) {
        self.join();
    }
}
