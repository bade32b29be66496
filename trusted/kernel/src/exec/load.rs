//! Maps an ELF file.

use super::{elf_errno, read_at};
use crate::mm::{MapRequest, Marks, Mm, Placement};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use rkt_elf::{Header, Kind, Program, Segment};
use rkt_linux_abi::{Errno, Result};
use rkt_platform::{Protection, USER_END};
use rkt_user::UserSlice;
use rkt_vfs::OpenFile;

const PAGE: u64 = 4096;
/// Where position-independent programs go: two thirds of the address space, as Linux has it
/// (ELF_ET_DYN_BASE), so that the heap behind has room.
pub const PROGRAM_BASE: u64 = (USER_END / 3 * 2) & !(PAGE - 1);
/// Bytes of the file that are looked at first: headers and, mostly, the program headers.
const HEAD_LEN: usize = 4096;

/// An ELF file that was looked at.
pub struct Image {
    file: Arc<OpenFile>,
    program: Program,
}

/// Where a file was mapped.
#[derive(Clone, Copy, Debug)]
pub struct Mapped {
    /// Distance from the addresses in the file.
    pub bias: u64,
    /// First instruction.
    pub entry: u64,
    /// Address of the program headers; 0 if they are not mapped.
    pub headers: u64,
    /// Number of program headers.
    pub header_count: u64,
    /// Behind the last byte.
    pub end: u64,
    /// The executable part.
    pub code: (u64, u64),
}

/// The first bytes of a file.
pub fn read_head(file: &OpenFile) -> Result<Vec<u8>> {
    let mut head = vec![0; HEAD_LEN];
    let n = read_at(file, 0, &mut head)?;
    head.truncate(n);
    Ok(head)
}

impl Image {
    /// Checks the headers.
    pub fn parse(file: &Arc<OpenFile>, head: &[u8]) -> Result<Image> {
        let header = Header::parse(head).map_err(elf_errno)?;
        let range = header.program_headers();
        let headers = match range.of(head) {
            Some(bytes) => bytes.to_vec(),
            None => read_range(file, range.offset, range.length)?,
        };
        let program = Program::parse(&header, &headers).map_err(elf_errno)?;
        Ok(Image { file: file.clone(), program })
    }

    /// The path of the interpreter that the file asks for.
    pub fn interpreter_path(&self) -> Result<Option<Vec<u8>>> {
        let Some(range) = self.program.interpreter else { return Ok(None) };
        let bytes = read_range(&self.file, range.offset, range.length)?;
        Ok(Some(Program::interpreter_path(&bytes).map_err(elf_errno)?.to_vec()))
    }

    /// Maps all segments; position-independent files near `wish` (0 = anywhere).
    pub fn map(&self, mm: &Mm, wish: u64) -> Result<Mapped> {
        let (first, span) = self.program.span();
        let bias = match self.program.kind {
            Kind::Fixed => 0,
            Kind::Relocatable => place(mm, wish, span, self.program.alignment)?.wrapping_sub(first),
        };
        let mut mapped = Mapped {
            bias,
            entry: self.program.entry.wrapping_add(bias),
            headers: self.program.header_address.map_or(0, |at| at.wrapping_add(bias)),
            header_count: u64::from(self.program.header_count),
            end: 0,
            code: (0, 0),
        };
        for segment in &self.program.segments {
            self.map_segment(mm, segment, bias)?;
            let start = segment.address.wrapping_add(bias);
            mapped.end = start + segment.memory;
            if segment.protection.execute && mapped.code.0 == 0 {
                mapped.code = (start, mapped.end);
            }
        }
        mapped.end = mapped.end.next_multiple_of(PAGE);
        Ok(mapped)
    }

    fn map_segment(&self, mm: &Mm, segment: &Segment, bias: u64) -> Result<()> {
        let protection = Protection {
            read: segment.protection.read,
            write: segment.protection.write,
            execute: segment.protection.execute,
        };
        let start = segment.first_page().checked_add(bias).ok_or(Errno::ENOMEM)?;
        let end = segment.end_page().checked_add(bias).filter(|&end| end <= USER_END).ok_or(Errno::ENOMEM)?;
        let skew = segment.address % PAGE;
        let from_file = if segment.file.length == 0 { 0 } else { (segment.file.length + skew).next_multiple_of(PAGE) };
        let request = |at, len, file| MapRequest {
            placement: Placement::Fixed(at),
            len,
            protection,
            shared: false,
            file,
            populate: false,
            marks: Marks::default(),
            name: None,
        };
        if from_file > 0 {
            mm.map(request(start, from_file, Some((self.file.clone(), segment.file.offset - skew))))?;
        }
        if start + from_file < end {
            mm.map(request(start + from_file, end - start - from_file, None))?;
        }
        // What follows the file's bytes in their last page is the program's zeroed memory.
        let tail = start + skew + segment.file.length;
        if protection.write && segment.memory > segment.file.length && from_file > 0 && tail < start + from_file {
            let len = (start + from_file - tail) as usize;
            if UserSlice::new(tail, len)?.clear() < len {
                return Err(Errno::EFAULT);
            }
        }
        Ok(())
    }
}

fn read_range(file: &OpenFile, offset: u64, length: u64) -> Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(length).map_err(|_| Errno::ENOEXEC)?];
    if read_at(file, offset, &mut bytes)? < bytes.len() { Err(Errno::ENOEXEC) } else { Ok(bytes) }
}

/// A free place, with the alignment that the file asks for.
fn place(mm: &Mm, wish: u64, span: u64, alignment: u64) -> Result<u64> {
    let alignment = alignment.clamp(PAGE, 2 << 20);
    let padded = span.checked_add(alignment - PAGE).ok_or(Errno::ENOMEM)?;
    let wish = if wish == 0 { 0 } else { wish + random_pages() };
    let at = mm.lock().place(wish, padded)?;
    Ok(at.next_multiple_of(alignment))
}

fn random_pages() -> u64 {
    let mut bytes = [0; 8];
    rkt_platform::random(&mut bytes);
    (u64::from_le_bytes(bytes) & 0xfff_ffff) << 12
}
