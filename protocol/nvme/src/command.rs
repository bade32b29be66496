//! Submission queue entries (base §3.3.3.1) and the commands that we know.

use crate::{ALL_NAMESPACES, DEALLOCATE};
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes of a submission queue entry.
pub const COMMAND_LEN: usize = 64;

/// Opcodes of admin commands (base §5).
pub mod admin {
    /// Delete I/O submission queue (base §5.7).
    pub const DELETE_SQ: u8 = 0x00;
    /// Create I/O submission queue (base §5.5).
    pub const CREATE_SQ: u8 = 0x01;
    /// Get log page (base §5.16).
    pub const GET_LOG_PAGE: u8 = 0x02;
    /// Delete I/O completion queue (base §5.6).
    pub const DELETE_CQ: u8 = 0x04;
    /// Create I/O completion queue (base §5.4).
    pub const CREATE_CQ: u8 = 0x05;
    /// Identify (base §5.17).
    pub const IDENTIFY: u8 = 0x06;
    /// Abort (base §5.1).
    pub const ABORT: u8 = 0x08;
    /// Set features (base §5.27).
    pub const SET_FEATURES: u8 = 0x09;
    /// Get features (base §5.15).
    pub const GET_FEATURES: u8 = 0x0a;
    /// Asynchronous event request (base §5.2).
    pub const ASYNC_EVENT: u8 = 0x0c;
    /// Doorbell buffer config (base §5.8).
    pub const DOORBELL_BUFFER: u8 = 0x7c;
}

/// Opcodes of I/O commands (base §7, nvm §3.2).
pub mod io {
    /// Flush (base §7.1).
    pub const FLUSH: u8 = 0x00;
    /// Write (nvm §3.2.6).
    pub const WRITE: u8 = 0x01;
    /// Read (nvm §3.2.4).
    pub const READ: u8 = 0x02;
    /// Write zeroes (nvm §3.2.8).
    pub const WRITE_ZEROES: u8 = 0x08;
    /// Dataset management (nvm §3.2.3).
    pub const DATASET_MANAGEMENT: u8 = 0x09;
}

/// Bits of command dword 12 of reads and writes (nvm §3.2.4, §3.2.6, §3.2.8).
pub mod io_flags {
    /// Write zeroes may deallocate the blocks.
    pub const DEALLOCATE: u32 = 1 << 25;
    /// Force unit access.
    pub const FUA: u32 = 1 << 30;
}

/// Feature identifiers (base §5.27.1).
pub mod feature {
    /// Number of queues (base §5.27.1.5).
    pub const NUMBER_OF_QUEUES: u8 = 0x07;
    /// Volatile write cache (base §5.27.1.4).
    pub const VOLATILE_WRITE_CACHE: u8 = 0x06;
    /// Asynchronous event configuration (base §5.27.1.8).
    pub const ASYNC_EVENTS: u8 = 0x0b;
}

/// A submission queue entry. Data is described by PRP entries (base §4.1.1), and commands of one
/// kind use only some of the dwords.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Command {
    /// What to do.
    pub opcode: u8,
    /// Fused operation and kind of data pointer: 0 for a command of its own with PRPs.
    pub flags: u8,
    /// Command identifier, unique among those in flight of a queue.
    pub id: U16,
    /// Namespace.
    pub namespace: U32,
    /// Command dwords 2 and 3.
    pub reserved: U64,
    /// Metadata pointer.
    pub metadata: U64,
    /// First PRP entry.
    pub prp1: U64,
    /// Second PRP entry, or pointer to a list of them.
    pub prp2: U64,
    /// Command dword 10.
    pub dword10: U32,
    /// Command dword 11.
    pub dword11: U32,
    /// Command dword 12.
    pub dword12: U32,
    /// Command dword 13.
    pub dword13: U32,
    /// Command dword 14.
    pub dword14: U32,
    /// Command dword 15.
    pub dword15: U32,
}

/// Addresses of the two pages of a doorbell buffer (base §5.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShadowDoorbells {
    /// The shadow doorbells, written by the host.
    pub doorbells: u64,
    /// The event indices, written by the controller.
    pub events: u64,
}

impl Command {
    fn of(opcode: u8) -> Self {
        Self { opcode, ..Self::default() }
    }

    /// The same command with another identifier.
    #[must_use]
    pub fn with_id(self, id: u16) -> Self {
        Self { id: id.into(), ..self }
    }

    /// Identify (base §5.17): a page of data about `namespace` into `into`.
    pub fn identify(cns: u8, namespace: u32, into: u64) -> Self {
        Self {
            namespace: namespace.into(),
            prp1: into.into(),
            dword10: u32::from(cns).into(),
            ..Self::of(admin::IDENTIFY)
        }
    }

    /// Set features, number of queues (base §5.27.1.5): as many I/O pairs, from 1.
    pub fn set_queues(pairs: u16) -> Self {
        let zero_based = u32::from(pairs.saturating_sub(1));
        let feature = u32::from(feature::NUMBER_OF_QUEUES);
        Self {
            dword10: feature.into(),
            dword11: (zero_based << 16 | zero_based).into(),
            ..Self::of(admin::SET_FEATURES)
        }
    }

    /// Set features, asynchronous event configuration (base §5.27.1.8).
    pub fn set_events(wanted: u32) -> Self {
        let feature = u32::from(feature::ASYNC_EVENTS);
        Self { dword10: feature.into(), dword11: wanted.into(), ..Self::of(admin::SET_FEATURES) }
    }

    /// Create an I/O completion queue (base §5.4) in contiguous memory at `at`, with an interrupt vector
    /// if interrupts are wanted.
    pub fn create_completion_queue(queue: u16, entries: u16, at: u64, vector: Option<u16>) -> Self {
        const CONTIGUOUS: u32 = 1;
        const INTERRUPTS: u32 = 2;
        let interrupt = vector.map_or(0, |vector| u32::from(vector) << 16 | INTERRUPTS);
        Self {
            prp1: at.into(),
            dword10: (u32::from(entries.saturating_sub(1)) << 16 | u32::from(queue)).into(),
            dword11: (interrupt | CONTIGUOUS).into(),
            ..Self::of(admin::CREATE_CQ)
        }
    }

    /// Create the I/O submission queue (base §5.5) that belongs to the completion queue of the same
    /// number.
    pub fn create_submission_queue(queue: u16, entries: u16, at: u64) -> Self {
        const CONTIGUOUS: u32 = 1;
        Self {
            prp1: at.into(),
            dword10: (u32::from(entries.saturating_sub(1)) << 16 | u32::from(queue)).into(),
            dword11: (u32::from(queue) << 16 | CONTIGUOUS).into(),
            ..Self::of(admin::CREATE_SQ)
        }
    }

    /// Doorbell buffer config (base §5.8).
    pub fn doorbell_buffer(shadow: ShadowDoorbells) -> Self {
        Self { prp1: shadow.doorbells.into(), prp2: shadow.events.into(), ..Self::of(admin::DOORBELL_BUFFER) }
    }

    /// Asynchronous event request (base §5.2).
    pub fn async_event() -> Self {
        Self::of(admin::ASYNC_EVENT)
    }

    /// Abort of a command of a submission queue (base §5.1).
    pub fn abort(queue: u16, id: u16) -> Self {
        Self { dword10: (u32::from(id) << 16 | u32::from(queue)).into(), ..Self::of(admin::ABORT) }
    }

    /// Get log page (base §5.16): the first `len` bytes, a multiple of 4 up to a page.
    pub fn get_log_page(page: u8, len: u32, into: u64) -> Self {
        let dwords = (len / 4).saturating_sub(1);
        Self {
            namespace: ALL_NAMESPACES.into(),
            prp1: into.into(),
            dword10: (dwords << 16 | u32::from(page)).into(),
            ..Self::of(admin::GET_LOG_PAGE)
        }
    }

    /// Flush of a namespace (base §7.1).
    pub fn flush(namespace: u32) -> Self {
        Self { namespace: namespace.into(), ..Self::of(io::FLUSH) }
    }

    /// A command on a range of `blocks`, 1 to 65536: one of [`io::READ`], [`io::WRITE`] and
    /// [`io::WRITE_ZEROES`], with bits of [`io_flags`].
    pub fn on_blocks(opcode: u8, namespace: u32, start: u64, blocks: u32, flags: u32) -> Self {
        Self {
            namespace: namespace.into(),
            dword10: (start as u32).into(),
            dword11: ((start >> 32) as u32).into(),
            dword12: (blocks.saturating_sub(1) & 0xffff | flags).into(),
            ..Self::of(opcode)
        }
    }

    /// Deallocation (nvm §3.2.3) of as many ranges, 1 to 256, as lie at `ranges`.
    pub fn deallocate(namespace: u32, count: u16, ranges: u64) -> Self {
        Self {
            namespace: namespace.into(),
            prp1: ranges.into(),
            dword10: (u32::from(count.saturating_sub(1)) & 0xff).into(),
            dword11: DEALLOCATE.into(),
            ..Self::of(io::DATASET_MANAGEMENT)
        }
    }

    /// First block of a command on a range of blocks.
    pub fn start(&self) -> u64 {
        u64::from(self.dword11.get()) << 32 | u64::from(self.dword10.get())
    }

    /// Number of blocks of a command on a range of blocks, 1 to 65536.
    pub fn blocks(&self) -> u32 {
        (self.dword12.get() & 0xffff).saturating_add(1)
    }
}

const _: () = assert!(size_of::<Command>() == COMMAND_LEN);
