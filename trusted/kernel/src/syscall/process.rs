//! clone, execve, exit, wait.

use super::{Answer, Call, Outcome};
use crate::boot;
use crate::exec::{self, ARGUMENTS_MAX, Program, STRING_MAX};
use crate::exit;
use crate::process::{self, Ended, Process};
use crate::task::Task;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use rkt_linux_abi::general::{
    __WALL, __WCLONE, __WNOTHREAD, AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW, CLD_CONTINUED, CLD_DUMPED, CLD_EXITED,
    CLD_KILLED, CLD_STOPPED, CLONE_CHILD_CLEARTID, CLONE_CHILD_SETTID, CLONE_DETACHED, CLONE_FILES, CLONE_FS, CLONE_IO,
    CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUSER, CLONE_NEWUTS,
    CLONE_PARENT_SETTID, CLONE_PTRACE, CLONE_SETTLS, CLONE_SIGHAND, CLONE_SYSVSEM, CLONE_THREAD, CLONE_UNTRACED,
    CLONE_VFORK, CLONE_VM, P_ALL, P_PGID, P_PID, SIGCHLD, SIGCONT, SIGKILL, WCONTINUED, WEXITED, WNOHANG, WNOWAIT,
    WSTOPPED, WUNTRACED,
};
use rkt_linux_abi::{Errno, Result};
use rkt_platform::{MapError, SpaceId, USER_END};
use rkt_user::{UserPtr, UserSlice, read_c_string};
use rkt_vfs::Resolve;

/// Namespaces do not exist here.
const NAMESPACES: u32 =
    CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
/// What a thread of the same process has to share.
const THREAD: u32 = CLONE_VM | CLONE_SIGHAND | CLONE_THREAD;
const FLAGS: u32 = THREAD
    | CLONE_FS
    | CLONE_FILES
    | CLONE_SYSVSEM
    | CLONE_SETTLS
    | CLONE_PARENT_SETTID
    | CLONE_CHILD_SETTID
    | CLONE_CHILD_CLEARTID
    | CLONE_DETACHED
    | CLONE_IO
    | CLONE_UNTRACED
    | CLONE_VFORK;

/// What clone(2) was asked for.
struct Request {
    flags: u32,
    exit_signal: u32,
    stack: u64,
    parent_tid: u64,
    child_tid: u64,
    tls: u64,
}

/// clone(2), with the argument order of x86-64.
pub fn clone(call: &mut Call<'_>, flags: u64, stack: u64, parent_tid: u64, child_tid: u64, tls: u64) -> Result<u64> {
    let request =
        Request { flags: flags as u32 & !0xff, exit_signal: flags as u32 & 0xff, stack, parent_tid, child_tid, tls };
    start(call, &request)
}

/// fork(2).
pub fn fork(call: &mut Call<'_>) -> Result<u64> {
    start(call, &Request { flags: 0, exit_signal: SIGCHLD, stack: 0, parent_tid: 0, child_tid: 0, tls: 0 })
}

/// vfork(2).
pub fn vfork(call: &mut Call<'_>) -> Result<u64> {
    let flags = CLONE_VM | CLONE_VFORK;
    start(call, &Request { flags, exit_signal: SIGCHLD, stack: 0, parent_tid: 0, child_tid: 0, tls: 0 })
}

fn start(call: &mut Call<'_>, request: &Request) -> Result<u64> {
    let flags = request.flags;
    if flags & (NAMESPACES | CLONE_PTRACE) != 0 {
        return Err(Errno::EPERM);
    }
    if flags & !FLAGS != 0
        || flags & CLONE_SIGHAND != 0 && flags & CLONE_VM == 0
        || flags & CLONE_THREAD != 0 && flags & CLONE_SIGHAND == 0
        || request.exit_signal > 64
    {
        return Err(Errno::EINVAL);
    }
    if flags & CLONE_SETTLS != 0 && request.tls >= USER_END {
        return Err(Errno::EPERM);
    }
    if flags & CLONE_THREAD != 0 { start_thread(call, request) } else { start_process(call, request) }
}

/// The parts that threads and processes have in common: the words and the registers.
fn launch(call: &mut Call<'_>, request: &Request, task: &Arc<Task>, space: SpaceId) -> Result<Arc<rkt_sched::Thread>> {
    let flags = request.flags;
    task.signals.inherit(&call.task.signals, flags & CLONE_VM != 0 && flags & CLONE_VFORK == 0);
    if flags & CLONE_CHILD_CLEARTID != 0 {
        task.clear_child_tid.store(request.child_tid, Ordering::Relaxed);
    }
    let thread = boot::prepare_task(task, space)?;
    thread.set_affinity(call.thread.affinity());
    let parent = call.thread.with_user(|state| {
        rkt_platform::complete(state);
        state.xsave
    });
    let fs_base = if flags & CLONE_SETTLS != 0 { request.tls } else { rkt_platform::fs_base() };
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

fn start_thread(call: &mut Call<'_>, request: &Request) -> Result<u64> {
    let process = call.task.process.clone();
    let tid = process::allocate_id();
    let task = Task::new(tid, process.clone(), *call.task.name.lock());
    let thread = launch(call, request, &task, call.thread.space())?;
    if request.flags & CLONE_PARENT_SETTID != 0 {
        UserPtr::<i32>::new(request.parent_tid).write(&tid)?;
    }
    if request.flags & CLONE_CHILD_SETTID != 0 {
        let _ = UserPtr::<i32>::new(request.child_tid).write(&tid);
    }
    process.add_task(&task);
    if process.ended.lock().is_some() {
        task.kill();
    }
    thread.wake();
    Ok(tid as u64)
}

/// Numbers of address spaces that are tried: as many as the platform holds.
const SPACES: u32 = 4096;

/// Copies the running address space on write; gives the number of the copy.
fn copy_space() -> Result<SpaceId> {
    // The lowest number first: what is left of an ended space is freed when its number is asked for.
    for space in 1..SPACES {
        match rkt_platform::fork(SpaceId(space)) {
            Ok(()) => return Ok(SpaceId(space)),
            Err(MapError::Busy) => {}
            Err(MapError::Unsupported) => return Err(Errno::ENOSYS),
            Err(_) => return Err(Errno::EAGAIN),
        }
    }
    Err(Errno::EAGAIN)
}

/// The last process in an address space has ended or moved out: its carriers go. The running
/// thread needs none any more.
pub fn release_space(space: SpaceId) {
    rkt_sched::current().set_space(SpaceId::NONE);
    rkt_platform::end_space(space);
}

/// A child process. Its memory is a copy made by the platform, also where CLONE_VM asks for the
/// parent's own: vfork's child only sees what it would see anyway, and the parent waits for it.
fn start_process(call: &mut Call<'_>, request: &Request) -> Result<u64> {
    let flags = request.flags;
    if flags & CLONE_VM != 0 && flags & CLONE_VFORK == 0 {
        return Err(Errno::EINVAL);
    }
    let parent = call.task.process.clone();
    let pid = process::allocate_id();
    let files = if flags & CLONE_FILES != 0 { parent.files() } else { Arc::new(parent.files().fork()) };
    // The words of the child are written before the copy is made: both sides see them, as the
    // parent may with CLONE_VM; without it the parent's word is put back.
    let saved = child_word(request, pid);
    let mm = parent.mm();
    let copied = copy_space();
    restore_child_word(request, saved);
    let space = copied?;
    let child = Process::child(&parent, pid, mm.fork(space), files, request.exit_signal);
    let task = Task::new(pid, child.clone(), *call.task.name.lock());
    let thread = launch(call, request, &task, space)?;
    child.add_task(&task);
    if flags & CLONE_PARENT_SETTID != 0 {
        let _ = UserPtr::<i32>::new(request.parent_tid).write(&pid);
    }
    thread.wake();
    if flags & CLONE_VFORK != 0 {
        child.changed.wait_uninterruptible(|| {
            let released = child.executed.load(Ordering::SeqCst) || child.zombie.load(Ordering::SeqCst);
            released.then_some(())
        });
    }
    Ok(pid as u64)
}

fn child_word(request: &Request, pid: i32) -> Option<i32> {
    if request.flags & CLONE_CHILD_SETTID == 0 {
        return None;
    }
    let word = UserPtr::<i32>::new(request.child_tid);
    let saved = word.read().ok()?;
    word.write(&pid).ok()?;
    Some(saved)
}

fn restore_child_word(request: &Request, saved: Option<i32>) {
    if let Some(saved) = saved {
        let _ = UserPtr::<i32>::new(request.child_tid).write(&saved);
    }
}

/// set_tid_address(2).
pub fn set_tid_address(call: &mut Call<'_>, address: u64) -> Result<u64> {
    call.task.clear_child_tid.store(address, Ordering::Relaxed);
    Ok(call.task.tid as u64)
}

/// exit(2): ends the calling task.
pub fn exit(call: &mut Call<'_>, status: i32) -> Answer {
    if call.task.process.task_count() == 1 {
        call.task.process.ended.lock().get_or_insert(Ended::Code(status as u8));
    }
    exit::end_current(call.task)
}

/// exit_group(2): ends the process.
pub fn exit_group(call: &mut Call<'_>, status: i32) -> Answer {
    call.task.process.end(Ended::Code(status as u8));
    exit::end_current(call.task)
}

fn strings(array: u64, budget: &mut usize) -> Result<Vec<Vec<u8>>> {
    let mut out = Vec::new();
    if array == 0 {
        return Ok(out);
    }
    loop {
        let pointer = UserPtr::<u64>::new(array).nth(out.len())?.read()?;
        if pointer == 0 {
            return Ok(out);
        }
        let string = read_c_string(pointer, STRING_MAX - 1).map_err(|error| match error {
            Errno::ENAMETOOLONG => Errno::E2BIG,
            error => error,
        })?;
        *budget = budget.checked_sub(string.len() + 9).ok_or(Errno::E2BIG)?;
        out.push(string);
    }
}

/// execve(2).
pub fn execve(call: &mut Call<'_>, path: u64, argv: u64, envp: u64) -> Answer {
    execveat(call, rkt_linux_abi::general::AT_FDCWD, path, argv, envp, 0)
}

/// execveat(2).
pub fn execveat(call: &mut Call<'_>, dirfd: i32, path: u64, argv: u64, envp: u64, flags: u32) -> Answer {
    if flags & !(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) != 0 {
        return Err(Errno::EINVAL);
    }
    let process = call.task.process.clone();
    let path = read_c_string(path, 4095)?;
    let how = Resolve {
        follow: flags & AT_SYMLINK_NOFOLLOW == 0,
        allow_empty: flags & AT_EMPTY_PATH != 0,
        ..Resolve::FOLLOW
    };
    let base = super::path::base(&process, dirfd, &path)?;
    let file = exec::open(&process, base.as_ref(), &path, how)?;
    let mut budget = ARGUMENTS_MAX;
    let mut argv = strings(argv, &mut budget)?;
    let envp = strings(envp, &mut budget)?;
    if argv.is_empty() {
        argv.push(Vec::new()); // since Linux 5.18
    }
    let name = match (base.is_some(), path.first()) {
        (_, Some(b'/')) | (false, _) => path,
        (true, None) => alloc::format!("/dev/fd/{dirfd}").into_bytes(),
        (true, _) => [alloc::format!("/dev/fd/{dirfd}/").as_bytes(), &path].concat(),
    };
    let prepared = exec::prepare(&process, Program { file, name, argv, envp })?;
    exit::end_others(call.task);
    exec::replace(call.task, prepared, call.registers)?;
    process.changed.wake_all(0);
    if !call.task.is_leader() && !call.task.is_dying() {
        go_on_as_leader(call);
    }
    Ok(Outcome::Done)
}

/// The program of an execve that another thread than the first one made starts as the first
/// one, whose number is that of the process; the caller ends.
fn go_on_as_leader(call: &mut Call<'_>) -> ! {
    let process = &call.task.process;
    let leader = Task::new(process.pid, process.clone(), *call.task.name.lock());
    leader.signals.inherit(&call.task.signals, true);
    match boot::prepare_task(&leader, call.thread.space()) {
        Ok(thread) => {
            thread.set_affinity(call.thread.affinity());
            thread.prepare_user(call.registers, |_| {});
            process.add_task(&leader);
            if process.ended.lock().is_some() {
                leader.kill();
            }
            thread.wake();
        }
        Err(_) => process.end(Ended::Signal(SIGKILL as u8, false)),
    }
    exit::end_current(call.task)
}

/// Which children a wait is for.
#[derive(Clone, Copy)]
enum Whom {
    Any,
    Pid(i32),
    Group(i32),
}

impl Whom {
    fn matches(self, child: &Process, options: u32) -> bool {
        // Clone children are those that end with another signal than SIGCHLD, or none.
        let clone = child.exit_signal.load(Ordering::Relaxed) != SIGCHLD;
        let kind = options & __WALL != 0 || clone == (options & __WCLONE != 0);
        kind && match self {
            Self::Any => true,
            Self::Pid(pid) => child.pid == pid,
            Self::Group(group) => child.group.load(Ordering::Relaxed) == group,
        }
    }
}

/// What wait(2) reports of a child.
#[derive(Clone, Copy)]
enum Report {
    Ended(Ended),
    Stopped(u32),
    Continued,
}

impl Report {
    /// The word that wait4 stores.
    fn status(self) -> u32 {
        match self {
            Self::Ended(how) => how.wait_status(),
            Self::Stopped(signal) => signal << 8 | 0x7f,
            Self::Continued => 0xffff,
        }
    }

    /// `si_code` and `si_status` of waitid.
    fn code(self) -> (u32, u32) {
        match self {
            Self::Ended(Ended::Code(code)) => (CLD_EXITED, code.into()),
            Self::Ended(Ended::Signal(signal, true)) => (CLD_DUMPED, signal.into()),
            Self::Ended(Ended::Signal(signal, false)) => (CLD_KILLED, signal.into()),
            Self::Stopped(signal) => (CLD_STOPPED, signal),
            Self::Continued => (CLD_CONTINUED, SIGCONT),
        }
    }

    /// What there is to report of a child; not of its end. Taken unless with WNOWAIT.
    fn of_living(child: &Process, options: u32) -> Option<Self> {
        let has = |flag| options & flag != 0;
        match child.signals.wait_status(has(WSTOPPED), has(WCONTINUED), !has(WNOWAIT))? {
            0xffff => Some(Self::Continued),
            status => Some(Self::Stopped(status >> 8)),
        }
    }
}

/// Waits for a child to change, and takes it off the list if it is dead, unless with WNOWAIT.
/// None with WNOHANG.
fn wait_for(call: &Call<'_>, whom: Whom, options: u32) -> Result<Option<(Arc<Process>, Report)>> {
    let parent = &call.task.process;
    let look = || {
        let mut children = parent.children.lock();
        let mut any = false;
        for at in 0..children.len() {
            let Some(child) = children.get(at).filter(|child| whom.matches(child, options)).cloned() else { continue };
            any = true;
            if child.zombie.load(Ordering::SeqCst) {
                if options & WEXITED != 0 {
                    let how = child.ended.lock().unwrap_or(Ended::Code(0));
                    if options & WNOWAIT == 0 {
                        children.remove(at);
                    }
                    return Some(Ok(Some((child, Report::Ended(how)))));
                }
            } else if let Some(report) = Report::of_living(&child, options) {
                return Some(Ok(Some((child, report))));
            }
        }
        if !any {
            return Some(Err(Errno::ECHILD));
        }
        (options & WNOHANG != 0).then_some(Ok(None))
    };
    let found = parent.child_changed.wait(None, look).map_err(|_| Errno::ERESTARTSYS)??;
    if let Some((child, Report::Ended(_))) = &found
        && options & WNOWAIT == 0
    {
        process::forget(child.pid);
        let total = child.cpu_ns() + child.children_ns.load(Ordering::Relaxed);
        parent.children_ns.fetch_add(total, Ordering::Relaxed);
    }
    Ok(found)
}

fn rusage(child: &Process) -> super::abi::Rusage {
    super::abi::Rusage::of_ns(child.cpu_ns() + child.children_ns.load(Ordering::Relaxed))
}

/// wait4(2).
pub fn wait4(call: &mut Call<'_>, pid: i32, status: u64, options: u32, usage: u64) -> Result<u64> {
    if options & !(WNOHANG | WUNTRACED | WCONTINUED | __WALL | __WCLONE | __WNOTHREAD) != 0 {
        return Err(Errno::EINVAL);
    }
    let whom = match pid {
        i32::MIN => return Err(Errno::ESRCH),
        -1 => Whom::Any,
        0 => Whom::Group(call.task.process.group.load(Ordering::Relaxed)),
        pid if pid < 0 => Whom::Group(-pid),
        pid => Whom::Pid(pid),
    };
    let Some((child, report)) = wait_for(call, whom, options | WEXITED)? else { return Ok(0) };
    UserPtr::<u32>::new(status).write_nullable(&report.status())?;
    UserPtr::new(usage).write_nullable(&rusage(&child))?;
    Ok(child.pid as u64)
}

/// waitid(2).
pub fn waitid(call: &mut Call<'_>, kind: u32, id: i32, info: u64, options: u32, usage: u64) -> Result<u64> {
    let events = WEXITED | WSTOPPED | WCONTINUED;
    if options & !(WNOHANG | WNOWAIT | events | __WALL | __WCLONE | __WNOTHREAD) != 0 || options & events == 0 {
        return Err(Errno::EINVAL);
    }
    let whom = match kind {
        P_ALL => Whom::Any,
        P_PID if id > 0 => Whom::Pid(id),
        P_PGID if id == 0 => Whom::Group(call.task.process.group.load(Ordering::Relaxed)),
        P_PGID if id > 0 => Whom::Group(id),
        _ => return Err(Errno::EINVAL),
    };
    let found = wait_for(call, whom, options)?;
    let (signal, code, pid, uid, status) = match &found {
        None => (0, 0, 0, 0, 0),
        Some((child, report)) => {
            let (code, status) = report.code();
            (SIGCHLD, code, child.pid as u32, child.ids.lock().user.real, status)
        }
    };
    if info != 0 {
        // si_signo, si_errno, si_code, padding, si_pid, si_uid, si_status.
        UserPtr::<u32>::new(info).write_array(&[signal, 0, code, 0, pid, uid, status])?;
    }
    if let Some((child, _)) = &found {
        UserPtr::new(usage).write_nullable(&rusage(child))?;
    }
    Ok(0)
}

/// `struct clone_args` of the first version (64 bytes), the part that every caller passes.
const CLONE_ARGS_MIN: usize = 64;

/// clone3(2).
pub fn clone3(call: &mut Call<'_>, args: u64, size: usize) -> Result<u64> {
    if size < CLONE_ARGS_MIN {
        return Err(Errno::EINVAL);
    }
    if size > 4096 {
        return Err(Errno::E2BIG);
    }
    let bytes = UserSlice::new(args, size)?.to_vec()?;
    let word = |n: usize| bytes.get(n * 8..n * 8 + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_ne_bytes);
    let [flags, _pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls] = core::array::from_fn(word);
    // set_tid, set_tid_size, cgroup and whatever a newer caller has behind them.
    if bytes.get(CLONE_ARGS_MIN..).is_some_and(|rest| rest.iter().any(|&byte| byte != 0)) {
        return Err(Errno::E2BIG);
    }
    if flags & !0xffff_ffff != 0 && flags >> 32 != 1 || flags & 0xff != 0 || exit_signal > 64 {
        return Err(Errno::EINVAL);
    }
    if (stack == 0) != (stack_size == 0) {
        return Err(Errno::EINVAL);
    }
    let stack = stack.checked_add(stack_size).filter(|&top| top <= USER_END).ok_or(Errno::EINVAL)?;
    let request = Request { flags: flags as u32, exit_signal: exit_signal as u32, stack, parent_tid, child_tid, tls };
    if request.flags & CLONE_THREAD != 0 && exit_signal != 0 {
        return Err(Errno::EINVAL);
    }
    start(call, &request)
}
