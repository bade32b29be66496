//! What a host does with packets of ARP (RFC 826), between the wire and [`crate::neighbor`].

use crate::neighbor::{Action, Advertisement, Cache};
use alloc::vec::Vec;
use core::net::Ipv4Addr;
use rkt_wire::arp::{Operation, Packet};
use rkt_wire::ethernet::Address;

/// What is to be done about a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing.
    None,
    /// Send this to its target's card.
    Reply(Packet),
    /// Somebody else says that an address of ours, or one that we probe, is theirs (RFC 5227 §2.1.1, §2.4):
    /// see [`crate::dhcp::Client::on_conflict`].
    Conflict(Ipv4Addr),
}

/// Takes a packet that arrived at the card `mac`. `is_ours` knows our addresses, `is_probed` those that we want to have
/// and probe for.
pub fn on_packet<P>(
    packet: &Packet,
    mac: Address,
    is_ours: impl Fn(Ipv4Addr) -> bool,
    is_probed: impl Fn(Ipv4Addr) -> bool,
    cache: &mut Cache<P>,
    now: u64,
    actions: &mut Vec<Action<P>>,
) -> Answer {
    let Packet { operation, sender_mac, sender, target, .. } = *packet;
    if sender_mac == mac {
        // Our own, from a link that echoes.
        return Answer::None;
    }
    if is_ours(sender) || is_probed(sender) {
        return Answer::Conflict(sender);
    }
    // A probe of somebody who wants what we probe for (RFC 5227 §2.1.1).
    if sender.is_unspecified() && is_probed(target) {
        return Answer::Conflict(target);
    }
    if !sender.is_unspecified() {
        if operation == Operation::Reply && packet.target_mac == mac && is_ours(target) {
            cache.on_advertisement(sender.into(), Some(sender_mac), Advertisement::ARP_REPLY, now, actions);
        } else {
            // "Merge": who is known is updated, who asks for us is remembered (RFC 826, "Packet Reception").
            cache.on_hint(sender.into(), sender_mac, is_ours(target), now, actions);
        }
    }
    if operation == Operation::Request && is_ours(target) {
        let (target_mac, operation) = (sender_mac, Operation::Reply);
        return Answer::Reply(Packet { operation, sender_mac: mac, sender: target, target_mac, target: sender });
    }
    Answer::None
}

/// The request for the card of `target`. `source` is the unspecified address in a probe (RFC 5227 §1.1).
pub const fn request(target: Ipv4Addr, source: Ipv4Addr, mac: Address) -> Packet {
    let target_mac = Address([0; 6]);
    Packet { operation: Operation::Request, sender_mac: mac, sender: source, target_mac, target }
}

/// What tells everyone that `address` is ours from now on (RFC 5227 §3).
pub const fn announcement(address: Ipv4Addr, mac: Address) -> Packet {
    request(address, address, mac)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::neighbor::{State, Timing};
    use crate::time::SECOND;
    use core::net::IpAddr;
    use std::vec;

    const US: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
    const WANTED: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 3);
    const PEER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
    const MAC: Address = Address([2, 0, 0, 0, 0, 1]);
    const PEER_MAC: Address = Address([2, 0, 0, 0, 0, 2]);

    fn cache() -> Cache<u8> {
        Cache::new(Timing { reachable: 30 * SECOND, retransmit: SECOND })
    }

    fn take(cache: &mut Cache<u8>, packet: &Packet) -> (Answer, Vec<Action<u8>>) {
        let mut actions = vec![];
        let is_ours = |address| address == US;
        let answer = on_packet(packet, MAC, is_ours, |address| address == WANTED, cache, 0, &mut actions);
        (answer, actions)
    }

    fn state(cache: &Cache<u8>) -> Option<(Option<Address>, State)> {
        cache.iter().find(|peer| peer.address == IpAddr::V4(PEER)).map(|peer| (peer.mac, peer.state))
    }

    #[test]
    fn who_asks_for_us_gets_an_answer_and_is_remembered() {
        let mut cache = cache();
        let (answer, _) = take(&mut cache, &request(US, PEER, PEER_MAC));
        let Answer::Reply(reply) = answer else { panic!("{answer:?}") };
        assert_eq!((reply.sender_mac, reply.sender, reply.target_mac, reply.target), (MAC, US, PEER_MAC, PEER));
        assert_eq!(state(&cache), Some((Some(PEER_MAC), State::Stale)));
        // Others' requests are no reason to remember anybody.
        let mut cache = self::cache();
        assert_eq!(take(&mut cache, &request(WANTED, PEER, PEER_MAC)).0, Answer::None);
        assert_eq!(state(&cache), None);
    }

    #[test]
    fn a_reply_makes_a_neighbor_reachable_and_releases_what_waits() {
        let mut cache = cache();
        cache.enqueue(PEER.into(), 7, 0, &mut vec![]);
        let reply = Packet { operation: Operation::Reply, target_mac: MAC, ..request(US, PEER, PEER_MAC) };
        assert_eq!(take(&mut cache, &reply), (Answer::None, vec![Action::Transmit { to: PEER_MAC, packet: 7 }]));
        assert_eq!(state(&cache), Some((Some(PEER_MAC), State::Reachable)));
        // A reply to somebody else is a hint at most.
        let other = Packet { sender_mac: Address([2, 0, 0, 0, 0, 9]), target_mac: PEER_MAC, ..reply };
        take(&mut cache, &other);
        assert_eq!(state(&cache), Some((Some(other.sender_mac), State::Stale)));
    }

    #[test]
    fn conflicts_are_told() {
        let mut cache = cache();
        assert_eq!(take(&mut cache, &announcement(US, PEER_MAC)).0, Answer::Conflict(US));
        assert_eq!(take(&mut cache, &announcement(WANTED, PEER_MAC)).0, Answer::Conflict(WANTED));
        let probe = request(WANTED, Ipv4Addr::UNSPECIFIED, PEER_MAC);
        assert_eq!(take(&mut cache, &probe).0, Answer::Conflict(WANTED));
        assert_eq!(take(&mut cache, &Packet { sender_mac: MAC, ..probe }).0, Answer::None);
        // A probe for an address of ours is answered.
        let probe = request(US, Ipv4Addr::UNSPECIFIED, PEER_MAC);
        assert!(matches!(take(&mut cache, &probe).0, Answer::Reply(_)));
        assert_eq!(cache.iter().count(), 0);
    }
}
