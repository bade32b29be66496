//! The counters of `--stats`, read when the enclave has ended.

use rkt_log::Stat;
use rkt_window::{OutOfBounds, Region};
use std::fmt;

/// Counters by name, in the order of their numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats(pub Vec<(&'static str, u64)>);

impl Stats {
    pub(crate) fn read(window: &Region) -> Result<Self, OutOfBounds> {
        Stat::ALL
            .iter()
            .map(|stat| Ok((stat.name(), window.read_u64(stat.offset())?)))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl fmt::Display for Stats {
    /// A table of what is not zero.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in self.0.iter().filter(|(_, value)| *value != 0) {
            writeln!(f, "{name:<20} {value:>20}")?;
        }
        Ok(())
    }
}
