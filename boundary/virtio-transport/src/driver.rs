//! The driver's view of the registers. All that it reads is the device's word, to be validated.

use crate::QueueSetup;
use crate::page::{
    self, CONFIG, CONFIG_GENERATION, CONFIG_LEN, DEVICE_FEATURES, DEVICE_STATUS, DRIVER_FEATURES, DRIVER_STATUS, KIND,
    MAX_QUEUES, NUM_QUEUES, QUEUE_LEN, QUEUE_SIZE_MAX, QUEUES, StatusWord, Wake,
};
use core::fmt;
use core::sync::atomic::{AtomicU32, Ordering, fence};
use rkt_window::layout::{DEVICE_DOORBELLS, DEVICE_SLOT_LEN, DEVICE_SLOTS, MAX_DEVICES};
use rkt_window::{Doorbell, OutOfBounds, Region, Window};

/// Why a register could not be read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegsError {
    /// The caller is guilty: no such slot, queue or byte.
    Bounds(OutOfBounds),
    /// The device is guilty: the configuration space kept changing while it was read.
    ConfigUnstable {
        /// The generation last seen; odd if the device never finished a change.
        generation: u32,
    },
}

impl fmt::Display for RegsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bounds(e) => e.fmt(f),
            Self::ConfigUnstable { generation } => {
                write!(f, "device never stops changing its configuration (generation {generation})")
            }
        }
    }
}

impl core::error::Error for RegsError {}

impl From<OutOfBounds> for RegsError {
    fn from(e: OutOfBounds) -> Self {
        Self::Bounds(e)
    }
}

/// Registers of a device slot, driver side.
pub struct DriverRegs {
    page: Region,
    doorbell: Doorbell,
    wake: Wake,
    own: StatusWord,
    driver_status: &'static AtomicU32,
    device_status: &'static AtomicU32,
    generation: &'static AtomicU32,
}

impl DriverRegs {
    /// Times a configuration is read again when it changed in between.
    const CONFIG_TRIES: usize = 64;

    /// The registers of `slot`; `wake` does the futex wake of a kick.
    ///
    /// # Errors
    /// `OutOfBounds` if there is no such slot or the window is too short.
    pub fn open(window: &Window, slot: usize, wake: Wake) -> Result<Self, OutOfBounds> {
        let (page, doorbell) = open_slot(window, slot)?;
        Ok(Self {
            page,
            doorbell,
            wake,
            own: StatusWord::default(),
            driver_status: page.atomic_u32(DRIVER_STATUS)?,
            device_status: page.atomic_u32(DEVICE_STATUS)?,
            generation: page.atomic_u32(CONFIG_GENERATION)?,
        })
    }

    /// The virtio device id (`rkt_virtio::device_id`) that the device claims.
    ///
    /// # Errors
    /// None in practice: the page was checked by `open`.
    pub fn kind(&self) -> Result<u32, OutOfBounds> {
        self.page.read_u32(KIND)
    }

    /// Starts a reset: a new epoch with status 0. The device has let go of all memory once
    /// [`DriverRegs::device_status`] is `Some(0)`.
    pub fn reset(&mut self) {
        self.own = self.own.next_epoch();
        self.publish_status();
    }

    /// Adds bits to the driver's status and kicks. What was written before is visible to the
    /// device when it sees them.
    pub fn add_status(&mut self, bits: u8) {
        self.own.status |= bits;
        self.publish_status();
    }

    fn publish_status(&self) {
        self.driver_status.store(self.own.to_word(), Ordering::Release);
        self.kick();
    }

    /// The status that the driver has asked for.
    pub fn own_status(&self) -> u8 {
        self.own.status
    }

    /// The device's answer in this epoch; `None` while it has not answered since the last reset.
    pub fn device_status(&self) -> Option<u8> {
        let answer = StatusWord::from_word(self.device_status.load(Ordering::Acquire));
        (answer.epoch == self.own.epoch).then_some(answer.status)
    }

    /// The features that the device offers.
    ///
    /// # Errors
    /// None in practice.
    pub fn device_features(&self) -> Result<u64, OutOfBounds> {
        self.page.read_u64(DEVICE_FEATURES)
    }

    /// States the features that the driver accepts, before `FEATURES_OK`.
    ///
    /// # Errors
    /// None in practice.
    pub fn set_driver_features(&self, features: u64) -> Result<(), OutOfBounds> {
        self.page.write_u64(DRIVER_FEATURES, features)
    }

    /// The number of queues that the device claims; not bounded by [`MAX_QUEUES`].
    ///
    /// # Errors
    /// None in practice.
    pub fn num_queues(&self) -> Result<u32, OutOfBounds> {
        self.page.read_u32(NUM_QUEUES)
    }

    /// The largest size that the device claims for a queue; 0 = no such queue.
    ///
    /// # Errors
    /// `OutOfBounds` if `queue` is not below [`MAX_QUEUES`].
    pub fn queue_size_max(&self, queue: u16) -> Result<u16, OutOfBounds> {
        queue_block(&self.page, queue)?;
        self.page.read_u16(QUEUE_SIZE_MAX + 2 * usize::from(queue))
    }

    /// Describes and enables a queue, before `DRIVER_OK`.
    ///
    /// # Errors
    /// `OutOfBounds` if `queue` is not below [`MAX_QUEUES`].
    pub fn set_queue(&self, queue: u16, setup: &QueueSetup) -> Result<(), OutOfBounds> {
        self.queue_regs().set_queue(queue, setup)
    }

    /// What the queues of this device need of its registers.
    pub fn queue_regs(&self) -> QueueRegs {
        QueueRegs {
            page: self.page,
            doorbell: self.doorbell,
            wake: self.wake,
            driver_status: self.driver_status,
            device_status: self.device_status,
        }
    }

    /// The status that the driver has asked for, and in which epoch.
    pub fn own_word(&self) -> StatusWord {
        self.own
    }

    /// Disables a queue, while the device is reset.
    ///
    /// # Errors
    /// `OutOfBounds` if `queue` is not below [`MAX_QUEUES`].
    pub fn disable_queue(&self, queue: u16) -> Result<(), OutOfBounds> {
        queue_block(&self.page, queue)?.write_u16(page::QUEUE_ENABLED, 0)
    }

    /// Copies the start of the configuration space, all of one generation (§2.5.1).
    ///
    /// # Errors
    /// `Bounds` if `into` is longer than [`CONFIG_LEN`], `ConfigUnstable` if the device kept changing it.
    pub fn read_config(&self, into: &mut [u8]) -> Result<(), RegsError> {
        let config = self.page.sub(CONFIG, CONFIG_LEN)?;
        let mut before = self.generation.load(Ordering::Acquire);
        for _ in 0..Self::CONFIG_TRIES {
            config.read(0, into)?;
            fence(Ordering::Acquire);
            let after = self.generation.load(Ordering::Acquire);
            if before == after && before.is_multiple_of(2) {
                return Ok(());
            }
            before = after;
        }
        Err(RegsError::ConfigUnstable { generation: before })
    }

    /// The generation of the configuration space: another value means that it changed.
    pub fn config_generation(&self) -> u32 {
        self.generation.load(Ordering::Acquire)
    }

    /// Tells the device that there is work: rings its doorbell, wakes it if it is parked. To be
    /// called once for a batch.
    pub fn kick(&self) {
        self.queue_regs().kick();
    }
}

/// What the queues of a device need of its registers, each on a vCPU of its own.
#[derive(Clone, Copy)]
pub struct QueueRegs {
    page: Region,
    doorbell: Doorbell,
    wake: Wake,
    driver_status: &'static AtomicU32,
    device_status: &'static AtomicU32,
}

impl QueueRegs {
    /// Describes and enables a queue, before `DRIVER_OK`.
    ///
    /// # Errors
    /// `OutOfBounds` if `queue` is not below [`MAX_QUEUES`].
    pub fn set_queue(&self, queue: u16, setup: &QueueSetup) -> Result<(), OutOfBounds> {
        let block = queue_block(&self.page, queue)?;
        block.write_u16(page::QUEUE_SIZE, setup.size)?;
        block.write_u16(page::QUEUE_VCPU, setup.vcpu)?;
        block.write_u64(page::QUEUE_DESC, setup.desc)?;
        block.write_u64(page::QUEUE_DRIVER, setup.driver)?;
        block.write_u64(page::QUEUE_DEVICE, setup.device)?;
        fence(Ordering::Release);
        block.write_u16(page::QUEUE_ENABLED, 1)
    }

    /// The device's answer, in whichever epoch.
    pub fn answer(&self) -> StatusWord {
        StatusWord::from_word(self.device_status.load(Ordering::Acquire))
    }

    /// Tells the device that the driver has given up on it, until the driver's next word.
    pub fn give_up(&self, word: StatusWord) {
        self.driver_status.store(word.to_word(), Ordering::Release);
        self.kick();
    }

    /// As [`DriverRegs::kick`].
    pub fn kick(&self) {
        if self.doorbell.ring() {
            (self.wake)(self.doorbell.word());
        }
    }
}

/// Page and doorbell of a device slot.
pub(crate) fn open_slot(window: &Window, slot: usize) -> Result<(Region, Doorbell), OutOfBounds> {
    if slot >= MAX_DEVICES {
        return Err(OutOfBounds { offset: slot as u64, len: 1 });
    }
    let page = window.sub(DEVICE_SLOTS + slot * DEVICE_SLOT_LEN, DEVICE_SLOT_LEN)?;
    let doorbell = Doorbell::at(window, DEVICE_DOORBELLS + slot * Doorbell::SIZE)?;
    Ok((page, doorbell))
}

/// The driver's block of a queue.
pub(crate) fn queue_block(page: &Region, queue: u16) -> Result<Region, OutOfBounds> {
    if queue >= MAX_QUEUES {
        return Err(OutOfBounds { offset: u64::from(queue), len: 1 });
    }
    page.sub(QUEUES + QUEUE_LEN * usize::from(queue), QUEUE_LEN)
}
