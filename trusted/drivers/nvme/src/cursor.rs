//! What the driver knows of a queue pair: heads, tails and the phase, in trusted memory. Pure: it is
//! told what the controller says and answers what to believe.

use crate::DeviceError;
use rkt_nvme::Completion;

/// Positions in a submission queue and in its completion queue, both of `entries` entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    queue: u16,
    entries: u16,
    /// Where the next command goes.
    tail: u16,
    /// Where the controller is, by its own word.
    head: u16,
    /// Where the next completion comes.
    completions: u16,
    /// The phase tag that it will have (base §3.3.3.2).
    phase: bool,
    /// Commands without a completion.
    in_flight: u16,
}

impl Cursor {
    /// The pair as it is after its creation; `entries` from 2.
    pub(crate) const fn new(queue: u16, entries: u16) -> Self {
        Self { queue, entries, tail: 0, head: 0, completions: 0, phase: true, in_flight: 0 }
    }

    pub(crate) const fn queue(&self) -> u16 {
        self.queue
    }

    pub(crate) const fn entries(&self) -> u16 {
        self.entries
    }

    pub(crate) const fn tail(&self) -> u16 {
        self.tail
    }

    /// Index of the next completion, which is also the head to acknowledge.
    pub(crate) const fn completions(&self) -> u16 {
        self.completions
    }

    fn after(&self, index: u16) -> u16 {
        match index.saturating_add(1) {
            next if next >= self.entries => 0,
            next => next,
        }
    }

    /// How far it is from one position to a later one.
    fn distance(&self, from: u16, to: u16) -> u16 {
        if to >= from { to.saturating_sub(from) } else { self.entries.saturating_sub(from).saturating_add(to) }
    }

    /// Takes the place of the next command; `None` if the queue is full. One entry stays empty, so that
    /// full differs from empty (base §3.3.1.4). No more commands are in flight than have room for their
    /// completions, so that the completion queue cannot be overrun.
    pub(crate) fn push(&mut self) -> Option<u16> {
        let room = self.entries.saturating_sub(1);
        if self.distance(self.head, self.tail) >= room || self.in_flight >= room {
            return None;
        }
        let place = self.tail;
        self.tail = self.after(place);
        self.in_flight = self.in_flight.saturating_add(1);
        Some(place)
    }

    /// Whether the control word of the next completion says that it is there.
    pub(crate) const fn is_new(&self, control: u64) -> bool {
        Completion::phase(control) == self.phase
    }

    /// Accepts the next completion. What its identifier is worth is the caller's to check.
    ///
    /// # Errors
    /// It is of another queue, of none in flight, or its head is impossible.
    pub(crate) fn accept(&mut self, completion: &Completion) -> Result<(), DeviceError> {
        let queue = self.queue;
        if completion.queue() != queue {
            return Err(DeviceError::QueueId { queue, claimed: completion.queue() });
        }
        let in_flight = self.in_flight.checked_sub(1).ok_or(DeviceError::CommandId { queue, id: completion.id() })?;
        let (head, tail) = (completion.head(), self.tail);
        let unread = self.distance(head, tail);
        let went_on = head < self.entries && unread <= self.distance(self.head, tail);
        if !went_on || unread > in_flight {
            return Err(DeviceError::Head { queue, claimed: head, tail });
        }
        self.head = head;
        self.in_flight = in_flight;
        self.completions = self.after(self.completions);
        self.phase ^= self.completions == 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rkt_nvme::Status;

    fn completion(head: u16, queue: u16) -> Completion {
        Completion::new(0, head, queue, 0, Status::SUCCESS, true)
    }

    #[test]
    fn one_entry_stays_empty() {
        let mut cursor = Cursor::new(1, 4);
        assert_eq!([0; 4].map(|_| cursor.push()), [Some(0), Some(1), Some(2), None]);
        cursor.accept(&completion(2, 1)).unwrap();
        assert_eq!((cursor.push(), cursor.push()), (Some(3), None), "read, but two are still in flight");
    }

    #[test]
    fn the_phase_turns_with_the_queue() {
        let mut cursor = Cursor::new(1, 2);
        for turn in 0..6 {
            let phase = turn / 2 % 2 == 0;
            assert!(cursor.is_new(u64::from(phase) << 48) && !cursor.is_new(u64::from(!phase) << 48));
            cursor.push().unwrap();
            cursor.accept(&completion(cursor.tail(), 1)).unwrap();
        }
    }

    #[test]
    fn impossible_heads_and_queues() {
        let mut cursor = Cursor::new(3, 8);
        assert_eq!(cursor.accept(&completion(0, 3)), Err(DeviceError::CommandId { queue: 3, id: 0 }));
        for _ in 0..5 {
            cursor.push().unwrap();
        }
        cursor.accept(&completion(3, 3)).unwrap();
        for head in [2, 6, 7, 8, 0, u16::MAX] {
            let before = cursor;
            assert_eq!(
                cursor.accept(&completion(head, 3)),
                Err(DeviceError::Head { queue: 3, claimed: head, tail: 5 })
            );
            assert_eq!(cursor, before);
        }
        assert_eq!(cursor.accept(&completion(4, 2)), Err(DeviceError::QueueId { queue: 3, claimed: 2 }));
        assert!(cursor.accept(&completion(3, 3)).is_ok());
    }

    #[test]
    fn a_completion_of_a_command_that_was_not_read() {
        let mut cursor = Cursor::new(1, 8);
        cursor.push().unwrap();
        assert_eq!(cursor.accept(&completion(0, 1)), Err(DeviceError::Head { queue: 1, claimed: 0, tail: 1 }));
    }
}
