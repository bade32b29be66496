//! What the storage stack holds: the controller, and lanes as disks.

use crate::controller::{Controller, Stage};
use crate::identity::Identity;
use crate::lane::{LaneState, Room, Traits};
use crate::notice::{Chore, Notice};
use crate::{DeviceError, NvmeError, Options};
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};
use rkt_blockdev::{BlockDevice, BlockError, BlockStats, Codec, Completion, Geometry, Rejected, Request, Token};
use rkt_nvme::registers::head_doorbell;
use rkt_nvme_transport::Registers;
use rkt_sync::Mutex;
use rkt_virtqueue::DmaArena;

/// A namespace that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// Its identifier.
    pub id: u32,
    /// Log2 of the bytes of a block: 9 to 12.
    pub block_shift: u8,
    /// Its size in blocks.
    pub blocks: u64,
    /// It is write protected.
    pub read_only: bool,
}

/// What the controller and its lanes share. Locks are taken in this order: controller, then one lane.
struct Core<R> {
    regs: R,
    clock: fn() -> u64,
    controller: Mutex<Controller>,
    lanes: Vec<Mutex<LaneState>>,
    /// When the controller has to be looked after.
    next_tend: AtomicU64,
}

impl<R: Registers> Core<R> {
    /// Looks after the controller, unless somebody does.
    fn tend(&self, now: u64) {
        if let Some(mut controller) = self.controller.try_lock() {
            let next = controller.tend(&self.regs, &self.lanes, now);
            self.next_tend.store(next, Ordering::Relaxed);
        }
    }

    fn is_due(&self, now: u64) -> bool {
        now >= self.next_tend.load(Ordering::Relaxed)
    }

    /// Looks after the controller until it runs. `wait` lets time pass; each stage has its end, so this does.
    fn run(&self, wait: &mut dyn FnMut()) -> Result<(), NvmeError> {
        loop {
            self.tend((self.clock)());
            match self.controller.lock().stage() {
                Stage::Running => return Ok(()),
                Stage::Down(e) => return Err(e),
                _ => {}
            }
            wait();
        }
    }
}

/// A controller.
pub struct NvmeDriver<R> {
    core: Arc<Core<R>>,
}

impl<R: Registers> NvmeDriver<R> {
    /// Brings up the controller behind `regs`, and makes lanes: for each namespace as many as the
    /// controller has queues for, vCPU 0's first. `wait` is called between looks at the controller and
    /// has to let time pass on the clock of `options`. Each lane takes `options.chunks` pages of the arena
    /// and 1.1 KiB for each entry of its queues.
    ///
    /// # Errors
    /// The device is no usable controller, or the arena is too small.
    pub fn new(
        regs: R,
        arena: &mut DmaArena,
        options: Options,
        wait: &mut dyn FnMut(),
    ) -> Result<(Self, Vec<Lane<R>>), NvmeError> {
        let clock = options.clock;
        let mut controller = Controller::new(arena, options)?;
        controller.begin(&regs, clock());
        let identity = loop {
            controller.tend(&regs, &[], clock());
            match (controller.stage(), &controller.identity) {
                (Stage::Down(e), _) => return Err(e),
                (Stage::Known, Some(identity)) => break identity.clone(),
                _ => wait(),
            }
        };
        let lanes = make_lanes(&regs, arena, &controller.options, &identity)?;
        controller.plan(&regs, &lanes, clock())?;
        let next_tend = AtomicU64::new(0);
        let core = Arc::new(Core { regs, clock, controller: Mutex::new(controller), lanes, next_tend });
        core.run(wait)?;
        let handles = (0..core.lanes.len()).map(|index| Lane::new(Arc::clone(&core), index)).collect();
        Ok((Self { core }, handles))
    }

    /// The namespaces as they are now.
    pub fn namespaces(&self) -> Vec<Namespace> {
        self.core.controller.lock().identity.as_ref().map_or_else(Vec::new, |identity| identity.namespaces.clone())
    }

    /// Serial and model number, ASCII padded with spaces, if the device keeps to the specification.
    pub fn names(&self) -> ([u8; 20], [u8; 40]) {
        let controller = self.core.controller.lock();
        controller.identity.as_ref().map_or(([0; 20], [0; 40]), |identity| (identity.serial, identity.model))
    }

    /// The oldest notice that was not taken yet.
    pub fn take_notice(&self) -> Option<Notice> {
        self.core.controller.lock().notices.take()
    }

    /// Asks for a [`Notice::Health`].
    pub fn ask_health(&self) {
        self.core.controller.lock().notices.ask(Chore::Health);
    }

    /// Asks for a [`Notice::Error`], if there has been any error.
    pub fn ask_errors(&self) {
        self.core.controller.lock().notices.ask(Chore::Errors);
    }
}

/// The lanes that the controller's queue pairs allow: at least one for each namespace, or else namespaces
/// are left out; and no more for one than there are vCPUs.
fn make_lanes(
    regs: &dyn Registers,
    arena: &mut DmaArena,
    options: &Options,
    identity: &Identity,
) -> Result<Vec<Mutex<LaneState>>, NvmeError> {
    let stride = identity.capabilities.stride();
    // A shadow doorbell has to lie in its page as well.
    let has_doorbells = |queue: &u16| head_doorbell(*queue, stride).saturating_add(4) <= regs.len();
    let pairs = (1..=identity.pairs.min(options.lanes)).take_while(has_doorbells).count();
    let count = identity.namespaces.len().min(pairs);
    let per_namespace = pairs.checked_div(count).unwrap_or(0).min(options.vcpus.max(1).into());
    if count == 0 {
        return Err(DeviceError::Value { field: "active namespaces", value: 0 }.into());
    }
    let entries = u32::from(options.entries).clamp(2, identity.capabilities.max_entries());
    let room = Room { entries: u16::try_from(entries).unwrap_or(u16::MAX), chunks: options.chunks };
    let traits = Traits {
        max_transfer: identity.max_transfer,
        cached: identity.cached,
        write_zeroes: identity.write_zeroes,
        deallocate: identity.deallocate,
    };
    let places = identity
        .namespaces
        .iter()
        .take(count)
        .flat_map(|namespace| (0u16..).take(per_namespace).map(move |vcpu| (vcpu, *namespace)));
    let made = (1u16..)
        .zip(places)
        .map(|(queue, (vcpu, namespace))| LaneState::new(arena, queue, vcpu, room, namespace, traits).map(Mutex::new));
    made.collect()
}

/// One queue pair with one namespace: the disk as one vCPU sees it. Lanes of a namespace differ in nothing
/// else, and what is written through one can be read through all once it has completed. A flush is for all.
pub struct Lane<R> {
    core: Arc<Core<R>>,
    index: usize,
    done: VecDeque<Completion>,
    /// Why the controller was given up, as far as this lane has noticed.
    down: Option<NvmeError>,
}

impl<R: Registers> Lane<R> {
    fn new(core: Arc<Core<R>>, index: usize) -> Self {
        Self { core, index, done: VecDeque::new(), down: None }
    }

    /// Calls `act` with the lane's state. The index was made for `core.lanes`.
    fn with<T>(&self, act: impl FnOnce(&mut LaneState) -> T) -> Option<T> {
        self.core.lanes.get(self.index).map(|lane| act(&mut lane.lock()))
    }

    /// The namespace.
    pub fn namespace(&self) -> u32 {
        self.with(|lane| lane.namespace().id).unwrap_or(0)
    }

    /// The vCPU whose doorbell rings when a request has completed.
    pub fn vcpu(&self) -> u16 {
        self.with(|lane| lane.vcpu()).unwrap_or(0)
    }

    /// Fetches completions, and looks after the controller when that is due.
    fn fetch(&mut self) {
        let core = &*self.core;
        let Some(lane) = core.lanes.get(self.index) else { return };
        let now = (core.clock)();
        let complains = {
            let mut lane = lane.lock();
            lane.reap(&core.regs);
            // What is to be tried again.
            lane.kick(&core.regs, now);
            lane.take_done(&mut self.done);
            self.down = lane.down();
            lane.fault().is_some()
        };
        if complains || core.is_due(now) || self.is_told() {
            core.tend(now);
            let mut lane = lane.lock();
            lane.take_done(&mut self.done);
            self.down = lane.down();
        }
    }

    /// Whether the controller has said something: that interrupts vCPU 0, so its first lane listens.
    fn is_told(&self) -> bool {
        self.index == 0 && self.core.controller.try_lock().is_some_and(|controller| controller.has_work())
    }
}

impl<R: Registers> BlockDevice for Lane<R> {
    fn geometry(&self) -> Geometry {
        self.with(|lane| lane.geometry()).unwrap_or(Geometry {
            block_len: 512,
            len: 0,
            read_only: true,
            max_discard: 0,
            max_write_zeroes: 0,
            max_transfer: 0,
        })
    }

    fn set_codec(&mut self, codec: Arc<dyn Codec>) -> bool {
        self.with(|lane| lane.set_codec(codec)).is_some()
    }

    fn submit(&mut self, request: Request) -> Result<Token, Rejected> {
        let Some(lane) = self.core.lanes.get(self.index) else {
            return Err(Rejected { error: rkt_blockdev::SubmitError::Down, request });
        };
        lane.lock().submit(request)
    }

    fn kick(&mut self) {
        let now = (self.core.clock)();
        self.with(|lane| lane.kick(&self.core.regs, now));
        if self.core.is_due(now) {
            self.core.tend(now);
        }
    }

    fn poll(&mut self) -> Option<Completion> {
        if self.done.is_empty() {
            self.fetch();
        }
        self.done.pop_front()
    }

    fn has_work(&self) -> bool {
        !self.done.is_empty() || self.with(|lane| lane.has_work()).unwrap_or(false) || self.is_told()
    }

    fn deadline(&self) -> Option<u64> {
        let busy = self.with(|lane| lane.is_busy()).unwrap_or(false);
        busy.then(|| self.core.next_tend.load(Ordering::Relaxed))
    }

    fn in_flight(&self) -> usize {
        self.done.len().saturating_add(self.with(|lane| lane.in_flight()).unwrap_or(0))
    }

    fn stats(&self) -> BlockStats {
        self.with(|lane| lane.stats()).unwrap_or_default()
    }

    fn fault(&self) -> Option<&dyn fmt::Display> {
        self.down.as_ref().map(|e| e as &dyn fmt::Display)
    }

    fn reset(&mut self, wait: &mut dyn FnMut()) -> Result<(), BlockError> {
        let core = &*self.core;
        core.controller.lock().restart(&core.regs, &core.lanes, (core.clock)());
        // Whoever else has a lane goes on where it was; here nothing is to be repeated.
        self.with(LaneState::abort_all);
        let result = core.run(wait).map_err(|_| BlockError::Device);
        let down = self.with(|lane| {
            if result.is_ok() {
                lane.count_reset();
            }
            lane.down()
        });
        self.down = down.flatten();
        result
    }
}
