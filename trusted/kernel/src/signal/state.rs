//! What a process and each of its tasks remember about signals.

use super::altstack::{DISABLED, NO_STACK};
use super::posix_timer::{PosixTimers, Watched};
use super::queue::Pending;
use super::set::{DefaultAction, SIGNAL_MAX, SigSet, default_action};
use super::timer::CpuTimers;
use crate::syscall::abi::{Sigaction, Stack};
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use rkt_linux_abi::general::{
    SA_NOCLDSTOP, SA_NOCLDWAIT, SA_NODEFER, SA_ONSTACK, SA_RESETHAND, SA_RESTART, SA_RESTORER, SA_SIGINFO, SIGCHLD,
};
use rkt_sched::WaitQueue;
use rkt_sync::{Mutex, RwLock};

/// `SIG_DFL`.
pub const DEFAULT: u64 = 0;
/// `SIG_IGN`.
pub const IGNORE: u64 = 1;

/// `SA_EXPOSE_TAGBITS` of asm-generic/signal-defs.h: accepted, without meaning on x86-64.
const SA_EXPOSE_TAGBITS: u32 = 0x800;
/// The flags that exist: sigaction(2) clears all others, which is how programs find out.
const SA_KNOWN: u32 = SA_NOCLDSTOP
    | SA_NOCLDWAIT
    | SA_SIGINFO
    | SA_ONSTACK
    | SA_RESTART
    | SA_NODEFER
    | SA_RESETHAND
    | SA_RESTORER
    | SA_EXPOSE_TAGBITS;

impl Sigaction {
    /// Whether a flag is set.
    pub fn has(&self, flag: u32) -> bool {
        self.flags & u64::from(flag) != 0
    }

    /// As it is kept: without flags that do not exist and signals that cannot be blocked.
    #[must_use]
    pub fn cleaned(self) -> Self {
        let mask = SigSet(self.mask).minus(SigSet::UNMASKABLE).0;
        Self { flags: self.flags & u64::from(SA_KNOWN), mask, ..self }
    }

    /// Whether the signal would do nothing with this action.
    pub fn ignores(&self, signal: u32) -> bool {
        match self.handler {
            DEFAULT => default_action(signal) == DefaultAction::Ignore,
            handler => handler == IGNORE,
        }
    }
}

/// Actions by signal number, from 1.
type Actions = Mutex<[Sigaction; SIGNAL_MAX as usize]>;

/// Signals of a process: its actions, and what is pending for any of its tasks.
pub struct ProcessSignals {
    /// Other processes may share them (CLONE_SIGHAND).
    actions: RwLock<Arc<Actions>>,
    pub(super) pending: Mutex<Pending>,
    /// Signal that stopped the process; 0 while it runs.
    pub(super) stopped: AtomicU32,
    /// Tasks that are stopped.
    pub(super) continued: WaitQueue,
    /// What wait(2) has yet to report: the stop signal, or [`CONTINUED`].
    pub(super) report: AtomicU32,
    /// Readers and pollers of signalfd(2), on any of the tasks.
    pub(super) arrivals: Arc<WaitQueue>,
    /// setitimer(2) ITIMER_VIRTUAL and ITIMER_PROF.
    pub(super) cpu_timers: CpuTimers,
    /// timer_create(2).
    pub(super) timers: PosixTimers,
    /// Timers, of whatever process, that go by the processor time of this one.
    pub(super) watched: Watched,
}

/// The report of a process that goes on.
pub(super) const CONTINUED: u32 = u32::MAX;

impl Default for ProcessSignals {
    fn default() -> Self {
        Self::with_actions(Arc::new(Mutex::new([Sigaction::default(); SIGNAL_MAX as usize])))
    }
}

fn index(signal: u32) -> usize {
    (signal as usize).wrapping_sub(1)
}

impl ProcessSignals {
    fn with_actions(actions: Arc<Actions>) -> Self {
        Self {
            actions: RwLock::new(actions),
            pending: Mutex::default(),
            stopped: AtomicU32::new(0),
            continued: WaitQueue::new(),
            report: AtomicU32::new(0),
            arrivals: Arc::new(WaitQueue::new()),
            cpu_timers: CpuTimers::default(),
            timers: PosixTimers::default(),
            watched: Watched::default(),
        }
    }

    /// The table of actions, which other processes may share.
    pub fn table(&self) -> Arc<Actions> {
        self.actions.read().clone()
    }

    /// What a child inherits: the actions (fork(2)), or the very same ones (CLONE_SIGHAND).
    pub fn fork(&self, share: bool) -> Self {
        let actions = self.actions.read().clone();
        Self::with_actions(if share { actions } else { Arc::new(Mutex::new(*actions.lock())) })
    }

    /// Gives caught signals their default action back: execve(2), CLONE_CLEAR_SIGHAND.
    pub fn forget_handlers(&self) {
        for action in self.actions.read().lock().iter_mut() {
            let handler = if action.handler == IGNORE { IGNORE } else { DEFAULT };
            *action = Sigaction { handler, ..Sigaction::default() };
        }
    }

    /// What execve(2) does: caught signals get their default action back, timers end.
    pub fn reset_for_exec(&self) {
        let own = Arc::new(Mutex::new(*self.actions.read().lock()));
        *self.actions.write() = own;
        self.forget_handlers();
        self.timers.clear();
    }

    /// The action of a signal.
    pub fn action(&self, signal: u32) -> Sigaction {
        self.actions.read().lock().get(index(signal)).copied().unwrap_or_default()
    }

    /// Replaces the action of a signal; gives the old one.
    pub(super) fn set_action(&self, signal: u32, action: Sigaction) -> Sigaction {
        let actions = self.actions.read();
        let mut actions = actions.lock();
        actions.get_mut(index(signal)).map(|slot| core::mem::replace(slot, action)).unwrap_or_default()
    }

    /// Whether dead children vanish without a wait(2): SIGCHLD is ignored, or SA_NOCLDWAIT.
    pub fn reaps_children(&self) -> bool {
        let action = self.action(SIGCHLD);
        action.handler == IGNORE || action.has(SA_NOCLDWAIT)
    }

    /// The state that wait(2) reports with WUNTRACED and WCONTINUED, as its status word; `take`
    /// says whether it is reported now for the only time.
    pub fn wait_status(&self, stopped: bool, continued: bool, take: bool) -> Option<u32> {
        let report = self.report.load(Ordering::SeqCst);
        let status = match report {
            0 => return None,
            CONTINUED if continued => 0xffff,
            CONTINUED => return None,
            signal if stopped => signal << 8 | 0x7f,
            _ => return None,
        };
        let ordering = Ordering::SeqCst;
        let won = !take || self.report.compare_exchange(report, 0, ordering, ordering).is_ok();
        won.then_some(status)
    }

    /// Whether the process is stopped.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst) != 0
    }

    /// Signals pending for any task.
    pub fn pending(&self) -> SigSet {
        self.pending.lock().set()
    }
}

/// Signals of one task.
#[derive(Default)]
pub struct TaskSignals {
    /// Changed by the task itself only.
    blocked: AtomicU64,
    /// Signals that the task waits for in sigtimedwait(2) although it blocks them.
    pub(super) awaited: AtomicU64,
    /// Point in time, monotonic nanoseconds, until which an interrupted call goes on if it is
    /// restarted; 0 = none.
    deadline: AtomicU64,
    pub(super) own: Mutex<Own>,
}

/// What the lock of [`TaskSignals`] guards.
pub(super) struct Own {
    pub pending: Pending,
    /// The mask to go back to after sigsuspend(2), ppoll(2) and the like.
    pub saved: Option<SigSet>,
    pub stack: Stack,
    /// Trap number, error code and address of the last fault, for signal frames.
    pub trap: (u64, u64, u64),
    /// Address of faults for which there was no reason, how many, and when.
    pub retries: (u64, u32, u64),
}

impl Default for Own {
    fn default() -> Self {
        Self { pending: Pending::default(), saved: None, stack: NO_STACK, trap: (0, 0, 0), retries: (0, 0, 0) }
    }
}

impl TaskSignals {
    /// The signals that are blocked.
    pub fn blocked(&self) -> SigSet {
        SigSet(self.blocked.load(Ordering::SeqCst))
    }

    /// Whether a signal sent to the task would interrupt it.
    pub(super) fn wants(&self, signal: u32) -> bool {
        !self.blocked().contains(signal) || SigSet(self.awaited.load(Ordering::SeqCst)).contains(signal)
    }

    /// Sets the mask without looking at what is pending: [`super::set_mask`] does.
    pub(super) fn store_blocked(&self, mask: SigSet) {
        self.blocked.store(mask.minus(SigSet::UNMASKABLE).0, Ordering::SeqCst);
    }

    /// Signals pending for this task alone.
    pub fn pending(&self) -> SigSet {
        self.own.lock().pending.set()
    }

    /// Takes over what a new task inherits (clone(2)): the mask, and the alternate stack unless
    /// it shares the memory of its maker.
    pub fn inherit(&self, from: &TaskSignals, shares_memory: bool) {
        self.store_blocked(from.blocked());
        self.own.lock().stack = if shares_memory { DISABLED } else { from.own.lock().stack };
    }

    /// What execve(2) does: no alternate stack.
    pub fn reset_for_exec(&self) {
        self.own.lock().stack = NO_STACK;
    }

    /// The end of a relative wait: of the interrupted one if this call is its restart, else
    /// `duration` nanoseconds from now.
    pub fn deadline(&self, duration: u64) -> u64 {
        match self.deadline.swap(0, Ordering::Relaxed) {
            0 => rkt_platform::now().saturating_add(duration),
            deadline => deadline,
        }
    }

    /// Remembers the end of a relative wait that is given up for a signal: the caller returns
    /// `ERESTARTNOHAND`, and the call goes on if no handler runs.
    pub fn keep_deadline(&self, deadline: u64) {
        self.deadline.store(deadline, Ordering::Relaxed);
    }
}
