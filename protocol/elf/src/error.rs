//! What can be wrong with an executable.

use core::fmt;

/// Why a file is not loaded. To a caller of execve(2) all of them are `ENOEXEC`,
/// except [`ElfError::Segment`] and [`ElfError::Overlap`], which are `EINVAL`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElfError {
    /// The file does not begin with the ELF magic.
    NotElf,
    /// The file is ELF, but 32-bit, big-endian or of an unknown version.
    WrongClass,
    /// The file is for the machine of this `e_machine`.
    WrongMachine(u16),
    /// The file is of this `e_type`, neither executable nor shared object.
    NotExecutable(u16),
    /// The program headers are none, too many or of an unknown size.
    ProgramHeaders,
    /// The file ends within the part of this name.
    Truncated(&'static str),
    /// There is nothing to load.
    NoSegments,
    /// This segment (counting all program headers from 0) has an impossible address, size or offset.
    Segment(usize),
    /// This segment begins before the end of the one before it, in whole pages.
    Overlap(usize),
    /// The path of the interpreter is empty, too long or not terminated.
    Interpreter,
    /// The dynamic section points outside of the file. Says what does.
    Dynamic(&'static str),
}

impl fmt::Display for ElfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotElf => f.write_str("not an ELF file"),
            Self::WrongClass => f.write_str("not a 64-bit little-endian ELF file"),
            Self::WrongMachine(machine) => write!(f, "for another machine (e_machine {machine}), not x86-64"),
            Self::NotExecutable(kind) => write!(f, "neither executable nor shared object (e_type {kind})"),
            Self::ProgramHeaders => f.write_str("no program headers, or too many"),
            Self::Truncated(part) => write!(f, "file ends within the {part}"),
            Self::NoSegments => f.write_str("nothing to load"),
            Self::Segment(index) => write!(f, "program header {index} is impossible"),
            Self::Overlap(index) => write!(f, "program header {index} overlaps the segment before"),
            Self::Interpreter => f.write_str("invalid path of the interpreter"),
            Self::Dynamic(what) => write!(f, "dynamic section: invalid {what}"),
        }
    }
}

impl core::error::Error for ElfError {}
