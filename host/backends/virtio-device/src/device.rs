//! The thread of a device: service, pause, sleep.

use crate::place::{Company, Placement};
use crate::queue::QueueError;
use crate::slot::{Queues, Slot};
use crate::stats::{Counters, Stats};
use crate::sys;
use crate::waiter::{Interest, Waiter};
use rkt_window::{Doorbell, Window};
use smallvec::SmallVec;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
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

/// What a device is and how it follows its driver's status.
pub trait Model: Send + 'static {
    /// Virtio device id.
    fn kind(&self) -> u32;
    /// Features offered beside those that every device here offers.
    fn features(&self) -> u64;
    /// The largest size of each queue.
    fn queue_sizes(&self) -> &[u16];
    /// Content of the configuration space.
    fn config(&self) -> Vec<u8>;

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
}

/// What makes one kind of device of the shared machinery. All methods are called on the
/// device's thread, but for those of description, which are called before it starts.
pub trait Device: Model {
    /// The descriptors that wake the thread beside the doorbell, and for what: the same ones in the same
    /// order always; those with no events are not waited for now.
    fn descriptors(&self) -> SmallVec<[Interest<'_>; 4]> {
        SmallVec::new()
    }

    /// Moves what can be moved, at most a batch, and says whether there was anything.
    ///
    /// # Errors
    /// Faults that end the service until a reset.
    fn serve(&mut self, queues: &mut Queues, counters: &Counters) -> Result<bool, Fault>;
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

/// The time between work and sleep.
pub struct Pause {
    polling: Polling,
    since: Instant,
    /// Somebody else wants this processor.
    contended: bool,
}

impl Pause {
    /// A pause that starts now.
    pub fn new(polling: Polling) -> Self {
        Self { polling, since: Instant::now(), contended: false }
    }

    /// There was work, or a sleep: the pause starts anew with the next look.
    pub fn worked(&mut self) {
        *self = Self::new(self.polling);
    }

    /// Lets time pass; whether it is time to sleep.
    pub fn is_over(&mut self) -> bool {
        match self.polling {
            Polling::Busy => std::thread::yield_now(),
            Polling::Adaptive(budget) if self.contended || self.since.elapsed() >= budget => return true,
            Polling::Adaptive(_) => self.contended = yield_took_long(),
        }
        false
    }
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

/// What the supervisor and the thread share.
#[derive(Default)]
struct Shared {
    counters: Counters,
    stop: AtomicBool,
    fault: Mutex<Option<Fault>>,
}

impl Shared {
    fn note(&self, fault: Fault) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
    }
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
        Self::spawn_beside(Company::default(), device, slot, window, polling)
    }

    /// [`RunningDevice::spawn`] for an enclave with which the thread may share a processor.
    ///
    /// # Errors
    /// As there.
    pub fn spawn_beside(
        company: Company,
        device: Box<dyn Device>,
        slot: usize,
        window: &Window,
        polling: Polling,
    ) -> io::Result<Self> {
        let place = Slot::open(window, slot, &*device)?;
        let (shared, doorbell) = (Arc::new(Shared::default()), place.doorbell());
        let mut service = Service { company, device, slot: place, polling, shared: Arc::clone(&shared) };
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

struct Service {
    company: Company,
    device: Box<dyn Device>,
    slot: Slot,
    polling: Polling,
    shared: Arc<Shared>,
}

impl Service {
    fn run(&mut self) {
        // io_uring wants to be used by the thread that made it, so it is made here.
        let has_descriptor = !self.device.descriptors().is_empty();
        let mut waiter = match Waiter::new(vec![self.slot.doorbell()], has_descriptor) {
            Ok(waiter) => waiter,
            Err(e) => return self.fail(Fault::Host("cannot wait for events", e)),
        };
        let mut pause = Pause::new(self.polling);
        let mut placement = Placement::new(self.company.clone());
        while !self.stopping() {
            if self.step() {
                if pause.contended {
                    placement.contended();
                }
                pause.worked();
                placement.look(pause.since, self.shared.counters.bytes());
            } else if pause.is_over() {
                if pause.contended {
                    placement.contended();
                }
                if let Err(e) = self.sleep(&mut waiter, placement.rest()) {
                    return self.fail(Fault::Host("cannot wait for events", e));
                }
                pause.worked();
                placement.look(pause.since, self.shared.counters.bytes());
            }
        }
    }

    fn sleep(&mut self, waiter: &mut Waiter, most: Option<Duration>) -> io::Result<()> {
        waiter.arm();
        let slept = if self.stopping() || self.step() {
            Ok(())
        } else {
            self.shared.counters.parked.add(1);
            let interests = if self.slot.serving() { self.device.descriptors() } else { SmallVec::new() };
            waiter.wait(&interests, most.unwrap_or(LONGEST_SLEEP))
        };
        waiter.disarm();
        slept
    }

    fn stopping(&self) -> bool {
        self.shared.stop.load(Ordering::Acquire)
    }

    /// One look at everything; whether there was anything to do.
    fn step(&mut self) -> bool {
        match self.slot.follow(&mut *self.device) {
            Ok(false) => {}
            Ok(true) => return true,
            Err(fault) => {
                self.shared.note(fault);
                return true;
            }
        }
        let Some(queues) = self.slot.queues() else { return false };
        let served = self.device.serve(queues, &self.shared.counters);
        self.shared.counters.notified.add(self.slot.notify());
        served.unwrap_or_else(|fault| {
            self.fail(fault);
            true
        })
    }

    fn fail(&mut self, fault: Fault) {
        self.slot.fail();
        self.shared.note(fault);
    }
}
