//! How tasks and processes end.

use crate::futex;
use crate::process::{self, Ended, Process};
use crate::signal::{self, Info};
use crate::task::Task;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use rkt_linux_abi::general::{CLD_DUMPED, CLD_EXITED, CLD_KILLED, SIGCHLD};
use rkt_platform::{Exit, SpaceId};
use rkt_user::UserPtr;

/// Ends the running task; with the last one its process.
pub fn end_current(task: &Arc<Task>) -> ! {
    task.dying.store(true, Ordering::SeqCst);
    release_user_words(task);
    let process = task.process.clone();
    if let Some(thread) = task.release_thread() {
        process.dead_ns.fetch_add(thread.ran_ns() + rkt_sched::slice_ns(), Ordering::Relaxed);
    }
    if process.remove_task(task.tid) == 0 {
        end_process(&process);
    }
    drop(process);
    rkt_sched::exit_current()
}

/// What a task leaves behind in user memory: robust futexes, and the word that joiners wait on.
fn release_user_words(task: &Arc<Task>) {
    futex::exit_robust(task);
    let word = task.clear_child_tid.swap(0, Ordering::Relaxed);
    if word != 0 && UserPtr::<u32>::new(word).write(&0).is_ok() {
        futex::wake_address(task, word, 1);
    }
}

/// All tasks have ended. Runs in the process's address space.
fn end_process(process: &Arc<Process>) {
    let how = *process.ended.lock().get_or_insert(Ended::Code(0));
    if process.pid == crate::boot::FIRST_PID {
        end_program(how);
    }
    for file in process.files().close_all() {
        crate::syscall::fd::closed(process, &file);
    }
    *process.real_timer.lock() = None;
    // The aliases of shared folios go before the folios can: nobody unmaps another's (DESIGN §7).
    let space = process.mm().space();
    process.mm().clear();
    orphan(process);
    if space != SpaceId::FIRST {
        crate::syscall::process::release_space(space);
    }
    process.zombie.store(true, Ordering::SeqCst);
    tell_parent(process, how);
    process.changed.wake_all(0);
}

/// The first process has ended, and the whole program with it.
fn end_program(how: Ended) -> ! {
    crate::console::drain();
    crate::log::finish();
    rkt_platform::exit(match how {
        Ended::Code(code) => Exit::Code(code),
        Ended::Signal(signal, _) => Exit::Signal(signal),
    })
}

/// Children get a new parent: the nearest subreaper, else the first process.
fn orphan(process: &Arc<Process>) {
    let children = core::mem::take(&mut *process.children.lock());
    if children.is_empty() {
        return;
    }
    let mut heir = process.parent();
    while let Some(candidate) = &heir {
        if candidate.flags.subreaper.load(Ordering::Relaxed) && !candidate.zombie.load(Ordering::Relaxed) {
            break;
        }
        heir = candidate.parent();
    }
    let Some(heir) = heir.or_else(|| process::find(crate::boot::FIRST_PID)) else { return };
    for child in children {
        child.set_parent(&heir);
        let signal = child.flags.parent_death_signal.load(Ordering::Relaxed);
        if signal != 0 {
            signal::send_to_process(&child, Info::kernel(signal));
        }
        let dead = child.zombie.load(Ordering::SeqCst);
        heir.children.lock().push(child);
        if dead {
            heir.child_changed.wake_all(0);
        }
    }
}

fn tell_parent(process: &Arc<Process>, how: Ended) {
    let Some(parent) = process.parent() else { return };
    let signal = process.exit_signal.load(Ordering::Relaxed);
    if signal != 0 {
        let (code, status) = match how {
            Ended::Code(code) => (CLD_EXITED, i32::from(code)),
            Ended::Signal(signal, true) => (CLD_DUMPED, i32::from(signal)),
            Ended::Signal(signal, false) => (CLD_KILLED, i32::from(signal)),
        };
        let info = Info::child(signal, code as i32, process.pid, process.credentials().uid, status);
        if signal == SIGCHLD && parent.signals.reaps_children() {
            collect(&parent, process.pid);
        }
        signal::send_to_process(&parent, info);
    }
    parent.child_changed.wake_all(0);
}

/// Takes a dead child off its parent's list and off the books.
pub fn collect(parent: &Process, pid: i32) -> Option<Arc<Process>> {
    let child = {
        let mut children = parent.children.lock();
        let at = children.iter().position(|child| child.pid == pid)?;
        children.swap_remove(at)
    };
    process::forget(pid);
    Some(child)
}

/// Ends all tasks of the process but the running one, and waits until they are gone: execve.
pub fn end_others(task: &Arc<Task>) {
    let process = &task.process;
    let others: Vec<Arc<Task>> = process.tasks().into_iter().filter(|other| other.tid != task.tid).collect();
    for other in &others {
        other.kill();
    }
    drop(others);
    while process.task_count() > 1 {
        rkt_sched::yield_now();
        let _ = rkt_sched::sleep_until(rkt_platform::now() + 1_000_000);
    }
}
