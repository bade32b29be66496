//! Extension headers (RFC 8200 §4).

use crate::Malformed;
use crate::NoRoom;
use crate::ip::protocol;
use crate::writer::Writer;

/// Most extension headers of a packet that are walked; RFC 8504 §5.3 lets a host set a limit.
pub const MAX_EXTENSIONS: usize = 8;
/// Most options of a header beside padding (RFC 8504 §5.3).
const MAX_OPTIONS: usize = 8;

/// The fragment header (§4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// The first header of the fragmentable part.
    pub next_header: u8,
    /// Where the payload lies in the fragmentable part, in bytes; a multiple of 8.
    pub offset: u16,
    /// More fragments follow.
    pub more: bool,
    /// Which packet fragments belong to.
    pub id: u32,
}

impl Fragment {
    /// Bytes of the header.
    pub const LEN: usize = 8;

    /// A packet of one fragment, to be treated on its own (RFC 6946).
    pub const fn is_atomic(&self) -> bool {
        self.offset == 0 && !self.more
    }

    fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), Malformed> {
        let ([next_header, _, high, low, id @ ..], rest) =
            bytes.split_first_chunk::<8>().ok_or(Malformed::Truncated)?;
        let offset_and_flags = u16::from_be_bytes([*high, *low]);
        let fragment = Self {
            next_header: *next_header,
            offset: offset_and_flags & !7,
            more: offset_and_flags & 1 != 0,
            id: u32::from_be_bytes(*id),
        };
        Ok((fragment, rest))
    }

    /// Writes the header; returns its length.
    ///
    /// # Errors
    /// The buffer is too short.
    pub fn emit(&self, into: &mut [u8]) -> Result<usize, NoRoom> {
        let offset_and_flags = self.offset & !7 | u16::from(self.more);
        let mut writer = Writer::new(into);
        writer.bytes(&[self.next_header, 0])?;
        writer.bytes(&offset_and_flags.to_be_bytes())?;
        writer.bytes(&self.id.to_be_bytes())?;
        Ok(writer.len())
    }
}

/// What stands behind the extension headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upper<'a> {
    /// Its protocol; not known here but no extension header. Where it is unknown to the receiver, that is a
    /// parameter problem at [`field`](Self::field).
    pub protocol: u8,
    /// Its bytes.
    pub payload: &'a [u8],
    /// Where [`payload`](Self::payload) starts, in bytes from the start of the walk.
    pub offset: usize,
    /// Where the next-header field that names the protocol lies; `None` if it is the one that the walk began with.
    pub field: Option<usize>,
    /// Whether a hop-by-hop header had the router alert option (RFC 2711), which MLD needs (RFC 3810 §5).
    pub router_alert: bool,
}

/// Where a walk ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Walk<'a> {
    /// At the upper layer.
    Upper(Upper<'a>),
    /// At a fragment header that is not atomic.
    Fragment {
        /// The header.
        fragment: Fragment,
        /// What follows it.
        payload: &'a [u8],
    },
}

/// Why a packet goes no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// To be dropped silently.
    Discard,
    /// To be dropped and answered with an ICMPv6 parameter problem.
    Parameter {
        /// Code of RFC 4443 §3.4: 0 erroneous field, 1 unknown next header, 2 unknown option.
        code: u8,
        /// Where, in bytes from the start of the walk.
        pointer: usize,
        /// Even if the packet went to a group (RFC 4443 §2.4 e.3): an option of type `10`.
        even_to_group: bool,
    },
}

impl From<Malformed> for Problem {
    fn from(_: Malformed) -> Self {
        Self::Discard
    }
}

const fn erroneous(pointer: usize) -> Problem {
    Problem::Parameter { code: 0, pointer, even_to_group: false }
}

/// Walks the extension headers of `payload`, whose first header is `next_header`, to the upper layer or a fragment.
///
/// # Errors
/// The sender is guilty: truncated, too many headers or options, options or routing that the specification
/// wants refused.
#[inline]
pub fn walk(next_header: u8, payload: &[u8]) -> Result<Walk<'_>, Problem> {
    use protocol::{DESTINATION, FRAGMENT, HOP_BY_HOP, ROUTING};
    if !matches!(next_header, HOP_BY_HOP | ROUTING | FRAGMENT | DESTINATION) {
        return Ok(Walk::Upper(Upper { protocol: next_header, payload, offset: 0, field: None, router_alert: false }));
    }
    walk_headers(next_header, payload)
}

fn walk_headers(first: u8, all: &[u8]) -> Result<Walk<'_>, Problem> {
    let mut upper = Upper { protocol: first, payload: all, offset: 0, field: None, router_alert: false };
    for index in 0..=MAX_EXTENSIONS {
        let (next_header, len) = match upper.protocol {
            // Only directly behind the IPv6 header (§4.1, §4.3).
            protocol::HOP_BY_HOP if index != 0 => {
                return Err(Problem::Parameter { code: 1, pointer: upper.field.unwrap_or(0), even_to_group: false });
            }
            protocol::HOP_BY_HOP | protocol::DESTINATION => {
                let header = Extension::parse(upper.payload)?;
                upper.router_alert |= options(header.body, upper.offset + 2)?;
                (header.next_header, header.len)
            }
            protocol::ROUTING => {
                let header = Extension::parse(upper.payload)?;
                // A host is the end of every route: nothing may be left to visit (§4.4; RFC 5095).
                match header.body {
                    [_, 0, ..] => (header.next_header, header.len),
                    _ => return Err(erroneous(upper.offset + 2)),
                }
            }
            protocol::FRAGMENT => match Fragment::parse(upper.payload)? {
                (fragment, _) if fragment.is_atomic() => (fragment.next_header, Fragment::LEN),
                (fragment, payload) => return fragment_of(fragment, payload, upper.offset),
            },
            _ => return Ok(Walk::Upper(upper)),
        };
        upper.payload = upper.payload.get(len..).ok_or(Problem::Discard)?;
        upper.field = Some(upper.offset);
        upper.offset += len;
        upper.protocol = next_header;
    }
    Err(Problem::Discard)
}

/// The rules of §4.5 for lengths: all but the last are multiples of 8 bytes, and the packet fits its length field.
fn fragment_of(fragment: Fragment, payload: &[u8], offset: usize) -> Result<Walk<'_>, Problem> {
    if fragment.more && !payload.len().is_multiple_of(8) {
        // The payload length of the IPv6 header, which lies before the walk.
        return Err(Problem::Discard);
    }
    if usize::from(fragment.offset) + payload.len() > super::MAX_PAYLOAD_LEN {
        return Err(erroneous(offset + 2));
    }
    Ok(Walk::Fragment { fragment, payload })
}

/// A header that says its own length (§4.2).
struct Extension<'a> {
    next_header: u8,
    len: usize,
    /// Behind the length.
    body: &'a [u8],
}

impl<'a> Extension<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let [next_header, units, ..] = bytes else { return Err(Malformed::Truncated) };
        // In units of 8 bytes, not counting the first.
        let len = (usize::from(*units) + 1) * 8;
        let body = bytes.get(2..len).ok_or(Malformed::Truncated)?;
        Ok(Self { next_header: *next_header, len, body })
    }
}

const PAD1: u8 = 0;
const PADN: u8 = 1;
const ROUTER_ALERT: u8 = 5;

/// Walks options, the first of which lies at `pointer`; returns whether router alert is one. What the type
/// of an unknown one says is done (§4.2).
fn options(mut rest: &[u8], mut pointer: usize) -> Result<bool, Problem> {
    let mut router_alert = false;
    let mut budget = MAX_OPTIONS;
    while let [kind, behind @ ..] = rest {
        if *kind == PAD1 {
            (rest, pointer) = (behind, pointer + 1);
            continue;
        }
        let (len, behind) = behind.split_first().ok_or(Problem::Discard)?;
        let (_, behind) = behind.split_at_checked(usize::from(*len)).ok_or(Problem::Discard)?;
        if *kind != PADN {
            budget = budget.checked_sub(1).ok_or(Problem::Discard)?;
            match (*kind, kind >> 6) {
                (ROUTER_ALERT, _) => router_alert = true,
                (_, 0) => {}
                (_, 1) => return Err(Problem::Discard),
                (_, action) => return Err(Problem::Parameter { code: 2, pointer, even_to_group: action == 2 }),
            }
        }
        pointer += 2 + usize::from(*len);
        rest = behind;
    }
    Ok(router_alert)
}
