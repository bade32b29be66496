//! The structures of elf(5) as stored, for 64 bits and little-endian.

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// `e_ident`: magic, ELFCLASS64, ELFDATA2LSB, EV_CURRENT.
pub const MAGIC: [u8; 4] = *b"\x7fELF";
pub const CLASS_DATA_VERSION: [u8; 3] = [2, 1, 1];

pub const ET_EXEC: u16 = 2;
pub const ET_DYN: u16 = 3;
pub const EM_X86_64: u16 = 62;

pub const PT_LOAD: u32 = 1;
pub const PT_DYNAMIC: u32 = 2;
pub const PT_INTERP: u32 = 3;
pub const PT_PHDR: u32 = 6;
pub const PT_GNU_STACK: u32 = 0x6474_e551;

pub const PF_X: u32 = 1;
pub const PF_W: u32 = 2;
pub const PF_R: u32 = 4;

pub const DT_NULL: u64 = 0;
pub const DT_NEEDED: u64 = 1;
pub const DT_STRTAB: u64 = 5;
pub const DT_STRSZ: u64 = 10;
pub const DT_SONAME: u64 = 14;
pub const DT_RPATH: u64 = 15;
pub const DT_RUNPATH: u64 = 29;
pub const DT_FLAGS_1: u64 = 0x6fff_fffb;
/// In `DT_FLAGS_1`: the default directories are not searched.
pub const DF_1_NODEFLIB: u64 = 0x800;

/// `Elf64_Ehdr`.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy)]
#[repr(C)]
pub struct FileHeader {
    pub magic: [u8; 4],
    pub class_data_version: [u8; 3],
    pub abi: [u8; 9],
    pub kind: U16,
    pub machine: U16,
    pub version: U32,
    pub entry: U64,
    pub phoff: U64,
    pub shoff: U64,
    pub flags: U32,
    pub ehsize: U16,
    pub phentsize: U16,
    pub phnum: U16,
    pub shentsize: U16,
    pub shnum: U16,
    pub shstrndx: U16,
}

/// `Elf64_Phdr`.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy)]
#[repr(C)]
pub struct ProgramHeader {
    pub kind: U32,
    pub flags: U32,
    pub offset: U64,
    pub vaddr: U64,
    pub paddr: U64,
    pub filesz: U64,
    pub memsz: U64,
    pub align: U64,
}

/// Bytes of [`ProgramHeader`].
pub const PROGRAM_HEADER_LEN: usize = 56;
