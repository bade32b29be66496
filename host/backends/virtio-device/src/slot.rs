//! A device in its slot: transport handshake and queues, without a thread.

use crate::device::{Fault, Model};
use crate::queue::{Queue, QueueError};
use crate::sys;
use rkt_virtio::{features, status};
use rkt_virtio_transport::{DeviceRegs, StatusWord};
use rkt_window::layout::{MAX_VCPUS, header};
use rkt_window::{Doorbell, OutOfBounds, Window};
use std::io;
use std::sync::atomic::AtomicU32;

/// What every device here offers beside what it offers itself.
const COMMON: u64 = features::VERSION_1 | features::EVENT_IDX | features::RING_PACKED;

/// The queues that a driver has set up.
#[derive(Default)]
pub struct Queues(Vec<Option<Queue>>);

impl Queues {
    /// These queues, all set up.
    pub fn of(queues: impl IntoIterator<Item = Queue>) -> Self {
        Self(queues.into_iter().map(Some).collect())
    }

    /// The queue with this number.
    ///
    /// # Errors
    /// `NoQueue` if the driver has not set it up.
    pub fn get(&mut self, index: usize) -> Result<&mut Queue, Fault> {
        self.find(index).ok_or(Fault::NoQueue(index as u16))
    }

    /// Two different queues.
    ///
    /// # Errors
    /// `NoQueue` if the driver has not set up both.
    pub fn pair(&mut self, first: usize, second: usize) -> Result<(&mut Queue, &mut Queue), Fault> {
        match self.0.get_disjoint_mut([first, second]) {
            Ok([Some(one), Some(other)]) => Ok((one, other)),
            Ok([None, _]) => Err(Fault::NoQueue(first as u16)),
            _ => Err(Fault::NoQueue(second as u16)),
        }
    }

    /// The queue with this number, if the driver has set it up.
    pub fn find(&mut self, index: usize) -> Option<&mut Queue> {
        self.0.get_mut(index)?.as_mut()
    }
}

/// A device's place in a window.
pub struct Slot {
    regs: DeviceRegs,
    window: Window,
    offered: u64,
    sizes: Vec<u16>,
    /// The driver's status that was acted on last.
    acted: StatusWord,
    /// Agreed features.
    agreed: Option<u64>,
    queues: Queues,
    serving: bool,
}

impl Slot {
    /// Describes `device` in `slot` of the window. Call before the enclave starts, so that it sees the
    /// description; if it runs, the device takes over from another that is gone, and needs a reset.
    ///
    /// # Errors
    /// If the slot does not exist.
    pub fn open(window: &Window, slot: usize, device: &dyn Model) -> io::Result<Self> {
        let regs = DeviceRegs::open(window, slot, wake).map_err(io::Error::other)?;
        let offered = device.features() | COMMON;
        let sizes = device.queue_sizes().to_vec();
        regs.describe(device.kind(), offered, &sizes).map_err(io::Error::other)?;
        regs.write_config(&device.config()).map_err(io::Error::other)?;
        let mut place = Self {
            regs,
            window: *window,
            offered,
            sizes,
            acted: StatusWord::default(),
            agreed: None,
            queues: Queues::default(),
            serving: false,
        };
        let asked = place.regs.driver_status();
        if asked.status != 0 {
            place.acted = asked;
            place.fail();
        }
        Ok(place)
    }

    /// The doorbell that the driver rings.
    pub fn doorbell(&self) -> Doorbell {
        self.regs.doorbell()
    }

    /// Whether the driver has started the device and neither has given up.
    pub fn serving(&self) -> bool {
        self.serving
    }

    /// The queues while the device is served.
    pub fn queues(&mut self) -> Option<&mut Queues> {
        self.serving.then_some(&mut self.queues)
    }

    /// Follows the driver's status (§3.1.1), if it has changed. Whether it had.
    ///
    /// # Errors
    /// If the driver started the device in a way that cannot be; the device shows it.
    pub fn follow(&mut self, device: &mut dyn Model) -> Result<bool, Fault> {
        let asked = self.regs.driver_status();
        if asked == self.acted {
            return Ok(false);
        }
        if asked.epoch != self.acted.epoch || asked.status == 0 {
            self.serving = false;
            self.agreed = None;
            self.queues = Queues::default();
            device.reset();
        }
        self.acted = asked;
        let mut answer = asked;
        if asked.status & status::FEATURES_OK != 0 && self.agreed.is_none() {
            self.agreed = self.agree(device);
            if self.agreed.is_none() {
                // The bit's mere absence could also be an answer that has not come yet.
                answer.status = asked.status & !status::FEATURES_OK | status::FAILED;
            }
        }
        if asked.status & status::FAILED != 0 {
            self.serving = false;
        } else if asked.status & status::DRIVER_OK != 0 && !self.serving {
            self.start(device).inspect_err(|_| self.fail())?;
            self.serving = true;
        }
        self.answer(answer);
        Ok(true)
    }

    /// The driver's features if they can be had (§6.1 asks for `VERSION_1`).
    fn agree(&self, device: &dyn Model) -> Option<u64> {
        let asked = self.regs.driver_features().ok()?;
        let possible = asked & !self.offered == 0 && asked & features::VERSION_1 != 0 && device.accepts(asked);
        possible.then_some(asked)
    }

    fn start(&mut self, device: &mut dyn Model) -> Result<(), Fault> {
        let agreed = self.agreed.ok_or(Fault::Features)?;
        let mut queues = Vec::new();
        for (index, max_size) in (0u16..).zip(&self.sizes) {
            let setup = self.regs.queue(index).map_err(QueueError::Ring)?;
            if let Some(vcpu) = setup.map(|setup| setup.vcpu).filter(|vcpu| usize::from(*vcpu) >= MAX_VCPUS) {
                return Err(Fault::Vcpu(vcpu));
            }
            queues.push(setup.map(|setup| Queue::open(&self.window, &setup, *max_size, agreed)).transpose()?);
        }
        device.start(agreed)?;
        self.queues = Queues(queues);
        Ok(())
    }

    /// Rings the vCPUs whose queues moved and who asked for it, each once. Returns how many.
    pub fn notify(&mut self) -> u64 {
        let mut rung = None;
        let mut count = 0;
        for queue in self.queues.0.iter_mut().flatten() {
            if queue.take_notice() && rung != Some(queue.vcpu()) {
                rung = Some(queue.vcpu());
                count += 1;
                // The number was checked when the queue was set up.
                let _ = self.regs.notify(queue.vcpu());
            }
        }
        count
    }

    /// Stops serving until the driver resets the device.
    pub fn fail(&mut self) {
        self.serving = false;
        let status = self.acted.status | status::DEVICE_NEEDS_RESET;
        self.answer(StatusWord { status, ..self.acted });
    }

    /// Answers and wakes whichever vCPU waits for it.
    fn answer(&self, word: StatusWord) {
        self.regs.answer(word);
        self.notify_all();
    }

    fn notify_all(&self) {
        let vcpus = self.window.read_u32(header::VCPUS).unwrap_or(1).clamp(1, MAX_VCPUS as u32) as u16;
        for vcpu in 0..vcpus {
            // Below MAX_VCPUS, so the doorbell exists.
            let _: Result<(), OutOfBounds> = self.regs.notify(vcpu);
        }
    }
}

fn wake(word: &'static AtomicU32) {
    sys::futex_wake(word);
}
