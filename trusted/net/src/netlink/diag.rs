//! Which sockets there are (sock_diag(7)), as `ss` asks.

use super::message::{Builder, Header, Request, word};
use crate::NetStack;
use crate::address::{AF_INET, AF_INET6, AF_UNIX, UnixAddress};
use crate::census::{Description, Names};
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use rkt_linux_abi::netlink::{NLM_F_DUMP, NLM_F_MULTI};
use rkt_linux_abi::{Errno, Result};

/// SOCK_DIAG_BY_FAMILY of linux/sock_diag.h.
const BY_FAMILY: u16 = 20;
/// Families that there are at most.
const FAMILY_END: u16 = 46;
/// Bytes of `struct inet_diag_req_v2` and `struct unix_diag_req`.
const INTERNET_REQUEST: usize = 56;
const UNIX_REQUEST: usize = 24;
/// Attributes of linux/inet_diag.h; a bit for each but the first two is in `idiag_ext`, from 0.
const MEMINFO: u16 = 1;
const INFO: u16 = 2;
const CONGESTION: u16 = 4;
const TOS: u16 = 5;
const SKMEMINFO: u16 = 7;
const SHUTDOWN: u16 = 8;
const V6_ONLY: u16 = 11;
/// Attributes of linux/unix_diag.h, of which `udiag_show` has bits.
const UNIX_NAME: u16 = 0;
const UNIX_PEER: u16 = 2;
const UNIX_RQLEN: u16 = 4;
const UNIX_SHUTDOWN: u16 = 6;

/// Answers a request.
///
/// # Errors
/// `EINVAL`, `ENOENT` for families that have no such table, and where one socket was asked for that is not there.
pub(super) fn answer(net: &NetStack, request: &Request<'_>, header: Header, out: &mut Builder) -> Result<()> {
    if request.header.kind != BY_FAMILY {
        return Err(Errno::EINVAL);
    }
    let family = u16::from(*request.body.first().ok_or(Errno::EINVAL)?);
    let dump = u32::from(request.header.flags) & NLM_F_DUMP != 0;
    let header = Header { kind: BY_FAMILY, flags: header.flags | if dump { NLM_F_MULTI as u16 } else { 0 }, ..header };
    let told = match family {
        AF_INET | AF_INET6 => internet(net, request, dump, header, out)?,
        AF_UNIX => unix(net, request, dump, header, out)?,
        FAMILY_END.. => return Err(Errno::EINVAL),
        _ => return Err(Errno::ENOENT),
    };
    match (dump, told) {
        (true, _) => out.done(header),
        (false, 0) => return Err(Errno::ENOENT),
        (false, _) => {}
    }
    Ok(())
}

fn internet(net: &NetStack, request: &Request<'_>, dump: bool, header: Header, out: &mut Builder) -> Result<usize> {
    let body: &[u8; INTERNET_REQUEST] = request.body.first_chunk().ok_or(Errno::EINVAL)?;
    let [family, protocol, extensions, ..] = *body;
    let states = word(body, 4).ok_or(Errno::EINVAL)?;
    let wanted = |socket: &&Description| {
        let in_state = !dump || 1u32.checked_shl(socket.state.into()).unwrap_or(0) & states != 0;
        socket.family == u16::from(family) && socket.protocol == u16::from(protocol) && in_state
    };
    let mut told = 0;
    for socket in net.sockets().iter().filter(wanted) {
        let Names::Internet { local, peer, info, congestion, v6_only } = &socket.names else { continue };
        let id = identity(socket, *local, *peer);
        // One that is asked for is named by its addresses (and the cookie, which all ones leave open).
        if !dump && body.get(8..44) != id.get(..36) {
            continue;
        }
        told += 1;
        let mut fixed = Vec::from([socket.family as u8, socket.state, 0, 0]);
        fixed.extend_from_slice(&id);
        let words = [0, socket.receive_queue, socket.send_queue, socket.uid, socket.inode as u32];
        fixed.extend(words.iter().flat_map(|word| word.to_ne_bytes()));
        let asked = |attribute: u16| extensions >> (attribute - 1) & 1 == 1;
        out.message(header, &fixed, |out| {
            out.attribute(SHUTDOWN, &[0]);
            if asked(MEMINFO) {
                out.attribute(MEMINFO, &[socket.receive_queue, 0, 0, socket.send_queue].map(u32::to_ne_bytes).concat());
            }
            if asked(SKMEMINFO) {
                let (receive, send) = (socket.receive_queue, socket.send_queue);
                out.attribute(SKMEMINFO, &[receive, 0, 0, 0, 0, send, 0, 0, 0].map(u32::to_ne_bytes).concat());
            }
            if asked(TOS) {
                out.attribute(TOS, &[0]);
            }
            if socket.family == AF_INET6 && matches!(socket.state, crate::state::LISTEN | crate::state::CLOSE) {
                out.attribute(V6_ONLY, &[u8::from(*v6_only)]);
            }
            if asked(INFO) && !info.is_empty() {
                out.attribute(INFO, info);
            }
            if asked(CONGESTION) && !congestion.is_empty() {
                let len = congestion.iter().position(|byte| *byte == 0).map_or(congestion.len(), |at| at + 1);
                out.attribute(CONGESTION, congestion.get(..len).unwrap_or(congestion));
            }
        });
        if !dump {
            break;
        }
    }
    Ok(told)
}

/// `struct inet_diag_sockid`: ports, addresses, interface, cookie.
fn identity(socket: &Description, local: SocketAddr, peer: Option<SocketAddr>) -> Vec<u8> {
    let none = if socket.family == AF_INET { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let peer = peer.unwrap_or((IpAddr::to_canonical(&none), 0).into());
    let mut id = Vec::new();
    id.extend_from_slice(&local.port().to_be_bytes());
    id.extend_from_slice(&peer.port().to_be_bytes());
    for ip in [local.ip(), peer.ip()] {
        match ip {
            IpAddr::V4(ip) if socket.family == AF_INET => {
                id.extend_from_slice(&ip.octets());
                id.extend_from_slice(&[0; 12]);
            }
            IpAddr::V4(ip) => id.extend_from_slice(&ip.to_ipv6_mapped().octets()),
            IpAddr::V6(ip) => id.extend_from_slice(&ip.octets()),
        }
    }
    id.extend_from_slice(&[0; 4]);
    id.extend_from_slice(&socket.inode.to_ne_bytes());
    id
}

/// `struct unix_diag_req`: family, protocol, padding; states; inode; what to show; cookie.
fn unix(net: &NetStack, request: &Request<'_>, dump: bool, header: Header, out: &mut Builder) -> Result<usize> {
    let body: &[u8; UNIX_REQUEST] = request.body.first_chunk().ok_or(Errno::EINVAL)?;
    let field = |at: usize| word(body, at).ok_or(Errno::EINVAL);
    let (states, inode, show) = (field(4)?, field(8)?, field(12)?);
    let wanted = |socket: &&Description| match dump {
        true => 1u32.checked_shl(socket.state.into()).unwrap_or(0) & states != 0,
        false => socket.inode == u64::from(inode),
    };
    let mut told = 0;
    for socket in net.sockets().iter().filter(wanted) {
        let Names::Unix { name, peer } = &socket.names else { continue };
        told += 1;
        let mut fixed = Vec::from([AF_UNIX as u8, socket.kind, socket.state, 0]);
        fixed.extend_from_slice(&(socket.inode as u32).to_ne_bytes());
        fixed.extend_from_slice(&socket.inode.to_ne_bytes());
        let asked = |bit: u32| show & bit != 0;
        out.message(header, &fixed, |out| {
            if asked(1) {
                match name {
                    UnixAddress::Unnamed => {}
                    UnixAddress::Path(path) => out.attribute(UNIX_NAME, &[path.as_slice(), &[0]].concat()),
                    UnixAddress::Abstract(name) => out.attribute(UNIX_NAME, &[&[0], name.as_slice()].concat()),
                }
            }
            if asked(4) && *peer != 0 {
                out.attribute(UNIX_PEER, &(*peer as u32).to_ne_bytes());
            }
            if asked(16) {
                let lens = [socket.receive_queue, socket.send_queue];
                out.attribute(UNIX_RQLEN, &lens.map(u32::to_ne_bytes).concat());
            }
            out.attribute(UNIX_SHUTDOWN, &[0]);
        });
    }
    Ok(told)
}
