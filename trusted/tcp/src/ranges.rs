//! Ranges of sequence numbers that arrived early.

use alloc::vec::Vec;

/// How many ranges are remembered: every second segment of a window of 3 MiB. A peer that makes more holes
/// has to send again what lies behind them.
const MOST: usize = 1024;

/// A sorted list of ranges that neither touch nor overlap; bounded.
#[derive(Default)]
pub(crate) struct Ranges(Vec<(u64, u64)>);

impl Ranges {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds `start..end`. False: there is no place for one more.
    #[must_use]
    pub(crate) fn insert(&mut self, start: u64, end: u64) -> bool {
        let from = self.0.partition_point(|range| range.1 < start);
        let to = self.0.partition_point(|range| range.0 <= end);
        if from == to {
            if self.0.len() >= MOST || self.0.try_reserve(1).is_err() {
                return false;
            }
            self.0.insert(from, (start, end));
            return true;
        }
        let touched = self.0.get(from..to).unwrap_or_default();
        let start = touched.first().map_or(start, |range| range.0.min(start));
        let end = touched.last().map_or(end, |range| range.1.max(end));
        self.0.drain(from + 1..to);
        if let Some(range) = self.0.get_mut(from) {
            *range = (start, end);
        }
        true
    }

    /// Whether [`Ranges::insert`] would find a place.
    pub(crate) fn has_room(&self, start: u64, end: u64) -> bool {
        let next = self.0.partition_point(|range| range.1 < start);
        self.0.len() < MOST || self.0.get(next).is_some_and(|range| range.0 <= end)
    }

    /// The range that `seq` lies in.
    pub(crate) fn containing(&self, seq: u64) -> Option<(u64, u64)> {
        let at = self.0.partition_point(|range| range.1 <= seq);
        self.0.get(at).copied().filter(|range| range.0 <= seq)
    }

    /// The parts of `start..end` that are in no range.
    pub(crate) fn gaps(&self, start: u64, end: u64) -> impl Iterator<Item = (u64, u64)> + '_ {
        let first = self.0.partition_point(|range| range.1 <= start);
        let within = self.0.iter().skip(first).take_while(move |range| range.0 < end);
        let mut at = start;
        let stops = within.copied().chain([(end, end)]);
        stops.filter_map(move |(from, to)| {
            let gap = (at, from.min(end));
            at = to;
            (gap.0 < gap.1).then_some(gap)
        })
    }

    /// Takes away what lies before `next` or joins it, and says where the row that begins at `next`
    /// ends.
    pub(crate) fn join(&mut self, next: u64) -> u64 {
        let reached = self.0.partition_point(|range| range.0 <= next);
        let end = self.0.drain(..reached).fold(next, |end, range| end.max(range.1));
        if self.0.is_empty() {
            self.0 = Vec::new();
        }
        end
    }

    /// All ranges, lowest first.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, u64)> + '_ {
        self.0.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(ranges: &Ranges) -> Vec<(u64, u64)> {
        ranges.iter().collect()
    }

    #[test]
    fn ranges_that_touch_become_one() {
        let mut ranges = Ranges::default();
        for (start, end) in [(10, 20), (30, 40), (50, 60), (20, 25)] {
            assert!(ranges.insert(start, end));
        }
        assert_eq!(list(&ranges), [(10, 25), (30, 40), (50, 60)]);
        assert!(ranges.insert(22, 50));
        assert_eq!(list(&ranges), [(10, 60)]);
    }

    #[test]
    fn gaps_are_what_is_missing() {
        let mut ranges = Ranges::default();
        assert!(ranges.insert(10, 20) && ranges.insert(30, 40));
        assert_eq!(ranges.gaps(5, 50).collect::<Vec<_>>(), [(5, 10), (20, 30), (40, 50)]);
        assert_eq!(ranges.gaps(12, 18).count(), 0);
        assert_eq!(ranges.gaps(15, 35).collect::<Vec<_>>(), [(20, 30)]);
        assert_eq!(ranges.containing(19), Some((10, 20)));
        assert_eq!(ranges.containing(20), None);
    }

    #[test]
    fn what_follows_joins() {
        let mut ranges = Ranges::default();
        assert!(ranges.insert(10, 20) && ranges.insert(30, 40));
        assert_eq!(ranges.join(9), 9);
        assert_eq!(ranges.join(12), 20);
        assert_eq!(ranges.join(45), 45);
        assert!(ranges.is_empty());
    }

    #[test]
    fn the_list_is_bounded() {
        let mut ranges = Ranges::default();
        let stored = (0..2000).filter(|i| ranges.insert(i * 10, i * 10 + 5)).count();
        assert_eq!(stored, MOST);
        assert!(ranges.has_room(5, 6) && !ranges.has_room(19_000, 19_005));
        assert!(ranges.insert(4, 8), "what touches a range always fits");
    }
}
