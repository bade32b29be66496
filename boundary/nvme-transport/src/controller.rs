//! The controller's view of its registers. All that it reads is the driver's word.

use crate::page::{KIND, KIND_NVME, MAX_QUEUE_PAIRS, Wake, open_slot, written_by_controller, written_by_driver};
use core::sync::atomic::Ordering;
use rkt_nvme::registers::{CAP, CSTS, Capabilities, GONE, VS, head_doorbell, tail_doorbell};
use rkt_window::layout::{MAX_VCPUS, VCPU_DOORBELLS};
use rkt_window::{Doorbell, OutOfBounds, Region, Window};

/// Registers of a slot, controller side.
pub struct ControllerRegisters {
    window: Window,
    page: Region,
    doorbell: Doorbell,
    wake: Wake,
}

impl ControllerRegisters {
    /// The registers of `slot`; `wake` does the futex wake of an interrupt.
    ///
    /// # Errors
    /// `OutOfBounds` if there is no such slot or the window is too short.
    pub fn open(window: &Window, slot: usize, wake: Wake) -> Result<Self, OutOfBounds> {
        let (page, doorbell) = open_slot(window, slot)?;
        Ok(Self { window: *window, page, doorbell, wake })
    }

    /// Says what the controller is, before the enclave starts: capabilities and version (`VS`).
    ///
    /// # Errors
    /// None in practice: the page was checked by `open`.
    pub fn describe(&self, capabilities: Capabilities, version: u32) -> Result<(), OutOfBounds> {
        self.store64(CAP, capabilities.0)?;
        self.store32(VS, version)?;
        self.store32(CSTS, 0)?;
        self.page.write_u32(KIND, KIND_NVME)
    }

    fn store32(&self, register: usize, value: u32) -> Result<(), OutOfBounds> {
        let at = written_by_controller(register).ok_or(OutOfBounds { offset: register as u64, len: 4 })?;
        self.page.atomic_u32(at)?.store(value.to_le(), Ordering::Release);
        Ok(())
    }

    fn store64(&self, register: usize, value: u64) -> Result<(), OutOfBounds> {
        let at = written_by_controller(register).ok_or(OutOfBounds { offset: register as u64, len: 8 })?;
        self.page.write_u64(at, value)
    }

    /// Sets `CSTS`. What was written to memory before is visible to the driver when it sees this.
    pub fn set_status(&self, status: u32) {
        // The place was checked by `open`.
        let _ = self.store32(CSTS, status);
    }

    /// A register of the driver's, four bytes; what it wrote to memory before is visible. All ones if
    /// there is no such register.
    pub fn read32(&self, register: usize) -> u32 {
        let word = written_by_driver(register).and_then(|at| self.page.atomic_u32(at).ok());
        word.map_or(GONE, |word| u32::from_le(word.load(Ordering::Acquire)))
    }

    /// A register of the driver's, eight bytes. All ones if there is no such register.
    pub fn read64(&self, register: usize) -> u64 {
        written_by_driver(register).and_then(|at| self.page.read_u64(at).ok()).unwrap_or(u64::MAX)
    }

    /// Tail of a submission queue below [`MAX_QUEUE_PAIRS`].
    pub fn tail(&self, queue: u16) -> u32 {
        self.read32(tail_doorbell(queue, 4))
    }

    /// Head of a completion queue below [`MAX_QUEUE_PAIRS`].
    pub fn head(&self, queue: u16) -> u32 {
        self.read32(head_doorbell(queue, 4))
    }

    /// Forgets all doorbells: a controller reset sets heads and tails to 0 (base §3.7.2). While the
    /// controller is not ready the driver writes none.
    ///
    /// # Errors
    /// None in practice: the page was checked by `open`.
    pub fn clear_doorbells(&self) -> Result<(), OutOfBounds> {
        for queue in 0..MAX_QUEUE_PAIRS {
            for register in [tail_doorbell(queue, 4), head_doorbell(queue, 4)] {
                let at = written_by_driver(register).ok_or(OutOfBounds { offset: register as u64, len: 4 })?;
                self.page.write_u32(at, 0)?;
            }
        }
        Ok(())
    }

    /// The doorbell that the controller's thread sleeps on (see [`Doorbell`] for how).
    pub fn doorbell(&self) -> Doorbell {
        self.doorbell
    }

    /// Interrupts: rings the doorbell of the vCPU that has the number of the vector. To be called once
    /// for a batch.
    ///
    /// # Errors
    /// `OutOfBounds` if there can be no such vCPU.
    pub fn interrupt(&self, vector: u16) -> Result<(), OutOfBounds> {
        if usize::from(vector) >= MAX_VCPUS {
            return Err(OutOfBounds { offset: u64::from(vector), len: 1 });
        }
        let doorbell = Doorbell::at(&self.window, VCPU_DOORBELLS + usize::from(vector) * Doorbell::SIZE)?;
        if doorbell.ring() {
            (self.wake)(doorbell.word());
        }
        Ok(())
    }
}
