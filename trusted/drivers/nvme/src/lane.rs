//! A lane: one queue pair, the requests that travel through it, and one namespace that they are for.

use crate::pair::{Doorbells, QueuePair};
use crate::slots::Slots;
use crate::{DeviceError, Namespace, NvmeError};
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use rkt_blockdev::{BlockError, BlockStats, Codec, Completion, Geometry, Rejected, Request, SubmitError, Token};
use rkt_nvme::{Command, Status, StatusKind};
use rkt_nvme_transport::Registers;
use rkt_virtqueue::DmaArena;

/// Times a request is sent before it fails: all requests may be repeated until they are complete.
const ATTEMPTS: u8 = 3;

/// Whether a lane may use its queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It may.
    Running,
    /// The controller is being reset: requests are taken, and wait.
    Paused,
    /// The controller is given up.
    Down(NvmeError),
}

/// What a lane's watch over time has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overdue {
    /// Nothing.
    Nothing,
    /// A command to abort: queue and identifier.
    Abort(u16, u16),
    /// An abort did not help either.
    Reset,
}

/// What a controller does that a lane has to know.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traits {
    pub(crate) max_transfer: usize,
    pub(crate) cached: bool,
    pub(crate) write_zeroes: bool,
    pub(crate) deallocate: bool,
}

/// How much a lane takes at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// Entries of its queues: one more than commands in flight.
    pub(crate) entries: u16,
    /// Pages of data.
    pub(crate) chunks: u16,
}

/// The lane.
pub(crate) struct LaneState {
    pair: QueuePair,
    slots: Slots,
    /// Requests to be sent, oldest first.
    waiting: VecDeque<u8>,
    done: VecDeque<Completion>,
    state: State,
    /// A lie that the controller has not been told of yet.
    fault: Option<NvmeError>,
    vcpu: u16,
    namespace: Namespace,
    traits: Traits,
    next_token: u64,
    stats: BlockStats,
    /// Something was completed since the last reset.
    progress: bool,
}

impl LaneState {
    /// Lane for `vcpu` through queue `queue`.
    pub(crate) fn new(
        arena: &mut DmaArena,
        queue: u16,
        vcpu: u16,
        room: Room,
        namespace: Namespace,
        traits: Traits,
    ) -> Result<Self, NvmeError> {
        let Room { entries, chunks } = room;
        Ok(Self {
            pair: QueuePair::new(arena, queue, entries)?,
            slots: Slots::new(arena, entries.saturating_sub(1), chunks)?,
            waiting: VecDeque::new(),
            done: VecDeque::new(),
            state: State::Paused,
            fault: None,
            vcpu,
            namespace,
            traits,
            next_token: 0,
            stats: BlockStats::default(),
            progress: false,
        })
    }

    /// The command that creates the completion queue. Its vector is the number of the vCPU.
    pub(crate) fn create_completions(&self, interrupts: bool) -> Command {
        let pair = &self.pair;
        Command::create_completion_queue(
            pair.queue(),
            pair.entries(),
            pair.addresses().1,
            interrupts.then_some(self.vcpu),
        )
    }

    /// The command that creates the submission queue.
    pub(crate) fn create_submissions(&self) -> Command {
        let pair = &self.pair;
        Command::create_submission_queue(pair.queue(), pair.entries(), pair.addresses().0)
    }

    pub(crate) fn set_codec(&mut self, codec: Arc<dyn Codec>) {
        self.slots.set_codec(codec);
    }

    pub(crate) fn namespace(&self) -> Namespace {
        self.namespace
    }

    pub(crate) fn vcpu(&self) -> u16 {
        self.vcpu
    }

    pub(crate) fn stats(&self) -> BlockStats {
        self.stats
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.slots.len().saturating_add(self.done.len())
    }

    /// Whether requests are on their way, so that time matters.
    pub(crate) fn is_busy(&self) -> bool {
        self.slots.len() > 0
    }

    pub(crate) fn has_work(&self) -> bool {
        !self.done.is_empty() || self.state == State::Running && (self.fault.is_some() || self.pair.has_completion())
    }

    /// Why the lane is down.
    pub(crate) fn down(&self) -> Option<NvmeError> {
        match self.state {
            State::Down(e) => Some(e),
            State::Running | State::Paused => None,
        }
    }

    /// The lie that the controller is to hear of.
    pub(crate) fn fault(&self) -> Option<NvmeError> {
        self.fault
    }

    /// Whether something was completed since the last question.
    pub(crate) fn take_progress(&mut self) -> bool {
        core::mem::take(&mut self.progress)
    }

    pub(crate) fn geometry(&self) -> Geometry {
        let (namespace, traits) = (&self.namespace, &self.traits);
        let bytes = |blocks: u64| blocks.checked_shl(namespace.block_shift.into()).unwrap_or(0);
        // The counts of blocks of both commands have 16 and 32 bits (nvm §3.2.8, §3.2.3).
        let unless = |missing: bool, most: u64| if missing || namespace.read_only { 0 } else { bytes(most) };
        Geometry {
            block_len: 1 << namespace.block_shift,
            len: bytes(namespace.blocks),
            read_only: namespace.read_only,
            max_discard: unless(!traits.deallocate, u32::MAX.into()),
            max_write_zeroes: unless(!traits.write_zeroes, 1 << 16),
            max_transfer: traits.max_transfer,
        }
    }

    /// A namespace has another size. What is in flight is the controller's to judge.
    pub(crate) fn resize(&mut self, namespace: &Namespace) {
        if namespace.id == self.namespace.id {
            self.namespace.blocks = namespace.blocks;
        }
    }

    pub(crate) fn submit(&mut self, request: Request) -> Result<Token, Rejected> {
        let checked = match self.state {
            State::Down(_) => Err(SubmitError::Down),
            State::Running | State::Paused => self.geometry().check(&request),
        };
        if let Err(error) = checked {
            return Err(Rejected { error, request });
        }
        let token = Token(self.next_token);
        if request == Request::Flush && !self.traits.cached {
            self.complete(token, request, Ok(()));
        } else {
            let put = self.slots.put(token, request);
            let index = put.map_err(|request| Rejected { error: SubmitError::Full, request })?;
            self.waiting.push_back(index);
        }
        self.next_token = self.next_token.wrapping_add(1);
        Ok(token)
    }

    /// Sends what waits.
    pub(crate) fn kick(&mut self, regs: &dyn Registers, now: u64) {
        if self.state != State::Running || self.fault.is_some() {
            return;
        }
        while let Some(index) = self.waiting.front().copied() {
            match self.send(index, now) {
                Ok(true) => drop(self.waiting.pop_front()),
                Ok(false) => break,
                Err(e) => {
                    self.fault = Some(e);
                    return;
                }
            }
        }
        if self.pair.publish(regs) {
            self.stats.kicks = self.stats.kicks.wrapping_add(1);
        }
    }

    fn send(&mut self, index: u8, now: u64) -> Result<bool, NvmeError> {
        let Some(command) = self.slots.command(index, &self.namespace)? else { return Ok(true) };
        let sent = self.pair.push(&command)?;
        if let Some(load) = self.slots.load(index).filter(|_| sent) {
            load.sent = Some(now);
            load.aborting = false;
            load.attempts = load.attempts.saturating_add(1);
        }
        Ok(sent)
    }

    /// Handles all completions that are there: at most as many as commands are in flight.
    pub(crate) fn reap(&mut self, regs: &dyn Registers) {
        if self.state != State::Running || self.fault.is_some() {
            return;
        }
        loop {
            match self.pair.pop() {
                Ok(None) => break,
                Ok(Some(completion)) => {
                    if let Err(e) = self.handle(completion.id(), completion.status()) {
                        self.fault = Some(e);
                        return;
                    }
                }
                Err(e) => {
                    self.fault = Some(e);
                    return;
                }
            }
        }
        self.pair.acknowledge(regs);
    }

    /// Ends or repeats the request of a completed command.
    fn handle(&mut self, id: u16, status: Status) -> Result<(), NvmeError> {
        let queue = self.pair.queue();
        let index = self.slots.find(id).ok_or(DeviceError::CommandId { queue, id })?;
        self.progress = true;
        let result = match status.kind() {
            StatusKind::Success => Ok(()),
            StatusKind::Reserved => return Err(DeviceError::Status { queue, status }.into()),
            StatusKind::Refused => Err(BlockError::Refused),
            StatusKind::Aborted => Err(BlockError::Device),
            StatusKind::Failed => Err(BlockError::Io),
        };
        let again = match result {
            Err(BlockError::Io | BlockError::Device) => status.may_retry(),
            _ => false,
        };
        if again && self.slots.load(index).is_some_and(|load| load.attempts < ATTEMPTS) {
            self.wait(index);
            return Ok(());
        }
        self.end(index, result)
    }

    fn wait(&mut self, index: u8) {
        if let Some(load) = self.slots.load(index) {
            load.sent = None;
            self.waiting.push_back(index);
        }
    }

    fn end(&mut self, index: u8, result: Result<(), BlockError>) -> Result<(), NvmeError> {
        if let Some(load) = self.slots.take(index, result)? {
            self.complete(load.token, load.request, result);
        }
        Ok(())
    }

    fn complete(&mut self, token: Token, request: Request, result: Result<(), BlockError>) {
        self.stats.count(&request, result);
        self.done.push_back(Completion { token, request, result });
    }

    /// Moves completions to whoever asked for them.
    pub(crate) fn take_done(&mut self, into: &mut VecDeque<Completion>) {
        into.append(&mut self.done);
    }

    /// What was sent and has not been answered for longer than `timeout`. Once is enough to ask for an
    /// abort, twice for a reset.
    pub(crate) fn overdue(&mut self, now: u64, timeout: u64) -> Overdue {
        let queue = self.pair.queue();
        let mut late = None;
        for (index, load) in self.slots.loads() {
            let age = load.sent.map_or(0, |sent| now.saturating_sub(sent));
            if age > timeout.saturating_mul(2) {
                return Overdue::Reset;
            }
            if age > timeout && !load.aborting && late.is_none() {
                load.aborting = true;
                late = Some(index);
            }
        }
        late.map_or(Overdue::Nothing, |index| Overdue::Abort(queue, self.slots.id(index)))
    }

    /// The controller is about to be reset. What was sent will be sent again, in the order in which it
    /// was submitted, but for what has failed too often.
    pub(crate) fn pause(&mut self) {
        // A lane that is down has free pages that the controller may still write to: it stays so until
        // the controller is disabled.
        if self.state == State::Running {
            self.state = State::Paused;
        }
        self.fault = None;
        let mut all: Vec<(Token, u8, u8)> = Vec::new();
        for (index, load) in self.slots.loads() {
            load.sent = None;
            all.push((load.token, index, load.attempts));
        }
        all.sort_unstable();
        self.waiting.clear();
        self.waiting.extend(all.iter().map(|(_, index, _)| *index));
    }

    /// Makes the queues as they are after their creation. Only while the controller is disabled: it has let
    /// go of all requests, so that those which failed too often can end.
    pub(crate) fn prepare(&mut self, doorbells: Doorbells) -> Result<(), NvmeError> {
        self.pair.reset(doorbells)?;
        self.state = State::Paused;
        let hopeless: Vec<u8> =
            self.slots.loads().filter(|(_, load)| load.attempts >= ATTEMPTS).map(|(index, _)| index).collect();
        self.waiting.retain(|index| !hopeless.contains(index));
        hopeless.into_iter().try_for_each(|index| self.end(index, Err(BlockError::Device)))
    }

    /// The controller is up, and knows the queues.
    pub(crate) fn resume(&mut self, regs: &dyn Registers, now: u64) {
        self.state = State::Running;
        self.kick(regs, now);
    }

    /// Ends all requests with an error. Nothing may be sent before the controller was disabled.
    pub(crate) fn abort_all(&mut self) {
        self.waiting.clear();
        for index in 0..=u8::MAX {
            // Nothing is copied for a failed request, so nothing can fail.
            let _ = self.end(index, Err(BlockError::Device));
        }
    }

    /// The controller is given up.
    pub(crate) fn go_down(&mut self, error: NvmeError) {
        self.state = State::Down(error);
        self.fault = None;
        self.abort_all();
    }

    /// Counts a reset.
    pub(crate) fn count_reset(&mut self) {
        self.stats.resets = self.stats.resets.wrapping_add(1);
    }
}
