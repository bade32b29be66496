//! What the enclave image must not hold: anything that it would need someone else for, and
//! instructions that touch processor state which its entry code does not save.

use anyhow::{Context, Result, bail, ensure};
use iced_x86::{CpuidFeature, Decoder, DecoderOptions, EncodingKind, Instruction};
use object::elf::{DT_NEEDED, ET_DYN, PT_DYNAMIC, PT_INTERP, R_X86_64_RELATIVE};
use object::read::elf::{Dyn, ElfFile64, FileHeader, ProgramHeader};
use object::{Endianness, Object, ObjectSection, ObjectSymbol, RelocationFlags, SectionKind, SymbolKind};
use std::fmt;
use std::fs;
use std::path::Path;

/// Parts of the names of functions that may touch x87 or the upper halves of vector registers, because
/// they run only where `rkt_aes_xts` keeps the application's: its kernel, the guard itself, and the
/// hashes that pick AVX2 by CPUID. (XSAVE and XRSTOR themselves are not counted as such.)
const VECTOR_STATE: &[&str] = &["rkt_aes_xts4vaes", "rkt_aes_xts5guard", "compress_avx2", "x86_avx2"];

/// Sizes of a good image.
pub struct Facts {
    text: u64,
    relocations: usize,
    functions: usize,
}

impl fmt::Display for Facts {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { text, relocations, functions } = self;
        write!(out, "{text} bytes of text in {functions} functions, {relocations} relative relocations")
    }
}

/// Checks the image at `path`.
///
/// # Errors
/// Says what it holds and must not.
pub fn check(path: &Path) -> Result<Facts> {
    let bytes = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    let file = ElfFile64::<Endianness>::parse(&*bytes).context("not a 64-bit ELF file")?;
    self_contained(&file, &bytes).context("the image is not self-contained")?;
    let relocations = relative_only(&file)?;
    let (functions, text) = plain_instructions(&file)?;
    Ok(Facts { text, relocations, functions })
}

/// A static PIE: no interpreter, no library, no symbol that someone else must define.
fn self_contained(file: &ElfFile64<'_>, bytes: &[u8]) -> Result<()> {
    let (endian, header) = (file.endian(), file.elf_header());
    ensure!(header.e_type(endian) == ET_DYN, "it is not position-independent");
    for segment in file.elf_program_headers() {
        ensure!(segment.p_type(endian) != PT_INTERP, "it names an interpreter");
        if segment.p_type(endian) == PT_DYNAMIC {
            let entries = segment.dynamic(endian, bytes)?.unwrap_or_default();
            let needs = entries.iter().any(|entry| entry.tag32(endian) == Some(DT_NEEDED));
            ensure!(!needs, "it needs a shared library");
        }
    }
    let undefined = |symbol: &object::read::elf::ElfSymbol64<'_, '_>| {
        symbol.is_undefined() && !symbol.name_bytes().is_ok_and(<[u8]>::is_empty)
    };
    if let Some(symbol) = file.symbols().chain(file.dynamic_symbols()).find(undefined) {
        bail!("{} is not defined", symbol.name()?);
    }
    Ok(())
}

/// The entry code applies relative relocations and knows no other kind.
fn relative_only(file: &ElfFile64<'_>) -> Result<usize> {
    let mut count = 0;
    for (offset, relocation) in file.dynamic_relocations().into_iter().flatten() {
        let kind = relocation.flags();
        let relative = RelocationFlags::Elf { r_type: R_X86_64_RELATIVE };
        ensure!(kind == relative, "a relocation at {offset:#x} is not relative: {kind:?}");
        count += 1;
    }
    Ok(count)
}

/// Decodes each function and looks for state that a system call leaves in the processor.
fn plain_instructions(file: &ElfFile64<'_>) -> Result<(usize, u64)> {
    let mut functions: Vec<_> = file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text).collect();
    functions.sort_by_key(ObjectSymbol::address);
    ensure!(!functions.is_empty(), "the image has no symbols: its instructions cannot be checked");
    let mut found = Vec::new();
    let mut len = 0;
    for section in file.sections().filter(|section| section.kind() == SectionKind::Text) {
        let (start, code) = (section.address(), section.data()?);
        let end = start + section.size();
        len += section.size();
        let own: Vec<_> = functions.iter().filter(|symbol| (start..end).contains(&symbol.address())).collect();
        for (at, symbol) in own.iter().enumerate() {
            let next = own.get(at + 1).map_or(end, |next| next.address());
            let name = symbol.name()?;
            if !VECTOR_STATE.iter().any(|allowed| name.contains(allowed)) {
                let part = &code[(symbol.address() - start) as usize..(next - start) as usize];
                found.extend(forbidden(part, symbol.address()).map(|what| format!("{what} in {name}")));
            }
        }
    }
    ensure!(found.is_empty(), "vector or x87 instructions that no entry code saves for:\n{}", found.join("\n"));
    Ok((functions.len(), len))
}

fn forbidden(code: &[u8], address: u64) -> impl Iterator<Item = String> {
    let decoder = Decoder::with_ip(64, code, address, DecoderOptions::NONE);
    let mut found = Vec::new();
    for instruction in decoder {
        if touches_unsaved_state(&instruction) {
            found.push(format!("{:?} at {:#x}", instruction.mnemonic(), instruction.ip()));
        }
    }
    found.into_iter()
}

/// VEX and the like clear or use the upper halves of vector registers; x87 and MMX share theirs.
fn touches_unsaved_state(instruction: &Instruction) -> bool {
    let shares = |feature: &CpuidFeature| matches!(feature, CpuidFeature::FPU | CpuidFeature::MMX);
    instruction.encoding() != EncodingKind::Legacy || instruction.cpuid_features().iter().any(shares)
}

#[cfg(test)]
mod tests {
    use super::forbidden;

    fn is_forbidden(code: &[u8]) -> bool {
        forbidden(code, 0).next().is_some()
    }

    #[test]
    fn vector_and_x87_state_is_told_from_sse() {
        assert!(is_forbidden(&[0xc5, 0xfc, 0x58, 0xc1])); // vaddps ymm0, ymm0, ymm1
        assert!(is_forbidden(&[0xc5, 0xf8, 0x77])); // vzeroupper
        assert!(is_forbidden(&[0x62, 0xf1, 0x7c, 0x48, 0x58, 0xc1])); // vaddps zmm0, zmm0, zmm1
        assert!(is_forbidden(&[0xd9, 0xe8])); // fld1
        assert!(is_forbidden(&[0x0f, 0x77])); // emms
        assert!(!is_forbidden(&[0x0f, 0x58, 0xc1])); // addps xmm0, xmm1
        assert!(!is_forbidden(&[0x48, 0x0f, 0xc7, 0x20])); // xsavec64 [rax]
        assert!(!is_forbidden(&[0x0f, 0x05])); // syscall
    }
}
