//! Which implementation a processor can run.

use crate::guard;
use core::arch::x86_64::{__cpuid, __cpuid_count};
use core::fmt;

/// An implementation that this processor can run: only the processor's own answers make one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kernel(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Portable,
    AesNi,
    Vaes,
}

impl Kernel {
    /// Constant time without special instructions; slow.
    pub const fn portable() -> Self {
        Self(Kind::Portable)
    }

    /// The fastest one. Asks the processor (CPUID), so ask once.
    pub fn detect() -> Self {
        Self::available().last().unwrap_or(Self::portable())
    }

    /// All that there are, slowest first.
    pub fn available() -> impl Iterator<Item = Self> {
        let aes_ni = has_aes_ni();
        let kinds = [(Kind::Portable, true), (Kind::AesNi, aes_ni), (Kind::Vaes, aes_ni && has_vaes())];
        kinds.into_iter().filter_map(|(kind, there)| there.then_some(Self(kind)))
    }

    pub(crate) fn kind(self) -> Kind {
        self.0
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Portable => "software",
            Kind::AesNi => "AES-NI",
            Kind::Vaes => "VAES",
        })
    }
}

fn has(register: u32, bits: &[u32]) -> bool {
    bits.iter().all(|bit| register & (1 << bit) != 0)
}

/// PCLMULQDQ and AES (SDM volume 2, CPUID leaf 1, ecx).
fn has_aes_ni() -> bool {
    has(__cpuid(1).ecx, &[1, 25])
}

/// AVX2, VAES and VPCLMULQDQ (leaf 7, ebx and ecx), and all that the guard needs.
fn has_vaes() -> bool {
    can_keep() && {
        let features = __cpuid_count(7, 0);
        has(features.ebx, &[5]) && has(features.ecx, &[9, 10])
    }
}

/// Whether AVX is there and switched on, and with it all that the guard needs: OSXSAVE and AVX (leaf
/// 1, ecx), XGETBV with ecx = 1 (leaf 0xd, eax).
pub(crate) fn can_keep() -> bool {
    const SSE_AND_AVX: u64 = 6;
    __cpuid(0).eax >= 0xd
        && has(__cpuid(1).ecx, &[27, 28])
        && has(__cpuid_count(0xd, 1).eax, &[2])
        // SAFETY: OSXSAVE is there.
        && unsafe { guard::switched_on() } & SSE_AND_AVX == SSE_AND_AVX
}
