//! A network card as the engine sees it: queues, addresses, neighbours.

use super::flow::Flow;
use super::port::{Port, Tap};
use super::setup::Setup;
use crate::netstack::Card;
use crate::stack::FrameSink;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, AtomicU64, Ordering};
use rkt_inet::Interface;
use rkt_inet::fragment::Reassembler;
use rkt_inet::neighbor::{Cache, Timing};
use rkt_inet::slaac::{Autoconf, State};
use rkt_netdev::{Capabilities, NetDevice, NetStats, Probe, TxMeta};
use rkt_sync::{Mutex, RwLock};
use rkt_wire::ethernet::Address;

/// A frame that waits for its neighbour's hardware address.
pub(super) struct Parcel {
    pub meta: TxMeta,
    pub frame: Vec<u8>,
}

/// An address of the link.
#[derive(Clone, Copy, Debug)]
pub(super) struct Own {
    pub ip: IpAddr,
    /// Bits that name the network.
    pub prefix: u8,
    /// Not yet known to be nobody else's (RFC 4862 §5.4): packets to and from it are dropped.
    pub tentative: bool,
    /// Past its preferred lifetime.
    pub deprecated: bool,
    /// Somebody else has it (RFC 4862 §5.4.5).
    pub duplicate: bool,
    /// Of a lease of DHCP.
    pub leased: bool,
    /// Ends of the preferred and of the valid lifetime, in nanoseconds; none: for ever.
    pub lasts_until: (Option<u64>, Option<u64>),
}

impl Own {
    /// A configured address.
    pub const fn new(ip: IpAddr, prefix: u8) -> Self {
        let (tentative, deprecated, duplicate, leased) = (false, false, false, false);
        Self { ip, prefix, tentative, deprecated, duplicate, leased, lasts_until: (None, None) }
    }
}

/// A card with everything that belongs to it. Locks are taken in the order port, flow, setup, neighbours.
pub(super) struct Link {
    pub interface: Interface,
    pub name: String,
    pub mac: Address,
    pub card: Capabilities,
    pub ports: Vec<Mutex<Port<Flow>>>,
    probes: Vec<Arc<dyn Probe>>,
    pub device: Mutex<Box<dyn NetDevice>>,
    /// Packet sockets.
    pub tap: Tap,
    pub up: AtomicBool,
    pub addresses: RwLock<Vec<Own>>,
    pub neighbors: Mutex<Cache<Parcel>>,
    /// Datagrams that come in fragments.
    pub fragments_v4: Mutex<Reassembler>,
    pub fragments_v6: Mutex<Reassembler>,
    /// Until when nothing has to be done for neighbours, in nanoseconds.
    pub neighbors_due: AtomicU64,
    /// A client of DHCP takes what comes to its port.
    pub has_dhcp: bool,
    /// How it comes by its addresses.
    pub setup: Mutex<Setup>,
    /// Until when there is nothing else to be done, in nanoseconds.
    pub chores_due: AtomicU64,
    /// It is to work: what a program sets (`ip link set`).
    pub enabled: AtomicBool,
    /// Largest packet, in bytes.
    pub mtu: AtomicU16,
    /// Largest packet of IPv6, in bytes, as a router may say.
    pub mtu_v6: AtomicU16,
    /// Hop limit of IPv6, as a router may say.
    pub hop_limit: AtomicU8,
}

impl Link {
    /// Takes the card into use as interface number `index`.
    pub fn new(index: u32, mut card: Card, frames: Arc<dyn FrameSink>) -> Self {
        let queues = card.device.take_queues();
        let probes = queues.iter().map(|queue| queue.probe()).collect();
        let capabilities = card.device.capabilities();
        let mac = Address(capabilities.mac);
        let tap = Tap { sink: frames, interface: index, mac: mac.0 };
        let setup = Setup::new(index, mac, capabilities.mtu, &card);
        let v4 = card.addresses.iter().filter(|(ip, _)| ip.is_ipv4());
        let addresses = v4.map(|&(ip, prefix)| Own::new(ip, prefix)).collect();
        Self {
            interface: Interface(index),
            name: card.name,
            mac,
            enabled: AtomicBool::new(true),
            mtu: AtomicU16::new(capabilities.mtu),
            mtu_v6: AtomicU16::new(capabilities.mtu),
            hop_limit: AtomicU8::new(super::DEFAULT_TTL),
            card: capabilities,
            ports: queues.into_iter().map(|queue| Mutex::new(Port::new(queue, tap.clone()))).collect(),
            probes,
            device: Mutex::new(card.device),
            tap,
            up: AtomicBool::new(true),
            addresses: RwLock::new(addresses),
            neighbors: Mutex::new(Cache::new(Timing::new(0, 0, &mut crate::ports::random))),
            fragments_v4: Mutex::new(Reassembler::v4()),
            fragments_v6: Mutex::new(Reassembler::v6()),
            neighbors_due: AtomicU64::new(u64::MAX),
            has_dhcp: card.dhcp,
            setup: Mutex::new(setup),
            // It has to be started.
            chores_due: AtomicU64::new(0),
        }
    }

    /// Largest IP packet, in bytes.
    pub fn mtu(&self, v4: bool) -> usize {
        let mtu = self.mtu.load(Ordering::Relaxed);
        usize::from(if v4 { mtu } else { self.mtu_v6.load(Ordering::Relaxed).min(mtu) })
    }

    /// Time to live of packets that do not ask for another.
    pub fn ttl(&self, v4: bool) -> u8 {
        if v4 { super::DEFAULT_TTL } else { self.hop_limit.load(Ordering::Relaxed) }
    }

    /// Makes sure that chores are done by then.
    pub fn note_chore(&self, deadline: Option<u64>) {
        self.chores_due.fetch_min(deadline.unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Takes over the addresses of IPv6.
    pub fn take_addresses(&self, autoconf: &Autoconf) {
        let own = |address: &rkt_inet::slaac::Address| Own {
            tentative: !address.is_usable(),
            deprecated: address.state == State::Deprecated,
            duplicate: address.state == State::Duplicate,
            lasts_until: (address.preferred_until, address.valid_until),
            ..Own::new(address.address.into(), address.prefix_len)
        };
        let mut addresses = self.addresses.write();
        addresses.retain(|own| own.ip.is_ipv4());
        addresses.extend(autoconf.addresses().map(own));
    }

    /// The port that this vCPU sends through.
    pub fn port(&self) -> Option<&Mutex<Port<Flow>>> {
        self.ports.get(rkt_platform::cpu().checked_rem(self.ports.len())?)
    }

    /// Whether it works and is to.
    pub fn is_up(&self) -> bool {
        self.up.load(Ordering::Relaxed) && self.enabled.load(Ordering::Relaxed)
    }

    /// Whether its card broke down.
    pub fn is_broken(&self) -> bool {
        !self.up.load(Ordering::Relaxed)
    }

    /// Whether queue `nth` may have something to do.
    pub fn has_work(&self, nth: usize) -> bool {
        self.probes.get(nth).is_some_and(|probe| probe.has_work())
    }

    /// What the card counts, over all queues.
    pub fn counters(&self) -> NetStats {
        self.queues().into_iter().fold(NetStats::default(), |sum, queue| sum + queue)
    }

    /// What each pair of its queues counts.
    pub fn queues(&self) -> Vec<NetStats> {
        self.probes.iter().map(|probe| probe.stats()).collect()
    }

    /// Whether an address is its own.
    pub fn owns(&self, ip: IpAddr) -> bool {
        self.addresses.read().iter().any(|own| own.ip == ip && !own.tentative)
    }

    /// Whether it is the broadcast address of one of its networks, or everyone's.
    pub fn is_broadcast(&self, ip: Ipv4Addr) -> bool {
        let of_network = |own: &Own| match own.ip {
            IpAddr::V4(address) if own.prefix < 31 => broadcast(address, own.prefix) == ip,
            _ => false,
        };
        ip.is_broadcast() || self.addresses.read().iter().any(of_network)
    }
}

/// The broadcast address of a network (RFC 919).
pub(super) fn broadcast(address: Ipv4Addr, prefix: u8) -> Ipv4Addr {
    Ipv4Addr::from_bits(address.to_bits() | u32::MAX.checked_shr(prefix.into()).unwrap_or(0))
}
