//! Errors of ICMP and ICMPv6: which to send, and what received ones mean.

mod limit;
mod report;
mod send;

pub use limit::Limiter;
pub use report::{Quote, Report, read_v4, read_v6};
pub use send::{Failure, Link, emit_v4, emit_v6};

#[cfg(test)]
mod tests;
