//! How tasks and processes end.

use crate::futex;
use crate::jobs;
use crate::mm::retire;
use crate::process::{self, Ended, Process};
use crate::signal::{self, Info, SIGNAL_MAX};
use crate::task::Task;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use rkt_linux_abi::general::{CLD_DUMPED, CLD_EXITED, CLD_KILLED, POLLIN, SIGCHLD, SIGKILL, SIGXCPU};
use rkt_linux_abi::{Errno, Result};
use rkt_platform::{Exit, SpaceId};
use rkt_user::UserPtr;

/// Ends the running task; with the last one its process.
pub fn end_current(task: &Arc<Task>) -> ! {
    task.dying.store(true, Ordering::SeqCst);
    release_user_words(task);
    let process = task.process.clone();
    let used = task.usage();
    if task.release_thread().is_some() {
        let mut ended = process.ended_usage.lock();
        *ended = ended.plus(used);
    }
    // Whoever ends the address space then finds nobody who is still to run in it.
    rkt_sched::current().set_space(SpaceId::NONE);
    match process.remove_task(task.tid) {
        0 => {
            rkt_sched::current().set_space(process.mm().space());
            *process.last_task.lock() = Some(task.clone());
            end_process(&process);
        }
        _ => process.changed.wake_all(POLLIN),
    }
    drop(process);
    rkt_sched::exit_current()
}

/// What a task leaves behind in user memory, at its end or for execve: robust futexes, and the word
/// that joiners wait on.
pub fn release_user_words(task: &Arc<Task>) {
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
    crate::aio::end_all(process);
    let files = process.files();
    if files.users.leave() {
        for file in files.close_all() {
            crate::syscall::fd::closed(process, &file);
        }
    }
    leave_places(process);
    *process.real_timer.lock() = None;
    crate::ipc::semaphore::undo_all(process);
    leave_memory(process);
    crate::tty::give_up(process, true);
    jobs::leave(process);
    orphan(process);
    process.zombie.store(true, Ordering::SeqCst);
    tell_parent(process, how);
    process.changed.wake_all(POLLIN);
}

/// A zombie holds no file (proc(5): its `cwd` and `exe` lead nowhere): what has no name any more goes, and a file
/// system can be unmounted, before anybody waits for the process.
fn leave_places(process: &Process) {
    let exe = process.exe.lock().take();
    process.unshare_place();
    let everywhere = process::find(crate::boot::FIRST_PID).map(|first| first.fs.lock().root.clone());
    let places = everywhere.map(|root| {
        let mut fs = process.fs.lock();
        (core::mem::replace(&mut fs.root, root.clone()), core::mem::replace(&mut fs.cwd, root))
    });
    drop((exe, places));
}

/// The memory goes with the last process in it, and its address space with it; the running thread
/// needs none any more.
fn leave_memory(process: &Process) {
    let mm = process.mm();
    if mm.users.leave() {
        retire(&mm);
    }
}

/// How long the peers of connections may take to acknowledge what the program told them last, in ns.
const PARTING: u64 = 5_000_000_000;

/// The first process has ended, and the whole program with it.
fn end_program(how: Ended) -> ! {
    crate::live::finish();
    if let Some(net) = crate::devices::net() {
        net.close_all(rkt_platform::now().saturating_add(PARTING));
    }
    crate::disks::unmount_all();
    crate::tty::console::drain();
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
    let Some(parent) = process.parent() else { return crate::session::ended(process, how) };
    let signal = process.exit_signal.load(Ordering::Relaxed);
    if signal != 0 && signal <= SIGNAL_MAX {
        let (code, status) = match how {
            Ended::Code(code) => (CLD_EXITED, i32::from(code)),
            Ended::Signal(signal, true) => (CLD_DUMPED, i32::from(signal)),
            Ended::Signal(signal, false) => (CLD_KILLED, i32::from(signal)),
        };
        let uid = process.ids().user.real;
        let info = Info::child(signal, code as i32, process.pid, uid, status);
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

/// RLIMIT_CPU (getrlimit(2)): SIGXCPU at the soft limit and each second after it, the end at the hard one.
pub fn enforce_cpu_limit(process: &Arc<Process>) {
    const SECOND: u64 = 1_000_000_000;
    let [(soft, hard), ..] = *process.limits.lock();
    if soft == u64::MAX && hard == u64::MAX {
        return;
    }
    let used = process.cpu_ns() / SECOND;
    if used >= hard {
        process.end(Ended::Signal(SIGKILL as u8, false));
    } else if used >= soft {
        // As Linux does: the next signal is due a second later.
        if let Some(limit) = process.limits.lock().first_mut() {
            limit.0 = soft.saturating_add(1);
        }
        signal::send_to_process(process, Info::kernel(SIGXCPU));
    }
}

/// Ends all tasks of the process but the running one, and waits until they are gone: execve.
///
/// # Errors
/// `EAGAIN` if the running task is to end itself, as another one or the whole process wants.
pub fn end_others(task: &Arc<Task>) -> Result<()> {
    let process = &task.process;
    if !process.begin_replacing() {
        task.kill();
        return Err(Errno::EAGAIN);
    }
    process.tasks().iter().filter(|other| other.tid != task.tid).for_each(|other| other.kill());
    let dying = process.changed.wait_uninterruptible(|| match process.task_count() {
        _ if task.is_dying() => Some(true),
        1 => Some(false),
        _ => None,
    });
    process.end_replacing();
    if dying { Err(Errno::EAGAIN) } else { Ok(()) }
}
