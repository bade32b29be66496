use super::*;
use core::net::{Ipv4Addr, Ipv6Addr};
use rkt_wire::icmpv6;
use rkt_wire::membership::QueryTail;
use std::vec;

const GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(239, 1, 2, 3));
const GROUP6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 0, 9));
const A: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const B: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
const ONE: Member = Member(1);
const TWO: Member = Member(2);

struct Machine {
    groups: Groups,
    now: u64,
}

impl Machine {
    fn new() -> Self {
        Self { groups: Groups::new(), now: 0 }
    }

    fn act<R>(&mut self, f: impl FnOnce(&mut Groups, &mut Turn<'_, Action>) -> R) -> (Vec<Action>, R) {
        let mut actions = vec![];
        let mut random = || u32::MAX / 2;
        let result = f(&mut self.groups, &mut Turn { now: self.now, random: &mut random, actions: &mut actions });
        (actions, result)
    }

    /// Reports that a filter causes at once.
    fn set(&mut self, member: Member, group: IpAddr, filter: Filter) -> Vec<Report> {
        let (actions, result) = self.act(|groups, turn| groups.set(member, group, filter, turn));
        result.unwrap();
        reports(actions)
    }

    fn run(&mut self, span: u64) -> Vec<Report> {
        let until = self.now + span;
        let mut done = vec![];
        while let Some(deadline) = self.groups.deadline().filter(|deadline| *deadline <= until) {
            self.now = deadline;
            done.extend(reports(self.act(|groups, turn| groups.on_timer(turn)).0));
        }
        self.now = until;
        done
    }

    fn query(&mut self, group: Ipv4Addr, version: igmp::Version<'_>) {
        let query = igmp::Message::Query { max_response: 10_000, group, version };
        assert_eq!(self.act(|groups, turn| groups.on_igmp(&query, turn)).0, []);
    }
}

fn reports(actions: Vec<Action>) -> Vec<Report> {
    actions
        .into_iter()
        .filter_map(|action| if let Action::Send(report) = action { Some(report) } else { None })
        .collect()
}

fn record(kind: RecordKind, group: IpAddr, sources: &[IpAddr]) -> Report {
    Report::Record { kind, group, sources: sources.to_vec() }
}

fn tail() -> igmp::Version<'static> {
    igmp::Version::V3(QueryTail { suppress: false, robustness: 2, interval: 125, sources: &[] })
}

fn include(sources: &[IpAddr]) -> Filter {
    Filter::new(Mode::Include, sources.to_vec())
}

#[test]
fn joins_and_leaves_are_told_twice() {
    for group in [GROUP, GROUP6] {
        let mut machine = Machine::new();
        let joined = record(RecordKind::ChangeToExclude, group, &[]);
        assert_eq!(machine.set(ONE, group, Filter::anything()), std::slice::from_ref(&joined));
        assert_eq!(machine.run(SECOND), [joined]);
        assert!(machine.groups.is_in(group));
        // A second member changes nothing for routers.
        assert_eq!(machine.set(TWO, group, Filter::anything()), []);
        assert_eq!(machine.set(ONE, group, Filter::nothing()), []);
        let left = record(RecordKind::ChangeToInclude, group, &[]);
        assert_eq!(machine.set(TWO, group, Filter::nothing()), std::slice::from_ref(&left));
        assert!(!machine.groups.is_in(group));
        assert_eq!(machine.run(60 * SECOND), [left]);
        assert!(machine.groups.groups.is_empty());
    }
}

#[test]
fn sources_are_told_as_they_change() {
    let mut machine = Machine::new();
    assert_eq!(machine.set(ONE, GROUP, include(&[A])), [record(RecordKind::AllowNewSources, GROUP, &[A])]);
    machine.run(SECOND);
    assert_eq!(
        machine.set(ONE, GROUP, include(&[B])),
        [record(RecordKind::AllowNewSources, GROUP, &[B]), record(RecordKind::BlockOldSources, GROUP, &[A]),]
    );
    assert_eq!(machine.groups.wants(ONE, GROUP, B), Some(true));
    assert_eq!(machine.groups.wants(ONE, GROUP, A), Some(false));
    assert_eq!(machine.groups.wants(TWO, GROUP, A), None);
    machine.run(SECOND);
    let all_but = Filter::new(Mode::Exclude, vec![A, B]);
    // One wants B, the other all but A and B: together all but A.
    assert_eq!(machine.set(TWO, GROUP, all_but), [record(RecordKind::ChangeToExclude, GROUP, &[A])]);
    machine.run(SECOND);
    assert_eq!(machine.set(ONE, GROUP, Filter::nothing()), [record(RecordKind::BlockOldSources, GROUP, &[B])]);
}

#[test]
fn what_is_outdated_is_told_before_what_is_new() {
    let mut machine = Machine::new();
    machine.set(ONE, GROUP, Filter::anything());
    let (joined, left) = (RecordKind::ChangeToExclude, RecordKind::ChangeToInclude);
    let both = [record(joined, GROUP, &[]), record(left, GROUP, &[])];
    assert_eq!(machine.set(ONE, GROUP, Filter::nothing()), both);
}

#[test]
fn queries_are_answered_once_within_the_time_they_give() {
    let mut machine = Machine::new();
    machine.set(ONE, GROUP, include(&[A]));
    machine.set(ONE, GROUP6, Filter::anything());
    machine.run(SECOND);
    machine.query(Ipv4Addr::UNSPECIFIED, tail());
    machine.query(Ipv4Addr::UNSPECIFIED, tail());
    assert_eq!(machine.run(10 * SECOND), [record(RecordKind::ModeIsInclude, GROUP, &[A])]);
    machine.query(Ipv4Addr::new(239, 9, 9, 9), tail());
    assert_eq!(machine.run(10 * SECOND), []);

    let query = mld::Query { max_response: 1000, group: Ipv6Addr::UNSPECIFIED, tail: None };
    machine.act(|groups, turn| groups.on_mld(&mld::Message::Query(query), turn));
    assert_eq!(machine.run(SECOND), [Report::Joined { group: GROUP6, version: Version::V2 }]);
}

#[test]
fn older_routers_are_spoken_to_in_their_version_for_a_while() {
    let mut machine = Machine::new();
    machine.query(Ipv4Addr::UNSPECIFIED, igmp::Version::V2);
    let joined = Report::Joined { group: GROUP, version: Version::V2 };
    assert_eq!(machine.set(ONE, GROUP, Filter::anything()), [joined]);
    machine.run(SECOND);
    assert_eq!(machine.set(ONE, GROUP, Filter::nothing()), [Report::Left { group: GROUP }]);
    machine.run(SECOND);
    machine.query(Ipv4Addr::UNSPECIFIED, igmp::Version::V1);
    machine.query(Ipv4Addr::UNSPECIFIED, igmp::Version::V2);
    machine.set(ONE, GROUP, Filter::anything());
    assert_eq!(machine.set(ONE, GROUP, Filter::nothing()), []);
    machine.run(OLDER_QUERIER_TIMEOUT);
    assert_eq!(machine.set(ONE, GROUP, Filter::anything()), [record(RecordKind::ChangeToExclude, GROUP, &[])]);
}

#[test]
fn a_report_of_another_host_is_enough_for_older_routers() {
    let mut machine = Machine::new();
    machine.set(ONE, GROUP, Filter::anything());
    machine.run(SECOND);
    machine.query(Ipv4Addr::UNSPECIFIED, igmp::Version::V2);
    let IpAddr::V4(group) = GROUP else { unreachable!() };
    machine.act(|groups, turn| groups.on_igmp(&igmp::Message::ReportV2(group), turn));
    assert_eq!(machine.run(10 * SECOND), []);
}

#[test]
fn the_group_of_all_hosts_is_not_told() {
    let mut machine = Machine::new();
    for group in [IpAddr::V4(igmp::ALL_SYSTEMS), IpAddr::V6(ipv6::ALL_NODES)] {
        assert!(machine.groups.is_in(group));
        assert_eq!(machine.set(ONE, group, Filter::anything()), []);
    }
    machine.query(Ipv4Addr::UNSPECIFIED, tail());
    assert_eq!(machine.run(60 * SECOND), []);
}

#[test]
fn a_closed_socket_leaves_all_groups_and_groups_are_bounded() {
    let mut machine = Machine::new();
    let group = |i: u32| IpAddr::V4(Ipv4Addr::from_bits(0xef00_0000 + i));
    for i in 0..MAX_GROUPS as u32 {
        machine.set(ONE, group(i), Filter::anything());
    }
    let more = machine.act(|groups, turn| groups.set(ONE, group(9999), Filter::anything(), turn)).1;
    assert_eq!(more, Err(JoinError::Full));
    assert_eq!(machine.act(|groups, turn| groups.set(ONE, A, Filter::anything(), turn)).1, Err(JoinError::NoGroup));
    machine.run(SECOND);
    let (actions, ()) = machine.act(|groups, turn| groups.leave_all(ONE, turn));
    assert_eq!(actions.iter().filter(|action| matches!(action, Action::Ignore(_))).count(), MAX_GROUPS);
    machine.run(SECOND);
    assert_eq!((machine.groups.iter().count(), machine.groups.groups.len()), (0, 0));
}

#[test]
fn a_frame_address_is_heard_as_long_as_one_group_has_it() {
    let mut machine = Machine::new();
    // 32 groups share a link-layer address (RFC 1112 §6.4).
    let twin = IpAddr::V4(Ipv4Addr::new(239, 129, 2, 3));
    let mac = mac_of(GROUP);
    let act = |machine: &mut Machine, group, filter| {
        let (actions, _) = machine.act(|groups, turn| groups.set(ONE, group, filter, turn));
        actions.into_iter().filter(|action| !matches!(action, Action::Send(_))).collect::<Vec<_>>()
    };
    assert_eq!(act(&mut machine, GROUP, Filter::anything()), [Action::Listen(mac)]);
    assert_eq!(act(&mut machine, twin, Filter::anything()), [Action::Listen(mac)]);
    assert_eq!(act(&mut machine, GROUP, Filter::nothing()), []);
    assert_eq!(act(&mut machine, twin, Filter::nothing()), [Action::Ignore(mac)]);
    // Joined again before the leave was told twice.
    assert_eq!(act(&mut machine, twin, Filter::anything()), [Action::Listen(mac)]);
}

#[test]
fn reports_become_messages() {
    let mut bytes = [0; 128];
    let report = record(RecordKind::AllowNewSources, GROUP, &[A, B]);
    let (to, len) = emit_v4(&report, &mut bytes).unwrap();
    assert_eq!((to, len), (igmp::ALL_V3_ROUTERS, 24));
    let Ok(igmp::Message::ReportV3(records)) = igmp::Message::parse(&bytes[..len]) else { panic!() };
    assert_eq!(records.iter().next().unwrap().sources, [[192, 0, 2, 1], [192, 0, 2, 2]]);

    let source = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
    for report in [record(RecordKind::ModeIsExclude, GROUP6, &[]), Report::Left { group: GROUP6 }] {
        let (destination, len) = emit_v6(&report, source, &mut bytes).unwrap();
        let packet =
            ipv6::Header { traffic_class: 0, flow_label: 0, next_header: 58, hop_limit: 1, source, destination };
        assert!(matches!(icmpv6::Message::parse(&bytes[..len], &packet), Ok(icmpv6::Message::Mld(_))));
        assert_eq!(emit_v4(&report, &mut bytes), None);
    }
}
