//! A ring of bytes that grows on demand, up to a limit.

use alloc::vec::Vec;
use rkt_linux_abi::{Errno, Result};
use rkt_user::{IoSink, IoSource};

/// Least storage, in bytes.
const MIN: usize = 4096;

/// Bytes in order. Storage is a power of two, made when the first byte comes.
pub(crate) struct Ring {
    storage: Vec<u8>,
    head: usize,
    len: usize,
    limit: usize,
}

impl Ring {
    /// An empty ring that never holds more than `limit` bytes, rounded up to a power of two.
    pub fn new(limit: usize) -> Self {
        Self { storage: Vec::new(), head: 0, len: 0, limit: limit.max(MIN).next_power_of_two() }
    }

    /// Bytes held.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes for which there is room.
    pub fn room(&self) -> usize {
        self.limit - self.len
    }

    /// Most bytes it will hold.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Drops all bytes and the storage.
    pub fn clear(&mut self) {
        self.storage = Vec::new();
        self.head = 0;
        self.len = 0;
    }

    /// Makes room for `more` bytes if the limit lets it.
    fn grow(&mut self, more: usize) -> Result<()> {
        let want = self.len.saturating_add(more).min(self.limit).max(MIN).next_power_of_two();
        if want <= self.storage.len() {
            return Ok(());
        }
        let mut storage = Vec::new();
        storage.try_reserve_exact(want).map_err(|_| Errno::ENOBUFS)?;
        let (first, second) = self.pieces(self.len);
        storage.extend_from_slice(first);
        storage.extend_from_slice(second);
        storage.resize(want, 0);
        self.storage = storage;
        self.head = 0;
        Ok(())
    }

    /// The first `n` bytes, in two pieces.
    fn pieces(&self, n: usize) -> (&[u8], &[u8]) {
        let n = n.min(self.len);
        let first = n.min(self.storage.len() - self.head);
        (self.storage.get(self.head..self.head + first).unwrap_or(&[]), self.storage.get(..n - first).unwrap_or(&[]))
    }

    /// Takes as many bytes as there is room for; gives how many.
    ///
    /// # Errors
    /// `EFAULT` if none could be loaded, `ENOBUFS` without memory.
    pub fn fill(&mut self, source: &mut IoSource<'_>) -> Result<usize> {
        let want = source.remaining().min(self.room());
        self.grow(want)?;
        let size = self.storage.len();
        let mut done = 0;
        while done < want {
            let at = (self.head + self.len) & (size - 1);
            let end = size.min(at + want - done);
            let Some(piece) = self.storage.get_mut(at..end) else { break };
            match source.take(piece) {
                Ok(n) => {
                    self.len += n;
                    done += n;
                    if n < end - at {
                        break;
                    }
                }
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(done)
    }

    /// Gives up to `max` bytes behind the first `skipped` to the sink; takes nothing out.
    ///
    /// # Errors
    /// `EFAULT` if none could be stored.
    pub fn copy(&self, sink: &mut IoSink<'_>, skipped: usize, max: usize) -> Result<usize> {
        let (first, second) = self.pieces(max.min(sink.remaining()).saturating_add(skipped));
        let behind = skipped.saturating_sub(first.len());
        let (first, second) = (first.get(skipped..).unwrap_or(&[]), second.get(behind..).unwrap_or(&[]));
        if first.is_empty() {
            return if second.is_empty() { Ok(0) } else { sink.put(second) };
        }
        let n = sink.put(first)?;
        if n < first.len() || second.is_empty() {
            return Ok(n);
        }
        Ok(n + sink.put(second).unwrap_or(0))
    }

    /// Takes up to `max` bytes out and into the sink.
    ///
    /// # Errors
    /// `EFAULT` if none could be stored; nothing is lost then.
    pub fn drain(&mut self, sink: &mut IoSink<'_>, max: usize) -> Result<usize> {
        let n = self.copy(sink, 0, max)?;
        self.skip(n);
        Ok(n)
    }

    /// The byte that was put in last.
    pub fn last(&self) -> Option<u8> {
        let at = self.head.checked_add(self.len.checked_sub(1)?)?;
        self.storage.get(at & (self.storage.len().wrapping_sub(1))).copied()
    }

    /// Drops up to `n` bytes at the front.
    pub fn skip(&mut self, n: usize) {
        let n = n.min(self.len);
        self.len -= n;
        self.head = if self.len == 0 { 0 } else { (self.head + n) & (self.storage.len() - 1) };
    }
}
