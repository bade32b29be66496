//! Path MTUs (RFC 1191, RFC 8201).

use crate::time::{SECOND, after};
use core::net::IpAddr;
use hashbrown::HashMap;
use rkt_wire::ipv6;

/// Most destinations remembered.
pub const MAX_ENTRIES: usize = 1024;
/// How long a path MTU holds (RFC 1191 §6.3, RFC 8201 §4: not below 5, by default 10 minutes).
pub const LIFETIME: u64 = 600 * SECOND;
/// No path of IPv4 is believed to be narrower, as Linux's `min_pmtu`: packets are fragmented instead.
pub const MIN_IPV4: u16 = 552;

/// Typical MTUs below which to guess where a router names none (RFC 1191 §7.1).
const PLATEAUS: [u16; 10] = [32_000, 17_914, 8_166, 4_352, 2_002, 1_492, 1_006, 508, 296, 68];

/// What a path takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathMtu {
    /// Most bytes of a packet.
    pub mtu: u16,
    /// The path is even narrower: packets must be allowed to be fragmented on the way.
    pub may_fragment: bool,
}

/// Path MTUs of destinations where they are less than those of the interfaces.
#[derive(Debug, Default)]
pub struct Cache {
    entries: HashMap<IpAddr, (PathMtu, u64)>,
}

impl Cache {
    /// A cache that knows of no path.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the path to `destination` takes, if that is known.
    pub fn get(&self, destination: IpAddr, now: u64) -> Option<PathMtu> {
        self.entries.get(&destination).filter(|(_, expires)| now < *expires).map(|(path, _)| *path)
    }

    /// A router reported `reported` bytes (0: did not say) for a packet of `packet_len` bytes; the path was
    /// thought to take `current`. Returns what it takes now, or `None` if the report is not to be believed:
    /// only less than what was sent makes sense (RFC 1191 §5, RFC 8201 §4).
    pub fn on_report(
        &mut self,
        destination: IpAddr,
        reported: u32,
        packet_len: u16,
        current: u16,
        now: u64,
    ) -> Option<PathMtu> {
        let reported = match u16::try_from(reported).unwrap_or(u16::MAX) {
            0 => PLATEAUS.iter().copied().find(|plateau| *plateau < packet_len)?,
            reported => reported,
        };
        if reported >= current {
            return None;
        }
        let path = match destination {
            IpAddr::V4(_) => PathMtu { mtu: reported.max(MIN_IPV4.min(current)), may_fragment: reported < MIN_IPV4 },
            // Below 1280 is a translator's, which is answered by no less than 1280 (RFC 8201 §4).
            IpAddr::V6(_) => PathMtu { mtu: reported.max(ipv6::MIN_MTU), may_fragment: false },
        };
        let known = self.get(destination, now);
        if path.mtu >= current && !path.may_fragment || known == Some(path) {
            return None;
        }
        self.make_room(destination, now);
        self.entries.insert(destination, (path, after(now, LIFETIME)));
        Some(path)
    }

    /// Forgets all, as when an interface changed.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// All that is known, with the time when it ends.
    pub fn iter(&self) -> impl Iterator<Item = (IpAddr, PathMtu, u64)> {
        self.entries.iter().map(|(destination, (path, expires))| (*destination, *path, *expires))
    }

    /// Before an insertion: what ended goes, and if that is not enough, what ends first.
    fn make_room(&mut self, destination: IpAddr, now: u64) {
        if self.entries.len() < MAX_ENTRIES || self.entries.contains_key(&destination) {
            return;
        }
        self.entries.retain(|_, (_, expires)| now < *expires);
        if self.entries.len() >= MAX_ENTRIES
            && let Some(first) = self.entries.iter().min_by_key(|(_, (_, expires))| *expires).map(|(to, _)| *to)
        {
            self.entries.remove(&first);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::{Ipv4Addr, Ipv6Addr};

    const V4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    const V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));

    fn path(mtu: u16) -> PathMtu {
        PathMtu { mtu, may_fragment: false }
    }

    #[test]
    fn a_report_holds_for_ten_minutes() {
        let mut cache = Cache::new();
        assert_eq!(cache.on_report(V4, 1400, 1500, 1500, 7), Some(path(1400)));
        assert_eq!(cache.get(V4, 7 + LIFETIME - 1), Some(path(1400)));
        assert_eq!(cache.get(V4, 7 + LIFETIME), None);
        assert_eq!(cache.get(V6, 7), None);
    }

    #[test]
    fn only_less_is_believed() {
        let mut cache = Cache::new();
        for reported in [1500, 9000, u32::MAX] {
            assert_eq!(cache.on_report(V4, reported, 1500, 1500, 0), None);
        }
        assert_eq!(cache.on_report(V6, 1280, 1300, 1280, 0), None);
        assert_eq!(cache.iter().count(), 0);
    }

    #[test]
    fn there_is_a_least() {
        let mut cache = Cache::new();
        assert_eq!(cache.on_report(V6, 100, 1500, 1500, 0), Some(path(1280)));
        assert_eq!(cache.on_report(V4, 68, 1500, 1500, 0), Some(PathMtu { mtu: 552, may_fragment: true }));
        assert_eq!(cache.on_report(V4, 68, 552, 552, 0), None);
    }

    #[test]
    fn old_routers_make_us_guess() {
        let mut cache = Cache::new();
        assert_eq!(cache.on_report(V4, 0, 1500, 1500, 0), Some(path(1492)));
        assert_eq!(cache.on_report(V4, 0, 1492, 1492, 0), Some(path(1006)));
        assert_eq!(cache.on_report(V4, 0, 60, 1006, 0), None);
    }

    #[test]
    fn memory_is_bounded() {
        let mut cache = Cache::new();
        for i in 0..MAX_ENTRIES as u32 + 10 {
            let destination = IpAddr::V4(Ipv4Addr::from_bits(i));
            assert!(cache.on_report(destination, 1400, 1500, 1500, u64::from(i)).is_some());
        }
        assert_eq!(cache.iter().count(), MAX_ENTRIES);
        assert_eq!(cache.get(IpAddr::V4(Ipv4Addr::from_bits(9)), 2000), None);
        assert!(cache.get(IpAddr::V4(Ipv4Addr::from_bits(10)), 2000).is_some());
    }
}
