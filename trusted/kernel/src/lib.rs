//! The Linux personality (DESIGN §5, §6): processes and tasks, their memory, signals, files and
//! system calls, over the crates that know how each of these works.
//!
//! Where to look: a call's entry is its line in [`syscall::table`]; the handlers lie in
//! `syscall/`, one file a subject; the objects they work on are [`process::Process`],
//! [`task::Task`], [`mm::Mm`] and [`files::FileTable`].
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod aio;
pub mod boot;
mod capture;
pub mod core_dump;
pub mod cpu_clock;
pub mod devices;
pub mod disk_formats;
pub mod disks;
pub mod exec;
pub mod exit;
pub mod files;
pub mod futex;
pub mod host_signals;
pub mod identity;
pub mod ipc;
pub mod jobs;
mod live;
pub mod log;
pub mod mm;
pub mod node_name;
pub mod pidfd;
pub mod process;
pub mod procfs;
pub mod rootfs;
pub mod scheduling;
pub mod seccomp;
pub mod session;
pub mod signal;
pub mod socket;
pub mod syscall;
pub mod task;
pub mod tty;
pub mod usage;
pub mod users;
