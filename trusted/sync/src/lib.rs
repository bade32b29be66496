//! Locks and once cells of the trusted half.
