//! The driver's view of a controller's registers. All that it reads is the controller's word.

use crate::page::{self, KIND, KIND_NVME, REGISTERS_LEN, Wake, open_slot, written_by_controller, written_by_driver};
use core::sync::atomic::{Ordering, fence};
use rkt_nvme::registers::{ACQ, ASQ, CC, DOORBELLS, GONE};
use rkt_window::{Doorbell, OutOfBounds, Region, Window};

/// Registers of a controller, at the offsets of [`rkt_nvme::registers`].
///
/// A read of a register that does not exist, or of a device that is gone, gives all ones, and such
/// a write does nothing, as on PCI. What was written to memory before a register write is visible
/// to the controller when it sees that write.
pub trait Registers: Send + Sync {
    /// Bytes of the register file.
    fn len(&self) -> usize;

    /// Reads four bytes.
    fn read32(&self, register: usize) -> u32;

    /// Reads eight bytes.
    fn read64(&self, register: usize) -> u64;

    /// Writes four bytes.
    fn write32(&self, register: usize, value: u32);

    /// Writes eight bytes.
    fn write64(&self, register: usize, value: u64);

    /// Whether there are no registers at all.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The registers of a controller in a slot of the window.
#[derive(Clone, Copy)]
pub struct WindowRegisters {
    page: Region,
    doorbell: Doorbell,
    wake: Wake,
}

impl WindowRegisters {
    /// The registers of `slot`, if an NVMe controller is there; `wake` does the futex wake of a kick.
    ///
    /// # Errors
    /// `OutOfBounds` if there is no such slot or the window is too short.
    pub fn open(window: &Window, slot: usize, wake: Wake) -> Result<Option<Self>, OutOfBounds> {
        let (page, doorbell) = open_slot(window, slot)?;
        let found = page.read_u32(KIND)? == KIND_NVME;
        Ok(found.then_some(Self { page, doorbell, wake }))
    }

    /// Where a register lies, whoever writes it.
    fn place(register: usize) -> Option<usize> {
        written_by_controller(register).or_else(|| written_by_driver(register))
    }

    /// Whether a write of this register is something that the controller waits for.
    fn kicks(register: usize) -> bool {
        let is_tail = register >= DOORBELLS && (register - DOORBELLS).is_multiple_of(8);
        register == CC || is_tail
    }
}

impl Registers for WindowRegisters {
    fn len(&self) -> usize {
        REGISTERS_LEN
    }

    fn read32(&self, register: usize) -> u32 {
        let read = Self::place(register).and_then(|at| self.page.read_u32(at).ok());
        fence(Ordering::Acquire);
        read.unwrap_or(GONE)
    }

    fn read64(&self, register: usize) -> u64 {
        Self::place(register).and_then(|at| self.page.read_u64(at).ok()).unwrap_or(u64::MAX)
    }

    fn write32(&self, register: usize, value: u32) {
        let Some(at) = page::written_by_driver(register) else { return };
        let Ok(word) = self.page.atomic_u32(at) else { return };
        word.store(value.to_le(), Ordering::Release);
        if Self::kicks(register) && self.doorbell.ring() {
            (self.wake)(self.doorbell.word());
        }
    }

    fn write64(&self, register: usize, value: u64) {
        if let (ASQ | ACQ, Some(at)) = (register, page::written_by_driver(register)) {
            // The place was checked by `open`.
            let _ = self.page.write_u64(at, value);
        }
    }
}
