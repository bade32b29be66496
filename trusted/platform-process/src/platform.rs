//! The door, as this platform implements it.

use crate::{boot, carrier, entry, futex, patch, random, space, time, trap, user_copy, vdso, vector};
use core::arch::asm;
use core::sync::atomic::AtomicU32;
use rkt_platform::{
    Exit, MapError, Platform, Protection, Region, SpaceId, USER_END, Upcalls, UserFault, UserState, VDSO_LEN,
};
use rkt_window::layout::session;
use rkt_window::{Doorbell, layout};

/// The process platform.
pub struct Process;

/// Longest wait for a lock before its word is looked at again, in nanoseconds.
const LOCK_PATIENCE_NS: u64 = 10_000_000;

// The raw pointers of the copies are the door's: its callers vouch for them (`rkt-user`).
#[allow(clippy::not_unsafe_ptr_arg_deref)]
impl Platform for Process {
    fn cpu() -> usize {
        carrier::me().cpu as usize
    }

    fn cpus() -> usize {
        carrier::cpus()
    }

    fn current() -> usize {
        carrier::me().current
    }

    fn set_current(thread: usize, kernel_stack_top: usize) {
        carrier::set_current(thread, kernel_stack_top);
    }

    fn space() -> SpaceId {
        carrier::me().space
    }

    fn start(upcalls: Upcalls) {
        carrier::start(upcalls);
    }

    fn park(deadline: u64, work: &mut dyn FnMut() -> bool) {
        carrier::park(deadline, work);
    }

    fn kick(cpu: usize) {
        carrier::kick(cpu);
    }

    fn parked(cpu: usize) -> bool {
        carrier::parked(cpu)
    }

    fn pass(space: SpaceId) {
        carrier::pass(space);
    }

    fn fork(child: SpaceId) -> Result<(), MapError> {
        let parent = carrier::me().space;
        carrier::fork(child)?;
        patch::fork(parent, child);
        Ok(())
    }

    fn rewrite(after: u64) {
        if let Some(upcalls) = carrier::upcalls() {
            patch::consider(upcalls, after);
        }
    }

    fn reset_space() {
        patch::forget(carrier::me().space);
    }

    fn end_space(space: SpaceId) {
        carrier::end_space(space);
        patch::forget(space);
    }

    fn lock_wait(word: &AtomicU32, expected: u32) {
        futex::wait(word, expected, LOCK_PATIENCE_NS);
    }

    fn lock_wake(word: &AtomicU32, count: u32) {
        futex::wake(word, count);
    }

    fn now() -> u64 {
        time::now()
    }

    fn wall() -> u64 {
        time::wall()
    }

    fn tsc() -> u64 {
        time::tsc()
    }

    fn tsc_per_us() -> u64 {
        time::ticks_per_us()
    }

    fn vdso(into: &mut [u8; VDSO_LEN]) -> bool {
        vdso::copy(into);
        true
    }

    fn random(into: &mut [u8]) {
        if !random::fill(into) {
            boot::die(rkt_log::Event::NoEntropy, &[]);
        }
    }

    fn release(addr: usize, len: usize) {
        space::release(addr, len);
    }

    fn map_anon(addr: u64, len: u64, prot: Protection) -> Result<(), MapError> {
        space::map_anon(addr, len, prot)
    }

    fn map_folio(addr: u64, folio: usize, len: u64, prot: Protection) -> Result<(), MapError> {
        space::map_folio(addr, folio, len, prot)
    }

    fn protect(addr: u64, len: u64, prot: Protection) -> Result<(), MapError> {
        space::protect(addr, len, prot)
    }

    fn unmap(addr: u64, len: u64) -> Result<(), MapError> {
        space::unmap(addr, len)
    }

    fn discard(addr: u64, len: u64) -> Result<(), MapError> {
        space::discard(addr, len)
    }

    fn move_pages(addr: u64, old: u64, new: u64, to: u64) -> Result<(), MapError> {
        space::move_pages(addr, old, new, to)
    }

    fn populate(addr: u64, len: u64, write: bool) {
        space::populate(addr, len, write);
    }

    fn copy_from_user(into: *mut u8, from: u64, len: usize) -> usize {
        // SAFETY: the caller vouches for `into`; the range was checked to be the user's, and
        // missing memory ends the copy.
        if is_user(from, len) { unsafe { user_copy::copy(into, from as *const u8, len) } } else { len }
    }

    fn copy_to_user(to: u64, from: *const u8, len: usize) -> usize {
        // SAFETY: as above with the sides exchanged.
        if is_user(to, len) { unsafe { user_copy::copy(to as *mut u8, from, len) } } else { len }
    }

    fn clear_user(to: u64, len: usize) -> usize {
        // SAFETY: as above.
        if is_user(to, len) { unsafe { user_copy::clear(to as *mut u8, len) } } else { len }
    }

    fn load_user(addr: u64) -> Result<u32, UserFault> {
        if !is_user(addr, 4) {
            return Err(UserFault);
        }
        // SAFETY: a user address; alignment only matters for atomicity.
        u32::try_from(unsafe { user_copy::load(addr as *const u32) }).map_err(|_| UserFault)
    }

    fn compare_exchange_user(addr: u64, old: u32, new: u32) -> Result<u32, UserFault> {
        if !is_user(addr, 4) {
            return Err(UserFault);
        }
        // SAFETY: as above.
        u32::try_from(unsafe { user_copy::compare_exchange(addr as *mut u32, old, new) }).map_err(|_| UserFault)
    }

    fn save(state: &mut UserState) {
        vector::save(state);
    }

    fn load(state: &mut UserState) {
        vector::load(state);
    }

    fn complete(state: &mut UserState) {
        vector::complete(state);
    }

    fn sanitise(state: &mut UserState, len: usize) {
        vector::sanitise(state, len);
    }

    fn xsave_size() -> (usize, u64) {
        vector::size()
    }

    fn enter_user() -> ! {
        // SAFETY: the caller is a thread whose registers lie at the top of its kernel stack.
        unsafe { entry::enter_user() }
    }

    fn own_text(rip: u64) -> u64 {
        patch::own_text(rip)
    }

    fn fs_base() -> u64 {
        let base: u64;
        // SAFETY: FSGSBASE was checked at boot.
        unsafe { asm!("rdfsbase {}", out(reg) base, options(nomem, nostack, preserves_flags)) };
        base
    }

    fn set_fs_base(base: u64) {
        // SAFETY: FSGSBASE was checked at boot; a base below 2^47 is canonical.
        unsafe { asm!("wrfsbase {}", in(reg) base & ((1 << 47) - 1), options(nomem, nostack, preserves_flags)) };
    }

    fn window() -> Region {
        carrier::window()
    }

    fn ring_device(slot: usize) {
        if slot < layout::MAX_DEVICES {
            carrier::ring(layout::DEVICE_DOORBELLS + slot * Doorbell::SIZE);
        }
    }

    fn ring_console() {
        carrier::ring(layout::CONSOLE_DOORBELL);
    }

    fn ring_session(place: usize) {
        carrier::ring(layout::SESSIONS + place.min(layout::MAX_SESSIONS - 1) * session::LEN + session::DOORBELL);
    }

    fn log(record: &[u8]) {
        boot::log(record);
        carrier::ring(layout::CONSOLE_DOORBELL);
    }

    fn counters() -> [u64; 3] {
        let (traps, ticks) = trap::counters();
        [patch::count(), traps, ticks]
    }

    fn exit(how: Exit) -> ! {
        boot::exit(how)
    }
}

fn is_user(addr: u64, len: usize) -> bool {
    addr.checked_add(len as u64).is_some_and(|end| end <= USER_END)
}
