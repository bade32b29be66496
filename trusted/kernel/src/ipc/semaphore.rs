//! Semaphore sets (semget(2), semop(2)).

use super::registry::{Object, READ, Registry, WRITE};
use super::{IPC_NOWAIT, PermissionsAbi, seconds};
use crate::process::Process;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use rkt_linux_abi::{Errno, Result};
use rkt_sched::{WaitError, WaitQueue};
use rkt_sync::Mutex;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Most semaphores of a set (SEMMSL), most operations of a call (SEMOPM), highest value (SEMVMX).
pub const SEMMSL: usize = 32_000;
/// See above.
pub const SEMOPM: usize = 500;
/// See above.
pub const SEMVMX: i32 = 32_767;
/// SEM_UNDO of linux/sem.h.
const SEM_UNDO: u16 = 0x1000;

/// `struct sembuf`.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Operation {
    /// Which semaphore.
    pub number: u16,
    /// What to add; 0 waits for zero.
    pub change: i16,
    /// IPC_NOWAIT, SEM_UNDO.
    pub flags: u16,
}

#[derive(Clone, Copy, Debug, Default)]
struct Semaphore {
    value: i32,
    last: i32,
    /// Tasks that wait for a higher value, and for zero.
    waiting: u32,
    waiting_zero: u32,
}

/// A set.
pub struct Set {
    semaphores: Mutex<Vec<Semaphore>>,
    count: usize,
    changed: WaitQueue,
    times: Mutex<(i64, i64)>,
}

/// `struct semid64_ds`.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct SetAbi {
    /// Who may do what.
    pub permissions: PermissionsAbi,
    /// When it was last operated on.
    pub operated_at: i64,
    unused1: u64,
    /// When it was made or set.
    pub changed_at: i64,
    unused2: u64,
    /// Semaphores in it.
    pub count: u64,
    unused3: [u64; 2],
}

/// What a process takes back at its end: by set, what to add to each semaphore.
pub type Undo = Vec<(i32, Vec<i32>)>;

static SETS: Registry<Set> = Registry::new();

/// All sets.
pub fn sets() -> &'static Registry<Set> {
    &SETS
}

/// semget(2).
///
/// # Errors
/// As there.
pub fn get(process: &Process, key: i32, count: i32, flags: u32) -> Result<i32> {
    let count = usize::try_from(count).ok().filter(|&count| count <= SEMMSL).ok_or(Errno::EINVAL)?;
    let fits = |set: &Set| if count > set.count { Err(Errno::EINVAL) } else { Ok(()) };
    let make = || match count {
        0 => Err(Errno::EINVAL),
        _ => Ok(Set {
            semaphores: Mutex::new(vec![Semaphore::default(); count]),
            count,
            changed: WaitQueue::new(),
            times: Mutex::new((0, seconds())),
        }),
    };
    SETS.get(key, flags, &process.credentials(), fits, make)
}

/// Why the operations cannot all be done now: the one that has to wait.
enum Attempt {
    Done,
    Blocked { at: usize, for_zero: bool, impatient: bool },
}

fn try_all(semaphores: &mut [Semaphore], operations: &[Operation], undo: Option<&[i32]>, pid: i32) -> Result<Attempt> {
    let before: Vec<i32> = semaphores.iter().map(|semaphore| semaphore.value).collect();
    let restore = |semaphores: &mut [Semaphore]| {
        semaphores.iter_mut().zip(&before).for_each(|(semaphore, &value)| semaphore.value = value);
    };
    for operation in operations {
        let at = usize::from(operation.number);
        let Some(semaphore) = semaphores.get_mut(at) else {
            restore(semaphores);
            return Err(Errno::EFBIG);
        };
        let value = semaphore.value + i32::from(operation.change);
        let for_zero = operation.change == 0;
        if for_zero && semaphore.value != 0 || value < 0 {
            let impatient = u32::from(operation.flags) & IPC_NOWAIT != 0;
            restore(semaphores);
            return Ok(Attempt::Blocked { at, for_zero, impatient });
        }
        let taken_back = undo.and_then(|undo| undo.get(at)).copied().unwrap_or(0) - i32::from(operation.change);
        let out_of_range = operation.flags & SEM_UNDO != 0 && taken_back.abs() > SEMVMX;
        if value > SEMVMX || out_of_range {
            restore(semaphores);
            return Err(Errno::ERANGE);
        }
        semaphore.value = value;
    }
    for operation in operations {
        if let Some(semaphore) = semaphores.get_mut(usize::from(operation.number)) {
            semaphore.last = pid;
        }
    }
    Ok(Attempt::Done)
}

/// semop(2), semtimedop(2): all operations at once, when they can be.
///
/// # Errors
/// As there.
pub fn operate(process: &Process, id: i32, operations: &[Operation], deadline: Option<u64>) -> Result<()> {
    let object = SETS.find(id)?;
    let set = &object.body;
    if operations.iter().any(|operation| usize::from(operation.number) >= set.count) {
        return Err(Errno::EFBIG);
    }
    let alters = operations.iter().any(|operation| operation.change != 0);
    object.check(&process.credentials(), if alters { WRITE } else { READ })?;
    let attempt = || -> Result<Attempt> {
        if object.is_removed() {
            return Err(Errno::EIDRM);
        }
        let undo = process.semaphore_undo.lock().iter().find(|(of, _)| *of == id).map(|(_, undo)| undo.clone());
        try_all(&mut set.semaphores.lock(), operations, undo.as_deref(), process.pid)
    };
    match attempt()? {
        Attempt::Done => {}
        Attempt::Blocked { impatient: true, .. } => return Err(Errno::EAGAIN),
        Attempt::Blocked { at, for_zero, .. } => {
            set.note_waiter(at, for_zero, true);
            let result = set.changed.wait(deadline, || match attempt() {
                Ok(Attempt::Done) => Some(Ok(())),
                Ok(Attempt::Blocked { impatient: true, .. }) => Some(Err(Errno::EAGAIN)),
                Ok(Attempt::Blocked { .. }) => None,
                Err(error) => Some(Err(error)),
            });
            set.note_waiter(at, for_zero, false);
            result.map_err(|error| match error {
                WaitError::Interrupted => Errno::EINTR,
                WaitError::TimedOut => Errno::EAGAIN,
            })??;
        }
    }
    remember(process, &object, operations);
    set.times.lock().0 = seconds();
    if alters {
        set.changed.wake_all(0);
    }
    Ok(())
}

/// What SEM_UNDO is going to take back.
fn remember(process: &Process, object: &Object<Set>, operations: &[Operation]) {
    let undone = operations.iter().filter(|operation| operation.flags & SEM_UNDO != 0);
    let mut undo = process.semaphore_undo.lock();
    for operation in undone {
        let at = match undo.iter().position(|(of, _)| *of == object.id) {
            Some(at) => at,
            None => {
                undo.push((object.id, vec![0; object.body.count]));
                undo.len() - 1
            }
        };
        let entry = undo.get_mut(at).and_then(|(_, changes)| changes.get_mut(usize::from(operation.number)));
        if let Some(change) = entry {
            *change -= i32::from(operation.change);
        }
    }
}

/// The end of a process: what it did with SEM_UNDO is taken back.
pub fn undo_all(process: &Process) {
    let undo = core::mem::take(&mut *process.semaphore_undo.lock());
    for (id, changes) in undo {
        let Ok(object) = SETS.find(id) else { continue };
        let mut semaphores = object.body.semaphores.lock();
        for (semaphore, change) in semaphores.iter_mut().zip(changes).filter(|(_, change)| *change != 0) {
            // What is not there any more cannot be taken (semop(2), "BUGS").
            semaphore.value = (semaphore.value + change).clamp(0, SEMVMX);
            semaphore.last = process.pid;
        }
        drop(semaphores);
        object.body.changed.wake_all(0);
    }
}

/// Who set a value directly takes back what others would have undone (semctl(2)).
fn forget_undo(id: i32, number: Option<usize>) {
    for process in crate::process::all() {
        let mut undo = process.semaphore_undo.lock();
        for (_, changes) in undo.iter_mut().filter(|(of, _)| *of == id) {
            match number {
                Some(number) => changes.get_mut(number).into_iter().for_each(|change| *change = 0),
                None => changes.fill(0),
            }
        }
    }
}

/// What semctl(2) asks about one semaphore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Query {
    /// GETVAL.
    Value,
    /// GETPID.
    Last,
    /// GETNCNT.
    Waiting,
    /// GETZCNT.
    WaitingZero,
}

impl Set {
    fn note_waiter(&self, at: usize, for_zero: bool, comes: bool) {
        if let Some(semaphore) = self.semaphores.lock().get_mut(at) {
            let count = if for_zero { &mut semaphore.waiting_zero } else { &mut semaphore.waiting };
            *count = if comes { *count + 1 } else { count.saturating_sub(1) };
        }
    }

    /// Number of semaphores.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Asks about one semaphore.
    ///
    /// # Errors
    /// `EINVAL` if it does not exist.
    pub fn query(&self, number: usize, query: Query) -> Result<u64> {
        let semaphores = self.semaphores.lock();
        let semaphore = semaphores.get(number).ok_or(Errno::EINVAL)?;
        Ok(match query {
            Query::Value => semaphore.value as u64,
            Query::Last => semaphore.last as u64,
            Query::Waiting => semaphore.waiting.into(),
            Query::WaitingZero => semaphore.waiting_zero.into(),
        })
    }

    /// All values.
    pub fn values(&self) -> Vec<u16> {
        self.semaphores.lock().iter().map(|semaphore| semaphore.value as u16).collect()
    }
}

/// SETVAL (of one) and SETALL.
///
/// # Errors
/// `ERANGE`, `EINVAL`.
pub fn set_values(object: &Arc<Object<Set>>, first: usize, values: &[i32], all: bool, pid: i32) -> Result<()> {
    if values.iter().any(|value| !(0..=SEMVMX).contains(value)) {
        return Err(Errno::ERANGE);
    }
    let set = &object.body;
    {
        let mut semaphores = set.semaphores.lock();
        let places = semaphores.get_mut(first..first + values.len()).ok_or(Errno::EINVAL)?;
        for (semaphore, &value) in places.iter_mut().zip(values) {
            semaphore.value = value;
            semaphore.last = pid;
        }
    }
    forget_undo(object.id, (!all).then_some(first));
    set.times.lock().1 = seconds();
    set.changed.wake_all(0);
    Ok(())
}

/// IPC_RMID: those who wait are told.
pub fn remove(object: &Object<Set>) {
    SETS.remove(object);
    object.body.changed.wake_all(0);
}

/// Something about the set was set.
pub fn touch(object: &Object<Set>) {
    object.body.times.lock().1 = seconds();
}

/// What IPC_STAT tells.
pub fn stat(object: &Object<Set>) -> SetAbi {
    let (operated_at, changed_at) = *object.body.times.lock();
    SetAbi {
        permissions: PermissionsAbi::of(object, 0),
        operated_at,
        unused1: 0,
        changed_at,
        unused2: 0,
        count: object.body.count as u64,
        unused3: [0; 2],
    }
}
