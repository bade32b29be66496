//! Groups that an interface is in: which sockets joined, from which sources, and what routers are told by IGMPv3 (RFC 3376)
//! and MLDv2 (RFC 3810), or by the older versions where a router speaks those.

mod filter;
mod packet;

pub use filter::{Filter, Mode};
pub use packet::{emit_v4, emit_v6};

use crate::time::{MILLISECOND, SECOND, Turn, after, earlier};
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;
use hashbrown::HashMap;
use rkt_wire::icmpv6::mld;
use rkt_wire::igmp;
use rkt_wire::membership::RecordKind;
use rkt_wire::{ethernet, ipv6};

/// Most groups of an interface.
pub const MAX_GROUPS: usize = 512;
/// Most sources of a filter, as Linux's `mld_max_msf`.
pub const MAX_SOURCES: usize = 64;
/// Unsolicited Report Interval (RFC 3376 §8.11, RFC 3810 §9.11).
const UNSOLICITED_INTERVAL: u64 = SECOND;
/// Older Version Querier Present Timeout with default values (RFC 3376 §8.12, RFC 3810 §9.12).
const OLDER_QUERIER_TIMEOUT: u64 = 260 * SECOND;

/// Who joined: a socket's number, which the caller chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Member(pub u64);

/// How routers are spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// IGMPv1: joins only.
    V1,
    /// IGMPv2 or MLDv1.
    V2,
    /// IGMPv3 or MLDv2.
    V3,
}

/// A message to routers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// A record of the current version.
    Record {
        /// What it says.
        kind: RecordKind,
        /// About which group.
        group: IpAddr,
        /// Sources.
        sources: Vec<IpAddr>,
    },
    /// A report of an older version.
    Joined {
        /// The group.
        group: IpAddr,
        /// Which.
        version: Version,
    },
    /// IGMPv2's leave, MLDv1's done.
    Left {
        /// The group.
        group: IpAddr,
    },
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Let frames to this address in; perhaps they are already.
    Listen(ethernet::Address),
    /// Frames to this address are of no interest any more.
    Ignore(ethernet::Address),
    /// Send a report: see [`emit_v4`] and [`emit_v6`].
    Send(Report),
}

/// Why a filter was not set; the caller is guilty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinError {
    /// That is no group: `EINVAL`.
    NoGroup,
    /// There are [`MAX_GROUPS`], or more than [`MAX_SOURCES`]: `ENOBUFS`.
    Full,
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoGroup => "not the address of a group",
            Self::Full => "too many groups or sources",
        })
    }
}

impl core::error::Error for JoinError {}

/// A group.
#[derive(Debug)]
struct Group {
    members: Vec<(Member, Filter)>,
    /// What the members want together.
    merged: Filter,
    /// The change that is told once more, as a packet may be lost (robustness variable 2: RFC 3376 §8.1), and when.
    again: Option<(u64, Vec<Report>)>,
    /// When a query is answered.
    answer_at: Option<u64>,
}

/// The groups of an interface.
#[derive(Debug, Default)]
pub struct Groups {
    groups: HashMap<IpAddr, Group>,
    /// Until when a router speaks an older version, and which: IGMP, MLD.
    older_v4: Option<(u64, Version)>,
    older_v6: Option<(u64, Version)>,
}

impl Groups {
    /// An interface in no group.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets what `member` wants of `group`; a filter that lets nothing in leaves it.
    ///
    /// # Errors
    /// See [`JoinError`].
    pub fn set(
        &mut self,
        member: Member,
        group: IpAddr,
        filter: Filter,
        turn: &mut Turn<'_, Action>,
    ) -> Result<(), JoinError> {
        if !group.is_multicast() {
            return Err(JoinError::NoGroup);
        }
        let is_new = !self.groups.contains_key(&group);
        if is_new && filter.is_nothing() {
            return Ok(());
        }
        if filter.sources().len() > MAX_SOURCES || is_new && self.groups.len() >= MAX_GROUPS {
            return Err(JoinError::Full);
        }
        let entry = self.groups.entry(group).or_insert_with(|| Group {
            members: Vec::new(),
            merged: Filter::nothing(),
            again: None,
            answer_at: None,
        });
        entry.members.retain(|(other, _)| *other != member);
        if !filter.is_nothing() {
            entry.members.push((member, filter));
        }
        self.update(group, turn);
        Ok(())
    }

    /// Takes a member out of all groups, as when its socket is closed.
    pub fn leave_all(&mut self, member: Member, turn: &mut Turn<'_, Action>) {
        let is_member = |group: &Group| group.members.iter().any(|(other, _)| *other == member);
        let of_member = self.groups.iter().filter(|(_, group)| is_member(group)).map(|(address, _)| *address);
        let of_member: Vec<_> = of_member.collect();
        for address in of_member {
            if let Some(group) = self.groups.get_mut(&address) {
                group.members.retain(|(other, _)| *other != member);
            }
            self.update(address, turn);
        }
    }

    /// Whether the interface is in `group`. Everyone is in that of all hosts (RFC 1112 §4, RFC 4291 §2.8).
    pub fn is_in(&self, group: IpAddr) -> bool {
        is_silent(group) || self.groups.get(&group).is_some_and(|group| !group.members.is_empty())
    }

    /// Whether `member` wants packets from `source` to `group`; `None` if it did not join that.
    pub fn wants(&self, member: Member, group: IpAddr, source: IpAddr) -> Option<bool> {
        let members = &self.groups.get(&group)?.members;
        members.iter().find(|(other, _)| *other == member).map(|(_, filter)| filter.accepts(source))
    }

    /// Groups with the number of their members.
    pub fn iter(&self) -> impl Iterator<Item = (IpAddr, usize)> {
        let joined = self.groups.iter().filter(|(_, group)| !group.members.is_empty());
        joined.map(|(address, group)| (*address, group.members.len()))
    }

    /// A message of IGMP arrived, with a time to live of 1.
    pub fn on_igmp(&mut self, message: &igmp::Message<'_>, turn: &mut Turn<'_, Action>) {
        match *message {
            igmp::Message::Query { max_response, group, version } => {
                match version {
                    igmp::Version::V1 => note(&mut self.older_v4, Version::V1, turn.now),
                    igmp::Version::V2 => note(&mut self.older_v4, Version::V2, turn.now),
                    igmp::Version::V3(_) => {}
                }
                let group = (!group.is_unspecified()).then_some(IpAddr::V4(group));
                self.on_query(group, max_response, true, turn);
            }
            igmp::Message::ReportV1(group) | igmp::Message::ReportV2(group) => self.on_other_member(group.into()),
            igmp::Message::Leave(_) | igmp::Message::ReportV3(_) => {}
        }
    }

    /// A message of MLD arrived.
    pub fn on_mld(&mut self, message: &mld::Message<'_>, turn: &mut Turn<'_, Action>) {
        match *message {
            mld::Message::Query(mld::Query { max_response, group, tail }) => {
                if tail.is_none() {
                    note(&mut self.older_v6, Version::V2, turn.now);
                }
                let group = (!group.is_unspecified()).then_some(IpAddr::V6(group));
                self.on_query(group, max_response, false, turn);
            }
            mld::Message::ReportV1(group) => self.on_other_member(group.into()),
            mld::Message::Done(_) | mld::Message::ReportV2(_) => {}
        }
    }

    /// When [`on_timer`](Self::on_timer) has something to do.
    pub fn deadline(&self) -> Option<u64> {
        self.groups.values().fold(None, |first, group| {
            earlier(earlier(first, group.answer_at), group.again.as_ref().map(|(at, _)| *at))
        })
    }

    /// Does what is due.
    pub fn on_timer(&mut self, turn: &mut Turn<'_, Action>) {
        let now = turn.now;
        let (v4, v6) = (self.version(true, now), self.version(false, now));
        for (address, group) in &mut self.groups {
            if let Some((_, reports)) = group.again.take_if(|(at, _)| *at <= now) {
                turn.actions.extend(reports.into_iter().map(Action::Send));
            }
            if group.answer_at.take_if(|at| *at <= now).is_some() {
                let version = if address.is_ipv4() { v4 } else { v6 };
                turn.act(Action::Send(current_state(*address, &group.merged, version)));
            }
        }
        self.groups.retain(|_, group| !group.members.is_empty() || group.again.is_some());
    }

    /// How routers are spoken to now.
    fn version(&self, is_v4: bool, now: u64) -> Version {
        let older = if is_v4 { self.older_v4 } else { self.older_v6 };
        older.filter(|(until, _)| now < *until).map_or(Version::V3, |(_, version)| version)
    }

    /// The members of a group have changed: tells routers if that changes what they want together.
    fn update(&mut self, address: IpAddr, turn: &mut Turn<'_, Action>) {
        let version = self.version(address.is_ipv4(), turn.now);
        let is_last = self.is_alone(address);
        let Some(group) = self.groups.get_mut(&address) else { return };
        let merged = Filter::merged(group.members.iter().map(|(_, filter)| filter));
        let old = core::mem::replace(&mut group.merged, merged);
        match (old.is_nothing(), group.merged.is_nothing()) {
            (true, false) => turn.act(Action::Listen(mac_of(address))),
            (false, true) => {
                group.answer_at = None;
                turn.actions.extend(is_last.then(|| Action::Ignore(mac_of(address))));
            }
            _ => {}
        }
        if old != group.merged && !is_silent(address) {
            let reports = change(address, &old, &group.merged, version);
            // What was to be told once more is outdated, and must at least not be told later.
            let before = group.again.take().map(|(_, reports)| reports).unwrap_or_default();
            if !reports.is_empty() {
                turn.actions.extend(before.into_iter().chain(reports.iter().cloned()).map(Action::Send));
                group.again = Some((turn.soon(UNSOLICITED_INTERVAL), reports));
            }
        }
        self.groups.retain(|_, group| !group.members.is_empty() || group.again.is_some());
    }

    /// Whether no other group has the same link-layer address.
    fn is_alone(&self, address: IpAddr) -> bool {
        let mac = mac_of(address);
        !self.iter().any(|(other, _)| other != address && mac_of(other) == mac)
    }

    /// A router asks: each group is reported at a random time, so that not all hosts answer at once.
    fn on_query(&mut self, of: Option<IpAddr>, max_response: u32, is_v4: bool, turn: &mut Turn<'_, Action>) {
        let span = u64::from(max_response) * MILLISECOND;
        for (address, group) in &mut self.groups {
            let is_asked = of.map_or(address.is_ipv4() == is_v4, |of| of == *address);
            if is_asked && !group.members.is_empty() && !is_silent(*address) {
                let at = turn.soon(span);
                group.answer_at = earlier(group.answer_at, Some(at));
            }
        }
    }

    /// Another host reports a group in an older version: one is enough (RFC 2236 §3, RFC 2710 §4).
    fn on_other_member(&mut self, group: IpAddr) {
        if let Some(group) = self.groups.get_mut(&group) {
            group.answer_at = None;
        }
    }
}

/// A router speaks an older version; the oldest of late counts.
fn note(older: &mut Option<(u64, Version)>, version: Version, now: u64) {
    let known = older.filter(|(until, _)| now < *until).map_or(Version::V3, |(_, version)| version);
    *older = Some((after(now, OLDER_QUERIER_TIMEOUT), version.min(known)));
}

/// Groups that no router wants to hear of: all hosts (RFC 3376 §6), and scopes within the machine (RFC 3810 §6).
fn is_silent(group: IpAddr) -> bool {
    match group {
        IpAddr::V4(group) => group == igmp::ALL_SYSTEMS,
        IpAddr::V6(group) => {
            group == ipv6::ALL_NODES
                || matches!(group.octets(), [0xff, flags_and_scope, ..] if flags_and_scope & 15 <= 1)
        }
    }
}

fn mac_of(group: IpAddr) -> ethernet::Address {
    match group {
        IpAddr::V4(group) => ethernet::Address::of_group_v4(group),
        IpAddr::V6(group) => ethernet::Address::of_group_v6(group),
    }
}

/// The answer to a query.
fn current_state(group: IpAddr, filter: &Filter, version: Version) -> Report {
    if version < Version::V3 {
        return Report::Joined { group, version };
    }
    let kind = match filter.mode() {
        Mode::Include => RecordKind::ModeIsInclude,
        Mode::Exclude => RecordKind::ModeIsExclude,
    };
    Report::Record { kind, group, sources: filter.sources().to_vec() }
}

/// What tells routers of a change (RFC 3376 §5.1, RFC 3810 §6.1).
fn change(group: IpAddr, old: &Filter, new: &Filter, version: Version) -> Vec<Report> {
    let mut reports = Vec::new();
    if version < Version::V3 {
        match (old.is_nothing(), new.is_nothing(), version) {
            (true, false, _) => reports.push(Report::Joined { group, version }),
            (false, true, Version::V2) => reports.push(Report::Left { group }),
            _ => {}
        }
        return reports;
    }
    let mut record = |kind, sources: Vec<IpAddr>| reports.push(Report::Record { kind, group, sources });
    match (old.mode(), new.mode()) {
        (Mode::Exclude, Mode::Include) => record(RecordKind::ChangeToInclude, new.sources().to_vec()),
        (Mode::Include, Mode::Exclude) => record(RecordKind::ChangeToExclude, new.sources().to_vec()),
        (Mode::Include, Mode::Include) | (Mode::Exclude, Mode::Exclude) => {
            let added = new.sources_not_in(old);
            let removed = old.sources_not_in(new);
            let is_include = new.mode() == Mode::Include;
            let (allow, block) = if is_include { (added, removed) } else { (removed, added) };
            if !allow.is_empty() {
                record(RecordKind::AllowNewSources, allow);
            }
            if !block.is_empty() {
                record(RecordKind::BlockOldSources, block);
            }
        }
    }
    reports
}

#[cfg(test)]
mod tests;
