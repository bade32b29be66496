//! The file header.

use zerocopy::FromBytes;

use crate::error::ElfError;
use crate::program::FileRange;
use crate::raw::{self, FileHeader, PROGRAM_HEADER_LEN};

/// Bytes of the file header.
pub const HEADER_LEN: usize = 64;

/// Most bytes of program headers, as Linux bounds them.
const PROGRAM_HEADERS_MAX: usize = 64 << 10;

/// Where a program may be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `ET_EXEC`: at the addresses in the file.
    Fixed,
    /// `ET_DYN`: at any page-aligned distance from them.
    Relocatable,
}

/// A file header that belongs to an x86-64 executable or shared object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub(crate) kind: Kind,
    pub(crate) entry: u64,
    pub(crate) program_headers: FileRange,
}

impl Header {
    /// Reads the header off the first bytes of a file, [`HEADER_LEN`] of them or more.
    pub fn parse(file: &[u8]) -> Result<Self, ElfError> {
        if !file.starts_with(&raw::MAGIC) {
            return Err(ElfError::NotElf);
        }
        let (header, _) = FileHeader::read_from_prefix(file).map_err(|_| ElfError::Truncated("file header"))?;
        if header.class_data_version != raw::CLASS_DATA_VERSION {
            return Err(ElfError::WrongClass);
        }
        if header.machine.get() != raw::EM_X86_64 {
            return Err(ElfError::WrongMachine(header.machine.get()));
        }
        let kind = match header.kind.get() {
            raw::ET_EXEC => Kind::Fixed,
            raw::ET_DYN => Kind::Relocatable,
            other => return Err(ElfError::NotExecutable(other)),
        };
        let length = usize::from(header.phnum.get()) * PROGRAM_HEADER_LEN;
        if usize::from(header.phentsize.get()) != PROGRAM_HEADER_LEN || !(1..=PROGRAM_HEADERS_MAX).contains(&length) {
            return Err(ElfError::ProgramHeaders);
        }
        let program_headers = FileRange { offset: header.phoff.get(), length: length as u64 };
        program_headers.end().ok_or(ElfError::ProgramHeaders)?;
        Ok(Self { kind, entry: header.entry.get(), program_headers })
    }

    /// Where the program headers lie in the file, at most 64 KiB.
    pub fn program_headers(&self) -> FileRange {
        self.program_headers
    }
}
