//! Signals that say that a file is ready, or that somebody wants its lease to end (fcntl(2)).

use super::{Info, send_to_process, send_to_task};
use crate::process::{self, Process};
use crate::{jobs, process::find_task};
use rkt_linux_abi::general::{F_OWNER_PID, F_OWNER_TID, SIGIO};
use rkt_vfs::{Owner, Readiness};

/// Sends the signal to the owner of a file.
pub fn tell_owner(owner: Owner, fd: i32, what: Readiness) {
    let info = match owner.signal {
        0 => Info::kernel(SIGIO),
        signal => Info::poll(signal, what.code, what.band, fd),
    };
    match owner.kind {
        F_OWNER_TID => {
            if let Some(task) = find_task(owner.id).filter(|task| allowed(&owner, &task.process)) {
                send_to_task(&task, info);
            }
        }
        F_OWNER_PID => {
            if let Some(process) = process::find(owner.id).filter(|process| allowed(&owner, process)) {
                send_to_process(&process, info);
            }
        }
        _ => jobs::members(owner.id)
            .iter()
            .filter(|member| allowed(&owner, member))
            .for_each(|member| send_to_process(member, info)),
    }
}

/// Whether who named the owner may signal the process: as kill(2).
fn allowed(owner: &Owner, process: &Process) -> bool {
    let (real, effective) = owner.by;
    let user = process.ids().user;
    effective == 0 || [user.real, user.saved].iter().any(|&id| id == real || id == effective)
}
