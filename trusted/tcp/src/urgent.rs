//! Urgent data (RFC 6093, RFC 9293 §3.8.5), as the sockets API has it: one byte out of band.

use crate::state::Changes;
use crate::tcb::Tcb;

/// The mark in the stream that arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The urgent byte. RFC 6093 §3.1: the pointer points behind it.
    pub(crate) seq: u64,
    /// The byte, once it came, until it is taken.
    pub(crate) byte: Byte,
}

/// What is known of the urgent byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Byte {
    /// Announced, not here yet.
    Awaited,
    /// Here.
    Here(u8),
    /// Taken by the application.
    Taken,
}

/// Why there is no urgent byte to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UrgentError {
    /// None was announced, it was taken, or it stays in the stream (`EINVAL`).
    None,
    /// It was announced but has not come (`EAGAIN`).
    Awaited,
}

impl Tcb {
    /// The application stands at the urgent mark (`SIOCATMARK`).
    pub fn at_mark(&self) -> bool {
        self.recv.mark.is_some_and(|mark| self.recv.read == mark.seq)
    }

    /// Urgent data was announced and not taken (`POLLPRI`).
    pub fn has_urgent(&self) -> bool {
        self.recv.mark.is_some_and(|mark| matches!(mark.byte, Byte::Here(_)))
    }

    /// Takes the urgent byte (`MSG_OOB`); with `peek` it stays.
    ///
    /// # Errors
    /// See [`UrgentError`].
    pub fn urgent(&mut self, peek: bool) -> Result<u8, UrgentError> {
        let inline = self.config.urgent_inline;
        let mark = self.recv.mark.as_mut().filter(|_| !inline).ok_or(UrgentError::None)?;
        match mark.byte {
            Byte::Awaited => Err(UrgentError::Awaited),
            Byte::Taken => Err(UrgentError::None),
            Byte::Here(byte) => {
                if !peek {
                    mark.byte = Byte::Taken;
                }
                Ok(byte)
            }
        }
    }

    /// The urgent pointer of a segment that was accepted (RFC 9293 §3.10.7.4 step six).
    pub(crate) fn on_urgent(&mut self, seq: u64, pointer: u16) -> Changes {
        let Some(at) = u64::from(pointer).checked_sub(1).map(|distance| seq + distance) else {
            return Changes::empty();
        };
        let known = self.recv.mark.is_some_and(|mark| at <= mark.seq);
        if known || at < self.recv.read || !self.state.may_receive() {
            return Changes::empty();
        }
        self.recv.mark = Some(Mark { seq: at, byte: Byte::Awaited });
        Changes::URGENT | self.catch_urgent()
    }

    /// Data came: the urgent byte may be among it.
    pub(crate) fn catch_urgent(&mut self) -> Changes {
        let Some(mark) = &mut self.recv.mark else { return Changes::empty() };
        let here = mark.seq.checked_sub(self.recv.read).filter(|&offset| offset < self.recv.ring.len() as u64);
        let (Byte::Awaited, Some(offset)) = (mark.byte, here) else { return Changes::empty() };
        if let &[byte] = self.recv.ring.slices(offset as usize, 1).0 {
            mark.byte = Byte::Here(byte);
        }
        Changes::URGENT
    }

    /// How far one can read: up to the mark, or beyond if one stands at it.
    pub(crate) fn until_mark(&self) -> usize {
        let ahead = self.recv.mark.and_then(|mark| mark.seq.checked_sub(self.recv.read));
        ahead.filter(|&distance| distance > 0).map_or(usize::MAX, |distance| distance as usize)
    }

    /// The urgent byte is next, and not part of the stream.
    pub(crate) fn at_urgent_gap(&self) -> bool {
        !self.config.urgent_inline && self.at_mark() && !self.recv.ring.is_empty()
    }

    /// Reading goes on behind the mark.
    pub(crate) fn skip_urgent(&mut self) {
        if self.at_urgent_gap() {
            self.recv.ring.consume(1);
            self.recv.read += 1;
        }
        if self.recv.mark.is_some_and(|mark| mark.seq < self.recv.read) {
            self.recv.mark = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;
    use alloc::vec::Vec;

    fn with_stream(text: &[u8]) -> Tcb {
        let mut tcb = Tcb::connect(0, 1, 0, &Config::default());
        tcb.state = crate::State::Established;
        assert!(tcb.recv.ring.reserve(text.len()));
        tcb.recv.ring.slices_mut(0, text.len()).0.copy_from_slice(text);
        tcb.recv.ring.commit(text.len());
        tcb
    }

    fn read(tcb: &mut Tcb) -> Vec<u8> {
        let mut text = Vec::new();
        tcb.receive(0, &mut |bytes| {
            text.extend_from_slice(bytes);
            bytes.len()
        });
        text
    }

    #[test]
    fn the_byte_before_the_pointer_is_out_of_band_and_reading_stops_there() {
        let mut tcb = with_stream(b"ab!cd");
        assert_eq!(tcb.on_urgent(0, 6), Changes::URGENT);
        assert_eq!(tcb.urgent(false), Err(UrgentError::Awaited));
        let mut tcb = with_stream(b"ab!cd");
        assert_eq!(tcb.on_urgent(0, 3), Changes::URGENT);
        assert_eq!(read(&mut tcb), b"ab");
        assert!(tcb.at_mark());
        assert_eq!(tcb.urgent(true), Ok(b'!'));
        assert_eq!(tcb.urgent(false), Ok(b'!'));
        assert_eq!(tcb.urgent(false), Err(UrgentError::None));
        assert_eq!(read(&mut tcb), b"cd");
        assert!(!tcb.at_mark());
    }

    #[test]
    fn inline_it_is_read_in_its_place() {
        let mut tcb = with_stream(b"ab!cd");
        tcb.config.urgent_inline = true;
        tcb.on_urgent(0, 3);
        assert_eq!(tcb.urgent(false), Err(UrgentError::None));
        assert_eq!(read(&mut tcb), b"ab");
        assert_eq!(read(&mut tcb), b"!cd");
    }
}
