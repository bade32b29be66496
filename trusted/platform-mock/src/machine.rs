//! The simulated machine: vCPU slots, the carriers that hold them, and the order in which they run.

use crate::application::Application;
use crate::memory::Memory;
use crate::rng::Rng;
use crate::simulate::{Config, Report};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::any::Any;
use core::cell::Cell;
use rkt_platform::{SpaceId, UserState};

const CARRIER_STACK_LEN: usize = 256 << 10;
/// Steps that the vCPUs get to come to rest after the last thread that counts has ended, and to
/// reach a point without locks after the simulation has.
const LAST_STEPS: u64 = 20_000;
/// Bytes of vector state of the simulated processor: x87, SSE and AVX (SDM vol. 1, 13.4).
pub(crate) const XSAVE_LEN: usize = 832;

/// Why a simulation ended.
pub(crate) enum End {
    /// All threads that count have ended.
    Done,
    /// `rkt_platform::exit` was called; how is in the report.
    Exit,
    Panic(Box<dyn Any + Send>),
    /// Nothing can run any more, or it runs for ever.
    Stuck(String),
}

/// The processor's application state: what is in the vector registers and the FS base.
pub(crate) struct Processor {
    pub(crate) vector: [u8; XSAVE_LEN],
    pub(crate) fs_base: u64,
    /// The state of the thread that is loaded; null in the idle loop.
    pub(crate) state: *mut UserState,
}

/// What a host thread would be: it runs one slot in one address space.
pub(crate) struct Carrier {
    /// Owns the memory that `sp` points into.
    _stack: Vec<u128>,
    sp: usize,
    entry: fn() -> !,
    pub(crate) current: usize,
    pub(crate) kernel_top: usize,
    pub(crate) processor: Processor,
}

pub(crate) struct Slot {
    /// The space whose carrier holds the slot.
    pub(crate) space: SpaceId,
    pub(crate) parked: bool,
    pub(crate) kicked: bool,
    /// Until when the slot sleeps, if it does.
    until: Option<u64>,
    /// The simulation has ended for this slot.
    stopped: bool,
}

#[derive(Default)]
pub(crate) struct Space {
    pub(crate) memory: Memory,
    pub(crate) application: Option<Application>,
}

pub(crate) struct Machine {
    pub(crate) config: Config,
    pub(crate) clock: u64,
    pub(crate) chance: Rng,
    pub(crate) entropy: Rng,
    pub(crate) slots: Vec<Slot>,
    running: usize,
    carriers: BTreeMap<(usize, u32), Box<Carrier>>,
    pub(crate) spaces: BTreeMap<u32, Space>,
    /// Threads that the simulation waits for.
    pub(crate) live: usize,
    pub(crate) window_ready: bool,
    pub(crate) report: Report,
    end: Option<End>,
    steps: u64,
    last_step: u64,
    host_sp: usize,
}

std::thread_local! {
    static MACHINE: Cell<*mut Machine> = const { Cell::new(core::ptr::null_mut()) };
}

/// The machine that is simulated on this host thread, if any.
pub(crate) fn try_machine() -> Option<&'static mut Machine> {
    // SAFETY: set by `run` while the machine lives. All runs on one host thread, and no caller
    // keeps the reference across a switch or another call of this function.
    unsafe { MACHINE.get().as_mut() }
}

/// The machine that is simulated on this host thread.
pub(crate) fn machine() -> &'static mut Machine {
    try_machine().expect("the door is open only within rkt_platform_mock::simulate")
}

impl Machine {
    pub(crate) fn new(config: Config) -> Self {
        let limit = config.limit;
        Self {
            clock: 1_000_000,
            chance: Rng::new(config.seed),
            entropy: Rng::new(!config.seed),
            slots: Vec::new(),
            running: 0,
            carriers: BTreeMap::new(),
            spaces: BTreeMap::from([(SpaceId::FIRST.0, Space::default())]),
            live: 1,
            window_ready: false,
            report: Report::default(),
            end: None,
            steps: 0,
            last_step: limit,
            host_sp: 0,
            config,
        }
    }

    /// Runs the machine from `boot` on vCPU 0 to the end.
    pub(crate) fn run(mut self, boot: fn() -> !) -> (End, Report) {
        self.add_slot(boot);
        MACHINE.set(&raw mut self);
        let to = self.here().sp;
        // SAFETY: a fresh carrier's stack; `leave` comes back to here, once.
        unsafe { rkt_sched::switch(&raw mut machine().host_sp, to) };
        MACHINE.set(core::ptr::null_mut());
        self.report.elapsed = self.clock;
        (self.end.take().unwrap_or(End::Done), self.report)
    }

    /// Adds a vCPU whose carrier in the first space begins with `entry`.
    pub(crate) fn add_slot(&mut self, entry: fn() -> !) {
        let slot = self.slots.len();
        self.slots.push(Slot { space: SpaceId::FIRST, parked: false, kicked: false, until: None, stopped: false });
        self.add_carrier(slot, SpaceId::FIRST, entry);
    }

    fn add_carrier(&mut self, slot: usize, space: SpaceId, entry: fn() -> !) {
        let mut stack = vec![0u128; CARRIER_STACK_LEN / 16];
        let top = stack.as_mut_ptr_range().end as usize;
        // SAFETY: the top of a fresh stack, aligned, with more than 128 bytes below.
        let sp = unsafe { rkt_sched::prepare(top, begin) };
        let processor = Processor { vector: [0; XSAVE_LEN], fs_base: 0, state: core::ptr::null_mut() };
        let carrier = Carrier { _stack: stack, sp, entry, current: 0, kernel_top: 0, processor };
        self.carriers.insert((slot, space.0), Box::new(carrier));
    }

    pub(crate) fn cpu(&self) -> usize {
        self.running
    }

    pub(crate) fn space(&self) -> SpaceId {
        self.slots[self.running].space
    }

    /// The carrier that runs.
    pub(crate) fn here(&mut self) -> &mut Carrier {
        let key = (self.running, self.space().0);
        self.carriers.get_mut(&key).expect("the running carrier exists")
    }

    pub(crate) fn here_space(&mut self) -> &mut Space {
        let space = self.space().0;
        self.spaces.get_mut(&space).expect("the current address space exists")
    }

    fn can_run(&self, slot: &Slot) -> bool {
        !slot.stopped && (slot.kicked || slot.until.is_none_or(|until| until <= self.clock))
    }

    /// One of the vCPUs that can run, other than `except`.
    fn choose(&mut self, except: Option<usize>) -> Option<usize> {
        let able: Vec<usize> =
            (0..self.slots.len()).filter(|&i| Some(i) != except && self.can_run(&self.slots[i])).collect();
        let at = self.chance.below(able.len() as u64);
        able.get(at as usize).copied()
    }

    /// A thread that the simulation waits for has ended.
    pub(crate) fn thread_ended(&mut self) {
        self.live -= 1;
        if self.live == 0 {
            // Where idle vCPUs never sleep, nothing else tells that all is done.
            self.last_step = self.last_step.min(self.steps + LAST_STEPS);
        }
    }

    fn is_ended(&self) -> bool {
        self.end.is_some()
    }
}

/// First code of a carrier.
extern "C" fn begin() -> ! {
    let entry = machine().here().entry;
    match std::panic::catch_unwind(|| entry()) {
        Err(payload) => finish(End::Panic(payload)),
    }
}

fn switch_to(slot: usize, space: SpaceId) {
    let m = machine();
    let save = &raw mut m.here().sp;
    m.running = slot;
    m.slots[slot].space = space;
    let to = &raw mut m.here().sp;
    if save != to {
        // SAFETY: the carrier was left by this function, or is fresh.
        unsafe { rkt_sched::switch(save, *to) };
    }
}

/// A point where another vCPU may go on.
pub(crate) fn preempt() {
    let m = machine();
    m.steps += 1;
    m.clock += 1 + m.chance.below(500);
    if m.steps > m.last_step && m.live == 0 {
        finish(End::Done);
    } else if m.steps > m.last_step {
        finish(End::Stuck(alloc::format!("still running after {} calls of the door", m.steps)));
    }
    if m.slots.len() > 1
        && m.chance.one_in(m.config.preemption)
        && let Some(slot) = m.choose(None)
    {
        switch_to(slot, m.slots[slot].space);
    }
}

/// Lets another vCPU go on; false if none can.
pub(crate) fn relinquish() -> bool {
    preempt();
    let m = machine();
    let Some(slot) = m.choose(Some(m.cpu())) else { return false };
    switch_to(slot, m.slots[slot].space);
    true
}

/// Stops here if the simulation has ended: called where no lock is held.
pub(crate) fn stop_if_ended() {
    if machine().is_ended() {
        leave();
    }
}

/// Sleeps until the vCPU is kicked or the deadline is reached.
pub(crate) fn sleep(deadline: u64) {
    let m = machine();
    let me = m.cpu();
    m.slots[me].until = Some(deadline);
    let slot = loop {
        if let Some(slot) = m.choose(None) {
            break slot;
        }
        let next = m.slots.iter().filter_map(|slot| slot.until).min().unwrap_or(u64::MAX);
        if m.live == 0 {
            finish(End::Done);
        } else if next == u64::MAX {
            let text = "deadlock: threads remain, none is ready and no timer is armed";
            finish(End::Stuck(String::from(text)));
        }
        m.clock = m.clock.max(next);
    };
    switch_to(slot, m.slots[slot].space);
    machine().slots[me].until = None;
}

/// Hands this vCPU to its carrier in another space.
pub(crate) fn pass(space: SpaceId) {
    let m = machine();
    let slot = m.cpu();
    assert!(m.spaces.contains_key(&space.0), "pass to {space:?}, which does not exist");
    if !m.carriers.contains_key(&(slot, space.0)) {
        m.add_carrier(slot, space, m.config.upcalls.idle);
    }
    switch_to(slot, space);
}

/// Ends the carriers of a space that no slot is in.
pub(crate) fn end_space(space: SpaceId) {
    let m = machine();
    assert!(m.slots.iter().all(|slot| slot.space != space), "the end of {space:?}, in which a vCPU still runs");
    assert!(m.spaces.remove(&space.0).is_some(), "the end of {space:?}, which does not exist");
    m.carriers.retain(|&(_, of), _| of != space.0);
}

/// Ends the simulation. The first end counts; the other vCPUs go on to where they hold no lock.
pub(crate) fn finish(end: End) -> ! {
    let m = machine();
    if m.end.is_none() {
        m.end = Some(end);
        m.last_step = m.steps + LAST_STEPS;
        leave();
    }
    // Somebody waits for a lock that nobody gives back.
    m.slots.iter_mut().for_each(|slot| slot.stopped = true);
    leave();
}

fn leave() -> ! {
    let m = machine();
    let me = m.cpu();
    m.slots[me].stopped = true;
    let awake = (0..m.slots.len()).find(|&i| !m.slots[i].stopped && m.slots[i].until.is_none());
    let mut nowhere = 0;
    let to = match awake {
        Some(slot) => {
            m.running = slot;
            m.here().sp
        }
        None => m.host_sp,
    };
    // SAFETY: the stack of a carrier that was left, or of the host; nobody returns to this one.
    unsafe { rkt_sched::switch(&raw mut nowhere, to) };
    unreachable!("a carrier went on after the end")
}
