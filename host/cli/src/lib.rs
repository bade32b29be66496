//! The rkt-io command.
