//! Moves the image's writable segments into shared memory.
//!
//! A fork of the process copies private memory; a private `.data` or `.bss` would silently
//! split the kernel in two (DESIGN §4).

use crate::host::{self, HostError, mm, nr};

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

/// Replaces each writable segment of the running image by shared memory of the same content.
///
/// # Errors
/// What the host said.
///
/// # Safety
/// `base` and the `count` program headers at `headers` must be those of the running image; no
/// other thread may run.
pub unsafe fn share(base: usize, headers: usize, count: usize) -> Result<ImageRange, HostError> {
    let mut range = ImageRange::default();
    for i in 0..count {
        // SAFETY: the kernel's auxiliary vector says where the headers are.
        let header = unsafe { (headers as *const ProgramHeader).add(i).read() };
        if header.kind != PT_LOAD {
            continue;
        }
        let start = (base + header.vaddr as usize) & !4095;
        let end = (base + (header.vaddr + header.memsz) as usize).next_multiple_of(4096);
        if header.flags & PF_X != 0 {
            range = ImageRange { text: start, text_end: end };
        }
        if header.flags & PF_W != 0 {
            // SAFETY: the segment is mapped, writable and as long as the header says.
            unsafe { share_segment(start, end - start)? };
        }
    }
    Ok(range)
}

/// # Safety
/// `start..start + len` must be mapped and readable; no other thread may use it meanwhile.
unsafe fn share_segment(start: usize, len: usize) -> Result<(), HostError> {
    let prot = mm::PROT_READ | mm::PROT_WRITE;
    let flags = mm::MAP_SHARED | mm::MAP_ANONYMOUS;
    // SAFETY: a fresh mapping where the kernel likes.
    let copy = unsafe { host::call(nr::MMAP, [0, len, prot, flags, usize::MAX, 0]) }?;
    // SAFETY: both ranges are mapped, and different.
    unsafe { core::ptr::copy_nonoverlapping(start as *const u8, copy as *mut u8, len) };
    // SAFETY: the moved pages have the content of the ones they replace.
    unsafe { host::call(nr::MREMAP, [copy, len, len, mm::MREMAP_MAYMOVE | mm::MREMAP_FIXED, start, 0]) }?;
    Ok(())
}
