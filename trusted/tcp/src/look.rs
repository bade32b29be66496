//! What the engine asks of a connection between its calls.

use crate::seq;
use crate::state::{Changes, Error};
use crate::tcb::Tcb;

impl Tcb {
    /// Whether [`Tcb::transmit`] may have something: sometimes in vain.
    pub fn wants_output(&self) -> bool {
        self.may_transmit()
    }

    /// Whether there is an error for [`Tcb::take_error`].
    pub fn has_error(&self) -> bool {
        self.error.is_some()
    }

    /// Whether the peer's FIN has arrived, and everything before it.
    pub fn has_end(&self) -> bool {
        self.recv.is_finished()
    }

    /// Somebody found no room to write and waits for [`crate::Changes::WRITABLE`], as after a
    /// [`Tcb::send`] that would have blocked.
    pub fn watch_room(&mut self) {
        self.send.starved = true;
    }

    /// The engine cannot carry the connection any further: it ends with this `errno`.
    pub fn fail(&mut self, errno: i32) -> Changes {
        self.end(Some(Error::Network(errno)))
    }

    /// Whether a sequence number is of something sent and not acknowledged: an ICMP error that quotes
    /// another is forged or late (RFC 5927 §4.1).
    pub fn in_flight(&self, sequence: u32) -> bool {
        let sequence = seq::near(self.send.una, sequence);
        (self.send.una..self.send.nxt).contains(&sequence)
    }
}
