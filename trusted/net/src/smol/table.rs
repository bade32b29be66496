//! Which flows there are: by the pair of addresses, and by the time they are to be looked at.

use super::flow::{Flow, Owner, Pair};
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use hashbrown::HashMap;
use smoltcp::socket::tcp::State;

/// Free flows that keep their buffers for the next connection.
const MAX_SPARE: usize = 64;

/// A flow's number: valid from [`Table::take`] to [`Table::release`].
pub(super) type Slot = usize;

/// The flows.
#[derive(Default)]
pub(super) struct Table {
    flows: Vec<Option<Flow>>,
    /// Free ones that have buffers, and those without.
    spare: Vec<Slot>,
    empty: Vec<Slot>,
    by_pair: HashMap<Pair, Slot>,
    timers: BTreeSet<(u64, Slot)>,
    orphans: Vec<Slot>,
}

impl Table {
    /// A fresh flow for `owner`.
    pub fn take(&mut self, owner: Owner, now: u64) -> Slot {
        let slot = self.spare.pop().or_else(|| self.empty.pop()).unwrap_or_else(|| {
            self.flows.push(None);
            self.flows.len() - 1
        });
        if let Some(entry) = self.flows.get_mut(slot) {
            entry.get_or_insert_with(Flow::new).renew(owner, now);
        }
        slot
    }

    /// Makes the slot free.
    pub fn release(&mut self, slot: Slot) {
        self.set_timer(slot, u64::MAX);
        self.set_pair(slot, None);
        self.orphans.retain(|&orphan| orphan != slot);
        let Some(entry) = self.flows.get_mut(slot) else { return };
        let Some(flow) = entry else { return };
        flow.owner = Owner::Free;
        flow.socket().abort();
        if self.spare.len() < MAX_SPARE {
            self.spare.push(slot);
        } else {
            *entry = None;
            self.empty.push(slot);
        }
    }

    /// The flow in a slot, unless the slot was released.
    pub fn get(&mut self, slot: Slot) -> Option<&mut Flow> {
        self.flows.get_mut(slot)?.as_mut().filter(|flow| !matches!(flow.owner, Owner::Free))
    }

    /// Enters the flow under this pair of addresses, instead of the one before.
    pub fn set_pair(&mut self, slot: Slot, pair: Option<Pair>) {
        let Some(flow) = self.flows.get_mut(slot).and_then(Option::as_mut) else { return };
        if let Some(old) = core::mem::replace(&mut flow.pair, pair) {
            self.by_pair.remove(&old);
        }
        if let Some(pair) = pair {
            self.by_pair.insert(pair, slot);
        }
    }

    /// The flow of this pair of addresses.
    pub fn find(&self, pair: &Pair) -> Option<Slot> {
        self.by_pair.get(pair).copied()
    }

    /// Gives way in favour of a new connection: an orphan in TIME-WAIT is released (RFC 6191).
    /// Whether the pair is free now.
    pub fn vacate(&mut self, pair: &Pair) -> bool {
        let Some(slot) = self.find(pair) else { return true };
        let over = self.get(slot).is_some_and(|flow| {
            matches!(flow.owner, Owner::Orphan) && matches!(flow.socket().state(), State::TimeWait | State::Closed)
        });
        if over {
            self.release(slot);
        }
        over
    }

    /// Makes the flow an orphan; gives the one that has been it longest if there are more than `most`.
    pub fn orphan(&mut self, slot: Slot, most: usize, now: u64) -> Option<Slot> {
        let flow = self.get(slot)?;
        flow.owner = Owner::Orphan;
        flow.since = now;
        self.orphans.push(slot);
        (self.orphans.len() > most).then(|| self.orphans.first().copied())?
    }

    /// Sets when a flow is to be looked at.
    pub fn set_timer(&mut self, slot: Slot, at: u64) {
        let Some(flow) = self.flows.get_mut(slot).and_then(Option::as_mut) else { return };
        let old = core::mem::replace(&mut flow.timer, at);
        if old != u64::MAX {
            self.timers.remove(&(old, slot));
        }
        if at != u64::MAX {
            self.timers.insert((at, slot));
        }
    }

    /// When the first flow is to be looked at.
    pub fn next_timer(&self) -> u64 {
        self.timers.first().map_or(u64::MAX, |(at, _)| *at)
    }

    /// Takes a flow whose time has come.
    pub fn expired(&mut self, now: u64) -> Option<Slot> {
        let &(at, slot) = self.timers.first()?;
        (at <= now).then(|| {
            self.set_timer(slot, u64::MAX);
            slot
        })
    }

    /// All slots in use.
    pub fn slots(&self) -> Vec<Slot> {
        let used =
            |(_, entry): &(Slot, &Option<Flow>)| entry.as_ref().is_some_and(|flow| !matches!(flow.owner, Owner::Free));
        self.flows.iter().enumerate().filter(used).map(|(slot, _)| slot).collect()
    }

    /// Whether none is in use.
    pub fn is_empty(&self) -> bool {
        self.flows.len() == self.spare.len() + self.empty.len()
    }
}
