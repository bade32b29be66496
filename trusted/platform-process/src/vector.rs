//! Vector and floating-point state of the application (Intel SDM volume 1, chapter 13).
//!
//! On entry by a system call the upper halves, x87 and MXCSR stay in the processor: our own
//! code leaves them alone. They are taken out only when another thread comes in, and only the
//! components that are in use (XGETBV with ecx = 1), which for most programs is none. After a
//! trap the whole state is in the thread's XSAVE area.

use crate::{carrier, entry};
use core::arch::asm;
use core::arch::x86_64::{__cpuid_count, _xgetbv};
use core::sync::atomic::{AtomicU64, Ordering};
use rkt_platform::UserState;

/// SSE: kept by the entry code in its frame.
const SSE: u64 = 2;
const LEGACY_LEN: usize = 512;
const XSTATE_BV: usize = LEGACY_LEN;
const XCOMP_BV: usize = LEGACY_LEN + 8;
const HEADER_LEN: usize = 64;
const MXCSR: usize = 24;
const MXCSR_MASK: usize = 28;
const XMM: usize = 160;

static XCR0: AtomicU64 = AtomicU64::new(3);
static SIZE: AtomicU64 = AtomicU64::new(0);

/// Reads what the processor has. False if it lacks what we need: XSAVE, XGETBV(1), an area
/// that fits.
pub fn detect() -> bool {
    let basic = core::arch::x86_64::__cpuid(1);
    if basic.ecx & (1 << 27) == 0 {
        return false;
    }
    let (sizes, more) = (__cpuid_count(0xd, 0), __cpuid_count(0xd, 1));
    // SAFETY: OSXSAVE was checked.
    let xcr0 = unsafe { xgetbv::<0>() };
    XCR0.store(xcr0, Ordering::Relaxed);
    SIZE.store(u64::from(sizes.ebx), Ordering::Relaxed);
    more.eax & (1 << 2) != 0 && sizes.ebx as usize <= UserState::XSAVE_MAX
}

/// # Safety
/// OSXSAVE, and for register 1 the XGETBV1 feature.
#[target_feature(enable = "xsave")]
unsafe fn xgetbv<const N: u32>() -> u64 {
    // SAFETY: the caller's contract.
    unsafe { _xgetbv(N) }
}

/// Bytes of XSAVE area in use and its component mask.
pub fn size() -> (usize, u64) {
    (SIZE.load(Ordering::Relaxed) as usize, XCR0.load(Ordering::Relaxed))
}

/// Components beside SSE that are not in their initial state.
fn live() -> u64 {
    // SAFETY: checked by `detect`.
    unsafe { xgetbv::<1>() & !SSE }
}

fn set_word(state: &mut UserState, at: usize, value: u64) {
    if let Some(to) = state.xsave.get_mut(at..at + 8) {
        to.copy_from_slice(&value.to_le_bytes());
    }
}

fn word(state: &UserState, at: usize) -> u64 {
    state.xsave.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes)
}

fn xsave(state: &mut UserState, mask: u64) {
    // SAFETY: the area is aligned to 64 and large enough (`detect`).
    unsafe {
        asm!("xsave64 [{}]", in(reg) state.xsave.as_mut_ptr(), in("eax") mask as u32, in("edx") (mask >> 32) as u32,
            options(nostack, preserves_flags));
    }
}

/// Takes the state of the running application out of the processor; see [`rkt_platform::save`].
pub fn save(state: &mut UserState) {
    // SAFETY: FSGSBASE was checked at boot.
    unsafe { asm!("rdfsbase {}", out(reg) state.fs_base, options(nomem, nostack, preserves_flags)) };
    if state.saved {
        return;
    }
    // SAFETY: 4 bytes within the area.
    unsafe { asm!("stmxcsr [{}]", in(reg) state.xsave.as_mut_ptr().add(MXCSR), options(nostack, preserves_flags)) };
    state.in_use = live();
    carrier::me().live = state.in_use;
    if state.in_use != 0 {
        xsave(state, state.in_use);
    }
}

/// Puts a thread's state into the processor; see [`rkt_platform::load`].
pub fn load(state: &mut UserState) {
    carrier::set_state(state);
    // SAFETY: FSGSBASE was checked at boot; the base is canonical (`set_fs_base`).
    unsafe { asm!("wrfsbase {}", in(reg) state.fs_base, options(nomem, nostack, preserves_flags)) };
    if state.saved {
        return; // the return to the application loads everything
    }
    // What the thread before left behind; asking the processor again would take longer than the
    // rest of the switch.
    let me = carrier::me();
    let mask = state.in_use | me.live;
    me.live = state.in_use;
    if mask != 0 {
        set_word(state, XSTATE_BV, state.in_use);
        set_word(state, XCOMP_BV, 0);
        // SAFETY: the area was written by `save`; components of `mask` that are not in XSTATE_BV
        // go to their initial state.
        unsafe {
            asm!("xrstor64 [{}]", in(reg) state.xsave.as_ptr(), in("eax") mask as u32, in("edx") (mask >> 32) as u32,
                options(nostack, preserves_flags, readonly));
        }
    }
    // SAFETY: the value came from `stmxcsr`.
    unsafe {
        asm!("ldmxcsr [{}]", in(reg) state.xsave.as_ptr().add(MXCSR), options(nostack, preserves_flags, readonly))
    };
}

/// Completes the area in the middle of a system call; see [`rkt_platform::complete`].
pub fn complete(state: &mut UserState) {
    // SAFETY: the registers of the current thread, which is the caller.
    unsafe { (*entry::registers()).full = 1 };
    if state.saved {
        return;
    }
    let xcr0 = XCR0.load(Ordering::Relaxed);
    set_word(state, XSTATE_BV, 0);
    set_word(state, XCOMP_BV, 0);
    xsave(state, xcr0 & !SSE);
    // SAFETY: 4 bytes within the area.
    unsafe { asm!("stmxcsr [{}]", in(reg) state.xsave.as_mut_ptr().add(MXCSR), options(nostack, preserves_flags)) };
    if let Some(to) = state.xsave.get_mut(XMM..XMM + entry::XMM_LEN) {
        // SAFETY: the entry code of this call saved them there.
        unsafe { core::ptr::copy_nonoverlapping(entry::saved_xmm(), to.as_mut_ptr(), entry::XMM_LEN) };
    }
    let present = word(state, XSTATE_BV);
    set_word(state, XSTATE_BV, present | SSE);
    state.saved = true;
}

/// Makes an area that did not come from the processor safe for `xrstor`: `len` bytes of it are
/// given, the rest is initial. XRSTOR faults on reserved bits (SDM 13.8.2), so there are none.
pub fn sanitise(state: &mut UserState, len: usize) {
    let (size, xcr0) = size();
    let given = if len < LEGACY_LEN + HEADER_LEN { 3 } else { word(state, XSTATE_BV) };
    if let Some(header) = state.xsave.get_mut(LEGACY_LEN..LEGACY_LEN + HEADER_LEN) {
        header.fill(0);
    }
    if let Some(rest) = state.xsave.get_mut(len.max(LEGACY_LEN + HEADER_LEN)..) {
        rest.fill(0);
    }
    let all = if len < size { 3 } else { xcr0 };
    set_word(state, XSTATE_BV, given & xcr0 & all);
    let mask =
        state.xsave.get(MXCSR_MASK..MXCSR_MASK + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes);
    let allowed = if mask == 0 { 0xffbf } else { mask & 0x2_ffff };
    if let Some(mxcsr) = state.xsave.get_mut(MXCSR..MXCSR + 4) {
        let value = u32::from_le_bytes([mxcsr[0], mxcsr[1], mxcsr[2], mxcsr[3]]) & allowed;
        mxcsr.copy_from_slice(&value.to_le_bytes());
    }
    state.saved = true;
}

/// Takes the state that the host saved in a signal frame.
///
/// # Safety
/// `fpstate` must point at the frame's floating-point area (`struct _fpstate`), or be null.
pub unsafe fn take_from_frame(state: &mut UserState, fpstate: *const u8) {
    const SW_MAGIC: usize = 464;
    const SW_SIZE: usize = 480;
    const MAGIC1: u32 = 0x4650_5853;
    if fpstate.is_null() {
        sanitise(state, 0);
        return;
    }
    // SAFETY: the legacy area is always there.
    let (magic, size) =
        unsafe { (fpstate.add(SW_MAGIC).cast::<u32>().read(), fpstate.add(SW_SIZE).cast::<u32>().read()) };
    let len = if magic == MAGIC1 { (size as usize).min(UserState::XSAVE_MAX) } else { LEGACY_LEN };
    // SAFETY: the frame says that it has this many bytes.
    unsafe { core::ptr::copy_nonoverlapping(fpstate, state.xsave.as_mut_ptr(), len) };
    if len == LEGACY_LEN {
        sanitise(state, LEGACY_LEN);
    }
    state.saved = true;
}

/// The state is about to be loaded: from now on it lives in the processor.
pub fn before_full_return() {
    let me = carrier::me();
    me.live = XCR0.load(Ordering::Relaxed) & !SSE;
    // SAFETY: the current thread's state, set by `load`.
    if let Some(state) = unsafe { (me.state as *mut UserState).as_mut() } {
        state.saved = false;
    }
}
