//! New tasks: clone(2), clone3(2), fork(2), vfork(2).

use super::Call;
use crate::boot;
use crate::exit;
use crate::mm::{copy_space, end_space, rewrite_known};
use crate::pidfd::PidFd;
use crate::process::{self, Birth, Process};
use crate::task::Task;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use rkt_linux_abi::general::{
    CLONE_CHILD_CLEARTID, CLONE_CHILD_SETTID, CLONE_DETACHED, CLONE_FILES, CLONE_FS, CLONE_NEWCGROUP, CLONE_NEWIPC,
    CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUSER, CLONE_NEWUTS, CLONE_PARENT, CLONE_PARENT_SETTID,
    CLONE_PIDFD, CLONE_SETTLS, CLONE_SIGHAND, CLONE_THREAD, CLONE_VFORK, CLONE_VM, SIGCHLD,
};
use rkt_linux_abi::{Errno, Result};
use rkt_platform::{SpaceId, USER_END};
use rkt_user::{UserPtr, UserSlice};

/// Namespaces do not exist here: as for a user who may not make them.
const NAMESPACES: u64 =
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET) as u64;
/// Signal at the child's end, in the flags of clone(2).
const CSIGNAL: u64 = 0xff;
/// Flags of clone3(2) only (linux/sched.h).
const CLONE_CLEAR_SIGHAND: u64 = 1 << 32;
const CLONE_INTO_CGROUP: u64 = 1 << 33;
/// CLONE_NEWTIME of linux/sched.h: a bit of CSIGNAL, for clone3(2).
const CLONE_NEWTIME: u64 = 0x80;

/// What is asked for.
struct Request {
    flags: u64,
    exit_signal: u32,
    stack: u64,
    pidfd: u64,
    parent_tid: u64,
    child_tid: u64,
    tls: u64,
    /// The number that the child is to have; 0 = any.
    tid: i32,
}

impl Request {
    const FORK: Request =
        Request { flags: 0, exit_signal: SIGCHLD, stack: 0, pidfd: 0, parent_tid: 0, child_tid: 0, tls: 0, tid: 0 };

    fn has(&self, flag: u32) -> bool {
        self.flags & u64::from(flag) != 0
    }

    /// What clone(2) and clone3(2) refuse alike.
    fn check(&self, call: &Call<'_>) -> Result<()> {
        let has = |flag| self.has(flag);
        if has(CLONE_NEWNS) && has(CLONE_FS)
            || has(CLONE_NEWUSER) && has(CLONE_FS)
            || has(CLONE_THREAD) && !has(CLONE_SIGHAND)
            || has(CLONE_SIGHAND) && !has(CLONE_VM)
            || has(CLONE_PARENT) && call.task.process.pid == boot::FIRST_PID
            || has(CLONE_THREAD) && (has(CLONE_NEWUSER) || has(CLONE_NEWPID))
            || has(CLONE_PIDFD) && has(CLONE_DETACHED)
            || has(CLONE_PIDFD) && has(CLONE_PARENT_SETTID) && self.pidfd == self.parent_tid
        {
            return Err(Errno::EINVAL);
        }
        if self.flags & NAMESPACES != 0 || has(CLONE_SETTLS) && self.tls >= USER_END {
            return Err(Errno::EPERM);
        }
        Ok(())
    }

    /// The number of the new task.
    fn number(&self, call: &Call<'_>) -> Result<i32> {
        match self.tid {
            0 => Ok(process::allocate_id()),
            _ if call.task.process.credentials().uid != 0 => Err(Errno::EPERM),
            wanted if process::is_free(wanted) => Ok(wanted),
            _ => Err(Errno::EEXIST),
        }
    }
}

/// clone(2), with the argument order of x86-64.
pub fn clone(call: &mut Call<'_>, flags: u64, stack: u64, parent_tid: u64, child_tid: u64, tls: u64) -> Result<u64> {
    let flags = flags & 0xffff_ffff;
    let request = Request {
        flags: flags & !CSIGNAL,
        exit_signal: (flags & CSIGNAL) as u32,
        stack,
        pidfd: parent_tid,
        parent_tid,
        child_tid,
        tls,
        tid: 0,
    };
    start(call, &request)
}

/// fork(2).
pub fn fork(call: &mut Call<'_>) -> Result<u64> {
    start(call, &Request::FORK)
}

/// vfork(2).
pub fn vfork(call: &mut Call<'_>) -> Result<u64> {
    start(call, &Request { flags: (CLONE_VM | CLONE_VFORK).into(), ..Request::FORK })
}

/// `struct clone_args` (linux/sched.h): bytes of the first version, and of the last one known.
const CLONE_ARGS_MIN: usize = 64;
const CLONE_ARGS_MAX: usize = 88;
/// Most levels of process-id namespaces (MAX_PID_NS_LEVEL); there is one here.
const PID_LEVELS: u64 = 32;

/// clone3(2).
pub fn clone3(call: &mut Call<'_>, args: u64, size: usize) -> Result<u64> {
    if size > 4096 {
        return Err(Errno::E2BIG);
    }
    if size < CLONE_ARGS_MIN {
        return Err(Errno::EINVAL);
    }
    let bytes = UserSlice::new(args, size)?.to_vec()?;
    if bytes.get(CLONE_ARGS_MAX..).is_some_and(|rest| rest.iter().any(|&byte| byte != 0)) {
        return Err(Errno::E2BIG);
    }
    let word = |n: usize| bytes.get(n * 8..n * 8 + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_ne_bytes);
    let [flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, tids, tid_count, _cgroup] =
        core::array::from_fn(word);
    if tid_count > PID_LEVELS || (tids == 0) != (tid_count == 0) || exit_signal > 64 {
        return Err(Errno::EINVAL);
    }
    let has = |flag: u32| flags & u64::from(flag) != 0;
    if flags & !(0xffff_ffff | CLONE_CLEAR_SIGHAND | CLONE_INTO_CGROUP) != 0
        || flags & (CSIGNAL & !CLONE_NEWTIME | u64::from(CLONE_DETACHED)) != 0
        || has(CLONE_SIGHAND) && flags & CLONE_CLEAR_SIGHAND != 0
        || (has(CLONE_THREAD) || has(CLONE_PARENT)) && exit_signal != 0
        || (stack == 0) != (stack_size == 0)
    {
        return Err(Errno::EINVAL);
    }
    if flags & (CLONE_NEWTIME | CLONE_INTO_CGROUP) != 0 {
        return Err(Errno::EPERM);
    }
    let stack = stack.checked_add(stack_size).filter(|&top| top <= USER_END).ok_or(Errno::EINVAL)?;
    let tid = match tid_count {
        0 => 0,
        1 => UserPtr::<i32>::new(tids).read().and_then(|tid| if tid > 0 { Ok(tid) } else { Err(Errno::EINVAL) })?,
        _ => return Err(Errno::EINVAL),
    };
    let exit_signal = exit_signal as u32;
    start(call, &Request { flags, exit_signal, stack, pidfd, parent_tid, child_tid, tls, tid })
}

fn start(call: &mut Call<'_>, request: &Request) -> Result<u64> {
    request.check(call)?;
    if request.has(CLONE_THREAD) { start_thread(call, request) } else { start_process(call, request) }
}

/// Makes the thread of a new task: registers and words are those of the caller, but for what was
/// asked for.
fn launch(call: &Call<'_>, request: &Request, task: &Arc<Task>, space: SpaceId) -> Result<Arc<rkt_sched::Thread>> {
    task.signals.inherit(&call.task.signals, request.has(CLONE_VM) && !request.has(CLONE_VFORK));
    task.seccomp.inherit(&call.task.seccomp);
    if request.has(CLONE_CHILD_CLEARTID) {
        task.clear_child_tid.store(request.child_tid, Ordering::Relaxed);
    }
    let word = if request.has(CLONE_CHILD_SETTID) { request.child_tid } else { 0 };
    let copied = (!request.has(CLONE_VM)).then(|| task.process.mm());
    let thread = boot::prepare_task(task, space, word, copied)?;
    task.set_scheduling(call.task.scheduling().of_child());
    task.io_priority.store(call.task.io_priority.load(Ordering::Relaxed), Ordering::Relaxed);
    task.memory_policy.store(call.task.memory_policy.load(Ordering::Relaxed), Ordering::Relaxed);
    let slack = call.task.timer_slack.now.load(Ordering::Relaxed);
    task.timer_slack.now.store(slack, Ordering::Relaxed);
    task.timer_slack.standard.store(slack, Ordering::Relaxed);
    thread.set_affinity(call.thread.affinity());
    let parent = call.thread.with_user(|state| {
        rkt_platform::complete(state);
        state.xsave
    });
    let fs_base = if request.has(CLONE_SETTLS) { request.tls } else { rkt_platform::fs_base() };
    let mut registers = *call.registers;
    registers.rax = 0;
    registers.full = 1;
    registers.orig_rax = u64::MAX;
    if request.stack != 0 {
        registers.rsp = request.stack;
    }
    thread.prepare_user(&registers, |state| {
        state.xsave = parent;
        state.fs_base = fs_base;
    });
    Ok(thread)
}

/// A descriptor for the new task, if asked for. The task has not started: it goes if this fails.
fn open_pidfd(call: &Call<'_>, request: &Request, task: &Arc<Task>) -> Result<()> {
    if !request.has(CLONE_PIDFD) {
        return Ok(());
    }
    let file = PidFd::of_new(task, request.has(CLONE_THREAD)).open(0);
    let fd = super::path::install(call, file, true)?;
    UserPtr::<i32>::new(request.pidfd).write(&(fd as i32)).inspect_err(|_| {
        drop(call.task.process.files().remove(fd as i32));
    })
}

fn tell_maker(request: &Request, tid: i32) {
    if request.has(CLONE_PARENT_SETTID) {
        // Linux ignores errors here.
        let _ = UserPtr::<i32>::new(request.parent_tid).write(&tid);
    }
}

fn start_thread(call: &mut Call<'_>, request: &Request) -> Result<u64> {
    let process = call.task.process.clone();
    let tid = request.number(call)?;
    let task = Task::new(tid, process.clone(), *call.task.name.lock());
    let thread = launch(call, request, &task, call.thread.space())?;
    if let Err(error) = open_pidfd(call, request, &task) {
        drop(task.release_thread());
        return Err(error);
    }
    tell_maker(request, tid);
    process.add_task(&task);
    if process.ended.lock().is_some() || process.is_replacing() {
        task.kill();
    }
    thread.wake();
    Ok(tid as u64)
}

/// A child process: in a copy of the caller's memory, or in the same (CLONE_VM).
fn start_process(call: &mut Call<'_>, request: &Request) -> Result<u64> {
    let maker = call.task.process.clone();
    let pid = request.number(call)?;
    let child = bear(call, request, &maker, pid)?;
    let task = Task::new(pid, child.clone(), *call.task.name.lock());
    let started = launch(call, request, &task, child.mm().space())
        .and_then(|thread| open_pidfd(call, request, &task).map(|()| thread));
    let thread = match started {
        Ok(thread) => thread,
        Err(error) => {
            drop(task.release_thread());
            abandon(&child);
            return Err(error);
        }
    };
    child.add_task(&task);
    tell_maker(request, pid);
    thread.wake();
    if request.has(CLONE_VFORK) {
        child.changed.wait_uninterruptible(|| {
            let released = child.executed.load(Ordering::SeqCst) || child.zombie.load(Ordering::SeqCst);
            (released || call.task.is_dying()).then_some(())
        });
    }
    Ok(pid as u64)
}

/// Makes the process, without a task.
fn bear(call: &Call<'_>, request: &Request, maker: &Arc<Process>, pid: i32) -> Result<Arc<Process>> {
    let mm = maker.mm();
    let mm = if request.has(CLONE_VM) {
        mm.users.join();
        mm
    } else {
        rewrite_known(&mm);
        Arc::new(mm.fork(copy_space)?)
    };
    let files = maker.files();
    let files = if request.has(CLONE_FILES) {
        files.users.join();
        files
    } else {
        Arc::new(files.fork())
    };
    let signals = maker.signals.fork(request.has(CLONE_SIGHAND));
    if request.flags & CLONE_CLEAR_SIGHAND != 0 {
        signals.forget_handlers();
    }
    let beside = request.has(CLONE_PARENT);
    let exit_signal = if beside { maker.exit_signal.load(Ordering::Relaxed) } else { request.exit_signal };
    let parent = maker.parent().filter(|_| beside).unwrap_or_else(|| call.task.process.clone());
    let shares_place = request.has(CLONE_FS);
    Ok(Process::child(maker, Birth { pid, parent, mm, files, signals, exit_signal, shares_place }))
}

/// Takes back a process that never ran.
fn abandon(child: &Arc<Process>) {
    if let Some(parent) = child.parent() {
        exit::collect(&parent, child.pid);
    }
    if child.files().users.leave() {
        drop(child.files().close_all());
    }
    let mm = child.mm();
    if mm.users.leave() {
        end_space(mm.space());
    }
}
