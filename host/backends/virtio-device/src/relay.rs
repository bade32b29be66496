//! A device that somebody else plays: behind a vhost-user socket, or on a bus. It reads and writes the queues
//! in the window by itself. What is left to do here is to pass on what the driver says through its slot
//! (status, features, queues), its kicks, and the device's answers.

use crate::sys;
use crate::waiter::{Interest, Waiter};
use rkt_virtio::status;
use rkt_virtio_transport::{DeviceRegs, QueueSetup, StatusWord};
use rkt_window::layout::{MAX_VCPUS, header};
use rkt_window::{Doorbell, Window};
use smallvec::SmallVec;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Longest sleep: how soon a device that came back is noticed.
const LONGEST_SLEEP: Duration = Duration::from_millis(100);

/// A device elsewhere.
pub trait Remote: Send + 'static {
    /// Virtio device id.
    fn kind(&self) -> u32;
    /// All features that it offers.
    fn features(&self) -> u64;
    /// The largest size of each queue.
    fn queue_sizes(&self) -> &[u16];
    /// Content of the configuration space.
    fn config(&self) -> Vec<u8>;

    /// Has the device let go of all queues and memory, and start anew; connects to it again if it was gone.
    ///
    /// # Errors
    /// The device is gone.
    fn reset(&mut self) -> io::Result<()>;

    /// Whether the device takes these features.
    ///
    /// # Errors
    /// The device is gone.
    fn accept(&mut self, features: u64) -> io::Result<bool>;

    /// Has the device serve these queues.
    ///
    /// # Errors
    /// The device is gone, or does not take them.
    fn start(&mut self, queues: &[(u16, QueueSetup)]) -> io::Result<()>;

    /// Tells the device that there may be work in any queue.
    ///
    /// # Errors
    /// The device is gone.
    fn kick(&mut self) -> io::Result<()>;

    /// What becomes readable when the device has done something, and when it is gone.
    fn descriptors(&self) -> SmallVec<[Interest<'_>; 4]>;

    /// Whether the device has done something since this was last asked.
    ///
    /// # Errors
    /// The device is gone.
    fn heed(&mut self) -> io::Result<bool>;
}

/// A device elsewhere in a slot of the window, until this is dropped.
pub struct Relay {
    stop: Arc<AtomicBool>,
    doorbell: Doorbell,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    /// Describes the device in `slot` of the window, and starts the thread. Call before the enclave starts.
    ///
    /// # Errors
    /// If the slot does not exist, or the host denies the thread.
    pub fn spawn(remote: Box<dyn Remote>, slot: usize, window: &Window) -> io::Result<Self> {
        let regs = DeviceRegs::open(window, slot, wake).map_err(io::Error::other)?;
        regs.describe(remote.kind(), remote.features(), remote.queue_sizes()).map_err(io::Error::other)?;
        regs.write_config(&remote.config()).map_err(io::Error::other)?;
        let (stop, doorbell) = (Arc::new(AtomicBool::new(false)), regs.doorbell());
        let mut service = Service {
            remote,
            regs,
            window: *window,
            acted: StatusWord::default(),
            agreed: false,
            vcpus: Vec::new(),
            rung: doorbell.word().load(Ordering::Acquire),
            stop: Arc::clone(&stop),
        };
        let thread = std::thread::Builder::new().name(format!("rkt-relay{slot}")).spawn(move || service.run())?;
        Ok(Self { stop, doorbell, thread: Some(thread) })
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.doorbell.word().fetch_add(1, Ordering::Release);
        sys::futex_wake(self.doorbell.word());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has already said so.
            let _ = thread.join();
        }
    }
}

struct Service {
    remote: Box<dyn Remote>,
    regs: DeviceRegs,
    window: Window,
    /// The driver's status that was acted on last.
    acted: StatusWord,
    /// The device took the features.
    agreed: bool,
    /// Those to ring when the device has done something; none while it is not served.
    vcpus: Vec<u16>,
    /// The doorbell's number when the device was last kicked.
    rung: u32,
    stop: Arc<AtomicBool>,
}

impl Service {
    fn run(&mut self) {
        let Ok(mut waiter) = Waiter::new(vec![self.regs.doorbell()], true) else { return self.fail() };
        while !self.stop.load(Ordering::Acquire) {
            // It stays armed: a ring that nobody waits for leaves no trace, and each has to be passed on.
            waiter.arm();
            match self.step() {
                Ok(true) => continue,
                Ok(false) => {}
                Err(_) => self.fail(),
            }
            if self.sleep(&mut waiter).is_err() {
                return self.fail();
            }
        }
        // The device keeps no hold of memory that is about to go.
        let _ = self.remote.reset();
    }

    fn sleep(&self, waiter: &mut Waiter) -> io::Result<()> {
        let serving = !self.vcpus.is_empty();
        let interests = if serving { self.remote.descriptors() } else { SmallVec::new() };
        waiter.wait(&interests, LONGEST_SLEEP)
    }

    /// One look at both sides; whether there was anything.
    fn step(&mut self) -> io::Result<bool> {
        let followed = self.follow()?;
        if self.vcpus.is_empty() {
            return Ok(followed);
        }
        let rung = self.regs.doorbell().word().load(Ordering::Acquire);
        let kicked = rung != std::mem::replace(&mut self.rung, rung);
        if kicked {
            self.remote.kick()?;
        }
        let done = self.remote.heed()?;
        if done {
            self.notify();
        }
        Ok(followed || kicked || done)
    }

    /// Follows the driver's status (§3.1.1), if it has changed. Whether it had.
    fn follow(&mut self) -> io::Result<bool> {
        let asked = self.regs.driver_status();
        if asked == self.acted {
            return Ok(false);
        }
        if asked.epoch != self.acted.epoch || asked.status == 0 {
            self.vcpus.clear();
            self.agreed = false;
            if self.remote.reset().is_err() {
                // The driver gets no answer before the device is there again: the next look tries once more.
                return Ok(false);
            }
        }
        self.acted = asked;
        let mut answer = asked;
        if asked.status & status::FEATURES_OK != 0 && !self.agreed {
            let features = self.regs.driver_features().map_err(io::Error::other)?;
            self.agreed = features & !self.remote.features() == 0 && self.remote.accept(features)?;
            if !self.agreed {
                // As in `Slot`: the bit's mere absence could also be an answer that has not come yet.
                answer.status = asked.status & !status::FEATURES_OK | status::FAILED;
            }
        }
        if asked.status & status::DRIVER_OK != 0 && self.agreed && self.vcpus.is_empty() {
            self.start()?;
        }
        self.answer(answer);
        Ok(true)
    }

    fn start(&mut self) -> io::Result<()> {
        let mut queues = Vec::new();
        for (index, _) in (0u16..).zip(self.remote.queue_sizes()) {
            let setup = self.regs.queue(index).map_err(io::Error::other)?;
            queues.extend(setup.map(|setup| (index, setup)));
        }
        self.remote.start(&queues)?;
        self.vcpus = queues.iter().map(|(_, setup)| setup.vcpu).collect();
        self.vcpus.sort_unstable();
        self.vcpus.dedup();
        // What was made available before the device looked at the queues.
        self.remote.kick()
    }

    /// The device is gone, until the driver resets it and it is there again.
    fn fail(&mut self) {
        self.vcpus.clear();
        let status = self.acted.status | status::DEVICE_NEEDS_RESET;
        self.answer(StatusWord { status, ..self.acted });
    }

    /// Answers, and rings every vCPU: whichever waits for it.
    fn answer(&self, word: StatusWord) {
        self.regs.answer(word);
        let vcpus = self.window.read_u32(header::VCPUS).unwrap_or(1).clamp(1, MAX_VCPUS as u32) as u16;
        for vcpu in 0..vcpus {
            // Below MAX_VCPUS, so the doorbell exists.
            let _ = self.regs.notify(vcpu);
        }
    }

    fn notify(&self) {
        for vcpu in &self.vcpus {
            // A driver that names a vCPU that cannot exist waits in vain.
            let _ = self.regs.notify(*vcpu);
        }
    }
}

fn wake(word: &'static AtomicU32) {
    sys::futex_wake(word);
}
