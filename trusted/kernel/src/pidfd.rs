//! Descriptors of processes (pidfd_open(2)).

use crate::process::Process;
use crate::task::Task;
use alloc::sync::{Arc, Weak};
use core::sync::atomic::Ordering;
use rkt_linux_abi::general::{O_RDWR, POLLHUP, POLLIN};
use rkt_sched::WaitQueue;
use rkt_vfs::{AnonInode, FileOps, OpenFile, PollTable};

/// What such a descriptor refers to. It outlives the process that it names.
pub struct PidFd {
    pid: i32,
    process: Weak<Process>,
    /// The task, of PIDFD_THREAD.
    task: Option<Weak<Task>>,
    changed: Arc<WaitQueue>,
}

impl PidFd {
    /// For a process.
    pub fn of_process(process: &Arc<Process>) -> Self {
        Self { pid: process.pid, process: Arc::downgrade(process), task: None, changed: process.changed.clone() }
    }

    /// For a task that is about to start, or for its process: the same if it is the first.
    pub fn of_new(task: &Arc<Task>, alone: bool) -> Self {
        let of_task = alone.then(|| Arc::downgrade(task));
        Self { pid: task.tid, task: of_task, ..Self::of_process(&task.process) }
    }

    /// Opens it; `flags` may be `O_NONBLOCK`.
    pub fn open(self, flags: u32) -> Arc<OpenFile> {
        let inode = Arc::new(AnonInode::new(0o600));
        OpenFile::anonymous(inode, b"anon_inode:[pidfd]", Arc::new(self), O_RDWR | flags)
    }

    /// The process, until its parent has collected it.
    pub fn process(&self) -> Option<Arc<Process>> {
        self.process.upgrade().filter(|process| !process.collected.load(Ordering::SeqCst))
    }

    /// Whether it names one task and not a process.
    pub fn is_of_task(&self) -> bool {
        self.task.is_some()
    }

    /// The task that it names, or the first of the process.
    pub fn task(&self) -> Option<Arc<Task>> {
        match &self.task {
            Some(task) => task.upgrade().filter(|task| task.thread().is_some()),
            None => self.process()?.tasks().into_iter().find(|task| task.is_leader()),
        }
    }

    /// The line of /proc/PID/fdinfo: the number, or -1 once it is collected (pidfd_open(2)).
    pub fn shown(&self) -> i32 {
        if self.process().is_some() { self.pid } else { -1 }
    }
}

impl FileOps for PidFd {
    fn pollable(&self) -> bool {
        true
    }

    fn poll(&self, _: &OpenFile, table: Option<&mut PollTable>) -> u32 {
        if let Some(table) = table {
            table.watch(&self.changed);
        }
        let gone = match &self.task {
            Some(_) => self.task().is_none(),
            None => false,
        };
        match self.process() {
            None => POLLIN | POLLHUP,
            Some(process) if gone || process.zombie.load(Ordering::SeqCst) => POLLIN,
            Some(_) => 0,
        }
    }
}
