//! Differential programs, native against enclave: the harness.
//!
//! [`compile`] builds each C program, [`run`] runs it natively and in the enclave, [`outcome`] compares what came out.
//! Linux is the oracle, so nothing here knows what a program should print.

#![forbid(unsafe_code)]

pub mod compile;
pub mod outcome;
pub mod program;
pub mod run;
