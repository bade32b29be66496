//! Threads: a kernel stack, the application's processor state, and a park token.

use crate::account::Account;
use crate::context;
use crate::cpu;
use crate::share::{Share, Urgency};
use crate::token::Token;
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::any::{Any, TypeId};
use core::cell::UnsafeCell;
use core::marker::PhantomData;
use core::ops::Deref;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use rkt_heap::Folio;
use rkt_platform::{Registers, SpaceId, UserState};
use rkt_sync::OnceCell;

/// Bytes of a kernel stack.
pub const KERNEL_STACK_LEN: usize = 64 << 10;
/// Stands at the end of each stack: no word that code is likely to store.
const CANARY: [u8; 8] = [0x5a, 0xc3, 0x0f, 0x96, 0xe1, 0x78, 0x2d, 0xb4];

/// One thread of the kernel's: usually a task of the application.
pub struct Thread {
    id: u64,
    stack: Folio,
    /// Saved stack pointer while the thread is switched out. Belongs to whoever switches it.
    pub(crate) sp: UnsafeCell<usize>,
    pub(crate) token: Token,
    pub(crate) last_cpu: AtomicUsize,
    affinity: AtomicU64,
    space: AtomicU32,
    interrupt: AtomicBool,
    /// Used by the vCPU that the thread runs on, or by the one that switches it.
    pub(crate) user: UnsafeCell<Box<UserState>>,
    entry: UnsafeCell<Option<Box<dyn FnOnce() + Send>>>,
    data: OnceCell<Arc<dyn Any + Send + Sync>>,
    data_type: Option<TypeId>,
    account: Account,
    pub(crate) share: Share,
}

// SAFETY: the cells are used only by the vCPU that runs or switches the thread; the park token
// orders the hand-over (a thread is on a run queue at most once, and picked by one vCPU).
unsafe impl Send for Thread {}
// SAFETY: as above.
unsafe impl Sync for Thread {}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

impl Thread {
    /// A thread that will run `entry` once it is started; none if there is no memory. What `entry`
    /// holds is dropped only if it returns: not if it ends in [`exit_current`] or the application.
    pub fn new(
        space: SpaceId,
        data: Option<Arc<dyn Any + Send + Sync>>,
        entry: Box<dyn FnOnce() + Send>,
    ) -> Option<Arc<Thread>> {
        let stack = Folio::new(&rkt_heap::REGION, KERNEL_STACK_LEN / rkt_heap::PAGE)?;
        let cell = OnceCell::new();
        let data_type = data.as_ref().map(|data| data.as_ref().type_id());
        if let Some(data) = data {
            let _ = cell.set(data);
        }
        let thread = Thread {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            sp: UnsafeCell::new(0),
            stack,
            token: Token::parked(),
            last_cpu: AtomicUsize::new(usize::MAX),
            affinity: AtomicU64::new(u64::MAX),
            space: AtomicU32::new(space.0),
            interrupt: AtomicBool::new(false),
            user: UnsafeCell::new(Box::new(UserState::new())),
            entry: UnsafeCell::new(Some(entry)),
            data: cell,
            data_type,
            account: Account::default(),
            share: cpu::share_of_child(),
        };
        // Leave room for the entry frame (registers and xmm) at the top.
        let top = thread.stack_top() - 1024;
        thread.stack.copy_in(0, &CANARY).ok()?;
        // SAFETY: the stack is ours, aligned and larger than 1 KiB + 128 bytes.
        unsafe { *thread.sp.get() = context::prepare(top, start) };
        Some(Arc::new(thread))
    }

    /// Whether the stack has not run over its end, as far as that can be told afterwards.
    pub(crate) fn stack_is_whole(&self) -> bool {
        let mut found = [0; CANARY.len()];
        self.stack.copy_out(0, &mut found).is_ok() && found == CANARY
    }

    /// A number that no other thread ever has.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The address space that the thread runs in.
    pub fn space(&self) -> SpaceId {
        SpaceId(self.space.load(Ordering::Relaxed))
    }

    /// What the kernel attached to the thread, if it is of this type. Without a virtual call:
    /// every system call asks.
    #[inline]
    pub fn data_as<T: Any + Send + Sync>(&self) -> Option<&T> {
        if self.data_type != Some(TypeId::of::<T>()) {
            return None;
        }
        let data = self.data.get()?;
        // SAFETY: the type of the value was noted when it was attached, and it never changes.
        Some(unsafe { &*Arc::as_ptr(data).cast::<T>() })
    }

    /// What the kernel attached to the thread.
    pub fn data(&self) -> Option<&Arc<dyn Any + Send + Sync>> {
        self.data.get()
    }

    /// Nanoseconds of processor time the thread has had.
    pub fn ran_ns(&self) -> u64 {
        cpu::ticks_to_ns(self.account.ran())
    }

    /// What the thread has used.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// The vCPU that it ran on last; none if it has not run yet.
    pub fn last_cpu(&self) -> Option<usize> {
        Some(self.last_cpu.load(Ordering::Relaxed)).filter(|&cpu| cpu != usize::MAX)
    }

    /// Sets how it is scheduled; takes effect when it is next queued.
    pub fn set_urgency(&self, urgency: Urgency) {
        self.share.set(urgency);
    }

    /// Whether the thread is parked: waits for something. A hint.
    pub fn parked(&self) -> bool {
        self.token.is_parked()
    }

    /// vCPUs that may run the thread, a bit each.
    pub fn affinity(&self) -> u64 {
        self.affinity.load(Ordering::Relaxed)
    }

    /// Sets the vCPUs that may run the thread. If it runs, that takes effect when it is next queued.
    pub fn set_affinity(self: &Arc<Self>, mask: u64) {
        self.affinity.store(mask, Ordering::SeqCst);
        cpu::queue_again(self);
    }

    /// Whether a vCPU may run the thread. If its affinity names no vCPU that there is, all may.
    pub(crate) fn may_run_on(&self, cpu: usize) -> bool {
        let there = u64::MAX >> (64 - rkt_platform::cpus().clamp(1, 64));
        let mask = self.affinity() & there;
        mask == 0 || (cpu < 64 && mask & (1 << cpu) != 0)
    }

    /// Asks the thread to leave interruptible waits (a signal is pending), and wakes it.
    pub fn interrupt(self: &Arc<Self>) {
        self.interrupt.store(true, Ordering::SeqCst);
        self.wake();
    }

    /// Whether it was asked to leave interruptible waits.
    pub fn interrupted(&self) -> bool {
        self.interrupt.load(Ordering::SeqCst)
    }

    /// Takes the request back: nothing is pending any more.
    pub fn clear_interrupt(&self) {
        self.interrupt.store(false, Ordering::SeqCst);
    }

    /// Address behind the last byte of the kernel stack.
    pub fn stack_top(&self) -> usize {
        self.stack.addr() + self.stack.size()
    }

    /// Sets the registers with which a thread that was not started yet will enter the
    /// application, and its other processor state.
    ///
    /// # Panics
    /// Never; without effect on a thread that already ran.
    pub fn prepare_user(&self, registers: &Registers, set: impl FnOnce(&mut UserState)) {
        if self.last_cpu.load(Ordering::Acquire) != usize::MAX {
            return;
        }
        let at = (self.stack_top() - size_of::<Registers>()) as *mut Registers;
        // SAFETY: the top of our own stack, aligned, and nobody runs on it yet; nobody else uses the state of a
        // thread that has not run.
        let state = unsafe {
            at.write(*registers);
            &mut *self.user.get()
        };
        set(state);
    }

    /// The registers with which a parked thread came from the application, and its FS base. Of one that runs
    /// meanwhile they are any.
    pub fn registers_at_entry(&self) -> (Registers, u64) {
        let at = (self.stack_top() - size_of::<Registers>()) as *const Registers;
        // SAFETY: the top of our own stack, aligned and filled at the thread's start, where every bit pattern is
        // a value; and one word of the state, which a parked thread does not touch.
        unsafe { (at.read_volatile(), (&raw const (*self.user.get()).fs_base).read_volatile()) }
    }

    /// Gives the thread its token: it runs soon, or its next park returns at once.
    pub fn wake(self: &Arc<Self>) {
        if self.token.notify() {
            cpu::enqueue(self.clone());
        }
    }
}

/// The running thread. Not sendable: it is this thread only here.
pub struct CurrentThread {
    thread: *const Thread,
    not_send: PhantomData<*const ()>,
}

impl Deref for CurrentThread {
    type Target = Thread;
    fn deref(&self) -> &Thread {
        // SAFETY: the vCPU holds a reference count of the thread that it runs, and this guard
        // lives on that thread's own stack.
        unsafe { &*self.thread }
    }
}

impl CurrentThread {
    /// A counted reference, to be kept or sent.
    pub fn to_arc(&self) -> Arc<Thread> {
        // SAFETY: the pointer came from `Arc::into_raw`, and its count is held by the vCPU.
        unsafe {
            Arc::increment_strong_count(self.thread);
            Arc::from_raw(self.thread)
        }
    }

    /// The application's processor state of this thread.
    pub fn with_user<R>(&self, f: impl FnOnce(&mut UserState) -> R) -> R {
        // SAFETY: only the running thread itself uses its state while it runs; `f` cannot park
        // with the reference alive and be joined by another user, since a switch uses raw access
        // after `f` is suspended only to save into it; callers do not park inside `f`.
        f(unsafe { &mut *self.user.get() })
    }

    /// Whether the thread was asked to leave interruptible waits.
    pub fn check_interrupt(&self) -> Result<(), crate::Interrupted> {
        if self.interrupted() { Err(crate::Interrupted) } else { Ok(()) }
    }

    /// Moves the thread to another address space (execve after vfork). Takes effect at the next switch.
    pub fn set_space(&self, space: SpaceId) {
        self.space.store(space.0, Ordering::Relaxed);
    }
}

/// Whether the caller is a thread (and not the idle loop or early boot).
pub fn in_thread() -> bool {
    rkt_platform::current() != 0
}

/// The running thread.
///
/// # Panics
/// If the caller is not a thread: a bug in the kernel.
pub fn current() -> CurrentThread {
    let thread = rkt_platform::current() as *const Thread;
    assert!(!thread.is_null(), "no current thread");
    CurrentThread { thread, not_send: PhantomData }
}

/// Makes a thread without application state and starts it. None if there is no memory.
pub fn spawn(space: SpaceId, entry: Box<dyn FnOnce() + Send>) -> Option<Arc<Thread>> {
    let thread = Thread::new(space, None, entry)?;
    thread.wake();
    Some(thread)
}

/// Ends the running thread. Its stack is freed by whoever runs next on this vCPU.
pub fn exit_current() -> ! {
    cpu::leave(cpu::Leave::Exit);
    unreachable!("an ended thread was switched in")
}

extern "C" fn start() -> ! {
    cpu::finish_switch();
    current().token.consume();
    // SAFETY: runs once, as the first thing on the thread's stack.
    let entry = unsafe { (*current().entry.get()).take() };
    if let Some(entry) = entry {
        entry();
    }
    exit_current()
}
