//! Controller properties (base §3.1.3) and doorbells (pcie §3.1.2): offsets and fields.

/// u64: controller capabilities (base §3.1.3.1).
pub const CAP: usize = 0x00;
/// u32: version (base §3.1.3.2).
pub const VS: usize = 0x08;
/// u32: interrupt mask set (base §3.1.3.3).
pub const INTMS: usize = 0x0c;
/// u32: interrupt mask clear (base §3.1.3.4).
pub const INTMC: usize = 0x10;
/// u32: controller configuration (base §3.1.3.5).
pub const CC: usize = 0x14;
/// u32: controller status (base §3.1.3.6).
pub const CSTS: usize = 0x1c;
/// u32: sizes of the admin queues (base §3.1.3.8).
pub const AQA: usize = 0x24;
/// u64: address of the admin submission queue (base §3.1.3.9).
pub const ASQ: usize = 0x28;
/// u64: address of the admin completion queue (base §3.1.3.10).
pub const ACQ: usize = 0x30;
/// Start of the doorbells (pcie §3.1.2).
pub const DOORBELLS: usize = 0x1000;

/// What reading a register of a device that is gone gives, on PCI.
pub const GONE: u32 = u32::MAX;

/// Entries of the largest queue that the specification knows (base §3.3.1).
pub const MAX_QUEUE_ENTRIES: u32 = 1 << 16;

/// Capabilities of a controller (base §3.1.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities(pub u64);

impl Capabilities {
    /// `CAP.CSS` bit 0: the NVM command set.
    const NVM: u64 = 1 << 37;

    /// The capabilities of a controller that knows the NVM command set, 4 KiB pages and doorbells
    /// without gaps: queues of up to `entries`, contiguous ones, and ready within `timeout` units of 500 ms.
    pub const fn new(entries: u16, timeout: u8) -> Self {
        const CONTIGUOUS: u64 = 1 << 16;
        Self(entries.saturating_sub(1) as u64 | CONTIGUOUS | (timeout as u64) << 24 | Self::NVM)
    }

    /// Entries of the largest queue, 1 to 65536 (`MQES` + 1).
    pub const fn max_entries(self) -> u32 {
        (self.0 & 0xffff) as u32 + 1
    }

    /// How long a change of `CC.EN` may take, in units of 500 ms (`TO`).
    pub const fn timeout(self) -> u8 {
        (self.0 >> 24) as u8
    }

    /// Distance of doorbells in bytes, 4 to 131072 (`DSTRD`).
    pub const fn stride(self) -> usize {
        4 << ((self.0 >> 32) & 0xf)
    }

    /// Whether the NVM command set is supported (`CSS` bit 0).
    pub const fn has_nvm(self) -> bool {
        self.0 & Self::NVM != 0
    }

    /// Log2 of the smallest page, less 12 (`MPSMIN`).
    pub const fn min_page(self) -> u8 {
        (self.0 >> 48) as u8 & 0xf
    }
}

/// Offset of the submission queue tail doorbell of a queue (pcie §3.1.2.1).
pub const fn tail_doorbell(queue: u16, stride: usize) -> usize {
    DOORBELLS + 2 * queue as usize * stride
}

/// Offset of the completion queue head doorbell of a queue (pcie §3.1.2.2).
pub const fn head_doorbell(queue: u16, stride: usize) -> usize {
    DOORBELLS + (2 * queue as usize + 1) * stride
}

/// Controller configuration (base §3.1.3.5).
pub mod cc {
    /// Enable.
    pub const EN: u32 = 1;
    /// Shutdown notification: normal (`SHN` = 01b).
    pub const SHN_NORMAL: u32 = 1 << 14;
    /// The bits of `SHN`.
    pub const SHN: u32 = 3 << 14;
    /// Log2 of the length of an I/O submission queue entry, 64 bytes (`IOSQES`).
    pub const IOSQES: u32 = 6 << 16;
    /// Log2 of the length of an I/O completion queue entry, 16 bytes (`IOCQES`).
    pub const IOCQES: u32 = 4 << 20;
    /// Enabled with the NVM command set, 4 KiB pages, round robin and the entry lengths above.
    pub const RUN: u32 = EN | IOSQES | IOCQES;
}

/// Controller status (base §3.1.3.6).
pub mod csts {
    /// Ready: follows `CC.EN`.
    pub const RDY: u32 = 1;
    /// Controller fatal status: only a reset helps.
    pub const CFS: u32 = 1 << 1;
    /// Shutdown is complete (`SHST` = 10b).
    pub const SHST_COMPLETE: u32 = 2 << 2;
}

/// The value of `AQA` for admin queues of this many entries, 2 to 4096 (base §3.1.3.8).
pub const fn aqa(submission: u16, completion: u16) -> u32 {
    (completion.saturating_sub(1) as u32 & 0xfff) << 16 | (submission.saturating_sub(1) as u32 & 0xfff)
}
