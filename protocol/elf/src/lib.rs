//! Executables as execve(2) needs them: ELF64 for x86-64, and `#!` scripts.
//!
//! Loading takes two reads of a file: [`Header::parse`] on its first [`HEADER_LEN`]
//! bytes says where the program headers lie, [`Program::parse`] on those says what to
//! map. [`Dynamic::parse`], for builders of images, looks into a whole file for the
//! libraries that it needs. Sources: elf(5), the System V ABI chapters 4 and 5 and its
//! x86-64 supplement.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod dynamic;
mod error;
mod header;
mod program;
mod raw;
mod script;

pub use dynamic::Dynamic;
pub use error::ElfError;
pub use header::{HEADER_LEN, Header, Kind};
pub use program::{ADDRESS_LIMIT, FileRange, PAGE, Program, Protection, Segment};
pub use script::{SCRIPT_LEN, Script, ScriptError};

#[cfg(test)]
mod tests;
