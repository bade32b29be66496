//! signalfd(2): signals read as structures.

use super::deliver::take;
use super::info::Info;
use super::set::SigSet;
use crate::task;
use core::sync::atomic::{AtomicU64, Ordering};
use rkt_linux_abi::general::{POLLIN, SI_KERNEL, SI_QUEUE, SI_TIMER, SI_TKILL, SI_USER, SIGCHLD};
use rkt_linux_abi::{Errno, Result};
use rkt_sched::WaitError;
use rkt_user::IoSink;
use rkt_vfs::{FileOps, OpenFile, PollTable};
use zerocopy::{Immutable, IntoBytes};

/// `struct signalfd_siginfo`.
#[repr(C)]
#[derive(Clone, Copy, IntoBytes, Immutable)]
struct Record {
    signal: u32,
    errno: i32,
    code: i32,
    pid: u32,
    uid: u32,
    fd: i32,
    tid: u32,
    band: u32,
    overrun: u32,
    trap: u32,
    status: i32,
    int: i32,
    pointer: u64,
    user_time: u64,
    system_time: u64,
    address: u64,
    address_lsb: u16,
    pad2: u16,
    syscall: i32,
    call_address: u64,
    arch: u32,
    pad: [u8; 28],
}

impl Record {
    const LEN: usize = 128;
    const ZERO: Record = Record {
        signal: 0,
        errno: 0,
        code: 0,
        pid: 0,
        uid: 0,
        fd: 0,
        tid: 0,
        band: 0,
        overrun: 0,
        trap: 0,
        status: 0,
        int: 0,
        pointer: 0,
        user_time: 0,
        system_time: 0,
        address: 0,
        address_lsb: 0,
        pad2: 0,
        syscall: 0,
        call_address: 0,
        arch: 0,
        pad: [0; 28],
    };

    /// Which members hold depends on the reason (signalfd(2)).
    fn of(info: &Info) -> Record {
        let base = Record { signal: info.signal, errno: info.errno, code: info.code, ..Self::ZERO };
        let sender = Record { pid: info.pid() as u32, uid: info.uid(), ..base };
        let [first, value, ..] = info.fields;
        match info.code {
            SI_TIMER => {
                Record { tid: info.pid() as u32, overrun: info.uid(), pointer: value, int: value as i32, ..base }
            }
            SI_QUEUE => Record { pointer: value, int: value as i32, ..sender },
            SI_TKILL => sender,
            code if code == SI_USER as i32 => sender,
            code if code == SI_KERNEL as i32 => base,
            _ if info.signal == SIGCHLD => {
                Record { status: value as i32, user_time: info.fields[2], system_time: info.fields[3], ..sender }
            }
            code if code < 0 => Record { pointer: value, int: value as i32, ..sender },
            _ if SigSet::SYNCHRONOUS.contains(info.signal) => Record { address: first, ..base },
            _ => Record { band: first as u32, fd: value as i32, ..base },
        }
    }
}

/// What a descriptor of signalfd(2) refers to. It reads the signals of whichever task uses it.
pub struct SignalFd {
    signals: AtomicU64,
}

impl SignalFd {
    /// Reads these signals.
    pub fn new(signals: SigSet) -> Self {
        let fd = Self { signals: AtomicU64::new(0) };
        fd.set(signals);
        fd
    }

    /// Reads these signals from now on.
    pub fn set(&self, signals: SigSet) {
        self.signals.store(signals.minus(SigSet::UNMASKABLE).0, Ordering::SeqCst);
        if let Some(task) = task::try_current() {
            task.process.signals.arrivals.wake_all(POLLIN);
        }
    }

    fn signals(&self) -> SigSet {
        SigSet(self.signals.load(Ordering::SeqCst))
    }

    fn take(&self, nonblocking: bool) -> Result<Info> {
        let task = task::current();
        if let Some(info) = take(&task, self.signals()) {
            return Ok(info);
        }
        if nonblocking {
            return Err(Errno::EAGAIN);
        }
        let arrivals = task.process.signals.arrivals.clone();
        arrivals.wait(None, || take(&task, self.signals())).map_err(|error| match error {
            WaitError::Interrupted => Errno::ERESTARTSYS,
            WaitError::TimedOut => Errno::EAGAIN,
        })
    }
}

impl FileOps for SignalFd {
    fn seek(&self, _: &OpenFile, position: u64, _: i64, _: u32) -> Result<u64> {
        Ok(position) // noop_llseek of the kernel: lseek succeeds without a position
    }

    fn read(&self, file: &OpenFile, _: &mut u64, into: &mut IoSink<'_>) -> Result<usize> {
        if into.remaining() < Record::LEN {
            return Err(Errno::EINVAL);
        }
        let mut done = 0;
        while into.remaining() >= Record::LEN {
            match self.take(done > 0 || file.nonblocking()) {
                Ok(info) => done += into.put(Record::of(&info).as_bytes())?,
                Err(_) if done > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn pollable(&self) -> bool {
        true
    }

    fn poll(&self, _: &OpenFile, table: Option<&mut PollTable>) -> u32 {
        let Some(task) = task::try_current() else { return 0 };
        let signals = &task.process.signals;
        if let Some(table) = table {
            table.watch(&signals.arrivals);
        }
        let pending = signals.pending().union(task.signals.pending());
        if pending.and(self.signals()).is_empty() { 0 } else { POLLIN }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout() {
        assert_eq!(size_of::<Record>(), Record::LEN);
        assert_eq!(core::mem::offset_of!(Record, pointer), 48);
        assert_eq!(core::mem::offset_of!(Record, call_address), 88);
    }

    #[test]
    fn members_by_reason() {
        let child = Record::of(&Info::child(SIGCHLD, 1, 12, 34, 5));
        assert_eq!((child.pid, child.uid, child.status), (12, 34, 5));
        let timer = Record::of(&Info::timer(40, 7, 3, 99));
        assert_eq!((timer.tid, timer.overrun, timer.int, timer.pid), (7, 3, 99, 0));
    }
}
