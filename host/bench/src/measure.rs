//! Medians and spreads.

use serde::Serialize;

/// Median of several values, with the smallest and the largest.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// The middle value, or the mean of the two middle ones.
    pub median: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
    /// How many.
    pub n: usize,
}

impl Summary {
    /// Summarizes finite values; `None` if there are none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let sorted = sorted(values);
        let n = sorted.len();
        let median = (sorted.get(n / 2)? + sorted.get((n - 1) / 2)?) / 2.0;
        Some(Self { median, min: *sorted.first()?, max: *sorted.last()?, n })
    }
}

fn sorted(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut sorted: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// What the true median is at least, with 95 % confidence and whatever the distribution: an order
/// statistic (the k smallest of n values all lie below the median with the probability that fewer than
/// k of n coins show heads). `None` for fewer than five values.
pub fn median_is_at_least(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    const DOUBT: f64 = 0.05;
    let sorted = sorted(values);
    let n = sorted.len() as f64;
    // Of exactly k heads, from k = 0 on.
    let mut chance = 0.5f64.powf(n);
    let (mut below, mut bound) = (0.0, None);
    for (k, value) in (0u32..).zip(&sorted) {
        below += chance;
        if below > DOUBT {
            break;
        }
        bound = Some(*value);
        chance *= (n - f64::from(k)) / f64::from(k + 1);
    }
    bound
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(Summary::of([3.0, 1.0, 2.0]), Some(Summary { median: 2.0, min: 1.0, max: 3.0, n: 3 }));
        assert_eq!(Summary::of([4.0, 1.0, 2.0, 9.0]), Some(Summary { median: 3.0, min: 1.0, max: 9.0, n: 4 }));
        assert_eq!(Summary::of([7.0]), Some(Summary { median: 7.0, min: 7.0, max: 7.0, n: 1 }));
    }

    #[test]
    fn what_is_no_number_does_not_count() {
        assert_eq!(Summary::of([]), None);
        assert_eq!(Summary::of([f64::NAN, f64::INFINITY]), None);
        assert_eq!(Summary::of([f64::NAN, 5.0]).map(|s| s.n), Some(1));
    }

    #[test]
    fn the_bound_is_the_one_of_the_sign_test() {
        let first = |n: u32| median_is_at_least((1..=n).map(f64::from));
        // 1/32, then 9/256 and 21,700/1,048,576: tables of the sign test.
        assert_eq!([first(4), first(5), first(8), first(20)], [None, Some(1.0), Some(2.0), Some(6.0)]);
    }
}
