//! Moves the image's writable segments into shared memory, and the text into large pages.
//!
//! A fork of the process copies private memory; a private `.data` or `.bss` would silently
//! split the kernel in two (DESIGN §4).

use crate::host::{self, HostError, mm, nr};
use crate::large_text::{self, LARGE};

/// `Elf64_Phdr`.
#[repr(C)]
#[derive(Clone, Copy)]
struct ProgramHeader {
    kind: u32,
    flags: u32,
    offset: u64,
    vaddr: u64,
    paddr: u64,
    filesz: u64,
    memsz: u64,
    align: u64,
}

impl ProgramHeader {
    /// Where the segment lies, in whole pages, and its flags.
    fn place(&self, base: usize) -> (usize, usize, u32) {
        let start = (base + self.vaddr as usize) & !4095;
        (start, (base + (self.vaddr + self.memsz) as usize).next_multiple_of(4096), self.flags)
    }
}

const PT_LOAD: u32 = 1;
const PF_X: u32 = 1;
const PF_W: u32 = 2;

/// Addresses of the image.
#[derive(Clone, Copy, Debug, Default)]
pub struct ImageRange {
    /// First byte of executable text.
    pub text: usize,
    /// Behind its last byte.
    pub text_end: usize,
}

/// Replaces each writable segment of the running image by shared memory of the same content and, if the host
/// has `large` pages, the text by such pages.
///
/// # Errors
/// What the host said.
///
/// # Safety
/// `base` and the `count` program headers at `headers` must be those of the running image; no
/// other thread may run.
pub unsafe fn share(base: usize, headers: usize, count: usize, large: bool) -> Result<ImageRange, HostError> {
    // SAFETY: the kernel's auxiliary vector says where the headers are, which nobody writes.
    let headers = unsafe { core::slice::from_raw_parts(headers as *const ProgramHeader, count) };
    let segments = || headers.iter().filter(|header| header.kind == PT_LOAD).map(|header| header.place(base));
    let mut range = ImageRange::default();
    // Hosts before Linux 5.10 do not load an image where its alignment says.
    let large = large && base.is_multiple_of(LARGE);
    for (start, end, flags) in segments() {
        if flags & PF_X != 0 {
            range = ImageRange { text: start, text_end: end };
        }
        let (first, last) = (start & !(LARGE - 1), end.next_multiple_of(LARGE));
        let alone = segments().all(|(other, other_end, _)| other == start || other >= last || other_end <= first);
        // SAFETY: the segment is mapped and as long as the header says; one that is executed is moved
        // with what lies beside it only if nothing does.
        unsafe {
            if flags & PF_W != 0 {
                share_segment(start, end - start)?;
            } else if flags & PF_X != 0 && large && alone {
                large_text::enlarge(first..last, start..end)?;
            }
        }
    }
    Ok(range)
}

/// # Safety
/// `start..start + len` must be mapped and readable; no other thread may use it meanwhile.
unsafe fn share_segment(start: usize, len: usize) -> Result<(), HostError> {
    let prot = mm::PROT_READ | mm::PROT_WRITE;
    let flags = mm::MAP_SHARED | mm::MAP_ANONYMOUS;
    // SAFETY: a fresh mapping where the kernel likes; both ranges are mapped, and different; the moved pages
    // have the content of the ones they replace.
    unsafe {
        let copy = host::call(nr::MMAP, [0, len, prot, flags, usize::MAX, 0])?;
        core::ptr::copy_nonoverlapping(start as *const u8, copy as *mut u8, len);
        host::call(nr::MREMAP, [copy, len, len, mm::MREMAP_MAYMOVE | mm::MREMAP_FIXED, start, 0])?;
    }
    Ok(())
}
