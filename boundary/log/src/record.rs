//! A record on the wire: u16 length of the payload, u16 event id, payload (little-endian).
//! With bit 15 of the id set the payload is UTF-8 text, else up to eight u64.

use crate::{Event, Field};
use core::fmt;

const HEADER: usize = 4;
const FIELDS_MAX: usize = 8;
const TEXT: u16 = 1 << 15;

/// Most bytes of text in a record.
pub const TEXT_MAX: usize = 1024;
/// Most bytes of a record.
pub const RECORD_MAX: usize = HEADER + TEXT_MAX;

/// A record ready for the ring. It has to go in whole or not at all: look at
/// `ByteRing::available` first.
#[derive(Clone)]
pub struct Encoded {
    bytes: [u8; RECORD_MAX],
    len: usize,
}

impl Encoded {
    fn new(id: u16) -> Self {
        let mut record = Self { bytes: [0; RECORD_MAX], len: HEADER };
        record.set(2, &id.to_le_bytes());
        record
    }

    /// Stores `from` at `at` as far as it fits; says how much did.
    fn set(&mut self, at: usize, from: &[u8]) -> usize {
        let mut stored = 0;
        for (into, byte) in self.bytes.iter_mut().skip(at).zip(from) {
            *into = *byte;
            stored += 1;
        }
        stored
    }

    fn append(mut self, payload: &[u8]) -> Self {
        let stored = self.set(self.len, payload);
        self.len += stored;
        let length = (self.len - HEADER) as u16;
        self.set(0, &length.to_le_bytes());
        self
    }

    /// An event with integers; those beyond the eighth are dropped.
    pub fn integers(event: Event, values: &[u64]) -> Self {
        values
            .iter()
            .take(FIELDS_MAX)
            .fold(Self::new(event as u16), |record, value| record.append(&value.to_le_bytes()))
    }

    /// An event with text, cut at [`TEXT_MAX`] bytes.
    pub fn text(event: Event, text: &str) -> Self {
        Self::new(event as u16 | TEXT).append(text.as_bytes())
    }

    /// The bytes to put into the ring.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// The log stream cannot be followed any further: the enclave wrote an impossible record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("malformed record in the enclave's log")
    }
}

impl core::error::Error for Malformed {}

/// A record as the host reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// What happened.
    pub event: Event,
    payload: Payload<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Payload<'a> {
    Integers(&'a [u8]),
    Text(&'a [u8]),
}

impl<'a> Record<'a> {
    /// Parses the record at the start of `bytes` and returns it with what follows; `None`
    /// while it is incomplete.
    ///
    /// # Errors
    /// [`Malformed`] on an unknown event or an impossible length.
    pub fn parse(bytes: &'a [u8]) -> Result<Option<(Self, &'a [u8])>, Malformed> {
        let Some((header, rest)) = bytes.split_first_chunk::<HEADER>() else { return Ok(None) };
        let [l0, l1, i0, i1] = *header;
        let (length, id) = (usize::from(u16::from_le_bytes([l0, l1])), u16::from_le_bytes([i0, i1]));
        let event = Event::from_id(id & !TEXT).ok_or(Malformed)?;
        let text = id & TEXT != 0;
        if if text { length > TEXT_MAX } else { length > FIELDS_MAX * 8 || !length.is_multiple_of(8) } {
            return Err(Malformed);
        }
        let Some((payload, rest)) = rest.split_at_checked(length) else { return Ok(None) };
        let payload = if text { Payload::Text(payload) } else { Payload::Integers(payload) };
        Ok(Some((Self { event, payload }, rest)))
    }

    /// Its integers; none if it carries text.
    pub fn integers(&self) -> impl Iterator<Item = u64> + 'a {
        let bytes = match self.payload {
            Payload::Integers(bytes) => bytes,
            Payload::Text(_) => &[],
        };
        bytes.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word))
    }
}

impl fmt::Display for Record<'_> {
    /// The event's meaning and its integers by name, or its text. Control characters and bytes
    /// that are no UTF-8 are replaced: the text goes to a terminal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.event.meaning())?;
        if let Payload::Text(text) = self.payload {
            f.write_str(": ")?;
            for chunk in text.utf8_chunks() {
                for c in chunk.valid().chars() {
                    fmt::Write::write_char(f, if c.is_control() { char::REPLACEMENT_CHARACTER } else { c })?;
                }
                if !chunk.invalid().is_empty() {
                    fmt::Write::write_char(f, char::REPLACEMENT_CHARACTER)?;
                }
            }
            return Ok(());
        }
        let mut names = self.event.fields().iter();
        for (n, value) in self.integers().enumerate() {
            f.write_str(if n == 0 { ": " } else { ", " })?;
            match names.next() {
                Some(Field::Dec(name)) => write!(f, "{name} {value}")?,
                Some(Field::Hex(name)) => write!(f, "{name} {value:#x}")?,
                None => write!(f, "{value}")?,
            }
        }
        Ok(())
    }
}
