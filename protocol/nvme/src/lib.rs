//! NVM Express: registers, commands, completions, identify data and log pages.
//!
//! Sections are those of the *NVM Express Base Specification 2.0* ("base"), of the *NVM Command Set
//! Specification 1.0* ("nvm") and of the *NVMe over PCIe Transport Specification 1.0* ("pcie").
//! Everything is little-endian and lies in memory that both sides of a queue share; nothing here
//! reads or writes memory, and what a structure says is its writer's word until somebody checks it.
#![no_std]
#![forbid(unsafe_code)]

mod command;
mod completion;
mod dataset;
mod event;
mod identify;
mod log;
pub mod registers;
mod status;

pub use command::{COMMAND_LEN, Command, ShadowDoorbells, admin, feature, io, io_flags};
pub use completion::{COMPLETION_LEN, Completion};
pub use dataset::{DATASET_RANGE_LEN, DEALLOCATE, DatasetRange, MAX_DATASET_RANGES};
pub use event::{AsyncEvent, EventKind, event_config};
pub use identify::{
    IDENTIFY_LEN, IdentifyController, IdentifyNamespace, LbaFormat, MAX_LISTED_NAMESPACES, NamespaceList, cns, oacs,
    oaes, oncs,
};
pub use log::{ErrorEntry, SmartLog, log_page};
pub use status::{Status, StatusKind};

/// Bytes of a memory page with `CC.MPS` = 0, the unit of PRP entries (base §4.1.1).
pub const PAGE_LEN: usize = 4096;
/// The namespace identifier that means all namespaces (base §3.2.1).
pub const ALL_NAMESPACES: u32 = 0xffff_ffff;
