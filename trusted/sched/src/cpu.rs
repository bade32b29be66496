//! vCPU slots: run queues and the switch from one thread to the next.

use crate::context;
use crate::idle::Poller;
use crate::share::{Place, Share, raise};
use crate::thread::{Thread, current};
use alloc::collections::BinaryHeap;
use alloc::sync::Arc;
use core::cell::UnsafeCell;
use core::cmp::Ordering as Order;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering, fence};
use rkt_platform::{MAX_CPUS, SpaceId};
use rkt_sync::{Mutex, OnceCell};

/// Why a thread leaves its vCPU.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leave {
    Park,
    Yield,
    Exit,
}

/// A vCPU slot.
#[repr(align(128))]
pub(crate) struct Cpu {
    queue: Mutex<BinaryHeap<Ready>>,
    /// Length of `queue`, to look at without the lock.
    queued: AtomicUsize,
    /// How many of them any vCPU may take.
    stealable: AtomicUsize,
    /// Virtual time of the queue: that of the thread that was switched in last.
    floor: AtomicU64,
    /// The latest virtual time that anybody in the queue has.
    last: AtomicU64,
    /// Numbers of places, for those with the same time: first come, first served.
    next: AtomicU64,
    switches: AtomicU64,
    /// Ticks, and rounds of the idle loop: times that no application ran here.
    turns: AtomicU64,
    own: UnsafeCell<Own>,
}

/// What belongs to the slot's holder alone.
struct Own {
    idle_sp: usize,
    left: Option<(Arc<Thread>, Leave)>,
    picked: Option<Arc<Thread>>,
    realtime: Throttle,
}

/// Real-time threads get at most 19 parts of 20 of each second while others are ready
/// (sched(7), sched_rt_runtime_us).
#[derive(Clone, Copy)]
struct Throttle {
    /// Start of the current second, ticks of the time-stamp counter.
    since: u64,
    /// Used in it, ticks.
    used: u64,
}

impl Throttle {
    const SECOND_US: u64 = 1_000_000;

    fn charge(&mut self, now: u64, slice: u64) {
        if now.saturating_sub(self.since) > Self::SECOND_US * rkt_platform::tsc_per_us() {
            *self = Self { since: now, used: 0 };
        }
        self.used += slice;
    }

    fn is_exhausted(&self) -> bool {
        if self.used == 0 {
            return false;
        }
        let now = rkt_platform::tsc();
        let second = Self::SECOND_US * rkt_platform::tsc_per_us();
        now.saturating_sub(self.since) <= second && self.used > second / 20 * 19
    }
}

// SAFETY: `own` is used only by the carrier that holds the slot, and only one holds it.
unsafe impl Sync for Cpu {}

static CPUS: [Cpu; MAX_CPUS] = [const {
    Cpu {
        queue: Mutex::new(BinaryHeap::new()),
        queued: AtomicUsize::new(0),
        stealable: AtomicUsize::new(0),
        floor: AtomicU64::new(0),
        last: AtomicU64::new(0),
        next: AtomicU64::new(0),
        switches: AtomicU64::new(0),
        turns: AtomicU64::new(0),
        own: UnsafeCell::new(Own { idle_sp: 0, left: None, picked: None, realtime: Throttle { since: 0, used: 0 } }),
    }
}; MAX_CPUS];

static POLLER: OnceCell<Poller> = OnceCell::new();

/// A thread on a run queue.
struct Ready {
    place: Place,
    /// Orders those in the same place.
    number: u64,
    thread: Arc<Thread>,
    /// Whether its affinity named vCPUs when it was queued.
    pinned: bool,
}

impl Ready {
    fn key(&self) -> (Place, u64) {
        (self.place, self.number)
    }
}

impl PartialEq for Ready {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Ready {}

impl PartialOrd for Ready {
    fn partial_cmp(&self, other: &Self) -> Option<Order> {
        Some(self.cmp(other))
    }
}

impl Ord for Ready {
    /// The heap gives its greatest first: the one in the first place.
    fn cmp(&self, other: &Self) -> Order {
        other.key().cmp(&self.key())
    }
}

impl Cpu {
    /// Queues a thread; true if it is the only one.
    fn push(&self, thread: Arc<Thread>) -> bool {
        let pinned = thread.affinity() != u64::MAX;
        let place = thread.share.place();
        let mut queue = self.queue.lock();
        raise(&self.last, place.time());
        let number = self.next.load(Ordering::Relaxed);
        self.next.store(number + 1, Ordering::Relaxed);
        queue.push(Ready { place, number, thread, pinned });
        self.count(queue.len(), self.stealable.load(Ordering::Relaxed) + usize::from(!pinned));
        queue.len() == 1
    }

    /// Takes the first thread that a vCPU may run; with `shared`, the first that is not real-time
    /// if there is one.
    fn take_for(&self, index: usize, shared: bool) -> Option<Arc<Thread>> {
        if self.queued.load(Ordering::Acquire) == 0 {
            return None;
        }
        let mut queue = self.queue.lock();
        let first = queue.peek()?;
        let plain = !(shared && first.place.is_realtime()) && first.thread.may_run_on(index);
        let ready = if plain { queue.pop() } else { take_beside(&mut queue, index, shared) };
        let Ready { thread, pinned, .. } = ready?;
        self.count(queue.len(), self.stealable.load(Ordering::Relaxed) - usize::from(!pinned));
        Some(thread)
    }

    /// Takes a thread out, wherever it stands.
    fn take_out(&self, thread: &Arc<Thread>) -> Option<Arc<Thread>> {
        if self.queued.load(Ordering::Acquire) == 0 {
            return None;
        }
        let mut queue = self.queue.lock();
        let at = queue.iter().position(|ready| Arc::ptr_eq(&ready.thread, thread))?;
        let mut all = core::mem::take(&mut *queue).into_vec();
        let taken = all.swap_remove(at);
        *queue = all.into();
        self.count(queue.len(), self.stealable.load(Ordering::Relaxed) - usize::from(!taken.pinned));
        Some(taken.thread)
    }

    /// Place of the first thread that a vCPU may run.
    fn first_for(&self, index: usize) -> Option<Place> {
        if self.queued.load(Ordering::Acquire) == 0 {
            return None;
        }
        let queue = self.queue.lock();
        let first = queue.peek()?;
        if first.thread.may_run_on(index) {
            return Some(first.place);
        }
        queue.iter().filter(|ready| ready.thread.may_run_on(index)).map(|ready| ready.place).min()
    }

    /// Publishes the lengths; only with the queue locked. A vCPU that parks looks at them once
    /// more behind the fence of its doorbell, and whoever pushed rings behind another.
    fn count(&self, queued: usize, stealable: usize) {
        self.queued.store(queued, Ordering::Release);
        self.stealable.store(stealable, Ordering::Release);
    }
}

/// Takes a thread that is not at the head of the queue: the head is pinned to other vCPUs, or a
/// real-time thread that had its part.
fn take_beside(queue: &mut BinaryHeap<Ready>, index: usize, shared: bool) -> Option<Ready> {
    let mut all = core::mem::take(queue).into_vec();
    let may = |ready: &&Ready| ready.thread.may_run_on(index);
    let first = |of: &mut dyn Iterator<Item = &Ready>| of.map(Ready::key).min();
    let wanted = Some(shared)
        .filter(|&shared| shared)
        .and_then(|_| first(&mut all.iter().filter(may).filter(|ready| !ready.place.is_realtime())))
        .or_else(|| first(&mut all.iter().filter(may)));
    let at = all.iter().position(|ready| Some(ready.key()) == wanted);
    let taken = at.map(|at| all.swap_remove(at));
    *queue = all.into();
    taken
}

/// How far a thread that waited comes back ahead of the others: 4 ms of virtual time, in ticks of the
/// time-stamp counter.
fn ahead() -> u64 {
    const AHEAD_US: u64 = 4000;
    AHEAD_US * rkt_platform::tsc_per_us()
}

fn cpu(index: usize) -> &'static Cpu {
    &CPUS[index % MAX_CPUS]
}

fn own() -> &'static mut Own {
    // SAFETY: only the slot's holder gets here, and no caller keeps the reference across a
    // switch or a call that takes another.
    unsafe { &mut *cpu(rkt_platform::cpu()).own.get() }
}

/// Installs the functions that look after devices and other sources of work. Once, at boot.
pub fn set_poller(poller: Poller) {
    let _ = POLLER.set(poller);
}

pub(crate) fn poller() -> Option<&'static Poller> {
    POLLER.get()
}

/// Counters of the run queues.
#[derive(Clone, Copy, Debug, Default)]
pub struct RunCounters {
    /// Switches to a thread.
    pub switches: u64,
    /// Threads ready to run.
    pub ready: u64,
}

/// Sums over all vCPUs.
pub fn counters() -> RunCounters {
    let mut sum = RunCounters::default();
    for cpu in CPUS.iter().take(rkt_platform::cpus()) {
        sum.switches += cpu.switches.load(Ordering::Relaxed);
        sum.ready += cpu.queued.load(Ordering::Relaxed) as u64;
    }
    sum
}

/// Threads waiting for this vCPU.
pub fn ready_count() -> usize {
    cpu(rkt_platform::cpu()).queued.load(Ordering::SeqCst)
}

/// Whether there is a thread that this vCPU may run: in its own queue, or one in another's that is
/// not pinned (the vCPU that a pinned one waits for is kicked, and nobody else need stay awake).
pub(crate) fn any_ready() -> bool {
    ready_count() > 0 || CPUS.iter().take(rkt_platform::cpus()).any(|cpu| cpu.stealable.load(Ordering::SeqCst) > 0)
}

/// Puts a ready thread on a run queue: the one of this vCPU, where its data is warm, unless
/// its affinity says otherwise.
pub(crate) fn enqueue(thread: Arc<Thread>) {
    let last = thread.last_cpu().unwrap_or_else(rkt_platform::cpu);
    enqueue_from(thread, last);
}

/// The same for a thread whose virtual time is one of the queue of vCPU `from`.
fn enqueue_from(thread: Arc<Thread>, from: usize) {
    let here = rkt_platform::cpu();
    let target = match thread.may_run_on(here) {
        true => here,
        false => (0..rkt_platform::cpus()).find(|&i| thread.may_run_on(i)).unwrap_or(here),
    };
    let [from, to] = [from, target].map(|index| cpu(index).floor.load(Ordering::Relaxed));
    thread.share.wake(from, to, ahead());
    let first = cpu(target).push(thread);
    if target != here {
        rkt_platform::kick(target);
    } else if !first {
        kick_idle(here);
    }
}

/// The affinity of a thread has changed: if it is queued, it goes where it may run now. On the queue
/// of another vCPU, which was the only one that it could run on, nobody would look for it.
pub(crate) fn queue_again(thread: &Arc<Thread>) {
    let found = (0..rkt_platform::cpus()).find_map(|from| Some((from, cpu(from).take_out(thread)?)));
    if let Some((from, thread)) = found {
        enqueue_from(thread, from);
    }
}

/// Wakes one parked vCPU so that it takes work from this one's queue. Called when more than
/// one thread is ready, and at the tick: a thread that was woken by one about to park is
/// cheaper to run here (waking another processor costs tens of microseconds).
pub fn kick_idle(here: usize) {
    let count = rkt_platform::cpus();
    if count > 1
        && cpu(here).queued.load(Ordering::Relaxed) > 0
        && let Some(idle) = (0..count).find(|&i| i != here && rkt_platform::parked(i))
    {
        rkt_platform::kick(idle);
    }
}

/// The next thread for this vCPU: its own queue, else another's.
pub(crate) fn pick() -> Option<Arc<Thread>> {
    let here = rkt_platform::cpu();
    let shared = own().realtime.is_exhausted();
    if let Some(thread) = own().picked.take().or_else(|| cpu(here).take_for(here, shared)) {
        return Some(thread);
    }
    let count = rkt_platform::cpus();
    (1..count).map(|i| (here + i) % count).find_map(|other| {
        let thread = cpu(other).take_for(here, shared)?;
        thread.share.migrate(cpu(other).floor.load(Ordering::Relaxed), cpu(here).floor.load(Ordering::Relaxed));
        Some(thread)
    })
}

/// The thread for which this carrier got the slot.
pub(crate) fn take_picked() -> Option<Arc<Thread>> {
    let space = rkt_platform::space();
    own().picked.take_if(|thread| thread.space() == space)
}

pub(crate) fn keep_picked(thread: Arc<Thread>) {
    own().picked = Some(thread);
}

/// Parks the running thread until it is woken; returns at once if it was woken since it last
/// parked. Spurious returns are allowed: callers look at their condition in a loop.
pub fn schedule() {
    if current().token.begin_park() {
        leave(Leave::Park);
        current().token.consume();
    }
}

/// Lets all other ready threads run first.
pub fn yield_now() {
    if any_ready() {
        let this = cpu(rkt_platform::cpu());
        let (last, floor) = (this.last.load(Ordering::Relaxed), this.floor.load(Ordering::Relaxed));
        current().share.go_behind(last, floor, ahead());
        leave(Leave::Yield);
    }
}

/// The tick hit the running thread, in the application or in the kernel: it makes way if it is
/// somebody else's turn.
pub fn tick(in_kernel: bool) {
    current().account().hit(in_kernel);
    note_turn();
    if own().picked.is_some() || is_others_turn() {
        leave(Leave::Yield);
    }
}

/// No application runs on this vCPU now.
pub(crate) fn note_turn() {
    let turns = &cpu(rkt_platform::cpu()).turns;
    turns.store(turns.load(Ordering::Relaxed) + 1, Ordering::Release);
}

impl Cpu {
    fn passages(&self) -> u64 {
        self.turns.load(Ordering::Acquire).wrapping_add(self.switches.load(Ordering::Relaxed))
    }
}

/// How long [`wait_for_others`] waits before it looks again, in nanoseconds.
const LOOK_AGAIN: u64 = 50_000;

/// Waits until every other vCPU has been out of the application since the call: all that was written
/// before is seen by what runs there then, and the other way round. Takes up to a tick.
pub fn wait_for_others() {
    fence(Ordering::SeqCst);
    let before: [u64; MAX_CPUS] = core::array::from_fn(|index| cpu(index).passages());
    let here = rkt_platform::cpu();
    for (index, &before) in before.iter().enumerate().take(rkt_platform::cpus()).filter(|&(index, _)| index != here) {
        while cpu(index).passages() == before && !rkt_platform::parked(index) {
            let _ = crate::wait::sleep_until(rkt_platform::now().saturating_add(LOOK_AGAIN));
        }
    }
    fence(Ordering::SeqCst);
}

/// The share of a thread that the running one makes. It begins where its maker is: a chain of
/// processes, each of which makes the next and ends, gets no more than one that goes on.
pub(crate) fn share_of_child() -> Share {
    if !crate::thread::in_thread() {
        return Share::default();
    }
    let me = current();
    let place = me.share.place_after(me.account().slice(rkt_platform::tsc()));
    if place.is_realtime() { Share::default() } else { Share::starting_at(place.time()) }
}

fn is_others_turn() -> bool {
    let here = rkt_platform::cpu();
    let me = current();
    // What the slice costs counts already, though it is charged at its end.
    let slice = me.account().slice(rkt_platform::tsc());
    let mine = me.share.place_after(slice);
    if mine.is_realtime() && own().realtime.is_exhausted() {
        return any_ready();
    }
    if let Some(first) = cpu(here).first_for(here) {
        return mine.makes_way_for(first, me.share.takes_turns());
    }
    // Nobody waits here: one that waits behind another vCPU's thread may be due more than this one.
    let count = rkt_platform::cpus();
    let lag = mine.lag(cpu(here).floor.load(Ordering::Relaxed));
    (1..count).map(|i| cpu((here + i) % count)).filter(|other| other.stealable.load(Ordering::Relaxed) > 0).any(
        |other| {
            let first = other.first_for(here);
            first.is_some_and(|first| match (first.is_realtime(), mine.is_realtime()) {
                (false, false) => first.lag(other.floor.load(Ordering::Relaxed)) < lag,
                _ => mine.makes_way_for(first, me.share.takes_turns()),
            })
        },
    )
}

/// Goes on in another address space: the running thread leaves this carrier and returns on one of
/// that space.
pub fn move_to(space: SpaceId) {
    current().set_space(space);
    leave(Leave::Yield);
}

/// Switches from the running thread to the next one, or to the idle loop.
pub(crate) fn leave(why: Leave) {
    let me = current();
    let now = rkt_platform::tsc();
    charge(&me, now, why == Leave::Park);
    if !me.stack_is_whole() {
        // What lay behind it is spoilt: nothing can be trusted any more.
        rkt_platform::exit(rkt_platform::Exit::Failed);
    }
    let next = if why == Leave::Exit { None } else { pick_for_this_space() };
    let me_arc = {
        // SAFETY: the vCPU's own reference count, taken over from `current`.
        unsafe { Arc::from_raw(rkt_platform::current() as *const Thread) }
    };
    let save = me.sp.get();
    rkt_platform::save(
        // SAFETY: the state of the thread that runs here.
        unsafe { &mut *me.user.get() },
    );
    let this = own();
    this.left = Some((me_arc, why));
    let to = match next {
        Some(thread) => become_current(thread, now),
        None => {
            rkt_platform::set_current(0, 0);
            this.idle_sp
        }
    };
    // SAFETY: `to` is the saved stack of a thread that was on a run queue, or of the idle loop.
    unsafe { context::switch(save, to) };
    finish_switch();
}

/// A thread of the carrier's address space (the leaving thread may have moved to another); one
/// of another is left for the idle loop, which passes the slot on.
fn pick_for_this_space() -> Option<Arc<Thread>> {
    let next = pick()?;
    if next.space() == rkt_platform::space() || next.space() == SpaceId::NONE {
        return Some(next);
    }
    keep_picked(next);
    None
}

/// Makes a thread the current one of this vCPU; gives its stack pointer.
fn become_current(thread: Arc<Thread>, now: u64) -> usize {
    let index = rkt_platform::cpu();
    thread.last_cpu.store(index, Ordering::Release);
    let switches = &cpu(index).switches;
    switches.store(switches.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    thread.account().begin(now);
    if !thread.share.place().is_realtime() {
        raise(&cpu(index).floor, thread.share.place().time());
    }
    // SAFETY: whoever takes a thread from a run queue may use its cells.
    let (sp, state) = unsafe { (*thread.sp.get(), &mut *thread.user.get()) };
    rkt_platform::load(state);
    let top = thread.stack_top();
    rkt_platform::set_current(Arc::into_raw(thread) as usize, top);
    sp
}

/// Runs a thread from the idle loop until something lets the idle loop run again.
pub(crate) fn run(thread: Arc<Thread>) {
    let save = &raw mut own().idle_sp;
    let to = become_current(thread, rkt_platform::tsc());
    // SAFETY: as in `leave`.
    unsafe { context::switch(save, to) };
    finish_switch();
}

/// First thing after every switch: settles what becomes of the thread that left.
pub(crate) fn finish_switch() {
    let Some((thread, why)) = own().left.take() else { return };
    match why {
        Leave::Exit => drop(thread),
        Leave::Yield => enqueue(thread),
        Leave::Park => {
            if !thread.token.finish_park() {
                enqueue(thread);
            }
        }
    }
}

pub(crate) fn ticks_to_ns(ticks: u64) -> u64 {
    (u128::from(ticks) * 1000 / u128::from(rkt_platform::tsc_per_us().max(1))) as u64
}

/// Only the vCPU that runs a thread charges it: no two add at the same time.
fn charge(thread: &Thread, now: u64, waits: bool) {
    let slice = thread.account().end(now, waits);
    if thread.share.place().is_realtime() {
        own().realtime.charge(now, slice);
    } else {
        thread.share.charge(slice);
    }
}

/// Drops every thread that is ready or was being switched.
#[cfg(feature = "simulation")]
pub(crate) fn reset() {
    for cpu in &CPUS {
        let ready = cpu.queue.try_lock().map(|mut queue| core::mem::take(&mut *queue));
        cpu.queued.store(0, Ordering::SeqCst);
        cpu.stealable.store(0, Ordering::SeqCst);
        // Otherwise one run would decide who comes first in the next.
        [&cpu.floor, &cpu.last, &cpu.next].iter().for_each(|counter| counter.store(0, Ordering::SeqCst));
        // SAFETY: no vCPU runs.
        let own = unsafe { &mut *cpu.own.get() };
        own.realtime = Throttle { since: 0, used: 0 };
        drop((ready, own.left.take(), own.picked.take()));
    }
}
