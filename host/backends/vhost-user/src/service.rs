//! The thread that stands between the driver's registers and the daemon.

use crate::daemon::{Bells, Daemon};
use rkt_virtio::{device_id, status};
use rkt_virtio_device::{Interest, Waiter, futex_wake};
use rkt_virtio_transport::{DeviceRegs, StatusWord};
use rkt_window::layout::{MAX_VCPUS, header};
use rkt_window::{Doorbell, Window};
use rustix::event::PollFlags;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Entries of the queue.
const QUEUE_SIZE: u16 = 256;
/// Between two attempts to reach a daemon that is gone.
const RETRY: Duration = Duration::from_millis(20);
/// Longest sleep otherwise.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// A disk that a daemon serves, until it is dropped.
pub struct VhostUserDisk {
    stop: Arc<AtomicBool>,
    doorbell: Doorbell,
    thread: Option<JoinHandle<()>>,
}

impl VhostUserDisk {
    /// Describes the daemon's disk in `slot` of the window and starts the thread. `descriptor` is the
    /// window's, for the daemon. Call before the enclave starts, so that it sees the description.
    ///
    /// # Errors
    /// If the daemon cannot be reached or is none, the slot does not exist, or the host denies a thread.
    pub fn spawn(path: &Path, window: &Window, descriptor: OwnedFd, slot: usize) -> io::Result<Self> {
        let daemon = Daemon::connect(path)?;
        let regs = DeviceRegs::open(window, slot, wake).map_err(io::Error::other)?;
        regs.describe(device_id::BLOCK, daemon.features, &[QUEUE_SIZE]).map_err(io::Error::other)?;
        regs.write_config(&daemon.config).map_err(io::Error::other)?;
        let (stop, doorbell) = (Arc::new(AtomicBool::new(false)), regs.doorbell());
        let mut service = Service {
            path: path.to_owned(),
            window: *window,
            descriptor,
            offered: daemon.features,
            regs,
            acted: StatusWord::default(),
            daemon: Some(daemon),
            running: None,
            changed: false,
            stop: stop.clone(),
        };
        let thread = std::thread::Builder::new().name(format!("rkt-dev{slot}")).spawn(move || service.run())?;
        Ok(Self { stop, doorbell, thread: Some(thread) })
    }
}

impl Drop for VhostUserDisk {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.doorbell.word().fetch_add(1, Ordering::Release);
        futex_wake(self.doorbell.word());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has already said so.
            let _ = thread.join();
        }
    }
}

/// A queue that the daemon works on.
struct Running {
    bells: Bells,
    vcpu: u16,
}

struct Service {
    path: PathBuf,
    window: Window,
    descriptor: OwnedFd,
    offered: u64,
    regs: DeviceRegs,
    /// The driver's status that was acted on last.
    acted: StatusWord,
    /// The daemon of this epoch.
    daemon: Option<Daemon>,
    running: Option<Running>,
    /// Connection or bells are not those that they were.
    changed: bool,
    stop: Arc<AtomicBool>,
}

impl Service {
    fn run(&mut self) {
        while !self.stop.load(Ordering::Acquire) {
            if self.serve_connection().is_err() {
                // Without a way of sleeping there is nothing that could be done.
                return self.fail();
            }
        }
    }

    /// Works until the descriptors are others: a waiter wants the same ones always.
    fn serve_connection(&mut self) -> io::Result<()> {
        let mut waiter = Waiter::new(vec![self.regs.doorbell()], true)?;
        self.changed = false;
        loop {
            waiter.arm();
            let longest = if self.step() { LONGEST_SLEEP } else { RETRY };
            let over = self.changed || self.stop.load(Ordering::Acquire);
            let slept = if over { Ok(()) } else { self.sleep(&mut waiter, longest) };
            waiter.disarm();
            if over || slept.is_err() {
                return slept;
            }
        }
    }

    fn sleep(&self, waiter: &mut Waiter, longest: Duration) -> io::Result<()> {
        let readable = PollFlags::IN.bits() as i16;
        let of = |fd| Interest { fd, events: readable };
        match (&self.daemon, &self.running) {
            (Some(daemon), Some(running)) => {
                waiter.wait(&[of(running.bells.call.as_fd()), of(daemon.as_fd())], longest)
            }
            _ => waiter.wait(&[], longest),
        }
    }

    /// One look at everything; false if the daemon could not be reached and is to be tried again.
    fn step(&mut self) -> bool {
        if !self.follow() {
            return false;
        }
        let Some(running) = &self.running else { return true };
        // Whoever rang while this thread was awake told nobody, so each turn passes it on. The counter of an
        // eventfd that is full says the same as one that is not.
        let _ = rustix::io::write(&running.bells.kick, &1u64.to_ne_bytes());
        let mut count = [0; 8];
        if rustix::io::read(&running.bells.call, &mut count).is_ok() {
            // The number was checked when the queue was set up.
            let _ = self.regs.notify(running.vcpu);
        }
        if self.daemon.as_ref().is_none_or(Daemon::is_gone) {
            self.fail();
        }
        true
    }

    /// Follows the driver's status (virtio 1.2 §3.1.1), if it has changed.
    fn follow(&mut self) -> bool {
        let asked = self.regs.driver_status();
        if asked == self.acted {
            return true;
        }
        if asked.epoch != self.acted.epoch || asked.status == 0 {
            self.running = None;
            // The old connection ends before the new one begins.
            self.daemon = None;
            self.changed = true;
            match Daemon::connect(&self.path) {
                Ok(daemon) if self.offered & !daemon.features == 0 => self.daemon = Some(daemon),
                _ => return false,
            }
        }
        self.acted = asked;
        let mut answer = asked;
        if asked.status & status::FAILED != 0 {
            self.running = None;
        } else if asked.status & status::FEATURES_OK != 0 && self.agreed().is_none() {
            answer.status = asked.status & !status::FEATURES_OK | status::FAILED;
        } else if asked.status & status::DRIVER_OK != 0 && self.running.is_none() {
            match self.start() {
                Ok(running) => (self.running, self.changed) = (Some(running), true),
                Err(_) => answer.status |= status::DEVICE_NEEDS_RESET,
            }
        }
        self.answer(answer);
        true
    }

    /// The driver's features, if they can be had.
    fn agreed(&self) -> Option<u64> {
        self.regs.driver_features().ok().filter(|asked| asked & !self.offered == 0)
    }

    fn start(&mut self) -> io::Result<Running> {
        let wrong = || io::Error::other("the driver has set up no queue");
        let queue = self
            .regs
            .queue(0)
            .ok()
            .flatten()
            .filter(|queue| usize::from(queue.vcpu) < MAX_VCPUS && (1..=QUEUE_SIZE).contains(&queue.size));
        let (queue, features) = (queue.ok_or_else(wrong)?, self.agreed().ok_or_else(wrong)?);
        let daemon = self.daemon.as_mut().ok_or_else(wrong)?;
        let bells = daemon.start(features, self.descriptor.as_fd(), self.window.len(), &queue)?;
        Ok(Running { bells, vcpu: queue.vcpu })
    }

    /// The device needs a reset.
    fn fail(&mut self) {
        self.running = None;
        self.changed = true;
        let status = self.acted.status | status::DEVICE_NEEDS_RESET;
        self.answer(StatusWord { status, ..self.acted });
    }

    /// Answers and wakes whichever vCPU waits for it.
    fn answer(&self, word: StatusWord) {
        self.regs.answer(word);
        let vcpus = self.window.read_u32(header::VCPUS).unwrap_or(1).clamp(1, MAX_VCPUS as u32) as u16;
        for vcpu in 0..vcpus {
            // Below MAX_VCPUS, so the doorbell exists.
            let _ = self.regs.notify(vcpu);
        }
    }
}

fn wake(word: &'static AtomicU32) {
    futex_wake(word);
}
