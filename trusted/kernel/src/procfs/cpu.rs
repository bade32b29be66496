//! /proc/cpuinfo: what CPUID says (Intel SDM Volume 2A, CPUID; AMD APM Volume 3, Appendix E).

use alloc::string::String;
use alloc::vec::Vec;
use core::arch::x86_64::{__cpuid, __cpuid_count};
use core::fmt::Write;
use rkt_linux_abi::Result;

/// Flags by bit, as Linux names them; an empty name is not shown.
type Names = [&'static str; 32];

/// Leaf 1, EDX.
const LEAF1_EDX: Names = [
    "fpu", "vme", "de", "pse", "tsc", "msr", "pae", "mce", "cx8", "apic", "", "sep", "mtrr", "pge", "mca", "cmov",
    "pat", "pse36", "pn", "clflush", "", "dts", "acpi", "mmx", "fxsr", "sse", "sse2", "ss", "ht", "tm", "ia64", "pbe",
];
/// Leaf 1, ECX.
const LEAF1_ECX: Names = [
    "pni",
    "pclmulqdq",
    "dtes64",
    "monitor",
    "ds_cpl",
    "vmx",
    "smx",
    "est",
    "tm2",
    "ssse3",
    "cid",
    "sdbg",
    "fma",
    "cx16",
    "xtpr",
    "pdcm",
    "",
    "pcid",
    "dca",
    "sse4_1",
    "sse4_2",
    "x2apic",
    "movbe",
    "popcnt",
    "tsc_deadline_timer",
    "aes",
    "xsave",
    "",
    "avx",
    "f16c",
    "rdrand",
    "hypervisor",
];
/// Leaf 7, EBX.
const LEAF7_EBX: Names = [
    "fsgsbase",
    "tsc_adjust",
    "sgx",
    "bmi1",
    "hle",
    "avx2",
    "",
    "smep",
    "bmi2",
    "erms",
    "invpcid",
    "rtm",
    "cqm",
    "",
    "mpx",
    "rdt_a",
    "avx512f",
    "avx512dq",
    "rdseed",
    "adx",
    "smap",
    "avx512ifma",
    "",
    "clflushopt",
    "clwb",
    "intel_pt",
    "avx512pf",
    "avx512er",
    "avx512cd",
    "sha_ni",
    "avx512bw",
    "avx512vl",
];
/// Leaf 7, ECX.
const LEAF7_ECX: Names = [
    "",
    "avx512vbmi",
    "umip",
    "pku",
    "ospke",
    "waitpkg",
    "avx512_vbmi2",
    "",
    "gfni",
    "vaes",
    "vpclmulqdq",
    "avx512_vnni",
    "avx512_bitalg",
    "",
    "avx512_vpopcntdq",
    "",
    "la57",
    "",
    "",
    "",
    "",
    "",
    "rdpid",
    "",
    "",
    "cldemote",
    "",
    "movdiri",
    "movdir64b",
    "",
    "",
    "",
];
/// Leaf 0x80000001, EDX: what leaf 1 does not have already.
const EXTENDED_EDX: Names = [
    "", "", "", "", "", "", "", "", "", "", "", "syscall", "", "", "", "", "", "", "", "mp", "nx", "", "mmxext", "",
    "", "fxsr_opt", "pdpe1gb", "rdtscp", "", "lm", "3dnowext", "3dnow",
];
/// Leaf 0x80000001, ECX.
const EXTENDED_ECX: Names = [
    "lahf_lm",
    "cmp_legacy",
    "svm",
    "extapic",
    "cr8_legacy",
    "abm",
    "sse4a",
    "misalignsse",
    "3dnowprefetch",
    "osvw",
    "ibs",
    "xop",
    "skinit",
    "wdt",
    "",
    "lwp",
    "fma4",
    "tce",
    "",
    "nodeid_msr",
    "",
    "tbm",
    "topoext",
    "perfctr_core",
    "perfctr_nb",
    "",
    "bpext",
    "ptsc",
    "perfctr_llc",
    "mwaitx",
    "",
    "",
];

/// Registers as text: the vendor's name, the model's.
fn letters(registers: &[u32]) -> String {
    let bytes: Vec<u8> = registers.iter().flat_map(|register| register.to_le_bytes()).collect();
    let text = bytes.split(|&byte| byte == 0).next().unwrap_or(&[]);
    String::from(String::from_utf8_lossy(text).trim())
}

fn model_name(highest: u32) -> String {
    if highest < 0x8000_0004 {
        return String::from("unknown");
    }
    let parts = [0x8000_0002, 0x8000_0003, 0x8000_0004].map(__cpuid);
    let registers: Vec<u32> = parts.iter().flat_map(|part| [part.eax, part.ebx, part.ecx, part.edx]).collect();
    letters(&registers)
}

fn flags(basic: u32, extended: u32) -> String {
    let one = __cpuid(1);
    let mut sets = Vec::from([(one.edx, LEAF1_EDX), (one.ecx, LEAF1_ECX)]);
    if basic >= 7 {
        let seven = __cpuid_count(7, 0);
        sets.extend([(seven.ebx, LEAF7_EBX), (seven.ecx, LEAF7_ECX)]);
    }
    if extended >= 0x8000_0001 {
        let more = __cpuid(0x8000_0001);
        sets.extend([(more.edx, EXTENDED_EDX), (more.ecx, EXTENDED_ECX)]);
    }
    let mut names = Vec::new();
    for (bits, of) in sets {
        names.extend(of.into_iter().enumerate().filter(|(bit, name)| bits >> bit & 1 != 0 && !name.is_empty()));
    }
    names.iter().map(|(_, name)| *name).collect::<Vec<_>>().join(" ")
}

/// proc_cpuinfo(5): a block for each vCPU.
pub(super) fn cpuinfo() -> Result<Vec<u8>> {
    let zero = __cpuid(0);
    let (basic, extended) = (zero.eax, __cpuid(0x8000_0000).eax);
    let vendor = letters(&[zero.ebx, zero.edx, zero.ecx]);
    let signature = __cpuid(1).eax;
    // Extended family counts for family 15, extended model for 6 and 15 (Intel SDM 2A, CPUID leaf 1).
    let base = signature >> 8 & 15;
    let family = if base == 15 { base + (signature >> 20 & 255) } else { base };
    let extended_model = if base == 6 || base == 15 { signature >> 16 & 15 } else { 0 };
    let model = extended_model << 4 | signature >> 4 & 15;
    let (name, flags) = (model_name(extended), flags(basic, extended));
    let cpus = rkt_platform::cpus();
    let mhz = rkt_platform::tsc_per_us();
    let mut text = String::new();
    for cpu in 0..cpus {
        // A formatter of strings does not fail.
        let _ = write!(
            text,
            "processor\t: {cpu}\nvendor_id\t: {vendor}\ncpu family\t: {family}\nmodel\t\t: {model}\n\
             model name\t: {name}\nstepping\t: {}\ncpu MHz\t\t: {mhz}.000\nphysical id\t: 0\nsiblings\t: {cpus}\n\
             core id\t\t: {cpu}\ncpu cores\t: {cpus}\napicid\t\t: {cpu}\ninitial apicid\t: {cpu}\nfpu\t\t: yes\n\
             fpu_exception\t: yes\ncpuid level\t: {basic}\nwp\t\t: yes\nflags\t\t: {flags}\nbogomips\t: {}.00\n\
             clflush size\t: 64\ncache_alignment\t: 64\n\n",
            signature & 15,
            2 * mhz,
        );
    }
    Ok(text.into_bytes())
}
