//! System V IPC: shmget(2), semget(2), msgget(2) and what works on their objects.

use super::Call;
use super::abi::Timespec;
use crate::ipc::registry::{MOST, Object, READ, Registry, WRITE};
use crate::ipc::semaphore::{self, Operation, Query, SEMMSL, SEMOPM, SEMVMX};
use crate::ipc::{IPC_64, IPC_INFO, IPC_RMID, IPC_SET, IPC_STAT, message, set, shared};
use alloc::sync::Arc;
use alloc::vec::Vec;
use rkt_linux_abi::general::{CAP_IPC_LOCK, CAP_SYS_RESOURCE};
use rkt_linux_abi::{Errno, Result};
use rkt_user::{UserPtr, UserSlice};

/// Commands of the kinds (linux/shm.h, linux/sem.h, linux/msg.h).
const SHM_LOCK: u32 = 11;
const SHM_UNLOCK: u32 = 12;
const SHM_STAT: u32 = 13;
const SHM_INFO: u32 = 14;
const SHM_STAT_ANY: u32 = 15;
const GETPID: u32 = 11;
const GETVAL: u32 = 12;
const GETALL: u32 = 13;
const GETNCNT: u32 = 14;
const GETZCNT: u32 = 15;
const SETVAL: u32 = 16;
const SETALL: u32 = 17;
const SEM_STAT: u32 = 18;
const SEM_INFO: u32 = 19;
const SEM_STAT_ANY: u32 = 20;
const MSG_STAT: u32 = 11;
const MSG_INFO: u32 = 12;
const MSG_STAT_ANY: u32 = 13;

/// The object that a command is about, for those that look at it; and what the call gives.
fn looked_at<T>(
    call: &Call<'_>,
    all: &Registry<T>,
    id: i32,
    by_index: bool,
    any: bool,
) -> Result<(Arc<Object<T>>, u64)> {
    let object = if by_index { all.at(id)? } else { all.find(id)? };
    if !any {
        object.check(&call.task.process.credentials(), READ)?;
    }
    let value = if by_index { object.id as u64 } else { 0 };
    Ok((object, value))
}

/// shmget(2).
pub fn shmget(call: &mut Call<'_>, key: i32, size: u64, flags: u32) -> Result<u64> {
    shared::get(&call.task.process, key, size, flags).map(|id| id as u64)
}

/// shmat(2).
pub fn shmat(call: &mut Call<'_>, id: i32, address: u64, flags: u32) -> Result<u64> {
    shared::attach(&call.task.process, id, address, flags)
}

/// shmdt(2).
pub fn shmdt(call: &mut Call<'_>, address: u64) -> Result<u64> {
    shared::detach(&call.task.process, address).map(|()| 0)
}

/// shmctl(2).
pub fn shmctl(call: &mut Call<'_>, id: i32, command: u32, buf: u64) -> Result<u64> {
    let credentials = call.task.process.credentials();
    let all = shared::segments();
    match command & !IPC_64 {
        IPC_INFO => {
            // shmmax, shmmin, shmmni, shmseg, shmall, and four that are unused.
            let limits = [shared::SHMMAX, 1, MOST as u64, MOST as u64, shared::SHMMAX, 0, 0, 0, 0];
            UserPtr::<u64>::new(buf).write_array(&limits)?;
            Ok(all.highest())
        }
        SHM_INFO => {
            let (segments, pages) = shared::totals();
            UserPtr::<u64>::new(buf).write_array(&[segments, pages, pages, 0, 0, 0])?;
            Ok(all.highest())
        }
        command @ (IPC_STAT | SHM_STAT | SHM_STAT_ANY) => {
            let (object, value) = looked_at(call, all, id, command != IPC_STAT, command == SHM_STAT_ANY)?;
            UserPtr::new(buf).write(&shared::stat(&object))?;
            Ok(value)
        }
        IPC_SET => {
            let new = UserPtr::<shared::SegmentAbi>::new(buf).read()?;
            let object = all.find(id)?;
            set(&object, &credentials, &new.permissions)?;
            shared::touch(&object);
            Ok(0)
        }
        IPC_RMID => {
            let object = all.find(id)?;
            object.check_owner(&credentials)?;
            shared::remove(&object);
            Ok(0)
        }
        command @ (SHM_LOCK | SHM_UNLOCK) => {
            let object = all.find(id)?;
            if !credentials.capable(CAP_IPC_LOCK) {
                object.check_owner(&credentials)?;
            }
            shared::lock(&object, command == SHM_LOCK);
            Ok(0)
        }
        _ => Err(Errno::EINVAL),
    }
}

/// semget(2).
pub fn semget(call: &mut Call<'_>, key: i32, count: i32, flags: u32) -> Result<u64> {
    semaphore::get(&call.task.process, key, count, flags).map(|id| id as u64)
}

/// semop(2).
pub fn semop(call: &mut Call<'_>, id: i32, operations: u64, count: usize) -> Result<u64> {
    semtimedop(call, id, operations, count, 0)
}

/// semtimedop(2).
pub fn semtimedop(call: &mut Call<'_>, id: i32, operations: u64, count: usize, timeout: u64) -> Result<u64> {
    let timeout = UserPtr::<Timespec>::new(timeout).nullable().map(|timeout| timeout.read()?.to_ns()).transpose()?;
    if count == 0 {
        return Err(Errno::EINVAL);
    }
    if count > SEMOPM {
        return Err(Errno::E2BIG);
    }
    let operations = UserPtr::<Operation>::new(operations).read_array(count)?;
    let deadline = timeout.map(|timeout| rkt_platform::now().saturating_add(timeout));
    semaphore::operate(&call.task.process, id, &operations, deadline).map(|()| 0)
}

/// semctl(2).
pub fn semctl(call: &mut Call<'_>, id: i32, number: i32, command: u32, argument: u64) -> Result<u64> {
    let process = &call.task.process;
    let credentials = process.credentials();
    let all = semaphore::sets();
    let at = usize::try_from(number).map_err(|_| Errno::EINVAL);
    let query = |query| {
        let object = all.find(id)?;
        object.check(&credentials, READ)?;
        object.body.query(at?, query)
    };
    match command & !IPC_64 {
        GETVAL => query(Query::Value),
        GETPID => query(Query::Last),
        GETNCNT => query(Query::Waiting),
        GETZCNT => query(Query::WaitingZero),
        GETALL => {
            let object = all.find(id)?;
            object.check(&credentials, READ)?;
            UserPtr::<u16>::new(argument).write_array(&object.body.values())?;
            Ok(0)
        }
        SETVAL => {
            let object = all.find(id)?;
            object.check(&credentials, WRITE)?;
            semaphore::set_values(&object, at?, &[argument as i32], false, process.pid).map(|()| 0)
        }
        SETALL => {
            let object = all.find(id)?;
            object.check(&credentials, WRITE)?;
            let values = UserPtr::<u16>::new(argument).read_array(object.body.count())?;
            let values: Vec<i32> = values.into_iter().map(i32::from).collect();
            semaphore::set_values(&object, 0, &values, true, process.pid).map(|()| 0)
        }
        command @ (IPC_STAT | SEM_STAT | SEM_STAT_ANY) => {
            let (object, value) = looked_at(call, all, id, command != IPC_STAT, command == SEM_STAT_ANY)?;
            UserPtr::new(argument).write(&semaphore::stat(&object))?;
            Ok(value)
        }
        IPC_SET => {
            let new = UserPtr::<semaphore::SetAbi>::new(argument).read()?;
            let object = all.find(id)?;
            set(&object, &credentials, &new.permissions)?;
            semaphore::touch(&object);
            Ok(0)
        }
        IPC_RMID => {
            let object = all.find(id)?;
            object.check_owner(&credentials)?;
            semaphore::remove(&object);
            Ok(0)
        }
        command @ (IPC_INFO | SEM_INFO) => {
            let sets = all.all();
            let semaphores: usize = sets.iter().map(|object| object.body.count()).sum();
            let [used, total] = if command == SEM_INFO { [sets.len(), semaphores] } else { [20, SEMVMX as usize] };
            // semmap, semmni, semmns, semmnu, semmsl, semopm, semume, semusz, semvmx, semaem.
            let limits = [
                SEMMSL * MOST,
                MOST,
                SEMMSL * MOST,
                SEMMSL * MOST,
                SEMMSL,
                SEMOPM,
                SEMOPM,
                used,
                SEMVMX as usize,
                total,
            ];
            let limits: Vec<i32> = limits.into_iter().map(|limit| limit as i32).collect();
            UserPtr::<i32>::new(argument).write_array(&limits)?;
            Ok(all.highest())
        }
        _ => Err(Errno::EINVAL),
    }
}

/// msgget(2).
pub fn msgget(call: &mut Call<'_>, key: i32, flags: u32) -> Result<u64> {
    message::get(&call.task.process, key, flags).map(|id| id as u64)
}

/// msgsnd(2).
pub fn msgsnd(call: &mut Call<'_>, id: i32, buf: u64, size: usize, flags: u32) -> Result<u64> {
    let kind = UserPtr::<i64>::new(buf).read()?;
    if size > message::MSGMAX || id < 0 || kind < 1 {
        return Err(Errno::EINVAL);
    }
    let text = buf.checked_add(8).ok_or(Errno::EFAULT)?;
    let bytes = UserSlice::new(text, size)?.to_vec()?;
    message::send(&call.task.process, id, kind, bytes, flags).map(|()| 0)
}

/// msgrcv(2).
pub fn msgrcv(call: &mut Call<'_>, id: i32, buf: u64, size: usize, kind: i64, flags: u32) -> Result<u64> {
    if id < 0 || size > isize::MAX as usize {
        return Err(Errno::EINVAL);
    }
    let (kind, bytes) = message::receive(&call.task.process, id, size, kind, flags)?;
    UserPtr::<i64>::new(buf).write(&kind)?;
    let text = buf.checked_add(8).ok_or(Errno::EFAULT)?;
    UserSlice::new(text, bytes.len())?.write_all(&bytes)?;
    Ok(bytes.len() as u64)
}

/// msgctl(2).
pub fn msgctl(call: &mut Call<'_>, id: i32, command: u32, buf: u64) -> Result<u64> {
    let credentials = call.task.process.credentials();
    let all = message::queues();
    match command & !IPC_64 {
        command @ (IPC_STAT | MSG_STAT | MSG_STAT_ANY) => {
            let (object, value) = looked_at(call, all, id, command != IPC_STAT, command == MSG_STAT_ANY)?;
            UserPtr::new(buf).write(&message::stat(&object))?;
            Ok(value)
        }
        IPC_SET => {
            let new = UserPtr::<message::QueueAbi>::new(buf).read()?;
            let object = all.find(id)?;
            if new.capacity > message::MSGMNB && !credentials.capable(CAP_SYS_RESOURCE) {
                return Err(Errno::EPERM);
            }
            set(&object, &credentials, &new.permissions)?;
            message::set_capacity(&object, new.capacity);
            Ok(0)
        }
        IPC_RMID => {
            let object = all.find(id)?;
            object.check_owner(&credentials)?;
            message::remove(&object);
            Ok(0)
        }
        command @ (IPC_INFO | MSG_INFO) => {
            // msgpool, msgmap, msgmax, msgmnb, msgmni, msgssz, msgtql, and msgseg (16 bits); three of
            // them are what there is with MSG_INFO.
            let (max, mnb) = (message::MSGMAX as i32, message::MSGMNB as i32);
            let [pool, map, tql] = match command {
                MSG_INFO => message::totals().map(|total| i32::try_from(total).unwrap_or(i32::MAX)),
                _ => [512_000, mnb, mnb],
            };
            UserPtr::<i32>::new(buf).write_array(&[pool, map, max, mnb, MOST as i32, 16, tql, 0xffff])?;
            Ok(all.highest())
        }
        _ => Err(Errno::EINVAL),
    }
}
