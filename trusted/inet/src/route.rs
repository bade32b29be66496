//! The routing table.

use crate::Interface;
use crate::prefix::Prefix;
use crate::time::earlier;
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

/// Most routes of a table.
pub const MAX_ROUTES: usize = 1024;

/// What happens to packets that a route is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// They go out of the interface, to the gateway or to the destination itself.
    Unicast,
    /// They are ours.
    Local,
    /// They are dropped silently.
    Blackhole,
    /// They are refused: host unreachable.
    Unreachable,
    /// They are refused: prohibited.
    Prohibit,
}

/// Who made a route (rtnetlink(7), `rtm_protocol`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It follows from an address.
    Kernel,
    /// Configuration at start.
    Boot,
    /// The program.
    Static,
    /// A router's advertisement.
    RouterAdvertisement,
    /// A router's redirect.
    Redirect,
    /// A DHCP server.
    Dhcp,
}

/// A route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Destinations that it is for.
    pub prefix: Prefix,
    /// What happens to their packets.
    pub kind: Kind,
    /// The next hop; `None`: destinations are on the link.
    pub gateway: Option<IpAddr>,
    /// Where packets go out.
    pub interface: Interface,
    /// Of routes for the same prefix, the one with the least counts.
    pub metric: u32,
    /// Source of packets that name none.
    pub source: Option<IpAddr>,
    /// Most bytes of packets, if less than the interface's.
    pub mtu: Option<u16>,
    /// Who made it.
    pub origin: Origin,
    /// When it ends; `None`: never.
    pub expires: Option<u64>,
}

impl Route {
    /// A route to destinations on the link of `interface`.
    pub const fn on_link(prefix: Prefix, interface: Interface, origin: Origin) -> Self {
        let kind = Kind::Unicast;
        Self { prefix, kind, gateway: None, interface, metric: 0, source: None, mtu: None, origin, expires: None }
    }

    /// A route by way of `gateway`.
    pub const fn via(prefix: Prefix, gateway: IpAddr, interface: Interface, origin: Origin) -> Self {
        Self { gateway: Some(gateway), ..Self::on_link(prefix, interface, origin) }
    }

    /// The neighbour that packets to `destination` are handed to.
    pub fn next_hop(&self, destination: IpAddr) -> IpAddr {
        self.gateway.unwrap_or(destination)
    }

    /// Whether both are for the same packets with the same preference, so that only one may be.
    fn is_same(&self, other: &Self) -> bool {
        (self.prefix, self.metric, self.interface, self.gateway)
            == (other.prefix, other.metric, other.interface, other.gateway)
    }
}

/// Why a route was not added; the caller is guilty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteError {
    /// It is there: `EEXIST`.
    Exists,
    /// There are [`MAX_ROUTES`]: `ENOBUFS`.
    Full,
    /// Its gateway is of the other version: `EINVAL`.
    Gateway,
}

impl fmt::Display for RouteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exists => "the route exists",
            Self::Full => "too many routes",
            Self::Gateway => "a gateway of another version than the route",
        })
    }
}

impl core::error::Error for RouteError {}

/// Routes of both versions, those with the longest prefix first and among them those with the least metric.
#[derive(Clone, Debug, Default)]
pub struct Table {
    routes: Vec<Route>,
}

impl Table {
    /// A table without routes.
    pub const fn new() -> Self {
        Self { routes: Vec::new() }
    }

    /// Adds a route; behind those that are as good.
    ///
    /// # Errors
    /// See [`RouteError`].
    pub fn insert(&mut self, route: Route) -> Result<(), RouteError> {
        if route.gateway.is_some_and(|gateway| gateway.is_ipv4() != route.prefix.address().is_ipv4()) {
            return Err(RouteError::Gateway);
        }
        if self.routes.iter().any(|other| other.is_same(&route)) {
            return Err(RouteError::Exists);
        }
        if self.routes.len() >= MAX_ROUTES {
            return Err(RouteError::Full);
        }
        let is_before = |other: &Route| {
            let (len, metric) = (other.prefix.len(), other.metric);
            len > route.prefix.len() || len == route.prefix.len() && metric <= route.metric
        };
        let at = self.routes.partition_point(is_before);
        self.routes.insert(at, route);
        Ok(())
    }

    /// Adds a route in place of the same one, if that is there, as when a router advertises it again.
    ///
    /// # Errors
    /// See [`RouteError`].
    pub fn replace(&mut self, route: Route) -> Result<(), RouteError> {
        self.remove_if(|other| other.is_same(&route));
        self.insert(route)
    }

    /// Removes routes; returns how many.
    pub fn remove_if(&mut self, mut is_gone: impl FnMut(&Route) -> bool) -> usize {
        let before = self.routes.len();
        self.routes.retain(|route| !is_gone(route));
        before - self.routes.len()
    }

    /// Removes routes that have ended.
    pub fn on_timer(&mut self, now: u64) {
        self.remove_if(|route| route.expires.is_some_and(|end| end <= now));
    }

    /// When the first route ends.
    pub fn deadline(&self) -> Option<u64> {
        self.routes.iter().fold(None, |first, route| earlier(first, route.expires))
    }

    /// Routes for `destination`, the best first, out of `interface` if one is named. A caller may pass over
    /// routers that do not answer (RFC 4861 §6.3.6).
    #[inline]
    pub fn matches(&self, destination: IpAddr, interface: Option<Interface>) -> impl Iterator<Item = &Route> {
        self.routes.iter().filter(move |route| {
            route.prefix.contains(destination) && interface.is_none_or(|interface| route.interface == interface)
        })
    }

    /// The best route for `destination`.
    #[inline]
    pub fn lookup(&self, destination: IpAddr, interface: Option<Interface>) -> Option<&Route> {
        self.matches(destination, interface).next()
    }

    /// All routes, the best of a prefix first.
    pub fn iter(&self) -> impl Iterator<Item = &Route> {
        self.routes.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ETH0: Interface = Interface(2);
    const ETH1: Interface = Interface(3);

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn prefix(text: &str, len: u8) -> Prefix {
        Prefix::new(ip(text), len)
    }

    fn table() -> Table {
        let mut table = Table::new();
        let default = Route::via(prefix("0.0.0.0", 0), ip("192.0.2.1"), ETH0, Origin::Boot);
        table.insert(default).unwrap();
        table.insert(Route { metric: 100, interface: ETH1, gateway: Some(ip("198.51.100.1")), ..default }).unwrap();
        table.insert(Route::on_link(prefix("192.0.2.0", 24), ETH0, Origin::Kernel)).unwrap();
        table.insert(Route::on_link(prefix("198.51.100.0", 24), ETH1, Origin::Kernel)).unwrap();
        table.insert(Route::via(prefix("::", 0), ip("fe80::1"), ETH0, Origin::Boot)).unwrap();
        table
    }

    fn next_hop(table: &Table, to: &str, interface: Option<Interface>) -> Option<IpAddr> {
        table.lookup(ip(to), interface).map(|route| route.next_hop(ip(to)))
    }

    #[test]
    fn the_longest_prefix_wins_then_the_least_metric() {
        let mut table = table();
        assert_eq!(next_hop(&table, "192.0.2.9", None), Some(ip("192.0.2.9")));
        assert_eq!(next_hop(&table, "8.8.8.8", None), Some(ip("192.0.2.1")));
        assert_eq!(next_hop(&table, "8.8.8.8", Some(ETH1)), Some(ip("198.51.100.1")));
        assert_eq!(next_hop(&table, "2001:db8::1", None), Some(ip("fe80::1")));
        assert_eq!(next_hop(&table, "2001:db8::1", Some(ETH1)), None);
        table.insert(Route::via(prefix("8.8.8.8", 32), ip("192.0.2.7"), ETH0, Origin::Static)).unwrap();
        assert_eq!(next_hop(&table, "8.8.8.8", None), Some(ip("192.0.2.7")));
        let gateways: Vec<_> = table.matches(ip("8.8.8.8"), None).filter_map(|route| route.gateway).collect();
        assert_eq!(gateways, [ip("192.0.2.7"), ip("192.0.2.1"), ip("198.51.100.1")]);
    }

    #[test]
    fn the_same_route_is_added_once_and_replaced() {
        let mut table = table();
        let route = Route::on_link(prefix("192.0.2.0", 24), ETH0, Origin::Static);
        assert_eq!(table.insert(route), Err(RouteError::Exists));
        assert_eq!(table.replace(Route { mtu: Some(1400), ..route }), Ok(()));
        assert_eq!(table.lookup(ip("192.0.2.1"), None).unwrap().mtu, Some(1400));
        assert_eq!(table.iter().count(), 5);
        let mixed = Route::via(prefix("::", 0), ip("192.0.2.1"), ETH0, Origin::Static);
        assert_eq!(table.insert(mixed), Err(RouteError::Gateway));
        for i in 5..MAX_ROUTES as u32 {
            table.insert(Route { metric: i, ..route }).unwrap();
        }
        assert_eq!(table.insert(Route { metric: 1, ..route }), Err(RouteError::Full));
    }

    #[test]
    fn routes_end() {
        let mut table = table();
        let route = Route::on_link(prefix("2001:db8::", 64), ETH0, Origin::RouterAdvertisement);
        table.insert(Route { expires: Some(50), ..route }).unwrap();
        assert_eq!(table.deadline(), Some(50));
        table.on_timer(49);
        assert_eq!(next_hop(&table, "2001:db8::5", None), Some(ip("2001:db8::5")));
        table.on_timer(50);
        assert_eq!(next_hop(&table, "2001:db8::5", None), Some(ip("fe80::1")));
        assert_eq!(table.remove_if(|route| route.interface == ETH0), 3);
        assert_eq!(next_hop(&table, "2001:db8::5", None), None);
    }
}
