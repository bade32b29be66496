//! What is written down about a run.

use serde::{Deserialize, Serialize};

/// A supervisor and what it runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its name.
    pub name: String,
    /// The supervisor's process.
    pub pid: i32,
    /// When it started, seconds since 1970.
    pub started: u64,
    /// The image: a path, or the program of the host.
    pub image: String,
    /// The arguments, itself the first.
    pub command: Vec<String>,
    /// Whether it runs without a terminal, and has a log.
    pub detached: bool,
    /// The signal that asks the program to end (signal(7)).
    pub stop_signal: i32,
    /// Whether other programs may run beside it.
    #[serde(default)]
    pub allow_exec: bool,
    /// How it ended, once it has.
    pub ended: Option<Ended>,
}

/// The end of a detached run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// The status that the command would have exited with.
    pub status: u8,
}
