//! DHCP for IPv4 (RFC 2131), with its options (RFC 2132).

mod options;

pub use options::{Addresses, ClasslessRoutes, Options, Route, code};

use crate::ethernet::Address;
use crate::writer::Writer;
use crate::{Malformed, NoRoom};
use core::net::Ipv4Addr;
use zerocopy::big_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Port of servers (§4.1).
pub const SERVER_PORT: u16 = 67;
/// Port of clients (§4.1).
pub const CLIENT_PORT: u16 = 68;
/// Messages are padded to this many bytes, which BOOTP relays expect (RFC 1542 §2.1).
pub const MIN_LEN: usize = 300;
/// Largest message that every client must take, in bytes (§2).
pub const MAX_MESSAGE_LEN: u16 = 576 - 28;

const BOOT_REQUEST: u8 = 1;
const BOOT_REPLY: u8 = 2;
const HARDWARE_ETHERNET: u8 = 1;
const BROADCAST: u16 = 0x8000;
/// Before the options (§3).
const COOKIE: [u8; 4] = [99, 130, 83, 99];

/// What a message is for (RFC 2132 §9.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Which servers are there?
    Discover = 1,
    /// A server has this address.
    Offer = 2,
    /// The client wants it, or wants to keep it.
    Request = 3,
    /// The address is in use.
    Decline = 4,
    /// Granted.
    Ack = 5,
    /// Refused.
    Nak = 6,
    /// The client needs it no more.
    Release = 7,
    /// The client has an address and wants the rest.
    Inform = 8,
}

impl Kind {
    const fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Discover,
            2 => Self::Offer,
            3 => Self::Request,
            4 => Self::Decline,
            5 => Self::Ack,
            6 => Self::Nak,
            7 => Self::Release,
            8 => Self::Inform,
            _ => return None,
        })
    }
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Raw {
    operation: u8,
    hardware: u8,
    hardware_len: u8,
    hops: u8,
    transaction: U32,
    seconds: U16,
    flags: U16,
    client: [u8; 4],
    yours: [u8; 4],
    server: [u8; 4],
    relay: [u8; 4],
    mac: Address,
    mac_padding: [u8; 10],
    server_name: [u8; 64],
    file: [u8; 128],
    cookie: [u8; 4],
}

/// A message (§2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// What it is for; says also whether the client or the server sent it.
    pub kind: Kind,
    /// Which exchange it belongs to, `xid`.
    pub transaction: u32,
    /// Since the client began, `secs`.
    pub seconds: u16,
    /// The client cannot take unicast packets yet.
    pub broadcast: bool,
    /// The client's address, if it has one, `ciaddr`.
    pub client: Ipv4Addr,
    /// The address granted, `yiaddr`.
    pub yours: Ipv4Addr,
    /// The server to boot from, `siaddr`.
    pub server: Ipv4Addr,
    /// The relay, `giaddr`.
    pub relay: Ipv4Addr,
    /// The client's card, `chaddr`.
    pub mac: Address,
    /// Options, but for the kind.
    pub options: Options<'a>,
}

impl Kind {
    const fn operation(self) -> u8 {
        match self {
            Self::Offer | Self::Ack | Self::Nak => BOOT_REPLY,
            _ => BOOT_REQUEST,
        }
    }
}

impl<'a> Message<'a> {
    /// Parses a message, the payload of a UDP datagram.
    ///
    /// # Errors
    /// The sender is guilty: truncated, not DHCP over Ethernet (`Unsupported`), or no kind or one of the
    /// other direction (`Value`).
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let (raw, list) = Raw::ref_from_prefix(bytes).map_err(|_| Malformed::Truncated)?;
        if (raw.hardware, raw.hardware_len, raw.cookie) != (HARDWARE_ETHERNET, 6, COOKIE) {
            return Err(Malformed::Unsupported);
        }
        let (kind, options) = Options::parse(list, &raw.file, &raw.server_name);
        let kind = kind.and_then(Kind::from_byte).ok_or(Malformed::Value)?;
        if raw.operation != kind.operation() {
            return Err(Malformed::Value);
        }
        Ok(Self {
            kind,
            transaction: raw.transaction.get(),
            seconds: raw.seconds.get(),
            broadcast: raw.flags.get() & BROADCAST != 0,
            client: raw.client.into(),
            yours: raw.yours.into(),
            server: raw.server.into(),
            relay: raw.relay.into(),
            mac: raw.mac,
            options,
        })
    }

    /// Writes the message, padded to [`MIN_LEN`]; returns its length.
    ///
    /// # Errors
    /// The caller is guilty: the buffer is too short, or an option longer than it can say.
    pub fn emit(&self, into: &mut [u8]) -> Result<usize, NoRoom> {
        let mut writer = Writer::new(into);
        writer.value(&Raw {
            operation: self.kind.operation(),
            hardware: HARDWARE_ETHERNET,
            hardware_len: 6,
            hops: 0,
            transaction: self.transaction.into(),
            seconds: self.seconds.into(),
            flags: (if self.broadcast { BROADCAST } else { 0 }).into(),
            client: self.client.octets(),
            yours: self.yours.octets(),
            server: self.server.octets(),
            relay: self.relay.octets(),
            mac: self.mac,
            mac_padding: [0; 10],
            server_name: [0; 64],
            file: [0; 128],
            cookie: COOKIE,
        })?;
        self.options.emit(self.kind as u8, &mut writer)?;
        writer.zeros(MIN_LEN.saturating_sub(writer.len()))?;
        Ok(writer.len())
    }
}

#[cfg(test)]
mod tests;
