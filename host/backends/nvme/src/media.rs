//! What is under the namespaces: files, and how bytes get there.
//!
//! A file in memory (tmpfs) is read and written in place, one call a command: that is twice as fast there
//! as io_uring. Everything else goes through io_uring, and past the page cache (`O_DIRECT`) where the file
//! system allows that and the command is aligned: the enclave has a page cache of its own.

use crate::Counters;
use crate::ring::{Operation, Ring};
use crate::transfer::{Direction, Parts, transfer};
use rkt_backend_blk::Disk;
use rkt_nvme::Status;
use rkt_window::Doorbell;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

/// Offset, length and memory of a direct transfer are multiples of this: enough for every disk.
const DIRECT_ALIGN: usize = 4096;
/// `TMPFS_MAGIC` (statfs(2)).
const TMPFS_MAGIC: i64 = 0x0102_1994;

/// Whose command a request belongs to: submission queue and command identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) queue: u16,
    pub(crate) id: u16,
}

impl Owner {
    fn to_tag(self) -> u64 {
        u64::from(self.queue) << 16 | u64::from(self.id)
    }

    fn of_tag(tag: u64) -> Self {
        Self { queue: (tag >> 16) as u16, id: tag as u16 }
    }
}

/// A disk as a namespace.
pub(crate) struct Volume {
    pub(crate) disk: Disk,
    /// The same file, opened for direct transfers.
    direct: Option<File>,
    in_memory: bool,
}

impl Volume {
    fn open(disk: Disk) -> Self {
        let in_memory = rustix::fs::fstatfs(disk.file()).is_ok_and(|fs| fs.f_type == TMPFS_MAGIC);
        let direct = if in_memory { None } else { open_direct(&disk).ok() };
        Self { disk, direct, in_memory }
    }

    /// The file for a transfer.
    fn file(&self, parts: &Parts, offset: u64) -> &File {
        let aligned = offset.is_multiple_of(DIRECT_ALIGN as u64) && parts.are_aligned(DIRECT_ALIGN);
        self.direct.as_ref().filter(|_| aligned).unwrap_or(self.disk.file())
    }
}

/// Opens the file of a disk once more: flags of an open file cannot be given up one by one. The lock stays
/// with the first.
fn open_direct(disk: &Disk) -> io::Result<File> {
    let path = format!("/proc/self/fd/{}", disk.file().as_raw_fd());
    OpenOptions::new().read(true).write(!disk.read_only()).custom_flags(libc::O_DIRECT).open(path)
}

/// All namespaces, and the ring if there is one.
pub(crate) struct Media {
    pub(crate) volumes: Vec<Volume>,
    ring: Option<Ring>,
}

impl Media {
    /// To be called by the thread that serves the controller.
    pub(crate) fn open(disks: Vec<Disk>) -> Self {
        let volumes: Vec<_> = disks.into_iter().map(Volume::open).collect();
        let wanted = volumes.iter().any(|volume| !volume.in_memory);
        // Where io_uring is missing or forbidden, one request at a time has to do.
        Self { ring: if wanted { Ring::new().ok() } else { None }, volumes }
    }

    /// The namespace with this identifier.
    pub(crate) fn volume(&self, namespace: u32) -> Option<&Volume> {
        self.volumes.get((namespace as usize).checked_sub(1)?)
    }

    /// Whether another request can be taken.
    pub(crate) fn has_room(&self) -> bool {
        self.ring.as_ref().is_none_or(Ring::has_room)
    }

    /// Moves bytes. The status if that is done at once; else [`Media::take`] gives it.
    pub(crate) fn transfer(
        &mut self,
        namespace: u32,
        direction: Direction,
        parts: Parts,
        offset: u64,
        owner: Owner,
    ) -> Option<Status> {
        let Some(volume) = self.volumes.get((namespace as usize).wrapping_sub(1)) else {
            return Some(Status::INVALID_NAMESPACE);
        };
        let file = volume.file(&parts, offset);
        match &mut self.ring {
            Some(ring) if !volume.in_memory => {
                ring.push(file, Operation::Transfer(direction, offset), parts, owner.to_tag());
                None
            }
            _ => Some(status_of(transfer(file, direction, parts, offset), failure(direction))),
        }
    }

    /// Flushes a namespace, likewise.
    pub(crate) fn flush(&mut self, namespace: u32, owner: Owner) -> Option<Status> {
        let Some(volume) = self.volumes.get((namespace as usize).wrapping_sub(1)) else {
            return Some(Status::INVALID_NAMESPACE);
        };
        match &mut self.ring {
            Some(ring) if !volume.in_memory => {
                ring.push(volume.disk.file(), Operation::Flush, Parts::default(), owner.to_tag());
                None
            }
            _ => Some(status_of(volume.disk.flush(), Status::WRITE_FAULT)),
        }
    }

    /// Flushes everything and waits for it.
    pub(crate) fn flush_all(&self) -> Status {
        let failed = self.volumes.iter().any(|volume| !volume.disk.read_only() && volume.disk.flush().is_err());
        if failed { Status::WRITE_FAULT } else { Status::SUCCESS }
    }

    /// Hands what was asked for to the kernel. To be called once for a batch.
    ///
    /// # Errors
    /// The host's io_uring fails.
    pub(crate) fn submit(&mut self) -> io::Result<()> {
        self.ring.as_mut().filter(|ring| ring.in_flight() > 0).map_or(Ok(()), Ring::submit)
    }

    /// The next request that is complete.
    pub(crate) fn take(&mut self) -> Option<(Owner, Status)> {
        let (tag, result) = self.ring.as_mut()?.take()?;
        Some((Owner::of_tag(tag), status_of(result, Status::UNRECOVERED_READ)))
    }

    /// Requests in flight.
    pub(crate) fn in_flight(&self) -> usize {
        self.ring.as_ref().map_or(0, Ring::in_flight)
    }

    /// Sleeps until a request is complete, the doorbell's word is no longer `seen`, or the time is over.
    ///
    /// # Errors
    /// The host cannot wait.
    pub(crate) fn sleep(&mut self, doorbell: &Doorbell, seen: u32, timeout: Duration) -> io::Result<()> {
        match &mut self.ring {
            Some(ring) => ring.sleep(doorbell, seen, timeout),
            None => {
                rkt_virtio_device::futex_wait(doorbell.word(), seen, timeout);
                Ok(())
            }
        }
    }
}

/// What a failed transfer is to the driver (nvm §2.2.2).
fn failure(direction: Direction) -> Status {
    match direction {
        Direction::Read => Status::UNRECOVERED_READ,
        Direction::Write { .. } => Status::WRITE_FAULT,
    }
}

/// The status for how the host did.
pub(crate) fn status_of(result: io::Result<()>, failure: Status) -> Status {
    match result {
        Ok(()) => Status::SUCCESS,
        Err(e) if e.kind() == io::ErrorKind::Unsupported => Status::INVALID_OPCODE.final_word(),
        Err(_) => failure.final_word(),
    }
}

/// Counts a command that has ended.
pub(crate) fn count(counters: &Counters, status: Status) {
    if status != Status::SUCCESS {
        counters.failed.add(1);
    }
}
