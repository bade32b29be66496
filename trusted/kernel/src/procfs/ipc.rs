//! /proc/sysvipc: the objects of System V IPC, one a line, in the columns that ipcs(1) reads.

use crate::ipc::{PermissionsAbi, message, semaphore, shared};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Write;
use rkt_linux_abi::Result;
use rkt_vfs::pseudo::PseudoDir;

/// Adds the directory to /proc.
pub(super) fn fill(proc: &Arc<PseudoDir>) -> Result<()> {
    proc.add_text("sysvipc/msg", messages)?;
    proc.add_text("sysvipc/sem", semaphores)?;
    proc.add_text("sysvipc/shm", segments)
}

/// Owner and creator, as all three tables have them.
fn owners(of: &PermissionsAbi) -> [u32; 4] {
    [of.uid, of.gid, of.creator_uid, of.creator_gid]
}

fn messages() -> Result<Vec<u8>> {
    let mut text = String::from(
        "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime      rtime      ctime\n",
    );
    for object in message::queues().all() {
        let of = message::stat(&object);
        let [uid, gid, cuid, cgid] = owners(&of.permissions);
        let _ = writeln!(
            text,
            "{:10} {:10}  {:4o}  {:10} {:10} {:5} {:5} {uid:5} {gid:5} {cuid:5} {cgid:5} {:10} {:10} {:10}",
            of.permissions.key,
            object.id,
            of.permissions.mode,
            of.bytes,
            of.count,
            of.last_sender,
            of.last_receiver,
            of.sent_at,
            of.received_at,
            of.changed_at,
        );
    }
    Ok(text.into_bytes())
}

fn semaphores() -> Result<Vec<u8>> {
    let mut text =
        String::from("       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n");
    for object in semaphore::sets().all() {
        let of = semaphore::stat(&object);
        let [uid, gid, cuid, cgid] = owners(&of.permissions);
        let _ = writeln!(
            text,
            "{:10} {:10}  {:4o} {:10} {uid:5} {gid:5} {cuid:5} {cgid:5} {:10} {:10}",
            of.permissions.key, object.id, of.permissions.mode, of.count, of.operated_at, of.changed_at,
        );
    }
    Ok(text.into_bytes())
}

fn segments() -> Result<Vec<u8>> {
    let mut text = String::from(
        "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime      ctime                   rss                  swap\n",
    );
    for object in shared::segments().all() {
        let of = shared::stat(&object);
        let [uid, gid, cuid, cgid] = owners(&of.permissions);
        let resident = object.body.resident();
        let _ = writeln!(
            text,
            "{:10} {:10}  {:4o} {:21} {:5} {:5}  {:5} {uid:5} {gid:5} {cuid:5} {cgid:5} {:10} {:10} {:10} {resident:21} {:21}",
            of.permissions.key,
            object.id,
            of.permissions.mode,
            of.size,
            of.creator,
            of.last,
            of.attached,
            of.attached_at,
            of.detached_at,
            of.changed_at,
            0,
        );
    }
    Ok(text.into_bytes())
}
