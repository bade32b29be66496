//! What the rules about the source look at: the workspace and its dependencies, the Rust files,
//! and the system-call table.
#![forbid(unsafe_code)]

pub mod measure;
pub mod source;
pub mod syscalls;
pub mod workspace;
