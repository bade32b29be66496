//! Keeps what others left in the upper halves of vector registers.
//!
//! The image's own code leaves them alone, because the application's values stay in them during a
//! system call. What has to use them runs between the two halves of [`keep`], which works wherever
//! the processor is: in a system call, a trap, the idle loop or on the host.

use core::arch::asm;
use core::mem::MaybeUninit;

/// Components of the extended state that hold upper halves (Intel SDM volume 1, §13.1): AVX, and the
/// mask registers, upper halves and further registers of AVX-512.
const UPPER: u64 = 1 << 2 | 1 << 5 | 1 << 6 | 1 << 7;
/// The component that VEX-encoded instructions change.
const AVX: u64 = 1 << 2;
/// An XSAVE area in the standard format up to component 7: the end of §13.5's fixed part, then AVX at
/// 576, AVX-512 at 1088 to 2688.
const AREA_LEN: usize = 2688;
/// Offset and length of the header (§13.4.2).
const HEADER: usize = 512;
const HEADER_LEN: usize = 64;

#[repr(C, align(64))]
struct Area(MaybeUninit<[u8; AREA_LEN]>);

/// Runs `f`, which may use AVX and AVX2, and leaves the upper halves of all registers as they were.
/// The lower halves are the caller's to save, as for any call.
///
/// `f` may be preempted by signals and may park.
///
/// # Safety
/// The processor must have AVX switched on (XCR0), XSAVE and XGETBV with ecx = 1.
#[inline]
pub(crate) unsafe fn keep<R>(f: impl FnOnce() -> R) -> R {
    // SAFETY: the caller's contract.
    let live = unsafe { in_use() } & UPPER;
    if live != 0 {
        // SAFETY: the caller's contract.
        return unsafe { keep_live(live, f) };
    }
    let result = f();
    // SAFETY: AVX is there. All upper halves were zero, and are again.
    unsafe { clear() };
    result
}

/// A function of its own, so that whoever looks at the image finds the instruction in this module.
///
/// # Safety
/// The processor must have AVX switched on.
#[inline(never)]
unsafe fn clear() {
    // SAFETY: the caller's contract.
    unsafe { asm!("vzeroupper", options(nomem, nostack, preserves_flags)) };
}

/// # Safety
/// As above.
#[inline(never)]
unsafe fn keep_live<R>(live: u64, f: impl FnOnce() -> R) -> R {
    let mut area = Area(MaybeUninit::uninit());
    let at = area.0.as_mut_ptr().cast::<u8>();
    let mask = live | AVX;
    // SAFETY: the area is aligned and long enough for these components; XSAVE reads of it the header,
    // which is zero, and XRSTOR reads what XSAVE wrote. Both move MXCSR, too, which stays as it is.
    unsafe {
        at.add(HEADER).write_bytes(0, HEADER_LEN);
        asm!("xsave64 [{}]", in(reg) at, in("eax") mask as u32, in("edx") 0, options(nostack, preserves_flags));
        let result = f();
        asm!("xrstor64 [{}]", in(reg) at, in("eax") mask as u32, in("edx") 0,
            options(nostack, preserves_flags, readonly));
        result
    }
}

/// Components that are not in their initial state (XINUSE).
///
/// # Safety
/// As above.
unsafe fn in_use() -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: the caller's contract.
    unsafe { asm!("xgetbv", in("ecx") 1, out("eax") low, out("edx") high, options(nomem, nostack, preserves_flags)) };
    u64::from(high) << 32 | u64::from(low)
}

/// Components that the operating system has switched on.
///
/// # Safety
/// The processor must have OSXSAVE.
pub(crate) unsafe fn switched_on() -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: the caller's contract.
    unsafe { asm!("xgetbv", in("ecx") 0, out("eax") low, out("edx") high, options(nomem, nostack, preserves_flags)) };
    u64::from(high) << 32 | u64::from(low)
}
