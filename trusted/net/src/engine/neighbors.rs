//! Who has which hardware address: ARP (RFC 826) and Neighbour Discovery (RFC 4861 §7.2).

use super::Engine;
use super::flow::Flow;
use super::headers::Envelope;
use super::link::{Link, Parcel};
use super::port::Port;
use super::round::Round;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::sync::atomic::Ordering;
use rkt_inet::neighbor::{Action, Advertisement};
use rkt_linux_abi::Errno;
use rkt_netdev::{ETHERNET_HEADER_LEN, RxFrame, TxMeta};
use rkt_wire::ethernet::{self, Address, ethertype};
use rkt_wire::icmpv6::ndp::{self, Body, NdOption};
use rkt_wire::ip::{Addresses, protocol};
use rkt_wire::{arp, icmpv6, ipv6};

/// Hop limit of Neighbour Discovery: proves that a packet comes from the link (RFC 4861 §3.1).
const HOP_LIMIT: u8 = 255;
/// Bytes of the longest message that is sent here: header, target, one option.
const MESSAGE_MAX: usize = 32;

impl Engine {
    /// An ARP packet came.
    pub(super) fn arp(&self, link: &Link, frame: &mut dyn RxFrame, round: &mut Round) {
        let Some(bytes) = frame.head().get(ETHERNET_HEADER_LEN..) else { return };
        let Ok(packet) = arp::Packet::parse(bytes) else { return };
        let sender = IpAddr::V4(packet.sender);
        let for_us = link.owns(packet.target.into());
        let mut actions = Vec::new();
        if !packet.sender.is_unspecified() && !link.owns(sender) {
            let mut neighbors = link.neighbors.lock();
            match packet.operation {
                // RFC 826: who asks us will be answered again; others are believed only as far as they are known.
                arp::Operation::Request => {
                    neighbors.on_hint(sender, packet.sender_mac, for_us, round.now, &mut actions);
                }
                arp::Operation::Reply => neighbors.on_advertisement(
                    sender,
                    Some(packet.sender_mac),
                    Advertisement::ARP_REPLY,
                    round.now,
                    &mut actions,
                ),
            }
            self.note_due(link, neighbors.deadline());
        }
        self.collect(link, actions, round);
        if for_us && packet.operation == arp::Operation::Request {
            let reply = arp::Packet {
                operation: arp::Operation::Reply,
                sender_mac: link.mac,
                sender: packet.target,
                target_mac: packet.sender_mac,
                target: packet.sender,
            };
            round.frames.extend(arp_frame(link, packet.sender_mac, &reply));
        }
    }

    /// A message of Neighbour Discovery came, in a packet of hop limit 255.
    pub(super) fn ndp(
        &self,
        link: &Link,
        (source, destination): (Ipv6Addr, Ipv6Addr),
        message: &ndp::Message<'_>,
        round: &mut Round,
    ) {
        let mut actions = Vec::new();
        match message.body {
            Body::NeighborSolicitation { target } if link.owns(target.into()) => {
                if let Some(mac) = message.options.source_mac().filter(|_| !source.is_unspecified()) {
                    let mut neighbors = link.neighbors.lock();
                    neighbors.on_hint(source.into(), mac, true, round.now, &mut actions);
                    self.note_due(link, neighbors.deadline());
                }
                self.collect(link, actions, round);
                // Who checks for duplicates has no address yet: everyone is told (§7.2.4).
                let to = if source.is_unspecified() { ipv6::ALL_NODES } else { source };
                let mac = message.options.source_mac().filter(|_| !source.is_unspecified());
                let known = mac.or_else(|| link.neighbors.lock().lookup(to.into(), round.now));
                let card = if to.is_multicast() { Some(Address::of_group_v6(to)) } else { known };
                let body = Body::NeighborAdvertisement {
                    router: false,
                    solicited: !to.is_multicast(),
                    overriding: true,
                    target,
                };
                let options = [NdOption::TargetMac(link.mac)];
                round.frames.extend(card.and_then(|card| nd_frame(link, card, (target, to), body, &options)));
            }
            Body::NeighborAdvertisement { router, solicited, overriding, target } => {
                let advertisement =
                    Advertisement { router, solicited: solicited && !destination.is_multicast(), overriding };
                let mut neighbors = link.neighbors.lock();
                let mac = message.options.target_mac();
                neighbors.on_advertisement(target.into(), mac, advertisement, round.now, &mut actions);
                self.note_due(link, neighbors.deadline());
                drop(neighbors);
                self.collect(link, actions, round);
            }
            _ => {}
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
    fn collect(&self, link: &Link, actions: Vec<Action<Parcel>>, round: &mut Round) {
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
        let request = arp::Packet {
            operation: arp::Operation::Request,
            sender_mac: link.mac,
            sender,
            target_mac: Address([0; 6]),
            target,
        };
        arp_frame(link, to.unwrap_or(Address::BROADCAST), &request)
    }

    fn solicitation(&self, link: &Link, target: Ipv6Addr, to: Option<Address>) -> Option<(TxMeta, Vec<u8>)> {
        let IpAddr::V6(source) = self.speaker(link, target.into())? else { return None };
        let group = ipv6::solicited_node(target);
        let (card, destination) = match to {
            Some(card) => (card, target),
            None => (Address::of_group_v6(group), group),
        };
        let options = [NdOption::SourceMac(link.mac)];
        nd_frame(link, card, (source, destination), Body::NeighborSolicitation { target }, &options)
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

fn arp_frame(link: &Link, to: Address, packet: &arp::Packet) -> Option<(TxMeta, Vec<u8>)> {
    let mut frame = alloc::vec![0; ETHERNET_HEADER_LEN + arp::LEN];
    let header = ethernet::Header { destination: to, source: link.mac, ethertype: ethertype::ARP };
    let start = header.emit(&mut frame).ok()?;
    packet.emit(frame.get_mut(start..)?).ok()?;
    Some((TxMeta::default(), frame))
}

/// A message of Neighbour Discovery in its frame.
pub(super) fn nd_frame(
    link: &Link,
    to: Address,
    (source, destination): (Ipv6Addr, Ipv6Addr),
    body: Body,
    options: &[NdOption<'_>],
) -> Option<(TxMeta, Vec<u8>)> {
    let mut option_bytes = [0; MESSAGE_MAX];
    let mut len = 0;
    for option in options {
        len += option.emit(option_bytes.get_mut(len..)?).ok()?;
    }
    let options = ndp::Options::new(option_bytes.get(..len)?).ok()?;
    let message = icmpv6::Message::Ndp(ndp::Message { body, options });
    let mut bytes = [0; 2 * MESSAGE_MAX];
    let written = message.emit(source, destination, &mut bytes).ok()?;
    let envelope = Envelope {
        from: link.mac,
        to,
        addresses: Addresses::V6 { source, destination },
        ttl: HOP_LIMIT,
        tos: 0,
        id: 0,
        fragmentable: false,
    };
    let mut frame = alloc::vec![0; ETHERNET_HEADER_LEN + ipv6::HEADER_LEN + written];
    let start = envelope.emit(protocol::ICMPV6, written, &mut frame).ok()?;
    frame.get_mut(start..)?.copy_from_slice(bytes.get(..written)?);
    Some((TxMeta::default(), frame))
}
