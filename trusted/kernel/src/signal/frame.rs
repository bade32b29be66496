//! The signal frame: what a handler finds on its stack, and what rt_sigreturn(2) goes back to
//! (`struct rt_sigframe` of the kernel; asm/sigcontext.h, asm/ucontext.h).
//!
//! From high to low addresses: the red zone of the interrupted function, the extended processor
//! state with a magic number behind it, and [`Frame`] with the return address at its very bottom.

use super::altstack::NO_STACK;
use super::info::{Info, SIGINFO_LEN};
use super::set::SigSet;
use crate::syscall::abi::{Sigaction, Stack};
use rkt_linux_abi::general::{SA_ONSTACK, SA_RESTORER, SS_AUTODISARM};
use rkt_linux_abi::{Errno, Result};
use rkt_platform::{Registers, USER_END, UserState};
use rkt_sched::CurrentThread;
use rkt_user::{UserPtr, UserSlice};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Bytes below the stack pointer that a function may use (System V ABI, x86-64, §3.2.2).
const RED_ZONE: u64 = 128;
/// `uc_flags`: UC_FP_XSTATE, UC_SIGCONTEXT_SS, UC_STRICT_RESTORE_SS.
const UC_FLAGS: u64 = 1 | 2 | 4;
/// Segment selectors of 64-bit user code and its stack.
const USER_CS: u16 = 0x33;
const USER_SS: u16 = 0x2b;
/// `FP_XSTATE_MAGIC1`, in the part of the legacy area that is left to software.
const MAGIC1: u32 = 0x4650_5853;
/// `FP_XSTATE_MAGIC2`, behind the state.
const MAGIC2: u32 = 0x4650_5845;
/// Bytes of the legacy region of an XSAVE area, and where software's part of it begins.
const LEGACY_LEN: usize = 512;
const SOFTWARE_AT: usize = 464;
/// Where XSTATE_BV lies (Intel SDM volume 1, §13.4.2).
const XSTATE_BV: usize = 512;
/// Components that a frame always has: x87 and SSE.
const X87_SSE: u64 = 3;
/// The flags that the application may set: AC, OF, DF, TF, SF, ZF, AF, PF, CF, RF.
const USER_FLAGS: u64 = 0x5_0dd5;
/// Below vm.mmap_min_addr: never mapped. An address that is not the application's becomes this.
const NOWHERE: u64 = 0x1000;

/// `struct sigcontext_64`.
#[repr(C)]
#[derive(Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
struct Context {
    r8: u64,
    r9: u64,
    r10: u64,
    r11: u64,
    r12: u64,
    r13: u64,
    r14: u64,
    r15: u64,
    rdi: u64,
    rsi: u64,
    rbp: u64,
    rbx: u64,
    rdx: u64,
    rax: u64,
    rcx: u64,
    rsp: u64,
    rip: u64,
    rflags: u64,
    cs: u16,
    gs: u16,
    fs: u16,
    ss: u16,
    error: u64,
    trap: u64,
    old_mask: u64,
    cr2: u64,
    fpstate: u64,
    reserved: [u64; 8],
}

/// `struct ucontext` of the kernel.
#[repr(C)]
#[derive(Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
struct UserContext {
    flags: u64,
    link: u64,
    stack: Stack,
    context: Context,
    mask: u64,
}

/// `struct rt_sigframe`.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
struct Frame {
    return_to: u64,
    user: UserContext,
    info: [u8; SIGINFO_LEN],
}

/// `struct _fpx_sw_bytes`.
#[repr(C)]
#[derive(Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
struct Software {
    magic1: u32,
    extended_size: u32,
    components: u64,
    state_size: u32,
    padding: [u32; 7],
}

/// A signal on its way to a handler.
pub struct Delivery<'a> {
    /// The signal.
    pub info: &'a Info,
    /// Its action.
    pub action: &'a Sigaction,
    /// The mask to go back to.
    pub mask: SigSet,
    /// The task's alternate stack.
    pub stack: Stack,
    /// Trap number, error code and address of the last fault.
    pub trap: (u64, u64, u64),
}

impl Stack {
    /// What is left of the alternate stack once a handler runs (SS_AUTODISARM).
    #[must_use]
    pub fn armed_after_delivery(self) -> Stack {
        if self.flags & SS_AUTODISARM != 0 { NO_STACK } else { self }
    }
}

/// Where the parts of a frame lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Places {
    state: u64,
    frame: u64,
}

/// Finds the places; none if they would not fit on the alternate stack.
fn place(rsp: u64, on_stack: bool, stack: &Stack, state_size: usize) -> Option<Places> {
    let entering = on_stack && stack.is_wanted(rsp);
    let top = if entering { stack.sp.checked_add(stack.size)? } else { rsp.checked_sub(RED_ZONE)? };
    let state = top.checked_sub(state_size as u64 + 4)? & !63;
    // The stack as after a call: a multiple of 16 without the return address (System V ABI §3.2.2).
    let frame = (state.checked_sub(size_of::<Frame>() as u64)? & !15).checked_sub(8)?;
    let nested = stack.is_in_use(rsp);
    ((!entering && !nested) || stack.contains(frame)).then_some(Places { state, frame })
}

/// Puts a frame on the stack and sets the registers for the handler. The processor state that
/// the handler starts with is a fresh one.
///
/// # Errors
/// `EFAULT` if the stack cannot be written, or there is no address to return to.
pub fn push(thread: &CurrentThread, registers: &mut Registers, delivery: &Delivery<'_>) -> Result<()> {
    let (size, components) = rkt_platform::xsave_size();
    let action = delivery.action;
    if !action.has(SA_RESTORER) {
        return Err(Errno::EFAULT);
    }
    let places = place(registers.rsp, action.has(SA_ONSTACK), &delivery.stack, size).ok_or(Errno::EFAULT)?;
    thread.with_user(|state| push_state(state, places.state, size, components))?;
    let frame = Frame {
        return_to: action.restorer,
        user: UserContext {
            flags: UC_FLAGS,
            link: 0,
            stack: delivery.stack,
            context: capture(registers, delivery, places.state),
            mask: delivery.mask.0,
        },
        info: delivery.info.to_bytes(),
    };
    UserPtr::new(places.frame).write(&frame)?;
    thread.with_user(|state| state.xsave = UserState::new().xsave);
    registers.rip = if action.handler < USER_END { action.handler } else { NOWHERE };
    registers.rsp = places.frame;
    registers.rax = 0;
    registers.rdi = u64::from(delivery.info.signal);
    registers.rsi = places.frame + core::mem::offset_of!(Frame, info) as u64;
    registers.rdx = places.frame + core::mem::offset_of!(Frame, user) as u64;
    registers.orig_rax = u64::MAX;
    registers.full = 1;
    Ok(())
}

fn push_state(state: &mut UserState, to: u64, size: usize, components: u64) -> Result<()> {
    rkt_platform::complete(state);
    let software = Software {
        magic1: MAGIC1,
        extended_size: size as u32 + 4,
        components,
        state_size: size as u32,
        padding: [0; 7],
    };
    let target = UserSlice::new(to, size + 4)?;
    let bytes = state.xsave.get(..size).ok_or(Errno::EFAULT)?;
    target.write_all(bytes)?;
    target.skip(SOFTWARE_AT).write_all(software.as_bytes())?;
    let present =
        state.xsave.get(XSTATE_BV..XSTATE_BV + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes);
    target.skip(XSTATE_BV).write_all(&(present | X87_SSE).to_le_bytes())?;
    target.skip(size).write_all(&MAGIC2.to_le_bytes())
}

fn capture(registers: &Registers, delivery: &Delivery<'_>, fpstate: u64) -> Context {
    let (trap, error, cr2) = delivery.trap;
    let rip = rkt_platform::own_text(registers.rip);
    Context {
        r8: registers.r8,
        r9: registers.r9,
        r10: registers.r10,
        r11: registers.r11,
        r12: registers.r12,
        r13: registers.r13,
        r14: registers.r14,
        r15: registers.r15,
        rdi: registers.rdi,
        rsi: registers.rsi,
        rbp: registers.rbp,
        rbx: registers.rbx,
        rdx: registers.rdx,
        rax: registers.rax,
        rcx: registers.rcx,
        rsp: registers.rsp,
        rip,
        rflags: registers.rflags,
        cs: USER_CS,
        ss: USER_SS,
        error,
        trap,
        old_mask: delivery.mask.0,
        cr2,
        fpstate,
        ..Context::default()
    }
}

/// What rt_sigreturn(2) restores beside registers and processor state.
pub struct Restored {
    /// The mask.
    pub mask: SigSet,
    /// The alternate stack.
    pub stack: Stack,
}

/// Takes a frame from the stack and the registers from the frame.
///
/// # Errors
/// `EFAULT` if it cannot be read, or its processor state is damaged.
pub fn pop(thread: &CurrentThread, registers: &mut Registers) -> Result<Restored> {
    // The handler's `ret` took the return address.
    let frame = registers.rsp.checked_sub(8).ok_or(Errno::EFAULT)?;
    let user: UserContext = UserPtr::new(frame + 8).read()?;
    thread.with_user(|state| pop_state(state, user.context.fpstate))?;
    release(registers, &user.context);
    Ok(Restored { mask: SigSet(user.mask), stack: user.stack })
}

fn pop_state(state: &mut UserState, from: u64) -> Result<()> {
    rkt_platform::complete(state);
    if from == 0 {
        state.xsave = UserState::new().xsave;
        return Ok(());
    }
    let len = state_len(from)?;
    let bytes = state.xsave.get_mut(..len).ok_or(Errno::EFAULT)?;
    let complete = UserSlice::new(from, len)?.read(bytes) == len;
    rkt_platform::sanitise(state, if complete { len } else { 0 });
    if complete { Ok(()) } else { Err(Errno::EFAULT) }
}

/// Bytes of processor state in a frame: all that its magic numbers vouch for, else what every
/// processor has.
fn state_len(from: u64) -> Result<usize> {
    let software: Software = UserPtr::new(from.saturating_add(SOFTWARE_AT as u64)).read()?;
    let size = software.state_size as usize;
    let plausible = software.magic1 == MAGIC1
        && size >= LEGACY_LEN + 64
        && size <= rkt_platform::xsave_size().0
        && software.extended_size as usize >= size;
    let vouched =
        plausible && UserPtr::<[u8; 4]>::new(from.saturating_add(size as u64)).read()? == MAGIC2.to_le_bytes();
    Ok(if vouched { size } else { LEGACY_LEN })
}

fn release(registers: &mut Registers, context: &Context) {
    let canonical = |address: u64, end: u64| if address < end { address } else { NOWHERE };
    *registers = Registers {
        r8: context.r8,
        r9: context.r9,
        r10: context.r10,
        r11: context.r11,
        r12: context.r12,
        r13: context.r13,
        r14: context.r14,
        r15: context.r15,
        rdi: context.rdi,
        rsi: context.rsi,
        rbp: context.rbp,
        rbx: context.rbx,
        rdx: context.rdx,
        rax: context.rax,
        rcx: context.rcx,
        rsp: canonical(context.rsp, 1 << 47),
        rip: canonical(context.rip, USER_END),
        rflags: registers.rflags & !USER_FLAGS | context.rflags & USER_FLAGS,
        orig_rax: u64::MAX,
        full: 1,
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sizes and offsets of the kernel's structures on x86-64.
    #[test]
    fn layout() {
        assert_eq!(size_of::<Context>(), 256);
        assert_eq!(size_of::<UserContext>(), 304);
        assert_eq!(size_of::<Frame>(), 440);
        assert_eq!(size_of::<Software>(), 48);
        assert_eq!(core::mem::offset_of!(UserContext, context), 40);
        assert_eq!(core::mem::offset_of!(Context, rip), 128);
        assert_eq!(core::mem::offset_of!(Context, fpstate), 184);
    }

    #[test]
    fn alignment_and_red_zone() {
        for rsp in 0x10_0000..0x10_0080 {
            let places = place(rsp, false, &NO_STACK, 832).unwrap();
            assert_eq!(places.state % 64, 0);
            assert_eq!(places.frame % 16, 8);
            assert!(places.state + 836 <= rsp - RED_ZONE);
            assert!(places.frame + 440 <= places.state);
        }
    }

    #[test]
    fn alternate_stack() {
        let stack = Stack { sp: 0x5000, flags: 0, pad: 0, size: 0x2000 };
        let places = place(0x10_0000, true, &stack, 832).unwrap();
        assert!(stack.contains(places.frame) && places.state + 836 <= 0x7000);
        // Nested: goes on below, until it would leave the stack.
        assert_eq!(place(0x6000, true, &stack, 832), place(0x6000, false, &NO_STACK, 832));
        assert_eq!(place(0x5400, true, &stack, 832), None);
        let small = Stack { size: 1024, ..stack };
        assert_eq!(place(0x10_0000, true, &small, 832), None);
        assert_eq!(place(100, false, &NO_STACK, 832), None);
    }

    #[test]
    fn addresses_from_a_frame() {
        let mut registers = Registers { rflags: 0x202, ..Registers::default() };
        let context = Context { rip: 1 << 47, rsp: u64::MAX, rflags: u64::MAX, ..Context::default() };
        release(&mut registers, &context);
        assert_eq!((registers.rip, registers.rsp), (NOWHERE, NOWHERE));
        assert_eq!(registers.rflags, 0x202 | USER_FLAGS);
    }
}
