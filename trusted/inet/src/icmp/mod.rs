//! ICMP and ICMPv6: which errors to send, what received ones mean, and which echoes are answered.

mod limit;
mod report;
mod send;

pub use limit::Limiter;
pub use report::{Quote, Report, read_v4, read_v6};
pub use send::{Failure, Link, answers_echo_v4, answers_echo_v6, emit_v4, emit_v6};

#[cfg(test)]
mod tests;
