//! What a pipe holds: bytes, in slots as Linux's pipe buffers are. A slot is a page that was
//! written; how full a pipe is, is counted in slots (pipe(7), "Pipe capacity").

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use rkt_linux_abi::{Errno, PAGE_SIZE, Result};
use rkt_user::{IoSink, IoSource};

/// Bytes that lie in one page.
#[derive(Clone, Copy)]
struct Slot {
    len: usize,
    /// Where in the page the last byte ends; what was read in front of it is not used again.
    end: usize,
    /// Written under `O_DIRECT`: ends a read, and what a read leaves of it is lost.
    packet: bool,
    /// A short write may join it.
    open: bool,
}

/// A ring of bytes that grows with its use.
#[derive(Default)]
struct Ring {
    bytes: Vec<u8>,
    head: usize,
    len: usize,
}

impl Ring {
    /// Makes room for `more` bytes in a ring that may become `capacity` long.
    fn reserve(&mut self, more: usize, capacity: usize) -> Result<()> {
        let needed = self.len + more;
        if needed <= self.bytes.len() {
            return Ok(());
        }
        let size = needed.next_power_of_two().clamp(PAGE_SIZE, capacity.max(needed));
        self.resize(size)
    }

    fn resize(&mut self, size: usize) -> Result<()> {
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(size).map_err(|_| Errno::ENOMEM)?;
        let (front, back) = self.range(0, self.len);
        bytes.extend_from_slice(front);
        bytes.extend_from_slice(back);
        bytes.resize(size, 0);
        *self = Self { bytes, head: 0, len: self.len };
        Ok(())
    }

    /// `n` bytes behind the first `skip`, in two pieces.
    fn range(&self, skip: usize, n: usize) -> (&[u8], &[u8]) {
        let skip = skip.min(self.len);
        let n = n.min(self.len - skip);
        let size = self.bytes.len();
        let at = (self.head + skip) % size.max(1);
        let front = n.min(size - at);
        let first = self.bytes.get(at..at + front).unwrap_or(&[]);
        (first, self.bytes.get(..n - front).unwrap_or(&[]))
    }

    fn drop_front(&mut self, n: usize) {
        self.len -= n;
        self.head = if self.len == 0 { 0 } else { (self.head + n) % self.bytes.len() };
    }

    /// Copies the first `n` bytes out; fewer only if user memory faults.
    fn read(&self, n: usize, into: &mut IoSink<'_>) -> Result<usize> {
        let (front, back) = self.range(0, n);
        let mut moved = if front.is_empty() { 0 } else { into.put(front)? };
        if moved == front.len() && !back.is_empty() {
            moved += into.put(back).unwrap_or(0);
        }
        Ok(moved)
    }

    /// Moves up to `n` bytes in, for which there is room; fewer only if user memory faults.
    fn write(&mut self, n: usize, from: &mut IoSource<'_>) -> Result<usize> {
        let size = self.bytes.len();
        let mut moved = 0;
        while moved < n {
            let tail = (self.head + self.len) % size.max(1);
            let run = (n - moved).min(size - tail);
            let into = self.bytes.get_mut(tail..tail + run).ok_or(Errno::ENOMEM)?;
            let got = match from.take(into) {
                Err(_) if moved > 0 => 0,
                other => other?,
            };
            self.len += got;
            moved += got;
            if got < run {
                break;
            }
        }
        Ok(moved)
    }
}

/// Bytes on their way from writers to readers.
pub(super) struct Content {
    ring: Ring,
    slots: VecDeque<Slot>,
    /// How many slots there may be.
    limit: usize,
}

impl Content {
    /// Nothing, with room for `limit` slots.
    pub fn new(limit: usize) -> Self {
        Self { ring: Ring::default(), slots: VecDeque::new(), limit }
    }

    /// Bytes held.
    pub fn len(&self) -> usize {
        self.ring.len
    }

    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    pub fn is_full(&self) -> bool {
        self.slots.len() >= self.limit
    }

    /// How many slots there may be.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Bytes of the slots that are not in use.
    pub fn free(&self) -> usize {
        self.limit.saturating_sub(self.slots.len()) * PAGE_SIZE
    }

    /// Changes the number of slots.
    ///
    /// # Errors
    /// `EBUSY` if more are in use, `ENOMEM`.
    pub fn set_limit(&mut self, limit: usize) -> Result<()> {
        if self.slots.len() > limit {
            return Err(Errno::EBUSY);
        }
        if self.ring.bytes.len() > limit * PAGE_SIZE {
            self.ring.resize(limit * PAGE_SIZE)?;
        }
        self.limit = limit;
        Ok(())
    }

    /// Drops everything.
    pub fn clear(&mut self) {
        self.ring = Ring::default();
        self.slots.clear();
    }

    /// How many of `short` bytes at the start of a write join the last slot: all or none.
    pub fn joins(&self, short: usize) -> usize {
        match self.slots.back() {
            Some(last) if last.open && last.end + short <= PAGE_SIZE => short,
            _ => 0,
        }
    }

    /// Takes `joined` bytes to the last slot (see [`Content::joins`]), and pages as there are slots
    /// for. A page that cannot be read whole is not taken at all.
    ///
    /// # Errors
    /// `EFAULT` if nothing was taken for that, `ENOMEM`.
    pub fn push(&mut self, joined: usize, packet: bool, from: &mut IoSource<'_>) -> Result<usize> {
        let n = joined + self.free().min(from.remaining() - joined);
        if n == 0 {
            return Ok(0);
        }
        self.ring.reserve(n, self.limit * PAGE_SIZE)?;
        let moved = self.ring.write(n, from)?;
        let kept = match moved.checked_sub(joined) {
            Some(pages) if moved < n => joined + pages / PAGE_SIZE * PAGE_SIZE,
            Some(_) => n,
            None => 0,
        };
        self.ring.len -= moved - kept;
        if kept == 0 {
            return Err(Errno::EFAULT);
        }
        if let Some(last) = self.slots.back_mut() {
            last.len += joined;
            last.end += joined;
        }
        let mut left = kept - joined;
        while left > 0 {
            let len = left.min(PAGE_SIZE);
            self.slots.push_back(Slot { len, end: len, packet, open: !packet });
            left -= len;
        }
        Ok(kept)
    }

    /// Gives bytes up to the end of a packet. A slot that user memory faults in stays whole.
    ///
    /// # Errors
    /// `EFAULT` if nothing was given for that.
    pub fn pop(&mut self, into: &mut IoSink<'_>) -> Result<usize> {
        let room = into.remaining();
        let mut want = 0;
        for slot in &self.slots {
            want += slot.len.min(room - want);
            if slot.packet || want == room {
                break;
            }
        }
        let moved = self.ring.read(want, into)?;
        let mut taken = 0;
        while taken < moved
            && let Some(front) = self.slots.front()
        {
            let n = front.len.min(want - taken);
            if taken + n > moved {
                break;
            }
            taken += n;
            let packet = front.packet;
            self.drop_front(if packet { front.len } else { n });
            if packet {
                break;
            }
        }
        if taken == 0 && want > 0 { Err(Errno::EFAULT) } else { Ok(taken) }
    }

    /// Drops bytes of the first slot, and the slot with its last.
    fn drop_front(&mut self, n: usize) {
        let Some(front) = self.slots.front_mut() else { return };
        let n = n.min(front.len);
        self.ring.drop_front(n);
        front.len -= n;
        if front.len == 0 {
            self.slots.pop_front();
        }
    }

    /// Copies up to `count` bytes to another pipe, slot by slot, or moves them there.
    ///
    /// # Errors
    /// `ENOMEM` if nothing was passed on for that.
    pub fn pass(&mut self, to: &mut Content, count: usize, keep: bool) -> Result<usize> {
        let (mut done, mut at) = (0, 0);
        while done < count
            && !to.is_full()
            && let Some(&slot) = self.slots.get(at)
        {
            let len = slot.len.min(count - done);
            let (front, back) = self.ring.range(if keep { done } else { 0 }, len);
            let taken = to.append([front, back], Slot { len, open: slot.open && !keep && len == slot.len, ..slot });
            match taken {
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
                Ok(()) => done += len,
            }
            if keep {
                at += 1;
            } else {
                self.drop_front(len);
            }
        }
        Ok(done)
    }

    fn append(&mut self, parts: [&[u8]; 2], slot: Slot) -> Result<()> {
        self.ring.reserve(slot.len, self.limit * PAGE_SIZE)?;
        for part in parts {
            self.ring.write(part.len(), &mut IoSource::kernel(part))?;
        }
        self.slots.push_back(slot);
        Ok(())
    }
}
