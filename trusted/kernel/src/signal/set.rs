//! Signal numbers, sets of them, and what each does by default (signal(7)).

use rkt_linux_abi::general::{
    SIGABRT, SIGBUS, SIGCHLD, SIGCONT, SIGFPE, SIGILL, SIGKILL, SIGQUIT, SIGSEGV, SIGSTOP, SIGSYS, SIGTRAP, SIGTSTP,
    SIGTTIN, SIGTTOU, SIGURG, SIGWINCH, SIGXCPU, SIGXFSZ,
};

/// Largest signal number.
pub const SIGNAL_MAX: u32 = 64;
/// First signal that is queued as often as it is sent.
pub const REALTIME_MIN: u32 = 32;

/// A set of signals, as `sigset_t` of the kernel: bit `n - 1` is signal `n`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SigSet(pub u64);

impl SigSet {
    /// No signal.
    pub const EMPTY: SigSet = SigSet(0);
    /// Those that can be neither blocked, nor caught, nor ignored.
    pub const UNMASKABLE: SigSet = SigSet::of(&[SIGKILL, SIGSTOP]);
    /// Those that stop a process by default.
    pub const STOP: SigSet = SigSet::of(&[SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU]);
    /// Those that the processor raises: delivered before all others.
    pub const SYNCHRONOUS: SigSet = SigSet::of(&[SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGSYS]);
    const IGNORED: SigSet = SigSet::of(&[SIGCONT, SIGCHLD, SIGWINCH, SIGURG]);
    const CORE: SigSet =
        SigSet::of(&[SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGFPE, SIGSEGV, SIGBUS, SIGSYS, SIGXCPU, SIGXFSZ]);

    /// The set of these signals.
    pub const fn of(signals: &[u32]) -> SigSet {
        let mut bits = 0;
        let mut at = 0;
        while at < signals.len() {
            bits |= bit(signals[at]);
            at += 1;
        }
        SigSet(bits)
    }

    /// Whether the signal belongs to the set.
    pub const fn contains(self, signal: u32) -> bool {
        self.0 & bit(signal) != 0
    }

    /// With the signal.
    #[must_use]
    pub const fn with(self, signal: u32) -> SigSet {
        SigSet(self.0 | bit(signal))
    }

    /// Without the signal.
    #[must_use]
    pub const fn without(self, signal: u32) -> SigSet {
        SigSet(self.0 & !bit(signal))
    }

    /// The signals of either.
    #[must_use]
    pub const fn union(self, other: SigSet) -> SigSet {
        SigSet(self.0 | other.0)
    }

    /// The signals of both.
    #[must_use]
    pub const fn and(self, other: SigSet) -> SigSet {
        SigSet(self.0 & other.0)
    }

    /// The signals that are not in `other`.
    #[must_use]
    pub const fn minus(self, other: SigSet) -> SigSet {
        SigSet(self.0 & !other.0)
    }

    /// Whether there is no signal in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The one that is delivered first: synchronous ones, then by number.
    pub fn first(self) -> Option<u32> {
        let urgent = self.and(Self::SYNCHRONOUS);
        let bits = if urgent.is_empty() { self.0 } else { urgent.0 };
        (bits != 0).then(|| bits.trailing_zeros() + 1)
    }
}

const fn bit(signal: u32) -> u64 {
    if signal >= 1 && signal <= SIGNAL_MAX { 1 << (signal - 1) } else { 0 }
}

/// What a signal does to a process that has not said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultAction {
    /// Ends the process; whether with a core dump.
    Terminate(bool),
    /// Stops the process.
    Stop,
    /// Nothing. SIGCONT has acted when it was sent.
    Ignore,
}

/// The default action of a signal.
pub fn default_action(signal: u32) -> DefaultAction {
    if SigSet::STOP.contains(signal) {
        DefaultAction::Stop
    } else if SigSet::IGNORED.contains(signal) {
        DefaultAction::Ignore
    } else {
        DefaultAction::Terminate(SigSet::CORE.contains(signal))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rkt_linux_abi::general::{SIGHUP, SIGTERM, SIGUSR1};

    #[test]
    fn numbers_out_of_range_are_in_no_set() {
        assert_eq!(SigSet::EMPTY.with(0).with(65), SigSet::EMPTY);
        assert!(SigSet(u64::MAX).contains(1) && SigSet(u64::MAX).contains(64));
        assert!(!SigSet(u64::MAX).contains(0) && !SigSet(u64::MAX).contains(65));
    }

    #[test]
    fn synchronous_signals_come_first() {
        let set = SigSet::of(&[SIGHUP, SIGSEGV, SIGUSR1]);
        assert_eq!(set.first(), Some(SIGSEGV));
        assert_eq!(set.without(SIGSEGV).first(), Some(SIGHUP));
        assert_eq!(SigSet::EMPTY.first(), None);
    }

    #[test]
    fn defaults() {
        assert_eq!(default_action(SIGTERM), DefaultAction::Terminate(false));
        assert_eq!(default_action(SIGABRT), DefaultAction::Terminate(true));
        assert_eq!(default_action(SIGTSTP), DefaultAction::Stop);
        assert_eq!(default_action(SIGCHLD), DefaultAction::Ignore);
        assert_eq!(default_action(64), DefaultAction::Terminate(false));
    }
}
