//! A function on PCI bus 0, configured through the ports CF8h and CFCh (PCI 3.0 §3.2.2.3.2).

use crate::Qtest;
use anyhow::{Result, ensure};
use rkt_nvme_transport::Registers;
use std::sync::{Arc, Mutex, PoisonError};

const ADDRESS: u16 = 0xcf8;
const DATA: u16 = 0xcfc;
/// Offset of the command register; its bits 1 and 2 turn on memory and bus mastering.
const COMMAND: u8 = 0x04;
const BAR0: u8 = 0x10;

fn select(qtest: &mut Qtest, device: u8, offset: u8) -> Result<()> {
    qtest.outl(ADDRESS, 1 << 31 | u32::from(device) << 11 | u32::from(offset & 0xfc))
}

fn read(qtest: &mut Qtest, device: u8, offset: u8) -> Result<u32> {
    select(qtest, device, offset)?;
    qtest.inl(DATA)
}

fn write(qtest: &mut Qtest, device: u8, offset: u8, value: u32) -> Result<()> {
    select(qtest, device, offset)?;
    qtest.outl(DATA, value)
}

/// A 64-bit memory BAR 0 of a device model.
#[derive(Clone)]
pub struct Bar {
    qtest: Arc<Mutex<Qtest>>,
    at: u64,
    len: usize,
}

impl Bar {
    /// Places BAR 0 of a device at `at`, and turns on memory and bus mastering.
    ///
    /// # Errors
    /// There is no such device, or QEMU is gone.
    pub fn place(qtest: &Arc<Mutex<Qtest>>, device: u8, at: u32) -> Result<Self> {
        let mut lock = qtest.lock().unwrap_or_else(PoisonError::into_inner);
        write(&mut lock, device, BAR0, u32::MAX)?;
        let mask = read(&mut lock, device, BAR0)?;
        // Bits 0 to 3 are flags: a memory BAR of 64 bits has 4.
        ensure!(mask & 7 == 4, "BAR 0 of device {device} is {mask:#x}");
        let len = (!(mask & !0xf)).wrapping_add(1) as usize;
        write(&mut lock, device, BAR0, at)?;
        write(&mut lock, device, BAR0 + 4, 0)?;
        let command = read(&mut lock, device, COMMAND)?;
        write(&mut lock, device, COMMAND, command & 0xffff | 6)?;
        drop(lock);
        Ok(Self { qtest: Arc::clone(qtest), at: at.into(), len })
    }

    fn with<T>(&self, act: impl FnOnce(&mut Qtest) -> Result<T>) -> Option<T> {
        act(&mut self.qtest.lock().unwrap_or_else(PoisonError::into_inner)).ok()
    }
}

/// A device whose QEMU is gone reads as all ones, as on PCI.
impl Registers for Bar {
    fn len(&self) -> usize {
        self.len
    }

    fn read32(&self, register: usize) -> u32 {
        self.with(|qtest| qtest.readl(self.at + register as u64)).unwrap_or(u32::MAX)
    }

    fn read64(&self, register: usize) -> u64 {
        self.with(|qtest| qtest.readq(self.at + register as u64)).unwrap_or(u64::MAX)
    }

    fn write32(&self, register: usize, value: u32) {
        self.with(|qtest| qtest.writel(self.at + register as u64, value));
    }

    fn write64(&self, register: usize, value: u64) {
        self.with(|qtest| qtest.writeq(self.at + register as u64, value));
    }
}
