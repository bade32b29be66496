//! I/O commands (base §7, nvm §3.2).

use crate::controller::Controller;
use crate::media::{Owner, status_of};
use crate::prp;
use crate::queues::Fault;
use crate::transfer::Direction;
use rkt_nvme::{
    ALL_NAMESPACES, Command, DATASET_RANGE_LEN, DEALLOCATE, DatasetRange, MAX_DATASET_RANGES, PAGE_LEN, Status, io,
    io_flags,
};
use zerocopy::{FromZeros, IntoBytes};

/// Most bytes of a transfer (`MDTS`).
const MAX_TRANSFER: u64 = (PAGE_LEN as u64) << crate::describe::MDTS;

impl Controller {
    /// Serves an I/O command.
    ///
    /// # Errors
    /// The driver's fault, for which the controller stops.
    pub(crate) fn serve(&mut self, queue: u16, command: &Command) -> Result<(), Fault> {
        let owner = Owner { queue, id: command.id.get() };
        match self.perform(owner, command).unwrap_or_else(|status| Some(status.final_word())) {
            Some(status) => self.post(owner, 0, status),
            None => Ok(()),
        }
    }

    /// The status if the command is done at once.
    fn perform(&mut self, owner: Owner, command: &Command) -> Result<Option<Status>, Status> {
        let namespace = command.namespace.get();
        if command.opcode == io::FLUSH && namespace == ALL_NAMESPACES {
            return Ok(Some(self.media.flush_all()));
        }
        let volume = self.media.volume(namespace).ok_or(Status::INVALID_NAMESPACE)?;
        let writes = matches!(command.opcode, io::WRITE | io::WRITE_ZEROES | io::DATASET_MANAGEMENT);
        if writes && volume.disk.read_only() {
            return Err(Status::WRITE_PROTECTED);
        }
        // Fused operations and SGLs are not offered.
        if command.flags != 0 {
            return Err(Status::INVALID_FIELD);
        }
        match command.opcode {
            io::READ => self.transfer(owner, command, Direction::Read),
            io::WRITE => {
                let durable = command.dword12.get() & io_flags::FUA != 0;
                self.transfer(owner, command, Direction::Write { durable })
            }
            io::FLUSH => Ok(self.media.flush(namespace, owner)),
            io::WRITE_ZEROES => self.write_zeroes(command).map(Some),
            io::DATASET_MANAGEMENT => self.deallocate(command).map(Some),
            _ => Err(Status::INVALID_OPCODE),
        }
    }

    /// Offset and length in bytes of a range of blocks, if it lies on the disk.
    fn locate(&self, namespace: u32, start: u64, blocks: u64) -> Result<(u64, u64), Status> {
        let volume = self.media.volume(namespace).ok_or(Status::INVALID_NAMESPACE)?;
        let all = volume.disk.len() >> self.block_shift;
        if start.checked_add(blocks).is_none_or(|end| end > all) {
            return Err(Status::LBA_OUT_OF_RANGE);
        }
        Ok((start << self.block_shift, blocks << self.block_shift))
    }

    fn transfer(&mut self, owner: Owner, command: &Command, direction: Direction) -> Result<Option<Status>, Status> {
        let namespace = command.namespace.get();
        let (at, len) = self.locate(namespace, command.start(), command.blocks().into())?;
        if len > MAX_TRANSFER {
            return Err(Status::INVALID_FIELD);
        }
        let parts = prp::parts(&self.window, command, len as usize)?;
        let counters = &self.shared.counters;
        match direction {
            Direction::Read => {
                counters.in_units.add(1);
                counters.in_bytes.add(len);
            }
            Direction::Write { .. } => {
                counters.out_units.add(1);
                counters.out_bytes.add(len);
            }
        }
        Ok(self.media.transfer(namespace, direction, parts, at, owner))
    }

    fn write_zeroes(&self, command: &Command) -> Result<Status, Status> {
        let namespace = command.namespace.get();
        let (at, len) = self.locate(namespace, command.start(), command.blocks().into())?;
        let volume = self.media.volume(namespace).ok_or(Status::INVALID_NAMESPACE)?;
        let deallocate = command.dword12.get() & io_flags::DEALLOCATE != 0;
        let done = if deallocate { volume.disk.discard(at, len) } else { volume.disk.zero(at, len) };
        Ok(self.made_durable(namespace, command, status_of(done, Status::WRITE_FAULT)))
    }

    /// Flushes after a command without data that was to be durable at once.
    fn made_durable(&self, namespace: u32, command: &Command, status: Status) -> Status {
        let wanted = status == Status::SUCCESS && command.dword12.get() & io_flags::FUA != 0;
        match self.media.volume(namespace).filter(|_| wanted) {
            Some(volume) => status_of(volume.disk.flush(), Status::WRITE_FAULT),
            None => status,
        }
    }

    /// Dataset management (nvm §3.2.3). All that is not deallocation is a hint, and needs nothing done.
    fn deallocate(&self, command: &Command) -> Result<Status, Status> {
        let count = usize::from(command.dword10.get() as u8) + 1;
        if command.dword11.get() & DEALLOCATE == 0 {
            return Ok(Status::SUCCESS);
        }
        let mut bytes = [0; MAX_DATASET_RANGES * DATASET_RANGE_LEN];
        let bytes = bytes.get_mut(..count * DATASET_RANGE_LEN).ok_or(Status::INTERNAL)?;
        let mut filled = 0;
        for part in prp::regions(&self.window, command, bytes.len())? {
            let end = filled + part.len();
            part.read(0, bytes.get_mut(filled..end).ok_or(Status::INTERNAL)?).map_err(|_| Status::DATA_TRANSFER)?;
            filled = end;
        }
        let namespace = command.namespace.get();
        let volume = self.media.volume(namespace).ok_or(Status::INVALID_NAMESPACE)?;
        for bytes in bytes.chunks_exact(DATASET_RANGE_LEN) {
            let mut range = DatasetRange::new_zeroed();
            range.as_mut_bytes().copy_from_slice(bytes);
            let (at, len) = self.locate(namespace, range.start.get(), range.blocks.get().into())?;
            if len > 0 {
                volume.disk.discard(at, len).map_err(|e| status_of(Err(e), Status::WRITE_FAULT))?;
            }
        }
        Ok(Status::SUCCESS)
    }
}
