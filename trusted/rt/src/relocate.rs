//! Self-relocation of a static PIE (System V gABI, "Dynamic Section" and "Relocation"; x86-64
//! psABI 4.4.1).
//!
//! Runs before the image is relocated, so it uses no static that holds an address, nothing in it can
//! panic, and all of it is inlined into its caller: rustc calls functions of other crates through
//! the global offset table, which is not relocated yet. The caller may not make such calls either
//! before this returns.

/// An entry of the dynamic section (`Elf64_Dyn`).
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Dyn {
    /// What the value means (`DT_*`).
    pub tag: u64,
    /// A number, or an address relative to the load address.
    pub value: u64,
}

/// A relocation of this type (`R_X86_64_*`) does not belong in a static PIE without libc.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsupported(pub u32);

/// `Elf64_Rela`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Rela {
    offset: u64,
    info: u64,
    addend: u64,
}

const DT_NULL: u64 = 0;
const DT_RELA: u64 = 7;
const DT_RELASZ: u64 = 8;
const DT_RELRSZ: u64 = 35;
const DT_RELR: u64 = 36;
const R_X86_64_NONE: u32 = 0;
const R_X86_64_RELATIVE: u32 = 8;

/// Applies the image's relative relocations (`DT_RELA` and `DT_RELR`). To be called once: the
/// packed form adds to what it finds.
///
/// `base` is the address at which the image's address 0 lies (`__ehdr_start`), `dynamic` its
/// dynamic section (`_DYNAMIC`); both come from `lea` with an address relative to `rip`.
///
/// # Errors
/// [`Unsupported`] if there is a relocation of another type; those before it have been applied.
///
/// # Safety
/// Both arguments describe one loaded image whose relocated words are aligned and writable and which no other
/// thread uses yet.
#[inline(always)]
pub unsafe fn relocate(base: *mut u8, dynamic: *const Dyn) -> Result<(), Unsupported> {
    let (mut rela, mut rela_len, mut relr, mut relr_len) = (0, 0, 0, 0);
    let mut entry = dynamic;
    loop {
        // SAFETY: a dynamic section ends with DT_NULL, and the loop with it.
        let Dyn { tag, value } = unsafe { entry.read() };
        match tag {
            DT_NULL => break,
            DT_RELA => rela = value as usize,
            DT_RELASZ => rela_len = value as usize,
            DT_RELR => relr = value as usize,
            DT_RELRSZ => relr_len = value as usize,
            _ => {}
        }
        entry = entry.wrapping_add(1);
    }
    // SAFETY: the section says that these tables lie in the image.
    unsafe {
        apply_relr(base, base.wrapping_add(relr).cast(), relr_len / size_of::<u64>());
        apply_rela(base, base.wrapping_add(rela).cast(), rela_len / size_of::<Rela>())
    }
}

/// # Safety
/// As [`relocate`]; `table` has `count` entries.
#[inline(always)]
unsafe fn apply_rela(base: *mut u8, table: *const Rela, count: usize) -> Result<(), Unsupported> {
    let (mut at, end) = (table, table.wrapping_add(count));
    while at != end {
        // SAFETY: within the table.
        let entry = unsafe { at.read() };
        at = at.wrapping_add(1);
        match entry.info as u32 {
            R_X86_64_NONE => {}
            R_X86_64_RELATIVE => {
                let value = (base.addr() as u64).wrapping_add(entry.addend);
                let word = base.wrapping_add(entry.offset as usize).cast::<u64>();
                // SAFETY: the relocation names a writable, aligned word of the image.
                unsafe { word.write(value) };
            }
            other => return Err(Unsupported(other)),
        }
    }
    Ok(())
}

/// The packed form: an even entry is the address of a word to relocate; an odd entry is a bit map
/// of the 63 words that follow the last word spoken of.
///
/// # Safety
/// As [`relocate`]; `table` has `count` entries.
#[inline(always)]
unsafe fn apply_relr(base: *mut u8, table: *const u64, count: usize) {
    let mut next = base.cast::<u64>();
    let (mut at, end) = (table, table.wrapping_add(count));
    while at != end {
        // SAFETY: within the table.
        let entry = unsafe { at.read() };
        at = at.wrapping_add(1);
        if entry & 1 == 0 {
            next = base.wrapping_add(entry as usize).cast();
            // SAFETY: the entry names a writable word of the image.
            unsafe { add_base(base, next) };
            next = next.wrapping_add(1);
            continue;
        }
        let mut bits = entry >> 1;
        while bits != 0 {
            // SAFETY: as above, for each bit that is set.
            unsafe { add_base(base, next.wrapping_add(bits.trailing_zeros() as usize)) };
            bits &= bits - 1;
        }
        next = next.wrapping_add(63);
    }
}

/// # Safety
/// `word` is valid for reads and writes.
#[inline(always)]
unsafe fn add_base(base: *mut u8, word: *mut u64) {
    // SAFETY: the caller's promise.
    unsafe { word.write((base.addr() as u64).wrapping_add(word.read())) };
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An image of 256 words whose dynamic section is apart.
    fn run(image: &mut [u64; 256], entries: &[(u64, u64)]) -> Result<(), Unsupported> {
        let dynamic: std::vec::Vec<_> =
            entries.iter().chain(&[(DT_NULL, 0)]).map(|&(tag, value)| Dyn { tag, value }).collect();
        // SAFETY: the tables and words named by the tests lie in `image`.
        unsafe { relocate(image.as_mut_ptr().cast(), dynamic.as_ptr()) }
    }

    fn base(image: &[u64; 256]) -> u64 {
        image.as_ptr().addr() as u64
    }

    #[test]
    fn applies_relative_relocations() {
        let mut image = [7; 256];
        image[200..206].copy_from_slice(&[8, 8, 0x1234, 24, 8, u64::MAX]);
        let entries = [(DT_RELA, 1600), (9, 24), (DT_RELASZ, 48)];
        assert_eq!(run(&mut image, &entries), Ok(()));
        let base = base(&image);
        assert_eq!(image[..5], [7, base + 0x1234, 7, base - 1, 7]);
    }

    #[test]
    fn refuses_symbolic_relocations() {
        let mut image = [7; 256];
        image[200..203].copy_from_slice(&[8, (3 << 32) | 6, 0]);
        let entries = [(DT_RELASZ, 24), (DT_RELA, 1600)];
        assert_eq!(run(&mut image, &entries), Err(Unsupported(6)));
        assert_eq!(image[1], 7);
    }

    #[test]
    fn applies_packed_relocations() {
        let mut image = [7; 256];
        // Word 2; of 3..66 the words 3, 5 and 65; of 66..129 the word 66; word 150.
        let first = 1 | 1 << 1 | 1 << 3 | 1 << 63;
        image[200..204].copy_from_slice(&[16, first, 0b11, 1200]);
        assert_eq!(run(&mut image, &[(DT_RELR, 1600), (DT_RELRSZ, 32)]), Ok(()));
        let base = base(&image);
        for (index, &word) in image[..200].iter().enumerate() {
            let expected = if [2, 3, 5, 65, 66, 150].contains(&index) { base + 7 } else { 7 };
            assert_eq!(word, expected, "word {index}");
        }
    }

    #[test]
    fn does_nothing_without_tables() {
        let mut image = [7; 256];
        assert_eq!(run(&mut image, &[]), Ok(()));
        assert_eq!(image, [7; 256]);
    }
}
