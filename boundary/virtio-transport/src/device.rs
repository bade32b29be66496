//! The device's view of the registers. All that it reads is the driver's word, to be validated.

use crate::driver::{open_slot, queue_block};
use crate::page::{
    self, CONFIG, CONFIG_GENERATION, CONFIG_LEN, DEVICE_FEATURES, DEVICE_STATUS, DRIVER_FEATURES, DRIVER_STATUS, KIND,
    NUM_QUEUES, QUEUE_SIZE_MAX, StatusWord, Wake,
};
use core::sync::atomic::{AtomicU32, Ordering, fence};
use rkt_window::layout::{MAX_VCPUS, VCPU_DOORBELLS};
use rkt_window::{Doorbell, OutOfBounds, Region, Window};

/// How the driver has set up a queue. Each field is the driver's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueSetup {
    /// Number of entries.
    pub size: u16,
    /// The vCPU whose doorbell the device rings for this queue.
    pub vcpu: u16,
    /// Window offset of the descriptor table or ring.
    pub desc: u64,
    /// Window offset of the driver area: the available ring, or the driver's event suppression
    /// structure (§2.6).
    pub driver: u64,
    /// Window offset of the device area: the used ring, or the device's event suppression structure
    /// (§2.6).
    pub device: u64,
}

/// Registers of a device slot, device side.
pub struct DeviceRegs {
    window: Window,
    page: Region,
    doorbell: Doorbell,
    wake: Wake,
    driver_status: &'static AtomicU32,
    device_status: &'static AtomicU32,
    generation: &'static AtomicU32,
}

impl DeviceRegs {
    /// The registers of `slot`; `wake` does the futex wake of a notification.
    ///
    /// # Errors
    /// `OutOfBounds` if there is no such slot or the window is too short.
    pub fn open(window: &Window, slot: usize, wake: Wake) -> Result<Self, OutOfBounds> {
        let (page, doorbell) = open_slot(window, slot)?;
        Ok(Self {
            window: *window,
            page,
            doorbell,
            wake,
            driver_status: page.atomic_u32(DRIVER_STATUS)?,
            device_status: page.atomic_u32(DEVICE_STATUS)?,
            generation: page.atomic_u32(CONFIG_GENERATION)?,
        })
    }

    /// Says what the device is: virtio device id, offered features and the largest size of each
    /// queue. Before the enclave starts.
    ///
    /// # Errors
    /// `OutOfBounds` if there are more queues than [`crate::MAX_QUEUES`].
    pub fn describe(&self, kind: u32, features: u64, queue_sizes: &[u16]) -> Result<(), OutOfBounds> {
        for (queue, size) in (0u16..).zip(queue_sizes) {
            queue_block(&self.page, queue)?;
            self.page.write_u16(QUEUE_SIZE_MAX + 2 * usize::from(queue), *size)?;
        }
        self.page.write_u32(NUM_QUEUES, queue_sizes.len() as u32)?;
        self.page.write_u64(DEVICE_FEATURES, features)?;
        self.page.write_u32(KIND, kind)
    }

    /// Replaces the start of the configuration space. The generation is odd meanwhile, so that
    /// a driver that reads at the same time reads again.
    ///
    /// # Errors
    /// `OutOfBounds` if `bytes` is longer than [`CONFIG_LEN`]; nothing is written then.
    pub fn write_config(&self, bytes: &[u8]) -> Result<(), OutOfBounds> {
        let config = self.page.sub(CONFIG, CONFIG_LEN)?.sub(0, bytes.len())?;
        self.generation.fetch_add(1, Ordering::AcqRel);
        fence(Ordering::SeqCst);
        let written = config.write(0, bytes);
        self.generation.fetch_add(1, Ordering::AcqRel);
        written
    }

    /// What the driver asks for. What it wrote before is visible.
    pub fn driver_status(&self) -> StatusWord {
        StatusWord::from_word(self.driver_status.load(Ordering::Acquire))
    }

    /// Answers, in the epoch of the driver's word that the device has acted on.
    pub fn answer(&self, word: StatusWord) {
        self.device_status.store(word.to_word(), Ordering::Release);
    }

    /// The features that the driver accepts; valid once it has set `FEATURES_OK`. Not bounded by
    /// what was offered.
    ///
    /// # Errors
    /// None in practice: the page was checked by `open`.
    pub fn driver_features(&self) -> Result<u64, OutOfBounds> {
        self.page.read_u64(DRIVER_FEATURES)
    }

    /// How the driver has set up a queue, each word read once; `None` if it is not enabled.
    ///
    /// # Errors
    /// `OutOfBounds` if `queue` is not below [`crate::MAX_QUEUES`].
    pub fn queue(&self, queue: u16) -> Result<Option<QueueSetup>, OutOfBounds> {
        let block = queue_block(&self.page, queue)?;
        if block.read_u16(page::QUEUE_ENABLED)? == 0 {
            return Ok(None);
        }
        fence(Ordering::Acquire);
        Ok(Some(QueueSetup {
            size: block.read_u16(page::QUEUE_SIZE)?,
            vcpu: block.read_u16(page::QUEUE_VCPU)?,
            desc: block.read_u64(page::QUEUE_DESC)?,
            driver: block.read_u64(page::QUEUE_DRIVER)?,
            device: block.read_u64(page::QUEUE_DEVICE)?,
        }))
    }

    /// The doorbell that the device's thread sleeps on (see [`Doorbell`] for how).
    pub fn doorbell(&self) -> Doorbell {
        self.doorbell
    }

    /// Tells a vCPU that there is work: rings its doorbell, wakes it if it is parked. To be
    /// called once for a batch.
    ///
    /// # Errors
    /// `OutOfBounds` if the driver named a vCPU that cannot exist.
    pub fn notify(&self, vcpu: u16) -> Result<(), OutOfBounds> {
        if usize::from(vcpu) >= MAX_VCPUS {
            return Err(OutOfBounds { offset: u64::from(vcpu), len: 1 });
        }
        let doorbell = Doorbell::at(&self.window, VCPU_DOORBELLS + usize::from(vcpu) * Doorbell::SIZE)?;
        if doorbell.ring() {
            (self.wake)(doorbell.word());
        }
        Ok(())
    }
}
