//! Entropy from the processor: RDRAND (SP 800-90A DRBG in hardware), mixed by nothing of the
//! host's. Without it there is no boot (DESIGN §3.5).

use core::arch::x86_64::__cpuid;

/// Whether the processor has RDRAND (CPUID.1:ECX bit 30).
pub fn present() -> bool {
    __cpuid(1).ecx & (1 << 30) != 0
}

/// One word. Retries as the manufacturer says; a source that stays dry for a thousand tries is
/// broken.
pub fn word() -> Option<u64> {
    for _ in 0..1000 {
        let (value, ok): (u64, u8);
        // SAFETY: `present` was checked at boot.
        unsafe {
            core::arch::asm!("rdrand {v}", "setc {ok}", v = out(reg) value, ok = out(reg_byte) ok, options(nomem, nostack));
        }
        // All ones for ever is a known hardware fault (AMD after suspend).
        if ok != 0 && value != u64::MAX {
            return Some(value);
        }
    }
    None
}

/// Fills a buffer; false if the source failed.
pub fn fill(into: &mut [u8]) -> bool {
    for chunk in into.chunks_mut(8) {
        let Some(value) = word() else { return false };
        for (to, from) in chunk.iter_mut().zip(value.to_ne_bytes()) {
            *to = from;
        }
    }
    true
}
