//! Measures rkt-io beside native Linux.
