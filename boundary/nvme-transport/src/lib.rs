//! Registers of an NVMe controller: how a driver reaches them, and where those of our own controllers
//! lie in the window.
//!
//! A driver knows [`Registers`] alone: behind it may be a BAR, the socket of a device model, or
//! [`WindowRegisters`], a register file in a device slot's page. There a register is only memory and
//! no access traps, so:
//! * **Each register has one writer.** `CAP`, `VS` and `CSTS` are the controller's, all others the
//!   driver's; each side writes its half of the page. Only a reset lets the controller clear the doorbells,
//!   which the driver leaves alone meanwhile. Interrupt masks and subsystem reset do not exist.
//! * **Addresses are offsets in the window**: of queues, PRP entries and buffers.
//! * **The controller is kicked by the slot's doorbell** (`layout::DEVICE_DOORBELLS`), which the driver's
//!   side rings when it writes `CC` or a submission queue's tail. Whoever polls needs no kick, and a
//!   kick costs a system call only if the controller's thread sleeps: what shadow doorbells (base §5.8)
//!   are for where registers trap.
//! * **Interrupt vector n is the doorbell of vCPU n** (`layout::VCPU_DOORBELLS`).
//! * **`CC.EN` falls before it rises**: the driver waits for `CSTS.RDY` = 0 in between (base §3.5.1), so
//!   that a controller that polls cannot miss it.
#![no_std]
#![forbid(unsafe_code)]

mod controller;
mod page;
mod registers;

pub use controller::ControllerRegisters;
pub use page::{KIND_NVME, MAX_QUEUE_PAIRS, Wake};
pub use registers::{Registers, WindowRegisters};
