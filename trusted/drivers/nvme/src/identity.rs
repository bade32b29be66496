//! What a controller says of itself, checked.

use crate::quirks::Quirk;
use crate::{DeviceError, Namespace};
use alloc::vec::Vec;
use rkt_nvme::registers::Capabilities;
use rkt_nvme::{IdentifyController, IdentifyNamespace, NamespaceList, PAGE_LEN, oacs, oaes, oncs};

/// Most namespaces that are used; more are passed over.
pub(crate) const MAX_NAMESPACES: usize = 16;
/// Log2 of the block sizes that are driven: from 512 to 4096 bytes.
const BLOCK_SHIFTS: core::ops::RangeInclusive<u8> = 9..=12;
/// Log2 of the lengths of queue entries, which must be possible.
const COMMAND_SHIFT: u8 = 6;
const COMPLETION_SHIFT: u8 = 4;

/// A controller, and its namespaces once they are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) capabilities: Capabilities,
    /// I/O queue pairs that the controller grants.
    pub(crate) pairs: u16,
    pub(crate) serial: [u8; 20],
    pub(crate) model: [u8; 40],
    /// Longest transfer in bytes.
    pub(crate) max_transfer: usize,
    /// There is a volatile write cache, so flushes mean something.
    pub(crate) cached: bool,
    pub(crate) write_zeroes: bool,
    pub(crate) deallocate: bool,
    pub(crate) shadow: bool,
    /// It tells of changed namespaces.
    pub(crate) namespace_events: bool,
    pub(crate) namespaces: Vec<Namespace>,
}

fn wrong(field: &'static str, value: impl Into<u64>) -> DeviceError {
    DeviceError::Value { field, value: value.into() }
}

/// Whether a range of log2 lengths (least in the low half, most in the high half) has this one in it.
fn has_length(range: u8, shift: u8) -> bool {
    (range & 0xf..=range >> 4).contains(&shift)
}

impl Identity {
    /// A controller of which only the capabilities are known.
    pub(crate) fn unknown(capabilities: Capabilities) -> Self {
        Self {
            capabilities,
            pairs: 0,
            serial: [0; 20],
            model: [0; 40],
            max_transfer: PAGE_LEN,
            cached: true,
            write_zeroes: false,
            deallocate: false,
            shadow: false,
            namespace_events: false,
            namespaces: Vec::new(),
        }
    }

    /// Checks the capabilities (base §3.1.3.1).
    pub(crate) fn check(capabilities: Capabilities) -> Result<(), DeviceError> {
        if capabilities.0 == u64::MAX {
            return Err(DeviceError::Gone);
        }
        if !capabilities.has_nvm() {
            return Err(wrong("CAP.CSS", capabilities.0 >> 37 & 0xff));
        }
        // Our pages have 4 KiB.
        if capabilities.min_page() != 0 {
            return Err(wrong("CAP.MPSMIN", capabilities.min_page()));
        }
        // Queues of one entry do not exist (base §3.3.3.1).
        if capabilities.max_entries() < 2 {
            return Err(wrong("CAP.MQES", 0u64));
        }
        Ok(())
    }

    /// Reads identify controller data (base §5.17.2.1), whose transfers we want no longer than `longest`.
    pub(crate) fn of(
        capabilities: Capabilities,
        data: &IdentifyController,
        quirks: &[Quirk],
        longest: usize,
    ) -> Result<Self, DeviceError> {
        if !has_length(data.sqes, COMMAND_SHIFT) {
            return Err(wrong("SQES", data.sqes));
        }
        if !has_length(data.cqes, COMPLETION_SHIFT) {
            return Err(wrong("CQES", data.cqes));
        }
        let quirk = Quirk::of(quirks, data);
        let limit = match data.mdts {
            0 => longest,
            mdts => PAGE_LEN.checked_shl(mdts.into()).filter(|len| *len >= PAGE_LEN).unwrap_or(longest),
        };
        let (commands, admin) = (data.oncs.get(), data.oacs.get());
        Ok(Self {
            serial: data.serial,
            model: data.model,
            max_transfer: limit.min(longest),
            cached: data.vwc & 1 != 0,
            write_zeroes: commands & oncs::WRITE_ZEROES != 0 && !quirk.no_write_zeroes,
            deallocate: commands & oncs::DATASET_MANAGEMENT != 0 && !quirk.no_deallocate,
            shadow: admin & oacs::DOORBELL_BUFFER != 0 && !quirk.no_shadow,
            namespace_events: data.oaes.get() & oaes::NAMESPACE_ATTRIBUTES != 0,
            ..Self::unknown(capabilities)
        })
    }

    /// Whether this is the controller that it was, its namespaces' sizes aside.
    pub(crate) fn check_same(&self, before: &Self) -> Result<(), DeviceError> {
        let same = [
            ("SN", self.serial == before.serial),
            ("MN", self.model == before.model),
            ("CAP.DSTRD", self.capabilities.stride() == before.capabilities.stride()),
            ("CAP.MQES", self.capabilities.max_entries() >= before.capabilities.max_entries()),
            ("MDTS", self.max_transfer >= before.max_transfer),
            ("VWC", self.cached == before.cached),
            ("ONCS", self.write_zeroes >= before.write_zeroes && self.deallocate >= before.deallocate),
            ("Number of Queues", self.pairs >= before.pairs),
            ("active namespaces", self.namespaces.len() >= before.namespaces.len()),
        ];
        for (field, same) in same {
            if !same {
                return Err(DeviceError::Changed { field });
            }
        }
        self.namespaces.iter().zip(&before.namespaces).try_for_each(|(now, before)| now.check_same(before))
    }
}

/// The first [`MAX_NAMESPACES`] active namespaces (base §5.17.2.2).
pub(crate) fn active(list: &NamespaceList) -> Result<Vec<u32>, DeviceError> {
    let ids: Vec<u32> = list.iter().take(MAX_NAMESPACES).collect();
    match ids.iter().zip(ids.iter().skip(1)).find(|(id, next)| id >= next) {
        Some((_, next)) => Err(wrong("active namespace list", *next)),
        None => Ok(ids),
    }
}

/// Reads identify namespace data (nvm §4.1.5.1). `None` if it is not active or holds metadata between its
/// blocks, which we do not drive.
pub(crate) fn namespace(id: u32, data: &IdentifyNamespace) -> Result<Option<Namespace>, DeviceError> {
    let blocks = data.nsze.get();
    if blocks == 0 {
        return Ok(None);
    }
    let format = data.format().ok_or(wrong("FLBAS", data.flbas))?;
    if format.metadata.get() != 0 || data.dps & 7 != 0 {
        return Ok(None);
    }
    if !BLOCK_SHIFTS.contains(&format.block_shift) {
        return Err(wrong("LBADS", format.block_shift));
    }
    // Capacity is never more than size (nvm §4.1.5.1), and both count bytes that an offset can reach.
    if data.ncap.get() > blocks {
        return Err(wrong("NCAP", data.ncap.get()));
    }
    if blocks.leading_zeros() < u32::from(format.block_shift).saturating_add(1) {
        return Err(wrong("NSZE", blocks));
    }
    Ok(Some(Namespace { id, block_shift: format.block_shift, blocks, read_only: data.nsattr & 1 != 0 }))
}

impl Namespace {
    /// Whether it is the namespace that it was, its size aside.
    pub(crate) fn check_same(&self, before: &Self) -> Result<(), DeviceError> {
        let same = [
            ("NSID", self.id == before.id),
            ("LBADS", self.block_shift == before.block_shift),
            ("NSATTR", self.read_only <= before.read_only),
        ];
        match same.iter().find(|(_, same)| !same) {
            Some((field, _)) => Err(DeviceError::Changed { field }),
            None => Ok(()),
        }
    }
}
