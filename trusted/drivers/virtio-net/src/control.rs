//! The control queue (§5.1.6.5): one command at a time, waited for.

use rkt_netdev::Rss;
use rkt_virtio::net::control;
use rkt_virtio_transport::{DriverRegs, QueueSetup};
use rkt_virtqueue::{
    AddError, CHUNK_LEN, DeviceError, DmaArena, DmaBuffer, Patience, Phase, Segment, VirtioError, Virtqueue,
};

use crate::offer::HASH_TYPES;
use alloc::vec::Vec;

/// Entries, of which a command takes two.
pub(crate) const QUEUE_SIZE: u16 = 2;

/// What an answer cannot be: stands where the device is to write it.
const UNANSWERED: u8 = 0xff;

/// The control queue and a chunk for the command that is under way; the answer is its last byte.
pub(crate) struct Control {
    /// Index of the queue.
    pub(crate) index: u16,
    queue: Virtqueue,
    buffer: DmaBuffer,
}

impl Control {
    pub(crate) fn new(arena: &mut DmaArena, index: u16, size: u16, agreed: u64) -> Result<Self, VirtioError> {
        let buffer = arena.alloc(CHUNK_LEN, CHUNK_LEN).ok_or(VirtioError::NoDmaMemory(CHUNK_LEN))?;
        Ok(Self { index, queue: Virtqueue::new(arena, size, agreed)?, buffer })
    }

    /// Sets the queue up for a device that has just been reset. Its answers are waited for by `vcpu` 0.
    pub(crate) fn set_up(&mut self) -> Result<QueueSetup, VirtioError> {
        self.queue.reset()?;
        Ok(self.queue.setup(0))
    }

    /// Has the device use this many pairs of queues and choose among them by itself (§5.1.6.5.5).
    pub(crate) fn set_pairs(
        &mut self,
        regs: &DriverRegs,
        pairs: u16,
        patience: &mut Patience<'_>,
    ) -> Result<(), VirtioError> {
        self.command(regs, control::MQ, control::MQ_VQ_PAIRS_SET, &pairs.to_le_bytes(), patience)
    }

    /// Has the device use this many pairs of queues and choose among them by a hash (§5.1.6.5.7).
    pub(crate) fn set_rss(
        &mut self,
        regs: &DriverRegs,
        rss: &Rss,
        pairs: u16,
        patience: &mut Patience<'_>,
    ) -> Result<(), VirtioError> {
        let mut data = Vec::from(HASH_TYPES.to_le_bytes());
        data.extend((rss.table().len().saturating_sub(1) as u16).to_le_bytes());
        // What has no hash goes to the first pair.
        data.extend(0u16.to_le_bytes());
        data.extend(rss.table().iter().flat_map(|entry| entry.to_le_bytes()));
        data.extend(pairs.to_le_bytes());
        data.push(rss.key().len() as u8);
        data.extend(rss.key());
        self.command(regs, control::MQ, control::MQ_RSS_CONFIG, &data, patience)
    }

    fn command(
        &mut self,
        regs: &DriverRegs,
        class: u8,
        command: u8,
        data: &[u8],
        patience: &mut Patience<'_>,
    ) -> Result<(), VirtioError> {
        const ANSWER: usize = CHUNK_LEN - 1;
        self.buffer.region.write(0, &[class, command])?;
        self.buffer.region.write(2, data)?;
        self.buffer.region.write_u8(ANSWER, UNANSWERED)?;
        let out = Segment { offset: self.buffer.offset, len: (data.len() as u32).saturating_add(2) };
        let back = Segment { offset: self.buffer.offset.saturating_add(ANSWER as u64), len: 1 };
        self.queue.add(&[out], &[back], 0).map_err(|e| match e {
            AddError::Queue(e) => e,
            // The queue is empty between commands.
            AddError::Full | AddError::Chain => VirtioError::NoDmaMemory(CHUNK_LEN),
        })?;
        self.queue.publish()?;
        if self.queue.take_kick() {
            regs.kick();
        }
        patience.until(Phase::Command, || self.queue.pop_used())?;
        let answer = self.buffer.region.read_u8(ANSWER)?;
        if answer == control::OK { Ok(()) } else { Err(DeviceError::Command { class, command, answer }.into()) }
    }
}
