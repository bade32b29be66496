//! What a debugger of the host finds tasks by (docs/gdb/rkt.py): a table at a symbol of its own, of a shape
//! that never depends on the compiler. Filled only where the manifest allows debugging.

use crate::thread::Thread;
use core::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering};

/// Most tasks that are shown.
const ROWS: usize = 1024;

/// A task; 72 bytes.
#[repr(C)]
struct Row {
    /// Task id; 0 = nobody.
    tid: AtomicI32,
    /// Process id.
    pid: AtomicI32,
    /// Address space.
    space: AtomicU32,
    reserved: AtomicU32,
    /// Behind the kernel stack, whose last words are the registers of the application.
    stack_top: AtomicU64,
    /// Its name, padded with zeroes.
    name: [AtomicU64; 2],
    /// AT_ENTRY, AT_EXECFN and AT_BASE of the program.
    program: [AtomicU64; 3],
    /// Number of the thread.
    thread: AtomicU64,
}

/// `RKT_TASKS` for the debugger.
#[unsafe(no_mangle)]
static RKT_TASKS: [Row; ROWS] = [const {
    Row {
        tid: AtomicI32::new(0),
        pid: AtomicI32::new(0),
        space: AtomicU32::new(0),
        reserved: AtomicU32::new(0),
        stack_top: AtomicU64::new(0),
        name: [const { AtomicU64::new(0) }; 2],
        program: [const { AtomicU64::new(0) }; 3],
        thread: AtomicU64::new(0),
    }
}; ROWS];

/// What a debugger learns of a task beside its thread.
#[derive(Clone, Copy, Debug)]
pub struct Shown {
    /// Task id.
    pub tid: i32,
    /// Process id.
    pub pid: i32,
    /// Its name.
    pub name: [u8; 16],
    /// AT_ENTRY, AT_EXECFN and AT_BASE of the program.
    pub program: [u64; 3],
}

/// Shows the task of a thread, or shows it anew. Beyond [`ROWS`] tasks the rest is not shown.
pub fn show(thread: &Thread, shown: &Shown) {
    let Shown { tid, pid, name, program } = *shown;
    let claim = |row: &&Row| {
        row.tid.load(Ordering::Relaxed) == tid
            || row.tid.compare_exchange(0, tid, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    };
    let own = RKT_TASKS.iter().find(|row| row.tid.load(Ordering::Relaxed) == tid);
    let Some(row) = own.or_else(|| RKT_TASKS.iter().find(claim)) else { return };
    row.pid.store(pid, Ordering::Relaxed);
    row.space.store(thread.space().0, Ordering::Relaxed);
    row.stack_top.store(thread.stack_top() as u64, Ordering::Relaxed);
    row.thread.store(thread.id(), Ordering::Relaxed);
    let (words, _) = name.as_chunks();
    for (to, word) in row.name.iter().zip(words) {
        to.store(u64::from_ne_bytes(*word), Ordering::Relaxed);
    }
    for (to, word) in row.program.iter().zip(program) {
        to.store(word, Ordering::Relaxed);
    }
}

/// A task has ended.
pub fn hide(tid: i32) {
    if let Some(row) = RKT_TASKS.iter().find(|row| row.tid.load(Ordering::Relaxed) == tid) {
        row.tid.store(0, Ordering::Relaxed);
    }
}
