//! What the controller says of itself.

use crate::media::Volume;
use rkt_nvme::{IdentifyController, IdentifyNamespace, LbaFormat, NamespaceList, oaes, oncs};
use zerocopy::FromZeros;

/// `VS`: version 2.0.
pub(crate) const VERSION: u32 = 0x0002_0000;
/// Log2 of the pages of the longest transfer: 1 MiB.
pub(crate) const MDTS: u8 = 8;
/// Asynchronous event requests at once.
pub(crate) const MAX_EVENTS: u8 = 4;
/// Entries of the error log.
pub(crate) const ERROR_ENTRIES: u8 = 4;

fn padded<const N: usize>(text: &str) -> [u8; N] {
    let mut field = [b' '; N];
    field.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from);
    field
}

/// Identify controller (base §5.17.2.1).
pub(crate) fn controller(serial: &str, namespaces: usize) -> IdentifyController {
    let mut data = IdentifyController::new_zeroed();
    data.serial = padded(serial);
    data.model = padded("rkt-io software controller");
    data.firmware = padded(env!("CARGO_PKG_VERSION"));
    data.mdts = MDTS;
    data.ver = VERSION.into();
    data.oaes = oaes::NAMESPACE_ATTRIBUTES.into();
    data.aerl = MAX_EVENTS - 1;
    data.elpe = ERROR_ENTRIES - 1;
    // 64 and 16 bytes, and nothing else.
    (data.sqes, data.cqes) = (0x66, 0x44);
    data.nn = (namespaces as u32).into();
    data.oncs = (oncs::DATASET_MANAGEMENT | oncs::WRITE_ZEROES).into();
    data.vwc = 1;
    data.subnqn.iter_mut().zip(b"nqn.2026-11.rkt-io:software").for_each(|(to, from)| *to = *from);
    data
}

/// Identify namespace (nvm §4.1.5.1), with blocks of `1 << block_shift` bytes.
pub(crate) fn namespace(volume: &Volume, block_shift: u8) -> IdentifyNamespace {
    const DEALLOCATED_READS_ZEROES: u8 = 1;
    let blocks = volume.disk.len() >> block_shift;
    let mut data = IdentifyNamespace::new_zeroed();
    (data.nsze, data.ncap, data.nuse) = (blocks.into(), blocks.into(), blocks.into());
    data.dlfeat = DEALLOCATED_READS_ZEROES;
    data.nsattr = u8::from(volume.disk.read_only());
    data.lbaf[0] = LbaFormat { block_shift, ..LbaFormat::default() };
    data
}

/// The namespaces above `after` among the first `count`.
pub(crate) fn list(after: u32, count: usize) -> NamespaceList {
    let mut list = NamespaceList::new_zeroed();
    let ids = (1..=count as u32).filter(|id| *id > after);
    list.ids.iter_mut().zip(ids).for_each(|(to, id)| *to = id.into());
    list
}
