//! The shared object that the program finds through AT_SYSINFO_EHDR (vdso(7)): it reads the clocks
//! without a system call. It is one page, position-independent, and holds the clocks' parameters,
//! which never change once the clocks run ([`crate::time`]).

use crate::time;
use core::arch::global_asm;
use rkt_platform::VDSO_LEN;

// An ELF file (System V ABI ch. 4, 5), laid out by hand: header, program headers, dynamic section, symbols
// with the version LINUX_2.6 that C libraries ask for, then the code. All names end in `_vdso`.
global_asm!(
    ".pushsection .rodata.vdso, \"a\", @progbits",
    ".balign 4096",
    "image_vdso:",
    ".byte 0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0",
    ".quad 0",
    // ET_DYN, EM_X86_64, version, entry, program headers, no section headers, flags, sizes and counts.
    ".short 3, 62",
    ".long 1",
    ".quad 0, headers_vdso - image_vdso, 0",
    ".long 0",
    ".short 64, 56, 2, 64, 0, 0",
    "headers_vdso:",
    // PT_LOAD r-x: everything.
    ".long 1, 5",
    ".quad 0, 0, 0, end_vdso - image_vdso, end_vdso - image_vdso, 4096",
    // PT_DYNAMIC.
    ".long 2, 4",
    ".quad dynamic_vdso - image_vdso, dynamic_vdso - image_vdso, dynamic_vdso - image_vdso",
    ".quad dynamic_end_vdso - dynamic_vdso, dynamic_end_vdso - dynamic_vdso, 8",
    "dynamic_vdso:",
    ".quad 14, soname_vdso - strings_vdso",            // DT_SONAME
    ".quad 4, hash_vdso - image_vdso",                 // DT_HASH
    ".quad 5, strings_vdso - image_vdso",              // DT_STRTAB
    ".quad 6, symbols_vdso - image_vdso",              // DT_SYMTAB
    ".quad 10, strings_end_vdso - strings_vdso",       // DT_STRSZ
    ".quad 11, 24",                                    // DT_SYMENT
    ".quad 0x6ffffff0, versions_vdso - image_vdso",    // DT_VERSYM
    ".quad 0x6ffffffc, definitions_vdso - image_vdso", // DT_VERDEF
    ".quad 0x6ffffffd, 2",                             // DT_VERDEFNUM
    ".quad 0, 0",
    "dynamic_end_vdso:",
    // One bucket, and the symbols in a chain: buckets, chains, first, next of 0 to 4.
    "hash_vdso:",
    ".long 1, 5, 1, 0, 2, 3, 4, 0",
    ".balign 8",
    // Name, STB_GLOBAL | STT_FUNC, section (any but 0: defined), value, size.
    ".macro symbol_vdso name, start, end",
    ".long \\name - strings_vdso",
    ".byte 0x12, 0",
    ".short 1",
    ".quad \\start - image_vdso, \\end - \\start",
    ".endm",
    "symbols_vdso:",
    ".quad 0, 0, 0",
    "symbol_vdso name_gettime_vdso, gettime_vdso, gettimeofday_vdso",
    "symbol_vdso name_gettimeofday_vdso, gettimeofday_vdso, time_vdso",
    "symbol_vdso name_time_vdso, time_vdso, getres_vdso",
    "symbol_vdso name_getres_vdso, getres_vdso, end_vdso",
    "versions_vdso:",
    ".short 0, 2, 2, 2, 2",
    ".balign 8",
    // Version definitions: revision, flags, index, names, hash, first name, next. The base is the file itself.
    "definitions_vdso:",
    ".short 1, 1, 1, 1",
    ".long 0x0deebfa1, 20, 28",
    ".long soname_vdso - strings_vdso, 0",
    ".short 1, 0, 2, 1",
    ".long 0x03ae75f6, 20, 0",
    ".long version_vdso - strings_vdso, 0",
    "strings_vdso:",
    ".byte 0",
    "soname_vdso: .asciz \"linux-vdso.so.1\"",
    "version_vdso: .asciz \"LINUX_2.6\"",
    "name_gettime_vdso: .asciz \"__vdso_clock_gettime\"",
    "name_gettimeofday_vdso: .asciz \"__vdso_gettimeofday\"",
    "name_time_vdso: .asciz \"__vdso_time\"",
    "name_getres_vdso: .asciz \"__vdso_clock_getres\"",
    "strings_end_vdso:",
    ".balign 8",
    // Counter at the start, nanoseconds a tick times 2^32, wall clock at the start.
    "parameters_vdso:",
    ".quad 0, 0, 0",
    // rax = nanoseconds since the start; spoils rdx. The fence keeps the counter from being read
    // before what the program did before.
    ".macro now_vdso",
    "lfence",
    "rdtsc",
    "shl rdx, 32",
    "or rax, rdx",
    "xor edx, edx",
    "sub rax, [rip + parameters_vdso]",
    "cmovb rax, rdx",
    "mul qword ptr [rip + parameters_vdso + 8]",
    "shrd rax, rdx, 32",
    ".endm",
    ".balign 16",
    // int clock_gettime(clockid_t edi, struct timespec *rsi). Clocks 1, 4, 6 and 7 run since the
    // start, 0, 5 and 11 since the epoch; the others are the kernel's.
    "gettime_vdso:",
    "cmp edi, 11",
    "ja 4f",
    "xor r8d, r8d",
    "mov ecx, 0xd2",
    "bt ecx, edi",
    "jc 2f",
    "mov r8, [rip + parameters_vdso + 16]",
    "mov ecx, 0x821",
    "bt ecx, edi",
    "jnc 4f",
    "2: now_vdso",
    "add rax, r8",
    "mov ecx, 1000000000",
    "xor edx, edx",
    "div rcx",
    "mov [rsi], rax",
    "mov [rsi + 8], rdx",
    "xor eax, eax",
    "ret",
    "4: mov eax, 228",
    "syscall",
    "ret",
    ".balign 16",
    // int gettimeofday(struct timeval *rdi, struct timezone *rsi); both may be null.
    "gettimeofday_vdso:",
    "test rdi, rdi",
    "jz 2f",
    "now_vdso",
    "add rax, [rip + parameters_vdso + 16]",
    "mov ecx, 1000000000",
    "xor edx, edx",
    "div rcx",
    "mov [rdi], rax",
    "mov eax, edx",
    "xor edx, edx",
    "mov ecx, 1000",
    "div ecx",
    "mov [rdi + 8], rax",
    "2: test rsi, rsi",
    "jz 3f",
    "mov qword ptr [rsi], 0",
    "3: xor eax, eax",
    "ret",
    ".balign 16",
    // time_t time(time_t *rdi); it may be null.
    "time_vdso:",
    "now_vdso",
    "add rax, [rip + parameters_vdso + 16]",
    "mov ecx, 1000000000",
    "xor edx, edx",
    "div rcx",
    "test rdi, rdi",
    "jz 2f",
    "mov [rdi], rax",
    "2: ret",
    ".balign 16",
    // int clock_getres(clockid_t edi, struct timespec *rsi): the coarse clocks, 5 and 6, have a
    // resolution of a tick, 4 ms.
    "getres_vdso:",
    "cmp edi, 11",
    "ja 4f",
    "mov ecx, 0x8f3",
    "bt ecx, edi",
    "jnc 4f",
    "mov eax, 1",
    "mov edx, 4000000",
    "mov ecx, 0x60",
    "bt ecx, edi",
    "cmovc eax, edx",
    "test rsi, rsi",
    "jz 2f",
    "mov qword ptr [rsi], 0",
    "mov [rsi + 8], rax",
    "2: xor eax, eax",
    "ret",
    "4: mov eax, 229",
    "syscall",
    "ret",
    "end_vdso:",
    ".balign 4096",
    ".popsection",
);

unsafe extern "C" {
    #[link_name = "image_vdso"]
    static IMAGE: [u8; VDSO_LEN];
    #[link_name = "parameters_vdso"]
    static PARAMETERS: [u64; 3];
}

/// See [`rkt_platform::vdso`].
pub fn copy(into: &mut [u8; VDSO_LEN]) {
    // SAFETY: both are read-only data of the image, defined above.
    let (image, parameters) = unsafe { (&IMAGE, &PARAMETERS) };
    into.copy_from_slice(image);
    let at = parameters.as_ptr() as usize - image.as_ptr() as usize;
    for (to, value) in into.get_mut(at..).unwrap_or(&mut []).chunks_exact_mut(8).zip(time::parameters()) {
        to.copy_from_slice(&value.to_le_bytes());
    }
}
