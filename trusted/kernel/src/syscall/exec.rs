//! execve(2), execveat(2).

use super::{Answer, Call, Outcome};
use crate::boot;
use crate::exec::{self, ARGUMENTS_MAX, Program, STRING_MAX};
use crate::exit;
use crate::process::Ended;
use crate::task::Task;
use alloc::vec::Vec;
use rkt_linux_abi::general::{AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW, SIGKILL};
use rkt_linux_abi::{Errno, Result};
use rkt_user::{UserPtr, read_c_string};
use rkt_vfs::Resolve;

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
    exit::end_others(call.task)?;
    exec::replace(call.task, prepared, call.registers)?;
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
    leader.seccomp.inherit(&call.task.seccomp);
    match boot::prepare_task(&leader, call.thread.space(), 0, None) {
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
