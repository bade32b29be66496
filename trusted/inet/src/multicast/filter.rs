//! Which sources of a group are wanted (RFC 3376 §2, §3.2).

use alloc::vec::Vec;
use core::net::IpAddr;

/// How sources are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Only these.
    Include,
    /// All but these.
    Exclude,
}

/// Sources that are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    mode: Mode,
    /// In order, none twice.
    sources: Vec<IpAddr>,
}

impl Filter {
    /// A filter of these sources.
    pub fn new(mode: Mode, mut sources: Vec<IpAddr>) -> Self {
        sources.sort_unstable();
        sources.dedup();
        Self { mode, sources }
    }

    /// From anybody: what `IP_ADD_MEMBERSHIP` wants.
    pub const fn anything() -> Self {
        Self { mode: Mode::Exclude, sources: Vec::new() }
    }

    /// From nobody.
    pub const fn nothing() -> Self {
        Self { mode: Mode::Include, sources: Vec::new() }
    }

    /// Whether it lets nothing in.
    pub fn is_nothing(&self) -> bool {
        self.mode == Mode::Include && self.sources.is_empty()
    }

    /// How sources are meant.
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// The sources, in order.
    pub fn sources(&self) -> &[IpAddr] {
        &self.sources
    }

    /// Whether packets from `source` are wanted.
    pub fn accepts(&self, source: IpAddr) -> bool {
        self.names(source) == (self.mode == Mode::Include)
    }

    fn names(&self, source: IpAddr) -> bool {
        self.sources.binary_search(&source).is_ok()
    }

    /// Sources of this that `other` does not name.
    pub(super) fn sources_not_in(&self, other: &Self) -> Vec<IpAddr> {
        self.sources.iter().copied().filter(|source| !other.names(*source)).collect()
    }

    /// What all `filters` together want (RFC 3376 §3.2): a source is let in if one of them lets it in.
    pub(super) fn merged<'a>(filters: impl Iterator<Item = &'a Self> + Clone) -> Self {
        let of_mode = |mode| filters.clone().filter(move |filter| filter.mode == mode);
        let included = of_mode(Mode::Include).flat_map(|filter| &filter.sources).copied();
        let mut excluding = of_mode(Mode::Exclude);
        let Some(first) = excluding.next() else { return Self::new(Mode::Include, included.collect()) };
        let mut sources = first.sources.clone();
        sources.retain(|source| filters.clone().all(|filter| !filter.accepts(*source)));
        Self { mode: Mode::Exclude, sources }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv4Addr;
    use std::vec;

    fn filter(mode: Mode, sources: &[u32]) -> Filter {
        Filter::new(mode, sources.iter().map(|bits| IpAddr::V4(Ipv4Addr::from_bits(*bits))).collect())
    }

    #[test]
    fn a_merged_filter_lets_in_what_one_of_them_lets_in() {
        use Mode::{Exclude, Include};
        // The examples of RFC 3376 §3.2, a to z as 1 to 26.
        let merged = |filters: &[Filter]| Filter::merged(filters.iter());
        let excluded = [filter(Exclude, &[1, 2, 3, 4]), filter(Exclude, &[2, 3, 4, 5]), filter(Include, &[4, 5, 6])];
        assert_eq!(merged(&excluded), filter(Exclude, &[2, 3]));
        let included = [filter(Include, &[1, 2, 3]), filter(Include, &[2, 3, 4]), filter(Include, &[5, 6])];
        assert_eq!(merged(&included), filter(Include, &[1, 2, 3, 4, 5, 6]));
        assert_eq!(merged(&[]), Filter::nothing());
        for filters in [&excluded, &included] {
            for source in 0..8 {
                let source = IpAddr::V4(Ipv4Addr::from_bits(source));
                let wanted = filters.iter().any(|filter| filter.accepts(source));
                assert_eq!(merged(filters).accepts(source), wanted);
            }
        }
    }

    #[test]
    fn sources_are_in_order_and_not_twice() {
        assert_eq!(filter(Mode::Include, &[3, 1, 3]).sources(), filter(Mode::Include, &[1, 3]).sources());
        assert!(Filter::nothing().is_nothing() && !Filter::anything().is_nothing());
        assert_eq!(vec![Filter::anything().accepts(IpAddr::V4(Ipv4Addr::LOCALHOST))], [true]);
    }
}
