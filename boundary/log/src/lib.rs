//! What the enclave tells the host about itself: log records (ring `layout::LOG`) and the
//! counters of `--stats` (`layout::header::STATS`).
//!
//! Both are event numbers and integers, so that nothing of the program's data can slip out
//! with them. Text exists only with `debug = true` in the manifest and in the refusals of
//! start-up, which happen before the program has any data.
#![no_std]
#![forbid(unsafe_code)]

mod event;
mod record;
mod stat;

pub use event::{Event, Field, Severity};
pub use record::{Encoded, Malformed, RECORD_MAX, Record, TEXT_MAX};
pub use stat::Stat;
