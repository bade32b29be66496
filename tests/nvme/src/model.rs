//! A controller in memory, written from the specification for these tests alone. It acts when it is
//! stepped, is honest unless told otherwise, and can be made to say anything.

use rkt_nvme::registers::{ACQ, AQA, ASQ, CC, Capabilities, cc, csts, tail_doorbell};
use rkt_nvme::{
    AsyncEvent, COMMAND_LEN, COMPLETION_LEN, Command, Completion, DatasetRange, IDENTIFY_LEN, IdentifyController,
    IdentifyNamespace, LbaFormat, NamespaceList, PAGE_LEN, SmartLog, Status, admin, cns, feature, io, log_page, oacs,
    oaes, oncs,
};
use rkt_nvme_transport::ControllerRegisters;
use rkt_window::Window;
use std::collections::{BTreeMap, VecDeque};
use zerocopy::{FromBytes, FromZeros, IntoBytes};

/// Bytes of a namespace.
pub const NAMESPACE_LEN: usize = 1 << 20;
/// Bytes of a block.
pub const BLOCK_LEN: usize = 512;
/// The slot of the model.
pub const MODEL_SLOT: usize = 2;

/// A queue pair as its driver made it.
#[derive(Clone, Copy, Debug)]
pub struct Pair {
    commands: usize,
    completions: usize,
    entries: (u16, u16),
    /// Where the next command is, and where the next completion goes.
    pub head: u16,
    /// As above.
    pub tail: u16,
    /// The phase tag of the next completion.
    pub phase: bool,
}

/// What it says of itself: to be changed before the driver asks.
pub struct Claims {
    /// `CAP`.
    pub capabilities: Capabilities,
    /// Identify controller.
    pub controller: IdentifyController,
    /// Identify namespace, by identifier.
    pub namespaces: BTreeMap<u32, IdentifyNamespace>,
    /// Answer to "number of queues".
    pub queues: u32,
}

impl Claims {
    /// Two namespaces, 8 pairs, everything offered.
    pub fn honest() -> Self {
        let mut controller = IdentifyController::new_zeroed();
        controller.serial = *b"MODEL               ";
        controller.model = [b'M'; 40];
        (controller.sqes, controller.cqes) = (0x66, 0x44);
        controller.mdts = 4;
        controller.nn = 2.into();
        controller.oncs = (oncs::DATASET_MANAGEMENT | oncs::WRITE_ZEROES).into();
        controller.oacs = oacs::DOORBELL_BUFFER.into();
        controller.oaes = oaes::NAMESPACE_ATTRIBUTES.into();
        controller.vwc = 1;
        let mut namespace = IdentifyNamespace::new_zeroed();
        namespace.nsze = ((NAMESPACE_LEN / BLOCK_LEN) as u64).into();
        namespace.ncap = namespace.nsze;
        namespace.lbaf[0] = LbaFormat { block_shift: 9, ..LbaFormat::default() };
        let namespaces = [(1, namespace.clone()), (5, namespace)].into();
        Self { capabilities: Capabilities::new(64, 4), controller, namespaces, queues: 7 << 16 | 7 }
    }
}

/// A command that was read and not completed.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    /// The queue.
    pub queue: u16,
    /// The command.
    pub command: Command,
}

/// The controller.
pub struct Model {
    /// What it says of itself.
    pub claims: Claims,
    /// Bytes of each namespace.
    pub content: BTreeMap<u32, Vec<u8>>,
    /// Queue pairs by identifier.
    pub pairs: BTreeMap<u16, Pair>,
    /// Flushes and durable writes that were served.
    pub flushes: u64,
    /// Does nothing at all when it is stepped.
    pub silent: bool,
    /// Does not complete I/O commands when it is stepped.
    pub stuck: bool,
    window: Window,
    regs: ControllerRegisters,
    enabled: bool,
    shadow: Option<(usize, usize)>,
    events: Vec<Command>,
    changed: Vec<u32>,
    taken: VecDeque<Taken>,
}

fn no_wake(_: &'static std::sync::atomic::AtomicU32) {}

impl Model {
    /// A model in the window's [`MODEL_SLOT`].
    pub fn new(window: &Window, claims: Claims) -> Self {
        let regs = ControllerRegisters::open(window, MODEL_SLOT, no_wake).expect("a slot");
        regs.describe(claims.capabilities, 0x0002_0000).expect("registers");
        let content = claims.namespaces.keys().map(|id| (*id, vec![0; NAMESPACE_LEN])).collect();
        Self {
            claims,
            content,
            pairs: BTreeMap::new(),
            flushes: 0,
            silent: false,
            stuck: false,
            window: *window,
            regs,
            enabled: false,
            shadow: None,
            events: Vec::new(),
            changed: Vec::new(),
            taken: VecDeque::new(),
        }
    }

    /// Shows this status.
    pub fn set_status(&self, status: u32) {
        self.regs.set_status(status);
    }

    /// Says the capabilities again, after they were changed.
    pub fn describe_again(&self) {
        self.regs.describe(self.claims.capabilities, 0x0002_0000).expect("registers");
        self.set_status(if self.enabled { csts::RDY } else { 0 });
    }

    /// Takes lies about its state back.
    pub fn be_honest(&mut self) {
        (self.silent, self.stuck) = (false, false);
        self.set_status(if self.enabled { csts::RDY } else { 0 });
    }

    /// One honest look at everything.
    pub fn step(&mut self) {
        if self.silent {
            return;
        }
        self.follow();
        self.take();
        for _ in 0..self.taken.len() {
            let Some(taken) = self.taken.pop_front() else { break };
            if self.stuck && taken.queue != 0 {
                self.taken.push_back(taken);
            } else {
                self.serve(taken);
            }
        }
    }

    /// Follows `CC`.
    pub fn follow(&mut self) {
        let enabled = self.regs.read32(CC) & cc::EN != 0;
        if enabled == self.enabled {
            return;
        }
        self.enabled = enabled;
        self.pairs.clear();
        self.taken.clear();
        self.events.clear();
        self.shadow = None;
        self.regs.clear_doorbells().expect("registers");
        if enabled {
            let sizes = self.regs.read32(AQA);
            let entries = ((sizes & 0xfff) as u16 + 1, (sizes >> 16) as u16 + 1);
            self.add_submissions(0, self.regs.read64(ASQ), entries.0);
            self.add_completions(0, self.regs.read64(ACQ), entries.1);
        }
        self.regs.set_status(if enabled { csts::RDY } else { 0 });
    }

    fn pair(&mut self, id: u16) -> &mut Pair {
        let fresh = Pair { commands: 0, completions: 0, entries: (2, 2), head: 0, tail: 0, phase: true };
        self.pairs.entry(id).or_insert(fresh)
    }

    fn add_submissions(&mut self, id: u16, at: u64, entries: u16) {
        let pair = self.pair(id);
        (pair.commands, pair.entries.0) = (at as usize, entries);
    }

    fn add_completions(&mut self, id: u16, at: u64, entries: u16) {
        let pair = self.pair(id);
        (pair.completions, pair.entries.1) = (at as usize, entries);
    }

    /// A submission queue's tail: from the shadow if there is one, as for the admin queue's from the register.
    fn tail(&self, queue: u16) -> u16 {
        let place = tail_doorbell(queue, 4);
        match self.shadow.filter(|_| queue != 0) {
            Some((shadow, events)) => {
                let at = place - rkt_nvme::registers::DOORBELLS;
                let tail = self.window.read_u32(shadow + at).unwrap_or(0);
                // Polled, so that the register need never be written.
                let _ = self.window.write_u32(events + at, tail.wrapping_sub(1));
                tail as u16
            }
            None => self.regs.tail(queue) as u16,
        }
    }

    /// Reads new commands of all queues.
    pub fn take(&mut self) {
        for queue in self.pairs.keys().copied().collect::<Vec<_>>() {
            let tail = self.tail(queue);
            let pair = self.pairs.get_mut(&queue).expect("its key");
            while pair.head != tail && tail < pair.entries.0 {
                let mut command = Command::new_zeroed();
                let at = pair.commands.wrapping_add(COMMAND_LEN * usize::from(pair.head));
                // What was scribbled over may lead nowhere, here and below.
                if self.window.read(at, command.as_mut_bytes()).is_err() {
                    break;
                }
                pair.head = (pair.head + 1) % pair.entries.0;
                self.taken.push_back(Taken { queue, command });
            }
        }
    }

    /// The oldest command that was taken.
    pub fn pop(&mut self) -> Option<Taken> {
        self.taken.pop_front()
    }

    /// Posts a completion of the queue's next command head, honest but for what is given.
    pub fn post(&mut self, queue: u16, id: u16, dword0: u32, status: Status) {
        let Some(pair) = self.pairs.get(&queue) else { return };
        self.post_raw(queue, Completion::new(dword0.into(), pair.head, queue, id, status, pair.phase));
    }

    /// Posts a completion as it is.
    pub fn post_raw(&mut self, queue: u16, completion: Completion) {
        let Some(pair) = self.pairs.get_mut(&queue) else { return };
        let at = pair.completions.wrapping_add(COMPLETION_LEN * usize::from(pair.tail));
        pair.tail = (pair.tail + 1) % pair.entries.1;
        pair.phase ^= pair.tail == 0;
        let _ = self.window.write_u64(at, completion.answer);
        let _ = self.window.write_u64(at.wrapping_add(Completion::CONTROL), completion.control);
    }

    /// Serves a command by the book.
    pub fn serve(&mut self, taken: Taken) {
        let Taken { queue, command } = taken;
        let answer = if queue == 0 { self.administer(&command) } else { self.perform(&command) };
        match answer {
            Ok(Some(dword0)) => self.post(queue, command.id.get(), dword0, Status::SUCCESS),
            Ok(None) => {}
            Err(status) => self.post(queue, command.id.get(), 0, status.final_word()),
        }
    }

    /// Where the pages of a command's data lie (base §4.1.1); one list is enough here.
    fn pages(&self, command: &Command, len: usize) -> Vec<(usize, usize)> {
        let count = len.div_ceil(PAGE_LEN);
        let mut pages = vec![command.prp1.get()];
        match count {
            0 | 1 => {}
            2 => pages.push(command.prp2.get()),
            _ => {
                let list = command.prp2.get() as usize;
                pages.extend(
                    (0..count - 1).map(|index| self.window.read_u64(list.wrapping_add(8 * index)).unwrap_or(0)),
                );
            }
        }
        let len_of = |index: usize| (len - index * PAGE_LEN).min(PAGE_LEN);
        pages.into_iter().enumerate().map(|(index, page)| (page as usize, len_of(index))).collect()
    }

    /// Writes into the driver's pages.
    pub fn fill(&self, command: &Command, data: &[u8]) {
        let mut rest = data;
        for (page, len) in self.pages(command, data.len()) {
            let (now, later) = rest.split_at(len);
            let _ = self.window.write(page, now);
            rest = later;
        }
    }

    fn gather(&self, command: &Command, len: usize) -> Vec<u8> {
        let mut data = vec![0; len];
        let mut at = 0;
        for (page, len) in self.pages(command, len) {
            let _ = self.window.read(page, &mut data[at..at + len]);
            at += len;
        }
        data
    }

    fn administer(&mut self, command: &Command) -> Result<Option<u32>, Status> {
        let (low, high) = (command.dword10.get() as u16, (command.dword10.get() >> 16) as u16);
        match command.opcode {
            admin::IDENTIFY => {
                let page = self.identify(low as u8, command.namespace.get())?;
                self.fill(command, &page);
            }
            admin::SET_FEATURES if low as u8 == feature::NUMBER_OF_QUEUES => return Ok(Some(self.claims.queues)),
            admin::SET_FEATURES => {}
            admin::CREATE_CQ => self.add_completions(low, command.prp1.get(), high.saturating_add(1)),
            admin::CREATE_SQ => self.add_submissions(low, command.prp1.get(), high.saturating_add(1)),
            admin::DOORBELL_BUFFER => self.shadow = Some((command.prp1.get() as usize, command.prp2.get() as usize)),
            admin::ABORT => return Ok(Some(self.abort(low, high))),
            admin::ASYNC_EVENT => {
                self.events.push(*command);
                return Ok(None);
            }
            admin::GET_LOG_PAGE => {
                let page = self.log(low as u8);
                self.fill(command, &page[..((usize::from(high) + 1) * 4).min(IDENTIFY_LEN)]);
            }
            _ => return Err(Status::INVALID_OPCODE),
        }
        Ok(Some(0))
    }

    fn identify(&self, kind: u8, id: u32) -> Result<Vec<u8>, Status> {
        match kind {
            cns::CONTROLLER => Ok(self.claims.controller.as_bytes().to_vec()),
            cns::NAMESPACE => {
                let inactive = IdentifyNamespace::new_zeroed();
                Ok(self.claims.namespaces.get(&id).unwrap_or(&inactive).as_bytes().to_vec())
            }
            cns::ACTIVE_NAMESPACES => {
                let mut list = NamespaceList::new_zeroed();
                let active = self.claims.namespaces.keys().filter(|active| **active > id);
                list.ids.iter_mut().zip(active).for_each(|(to, id)| *to = (*id).into());
                Ok(list.as_bytes().to_vec())
            }
            _ => Err(Status::INVALID_FIELD),
        }
    }

    fn log(&mut self, page: u8) -> Vec<u8> {
        let mut data = vec![0; IDENTIFY_LEN];
        match page {
            log_page::CHANGED_NAMESPACES => {
                for (to, id) in data.chunks_exact_mut(4).zip(self.changed.drain(..)) {
                    to.copy_from_slice(&id.to_le_bytes());
                }
            }
            log_page::SMART => {
                let mut log = SmartLog::new_zeroed();
                log.used = 3;
                data[..512].copy_from_slice(log.as_bytes());
            }
            _ => {}
        }
        data
    }

    /// Aborts a command that was taken; 0 if it did, which also completes the command.
    fn abort(&mut self, queue: u16, id: u16) -> u32 {
        let found = self.taken.iter().position(|taken| taken.queue == queue && taken.command.id.get() == id);
        match found.and_then(|at| self.taken.remove(at)) {
            Some(taken) => {
                self.post(taken.queue, id, 0, Status::ABORT_REQUESTED);
                0
            }
            None => 1,
        }
    }

    fn perform(&mut self, command: &Command) -> Result<Option<u32>, Status> {
        let id = command.namespace.get();
        let start = (command.start() as usize).saturating_mul(BLOCK_LEN);
        let len = command.blocks() as usize * BLOCK_LEN;
        if !self.content.contains_key(&id) {
            return Err(Status::INVALID_NAMESPACE);
        }
        if command.opcode == io::FLUSH {
            self.flushes += 1;
            return Ok(Some(0));
        }
        if command.opcode == io::DATASET_MANAGEMENT {
            let range = DatasetRange::read_from_bytes(&self.gather(command, 16)).expect("a range");
            let start = (range.start.get() as usize).saturating_mul(BLOCK_LEN);
            let len = range.blocks.get() as usize * BLOCK_LEN;
            self.range(id, start, len)?.fill(0);
            return Ok(Some(0));
        }
        match command.opcode {
            io::READ => {
                let data = self.range(id, start, len)?.to_vec();
                self.fill(command, &data);
            }
            io::WRITE => {
                self.range(id, start, len)?;
                let data = self.gather(command, len);
                self.range(id, start, len)?.copy_from_slice(&data);
            }
            io::WRITE_ZEROES => self.range(id, start, len)?.fill(0),
            _ => return Err(Status::INVALID_OPCODE),
        }
        Ok(Some(0))
    }

    fn range(&mut self, id: u32, start: usize, len: usize) -> Result<&mut [u8], Status> {
        let content = self.content.get_mut(&id).ok_or(Status::INVALID_NAMESPACE)?;
        content.get_mut(start..start.saturating_add(len)).ok_or(Status::LBA_OUT_OF_RANGE)
    }

    /// Makes a namespace so many blocks long, and tells the driver if it listens.
    pub fn resize(&mut self, id: u32, blocks: u64) {
        if let Some(namespace) = self.claims.namespaces.get_mut(&id) {
            (namespace.nsze, namespace.ncap) = (blocks.into(), blocks.into());
        }
        self.content.insert(id, vec![0; blocks as usize * BLOCK_LEN]);
        self.changed.push(id);
        self.event(AsyncEvent::NAMESPACE_CHANGED);
    }

    /// Tells the driver of an event if it listens.
    pub fn event(&mut self, event: AsyncEvent) {
        if let Some(command) = self.events.pop() {
            self.post(0, command.id.get(), event.0, Status::SUCCESS);
        }
    }
}
