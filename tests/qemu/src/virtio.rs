//! A virtio device on PCI (virtio 1.2 §4.1) in a slot of the window: the enclave's driver finds its registers
//! there, its queues are QEMU's to read and write.

use crate::{Bar, Function};
use anyhow::{Context, Result, ensure};
use rkt_virtio::status;
use rkt_virtio_device::{Interest, Remote};
use rkt_virtio_transport::QueueSetup;
use smallvec::SmallVec;
use std::io;
use std::time::{Duration, Instant};

/// Vendor of all virtio devices; a modern one of kind n has the device id 0x1040 + n (§4.1.2).
const VENDOR: u32 = 0x1af4;
const MODERN: u32 = 0x1040;
/// Capabilities of vendors.
const VENDOR_CAPABILITY: u8 = 9;
/// Kinds of structures (§4.1.4).
const COMMON: u8 = 1;
const NOTIFY: u8 = 2;
const DEVICE: u8 = 4;
/// How long a reset may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// Bytes of the configuration space of a network card with RSS (§5.1.4), which is the longest here.
const CONFIG_LEN: usize = 24;

/// Offsets in the common structure (§4.1.4.3).
mod common {
    pub const DEVICE_FEATURE_SELECT: u64 = 0x00;
    pub const DEVICE_FEATURE: u64 = 0x04;
    pub const DRIVER_FEATURE_SELECT: u64 = 0x08;
    pub const DRIVER_FEATURE: u64 = 0x0c;
    pub const NUM_QUEUES: u64 = 0x12;
    pub const STATUS: u64 = 0x14;
    pub const QUEUE_SELECT: u64 = 0x16;
    pub const QUEUE_SIZE: u64 = 0x18;
    pub const QUEUE_ENABLE: u64 = 0x1c;
    pub const QUEUE_NOTIFY_OFF: u64 = 0x1e;
    pub const QUEUE_DESC: u64 = 0x20;
    pub const QUEUE_DRIVER: u64 = 0x28;
    pub const QUEUE_DEVICE: u64 = 0x30;
}

/// A virtio device of QEMU's.
pub struct VirtioPci {
    bar: Bar,
    kind: u32,
    common: u64,
    notify: u64,
    multiplier: u64,
    features: u64,
    sizes: Vec<u16>,
    config: Vec<u8>,
    /// Where each queue in use is notified, and its number.
    notified: Vec<(u64, u16)>,
}

impl VirtioPci {
    /// The device of a function, whose BAR is placed at `at`.
    ///
    /// # Errors
    /// It is none, or QEMU is gone.
    pub fn new(function: &Function, at: u32) -> Result<Self> {
        let id = function.read(0)?;
        ensure!(id & 0xffff == VENDOR && id >> 16 > MODERN, "no virtio device: {id:#x}");
        let structures = function.capabilities(VENDOR_CAPABILITY)?;
        let find = |kind: u8| {
            let is = |at: &&u8| function.read(**at).is_ok_and(|word| (word >> 24) as u8 == kind);
            let at = *structures.iter().find(is).with_context(|| format!("no structure {kind}"))?;
            Ok::<_, anyhow::Error>((at, function.read(at + 4)? as u8, u64::from(function.read(at + 8)?)))
        };
        let ((_, number, common), (at_notify, _, notify), (_, _, device)) =
            (find(COMMON)?, find(NOTIFY)?, find(DEVICE)?);
        let mut found = Self {
            bar: function.place(number, at)?,
            kind: (id >> 16) - MODERN,
            common,
            notify,
            multiplier: function.read(at_notify + 16)?.into(),
            features: 0,
            sizes: Vec::new(),
            config: Vec::new(),
            notified: Vec::new(),
        };
        found.restart()?;
        found.features = found.offered()?;
        let queues = found.bar.access(|qtest, at| qtest.readw(at + common + common::NUM_QUEUES))?;
        found.sizes = (0..queues).map(|queue| found.max_size(queue)).collect::<Result<_>>()?;
        let byte = |index: usize| found.bar.access(|qtest, at| qtest.readb(at + device + index as u64));
        found.config = (0..CONFIG_LEN).map(byte).collect::<Result<_>>()?;
        Ok(found)
    }

    fn restart(&mut self) -> Result<()> {
        self.set_status(0)?;
        let since = Instant::now();
        while self.status()? != 0 {
            ensure!(since.elapsed() < PATIENCE, "the device does not reset");
        }
        Ok(())
    }

    fn status(&self) -> Result<u8> {
        self.bar.access(|qtest, at| qtest.readb(at + self.common + common::STATUS))
    }

    fn set_status(&self, status: u8) -> Result<()> {
        self.bar.access(|qtest, at| qtest.writeb(at + self.common + common::STATUS, status))
    }

    fn offered(&self) -> Result<u64> {
        let half = |select: u32| {
            self.bar.access(|qtest, at| {
                qtest.writel(at + self.common + common::DEVICE_FEATURE_SELECT, select)?;
                qtest.readl(at + self.common + common::DEVICE_FEATURE)
            })
        };
        Ok(u64::from(half(1)?) << 32 | u64::from(half(0)?))
    }

    fn max_size(&self, queue: u16) -> Result<u16> {
        self.bar.access(|qtest, at| {
            qtest.writew(at + self.common + common::QUEUE_SELECT, queue)?;
            qtest.readw(at + self.common + common::QUEUE_SIZE)
        })
    }

    fn set_features(&self, features: u64) -> Result<()> {
        for (select, half) in [(0, features as u32), (1, (features >> 32) as u32)] {
            self.bar.access(|qtest, at| {
                qtest.writel(at + self.common + common::DRIVER_FEATURE_SELECT, select)?;
                qtest.writel(at + self.common + common::DRIVER_FEATURE, half)
            })?;
        }
        Ok(())
    }

    fn set_queue(&self, index: u16, setup: &QueueSetup) -> Result<(u64, u16)> {
        let offset = self.bar.access(|qtest, at| {
            let at = at + self.common;
            qtest.writew(at + common::QUEUE_SELECT, index)?;
            qtest.writew(at + common::QUEUE_SIZE, setup.size)?;
            qtest.writeq(at + common::QUEUE_DESC, setup.desc)?;
            qtest.writeq(at + common::QUEUE_DRIVER, setup.driver)?;
            qtest.writeq(at + common::QUEUE_DEVICE, setup.device)?;
            qtest.writew(at + common::QUEUE_ENABLE, 1)?;
            qtest.readw(at + common::QUEUE_NOTIFY_OFF)
        })?;
        Ok((self.notify + u64::from(offset) * self.multiplier, index))
    }
}

impl Remote for VirtioPci {
    fn kind(&self) -> u32 {
        self.kind
    }

    fn features(&self) -> u64 {
        self.features
    }

    fn queue_sizes(&self) -> &[u16] {
        &self.sizes
    }

    fn config(&self) -> Vec<u8> {
        self.config.clone()
    }

    fn reset(&mut self) -> io::Result<()> {
        self.notified.clear();
        self.restart().map_err(io::Error::other)
    }

    fn accept(&mut self, features: u64) -> io::Result<bool> {
        let asked = status::ACKNOWLEDGE | status::DRIVER;
        self.set_status(asked).map_err(io::Error::other)?;
        self.set_features(features).map_err(io::Error::other)?;
        self.set_status(asked | status::FEATURES_OK).map_err(io::Error::other)?;
        Ok(self.status().map_err(io::Error::other)? & status::FEATURES_OK != 0)
    }

    fn start(&mut self, queues: &[(u16, QueueSetup)]) -> io::Result<()> {
        let set = queues.iter().map(|(index, setup)| self.set_queue(*index, setup)).collect::<Result<_>>();
        self.notified = set.map_err(io::Error::other)?;
        let all = status::ACKNOWLEDGE | status::DRIVER | status::FEATURES_OK | status::DRIVER_OK;
        self.set_status(all).map_err(io::Error::other)
    }

    fn kick(&mut self) -> io::Result<()> {
        let notify = || {
            self.notified
                .iter()
                .try_for_each(|(offset, queue)| self.bar.access(|qtest, at| qtest.writew(at + offset, *queue)))
        };
        notify().map_err(io::Error::other)
    }

    /// None: those who use it poll.
    fn descriptors(&self) -> SmallVec<[Interest<'_>; 4]> {
        SmallVec::new()
    }

    fn heed(&mut self) -> io::Result<bool> {
        Ok(false)
    }
}
