//! What the engine asks of a connection between its calls.

use crate::state::{Changes, Error, State};
use crate::tcb::Tcb;

impl Tcb {
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

    /// Memory is short, or no longer: buffers grow only to the least that a connection can work with.
    pub fn set_frugal(&mut self, frugal: bool) {
        self.recv.frugal = frugal;
        self.send.frugal = frugal;
    }

    /// Whether memory is short.
    pub fn is_frugal(&self) -> bool {
        self.send.frugal
    }

    /// The application has let go ([`Tcb::close`]).
    pub fn is_orphan(&self) -> bool {
        self.orphan
    }

    /// The peer has yet to acknowledge something: data, or that it was all.
    pub fn is_unfinished(&self) -> bool {
        self.state.is_synchronized() && !matches!(self.state, State::TimeWait) && self.send.una < self.send.end()
    }

    /// The engine cannot carry the connection any further: it ends with this `errno`.
    pub fn fail(&mut self, errno: i32) -> Changes {
        self.end(Some(Error::Network(errno)))
    }
}
