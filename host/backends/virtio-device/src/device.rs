//! The thread of a device: transport handshake, service, sleep.

use crate::queue::{Queue, QueueError};
use crate::stats::{Counters, Stats};
use crate::sys;
use crate::waiter::{Interest, Waiter};
use rkt_virtio::{features, status};
use rkt_virtio_transport::{DeviceRegs, StatusWord};
use rkt_window::layout::{MAX_VCPUS, header};
use rkt_window::{Doorbell, OutOfBounds, Window};
use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Longest sleep. Every wake-up is by doorbell or descriptor; this only bounds the damage if
/// the enclave scribbles over its doorbell.
const LONGEST_SLEEP: Duration = Duration::from_secs(10);

/// Why a device stopped serving: it shows `DEVICE_NEEDS_RESET` from then on.
#[derive(Debug)]
pub enum Fault {
    /// The driver is guilty.
    Queue(QueueError),
    /// The driver started the device without features that the device accepts.
    Features,
    /// The driver did not enable a queue that the device needs.
    NoQueue(u16),
    /// The driver named a vCPU that cannot exist.
    Vcpu(u16),
    /// The host is guilty: a descriptor failed.
    Host(&'static str, io::Error),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Queue(e) => e.fmt(f),
            Self::Features => write!(f, "the driver started the device without an agreement on features"),
            Self::NoQueue(n) => write!(f, "the driver did not enable queue {n}"),
            Self::Vcpu(n) => write!(f, "the driver named vCPU {n} for a queue"),
            Self::Host(what, e) => write!(f, "{what}: {e}"),
        }
    }
}

impl std::error::Error for Fault {}

impl From<QueueError> for Fault {
    fn from(e: QueueError) -> Self {
        Self::Queue(e)
    }
}

/// What makes one kind of device of the shared machinery. All methods are called on the
/// device's thread, but for those of description, which are called before it starts.
pub trait Device: Send + 'static {
    /// Virtio device id.
    fn kind(&self) -> u32;
    /// Features offered, without `VERSION_1`, which always is.
    fn features(&self) -> u64;
    /// The largest size of each queue.
    fn queue_sizes(&self) -> &[u16];
    /// Content of the configuration space.
    fn config(&self) -> Vec<u8>;

    /// The descriptor that wakes the thread beside the doorbell: the same one always.
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// What to wait for on the descriptor now: `POLLIN`, `POLLOUT`, both or 0.
    fn events(&self) -> i16 {
        0
    }

    /// Whether a subset of the offered features can be driven together.
    fn accepts(&self, features: u64) -> bool {
        let _ = features;
        true
    }

    /// The driver is ready: features are final.
    ///
    /// # Errors
    /// If the host refuses what the features need.
    fn start(&mut self, features: u64) -> Result<(), Fault>;

    /// The driver took all its memory back: forget every chain.
    fn reset(&mut self);

    /// Moves what can be moved, at most a batch, and says whether there was anything.
    ///
    /// # Errors
    /// Faults that end the service until a reset.
    fn serve(&mut self, queues: &mut [Queue], counters: &Counters) -> Result<bool, Fault>;
}

/// How long a thread looks for more work before it sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polling {
    /// Sleeps after this much time without work. Each look yields the processor, so others run.
    Adaptive(Duration),
    /// Never sleeps (`--poll busy`).
    Busy,
}

impl Default for Polling {
    /// 50 us, about what waking an idle CPU costs here. Measured with one UDP packet at a time
    /// through a TAP on two CPUs, driver parked in between: 181 us a round trip and 163 us of CPU time
    /// when the device sleeps at once, 85 and 99 after 20 us, 54 and 75 after 50 us. With 32 packets
    /// under way it makes no difference, as the device then hardly ever sleeps.
    fn default() -> Self {
        Self::Adaptive(Duration::from_micros(50))
    }
}

/// What the supervisor and the thread share.
#[derive(Default)]
struct Shared {
    counters: Counters,
    stop: AtomicBool,
    fault: Mutex<Option<Fault>>,
}

/// A device that runs on its thread until it is stopped or dropped.
pub struct RunningDevice {
    shared: Arc<Shared>,
    doorbell: Doorbell,
    thread: Option<JoinHandle<()>>,
}

impl RunningDevice {
    /// Describes `device` in `slot` of the window and starts its thread. Call before the enclave
    /// starts, so that it sees the description.
    ///
    /// # Errors
    /// If the slot does not exist or the host denies the thread or its means of sleeping.
    pub fn spawn(device: Box<dyn Device>, slot: usize, window: &Window, polling: Polling) -> io::Result<Self> {
        let regs = DeviceRegs::open(window, slot, wake).map_err(io::Error::other)?;
        let offered = device.features() | features::VERSION_1;
        regs.describe(device.kind(), offered, device.queue_sizes()).map_err(io::Error::other)?;
        regs.write_config(&device.config()).map_err(io::Error::other)?;
        let (shared, doorbell) = (Arc::new(Shared::default()), regs.doorbell());
        let mut service = Service {
            device,
            regs,
            window: *window,
            offered,
            polling,
            shared: Arc::clone(&shared),
            acted: StatusWord::default(),
            features: None,
            queues: Vec::new(),
            serving: false,
        };
        let thread = std::thread::Builder::new().name(format!("rkt-dev{slot}")).spawn(move || service.run())?;
        Ok(Self { shared, doorbell, thread: Some(thread) })
    }

    /// The counters now.
    pub fn stats(&self) -> Stats {
        self.shared.counters.snapshot()
    }

    /// Why the device stopped serving, once per fault.
    pub fn take_fault(&self) -> Option<Fault> {
        self.shared.fault.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Stops the thread and returns the final counters.
    pub fn stop(mut self) -> Stats {
        self.join();
        self.stats()
    }

    fn join(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        self.doorbell.word().fetch_add(1, Ordering::Release);
        sys::futex_wake(self.doorbell.word());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has already said so.
            let _ = thread.join();
        }
    }
}

impl Drop for RunningDevice {
    fn drop(&mut self) {
        self.join();
    }
}

fn wake(word: &'static AtomicU32) {
    sys::futex_wake(word);
}

struct Service {
    device: Box<dyn Device>,
    regs: DeviceRegs,
    window: Window,
    offered: u64,
    polling: Polling,
    shared: Arc<Shared>,
    /// The driver's status that was acted on last.
    acted: StatusWord,
    /// Agreed features.
    features: Option<u64>,
    queues: Vec<Queue>,
    serving: bool,
}

/// A yield that takes longer than this let somebody else run.
const UNDISTURBED: Duration = Duration::from_micros(5);

/// Yields; true if another thread wanted this processor. Polling costs nothing on a processor that
/// nobody else wants, and is as good as a sleep is bad there (waking an idle processor takes tens
/// of microseconds); on one that others want it takes what they need.
fn yield_took_long() -> bool {
    let before = Instant::now();
    std::thread::yield_now();
    before.elapsed() > UNDISTURBED
}

impl Service {
    fn run(&mut self) {
        let doorbell = self.regs.doorbell();
        // io_uring wants to be used by the thread that made it, so it is made here.
        let mut waiter = match Waiter::new(doorbell, self.device.descriptor().is_some()) {
            Ok(waiter) => waiter,
            Err(e) => return self.fail(Fault::Host("cannot wait for events", e)),
        };
        let mut last_work = Instant::now();
        let mut contended = false;
        while !self.stopping() {
            if self.step() {
                last_work = Instant::now();
                contended = false;
                continue;
            }
            match self.polling {
                Polling::Busy => std::thread::yield_now(),
                Polling::Adaptive(budget) if !contended && last_work.elapsed() < budget => {
                    contended = yield_took_long()
                }
                Polling::Adaptive(_) => {
                    if let Err(e) = self.sleep(&doorbell, &mut waiter) {
                        return self.fail(Fault::Host("cannot wait for events", e));
                    }
                    last_work = Instant::now();
                    contended = false;
                }
            }
        }
    }

    fn sleep(&mut self, doorbell: &Doorbell, waiter: &mut Waiter) -> io::Result<()> {
        let seen = doorbell.arm();
        let slept = if self.stopping() || self.step() {
            Ok(())
        } else {
            self.shared.counters.parked.add(1);
            waiter.wait(doorbell, seen, self.interest(), LONGEST_SLEEP)
        };
        doorbell.disarm();
        slept
    }

    fn interest(&self) -> Option<Interest<'_>> {
        let events = if self.serving { self.device.events() } else { 0 };
        self.device.descriptor().filter(|_| events != 0).map(|fd| Interest { fd, events })
    }

    fn stopping(&self) -> bool {
        self.shared.stop.load(Ordering::Acquire)
    }

    /// One look at everything; whether there was anything to do.
    fn step(&mut self) -> bool {
        let asked = self.regs.driver_status();
        if asked != self.acted {
            self.handshake(asked);
            return true;
        }
        if !self.serving {
            return false;
        }
        let served = self.device.serve(&mut self.queues, &self.shared.counters);
        self.notify();
        served.unwrap_or_else(|fault| {
            self.fail(fault);
            true
        })
    }

    /// Rings the vCPUs whose queues moved, each once.
    fn notify(&mut self) {
        let mut rung = None;
        for queue in &mut self.queues {
            if queue.take_published() && rung != Some(queue.vcpu()) {
                rung = Some(queue.vcpu());
                self.shared.counters.notified.add(1);
                // The number was checked when the queue was set up.
                let _ = self.regs.notify(queue.vcpu());
            }
        }
    }

    /// Follows the driver's status (§3.1.1).
    fn handshake(&mut self, asked: StatusWord) {
        if asked.epoch != self.acted.epoch || asked.status == 0 {
            self.serving = false;
            self.features = None;
            self.queues.clear();
            self.device.reset();
        }
        self.acted = asked;
        let mut answer = asked;
        if asked.status & status::FEATURES_OK != 0 && self.features.is_none() {
            self.features = self.agreed();
            if self.features.is_none() {
                // The bit's mere absence could also be an answer that has not come yet.
                answer.status = asked.status & !status::FEATURES_OK | status::FAILED;
            }
        }
        if asked.status & status::DRIVER_OK != 0 && !self.serving {
            match self.start() {
                Ok(()) => self.serving = true,
                Err(fault) => return self.fail(fault),
            }
        }
        self.answer(answer);
    }

    /// The driver's features if they can be had (§6.1 asks for `VERSION_1`).
    fn agreed(&self) -> Option<u64> {
        let asked = self.regs.driver_features().ok()?;
        let possible = asked & !self.offered == 0 && asked & features::VERSION_1 != 0 && self.device.accepts(asked);
        possible.then_some(asked)
    }

    fn start(&mut self) -> Result<(), Fault> {
        let features = self.features.ok_or(Fault::Features)?;
        let mut queues = Vec::new();
        for (index, max_size) in (0u16..).zip(self.device.queue_sizes()) {
            let setup = self.regs.queue(index).map_err(QueueError::Ring)?.ok_or(Fault::NoQueue(index))?;
            if usize::from(setup.vcpu) >= MAX_VCPUS {
                return Err(Fault::Vcpu(setup.vcpu));
            }
            queues.push(Queue::open(&self.window, &setup, *max_size)?);
        }
        self.device.start(features)?;
        self.queues = queues;
        Ok(())
    }

    fn fail(&mut self, fault: Fault) {
        self.serving = false;
        *self.shared.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
        let status = self.acted.status | status::DEVICE_NEEDS_RESET;
        self.answer(StatusWord { status, ..self.acted });
    }

    /// Answers and wakes whichever vCPU waits for it.
    fn answer(&self, word: StatusWord) {
        self.regs.answer(word);
        let vcpus = self.window.read_u32(header::VCPUS).unwrap_or(1).clamp(1, MAX_VCPUS as u32) as u16;
        for vcpu in 0..vcpus {
            // Below MAX_VCPUS, so the doorbell exists.
            let _: Result<(), OutOfBounds> = self.regs.notify(vcpu);
        }
    }
}
