//! Options of a message (RFC 2132).

use crate::NoRoom;
use crate::writer::Writer;
use core::net::Ipv4Addr;

/// Codes (IANA, "BOOTP Vendor Extensions and DHCP Options").
pub mod code {
    /// Padding of one byte.
    pub const PAD: u8 = 0;
    /// Subnet mask (RFC 2132 §3.3).
    pub const SUBNET_MASK: u8 = 1;
    /// Routers (RFC 2132 §3.5).
    pub const ROUTERS: u8 = 3;
    /// Resolvers (RFC 2132 §3.8).
    pub const RESOLVERS: u8 = 6;
    /// Name of the client (RFC 2132 §3.14).
    pub const HOST_NAME: u8 = 12;
    /// Domain of the client (RFC 2132 §3.17).
    pub const DOMAIN_NAME: u8 = 15;
    /// MTU (RFC 2132 §5.1).
    pub const MTU: u8 = 26;
    /// Broadcast address (RFC 2132 §5.3).
    pub const BROADCAST: u8 = 28;
    /// Address that the client wants (RFC 2132 §9.1).
    pub const REQUESTED_ADDRESS: u8 = 50;
    /// Time of the lease (RFC 2132 §9.2).
    pub const LEASE_TIME: u8 = 51;
    /// Options go on in other fields (RFC 2132 §9.3).
    pub const OVERLOAD: u8 = 52;
    /// Kind of the message (RFC 2132 §9.6).
    pub const KIND: u8 = 53;
    /// Which server (RFC 2132 §9.7).
    pub const SERVER_ID: u8 = 54;
    /// What the client wants to know (RFC 2132 §9.8).
    pub const PARAMETER_LIST: u8 = 55;
    /// Largest message that the client takes (RFC 2132 §9.10).
    pub const MAX_MESSAGE_LEN: u8 = 57;
    /// When to renew, T1 (RFC 2132 §9.11).
    pub const RENEWAL_TIME: u8 = 58;
    /// When to rebind, T2 (RFC 2132 §9.12).
    pub const REBINDING_TIME: u8 = 59;
    /// Who the client is (RFC 2132 §9.14).
    pub const CLIENT_ID: u8 = 61;
    /// Routes of any prefix length (RFC 3442).
    pub const CLASSLESS_ROUTES: u8 = 121;
    /// End of the list.
    pub const END: u8 = 255;
}

/// A list of addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Addresses<'a>(&'a [[u8; 4]]);

impl<'a> Addresses<'a> {
    /// The list of these.
    pub const fn new(octets: &'a [[u8; 4]]) -> Self {
        Self(octets)
    }

    /// The addresses.
    pub fn iter(&self) -> impl Iterator<Item = Ipv4Addr> + use<'a> {
        self.0.iter().map(|octets| Ipv4Addr::from(*octets))
    }
}

/// A route of RFC 3442.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Destination; bits beyond the length are 0.
    pub destination: Ipv4Addr,
    /// Bits of it that count, at most 32.
    pub prefix_len: u8,
    /// By way of; unspecified: on the link.
    pub router: Ipv4Addr,
}

/// Routes in the compact form of RFC 3442.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClasslessRoutes<'a>(&'a [u8]);

impl<'a> ClasslessRoutes<'a> {
    /// The routes that `bytes` say.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The routes, as far as the list is whole.
    pub fn iter(&self) -> impl Iterator<Item = Route> + use<'a> {
        let mut rest = self.0;
        core::iter::from_fn(move || {
            let (prefix_len, behind) = rest.split_first().filter(|(len, _)| **len <= 32)?;
            let (significant, behind) = behind.split_at_checked(usize::from(prefix_len.div_ceil(8)))?;
            let (router, behind) = behind.split_first_chunk::<4>()?;
            let mut destination = [0; 4];
            for (to, from) in destination.iter_mut().zip(significant) {
                *to = *from;
            }
            let mask = u32::MAX.checked_shl(32 - u32::from(*prefix_len)).unwrap_or(0);
            rest = behind;
            Some(Route {
                destination: Ipv4Addr::from_bits(u32::from_be_bytes(destination) & mask),
                prefix_len: *prefix_len,
                router: Ipv4Addr::from(*router),
            })
        })
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Options but for the kind. An empty list stands for a missing one; of an option that comes twice the first counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options<'a> {
    /// Subnet mask.
    pub subnet_mask: Option<Ipv4Addr>,
    /// Default routers, the preferred first.
    pub routers: Addresses<'a>,
    /// Resolvers, the preferred first.
    pub resolvers: Addresses<'a>,
    /// Name of the client.
    pub host_name: &'a [u8],
    /// Domain of the client.
    pub domain_name: &'a [u8],
    /// MTU of the link in bytes.
    pub mtu: Option<u16>,
    /// Broadcast address.
    pub broadcast: Option<Ipv4Addr>,
    /// Address that the client wants.
    pub requested_address: Option<Ipv4Addr>,
    /// Time of the lease, in seconds; all ones: for ever.
    pub lease_time: Option<u32>,
    /// Which server.
    pub server_id: Option<Ipv4Addr>,
    /// Codes of options that the client wants to know.
    pub parameter_list: &'a [u8],
    /// Largest message that the client takes, in bytes.
    pub max_message_len: Option<u16>,
    /// When to renew, in seconds since the grant.
    pub renewal_time: Option<u32>,
    /// When to rebind, in seconds since the grant.
    pub rebinding_time: Option<u32>,
    /// Who the client is: a type of hardware and an address, or 0 and a name.
    pub client_id: &'a [u8],
    /// Routes; if there are any, [`routers`](Self::routers) do not count (RFC 3442).
    pub classless_routes: ClasslessRoutes<'a>,
}

/// Bits of [`code::OVERLOAD`].
const IN_FILE: u8 = 1;
const IN_SERVER_NAME: u8 = 2;

impl<'a> Options<'a> {
    /// The kind, if there is one, and the rest. `file` and `server_name` hold options if the list says so.
    pub(super) fn parse(list: &'a [u8], file: &'a [u8], server_name: &'a [u8]) -> (Option<u8>, Self) {
        let mut options = Self::default();
        let (mut kind, mut overload) = (None, None);
        for_each(list, |code, body| match (code, body) {
            (code::KIND, &[value]) => _ = kind.get_or_insert(value),
            (code::OVERLOAD, &[value]) => _ = overload.get_or_insert(value),
            _ => options.read(code, body),
        });
        let overload = overload.unwrap_or(0);
        for (bit, field) in [(IN_FILE, file), (IN_SERVER_NAME, server_name)] {
            if overload & bit != 0 {
                for_each(field, |code, body| options.read(code, body));
            }
        }
        (kind, options)
    }

    fn read(&mut self, code: u8, body: &'a [u8]) {
        match code {
            code::SUBNET_MASK => set(&mut self.subnet_mask, address(body)),
            code::ROUTERS => set_list(&mut self.routers.0, body.as_chunks().0),
            code::RESOLVERS => set_list(&mut self.resolvers.0, body.as_chunks().0),
            code::HOST_NAME => set_list(&mut self.host_name, body),
            code::DOMAIN_NAME => set_list(&mut self.domain_name, body),
            code::MTU => set(&mut self.mtu, body.try_into().ok().map(u16::from_be_bytes)),
            code::BROADCAST => set(&mut self.broadcast, address(body)),
            code::REQUESTED_ADDRESS => set(&mut self.requested_address, address(body)),
            code::LEASE_TIME => set(&mut self.lease_time, number(body)),
            code::SERVER_ID => set(&mut self.server_id, address(body)),
            code::PARAMETER_LIST => set_list(&mut self.parameter_list, body),
            code::MAX_MESSAGE_LEN => set(&mut self.max_message_len, body.try_into().ok().map(u16::from_be_bytes)),
            code::RENEWAL_TIME => set(&mut self.renewal_time, number(body)),
            code::REBINDING_TIME => set(&mut self.rebinding_time, number(body)),
            code::CLIENT_ID => set_list(&mut self.client_id, body),
            code::CLASSLESS_ROUTES => set_list(&mut self.classless_routes.0, body),
            _ => {}
        }
    }

    pub(super) fn emit(&self, kind: u8, writer: &mut Writer<'_>) -> Result<(), NoRoom> {
        let octets = |address: Option<Ipv4Addr>| address.map(|address| address.octets());
        let number = |value: Option<u32>| value.map(u32::to_be_bytes);
        let short = |value: Option<u16>| value.map(u16::to_be_bytes);
        put(writer, code::KIND, &[kind])?;
        put_some(writer, code::SUBNET_MASK, octets(self.subnet_mask))?;
        put(writer, code::ROUTERS, self.routers.0.as_flattened())?;
        put(writer, code::RESOLVERS, self.resolvers.0.as_flattened())?;
        put(writer, code::HOST_NAME, self.host_name)?;
        put(writer, code::DOMAIN_NAME, self.domain_name)?;
        put_some(writer, code::MTU, short(self.mtu))?;
        put_some(writer, code::BROADCAST, octets(self.broadcast))?;
        put_some(writer, code::REQUESTED_ADDRESS, octets(self.requested_address))?;
        put_some(writer, code::LEASE_TIME, number(self.lease_time))?;
        put_some(writer, code::SERVER_ID, octets(self.server_id))?;
        put(writer, code::PARAMETER_LIST, self.parameter_list)?;
        put_some(writer, code::MAX_MESSAGE_LEN, short(self.max_message_len))?;
        put_some(writer, code::RENEWAL_TIME, number(self.renewal_time))?;
        put_some(writer, code::REBINDING_TIME, number(self.rebinding_time))?;
        put(writer, code::CLIENT_ID, self.client_id)?;
        put(writer, code::CLASSLESS_ROUTES, self.classless_routes.0)?;
        writer.bytes(&[code::END])
    }
}

/// Calls `visit` with code and body of each option, as far as the list is whole.
fn for_each<'a>(mut rest: &'a [u8], mut visit: impl FnMut(u8, &'a [u8])) {
    while let [code, behind @ ..] = rest {
        rest = match *code {
            code::PAD => behind,
            code::END => return,
            code => {
                let Some((len, behind)) = behind.split_first() else { return };
                let Some((body, behind)) = behind.split_at_checked(usize::from(*len)) else { return };
                visit(code, body);
                behind
            }
        };
    }
}

fn address(body: &[u8]) -> Option<Ipv4Addr> {
    <[u8; 4]>::try_from(body).ok().map(Ipv4Addr::from)
}

fn number(body: &[u8]) -> Option<u32> {
    body.try_into().ok().map(u32::from_be_bytes)
}

fn set<T>(field: &mut Option<T>, value: Option<T>) {
    if field.is_none() {
        *field = value;
    }
}

fn set_list<'a, T>(field: &mut &'a [T], value: &'a [T]) {
    if field.is_empty() {
        *field = value;
    }
}

/// Writes an option with a body, or nothing.
fn put(writer: &mut Writer<'_>, code: u8, body: &[u8]) -> Result<(), NoRoom> {
    if body.is_empty() {
        return Ok(());
    }
    let len = u8::try_from(body.len()).map_err(|_| NoRoom)?;
    writer.bytes(&[code, len])?;
    writer.bytes(body)
}

fn put_some<const N: usize>(writer: &mut Writer<'_>, code: u8, body: Option<[u8; N]>) -> Result<(), NoRoom> {
    body.map_or(Ok(()), |body| put(writer, code, &body))
}
