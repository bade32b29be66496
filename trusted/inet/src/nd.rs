//! What a host does with messages of Neighbour Discovery (RFC 4861), between the wire, [`crate::neighbor`] and [`crate::slaac`].

use crate::neighbor::{self, Advertisement, Cache};
use crate::slaac::{self, Autoconf};
use crate::time::Turn;
use alloc::vec::Vec;
use core::net::Ipv6Addr;
use rkt_wire::ethernet::Address;
use rkt_wire::icmpv6::ndp::{Body, Message, NdOption, Options};
use rkt_wire::{icmpv6, ipv6};

/// Most bytes of options of a message that is written here.
const OPTIONS_LEN: usize = 16;

/// What is to be done about a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing.
    None,
    /// Send an advertisement: see [`emit_advertisement`].
    Advertise {
        /// The address that was asked for.
        target: Ipv6Addr,
        /// To whom.
        destination: Ipv6Addr,
        /// In answer to a solicitation.
        solicited: bool,
    },
    /// Packets to `destination` should go by way of `target`: a route for it alone, if the router that says so is
    /// the one that they go by now (RFC 4861 §8.1).
    Redirect {
        /// The better first hop.
        target: Ipv6Addr,
        /// The destination.
        destination: Ipv6Addr,
    },
}

/// Takes a message of the packet with this header.
pub fn on_message<P>(
    message: &Message<'_>,
    packet: &ipv6::Header,
    cache: &mut Cache<P>,
    neighbor_actions: &mut Vec<neighbor::Action<P>>,
    autoconf: &mut Autoconf,
    turn: &mut Turn<'_, slaac::Action>,
) -> Answer {
    let (source, now) = (packet.source, turn.now);
    let mut hint = |address: Ipv6Addr, mac: Option<Address>| {
        if let Some(mac) = mac {
            cache.on_hint(address.into(), mac, true, now, neighbor_actions);
        }
    };
    match message.body {
        // Only routers care (§6.2.6).
        Body::RouterSolicitation => Answer::None,
        Body::RouterAdvertisement(advertisement) => {
            hint(source, message.options.source_mac());
            cache.mark_router(source.into());
            autoconf.on_advertisement(source, &advertisement, &message.options, turn);
            Answer::None
        }
        Body::NeighborSolicitation { target } if source.is_unspecified() => {
            autoconf.on_probe(target, message.options.nonce(), turn);
            // Whoever checks for duplicates is told through everyone (§7.2.4).
            match autoconf.is_ours(target) {
                true => Answer::Advertise { target, destination: ipv6::ALL_NODES, solicited: false },
                false => Answer::None,
            }
        }
        Body::NeighborSolicitation { target } if autoconf.is_ours(target) => {
            hint(source, message.options.source_mac());
            Answer::Advertise { target, destination: source, solicited: true }
        }
        Body::NeighborSolicitation { .. } => Answer::None,
        Body::NeighborAdvertisement { router, solicited, overriding, target } => {
            autoconf.on_claim(target, turn);
            let advertisement = Advertisement { router, solicited, overriding };
            let mac = message.options.target_mac();
            cache.on_advertisement(target.into(), mac, advertisement, now, neighbor_actions);
            Answer::None
        }
        Body::Redirect { target, destination } => {
            hint(target, message.options.target_mac());
            if target != destination {
                cache.mark_router(target.into());
            }
            Answer::Redirect { target, destination }
        }
    }
}

/// Writes the ICMPv6 message that asks for the card of `target`, from `source`, an address of ours: its group, or the neighbour
/// alone if its card is still known. Returns where it goes, with a hop limit of 255, and its length; `None`:
/// `into` is too short.
pub fn emit_solicitation(
    target: Ipv6Addr,
    is_known: bool,
    source: Ipv6Addr,
    mac: Address,
    into: &mut [u8],
) -> Option<(Ipv6Addr, usize)> {
    let destination = if is_known { target } else { ipv6::solicited_node(target) };
    let body = Body::NeighborSolicitation { target };
    Some((destination, emit(body, Some(NdOption::SourceMac(mac)), source, destination, into)?))
}

/// Writes the ICMPv6 message that asks, from the unspecified address, whether somebody has `target` (RFC 4862 §5.4.2). Returns as
/// [`emit_solicitation`].
pub fn emit_probe(target: Ipv6Addr, nonce: [u8; 6], into: &mut [u8]) -> Option<(Ipv6Addr, usize)> {
    let destination = ipv6::solicited_node(target);
    let body = Body::NeighborSolicitation { target };
    let len = emit(body, Some(NdOption::Nonce(nonce)), Ipv6Addr::UNSPECIFIED, destination, into)?;
    Some((destination, len))
}

/// Writes the ICMPv6 message that says that `target`, which it comes from, has the card `mac`; returns its length.
pub fn emit_advertisement(
    target: Ipv6Addr,
    destination: Ipv6Addr,
    solicited: bool,
    mac: Address,
    into: &mut [u8],
) -> Option<usize> {
    let body = Body::NeighborAdvertisement { router: false, solicited, overriding: true, target };
    emit(body, Some(NdOption::TargetMac(mac)), target, destination, into)
}

/// Writes the ICMPv6 message that asks all routers to advertise themselves. Returns as [`emit_solicitation`].
pub fn emit_router_solicitation(source: Option<Ipv6Addr>, mac: Address, into: &mut [u8]) -> Option<(Ipv6Addr, usize)> {
    // Who has no address must not say its card (§4.1).
    let option = source.map(|_| NdOption::SourceMac(mac));
    let (source, destination) = (source.unwrap_or(Ipv6Addr::UNSPECIFIED), ipv6::ALL_ROUTERS);
    Some((destination, emit(Body::RouterSolicitation, option, source, destination, into)?))
}

fn emit(
    body: Body,
    option: Option<NdOption<'_>>,
    source: Ipv6Addr,
    destination: Ipv6Addr,
    into: &mut [u8],
) -> Option<usize> {
    let mut bytes = [0; OPTIONS_LEN];
    let len = option.map_or(Some(0), |option| option.emit(&mut bytes).ok())?;
    let options = Options::new(bytes.get(..len)?).ok()?;
    icmpv6::Message::Ndp(Message { body, options }).emit(source, destination, into).ok()
}
