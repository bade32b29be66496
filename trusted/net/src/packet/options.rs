//! Options of packet sockets (packet(7)).

use super::ring::{self, Request, Ring};
use super::{PacketSocket, SOL_PACKET};
use crate::options::{from_int, int};
use alloc::sync::Arc;
use alloc::vec::Vec;
use rkt_linux_abi::net::*;
use rkt_linux_abi::{Errno, Result};

/// PACKET_* of linux/if_packet.h.
const ADD_MEMBERSHIP: u32 = 1;
const DROP_MEMBERSHIP: u32 = 2;
const RX_RING: u32 = 5;
const STATISTICS: u32 = 6;
const COPY_THRESH: u32 = 7;
const AUXDATA: u32 = 8;
const ORIGDEV: u32 = 9;
const VERSION: u32 = 10;
const HDRLEN: u32 = 11;
const RESERVE: u32 = 12;
const LOSS: u32 = 14;
const TIMESTAMP: u32 = 17;
const QDISC_BYPASS: u32 = 20;
const IGNORE_OUTGOING: u32 = 23;
/// `PACKET_MR_*`: a group, everything, all groups, a further address.
const MEMBERSHIP_KINDS: u16 = 4;
/// Bytes of `struct packet_mreq`.
const MREQ_LEN: usize = 16;
/// Most memberships of a socket.
const MAX_MEMBERSHIPS: usize = 64;

impl PacketSocket {
    /// setsockopt(2).
    pub(super) fn change_option(&self, level: u32, name: u32, value: &[u8]) -> Result<()> {
        match (level, name) {
            (SOL_SOCKET, _) => {
                if let Some(outcome) = self.tap.inner.lock().filter.set(name, value) {
                    return outcome;
                }
                self.net.set_shared(&self.options, name, value)?;
                self.tap.inner.lock().limit = self.options.lock().receive_buffer;
                Ok(())
            }
            (SOL_PACKET, ADD_MEMBERSHIP | DROP_MEMBERSHIP) => self.change_membership(name, value),
            (SOL_PACKET, RX_RING) => self.set_ring(value),
            (SOL_PACKET, _) => self.change_own(name, int(value)?),
            _ => Err(Errno::ENOPROTOOPT),
        }
    }

    fn change_own(&self, name: u32, value: i32) -> Result<()> {
        let mut inner = self.tap.inner.lock();
        match name {
            VERSION | RESERVE if inner.ring.is_some() => return Err(Errno::EBUSY),
            VERSION => {
                ring::header_len(value as u32).ok_or(Errno::EINVAL)?;
                inner.version = value as u32;
            }
            RESERVE if value < 0 => return Err(Errno::EINVAL),
            RESERVE => inner.reserve = value as u32,
            LOSS if inner.ring.is_some() => return Err(Errno::EBUSY),
            AUXDATA => inner.auxiliary = value != 0,
            IGNORE_OUTGOING if !(0..=1).contains(&value) => return Err(Errno::EINVAL),
            IGNORE_OUTGOING => inner.incoming_only = value != 0,
            ORIGDEV | LOSS | QDISC_BYPASS => keep(&mut inner.hints, name, i32::from(value != 0)),
            COPY_THRESH | TIMESTAMP => keep(&mut inner.hints, name, value),
            _ => return Err(Errno::ENOPROTOOPT),
        }
        Ok(())
    }

    /// `struct packet_mreq`: the interface, the kind, the address. The cards let all frames in.
    fn change_membership(&self, name: u32, value: &[u8]) -> Result<()> {
        let request: [u8; MREQ_LEN] = value.first_chunk().copied().ok_or(Errno::EINVAL)?;
        let [i0, i1, i2, i3, k0, k1, ..] = request;
        let (index, kind) = (u32::from_ne_bytes([i0, i1, i2, i3]), u16::from_ne_bytes([k0, k1]));
        let mut inner = self.tap.inner.lock();
        let known = inner.memberships.iter().position(|(one, _)| *one == request);
        if name == DROP_MEMBERSHIP {
            if let Some((_, times)) = known.and_then(|nth| inner.memberships.get_mut(nth)) {
                *times = times.saturating_sub(1);
            }
            inner.memberships.retain(|(_, times)| *times > 0);
            return Ok(());
        }
        self.interface(index).ok_or(Errno::ENODEV)?;
        if kind >= MEMBERSHIP_KINDS {
            return Err(Errno::EINVAL);
        }
        if let Some((_, times)) = known.and_then(|nth| inner.memberships.get_mut(nth)) {
            *times = times.saturating_add(1);
        } else if inner.memberships.len() >= MAX_MEMBERSHIPS {
            return Err(Errno::ENOBUFS);
        } else {
            inner.memberships.push((request, 1));
        }
        Ok(())
    }

    fn set_ring(&self, value: &[u8]) -> Result<()> {
        let (words, _) = value.as_chunks::<4>();
        let [block_size, blocks, frame_size, frames, ..] = *words else { return Err(Errno::EINVAL) };
        let [block_size, blocks, frame_size, frames] = [block_size, blocks, frame_size, frames].map(u32::from_ne_bytes);
        let (version, reserve) = {
            let mut inner = self.tap.inner.lock();
            if blocks == 0 {
                if frames != 0 {
                    return Err(Errno::EINVAL);
                }
                inner.ring = None;
                return Ok(());
            }
            if inner.ring.is_some() {
                return Err(Errno::EBUSY);
            }
            (inner.version, inner.reserve)
        };
        let ring = Ring::new(Request { block_size, blocks, frame_size, frames }, version, reserve)?;
        let mut inner = self.tap.inner.lock();
        if inner.ring.is_some() {
            return Err(Errno::EBUSY);
        }
        inner.ring = Some(Arc::new(ring));
        // What waited was of another kind.
        inner.frames.clear();
        inner.used = 0;
        Ok(())
    }

    /// getsockopt(2); `given` is what stands where the value goes.
    pub(super) fn read_option(&self, level: u32, name: u32, given: &[u8]) -> Result<Vec<u8>> {
        let mut inner = self.tap.inner.lock();
        match (level, name) {
            (SOL_SOCKET, SO_ERROR) => Ok(from_int(inner.error.take().map_or(0, Errno::raw))),
            (SOL_SOCKET, SO_ACCEPTCONN) => Ok(from_int(0)),
            (SOL_SOCKET, _) => inner.filter.get(name).map_or_else(|| self.net.shared(self, &self.options, name), Ok),
            (SOL_PACKET, STATISTICS) => {
                // Those that were lost were meant for the socket as well; reading sets both back.
                let (taken, lost) = (inner.taken.wrapping_add(inner.lost), inner.lost);
                (inner.taken, inner.lost) = (0, 0);
                Ok([taken, lost].map(u32::to_ne_bytes).concat())
            }
            (SOL_PACKET, HDRLEN) => {
                let version = int(given)? as u32;
                Ok(from_int(ring::header_len(version).ok_or(Errno::EINVAL)?))
            }
            (SOL_PACKET, VERSION) => Ok(from_int(inner.version)),
            (SOL_PACKET, RESERVE) => Ok(from_int(inner.reserve)),
            (SOL_PACKET, AUXDATA) => Ok(from_int(inner.auxiliary)),
            (SOL_PACKET, IGNORE_OUTGOING) => Ok(from_int(inner.incoming_only)),
            (SOL_PACKET, ORIGDEV | LOSS | QDISC_BYPASS | TIMESTAMP) => {
                let hint = inner.hints.iter().find(|(hint, _)| *hint == name);
                Ok(from_int(hint.map_or(0, |hint| hint.1)))
            }
            _ => Err(Errno::ENOPROTOOPT),
        }
    }
}

fn keep(hints: &mut Vec<(u32, i32)>, name: u32, value: i32) {
    hints.retain(|(hint, _)| *hint != name);
    hints.push((name, value));
}
