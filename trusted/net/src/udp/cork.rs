//! UDP_CORK and MSG_MORE: a datagram that several calls put together (udp(7)).

use super::{MAX_PAYLOAD, UdpSocket};
use crate::error_queue::Departed;
use crate::loopback;
use crate::stack::{Fragmentation, Manner};
use crate::stamps::Departure;
use crate::statistics::Count;
use alloc::vec;
use alloc::vec::Vec;
use core::net::SocketAddr;
use rkt_linux_abi::{Errno, Result, general::POLLERR};
use rkt_user::IoSource;

/// A datagram that is to go; the first call decides where and how.
pub(super) struct Pending {
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub manner: Manner,
    pub payload: Vec<u8>,
}

/// All that a caller gives.
pub(super) fn taken(source: &mut IoSource<'_>) -> Result<Vec<u8>> {
    let mut bytes = vec![0; source.remaining()];
    if source.take(&mut bytes)? < bytes.len() { Err(Errno::EFAULT) } else { Ok(bytes) }
}

impl UdpSocket {
    /// Adds to the datagram that waits, and sends it unless there is more to come; nothing if none waits. What cannot
    /// be added is the end of it.
    pub(super) fn append(&self, source: &mut IoSource<'_>, more: bool) -> Option<Result<usize>> {
        let mut pending = self.state.lock().pending.take()?;
        let added = taken(source).and_then(|bytes| {
            if pending.payload.len() + bytes.len() > MAX_PAYLOAD {
                return Err(Errno::EMSGSIZE);
            }
            pending.payload.extend_from_slice(&bytes);
            Ok(bytes.len())
        });
        Some(match added {
            Ok(len) if more => {
                self.state.lock().pending = Some(pending);
                Ok(len)
            }
            Ok(len) => self.dispatch(pending).map(|()| len),
            Err(error) => Err(error),
        })
    }

    /// Sends a datagram.
    pub(super) fn dispatch(&self, Pending { from, to, manner, payload }: Pending) -> Result<()> {
        let departure = self.options.lock().stamps.departure();
        let wanted = departure.is_some_and(|departure| !departure.alone);
        let frame = if wanted { loopback::udp_frame(from, to, &payload, &manner) } else { None };
        let outcome = self.deliver(from, to, payload, &manner);
        if let Some(departure) = departure.filter(|_| outcome.is_ok()) {
            self.note_departure(&departure, frame.unwrap_or_default());
        }
        if outcome.is_ok() {
            self.count(to.ip(), Count::UdpOutDatagrams);
        }
        if outcome == Err(Errno::EMSGSIZE) && manner.fragmentation == Fragmentation::Never {
            self.too_long(from, to);
        }
        outcome
    }

    /// Tells the sender when the datagram went (SO_TIMESTAMPING).
    fn note_departure(&self, departure: &Departure, packet: Vec<u8>) {
        let at = rkt_platform::wall();
        for moment in departure.moments() {
            let departed = Departed { moment, number: departure.number, at, packet: packet.clone() };
            self.queue.inner.lock().errors.push_departed(departed);
        }
        self.queue.waiters.wake_all(POLLERR);
    }

    /// UDP_CORK: what waits goes when it is taken off.
    pub(super) fn set_cork(&self, cork: bool) -> Result<()> {
        let pending = {
            let mut state = self.state.lock();
            state.cork = cork;
            if cork { None } else { state.pending.take() }
        };
        pending.map_or(Ok(()), |pending| self.dispatch(pending))
    }
}
