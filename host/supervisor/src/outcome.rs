//! How an enclave ended, and the exit status that says so.

use crate::console::Failure;
use rkt_log::Event;
use rkt_window::layout::exit_state;
use std::fmt;

/// How the program or its enclave ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The program exited with this status.
    Exited(u8),
    /// The program died of this signal.
    Signalled(u8),
    /// The enclave refused to start or gave up; `None` if it did not say why.
    Failed(Option<Failure>),
    /// The enclave's process died of this signal without saying anything.
    Killed(u8),
    /// The enclave's process exited with this status without saying anything.
    Vanished(u8),
    /// The enclave could not be executed: errno.
    NotStarted(i32),
}

/// How the enclave's first process ended, as wait(2) tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Death {
    Exit(u8),
    Signal(u8),
}

impl Outcome {
    pub(crate) fn new(
        death: Death,
        exit_state: u32,
        exit_code: u32,
        failure: Option<Failure>,
        exec_errno: Option<i32>,
    ) -> Self {
        if let Some(errno) = exec_errno {
            return Self::NotStarted(errno);
        }
        match (exit_state, death) {
            (exit_state::EXITED, _) => Self::Exited(exit_code as u8),
            (exit_state::SIGNALLED, _) => Self::Signalled(exit_code as u8 & 0x7f),
            (exit_state::FAILED, _) => Self::Failed(failure),
            (_, Death::Exit(_)) if failure.is_some() => Self::Failed(failure),
            (_, Death::Exit(status)) => Self::Vanished(status),
            (_, Death::Signal(signal)) => Self::Killed(signal),
        }
    }

    /// The status that the command exits with: the program's own; 128 + n for signal n, as a
    /// shell; and docker's 125 (could not run), 126 (may not be executed), 127 (not found).
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Exited(status) => *status,
            Self::Signalled(signal) | Self::Killed(signal) => 128 + signal,
            Self::Failed(Some(Failure { event: Event::ProgramNotFound, .. })) => 127,
            Self::Failed(Some(Failure { event: Event::ProgramNotExecutable | Event::ElfInvalid, .. })) => 126,
            Self::Failed(_) | Self::Vanished(_) | Self::NotStarted(_) => 125,
        }
    }

    /// What to tell the user: nothing where the program itself decided how to end.
    pub fn message(&self) -> Option<String> {
        match self {
            Self::Exited(_) | Self::Signalled(_) => None,
            other => Some(other.to_string()),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(status) => write!(f, "the program exited with status {status}"),
            Self::Signalled(signal) => write!(f, "the program died of signal {signal} ({})", signal_name(*signal)),
            Self::Failed(Some(failure)) => f.write_str(&failure.reason),
            Self::Failed(None) => f.write_str("the enclave failed without saying why"),
            Self::Killed(signal) => write!(f, "the enclave was killed by signal {signal} ({})", signal_name(*signal)),
            Self::Vanished(status) => write!(f, "the enclave ended with status {status} without saying why"),
            Self::NotStarted(errno) => {
                write!(f, "the enclave cannot be executed: {}", std::io::Error::from_raw_os_error(*errno))
            }
        }
    }
}

/// The name of a signal, as in signal(7).
pub fn signal_name(signal: u8) -> &'static str {
    const NAMES: [&str; 31] = [
        "SIGHUP",
        "SIGINT",
        "SIGQUIT",
        "SIGILL",
        "SIGTRAP",
        "SIGABRT",
        "SIGBUS",
        "SIGFPE",
        "SIGKILL",
        "SIGUSR1",
        "SIGSEGV",
        "SIGUSR2",
        "SIGPIPE",
        "SIGALRM",
        "SIGTERM",
        "SIGSTKFLT",
        "SIGCHLD",
        "SIGCONT",
        "SIGSTOP",
        "SIGTSTP",
        "SIGTTIN",
        "SIGTTOU",
        "SIGURG",
        "SIGXCPU",
        "SIGXFSZ",
        "SIGVTALRM",
        "SIGPROF",
        "SIGWINCH",
        "SIGIO",
        "SIGPWR",
        "SIGSYS",
    ];
    usize::from(signal).checked_sub(1).and_then(|n| NAMES.get(n)).copied().unwrap_or("real-time signal")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_status_says_how_it_ended() {
        let failed = |event| Outcome::Failed(Some(Failure { event, reason: String::new() }));
        for (outcome, code) in [
            (Outcome::Exited(3), 3),
            (Outcome::Signalled(11), 139),
            (Outcome::Killed(9), 137),
            (Outcome::Vanished(0), 125),
            (Outcome::NotStarted(2), 125),
            (Outcome::Failed(None), 125),
            (failed(Event::ImageDigest), 125),
            (failed(Event::ProgramNotExecutable), 126),
            (failed(Event::ProgramNotFound), 127),
        ] {
            assert_eq!(outcome.exit_code(), code, "{outcome:?}");
        }
    }

    #[test]
    fn the_window_outranks_the_wait_status() {
        let outcome = |state, code, death| Outcome::new(death, state, code, None, None);
        assert_eq!(outcome(exit_state::EXITED, 7, Death::Exit(0)), Outcome::Exited(7));
        assert_eq!(outcome(exit_state::SIGNALLED, 15, Death::Exit(0)), Outcome::Signalled(15));
        assert_eq!(outcome(exit_state::RUNNING, 0, Death::Exit(0)), Outcome::Vanished(0));
        assert_eq!(outcome(exit_state::RUNNING, 0, Death::Signal(11)), Outcome::Killed(11));
        assert_eq!(Outcome::new(Death::Exit(127), 0, 0, None, Some(2)), Outcome::NotStarted(2));
    }

    #[test]
    fn only_what_the_program_did_not_decide_is_told() {
        assert_eq!(Outcome::Exited(1).message(), None);
        assert_eq!(Outcome::Signalled(11).message(), None);
        assert_eq!(Outcome::Killed(9).message().as_deref(), Some("the enclave was killed by signal 9 (SIGKILL)"));
    }
}
