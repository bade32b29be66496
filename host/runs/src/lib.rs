//! What a user's enclaves leave to be found by: a record of each supervisor that runs, and the log
//! of each that runs detached.
//!
//! ```text
//! STATE/                  $XDG_RUNTIME_DIR/rkt-io, /run/rkt-io or /tmp/rkt-io-UID
//!   .lock                 held while records come and go
//!   NAME/lock             held by the supervisor as long as it lives, however it ends (flock(2))
//!   NAME/record.json      what runs
//!   NAME/exec             the socket of `rkt-io exec`, if that is allowed
//!   NAME/control          a socket that tells its counters to who connects
//!   NAME/log, log.1       its output, if it is detached; the older half is dropped
//! ```
//! All of it is the host's, for people: nothing in an enclave believes it.
#![forbid(unsafe_code)]

mod claim;
mod exec;
mod log;
mod record;
mod state;
mod stop;

pub use claim::Claim;
pub use exec::{Ask, Link, Message, Reply, Stdio};
pub use log::{Frame, LogReader, LogWriter, Stream};
pub use record::{Ended, Record};
pub use state::{Run, State};
