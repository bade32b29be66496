//! The park token: how a wake reaches a thread that runs, is about to park, or is parked.
//!
//! The running thread takes the token back ([`Token::consume`]) before it looks at its condition;
//! whoever makes the condition true leaves the token ([`Token::notify`]) after that. Each of both
//! is one read-modify-write of the same word, also when it changes nothing: the later one sees
//! all that was done before the earlier one. So either the thread sees the condition, or its park
//! fails, or it is put on a run queue, by exactly one party. Checked in `tests/loom.rs`.

#[cfg(not(loom))]
use core::sync::atomic::{AtomicU32, Ordering};
#[cfg(loom)]
use loom::sync::atomic::{AtomicU32, Ordering};

/// Runs, or is on a run queue, with nothing to hear.
const RUNNING: u32 = 0;
/// Still on its stack, but on the way out.
const PARKING: u32 = 1;
/// Off its stack: whoever notifies it puts it on a run queue.
const PARKED: u32 = 2;
/// Was woken since it last looked.
const NOTIFIED: u32 = 3;

/// The state of one thread between wakes and parks.
pub struct Token {
    state: AtomicU32,
}

impl Token {
    /// The token of a thread that was not started: its first wake starts it.
    pub fn parked() -> Self {
        Self { state: AtomicU32::new(PARKED) }
    }

    /// The running thread wants to park. False if it was notified since it last looked: it goes
    /// on instead, with the notification consumed.
    pub fn begin_park(&self) -> bool {
        let began = self.state.compare_exchange(RUNNING, PARKING, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        if !began {
            self.consume();
        }
        began
    }

    /// The thread that began to park is off its stack, with all of its state saved. False if it
    /// was notified meanwhile: the caller puts it on a run queue.
    pub fn finish_park(&self) -> bool {
        // Release: whoever finds it parked may use what was saved.
        self.state.compare_exchange(PARKING, PARKED, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Whether it is parked. A hint.
    pub fn is_parked(&self) -> bool {
        self.state.load(Ordering::Relaxed) == PARKED
    }

    /// Notifies the thread. True if it was parked: the caller puts it on a run queue.
    pub fn notify(&self) -> bool {
        self.state.swap(NOTIFIED, Ordering::AcqRel) == PARKED
    }

    /// The thread runs (again) and will look at its condition.
    pub fn consume(&self) {
        self.state.swap(RUNNING, Ordering::AcqRel);
    }
}
