//! Tasks: the threads of a process, as Linux numbers them.

use crate::boot;
use crate::identity::Rights;
use crate::process::Process;
use crate::scheduling::Scheduling;
use crate::signal::TaskSignals;
use crate::usage::TransferCounts;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use rkt_linux_abi::auxvec::{AT_BASE, AT_ENTRY, AT_EXECFN};
use rkt_sched::Thread;
use rkt_sched::debugger::{self, Shown};
use rkt_sync::Mutex;

/// A task.
pub struct Task {
    /// Thread id; that of the first task is the process's.
    pub tid: i32,
    /// The process that it belongs to.
    pub process: Arc<Process>,
    /// Kept alive by the task while it lives: a parked thread is on no run queue.
    thread: Mutex<Option<Arc<Thread>>>,
    /// Ids and credentials of its own; none if it has those of the process.
    pub(crate) rights: Mutex<Option<Rights>>,
    /// Signals for this task alone, and its mask.
    pub signals: TaskSignals,
    /// Address to clear and wake when the task ends (CLONE_CHILD_CLEARTID); 0 = none.
    pub clear_child_tid: AtomicU64,
    /// Head of the list of robust futexes; 0 = none.
    pub robust_list: AtomicU64,
    /// By what its calls are judged.
    pub seccomp: crate::seccomp::Seccomp,
    /// Where it waits on a futex.
    pub futex: crate::futex::Waiter,
    /// Policy and priorities; see [`Task::set_scheduling`].
    pub(crate) scheduling: Mutex<Scheduling>,
    /// Priority of its I/O (ioprio_set(2)).
    pub io_priority: AtomicU32,
    /// Kept only: there is one node (set_mempolicy(2)).
    pub memory_policy: AtomicU32,
    /// Kept only: timers are as exact as the poller.
    pub timer_slack: Slack,
    /// Name (PR_SET_NAME), padded with zeroes.
    pub name: Mutex<[u8; 16]>,
    /// User memory that needs no showing before a copy.
    pub plain: crate::mm::PlainRanges,
    /// System calls made so far. Only the task itself counts.
    pub calls: AtomicU64,
    /// Faults served so far.
    pub faults: AtomicU64,
    /// What it read and wrote so far.
    pub transfers: TransferCounts,
    /// Time in the application and in the kernel as it was shown last.
    pub(crate) shown_time: Mutex<(u64, u64)>,
    /// Whether the task is to end at the next return to the application.
    pub dying: AtomicBool,
    /// Nanoseconds of the monotonic clock at which the task was made.
    pub started: u64,
}

impl Task {
    /// A task that has no thread yet.
    pub fn new(tid: i32, process: Arc<Process>, name: [u8; 16]) -> Arc<Task> {
        Arc::new(Task {
            tid,
            process,
            thread: Mutex::new(None),
            rights: Mutex::new(None),
            signals: TaskSignals::default(),
            clear_child_tid: AtomicU64::new(0),
            robust_list: AtomicU64::new(0),
            seccomp: crate::seccomp::Seccomp::default(),
            futex: crate::futex::Waiter::default(),
            scheduling: Mutex::default(),
            io_priority: AtomicU32::new(0),
            memory_policy: AtomicU32::new(0),
            timer_slack: Slack::default(),
            name: Mutex::new(name),
            plain: crate::mm::PlainRanges::default(),
            calls: AtomicU64::new(0),
            faults: AtomicU64::new(0),
            transfers: TransferCounts::default(),
            shown_time: Mutex::default(),
            dying: AtomicBool::new(false),
            started: rkt_platform::now(),
        })
    }

    /// Ties the task to the thread that runs it.
    pub fn set_thread(&self, thread: &Arc<Thread>) {
        *self.thread.lock() = Some(thread.clone());
        self.show_to_debugger();
    }

    /// Shows what is new of the task to a debugger of the host, where the manifest allows one.
    pub fn show_to_debugger(&self) {
        if boot::allows_debugging()
            && let Some(thread) = self.thread()
        {
            let program = [AT_ENTRY, AT_EXECFN, AT_BASE].map(|kind| self.process.auxiliary(kind.into()));
            let name = *self.name.lock();
            debugger::show(&thread, &Shown { tid: self.tid, pid: self.process.pid, name, program });
        }
    }

    /// The thread that runs it; none once it has ended.
    pub fn thread(&self) -> Option<Arc<Thread>> {
        self.thread.lock().clone()
    }

    /// Lets go of the thread: the task has ended.
    pub fn release_thread(&self) -> Option<Arc<Thread>> {
        if boot::allows_debugging() {
            debugger::hide(self.tid);
        }
        self.thread.lock().take()
    }

    /// Makes the task look at its signals soon: it leaves interruptible waits.
    pub fn kick(&self) {
        if let Some(thread) = self.thread() {
            thread.interrupt();
        }
    }

    /// Orders the task to end, wherever it is.
    pub fn kill(&self) {
        self.dying.store(true, Ordering::SeqCst);
        self.kick();
    }

    /// Whether it was ordered to end.
    pub fn is_dying(&self) -> bool {
        self.dying.load(Ordering::SeqCst)
    }

    /// Whether it is the first task of its process.
    pub fn is_leader(&self) -> bool {
        self.tid == self.process.pid
    }
}

/// How late timers may be, in nanoseconds (PR_SET_TIMERSLACK).
pub struct Slack {
    /// Now.
    pub now: AtomicU64,
    /// What a value of 0 sets.
    pub standard: AtomicU64,
}

impl Default for Slack {
    fn default() -> Self {
        Self { now: AtomicU64::new(50_000), standard: AtomicU64::new(50_000) }
    }
}

/// The running task.
///
/// # Panics
/// If the running thread is not a task: a bug in the kernel.
pub fn current() -> Arc<Task> {
    match try_current() {
        Some(task) => task,
        None => panic!("the running thread is no task"),
    }
}

/// The running task, if the running thread is one.
pub fn try_current() -> Option<Arc<Task>> {
    if rkt_sched::in_thread() { with_current(|task, _| task.clone()) } else { None }
}

/// Calls `f` with the running task without counting a reference: for the fast paths.
pub fn with_current<R>(f: impl FnOnce(&Arc<Task>, &rkt_sched::CurrentThread) -> R) -> Option<R> {
    if !rkt_sched::in_thread() {
        return None; // boot, and the idle loop
    }
    let thread = rkt_sched::current();
    let handle = thread.data_as::<TaskHandle>()?;
    Some(f(&handle.0, &thread))
}

/// What hangs on a task's thread.
pub struct TaskHandle(pub Arc<Task>);
