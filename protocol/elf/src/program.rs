//! The program headers: what to map where.

use alloc::vec::Vec;

use zerocopy::FromBytes;

use crate::error::ElfError;
use crate::header::{Header, Kind};
use crate::raw::{self, PROGRAM_HEADER_LEN, ProgramHeader};

/// Bytes of a page.
pub const PAGE: u64 = 4096;
/// First address that no segment may reach: the end of user space with four levels of
/// page tables, less the guard page that Linux keeps there.
pub const ADDRESS_LIMIT: u64 = (1 << 47) - PAGE;
/// Bytes of the interpreter's path with its NUL (`PATH_MAX`).
const INTERPRETER_MAX: u64 = 4096;

/// A range of bytes in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileRange {
    /// First byte.
    pub offset: u64,
    /// Number of bytes.
    pub length: u64,
}

impl FileRange {
    /// The offset behind the last byte, within what a file offset can be.
    pub fn end(&self) -> Option<u64> {
        self.offset.checked_add(self.length).filter(|&end| i64::try_from(end).is_ok())
    }

    /// The bytes themselves, out of a whole file.
    pub fn of<'a>(&self, file: &'a [u8]) -> Option<&'a [u8]> {
        file.get(usize::try_from(self.offset).ok()?..usize::try_from(self.end()?).ok()?)
    }
}

/// What a segment may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protection {
    /// `PF_R`
    pub read: bool,
    /// `PF_W`
    pub write: bool,
    /// `PF_X`
    pub execute: bool,
}

impl Protection {
    fn from_flags(flags: u32) -> Self {
        let has = |bit| flags & bit != 0;
        Self { read: has(raw::PF_R), write: has(raw::PF_W), execute: has(raw::PF_X) }
    }
}

/// A `PT_LOAD` segment. Address and file offset are congruent modulo [`PAGE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Address of its first byte, before relocation.
    pub address: u64,
    /// Bytes in memory; those behind the bytes from the file are zero.
    pub memory: u64,
    /// Bytes from the file, no more than `memory`.
    pub file: FileRange,
    /// What its pages may be used for.
    pub protection: Protection,
}

impl Segment {
    /// The page of its first byte.
    pub fn first_page(&self) -> u64 {
        self.address - self.address % PAGE
    }

    /// The address behind its last page.
    pub fn end_page(&self) -> u64 {
        (self.address + self.memory).next_multiple_of(PAGE)
    }
}

/// A program that can be mapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Where it may be loaded.
    pub kind: Kind,
    /// Address of the first instruction, before relocation. May lie outside of the segments.
    pub entry: u64,
    /// Address of the program headers in memory (`AT_PHDR`), before relocation, if they are mapped.
    pub header_address: Option<u64>,
    /// Number of program headers (`AT_PHNUM`).
    pub header_count: u16,
    /// What to map: at least one, ascending, no two in the same page.
    pub segments: Vec<Segment>,
    /// Where the path of the interpreter lies in the file; pass its bytes to [`Program::interpreter_path`].
    pub interpreter: Option<FileRange>,
    /// Whether the stack is executable; `None` if the file does not say.
    pub executable_stack: Option<bool>,
    /// Where the dynamic section lies in the file.
    pub dynamic: Option<FileRange>,
    /// Largest alignment that a segment asks for, a power of two, a page at least.
    pub alignment: u64,
}

impl Program {
    /// Checks the program headers: the bytes at [`Header::program_headers`].
    pub fn parse(header: &Header, program_headers: &[u8]) -> Result<Self, ElfError> {
        if program_headers.len() as u64 != header.program_headers.length {
            return Err(ElfError::Truncated("program headers"));
        }
        let mut program = Self {
            kind: header.kind,
            entry: header.entry,
            header_address: None,
            header_count: 0,
            segments: Vec::new(),
            interpreter: None,
            executable_stack: None,
            dynamic: None,
            alignment: PAGE,
        };
        for (index, bytes) in program_headers.chunks_exact(PROGRAM_HEADER_LEN).enumerate() {
            let raw = ProgramHeader::read_from_bytes(bytes).map_err(|_| ElfError::ProgramHeaders)?;
            program.add(index, &raw)?;
            program.header_count += 1;
        }
        if program.segments.is_empty() {
            return Err(ElfError::NoSegments);
        }
        if program.header_address.is_none() {
            program.header_address = program.address_of(header.program_headers);
        }
        Ok(program)
    }

    fn add(&mut self, index: usize, raw: &ProgramHeader) -> Result<(), ElfError> {
        let file = FileRange { offset: raw.offset.get(), length: raw.filesz.get() };
        match raw.kind.get() {
            raw::PT_LOAD if raw.memsz.get() == 0 => {}
            raw::PT_LOAD => {
                let segment = load(raw, file).ok_or(ElfError::Segment(index))?;
                if self.segments.last().is_some_and(|last| segment.first_page() < last.end_page()) {
                    return Err(ElfError::Overlap(index));
                }
                self.segments.push(segment);
                // As Linux does, an alignment that is no power of two is passed over.
                let align = raw.align.get();
                if align.is_power_of_two() && align < ADDRESS_LIMIT {
                    self.alignment = self.alignment.max(align);
                }
            }
            raw::PT_INTERP if self.interpreter.is_none() => {
                // One character and the NUL at least.
                if !(2..=INTERPRETER_MAX).contains(&file.length) || file.end().is_none() {
                    return Err(ElfError::Interpreter);
                }
                self.interpreter = Some(file);
            }
            raw::PT_PHDR => self.header_address = Some(raw.vaddr.get()),
            raw::PT_GNU_STACK => self.executable_stack = Some(raw.flags.get() & raw::PF_X != 0),
            raw::PT_DYNAMIC => self.dynamic = Some(file),
            _ => {}
        }
        Ok(())
    }

    /// The address at which a range of the file is mapped, before relocation.
    fn address_of(&self, range: FileRange) -> Option<u64> {
        let end = range.end()?;
        let holds = |segment: &&Segment| {
            segment.file.offset <= range.offset && segment.file.end().is_some_and(|last| end <= last)
        };
        let segment = self.segments.iter().find(holds)?;
        Some(segment.address + (range.offset - segment.file.offset))
    }

    /// Where the bytes at a range of addresses lie in the file.
    pub(crate) fn file_range(&self, address: u64, length: u64) -> Option<FileRange> {
        let end = address.checked_add(length)?;
        let holds = |segment: &&Segment| segment.address <= address && end - segment.address <= segment.file.length;
        let segment = self.segments.iter().find(holds)?;
        Some(FileRange { offset: segment.file.offset + (address - segment.address), length })
    }

    /// The path in the bytes at [`Program::interpreter`], which end with a NUL.
    pub fn interpreter_path(bytes: &[u8]) -> Result<&[u8], ElfError> {
        match bytes.strip_suffix(&[0]) {
            // What follows an inner NUL is not part of the path to Linux either.
            Some(path) => path.split(|&byte| byte == 0).next().filter(|path| !path.is_empty()),
            None => None,
        }
        .ok_or(ElfError::Interpreter)
    }

    /// The pages from the first segment to the last: lowest address and bytes.
    pub fn span(&self) -> (u64, u64) {
        let start = self.segments.first().map_or(0, Segment::first_page);
        let end = self.segments.last().map_or(0, Segment::end_page);
        (start, end - start)
    }
}

/// Checks a `PT_LOAD` header. No sum of a segment's numbers can overflow afterwards.
fn load(raw: &ProgramHeader, file: FileRange) -> Option<Segment> {
    let (address, memory) = (raw.vaddr.get(), raw.memsz.get());
    file.end()?;
    let fits = address.checked_add(memory).is_some_and(|end| end <= ADDRESS_LIMIT);
    if !fits || file.length > memory || address % PAGE != file.offset % PAGE {
        return None;
    }
    Some(Segment { address, memory, file, protection: Protection::from_flags(raw.flags.get()) })
}
