//! Where the registers lie in the slot's page.

use core::sync::atomic::AtomicU32;
use rkt_nvme::registers::{ACQ, AQA, ASQ, CAP, CC, CSTS, DOORBELLS, VS};
use rkt_window::layout::{DEVICE_DOORBELLS, DEVICE_SLOT_LEN, DEVICE_SLOTS, MAX_DEVICES};
use rkt_window::{Doorbell, OutOfBounds, Region, Window};

/// First word of a slot's page that holds an NVMe controller. Virtio devices have their device id
/// there, which is a small number.
pub const KIND_NVME: u32 = u32::from_le_bytes(*b"NVMe");

/// Most queue pairs, the admin pair among them: one for each possible vCPU and some.
pub const MAX_QUEUE_PAIRS: u16 = 96;

/// Wakes whoever sleeps on a doorbell's word: one futex wake of one waiter. Given by the platform in
/// the enclave, by libc on the host.
pub type Wake = fn(&'static AtomicU32);

/// Bytes of the register file, as the specification lays it out, with doorbells without gaps.
pub(crate) const REGISTERS_LEN: usize = DOORBELLS + 2 * 4 * MAX_QUEUE_PAIRS as usize;

// Written by the controller.
pub(crate) const KIND: usize = 0x000; // u32: KIND_NVME
const CONTROLLER_HALF: usize = 0x100;
// Written by the driver.
const DRIVER_HALF: usize = 0x800;
const DRIVER_DOORBELLS: usize = 0x900;

const _: () = assert!(DRIVER_DOORBELLS + REGISTERS_LEN - DOORBELLS <= DEVICE_SLOT_LEN);

/// Where in the page a register lies that the driver writes.
pub(crate) fn written_by_driver(register: usize) -> Option<usize> {
    match register {
        CC | AQA | ASQ | ACQ => Some(DRIVER_HALF + register),
        _ if (DOORBELLS..REGISTERS_LEN).contains(&register) => Some(DRIVER_DOORBELLS + (register - DOORBELLS)),
        _ => None,
    }
}

/// Where in the page a register lies that the controller writes.
pub(crate) fn written_by_controller(register: usize) -> Option<usize> {
    matches!(register, CAP | VS | CSTS).then_some(CONTROLLER_HALF + register)
}

/// Page and doorbell of a device slot.
pub(crate) fn open_slot(window: &Window, slot: usize) -> Result<(Region, Doorbell), OutOfBounds> {
    if slot >= MAX_DEVICES {
        return Err(OutOfBounds { offset: slot as u64, len: 1 });
    }
    let page = window.sub(DEVICE_SLOTS + slot * DEVICE_SLOT_LEN, DEVICE_SLOT_LEN)?;
    let doorbell = Doorbell::at(window, DEVICE_DOORBELLS + slot * Doorbell::SIZE)?;
    Ok((page, doorbell))
}
