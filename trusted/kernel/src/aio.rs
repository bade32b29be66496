//! Contexts of io_setup(2), and the threads that work for them.
//!
//! As on Linux, what goes through the page cache is done while it is submitted. What goes past it
//! (`O_DIRECT`), and flushes, are done by threads of the kernel in the address space of the process,
//! so that many are under way at once.

use crate::process::Process;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use rkt_linux_abi::{Errno, Result};
use rkt_platform::SpaceId;
use rkt_sched::{Thread, WaitError, WaitQueue};
use rkt_sync::Mutex;
use rkt_user::{IoSink, IoSource};
use rkt_vfs::OpenFile;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Most threads of a context: what a disk's queue takes at once.
const MOST_WORKERS: u32 = 64;

/// `struct io_event` of linux/aio_abi.h.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable)]
pub struct Event {
    /// `aio_data` of the control block.
    pub data: u64,
    /// Address of the control block.
    pub block: u64,
    /// Bytes moved, or a negative error number.
    pub result: i64,
    /// A second result, which no operation here has.
    pub second: i64,
}

/// What is to be done.
pub enum Operation {
    /// `IOCB_CMD_PREAD`, `IOCB_CMD_PREADV`.
    Read(IoSink<'static>, i64),
    /// `IOCB_CMD_PWRITE`, `IOCB_CMD_PWRITEV`; what to flush behind it: fdatasync or fsync.
    Write(IoSource<'static>, i64, Option<Flush>),
    /// `IOCB_CMD_FSYNC`, `IOCB_CMD_FDSYNC`.
    Flush(Flush),
}

/// How much to flush.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// As fdatasync(2).
    Data,
    /// As fsync(2).
    All,
}

/// A control block that was accepted.
pub struct Job {
    /// The file.
    pub file: Arc<OpenFile>,
    /// What to do with it.
    pub operation: Operation,
    /// `aio_data`.
    pub data: u64,
    /// Address of the control block.
    pub block: u64,
    /// The eventfd to tell of the end.
    pub notify: Option<Arc<OpenFile>>,
}

impl Job {
    fn run(self) -> (Event, Option<Arc<OpenFile>>) {
        let Self { file, operation, data, block, notify } = self;
        let flush = |how: Flush| file.sync(how == Flush::Data);
        // The offset means nothing to pipes and sockets.
        let seekable = file.ops().seekable();
        let write =
            |mut from: IoSource<'_>, at| if seekable { file.write_at(at, &mut from) } else { file.write(&mut from) };
        let done = match operation {
            Operation::Read(mut into, at) if seekable => file.read_at(at, &mut into),
            Operation::Read(mut into, _) => file.read(&mut into),
            Operation::Write(from, at, None) => write(from, at),
            Operation::Write(from, at, Some(how)) => write(from, at).and_then(|done| flush(how).map(|()| done)),
            Operation::Flush(how) => flush(how).map(|()| 0),
        };
        let result = match done {
            Ok(done) => done as i64,
            Err(error) => error.as_return(),
        };
        (Event { data, block, result, second: 0 }, notify)
    }
}

#[derive(Default)]
struct State {
    /// Accepted, and not yet asked for by io_getevents.
    taken: u32,
    /// Accepted, and not done.
    running: u32,
    waiting: VecDeque<Job>,
    done: VecDeque<Event>,
    workers: u32,
    /// Workers that wait for a job.
    idle: Vec<Arc<Thread>>,
    closed: bool,
}

/// What io_setup(2) makes.
pub struct Context {
    most: u32,
    state: Mutex<State>,
    /// Those who want events wait here, and those who end the context.
    events: WaitQueue,
}

impl Context {
    /// A context for so many operations at once.
    pub fn new(most: u32) -> Arc<Self> {
        Arc::new(Self { most, state: Mutex::default(), events: WaitQueue::new() })
    }

    /// Keeps a place for an operation; false if there is none.
    pub fn take_place(&self) -> bool {
        let mut state = self.state.lock();
        let room = state.taken < self.most && !state.closed;
        if room {
            state.taken += 1;
            state.running += 1;
        }
        room
    }

    /// Gives the place back: the operation was not accepted.
    pub fn give_back_place(&self) {
        let mut state = self.state.lock();
        state.taken -= 1;
        state.running -= 1;
    }

    /// Has an operation done that has a place: now, or by a thread in this address space.
    pub fn start(self: &Arc<Self>, job: Job, asynchronous: bool, space: SpaceId) {
        if !asynchronous {
            self.finish(job);
            return;
        }
        let (worker, spawn) = {
            let mut state = self.state.lock();
            state.waiting.push_back(job);
            // The one that worked last.
            let worker = state.idle.pop();
            let spawn = worker.is_none() && state.workers < MOST_WORKERS;
            state.workers += u32::from(spawn);
            (worker, spawn)
        };
        if let Some(worker) = worker {
            worker.wake();
        }
        if spawn && !self.spawn(space) {
            let mut state = self.state.lock();
            state.workers -= 1;
            // Without any worker it is done here.
            let job = if state.workers == 0 { state.waiting.pop_back() } else { None };
            drop(state);
            if let Some(job) = job {
                self.finish(job);
            }
        }
    }

    fn spawn(self: &Arc<Self>, space: SpaceId) -> bool {
        let context = self.clone();
        let thread = Thread::new(space, None, Box::new(move || context.work()));
        if let Some(thread) = &thread {
            thread.wake();
        }
        thread.is_some()
    }

    fn work(&self) {
        while let Some(job) = self.next_job() {
            self.finish(job);
        }
        // The address space may go as soon as this is known.
        rkt_sched::current().set_space(SpaceId::NONE);
        self.state.lock().workers -= 1;
        self.events.wake_all(0);
    }

    /// Waits for a job; none when the context ends.
    fn next_job(&self) -> Option<Job> {
        let me = rkt_sched::current().to_arc();
        loop {
            {
                let mut state = self.state.lock();
                // Woken for another reason, it is still among the idle.
                state.idle.retain(|worker| worker.id() != me.id());
                if let Some(job) = state.waiting.pop_front() {
                    return Some(job);
                }
                if state.closed {
                    return None;
                }
                state.idle.push(me.clone());
            }
            rkt_sched::schedule();
        }
    }

    fn finish(&self, job: Job) {
        let (event, notify) = job.run();
        {
            let mut state = self.state.lock();
            state.running -= 1;
            state.done.push_back(event);
        }
        self.events.wake_all(0);
        if let Some(notify) = notify {
            // A counter that is full stays so: somebody is told already.
            let _ = notify.write(&mut IoSource::kernel(&1u64.to_ne_bytes()));
        }
    }

    /// Waits until at least `least` events are there, or the deadline is over; gives up to `most`.
    ///
    /// # Errors
    /// `EINTR` if a signal came and there is nothing.
    pub fn take_events(
        &self,
        least: usize,
        most: usize,
        deadline: Option<u64>,
        give: &mut dyn FnMut(&Event) -> Result<()>,
    ) -> Result<usize> {
        let enough = || {
            let state = self.state.lock();
            (state.done.len() >= least || state.closed).then_some(())
        };
        let waited = if least == 0 { Ok(()) } else { self.events.wait(deadline, enough) };
        let mut given = 0;
        while given < most {
            let Some(event) = self.state.lock().done.pop_front() else { break };
            if let Err(error) = give(&event) {
                self.state.lock().done.push_front(event);
                if given == 0 {
                    return Err(error);
                }
                break;
            }
            self.state.lock().taken -= 1;
            given += 1;
        }
        match waited {
            Err(WaitError::Interrupted) if given == 0 => Err(Errno::EINTR),
            _ => Ok(given),
        }
    }

    /// Ends the context: nothing new is accepted, what is under way is waited for, and the threads go.
    pub fn end(&self) {
        let idle = {
            let mut state = self.state.lock();
            state.closed = true;
            core::mem::take(&mut state.idle)
        };
        idle.iter().for_each(Thread::wake);
        self.events.wake_all(0);
        self.events.wait_uninterruptible(|| {
            let state = self.state.lock();
            (state.running == 0 && state.workers == 0).then_some(())
        });
    }
}

/// Ends all contexts of a process whose memory is about to go.
pub fn end_all(process: &Process) {
    let contexts = core::mem::take(&mut *process.aio.lock());
    for context in contexts.into_values() {
        context.end();
    }
}
