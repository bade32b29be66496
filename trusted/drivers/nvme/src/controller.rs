//! The controller: how it comes up, is reset, and is given up.

use crate::admin::{AdminQueue, Purpose};
use crate::identity::Identity;
use crate::interview::{Answer, Interview, Next, Question, Wants};
use crate::lane::LaneState;
use crate::notice::{Notice, Notices};
use crate::pair::Doorbells;
use crate::slots::MAX_PAGES;
use crate::{DeviceError, Namespace, NvmeError, Options, Phase};
use rkt_nvme::registers::{CAP, CC, CSTS, Capabilities, GONE, cc, csts, head_doorbell};
use rkt_nvme::{Command, PAGE_LEN, cns};
use rkt_nvme_transport::Registers;
use rkt_sync::Mutex;
use rkt_virtqueue::DmaArena;

/// A unit of `CAP.TO`, in nanoseconds.
const TIMEOUT_UNIT: u64 = 500_000_000;
/// Resets in a row, none of which let a single request complete, before the controller is given up.
const MAX_RESETS: u8 = 3;
/// Between two looks at a controller that comes up.
const LOOK: u64 = 500_000;
/// Longest time between two looks at a controller that runs.
const LONGEST_WATCH: u64 = 100_000_000;

/// Where the controller is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// `CC.EN` is 0 and `CSTS.RDY` has to follow.
    Disabling,
    /// `CC.EN` is 1 and `CSTS.RDY` has to follow.
    Enabling,
    /// It is asked what it is, and lanes get their queues.
    Asking,
    /// It is known, for the first time, and has no lanes yet.
    Known,
    /// It runs.
    Running,
    /// It is given up, until a reset is asked for.
    Down(NvmeError),
}

/// The lanes of a controller.
pub(crate) type Lanes<'a> = &'a [Mutex<LaneState>];

/// The controller.
pub(crate) struct Controller {
    pub(crate) options: Options,
    pub(crate) queue: AdminQueue,
    pub(crate) notices: Notices,
    /// What it said when it came up first, sizes of namespaces aside.
    pub(crate) identity: Option<Identity>,
    /// Resets since a request completed.
    pub(crate) resets: u8,
    /// It does not tell of events.
    pub(crate) deaf: bool,
    stage: Stage,
    interview: Interview,
    capabilities: Capabilities,
    /// When the present stage has taken too long.
    until: u64,
    /// Why it was reset last, until it is up again.
    cause: Option<DeviceError>,
}

impl Controller {
    pub(crate) fn new(arena: &mut DmaArena, options: Options) -> Result<Self, NvmeError> {
        let wants = Wants {
            pairs: options.lanes.max(1),
            transfer: PAGE_LEN.saturating_mul(MAX_PAGES.min(options.chunks.into())),
            quirks: options.quirks,
        };
        Ok(Self {
            queue: AdminQueue::new(arena)?,
            notices: Notices::default(),
            identity: None,
            resets: 0,
            deaf: false,
            stage: Stage::Disabling,
            interview: Interview::new(wants),
            capabilities: Capabilities(0),
            until: 0,
            cause: None,
            options,
        })
    }

    pub(crate) fn stage(&self) -> Stage {
        self.stage
    }

    pub(crate) fn has_work(&self) -> bool {
        self.stage == Stage::Running && self.queue.has_completion()
    }

    /// Starts a reset (base §3.7.2): clears `CC.EN`.
    pub(crate) fn begin(&mut self, regs: &dyn Registers, now: u64) {
        self.capabilities = Capabilities(regs.read64(CAP));
        regs.write32(CC, 0);
        self.enter(Stage::Disabling, now);
    }

    /// A reset because somebody asks for it: all is forgiven.
    pub(crate) fn restart(&mut self, regs: &dyn Registers, lanes: Lanes<'_>, now: u64) {
        (self.resets, self.cause) = (0, None);
        lanes.iter().for_each(|lane| lane.lock().pause());
        self.begin(regs, now);
    }

    fn enter(&mut self, stage: Stage, now: u64) {
        self.stage = stage;
        self.until = now.saturating_add(TIMEOUT_UNIT.saturating_mul(self.capabilities.timeout().max(1).into()));
    }

    /// Looks after the controller. Returns when to do so again.
    pub(crate) fn tend(&mut self, regs: &dyn Registers, lanes: Lanes<'_>, now: u64) -> u64 {
        let done = match self.stage {
            Stage::Disabling => self.disabling(regs, now),
            Stage::Enabling => self.enabling(regs, now),
            Stage::Asking => self.asking(regs, lanes, now),
            Stage::Running => self.watch(regs, lanes, now),
            Stage::Known | Stage::Down(_) => Ok(()),
        };
        if let Err(e) = done {
            self.trouble(e, regs, lanes, now);
        }
        match self.stage {
            Stage::Running => now.saturating_add(LONGEST_WATCH.min(self.options.timeout / 4)),
            Stage::Down(_) => u64::MAX,
            _ => now.saturating_add(LOOK),
        }
    }

    /// Resets the controller if that may help, else gives it up.
    pub(crate) fn trouble(&mut self, e: NvmeError, regs: &dyn Registers, lanes: Lanes<'_>, now: u64) {
        match e {
            NvmeError::Device(cause) if cause.is_failure() && self.identity.is_some() && self.resets < MAX_RESETS => {
                self.resets = self.resets.saturating_add(1);
                self.cause = Some(cause);
                lanes.iter().for_each(|lane| lane.lock().pause());
                self.begin(regs, now);
            }
            _ => {
                regs.write32(CC, 0);
                self.stage = Stage::Down(e);
                lanes.iter().for_each(|lane| lane.lock().go_down(e));
            }
        }
    }

    /// `CSTS` of a controller that runs, or should.
    pub(crate) fn status(regs: &dyn Registers, ready: bool) -> Result<u32, DeviceError> {
        match regs.read32(CSTS) {
            GONE => Err(DeviceError::Gone),
            status if status & csts::CFS != 0 || ready && status & csts::RDY == 0 => Err(DeviceError::Fatal { status }),
            status => Ok(status),
        }
    }

    fn unless_late(&self, phase: Phase, now: u64) -> Result<(), NvmeError> {
        if now > self.until { Err(DeviceError::Silent(phase).into()) } else { Ok(()) }
    }

    fn disabling(&mut self, regs: &dyn Registers, now: u64) -> Result<(), NvmeError> {
        Identity::check(self.capabilities)?;
        // A fatal status stays until the controller is disabled.
        let status = regs.read32(CSTS);
        if status == GONE {
            return Err(DeviceError::Gone.into());
        }
        if status & csts::RDY != 0 {
            return self.unless_late(Phase::Disable, now);
        }
        let stride = self.capabilities.stride();
        // The first I/O queue has doorbells, or there is none.
        if head_doorbell(1, stride).saturating_add(4) > regs.len() {
            return Err(DeviceError::Value { field: "CAP.DSTRD", value: stride as u64 }.into());
        }
        self.queue.reset(regs, stride)?;
        self.notices.reset();
        regs.write32(CC, cc::RUN);
        self.enter(Stage::Enabling, now);
        Ok(())
    }

    fn enabling(&mut self, regs: &dyn Registers, now: u64) -> Result<(), NvmeError> {
        if Self::status(regs, false)? & csts::RDY == 0 {
            return self.unless_late(Phase::Enable, now);
        }
        let question = self.interview.start(self.capabilities);
        self.enter(Stage::Asking, now);
        self.ask(question, regs, &[], now)
    }

    fn asking(&mut self, regs: &dyn Registers, lanes: Lanes<'_>, now: u64) -> Result<(), NvmeError> {
        Self::status(regs, true)?;
        let Some(reply) = self.queue.receive(regs)? else {
            let late = self.queue.is_overdue(now, self.options.admin_timeout);
            return if late { Err(DeviceError::Silent(Phase::Admin).into()) } else { Ok(()) };
        };
        let page = self.queue.read_page()?;
        let answer = Answer { status: reply.status, dword0: reply.dword0, page };
        match self.interview.answer(answer)? {
            Next::Ask(question) => self.ask(question, regs, lanes, now),
            Next::Identified => self.identified(regs, lanes, now),
            Next::Done => self.up(regs, lanes, now),
        }
    }

    /// Sends a question. The addresses are those of our page, and of a lane's queues.
    fn ask(&mut self, question: Question, regs: &dyn Registers, lanes: Lanes<'_>, now: u64) -> Result<(), NvmeError> {
        let (page, interrupts) = (self.queue.page_at(), self.options.interrupts);
        let create = |index: u16, make: fn(&LaneState, bool) -> Command| {
            lanes.get(usize::from(index)).map_or_else(Command::default, |lane| make(&lane.lock(), interrupts))
        };
        let command = match question {
            Question::Controller => Command::identify(cns::CONTROLLER, 0, page),
            Question::Queues(pairs) => Command::set_queues(pairs),
            Question::Events(wanted) => Command::set_events(wanted),
            Question::Shadow => Command::doorbell_buffer(self.queue.shadow_at()),
            Question::List => Command::identify(cns::ACTIVE_NAMESPACES, 0, page),
            Question::Namespace(id) => Command::identify(cns::NAMESPACE, id, page),
            Question::CompletionQueue(index) => create(index, LaneState::create_completions),
            Question::SubmissionQueue(index) => create(index, |lane, _| lane.create_submissions()),
        };
        self.queue.send(regs, command, Purpose::Question, now)?;
        Ok(())
    }

    /// All namespaces are known: there are lanes already, or somebody has to make them first.
    fn identified(&mut self, regs: &dyn Registers, lanes: Lanes<'_>, now: u64) -> Result<(), NvmeError> {
        let found = self.interview.identity().clone();
        let Some(known) = &mut self.identity else {
            self.identity = Some(found);
            self.stage = Stage::Known;
            return Ok(());
        };
        found.check_same(known)?;
        for (known, found) in known.namespaces.iter_mut().zip(&found.namespaces) {
            if known.blocks != found.blocks {
                *known = *found;
                announce(&mut self.notices, *found, lanes);
            }
        }
        self.plan(regs, lanes, now)
    }

    /// Gives the lanes their queues.
    pub(crate) fn plan(&mut self, regs: &dyn Registers, lanes: Lanes<'_>, now: u64) -> Result<(), NvmeError> {
        let shadow = self.interview.has_shadow().then(|| self.queue.shadow());
        let doorbells = Doorbells { stride: self.capabilities.stride(), shadow };
        lanes.iter().try_for_each(|lane| lane.lock().prepare(doorbells))?;
        self.enter(Stage::Asking, now);
        match self.interview.plan(u16::try_from(lanes.len()).unwrap_or(u16::MAX)) {
            Next::Ask(question) => self.ask(question, regs, lanes, now),
            Next::Identified | Next::Done => self.up(regs, lanes, now),
        }
    }

    fn up(&mut self, regs: &dyn Registers, lanes: Lanes<'_>, now: u64) -> Result<(), NvmeError> {
        self.stage = Stage::Running;
        self.queue.send(regs, Command::async_event(), Purpose::Event, now)?;
        let cause = self.cause.take();
        for lane in lanes {
            let mut lane = lane.lock();
            lane.resume(regs, now);
            if cause.is_some() {
                lane.count_reset();
            }
        }
        if let Some(cause) = cause {
            self.notices.give(Notice::Recovered(cause));
        }
        Ok(())
    }
}

/// Tells the lanes of a namespace, and whoever takes notices, that it has another size.
pub(crate) fn announce(notices: &mut Notices, namespace: Namespace, lanes: Lanes<'_>) {
    lanes.iter().for_each(|lane| lane.lock().resize(&namespace));
    notices.give(Notice::Resized { namespace: namespace.id, blocks: namespace.blocks });
}
