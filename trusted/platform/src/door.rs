//! The functions of the door and the macro that a platform implements them with.

use crate::{Exit, MapError, Protection, Region, SpaceId, Upcalls, UserFault, UserState, VDSO_LEN};
use core::sync::atomic::AtomicU32;

macro_rules! door {
    ($d:tt $( $(#[$m:meta])* $symbol:ident = fn $name:ident( $($a:ident : $t:ty),* $(,)? ) $(-> $r:ty)?; )*) => {
        /// What a platform implements. Documented at the functions of the same names.
        #[allow(missing_docs)]
        pub trait Platform {
            $( fn $name($($a: $t),*) $(-> $r)?; )*
        }

        // SAFETY: the one definition of each symbol comes from `export_platform!`, which gives
        // it exactly this signature.
        unsafe extern "Rust" {
            $( safe fn $symbol($($a: $t),*) $(-> $r)?; )*
        }

        $( $(#[$m])* #[inline] pub fn $name($($a: $t),*) $(-> $r)? { $symbol($($a),*) } )*

        /// Makes a type the platform of this program.
        #[macro_export]
        macro_rules! export_platform {
            ($d platform:ty) => {
                const _: () = {
                    #[allow(unused_imports)]
                    use $crate::{Exit, MapError, Protection, Region, SpaceId, Upcalls, UserFault, UserState, VDSO_LEN};
                    use core::sync::atomic::AtomicU32;
                    $(
                        // SAFETY: the name is reserved for this macro, which runs once a program.
                        #[unsafe(no_mangle)]
                        fn $symbol($($a: $t),*) $(-> $r)? {
                            <$d platform as $crate::Platform>::$name($($a),*)
                        }
                    )*
                };
            };
        }
    };
}

door! { $
    // ---- vCPUs and carriers -------------------------------------------------------------

    /// Index of the vCPU slot that the caller runs on: 0 to `cpus() - 1`. Stays the same until
    /// the calling thread parks.
    rkt_door_cpu = fn cpu() -> usize;
    /// Number of vCPU slots.
    rkt_door_cpus = fn cpus() -> usize;
    /// A word of the carrier that belongs to the scheduler: the current thread.
    rkt_door_current = fn current() -> usize;
    /// Sets that word and the kernel stack on which the next entry from the application runs.
    rkt_door_set_current = fn set_current(thread: usize, kernel_stack_top: usize);
    /// The address space whose carrier this is.
    rkt_door_space = fn space() -> SpaceId;
    /// Gives the platform the kernel's entry points and starts the carriers of the other slots,
    /// each in `upcalls.idle`.
    rkt_door_start = fn start(upcalls: Upcalls);
    /// Sleeps until this vCPU is kicked or the monotonic clock reaches `deadline` (nanoseconds;
    /// `u64::MAX` = none). `work` is asked once more after the sleeper has declared itself
    /// parked; if it says that there is work, the call returns at once. May return early.
    rkt_door_park = fn park(deadline: u64, work: &mut dyn FnMut() -> bool);
    /// Wakes a vCPU from `park`, or makes its next `park` return at once if it is just going in.
    rkt_door_kick = fn kick(cpu: usize);
    /// Whether that vCPU is parked, or about to be. A hint.
    rkt_door_parked = fn parked(cpu: usize) -> bool;
    /// Passes the slot of this vCPU to its carrier in another address space and sleeps until it
    /// comes back. Only from the idle loop.
    rkt_door_pass = fn pass(space: SpaceId);
    /// Copies the current address space on write and gives the copy this number; its carriers
    /// are made when a slot is first passed to it. `Busy` asks for another number.
    rkt_door_fork = fn fork(child: SpaceId) -> Result<(), MapError>;
    /// Forgets what the platform knows of the current address space's code: execve unmaps it all.
    rkt_door_reset_space = fn reset_space();
    /// Ends an address space and its carriers, once they have passed their slots on: the last
    /// thread in it may still end there. Its number can be used again when they are gone.
    rkt_door_end_space = fn end_space(space: SpaceId);
    /// Waits (boundedly) while `*word == expected`: the slow path of locks.
    rkt_door_lock_wait = fn lock_wait(word: &AtomicU32, expected: u32);
    /// Wakes up to `count` waiters of `lock_wait`.
    rkt_door_lock_wake = fn lock_wake(word: &AtomicU32, count: u32);

    // ---- time and entropy ----------------------------------------------------------------

    /// Monotonic clock in nanoseconds since boot; never goes back.
    rkt_door_now = fn now() -> u64;
    /// Wall clock in nanoseconds since the Unix epoch. From the host, therefore a hint.
    rkt_door_wall = fn wall() -> u64;
    /// Time-stamp counter: the cheapest clock, for spans.
    rkt_door_tsc = fn tsc() -> u64;
    /// Ticks of `tsc` a microsecond.
    rkt_door_tsc_per_us = fn tsc_per_us() -> u64;
    /// The shared object for AT_SYSINFO_EHDR, which reads these clocks without a system call; false
    /// if the platform has none.
    rkt_door_vdso = fn vdso(into: &mut [u8; VDSO_LEN]) -> bool;
    /// Fills with random bytes from the processor's own source.
    rkt_door_random = fn random(into: &mut [u8]);

    // ---- memory --------------------------------------------------------------------------

    /// Gives pages of the trusted region back to the host; they read as zero afterwards.
    rkt_door_release = fn release(addr: usize, len: usize);
    /// Maps fresh zero pages at a user address, private to the current address space,
    /// replacing what was there.
    rkt_door_map_anon = fn map_anon(addr: u64, len: u64, prot: Protection) -> Result<(), MapError>;
    /// Maps pages of the trusted region (page-aligned, owned by the caller) at a user address,
    /// replacing what was there.
    rkt_door_map_folio = fn map_folio(addr: u64, folio: usize, len: u64, prot: Protection) -> Result<(), MapError>;
    /// Changes the rights of mapped user pages.
    rkt_door_protect = fn protect(addr: u64, len: u64, prot: Protection) -> Result<(), MapError>;
    /// Unmaps user pages.
    rkt_door_unmap = fn unmap(addr: u64, len: u64) -> Result<(), MapError>;
    /// Makes private pages read as zero again and gives their memory back.
    rkt_door_discard = fn discard(addr: u64, len: u64) -> Result<(), MapError>;
    /// Moves mapped user pages, possibly growing or shrinking, to a new address, replacing what was there.
    rkt_door_move_pages = fn move_pages(addr: u64, old: u64, new: u64, to: u64) -> Result<(), MapError>;
    /// Fills private user pages ahead of use. A hint.
    rkt_door_populate = fn populate(addr: u64, len: u64, write: bool);
    /// Copies from the current address space to `into`, which must be valid for `len` bytes.
    /// Returns the number of bytes that could **not** be copied.
    rkt_door_copy_from_user = fn copy_from_user(into: *mut u8, from: u64, len: usize) -> usize;
    /// Copies to the current address space from `from`, which must be valid for `len` bytes.
    /// Returns the number of bytes that could **not** be copied.
    rkt_door_copy_to_user = fn copy_to_user(to: u64, from: *const u8, len: usize) -> usize;
    /// Clears user memory. Returns the number of bytes that could **not** be cleared.
    rkt_door_clear_user = fn clear_user(to: u64, len: usize) -> usize;
    /// Loads an aligned word of user memory atomically (sequentially consistent).
    rkt_door_load_user = fn load_user(addr: u64) -> Result<u32, UserFault>;
    /// Compares and exchanges an aligned word of user memory; gives what was there.
    rkt_door_exchange_user = fn compare_exchange_user(addr: u64, old: u32, new: u32) -> Result<u32, UserFault>;

    // ---- the application's processor state -----------------------------------------------

    /// Takes the state of the application that runs on this vCPU out of the processor, before
    /// another thread is switched in.
    rkt_door_save = fn save(state: &mut UserState);
    /// Puts a thread's state into the processor, after `save` of the one before.
    rkt_door_load = fn load(state: &mut UserState);
    /// Completes `state.xsave` from the processor and the entry frame, so that it can be
    /// looked at and changed; the return to the application will load all of it.
    rkt_door_complete = fn complete(state: &mut UserState);
    /// Makes an XSAVE area that the application supplied safe to load. `len` bytes are valid.
    rkt_door_sanitise = fn sanitise(state: &mut UserState, len: usize);
    /// Bytes of XSAVE area that this processor uses, and its component mask.
    rkt_door_xsave_size = fn xsave_size() -> (usize, u64);
    /// Looks at a site of the running memory whose `syscall` ends before `after`, as if it had trapped.
    rkt_door_rewrite = fn rewrite(after: u64);
    /// Enters the application with the registers at the top of the current thread's kernel stack.
    rkt_door_enter_user = fn enter_user() -> !;
    /// The FS base of the running application.
    rkt_door_fs_base = fn fs_base() -> u64;
    /// The address in the program's own text that stands for `rip`, if that lies in text which the
    /// platform added. A thread that is sent there goes on as if it came back to `rip`.
    rkt_door_own_text = fn own_text(rip: u64) -> u64;
    /// Sets the FS base of the running application.
    rkt_door_set_fs_base = fn set_fs_base(base: u64);

    // ---- devices and the outside ---------------------------------------------------------

    /// The DMA window.
    rkt_door_window = fn window() -> Region;
    /// Wakes the device thread of this slot if it is parked.
    rkt_door_ring_device = fn ring_device(slot: usize);
    /// Wakes the supervisor's console thread if it is parked.
    rkt_door_ring_console = fn ring_console();
    /// Wakes the supervisor's thread that serves a program which the host asked for, if it is parked.
    rkt_door_ring_session = fn ring_session(place: usize);
    /// Hands a log record (crate rkt-log) to the supervisor; lost if there is no room.
    rkt_door_log = fn log(record: &[u8]);
    /// Counters for `--stats`: sites rewritten, traps taken, ticks taken.
    rkt_door_counters = fn counters() -> [u64; 3];
    /// Ends the whole program.
    rkt_door_exit = fn exit(how: Exit) -> !;
}
