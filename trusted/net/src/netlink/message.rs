//! The format of netlink messages (netlink(7)): headers, and attributes behind fixed structures.

use alloc::vec::Vec;
use rkt_linux_abi::Errno;
use rkt_linux_abi::netlink::{NLMSG_DONE, NLMSG_ERROR};

/// Bytes of `struct nlmsghdr`.
pub const HEADER_LEN: usize = 16;

/// `struct nlmsghdr` without the length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub kind: u16,
    /// `NLM_F_*`.
    pub flags: u16,
    pub sequence: u32,
    /// The port that sent it.
    pub port: u32,
}

/// A request, as it came.
pub struct Request<'a> {
    pub header: Header,
    /// What is behind the header.
    pub body: &'a [u8],
    /// All of it.
    pub whole: &'a [u8],
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

/// A word of 32 bits at an offset.
pub fn word(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_ne_bytes)
}

/// The messages of a datagram, up to the first whose length makes no sense, which Linux passes over as well.
pub fn requests(datagram: &[u8]) -> impl Iterator<Item = Request<'_>> {
    let mut rest = datagram;
    core::iter::from_fn(move || {
        let len = usize::try_from(word(rest, 0)?).ok().filter(|&len| len >= HEADER_LEN)?;
        let whole = rest.get(..len)?;
        let header = Header {
            kind: u16::from_ne_bytes(array(whole, 4)?),
            flags: u16::from_ne_bytes(array(whole, 6)?),
            sequence: word(whole, 8)?,
            port: word(whole, 12)?,
        };
        rest = rest.get(len.next_multiple_of(4)..).unwrap_or(&[]);
        Some(Request { header, body: whole.get(HEADER_LEN..)?, whole })
    })
}

/// The attributes of a message: what is behind a fixed structure of `fixed` bytes.
pub fn attributes(body: &[u8], fixed: usize) -> impl Iterator<Item = (u16, &[u8])> {
    const HEAD: usize = 4;
    let mut rest = body.get(fixed.next_multiple_of(4)..).unwrap_or(&[]);
    core::iter::from_fn(move || {
        let len = usize::from(u16::from_ne_bytes(array(rest, 0)?));
        let kind = u16::from_ne_bytes(array(rest, 2)?);
        let value = rest.get(HEAD..len)?;
        rest = rest.get(len.next_multiple_of(4)..).unwrap_or(&[]);
        Some((kind, value))
    })
}

/// Messages on their way to an application, one behind the other.
#[derive(Default)]
pub struct Builder {
    bytes: Vec<u8>,
}

impl Builder {
    /// Adds a message: a fixed structure, and what `attributes` adds.
    pub fn message(&mut self, header: Header, fixed: &[u8], attributes: impl FnOnce(&mut Self)) {
        let start = self.bytes.len();
        self.put(&[0; 4]);
        self.put(&header.kind.to_ne_bytes());
        self.put(&header.flags.to_ne_bytes());
        self.put(&header.sequence.to_ne_bytes());
        self.put(&header.port.to_ne_bytes());
        self.put(fixed);
        self.pad();
        attributes(self);
        let len = (self.bytes.len() - start) as u32;
        if let Some(at) = self.bytes.get_mut(start..start + 4) {
            at.copy_from_slice(&len.to_ne_bytes());
        }
    }

    /// Adds an attribute to the last message: `struct rtattr` and its value.
    pub fn attribute(&mut self, kind: u16, value: &[u8]) {
        const HEAD: usize = 4;
        self.put(&((HEAD + value.len()) as u16).to_ne_bytes());
        self.put(&kind.to_ne_bytes());
        self.put(value);
        self.pad();
    }

    /// Adds the end of a list.
    pub fn done(&mut self, header: Header) {
        self.message(Header { kind: NLMSG_DONE as u16, ..header }, &0i32.to_ne_bytes(), |_| {});
    }

    /// Adds the outcome of a request: an error, or that there is none. With an error the request is repeated.
    pub fn outcome(&mut self, header: Header, request: &Request<'_>, error: Option<Errno>) {
        let mut fixed = (-error.map_or(0, |error| error.raw() as i32)).to_ne_bytes().to_vec();
        let repeated = if error.is_some() { request.whole } else { request.whole.get(..HEADER_LEN).unwrap_or(&[]) };
        fixed.extend_from_slice(repeated);
        self.message(Header { kind: NLMSG_ERROR as u16, flags: 0, ..header }, &fixed, |_| {});
    }

    /// The datagram.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }

    fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}
