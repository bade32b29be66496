//! A function on PCI bus 0, configured through the ports CF8h and CFCh (PCI 3.0 §3.2.2.3.2).

use crate::Qtest;
use anyhow::{Result, ensure};
use rkt_nvme_transport::Registers;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const ADDRESS: u16 = 0xcf8;
const DATA: u16 = 0xcfc;
/// Offset of the command register; its bits 1 and 2 turn on memory and bus mastering.
const COMMAND: u8 = 0x04;
const BAR0: u8 = 0x10;
/// Offset of the first capability's place (§6.7).
const CAPABILITIES: u8 = 0x34;
/// More than there is room for.
const MOST_CAPABILITIES: usize = 48;

/// A function, by its device number.
#[derive(Clone)]
pub struct Function {
    qtest: Arc<Mutex<Qtest>>,
    device: u8,
}

impl Function {
    /// The function 0 of this device.
    pub fn new(qtest: &Arc<Mutex<Qtest>>, device: u8) -> Self {
        Self { qtest: Arc::clone(qtest), device }
    }

    fn lock(&self) -> MutexGuard<'_, Qtest> {
        self.qtest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn select(&self, qtest: &mut Qtest, offset: u8) -> Result<()> {
        qtest.outl(ADDRESS, 1 << 31 | u32::from(self.device) << 11 | u32::from(offset & 0xfc))
    }

    /// Reads the four bytes of configuration space that `offset` lies in.
    ///
    /// # Errors
    /// QEMU is gone.
    pub fn read(&self, offset: u8) -> Result<u32> {
        let mut qtest = self.lock();
        self.select(&mut qtest, offset)?;
        qtest.inl(DATA)
    }

    fn write(&self, offset: u8, value: u32) -> Result<()> {
        let mut qtest = self.lock();
        self.select(&mut qtest, offset)?;
        qtest.outl(DATA, value)
    }

    fn byte(&self, offset: u8) -> Result<u8> {
        Ok((self.read(offset)? >> (8 * (offset & 3))) as u8)
    }

    /// The offsets of the capabilities with this id.
    ///
    /// # Errors
    /// QEMU is gone.
    pub fn capabilities(&self, id: u8) -> Result<Vec<u8>> {
        let (mut found, mut at) = (Vec::new(), self.byte(CAPABILITIES)?);
        for _ in 0..MOST_CAPABILITIES {
            if at == 0 {
                break;
            }
            if self.byte(at)? == id {
                found.push(at);
            }
            at = self.byte(at + 1)?;
        }
        Ok(found)
    }

    /// Places the 64-bit memory BAR `number` at `at`, and turns on memory and bus mastering.
    ///
    /// # Errors
    /// There is no such BAR, or QEMU is gone.
    pub fn place(&self, number: u8, at: u32) -> Result<Bar> {
        let register = BAR0 + 4 * number;
        self.write(register, u32::MAX)?;
        let mask = self.read(register)?;
        // Bits 0 to 3 are flags: a memory BAR of 64 bits has 4, one that may be prefetched 8.
        ensure!(mask & 7 == 4, "BAR {number} of device {} is {mask:#x}", self.device);
        let len = (!(mask & !0xf)).wrapping_add(1) as usize;
        self.write(register, at)?;
        self.write(register + 4, 0)?;
        let command = self.read(COMMAND)?;
        self.write(COMMAND, command & 0xffff | 6)?;
        Ok(Bar { qtest: Arc::clone(&self.qtest), at: at.into(), len })
    }
}

/// Memory of a device model.
#[derive(Clone)]
pub struct Bar {
    qtest: Arc<Mutex<Qtest>>,
    at: u64,
    len: usize,
}

impl Bar {
    /// Does something with the memory that begins at this address.
    ///
    /// # Errors
    /// QEMU is gone.
    pub(crate) fn access<T>(&self, act: impl FnOnce(&mut Qtest, u64) -> Result<T>) -> Result<T> {
        act(&mut self.qtest.lock().unwrap_or_else(PoisonError::into_inner), self.at)
    }
}

/// A device whose QEMU is gone reads as all ones, as on PCI.
impl Registers for Bar {
    fn len(&self) -> usize {
        self.len
    }

    fn read32(&self, register: usize) -> u32 {
        self.access(|qtest, at| qtest.readl(at + register as u64)).unwrap_or(u32::MAX)
    }

    fn read64(&self, register: usize) -> u64 {
        self.access(|qtest, at| qtest.readq(at + register as u64)).unwrap_or(u64::MAX)
    }

    fn write32(&self, register: usize, value: u32) {
        // As on PCI, nobody learns that it is gone.
        let _ = self.access(|qtest, at| qtest.writel(at + register as u64, value));
    }

    fn write64(&self, register: usize, value: u64) {
        let _ = self.access(|qtest, at| qtest.writeq(at + register as u64, value));
    }
}
