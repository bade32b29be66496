//! Internet protocols on the wire, one module a protocol.
//!
//! Parsing checks lengths, versions and checksums of headers and returns a small `Copy` value beside
//! views of what follows; emitting writes into a caller's buffer and says how many bytes. Payload
//! is never copied. Transport checksums (TCP, UDP) are left to the caller, whose card may have checked
//! them; all other checksums are verified and written here.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod arp;
pub mod checksum;
pub mod dhcp;
pub mod ethernet;
pub mod icmpv4;
pub mod icmpv6;
pub mod igmp;
pub mod ip;
pub mod ipv4;
pub mod ipv6;
pub mod membership;
pub mod tcp;
pub mod udp;
mod writer;

use core::fmt;

/// Why bytes are not what they should be. The sender is guilty, or the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// They end before the header does, or a length field counts more than there is.
    Truncated,
    /// A length field is below what the format needs, or contradicts another.
    Length,
    /// The checksum is wrong.
    Checksum,
    /// A field has a value that the specification forbids.
    Value,
    /// Another version, hardware or kind than this parser is for.
    Unsupported,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "truncated",
            Self::Length => "contradictory length",
            Self::Checksum => "wrong checksum",
            Self::Value => "forbidden value",
            Self::Unsupported => "unsupported version or kind",
        })
    }
}

impl core::error::Error for Malformed {}

/// The caller is guilty: the buffer is too short, or the parts are more than the format can count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom;

impl fmt::Display for NoRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no room for the packet")
    }
}

impl core::error::Error for NoRoom {}
