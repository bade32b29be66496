//! Who has which port: bind(2)'s rules for TCP and for UDP.

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use hashbrown::HashMap;
use rkt_linux_abi::{Errno, Result};
use rkt_sync::Mutex;

/// Ports that are given out (net.ipv4.ip_local_port_range).
const EPHEMERAL: core::ops::RangeInclusive<u16> = 32768..=60999;

/// Under which conditions a port is shared (socket(7)).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sharing {
    pub reuse_address: bool,
    pub reuse_port: bool,
    /// IPV6_V6ONLY: the IPv6 wildcard does not stand for IPv4 as well.
    pub v6_only: bool,
}

struct Entry<T> {
    id: u64,
    ip: IpAddr,
    sharing: Sharing,
    /// Who receives what comes here. For TCP a listener: then SO_REUSEADDR does not help others.
    owner: Option<Weak<T>>,
}

impl<T> Entry<T> {
    fn is_owned(&self) -> bool {
        self.owner.as_ref().is_some_and(|owner| owner.strong_count() > 0)
    }
}

struct Inner<T> {
    ports: HashMap<u16, Vec<Entry<T>>>,
    next_id: u64,
}

/// The ports of a protocol.
pub(crate) struct PortTable<T> {
    inner: Mutex<Inner<T>>,
    /// Whether SO_REUSEADDR helps only beside ports without owner: TCP listeners.
    exclusive: bool,
}

/// A bound port; released on drop.
pub(crate) struct Binding<T> {
    table: Arc<PortTable<T>>,
    id: u64,
    address: SocketAddr,
    sharing: Sharing,
}

impl<T> Binding<T> {
    /// The address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Makes `owner` the receiver of what comes to this address.
    ///
    /// # Errors
    /// `EADDRINUSE` if it is to be the only one and there is another.
    pub fn own(&self, owner: &Arc<T>, exclusive: bool) -> Result<()> {
        let mut inner = self.table.inner.lock();
        let entries = inner.ports.get_mut(&self.address.port()).ok_or(Errno::EINVAL)?;
        let rival = |entry: &Entry<T>| {
            entry.id != self.id
                && entry.is_owned()
                && overlap(entry, self.address.ip(), self.sharing)
                && !(entry.sharing.reuse_port && self.sharing.reuse_port)
        };
        if exclusive && entries.iter().any(rival) {
            return Err(Errno::EADDRINUSE);
        }
        if let Some(entry) = entries.iter_mut().find(|entry| entry.id == self.id) {
            entry.owner = Some(Arc::downgrade(owner));
        }
        Ok(())
    }
}

impl<T> Drop for Binding<T> {
    fn drop(&mut self) {
        let mut inner = self.table.inner.lock();
        let port = self.address.port();
        if let Some(entries) = inner.ports.get_mut(&port) {
            entries.retain(|entry| entry.id != self.id);
            if entries.is_empty() {
                inner.ports.remove(&port);
            }
        }
    }
}

/// Whether a packet could be meant for both.
fn overlap<T>(entry: &Entry<T>, ip: IpAddr, sharing: Sharing) -> bool {
    covers(entry.ip, entry.sharing.v6_only, ip) || covers(ip, sharing.v6_only, entry.ip)
}

/// Whether `ip` is among the addresses that a socket bound to `bound` stands for.
fn covers(bound: IpAddr, v6_only: bool, ip: IpAddr) -> bool {
    match bound {
        IpAddr::V4(any) if any.is_unspecified() => ip.is_ipv4(),
        IpAddr::V6(any) if any.is_unspecified() => ip.is_ipv6() || !v6_only,
        one => one == ip,
    }
}

impl<T> PortTable<T> {
    /// An empty table; `exclusive` if a port with an owner is shared only by SO_REUSEPORT (TCP).
    pub fn new(exclusive: bool) -> Arc<Self> {
        Arc::new(Self { inner: Mutex::new(Inner { ports: HashMap::new(), next_id: 0 }), exclusive })
    }

    /// Takes a port; port 0 stands for any free one.
    ///
    /// # Errors
    /// `EADDRINUSE`.
    pub fn bind(self: &Arc<Self>, address: SocketAddr, sharing: Sharing) -> Result<Binding<T>> {
        let mut inner = self.inner.lock();
        let ip = address.ip();
        let port = if address.port() != 0 {
            let taken = inner.ports.get(&address.port()).is_some_and(|entries| {
                entries.iter().any(|entry| overlap(entry, ip, sharing) && !self.shares(entry, sharing))
            });
            if taken {
                return Err(Errno::EADDRINUSE);
            }
            address.port()
        } else {
            free_port(&inner.ports)?
        };
        inner.next_id += 1;
        let id = inner.next_id;
        inner.ports.entry(port).or_default().push(Entry { id, ip, sharing, owner: None });
        Ok(Binding { table: self.clone(), id, address: (ip, port).into(), sharing })
    }

    /// Whether any port is taken.
    pub fn is_used(&self) -> bool {
        !self.inner.lock().ports.is_empty()
    }

    fn shares(&self, entry: &Entry<T>, sharing: Sharing) -> bool {
        (entry.sharing.reuse_address && sharing.reuse_address && (!self.exclusive || !entry.is_owned()))
            || (entry.sharing.reuse_port && sharing.reuse_port)
    }

    /// The owners of all sockets that hear a group, or everyone: bound to that address or to the wildcard.
    pub fn listeners(&self, to: SocketAddr) -> Vec<Arc<T>> {
        let inner = self.inner.lock();
        let entries = inner.ports.get(&to.port()).map_or(&[][..], Vec::as_slice);
        let hears = |entry: &&Entry<T>| covers(entry.ip, entry.sharing.v6_only, to.ip());
        entries.iter().filter(hears).filter_map(|entry| entry.owner.as_ref()?.upgrade()).collect()
    }

    /// The owners that a packet to this address could be for: those bound to exactly this
    /// address, or if there are none those of the wildcard.
    pub fn owners(&self, to: SocketAddr) -> Vec<Arc<T>> {
        let inner = self.inner.lock();
        let entries = inner.ports.get(&to.port()).map_or(&[][..], Vec::as_slice);
        let those = |exact: bool| -> Vec<Arc<T>> {
            let fits = |entry: &&Entry<T>| {
                if exact { entry.ip == to.ip() } else { covers(entry.ip, entry.sharing.v6_only, to.ip()) }
            };
            entries.iter().filter(fits).filter_map(|entry| entry.owner.as_ref()?.upgrade()).collect()
        };
        let exact = those(true);
        if exact.is_empty() { those(false) } else { exact }
    }
}

/// A port that nobody has, from a random start (RFC 6056 §3.3.1).
fn free_port<T>(ports: &HashMap<u16, Vec<Entry<T>>>) -> Result<u16> {
    let count = u32::from(EPHEMERAL.end() - EPHEMERAL.start()) + 1;
    let start = random() % count;
    (0..count)
        .map(|i| EPHEMERAL.start() + ((start + i) % count) as u16)
        .find(|port| !ports.contains_key(port))
        .ok_or(Errno::EADDRINUSE)
}

/// A random number.
pub(crate) fn random() -> u32 {
    let mut bytes = [0; 4];
    rkt_platform::random(&mut bytes);
    u32::from_le_bytes(bytes)
}
