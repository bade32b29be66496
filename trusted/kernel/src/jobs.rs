//! Process groups and sessions: job control (POSIX 2017 XBD §11.1, credentials(7)).

use crate::process::{self, Process};
use crate::signal::{self, Info};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use rkt_linux_abi::general::{SIGCONT, SIGHUP};

fn group(process: &Process) -> i32 {
    process.group.load(Ordering::Relaxed)
}

fn session(process: &Process) -> i32 {
    process.session.load(Ordering::Relaxed)
}

/// The members of a group.
pub fn members(id: i32) -> Vec<Arc<Process>> {
    let mut all = process::all();
    all.retain(|process| group(process) == id);
    all
}

/// Whether a session has a group of this number.
pub fn has_group(of: i32, id: i32) -> bool {
    process::all().iter().any(|process| group(process) == id && session(process) == of)
}

/// Sends a signal of the kernel's to all members of a group.
pub fn signal_group(id: i32, number: u32) {
    for member in members(id) {
        signal::send_to_process(&member, Info::kernel(number));
    }
}

/// Whether the process's group is orphaned: no member has a parent in another group of the same
/// session, who could continue it.
pub fn is_orphaned(process: &Process) -> bool {
    is_orphaned_without(group(process), session(process), None)
}

fn is_orphaned_without(id: i32, of: i32, leaving: Option<i32>) -> bool {
    let counts = |process: &Process| Some(process.pid) != leaving && !process.zombie.load(Ordering::SeqCst);
    let controls = |member: &Arc<Process>| {
        counts(member)
            && member
                .parent()
                .is_some_and(|parent| group(&parent) != id && session(&parent) == of && Some(parent.pid) != leaving)
    };
    !members(id).iter().any(controls)
}

/// A group that is orphaned by the end of a process, and has stopped members, is told and goes on.
fn settle(id: i32, of: i32, leaving: i32) {
    let stopped = || members(id).iter().any(|member| member.pid != leaving && member.signals.is_stopped());
    if is_orphaned_without(id, of, Some(leaving)) && stopped() {
        signal_group(id, SIGHUP);
        signal_group(id, SIGCONT);
    }
}

/// The end of a process, as its own group and those of its children see it.
pub fn leave(process: &Arc<Process>) {
    let (own, of) = (group(process), session(process));
    let controls = process.parent().is_some_and(|parent| group(&parent) != own && session(&parent) == of);
    if controls {
        settle(own, of, process.pid);
    }
    let mut groups: Vec<i32> =
        process.children.lock().iter().filter(|child| session(child) == of).map(|c| group(c)).collect();
    groups.sort_unstable();
    groups.dedup();
    for id in groups.into_iter().filter(|&id| id != own) {
        settle(id, of, process.pid);
    }
}
