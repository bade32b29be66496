//! Carriers: host threads of one address space. At most one of them holds a vCPU slot.
//!
//! GS points at the carrier's block, whose first fields the entry code knows by offset.

use crate::host::{self, HostError, nr};
use crate::{futex, map, time, trap};
use alloc::boxed::Box;
use core::arch::asm;
use core::mem::offset_of;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use rkt_platform::{Fault, MAX_CPUS, MapError, SpaceId, Upcalls, UserState};
use rkt_sync::{Mutex, OnceCell};
use rkt_window::{Doorbell, Region, layout};

/// Bytes of a carrier's own stack (the idle loop) and of its alternate signal stack.
const STACK_LEN: usize = 128 << 10;
/// Largest signal frame here is below 4 KiB (AVX-512), and handlers nest twice.
const ALT_STACK_LEN: usize = 32 << 10;
/// The host's tick: the time slice in nanoseconds (DESIGN §6).
const TICK_NS: u64 = 4_000_000;

/// A carrier's block. The order of the first fields is known to `entry`.
#[repr(C, align(64))]
pub struct Carrier {
    /// This block's address.
    pub this: usize,
    /// Where the next entry from the application starts to push.
    pub kernel_stack: usize,
    /// The application's stack pointer during entry.
    pub scratch: usize,
    /// Address of the system-call entry, for the trampolines.
    pub entry: usize,
    /// The scheduler's word: the current thread.
    pub current: usize,
    /// The current thread's processor state.
    pub state: usize,
    /// Nonzero: a tick came while the kernel ran.
    pub pending: AtomicU32,
    /// The vCPU slot.
    pub cpu: u32,
    /// What `iretq` pops: rip, cs, rflags, rsp, ss.
    pub iret: [u64; 5],
    /// The address space.
    pub space: SpaceId,
    /// What the carrier sleeps on while another one holds the slot: see `Mail`.
    mail: AtomicU32,
    /// Extended components that may not be in their initial state in this processor.
    pub live: u64,
    /// A fault on its way from the signal handler to the kernel stack.
    pub fault: Option<Fault>,
    alt_stack: usize,
    /// Behind the carrier's own stack; 0 for the boot thread.
    stack_top: usize,
    /// The host's id of the thread: written by the host at clone, since gettid is not on the list.
    tid: AtomicU32,
    /// Nonzero: the host thread has ended, or is not made yet; nobody uses its stacks.
    gone: AtomicU32,
}

/// Offsets for the entry code.
pub mod offset {
    use super::*;
    pub const THIS: usize = offset_of!(Carrier, this);
    pub const KERNEL_STACK: usize = offset_of!(Carrier, kernel_stack);
    pub const SCRATCH: usize = offset_of!(Carrier, scratch);
    pub const ENTRY: usize = offset_of!(Carrier, entry);
    pub const STATE: usize = offset_of!(Carrier, state);
    pub const IRET: usize = offset_of!(Carrier, iret);
}

// Values of `Carrier::mail`.
const MAIL_NONE: u32 = 0;
const MAIL_RUN: u32 = 1;
const MAIL_END: u32 = 2;
/// MAIL_SPAWN + n: launch the carrier of slot n in this address space, then sleep on.
const MAIL_SPAWN: u32 = 16;

static CPUS: AtomicUsize = AtomicUsize::new(1);
static UPCALLS: OnceCell<Upcalls> = OnceCell::new();

/// Most address spaces alive at once.
pub const MAX_SPACES: usize = 4096;

/// The carriers of one address space, one a slot, made when first needed.
struct Space {
    carriers: [AtomicPtr<Carrier>; MAX_CPUS],
    ended: AtomicBool,
}

static SPACES: [AtomicPtr<Space>; MAX_SPACES] = [const { AtomicPtr::new(core::ptr::null_mut()) }; MAX_SPACES];
/// Held by who puts a space in its place or takes one away: between the look at what is left of one
/// and its end, nobody may free it and put another there, perhaps at the same address.
static PLACES: Mutex<()> = Mutex::new(());

impl Carrier {
    fn new(cpu: u32, space: SpaceId, own_stack: bool) -> Option<&'static mut Carrier> {
        let alt_stack = alloc_stack(ALT_STACK_LEN)?;
        let stack_top = if own_stack { alloc_stack(STACK_LEN)? + STACK_LEN } else { 0 };
        let carrier = Box::leak(Box::new(Carrier {
            this: 0,
            kernel_stack: 0,
            scratch: 0,
            entry: crate::entry::syscall_entry as *const () as usize,
            current: 0,
            state: 0,
            pending: AtomicU32::new(0),
            cpu,
            iret: [0, 0x33, 0, 0, 0x2b],
            space,
            mail: AtomicU32::new(MAIL_NONE),
            live: u64::MAX,
            fault: None,
            alt_stack,
            stack_top,
            tid: AtomicU32::new(0),
            gone: AtomicU32::new(1),
        }));
        carrier.this = carrier as *const Carrier as usize;
        Some(carrier)
    }

    fn at(space: SpaceId, cpu: usize) -> Option<&'static AtomicPtr<Carrier>> {
        let space = SPACES.get(space.0 as usize)?.load(Ordering::Acquire);
        // SAFETY: a space is freed when it has ended, all its carriers are gone, and so nobody passes
        // to it any more.
        unsafe { space.as_ref() }?.carriers.get(cpu)
    }
}

fn alloc_stack(len: usize) -> Option<usize> {
    let layout = core::alloc::Layout::from_size_align(len, 4096).ok()?;
    // SAFETY: the layout is not empty.
    let at = unsafe { alloc::alloc::alloc(layout) };
    (!at.is_null()).then_some(at as usize)
}

fn free_stack(at: usize, len: usize) {
    if let Ok(layout) = core::alloc::Layout::from_size_align(len, 4096) {
        // SAFETY: made by `alloc_stack` with the same length, and its thread is gone.
        unsafe { alloc::alloc::dealloc(at as *mut u8, layout) };
    }
}

/// The running carrier's block.
#[inline]
pub fn me() -> &'static mut Carrier {
    let this: usize;
    // SAFETY: GS points at the block from boot on; only this carrier uses it while it runs.
    unsafe {
        asm!("mov {}, gs:[{off}]", out(reg) this, off = const offset::THIS, options(nostack, preserves_flags, readonly));
        &mut *(this as *mut Carrier)
    }
}

/// The kernel's entry points; none before `start`.
pub fn upcalls() -> Option<&'static Upcalls> {
    UPCALLS.get()
}

/// Number of slots.
pub fn cpus() -> usize {
    CPUS.load(Ordering::Relaxed)
}

/// Makes the boot thread the carrier of slot 0.
///
/// # Safety
/// Once, at boot, with the allocator working.
pub unsafe fn adopt_boot_thread(cpus: usize, tid: u32) -> bool {
    CPUS.store(cpus, Ordering::Relaxed);
    if !new_space(SpaceId::FIRST) {
        return false;
    }
    let Some(carrier) = Carrier::new(0, SpaceId::FIRST, false) else { return false };
    carrier.tid.store(tid, Ordering::Relaxed);
    carrier.gone.store(0, Ordering::Relaxed);
    publish(carrier);
    // SAFETY: the block lives for ever.
    unsafe { settle(carrier) }.is_ok()
}

fn new_space(id: SpaceId) -> bool {
    let Some(slot) = SPACES.get(id.0 as usize) else { return false };
    let _places = PLACES.lock();
    reclaim_ended();
    if !slot.load(Ordering::Acquire).is_null() {
        return false;
    }
    let carriers = [const { AtomicPtr::new(core::ptr::null_mut()) }; MAX_CPUS];
    let space = Box::into_raw(Box::new(Space { carriers, ended: AtomicBool::new(false) }));
    slot.store(space, Ordering::Release);
    true
}

/// Spaces that have ended and are not freed yet, a bit each.
static ENDED: [AtomicU64; MAX_SPACES / 64] = [const { AtomicU64::new(0) }; MAX_SPACES / 64];

/// Frees the ended address spaces whose carriers are gone. With [`PLACES`] held.
fn reclaim_ended() {
    for (word, slots) in ENDED.iter().zip(SPACES.chunks(64)) {
        let mut ended = word.load(Ordering::Acquire);
        while let Some(slot) = slots.get(ended.trailing_zeros() as usize) {
            let bit = ended & ended.wrapping_neg();
            if reclaim(slot) {
                word.fetch_and(!bit, Ordering::Relaxed);
            }
            ended &= !bit;
        }
    }
}

/// Frees what is left of an address space whose carriers are all gone; says whether its place
/// is free. With [`PLACES`] held.
fn reclaim(slot: &AtomicPtr<Space>) -> bool {
    let at = slot.load(Ordering::Acquire);
    // SAFETY: freed below only, with `PLACES` held.
    let Some(space) = (unsafe { at.as_ref() }) else { return true };
    // SAFETY: carriers are freed with their space only.
    let gone = |carrier: *mut Carrier| unsafe { carrier.as_ref() }.is_none_or(|c| c.gone.load(Ordering::Acquire) != 0);
    let over = space.ended.load(Ordering::Acquire) && space.carriers.iter().all(|at| gone(at.load(Ordering::Acquire)));
    if !over {
        return false;
    }
    slot.store(core::ptr::null_mut(), Ordering::Release);
    // SAFETY: nobody finds it any more.
    let space = unsafe { Box::from_raw(at) };
    for carrier in space.carriers.iter().map(|at| at.load(Ordering::Acquire)).filter(|at| !at.is_null()) {
        // SAFETY: its thread has ended, and nobody finds the block any more.
        let carrier = unsafe { Box::from_raw(carrier) };
        free_stack(carrier.alt_stack, ALT_STACK_LEN);
        if carrier.stack_top != 0 {
            free_stack(carrier.stack_top - STACK_LEN, STACK_LEN);
        }
    }
    true
}

fn publish(carrier: &mut Carrier) {
    if let Some(at) = Carrier::at(carrier.space, carrier.cpu as usize) {
        at.store(carrier, Ordering::Release);
    }
}

/// `stack_t`.
#[repr(C)]
struct StackT {
    sp: usize,
    flags: i32,
    pad: i32,
    size: usize,
}

/// `struct sigevent` with SIGEV_THREAD_ID.
#[repr(C)]
struct SigEvent {
    value: u64,
    signo: i32,
    notify: i32,
    tid: i32,
    pad: [i32; 11],
}

const SIGEV_THREAD_ID: i32 = 4;
const CLOCK_THREAD_CPUTIME_ID: usize = 3;

/// Ties the running host thread to its block: GS, the alternate signal stack, the tick.
///
/// # Safety
/// The block must be this thread's alone and live as long as the thread.
unsafe fn settle(carrier: &mut Carrier) -> Result<(), HostError> {
    // SAFETY: FSGSBASE was checked at boot; the kernel owns GS.
    unsafe { asm!("wrgsbase {}", in(reg) carrier.this, options(nostack, preserves_flags)) };
    let stack = StackT { sp: carrier.alt_stack, flags: 0, pad: 0, size: ALT_STACK_LEN };
    // SAFETY: the stack is ours for ever.
    unsafe { host::call(nr::SIGALTSTACK, [&raw const stack as usize, 0, 0, 0, 0, 0])? };
    // A timer over this thread's CPU time: an idle carrier is never woken by it.
    let event = SigEvent {
        value: 0,
        signo: trap::TICK_SIGNAL,
        notify: SIGEV_THREAD_ID,
        tid: carrier.tid.load(Ordering::Relaxed) as i32,
        pad: [0; 11],
    };
    let mut id: i32 = 0;
    let args = [CLOCK_THREAD_CPUTIME_ID, &raw const event as usize, &raw mut id as usize, 0, 0, 0];
    // SAFETY: both structures outlive the call.
    unsafe { host::call(nr::TIMER_CREATE, args)? };
    let spec: [u64; 4] = [0, TICK_NS, 0, TICK_NS];
    // SAFETY: as above.
    unsafe { host::call(nr::TIMER_SETTIME, [id as usize, 0, &raw const spec as usize, 0, 0, 0])? };
    Ok(())
}

// clone(2)
const CLONE_VM: usize = 0x100;
const CLONE_FS: usize = 0x200;
const CLONE_FILES: usize = 0x400;
const CLONE_SIGHAND: usize = 0x800;
const CLONE_PARENT: usize = 0x8000;
const CLONE_THREAD: usize = 0x1_0000;
const CLONE_SYSVSEM: usize = 0x4_0000;
const CLONE_CHILD_SETTID: usize = 0x100_0000;
const THREAD: usize =
    CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_CHILD_SETTID;
const PROCESS: usize = CLONE_PARENT | CLONE_CHILD_SETTID;

/// clone(2) onto a fresh stack: the child calls `entry(arg)` there, which never returns.
///
/// # Safety
/// `stack` must be the top of a stack that nobody else uses, 16-byte aligned.
#[unsafe(naked)]
unsafe extern "C" fn clone_onto(
    flags: usize,
    stack: usize,
    child_tid: *const u32,
    entry: extern "C" fn(*mut Carrier) -> !,
    arg: *mut Carrier,
) -> isize {
    core::arch::naked_asm!(
        "push r12",
        "push r13",
        "mov r12, rcx", // entry
        "mov r13, r8",  // arg
        "mov r10, rdx", // child_tid
        "xor edx, edx",
        "xor r8d, r8d",
        "mov eax, {clone}",
        "syscall",
        "test rax, rax",
        "jz 2f",
        "pop r13",
        "pop r12",
        "ret",
        "2:",
        "xor ebp, ebp",
        "mov rdi, r13",
        "call r12",
        "ud2",
        clone = const nr::CLONE,
    )
}

/// All signals but those that cannot be blocked, or none.
fn block_signals(block: bool) {
    const SIG_SETMASK: usize = 2;
    let mask = if block { u64::MAX } else { 0 };
    // SAFETY: the mask outlives the call.
    let _ = unsafe { host::call(nr::RT_SIGPROCMASK, [SIG_SETMASK, &raw const mask as usize, 0, 8, 0, 0]) };
}

/// Makes the host thread of a carrier. Allocates nothing: who does it may have no slot, and the heap's
/// magazines belong to the slots' holders.
fn launch(carrier: &Carrier, flags: usize) -> Result<(), MapError> {
    let (stack, tid, arg) = (carrier.stack_top, carrier.tid.as_ptr(), carrier.this as *mut Carrier);
    carrier.gone.store(0, Ordering::Release);
    block_signals(true);
    // SAFETY: the stack is fresh, and the block belongs to the child from now on.
    let child = unsafe { clone_onto(flags, stack, tid, first_code, arg) };
    block_signals(false);
    if child < 0 {
        carrier.gone.store(1, Ordering::Release);
        return Err(MapError::NoMemory);
    }
    Ok(())
}

/// First code of a carrier, on its own stack with all signals blocked.
extern "C" fn first_code(carrier: *mut Carrier) -> ! {
    // SAFETY: the block was made for this thread.
    let carrier = unsafe { &mut *carrier };
    // SAFETY: as above.
    if unsafe { settle(carrier) }.is_err() {
        host::exit_group(125);
    }
    block_signals(false);
    wait_for_slot(carrier);
    match upcalls() {
        Some(upcalls) => (upcalls.idle)(),
        None => host::exit_group(125),
    }
}

/// Gives the platform the kernel's entry points and starts the carriers of the other slots.
pub fn start(upcalls: Upcalls) {
    let _ = UPCALLS.set(upcalls);
    for cpu in 1..cpus() {
        let Some(carrier) = Carrier::new(cpu as u32, SpaceId::FIRST, true) else { return };
        carrier.mail.store(MAIL_RUN, Ordering::Relaxed);
        publish(carrier);
        if launch(carrier, THREAD).is_err() {
            return;
        }
    }
}

/// Copies the address space on write. The child's carrier of this slot waits for the slot.
pub fn fork(child: SpaceId) -> Result<(), MapError> {
    if !new_space(child) {
        return Err(MapError::Busy);
    }
    let made = Carrier::new(me().cpu, child, true).ok_or(MapError::NoMemory).and_then(|carrier| {
        publish(carrier);
        launch(carrier, PROCESS)
    });
    made.inspect_err(|_| end_space(child))
}

/// Sleeps until the slot is passed to this carrier; on the way does what others ask of it.
fn wait_for_slot(carrier: &Carrier) {
    loop {
        match carrier.mail.load(Ordering::Acquire) {
            MAIL_NONE => futex::wait(&carrier.mail, MAIL_NONE, u64::MAX),
            MAIL_RUN => {
                carrier.mail.store(MAIL_NONE, Ordering::Release);
                return;
            }
            MAIL_END => end_thread(carrier),
            _ => serve_spawn(carrier),
        }
    }
}

/// How long to wait before the host is asked once more for a thread that it refused, in nanoseconds.
const ASK_AGAIN: u64 = 1_000_000;

/// Launches the carrier of another slot in this address space, if somebody asked for it. Carriers
/// that hold a slot do it before they park and at the tick: who asked waits, and its slot and its
/// thread with it.
pub fn serve_spawn(carrier: &Carrier) {
    let mail = carrier.mail.load(Ordering::Acquire);
    let Some(cpu) = mail.checked_sub(MAIL_SPAWN) else { return };
    carrier.mail.store(MAIL_NONE, Ordering::Release);
    let new = Carrier::at(carrier.space, cpu as usize).map(|at| at.load(Ordering::Acquire));
    // SAFETY: carriers are freed after their space has ended; a thread waits to run in this one.
    let Some(new) = new.and_then(|at| unsafe { at.as_ref() }) else { return };
    while launch(new, THREAD).is_err() {
        futex::wait(&carrier.mail, MAIL_NONE, ASK_AGAIN);
    }
}

/// Ends the host thread. Its stacks may be freed as soon as it says that it is gone: no signal may
/// come in between, and nothing but the exit may follow.
fn end_thread(carrier: &Carrier) -> ! {
    block_signals(true);
    // SAFETY: the thread holds no slot, and touches no memory after the store.
    unsafe {
        asm!(
            "mov dword ptr [{gone}], 1",
            "2:",
            "xor edi, edi",
            "mov eax, {exit}",
            "syscall",
            "jmp 2b",
            gone = in(reg) carrier.gone.as_ptr(),
            exit = const nr::EXIT,
            options(noreturn),
        )
    }
}

fn post(carrier: &Carrier, mail: u32) -> bool {
    let posted = carrier.mail.compare_exchange(MAIL_NONE, mail, Ordering::AcqRel, Ordering::Relaxed).is_ok();
    if posted {
        futex::wake(&carrier.mail, 1);
    }
    posted
}

/// Passes this slot to its carrier in another address space and waits for it to come back.
/// Returns at once if that space has no carrier free to make one.
pub fn pass(space: SpaceId) {
    let me = me();
    let cpu = me.cpu as usize;
    let Some(at) = Carrier::at(space, cpu) else { return };
    // SAFETY: carriers are freed after their space has ended.
    let passed = match unsafe { at.load(Ordering::Acquire).as_ref() } {
        Some(carrier) if carrier.gone.load(Ordering::Acquire) == 0 => post(carrier, MAIL_RUN),
        None if !prepare(space, cpu) => false,
        _ => ask_for(space, cpu),
    };
    if passed {
        wait_for_slot(me);
    }
}

/// Makes the block of a carrier that is to run as soon as it is launched.
fn prepare(space: SpaceId, cpu: usize) -> bool {
    let Some(new) = Carrier::new(cpu as u32, space, true) else { return false };
    new.mail.store(MAIL_RUN, Ordering::Relaxed);
    publish(new);
    true
}

/// Has a carrier of an address space launch that of another slot, whose block is there; false if none is
/// free to do it.
fn ask_for(space: SpaceId, cpu: usize) -> bool {
    (0..cpus()).filter(|&other| other != cpu).any(|other| {
        let carrier = Carrier::at(space, other).map(|at| at.load(Ordering::Acquire));
        // SAFETY: carriers are freed after their space has ended.
        let carrier = carrier.and_then(|at| unsafe { at.as_ref() });
        let asked = carrier
            .filter(|carrier| carrier.gone.load(Ordering::Acquire) == 0)
            .is_some_and(|carrier| post(carrier, MAIL_SPAWN + cpu as u32));
        if asked {
            // It may hold its slot, and be parked with it.
            kick(other);
        }
        asked
    })
}

/// Ends the parked carriers of an address space; its process ends with the last of them.
pub fn end_space(space: SpaceId) {
    let Some(slot) = SPACES.get(space.0 as usize) else { return };
    // SAFETY: not freed before it has ended, which is said here, once.
    let Some(ending) = (unsafe { slot.load(Ordering::Acquire).as_ref() }) else { return };
    for cpu in 0..cpus() {
        let carrier = Carrier::at(space, cpu).map(|at| at.load(Ordering::Acquire));
        // SAFETY: carriers are freed after their space has ended.
        if let Some(carrier) = carrier.and_then(|at| unsafe { at.as_ref() }) {
            carrier.mail.store(MAIL_END, Ordering::Release);
            futex::wake(&carrier.mail, 1);
        }
    }
    // Last: the carriers' blocks may be freed from now on.
    ending.ended.store(true, Ordering::Release);
    if let Some(word) = ENDED.get(space.0 as usize / 64) {
        word.fetch_or(1 << (space.0 % 64), Ordering::Release);
    }
}

static PARKED: [AtomicU32; MAX_CPUS] = [const { AtomicU32::new(0) }; MAX_CPUS];

/// The doorbell of a vCPU.
fn doorbell(cpu: usize) -> Option<Doorbell> {
    Doorbell::at(&window(), layout::VCPU_DOORBELLS + cpu * Doorbell::SIZE).ok()
}

/// Whether a vCPU is parked.
pub fn parked(cpu: usize) -> bool {
    PARKED.get(cpu).is_some_and(|word| word.load(Ordering::SeqCst) != 0)
}

/// See [`rkt_platform::park`].
pub fn park(deadline: u64, work: &mut dyn FnMut() -> bool) {
    if me().mail.load(Ordering::Acquire) == MAIL_END {
        // The slot would keep an ended space's process alive: it waits in the first space instead, and
        // this carrier ends.
        return pass(SpaceId::FIRST);
    }
    let cpu = me().cpu as usize;
    let (Some(bell), Some(parked)) = (doorbell(cpu), PARKED.get(cpu)) else { return };
    parked.store(1, Ordering::SeqCst);
    let seen = bell.arm();
    serve_spawn(me());
    if !work() {
        let timeout = if deadline == u64::MAX { u64::MAX } else { deadline.saturating_sub(time::now()) };
        if timeout > 0 {
            futex::wait(bell.word(), seen, timeout);
        }
    }
    bell.disarm();
    parked.store(0, Ordering::SeqCst);
}

/// See [`rkt_platform::kick`].
pub fn kick(cpu: usize) {
    if let Some(bell) = doorbell(cpu)
        && bell.ring()
    {
        futex::wake(bell.word(), 1);
    }
}

static WINDOW_LEN: AtomicUsize = AtomicUsize::new(0);

/// Says how long the window is that was mapped.
pub fn set_window(len: usize) {
    WINDOW_LEN.store(len, Ordering::Release);
}

/// The DMA window.
pub fn window() -> Region {
    // SAFETY: mapped at boot for ever, at an address that nothing else uses.
    unsafe { Region::from_raw(map::WINDOW as *mut u8, WINDOW_LEN.load(Ordering::Relaxed)) }
}

/// Rings a doorbell whose sleeper is on the host's side.
pub fn ring(offset: usize) {
    if let Ok(bell) = Doorbell::at(&window(), offset)
        && bell.ring()
    {
        futex::wake(bell.word(), 1);
    }
}

/// Makes a thread current on this carrier; see [`rkt_platform::set_current`].
pub fn set_current(thread: usize, kernel_stack_top: usize) {
    let me = me();
    me.current = thread;
    me.kernel_stack = kernel_stack_top;
}

/// Remembers whose vector state a trap has to save into.
pub fn set_state(state: &mut UserState) {
    me().state = state as *mut UserState as usize;
}
