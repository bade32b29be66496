//! Waiting for children: wait4(2), waitid(2).

use super::Call;
use super::abi::Rusage;
use crate::pidfd::PidFd;
use crate::process::{self, Ended, Process};
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use rkt_linux_abi::general::{
    __WALL, __WCLONE, __WNOTHREAD, CLD_CONTINUED, CLD_DUMPED, CLD_EXITED, CLD_KILLED, CLD_STOPPED, P_ALL, P_PGID,
    P_PID, P_PIDFD, SIGCHLD, SIGCONT, WCONTINUED, WEXITED, WNOHANG, WNOWAIT, WSTOPPED, WUNTRACED,
};
use rkt_linux_abi::{Errno, Result};
use rkt_user::UserPtr;

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
        parent.take_over_usage(child);
    }
    Ok(found)
}

fn rusage(child: &Process) -> Rusage {
    let (theirs, peak) = *child.children_usage.lock();
    Rusage::new(&child.usage().plus(theirs), peak.max(child.peak()))
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
    let mut impatient = false;
    let whom = match kind {
        P_ALL => Whom::Any,
        P_PID if id > 0 => Whom::Pid(id),
        P_PGID if id == 0 => Whom::Group(call.task.process.group.load(Ordering::Relaxed)),
        P_PGID if id > 0 => Whom::Group(id),
        P_PIDFD if id >= 0 => {
            let file = super::fd::usable(call, id)?;
            let process = file.ops_as::<PidFd>().ok_or(Errno::EBADF)?.process();
            // PIDFD_NONBLOCK: asks without waiting, and says so (waitid(2)).
            impatient = file.nonblocking() && options & WNOHANG == 0;
            Whom::Pid(process.ok_or(Errno::ECHILD)?.pid)
        }
        _ => return Err(Errno::EINVAL),
    };
    let found = wait_for(call, whom, options | if impatient { WNOHANG } else { 0 })?;
    if impatient && found.is_none() {
        return Err(Errno::EAGAIN);
    }
    let (signal, code, pid, uid, status) = match &found {
        None => (0, 0, 0, 0, 0),
        Some((child, report)) => {
            let (code, status) = report.code();
            (SIGCHLD, code, child.pid as u32, child.ids().user.real, status)
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
