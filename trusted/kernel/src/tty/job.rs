//! Controlling terminals: whose terminal it is, and who is in its foreground (POSIX 2017 XBD §11.1).

use super::Tty;
use crate::jobs;
use crate::process::{self, Process};
use crate::signal::{self, IGNORE, Info};
use crate::task::Task;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use rkt_linux_abi::general::{CAP_SYS_ADMIN, SIGCONT, SIGHUP, SIGTTIN};
use rkt_linux_abi::{Errno, Result};

/// The session that a terminal controls, and the group in its foreground; 0 = none.
#[derive(Clone, Copy, Debug, Default)]
pub struct Job {
    session: i32,
    group: i32,
}

fn group(process: &Process) -> i32 {
    process.group.load(Ordering::Relaxed)
}

/// The session of a process.
pub fn session_of(process: &Process) -> i32 {
    process.session.load(Ordering::Relaxed)
}

fn leads_session(process: &Process) -> bool {
    session_of(process) == process.pid
}

/// Takes a terminal away from all processes of a session.
fn clear_session(session: i32) {
    for member in process::all().iter().filter(|member| session_of(member) == session) {
        drop(member.tty.lock().take());
    }
}

impl Tty {
    fn job(&self) -> Job {
        *self.job.lock()
    }

    /// The session that it controls; 0 = none.
    pub fn session(&self) -> i32 {
        self.job().session
    }

    /// The group in the foreground; 0 = none.
    pub fn foreground(&self) -> i32 {
        self.job().group
    }

    /// Puts a group into the foreground.
    pub fn set_foreground(&self, group: i32) {
        self.job.lock().group = group;
    }

    /// Sends a signal to the foreground.
    pub fn signal_foreground(&self, number: u32) {
        let group = self.foreground();
        if group != 0 {
            jobs::signal_group(group, number);
        }
    }

    /// Whether it is the process's controlling terminal.
    pub fn controls(&self, process: &Process) -> bool {
        process.tty.lock().as_ref().is_some_and(|tty| core::ptr::eq(&**tty, self))
    }

    /// Makes it the controlling terminal of a session's leader.
    pub fn acquire(self: &Arc<Self>, leader: &Process) {
        *self.job.lock() = Job { session: session_of(leader), group: group(leader) };
        *leader.tty.lock() = Some(self.clone());
    }

    /// What open(2) without O_NOCTTY does.
    pub fn acquire_if_free(self: &Arc<Self>, process: &Process) {
        if leads_session(process) && process.tty.lock().is_none() && self.session() == 0 {
            self.acquire(process);
        }
    }

    /// TIOCSCTTY; `steal` is its argument.
    ///
    /// # Errors
    /// `EPERM` if the caller leads no session or has a terminal, or the terminal is another's.
    pub fn claim(self: &Arc<Self>, process: &Process, steal: bool) -> Result<()> {
        let (own, of) = (session_of(process), self.session());
        if leads_session(process) && own == of {
            return Ok(());
        }
        if !leads_session(process) || process.tty.lock().is_some() {
            return Err(Errno::EPERM);
        }
        if of != 0 {
            if !steal || !process.credentials().capable(CAP_SYS_ADMIN) {
                return Err(Errno::EPERM);
            }
            clear_session(of);
        }
        self.acquire(process);
        Ok(())
    }

    /// Stops the caller's group if it is in the background of its terminal: reads are SIGTTIN, changes
    /// and, with TOSTOP, writes SIGTTOU.
    ///
    /// # Errors
    /// `ERESTARTSYS` if it was signalled; `EIO` if that would be in vain, for a reader that ignores it or
    /// a group that nobody could continue.
    pub fn check_foreground(&self, task: &Task, number: u32) -> Result<()> {
        let process = &task.process;
        let foreground = self.foreground();
        let own = group(process);
        if !self.controls(process) || foreground == 0 || foreground == own {
            return Ok(());
        }
        let ignored = process.signals.action(number).handler == IGNORE;
        if ignored || task.signals.blocked().contains(number) {
            return if number == SIGTTIN { Err(Errno::EIO) } else { Ok(()) };
        }
        if jobs::is_orphaned(process) {
            return Err(Errno::EIO);
        }
        jobs::signal_group(own, number);
        Err(Errno::ERESTARTSYS)
    }

    /// The other end has gone: the session's leader is told, and its processes have no terminal more.
    pub(super) fn lose_session(&self) {
        let Job { session, group } = core::mem::take(&mut *self.job.lock());
        if session == 0 {
            return;
        }
        clear_session(session);
        if let Some(leader) = process::find(session) {
            leader.old_foreground.store(group, Ordering::Relaxed);
            signal::send_to_process(&leader, Info::kernel(SIGHUP));
            signal::send_to_process(&leader, Info::kernel(SIGCONT));
        }
    }
}

fn hang_up(group: i32, go_on: bool) {
    if group != 0 {
        jobs::signal_group(group, SIGHUP);
        if go_on {
            jobs::signal_group(group, SIGCONT);
        }
    }
}

/// A process gives its controlling terminal up (TIOCNOTTY), or ends: if it leads the session, all of
/// the session do, and the foreground is told.
pub fn give_up(process: &Process, ends: bool) {
    if !leads_session(process) {
        drop(process.tty.lock().take());
        return;
    }
    let tty = process.tty.lock().clone();
    let Some(tty) = tty else {
        if ends {
            hang_up(process.old_foreground.swap(0, Ordering::Relaxed), true);
        }
        return;
    };
    let Job { session, group } = core::mem::take(&mut *tty.job.lock());
    hang_up(group, !ends);
    clear_session(session);
    drop(process.tty.lock().take());
}
