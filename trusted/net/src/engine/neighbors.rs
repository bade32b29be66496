//! Who has which hardware address: ARP (RFC 826) and Neighbour Discovery (RFC 4861) between the wire and `rkt-inet`.

use super::Engine;
use super::flow::Flow;
use super::link::{Link, Parcel};
use super::port::Port;
use super::round::Round;
use super::setup::{ND_HOP_LIMIT, turn};
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::sync::atomic::Ordering;
use rkt_inet::neighbor::Action;
use rkt_inet::prefix::Prefix;
use rkt_inet::route::{Origin, Route};
use rkt_inet::{arp, nd};
use rkt_linux_abi::Errno;
use rkt_netdev::{ETHERNET_HEADER_LEN, RxFrame, TxMeta};
use rkt_wire::ethernet::{self, Address, ethertype};
use rkt_wire::icmpv6::ndp;
use rkt_wire::{arp as wire, ipv6};

/// Bytes of the longest message that is sent here: header, target, one option.
const MESSAGE_MAX: usize = 64;

impl Engine {
    /// An ARP packet came.
    pub(super) fn arp(&self, link: &Link, frame: &mut dyn RxFrame, round: &mut Round) {
        let Some(bytes) = frame.head().get(ETHERNET_HEADER_LEN..) else { return };
        let Ok(packet) = wire::Packet::parse(bytes) else { return };
        let mut actions = Vec::new();
        let answer = {
            let is_ours = |ip: Ipv4Addr| link.owns(ip.into());
            let mut neighbors = link.neighbors.lock();
            let answer = arp::on_packet(&packet, link.mac, is_ours, |_| false, &mut neighbors, round.now, &mut actions);
            self.note_due(link, neighbors.deadline());
            answer
        };
        self.collect(link, actions, round);
        match answer {
            arp::Answer::None => {}
            arp::Answer::Reply(reply) => round.frames.extend(arp_frame(link, reply.target_mac, &reply)),
            arp::Answer::Conflict(ip) => self.set_up(link, round, |setup, wants| {
                if let Some(client) = &mut setup.dhcp {
                    client.on_conflict(ip, &mut turn(rkt_platform::now(), &mut crate::ports::random, &mut wants.dhcp));
                }
            }),
        }
    }

    /// A message of Neighbour Discovery came, in a packet of hop limit 255.
    pub(super) fn ndp(&self, link: &Link, packet: &ipv6::Header, message: &ndp::Message<'_>, round: &mut Round) {
        let mut actions = Vec::new();
        let now = round.now;
        let answer = self.set_up(link, round, |setup, wants| {
            let mut neighbors = link.neighbors.lock();
            let random = &mut crate::ports::random;
            let turn = &mut turn(now, random, &mut wants.slaac);
            let answer = nd::on_message(message, packet, &mut neighbors, &mut actions, &mut setup.autoconf, turn);
            self.note_due(link, neighbors.deadline());
            answer
        });
        self.collect(link, actions, round);
        match answer {
            nd::Answer::None => {}
            nd::Answer::Advertise { target, destination, solicited } => {
                let mut bytes = [0; MESSAGE_MAX];
                if let Some(len) = nd::emit_advertisement(target, destination, solicited, link.mac, &mut bytes) {
                    self.queue_nd(link, (target, destination), bytes.get(..len).unwrap_or(&[]), round);
                }
            }
            nd::Answer::Redirect { target, destination } => self.redirected(link, packet.source, target, destination),
        }
    }

    /// A router knows a better first hop; only the one that packets go by now is believed (RFC 4861 §8.1).
    fn redirected(&self, link: &Link, router: Ipv6Addr, target: Ipv6Addr, destination: Ipv6Addr) {
        let mut routes = self.routes.write();
        let current =
            routes.lookup(destination.into(), Some(link.interface)).map(|route| route.next_hop(destination.into()));
        if current == Some(IpAddr::V6(router)) {
            let prefix = Prefix::host(destination.into());
            let gateway = (target != destination).then_some(IpAddr::V6(target));
            // A full table keeps the longer way.
            let _ = routes.replace(Route { gateway, ..Route::on_link(prefix, link.interface, Origin::Redirect) });
        }
    }

    /// Notes when the neighbours have to be looked at next.
    pub(super) fn note_due(&self, link: &Link, deadline: Option<u64>) {
        link.neighbors_due.store(deadline.unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Does what the table of neighbours asks for, while the port is held.
    pub(super) fn act(&self, link: &Link, port: &mut Port<Flow>, actions: Vec<Action<Parcel>>, round: &mut Round) {
        self.collect(link, actions, round);
        for (meta, frame) in core::mem::take(&mut round.frames) {
            port.send(&meta, &[&frame]);
        }
    }

    /// Makes frames of what the table of neighbours asks for.
    pub(super) fn collect(&self, link: &Link, actions: Vec<Action<Parcel>>, round: &mut Round) {
        for action in actions {
            match action {
                Action::Solicit { target: IpAddr::V4(target), to } => {
                    round.frames.extend(self.arp_request(link, target, to));
                }
                Action::Solicit { target: IpAddr::V6(target), to } => {
                    round.frames.extend(self.solicitation(link, target, to));
                }
                Action::Transmit { to, packet: Parcel { meta, mut frame } } => {
                    if let Some(destination) = frame.first_chunk_mut() {
                        *destination = to.0;
                        round.frames.push((meta, frame));
                    }
                }
                Action::Unreachable { packet, .. } => self.give_up(&packet.frame, Errno::EHOSTUNREACH, round),
            }
        }
    }

    fn arp_request(&self, link: &Link, target: Ipv4Addr, to: Option<Address>) -> Option<(TxMeta, Vec<u8>)> {
        let IpAddr::V4(sender) = self.speaker(link, target.into())? else { return None };
        arp_frame(link, to.unwrap_or(Address::BROADCAST), &arp::request(target, sender, link.mac))
    }

    fn solicitation(&self, link: &Link, target: Ipv6Addr, to: Option<Address>) -> Option<(TxMeta, Vec<u8>)> {
        let IpAddr::V6(source) = self.speaker(link, target.into())? else { return None };
        let mut bytes = [0; MESSAGE_MAX];
        let (destination, len) = nd::emit_solicitation(target, to.is_some(), source, link.mac, &mut bytes)?;
        let card = to.unwrap_or(Address::of_group_v6(destination));
        nd_frame(link, card, (source, destination), bytes.get(..len)?)
    }

    /// The own address that a neighbour is asked from.
    fn speaker(&self, link: &Link, target: IpAddr) -> Option<IpAddr> {
        super::configure::source(core::slice::from_ref(link), link, target)
    }

    /// Timers of neighbours are due.
    pub(super) fn expire_neighbors(&self, nth: usize, link: &Link, now: u64) {
        let mut actions = Vec::new();
        {
            let mut neighbors = link.neighbors.lock();
            neighbors.on_timer(now, &mut actions);
            self.note_due(link, neighbors.deadline());
        }
        let mut round = Round::at(now);
        self.collect(link, actions, &mut round);
        if let Some(port) = link.port() {
            self.finish(nth, link, &mut port.lock(), &mut round);
        }
        round.tell();
    }
}

/// A packet of ARP in its frame.
pub(super) fn arp_frame(link: &Link, to: Address, packet: &wire::Packet) -> Option<(TxMeta, Vec<u8>)> {
    let mut frame = alloc::vec![0; ETHERNET_HEADER_LEN + wire::LEN];
    let header = ethernet::Header { destination: to, source: link.mac, ethertype: ethertype::ARP };
    let start = header.emit(&mut frame).ok()?;
    packet.emit(frame.get_mut(start..)?).ok()?;
    Some((TxMeta::default(), frame))
}

/// A message of Neighbour Discovery in its frame.
fn nd_frame(
    link: &Link,
    to: Address,
    (source, destination): (Ipv6Addr, Ipv6Addr),
    message: &[u8],
) -> Option<(TxMeta, Vec<u8>)> {
    let envelope = super::headers::Envelope {
        from: link.mac,
        to,
        addresses: rkt_wire::ip::Addresses::V6 { source, destination },
        ttl: ND_HOP_LIMIT,
        tos: 0,
        id: 0,
        fragmentable: false,
    };
    let mut frame = alloc::vec![0; ETHERNET_HEADER_LEN + ipv6::HEADER_LEN + message.len()];
    let start = envelope.emit(rkt_wire::ip::protocol::ICMPV6, message.len(), &mut frame).ok()?;
    frame.get_mut(start..)?.copy_from_slice(message);
    Some((TxMeta::default(), frame))
}
