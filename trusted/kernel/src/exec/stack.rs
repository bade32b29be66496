//! The first stack: arguments, environment, auxiliary vector (System V ABI §3.4.1).

use super::load::Mapped;
use super::{ARGUMENTS_MAX, Program};
use crate::mm::{MapRequest, Marks, Mm, Placement};
use crate::process::Process;
use alloc::vec::Vec;
use rkt_linux_abi::auxvec::{
    AT_BASE, AT_CLKTCK, AT_EGID, AT_ENTRY, AT_EUID, AT_EXECFN, AT_FLAGS, AT_GID, AT_HWCAP, AT_HWCAP2, AT_MINSIGSTKSZ,
    AT_NULL, AT_PAGESZ, AT_PHDR, AT_PHENT, AT_PHNUM, AT_PLATFORM, AT_RANDOM, AT_SECURE, AT_SYSINFO_EHDR, AT_UID,
};
use rkt_linux_abi::{Errno, Result};
use rkt_platform::{Protection, USER_END};
use rkt_user::UserSlice;

/// Bytes kept free above the stack.
const ABOVE: u64 = 1 << 20;
/// Largest stack that is made, however high the limit.
const STACK_MAX: u64 = 1 << 30;
const STACK_MIN: u64 = 128 << 10;
const PROGRAM_HEADER_LEN: u64 = 56;

/// Strings on their way to the top of the stack.
struct Strings {
    bytes: Vec<u8>,
    top: u64,
}

impl Strings {
    /// Appends; gives the address that the first byte will have. All strings lie one after
    /// the other from `base` upwards.
    fn push(&mut self, base: u64, bytes: &[u8], terminate: bool) -> u64 {
        let at = base + self.bytes.len() as u64;
        self.bytes.extend_from_slice(bytes);
        if terminate {
            self.bytes.push(0);
        }
        at
    }
}

/// What the auxiliary vector says beside what the program is.
pub struct Start {
    /// Where the interpreter was mapped; 0 if there is none.
    pub interpreter: u64,
    /// Where the vDSO was mapped.
    pub vdso: Option<u64>,
    /// The program has more rights than its caller.
    pub secure: bool,
}

/// Makes the stack and fills it; gives the stack pointer.
pub fn build(process: &Process, mm: &Mm, program: &Program, main: &Mapped, start: Start) -> Result<u64> {
    let (top, bottom) = map_stack(process, mm)?;
    let total: usize =
        program.argv.iter().chain(&program.envp).map(|string| string.len() + 1 + 8).sum::<usize>() + program.name.len();
    if total > ARGUMENTS_MAX {
        return Err(Errno::E2BIG);
    }
    let strings_len = (total + 512).next_multiple_of(16) as u64;
    let base = top - 16 - strings_len;
    let mut strings = Strings { bytes: Vec::with_capacity(strings_len as usize), top };
    let argv: Vec<u64> = program.argv.iter().map(|arg| strings.push(base, arg, true)).collect();
    let args_end = base + strings.bytes.len() as u64;
    let envp: Vec<u64> = program.envp.iter().map(|env| strings.push(base, env, true)).collect();
    let env_end = base + strings.bytes.len() as u64;
    let execfn = strings.push(base, &program.name, true);
    let platform = strings.push(base, b"x86_64", true);
    let mut random = [0; 16];
    rkt_platform::random(&mut random);
    let random_at = strings.push(base, &random, false);
    write(base, &strings.bytes)?;

    let auxv = auxiliary(process, main, &start, [execfn, platform, random_at]);
    let mut words: Vec<u64> = Vec::with_capacity(argv.len() + envp.len() + auxv.len() * 2 + 4);
    words.push(argv.len() as u64);
    words.extend_from_slice(&argv);
    words.push(0);
    words.extend_from_slice(&envp);
    words.push(0);
    let pairs: Vec<u64> = auxv.iter().flat_map(|(key, value)| [u64::from(*key), *value]).collect();
    *process.auxiliary_vector.lock() = pairs.iter().flat_map(|word| word.to_le_bytes()).collect();
    words.extend(pairs);
    let sp = (base - words.len() as u64 * 8) & !15;
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    write(sp, &bytes)?;

    let mut inner = mm.lock();
    inner.layout.stack = (bottom, strings.top);
    inner.layout.args = (base, args_end);
    inner.layout.env = (args_end, env_end);
    Ok(sp)
}

/// Maps the stack as large as its limit; the host fills it as it is touched.
fn map_stack(process: &Process, mm: &Mm) -> Result<(u64, u64)> {
    let limit = process.limit(3).clamp(STACK_MIN, STACK_MAX).next_multiple_of(4096);
    let mut bytes = [0; 8];
    rkt_platform::random(&mut bytes);
    let slide = (u64::from_le_bytes(bytes) & 0x3f_ffff) << 12;
    let top = USER_END - ABOVE - slide;
    let request = MapRequest {
        placement: Placement::FixedNoReplace(top - limit),
        len: limit,
        protection: Protection { read: true, write: true, execute: false },
        shared: false,
        file: None,
        populate: false,
        marks: Marks::default(),
        name: Some("[stack]"),
    };
    mm.map(request)?;
    Ok((top, top - limit))
}

fn write(at: u64, bytes: &[u8]) -> Result<()> {
    UserSlice::new(at, bytes.len())?.write_all(bytes)
}

fn auxiliary(process: &Process, main: &Mapped, start: &Start, [execfn, platform, random]: [u64; 3]) -> Vec<(u32, u64)> {
    let ids = process.ids();
    let xsave = rkt_platform::xsave_size().0 as u64;
    // AT_HWCAP2 hides FSGSBASE: GS is the kernel's.
    let mut auxv = Vec::from([
        (AT_HWCAP, hwcap()),
        (AT_PAGESZ, 4096),
        (AT_CLKTCK, 100),
        (AT_PHDR, main.headers),
        (AT_PHENT, PROGRAM_HEADER_LEN),
        (AT_PHNUM, main.header_count),
        (AT_BASE, start.interpreter),
        (AT_FLAGS, 0),
        (AT_ENTRY, main.entry),
        (AT_UID, ids.user.real.into()),
        (AT_EUID, ids.user.effective.into()),
        (AT_GID, ids.group.real.into()),
        (AT_EGID, ids.group.effective.into()),
        (AT_SECURE, start.secure.into()),
        (AT_RANDOM, random),
        (AT_HWCAP2, 0),
        (AT_EXECFN, execfn),
        (AT_PLATFORM, platform),
        (AT_MINSIGSTKSZ, xsave + 1024),
    ]);
    auxv.extend(start.vdso.map(|at| (AT_SYSINFO_EHDR, at)));
    auxv.push((AT_NULL, 0));
    auxv
}

/// CPUID.1:EDX, which is what Linux gives on x86-64.
fn hwcap() -> u64 {
    u64::from(core::arch::x86_64::__cpuid(1).edx)
}
