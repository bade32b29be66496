//! The door, as the simulation implements it.

use crate::application::enter_user;
use crate::machine::{self, End, Space, XSAVE_LEN, finish, machine, preempt, relinquish, stop_if_ended, try_machine};
use crate::memory::PAGE;
use crate::simulate::REGION_LEN;
use alloc::vec;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use rkt_platform::{
    Exit, MapError, Platform, Protection, Region, Registers, SpaceId, Upcalls, UserFault, UserState, VDSO_LEN,
};
use rkt_sync::OnceCell;
use rkt_window::layout::{self, header};

/// The simulated platform.
pub struct Mock;

rkt_platform::export_platform!(Mock);

static REGION: AtomicUsize = AtomicUsize::new(0);

pub(crate) fn set_region(addr: usize) {
    REGION.store(addr, Ordering::Relaxed);
}

/// Whether a call that needs memory of the host fails.
fn refused() -> Result<(), MapError> {
    preempt();
    let m = machine();
    if m.chance.one_in(m.config.no_memory) { Err(MapError::NoMemory) } else { Ok(()) }
}

/// Whether a park ends early.
fn spurious() -> bool {
    let m = machine();
    m.chance.one_in(m.config.spurious)
}

/// Preempts one in eight times, so that copies stay cheap.
fn seldom_preempt() {
    if machine().chance.one_in(8) {
        preempt();
    }
}

fn word(addr: u64, write: bool) -> Result<*const AtomicU32, UserFault> {
    assert!(addr.is_multiple_of(4), "an unaligned word of user memory at {addr:#x}");
    preempt();
    let mut at = core::ptr::null_mut();
    let missing = machine().here_space().memory.access(addr, 4, write, |piece, _| at = piece);
    if missing == 0 { Ok(at.cast()) } else { Err(UserFault) }
}

impl Platform for Mock {
    fn cpu() -> usize {
        machine().cpu()
    }

    fn cpus() -> usize {
        machine().config.cpus
    }

    fn current() -> usize {
        machine().here().current
    }

    fn set_current(thread: usize, kernel_stack_top: usize) {
        stop_if_ended();
        let carrier = machine().here();
        carrier.current = thread;
        carrier.kernel_top = kernel_stack_top;
    }

    fn space() -> SpaceId {
        machine().space()
    }

    fn start(upcalls: Upcalls) {
        let m = machine();
        m.config.upcalls = upcalls;
        while m.slots.len() < m.config.cpus {
            m.add_slot(upcalls.idle);
        }
    }

    fn park(deadline: u64, work: &mut dyn FnMut() -> bool) {
        stop_if_ended();
        preempt();
        let m = machine();
        let me = m.cpu();
        assert!(m.here().current == 0, "a thread parks its vCPU");
        m.slots[me].parked = true;
        preempt();
        if !work() && !spurious() {
            machine::sleep(deadline);
        }
        let slot = &mut machine().slots[me];
        (slot.parked, slot.kicked) = (false, false);
    }

    fn kick(cpu: usize) {
        preempt();
        // As a doorbell does: who is not about to sleep is not woken.
        let slot = &mut machine().slots[cpu];
        slot.kicked |= slot.parked;
    }

    fn parked(cpu: usize) -> bool {
        machine().slots.get(cpu).is_some_and(|slot| slot.parked)
    }

    fn pass(space: SpaceId) {
        stop_if_ended();
        preempt();
        assert!(machine().here().current == 0, "a thread passes its vCPU on");
        machine::pass(space);
    }

    fn fork(child: SpaceId) -> Result<(), MapError> {
        refused()?;
        let m = machine();
        let parent = m.here_space();
        let copy = Space { memory: parent.memory.clone(), application: parent.application.clone() };
        assert!(child != SpaceId::NONE && m.spaces.insert(child.0, copy).is_none(), "fork to {child:?}, which exists");
        Ok(())
    }

    fn reset_space() {
        preempt();
    }

    fn end_space(space: SpaceId) {
        preempt();
        machine::end_space(space);
    }

    fn lock_wait(word: &AtomicU32, expected: u32) {
        if try_machine().is_none() {
            return std::thread::yield_now();
        }
        if word.load(Ordering::Relaxed) == expected && !relinquish() && word.load(Ordering::Relaxed) == expected {
            finish(End::Stuck("deadlock: a lock is held by somebody who does not run".into()));
        }
    }

    fn lock_wake(_: &AtomicU32, _: u32) {}

    fn now() -> u64 {
        preempt();
        machine().clock
    }

    fn wall() -> u64 {
        const EPOCH: u64 = 1_700_000_000_000_000_000;
        EPOCH + Self::now()
    }

    fn tsc() -> u64 {
        Self::now()
    }

    fn tsc_per_us() -> u64 {
        1000
    }

    fn vdso(_: &mut [u8; VDSO_LEN]) -> bool {
        false
    }

    fn random(into: &mut [u8]) {
        machine().entropy.fill(into);
    }

    fn release(addr: usize, len: usize) {
        // SAFETY: free pages of the region, by the contract of the door.
        unsafe { (addr as *mut u8).write_bytes(0, len) };
    }

    fn map_anon(addr: u64, len: u64, prot: Protection) -> Result<(), MapError> {
        refused()?;
        machine().here_space().memory.map_anon(addr, len, prot);
        Ok(())
    }

    fn map_folio(addr: u64, folio: usize, len: u64, prot: Protection) -> Result<(), MapError> {
        let start = REGION.load(Ordering::Relaxed);
        let end = folio.checked_add(len as usize);
        assert!(
            folio >= start && end.is_some_and(|end| end <= start + REGION_LEN),
            "the folio {folio:#x}+{len:#x} is not in the trusted region"
        );
        refused()?;
        machine().here_space().memory.map_folio(addr, folio, len, prot);
        Ok(())
    }

    fn protect(addr: u64, len: u64, prot: Protection) -> Result<(), MapError> {
        preempt();
        machine().here_space().memory.protect(addr, len, prot)
    }

    fn unmap(addr: u64, len: u64) -> Result<(), MapError> {
        preempt();
        machine().here_space().memory.unmap(addr, len);
        Ok(())
    }

    fn discard(addr: u64, len: u64) -> Result<(), MapError> {
        preempt();
        machine().here_space().memory.discard(addr, len)
    }

    fn move_pages(addr: u64, old: u64, new: u64, to: u64) -> Result<(), MapError> {
        refused()?;
        machine().here_space().memory.relocate(addr, old, new, to);
        Ok(())
    }

    fn populate(addr: u64, len: u64, write: bool) {
        preempt();
        let whole = addr.is_multiple_of(PAGE) && len.is_multiple_of(PAGE);
        assert!(whole, "populate of {addr:#x}+{len:#x}, not whole pages");
        machine().here_space().memory.access(addr, len as usize, write, |_, _| ());
    }

    fn copy_from_user(into: *mut u8, from: u64, len: usize) -> usize {
        seldom_preempt();
        let mut into = into;
        machine().here_space().memory.access(from, len, false, |piece, n| {
            // SAFETY: `access` gives mapped memory; the caller vouches for `into`.
            unsafe { into.copy_from(piece, n) };
            into = into.wrapping_add(n);
        })
    }

    fn copy_to_user(to: u64, from: *const u8, len: usize) -> usize {
        seldom_preempt();
        let mut from = from;
        machine().here_space().memory.access(to, len, true, |piece, n| {
            // SAFETY: as above with the sides exchanged.
            unsafe { piece.copy_from(from, n) };
            from = from.wrapping_add(n);
        })
    }

    fn clear_user(to: u64, len: usize) -> usize {
        seldom_preempt();
        machine().here_space().memory.access(to, len, true, |piece, n| {
            // SAFETY: `access` gives mapped memory.
            unsafe { piece.write_bytes(0, n) };
        })
    }

    fn load_user(addr: u64) -> Result<u32, UserFault> {
        // SAFETY: mapped and aligned; nobody unmaps it before the load.
        word(addr, false).map(|word| unsafe { (*word).load(Ordering::SeqCst) })
    }

    fn compare_exchange_user(addr: u64, old: u32, new: u32) -> Result<u32, UserFault> {
        let exchange = |word: &AtomicU32| word.compare_exchange(old, new, Ordering::SeqCst, Ordering::SeqCst);
        // SAFETY: as above.
        word(addr, true).map(|word| exchange(unsafe { &*word }).unwrap_or_else(|found| found))
    }

    fn save(state: &mut UserState) {
        let m = machine();
        let mut garbage = [0; XSAVE_LEN];
        m.chance.fill(&mut garbage);
        let processor = &mut m.here().processor;
        assert!(core::ptr::eq(processor.state, state), "save of a state that is not loaded");
        state.fs_base = processor.fs_base;
        if !state.saved {
            state.xsave[..XSAVE_LEN].copy_from_slice(&processor.vector);
        }
        // So that whoever forgets to load does not find what it left.
        processor.vector = garbage;
        processor.fs_base = !0;
        processor.state = core::ptr::null_mut();
    }

    fn load(state: &mut UserState) {
        let processor = &mut machine().here().processor;
        assert!(processor.state.is_null(), "load over a state that was not saved");
        processor.fs_base = state.fs_base;
        processor.state = state;
        if !state.saved {
            processor.vector.copy_from_slice(&state.xsave[..XSAVE_LEN]);
        }
    }

    fn complete(state: &mut UserState) {
        let carrier = machine().here();
        assert!(core::ptr::eq(carrier.processor.state, state), "complete for a thread that does not run");
        let registers = (carrier.kernel_top - size_of::<Registers>()) as *mut Registers;
        // SAFETY: the top of the current thread's kernel stack.
        unsafe { (*registers).full = 1 };
        if !state.saved {
            state.xsave[..XSAVE_LEN].copy_from_slice(&carrier.processor.vector);
            state.saved = true;
        }
    }

    fn sanitise(state: &mut UserState, len: usize) {
        // SDM vol. 1, 13.4: MXCSR at 24, XSTATE_BV at 512, the header ends at 576.
        let (_, mask) = Self::xsave_size();
        let given = if len < 576 { 3 } else { u64::from(state.xsave[512]) };
        let whole = if len < XSAVE_LEN { 3 } else { mask };
        state.xsave[512..576].fill(0);
        state.xsave[len.clamp(576, UserState::XSAVE_MAX)..].fill(0);
        state.xsave[512] = (given & mask & whole) as u8;
        state.xsave[26..28].fill(0);
        state.saved = true;
    }

    fn xsave_size() -> (usize, u64) {
        (XSAVE_LEN, 7)
    }

    fn enter_user() -> ! {
        enter_user()
    }

    fn own_text(rip: u64) -> u64 {
        rip
    }

    fn fs_base() -> u64 {
        machine().here().processor.fs_base
    }

    fn set_fs_base(base: u64) {
        machine().here().processor.fs_base = base;
    }

    fn window() -> Region {
        static WINDOW: OnceCell<Region> = OnceCell::new();
        let window = *WINDOW.get_or_init(|| {
            let words = Vec::leak(vec![0u64; layout::MIN_LEN / 8]);
            // SAFETY: leaked, and reached through nothing else.
            unsafe { Region::from_raw(words.as_mut_ptr().cast(), layout::MIN_LEN) }
        });
        let m = machine();
        if !core::mem::replace(&mut m.window_ready, true) {
            fill_header(&window, m.config.cpus as u32).expect("the header lies in the window");
        }
        window
    }

    fn ring_device(slot: usize) {
        preempt();
        machine().report.device_rings[slot] += 1;
    }

    fn ring_console() {
        preempt();
        machine().report.console_rings += 1;
    }

    fn rewrite(_after: u64) {}

    fn ring_session(_place: usize) {
        preempt();
        machine().report.session_rings += 1;
    }

    fn log(record: &[u8]) {
        machine().report.log.push(record.to_vec());
    }

    fn counters() -> [u64; 3] {
        [0; 3]
    }

    fn exit(how: Exit) -> ! {
        machine().report.exit = Some(how);
        finish(End::Exit)
    }
}

fn fill_header(window: &Region, cpus: u32) -> Result<(), rkt_window::OutOfBounds> {
    window.zero(0, window.len())?;
    window.write_u64(header::MAGIC, layout::MAGIC)?;
    window.write_u64(header::LEN, window.len() as u64)?;
    window.write_u32(header::VCPUS, cpus)?;
    window.write_u64(header::MEMORY, REGION_LEN as u64)?;
    window.write_u64(header::TSC_HZ, 1_000_000_000)?;
    window.write_u32(header::CONSOLE_READY, 1)
}
