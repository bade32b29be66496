//! A hierarchical timing wheel: cost of a timer and of its expiry independent of how many there are.
//!
//! Four levels of 64 slots; a slot of a level lasts as long as the whole level below. An entry sits at
//! the level of the highest digit (base 64) in which its time differs from now, and moves down as that
//! digit is reached.

use alloc::vec::Vec;

/// Nanoseconds of a tick, about a millisecond.
const TICK_BITS: u32 = 20;
const SLOT_BITS: u32 = 6;
const SLOTS: usize = 1 << SLOT_BITS;
const LEVELS: usize = 4;
/// Farthest a timer may lie ahead, in ticks: later ones expire then, and their owners set them again.
const HORIZON: u64 = (1 << (SLOT_BITS * LEVELS as u32)) - 1;

struct Entry<T> {
    tick: u64,
    value: T,
}

/// Timers with a value each.
pub(super) struct Wheel<T> {
    now: u64,
    levels: [Vec<Vec<Entry<T>>>; LEVELS],
    /// A bit for each slot that holds something.
    occupied: [u64; LEVELS],
}

impl<T> Wheel<T> {
    /// An empty wheel that starts at `now` nanoseconds.
    pub fn new(now: u64) -> Self {
        let level = || (0..SLOTS).map(|_| Vec::new()).collect();
        Self { now: now >> TICK_BITS, levels: core::array::from_fn(|_| level()), occupied: [0; LEVELS] }
    }

    /// Adds a timer for a time in nanoseconds; it expires at the end of that tick.
    pub fn insert(&mut self, at: u64, value: T) {
        let tick = (at >> TICK_BITS).saturating_add(1);
        let tick = tick.clamp(self.now + 1, self.now + HORIZON);
        self.place(Entry { tick, value });
    }

    fn place(&mut self, entry: Entry<T>) {
        let differing = u64::BITS - (entry.tick ^ self.now).leading_zeros();
        // The tick is ahead, so at least one bit differs. Across the horizon's own border more
        // than the highest level's may: that slot comes round in time.
        let level = (differing.saturating_sub(1) / SLOT_BITS).min(LEVELS as u32 - 1);
        let slot = (entry.tick >> (level * SLOT_BITS)) as usize % SLOTS;
        let (level, bit) = (level as usize, 1 << slot);
        if let (Some(slots), Some(occupied)) = (self.levels.get_mut(level), self.occupied.get_mut(level))
            && let Some(slot) = slots.get_mut(slot)
        {
            slot.push(entry);
            *occupied |= bit;
        }
    }

    /// When the next slot is due, in ticks.
    fn next_tick(&self) -> Option<u64> {
        (0u32..).zip(&self.occupied).find_map(|(level, &occupied)| {
            let shift = level * SLOT_BITS;
            let digit = (self.now >> shift) as u32 % SLOTS as u32;
            // Slots from the one behind the current digit on, in the order in which they come.
            let ahead = occupied.rotate_right(digit).checked_shr(1).unwrap_or(0);
            if ahead == 0 {
                return None;
            }
            let steps = u64::from(ahead.trailing_zeros()) + 1;
            Some(((self.now >> shift) + steps) << shift)
        })
    }

    /// When to call [`Wheel::expire`] next, in nanoseconds; `u64::MAX` if there is nothing.
    pub fn next(&self) -> u64 {
        self.next_tick().map_or(u64::MAX, |tick| tick << TICK_BITS)
    }

    /// Moves on to `now` nanoseconds and gives what has expired to `take`.
    pub fn expire(&mut self, now: u64, take: &mut dyn FnMut(T)) {
        let target = now >> TICK_BITS;
        while let Some(tick) = self.next_tick().filter(|&tick| tick <= target) {
            self.now = tick;
            for level in 0..LEVELS {
                let slot = (tick >> (level as u32 * SLOT_BITS)) as usize % SLOTS;
                let Some(occupied) = self.occupied.get_mut(level) else { break };
                if *occupied & (1 << slot) != 0 {
                    *occupied &= !(1 << slot);
                    let slot = self.levels.get_mut(level).and_then(|slots| slots.get_mut(slot));
                    for entry in slot.map(core::mem::take).unwrap_or_default() {
                        if entry.tick <= tick { take(entry.value) } else { self.place(entry) }
                    }
                }
                if slot != 0 {
                    break; // the digit above has not changed
                }
            }
        }
        self.now = self.now.max(target);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;

    const TICK: u64 = 1 << TICK_BITS;

    fn expired(wheel: &mut Wheel<u64>, now: u64) -> Vec<u64> {
        let mut out = Vec::new();
        wheel.expire(now, &mut |value| out.push(value));
        out.sort_unstable();
        out
    }

    #[test]
    fn a_timer_expires_once_and_not_before_its_time() {
        let mut wheel = Wheel::new(5 * TICK);
        wheel.insert(100 * TICK, 1);
        assert!(expired(&mut wheel, 100 * TICK).is_empty());
        assert_eq!(wheel.next(), 101 * TICK);
        assert_eq!(expired(&mut wheel, 101 * TICK), [1]);
        assert!(expired(&mut wheel, 1 << 60).is_empty());
        assert_eq!(wheel.next(), u64::MAX);
    }

    #[test]
    fn times_that_are_over_expire_at_the_next_tick() {
        let mut wheel = Wheel::new(1000 * TICK);
        wheel.insert(3, 1);
        assert_eq!(expired(&mut wheel, 1001 * TICK), [1]);
    }

    #[test]
    fn what_lies_behind_the_horizon_comes_at_the_horizon() {
        let mut wheel = Wheel::new(0);
        wheel.insert(u64::MAX, 1);
        assert!(expired(&mut wheel, (HORIZON - 1) * TICK).is_empty());
        assert_eq!(expired(&mut wheel, HORIZON * TICK), [1]);
    }

    #[test]
    fn behaves_as_a_sorted_map() {
        for seed in 0..50u64 {
            let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
            let mut random = move || {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state
            };
            let mut now = random() % (1 << 50);
            let mut wheel = Wheel::new(now);
            let mut model = BTreeMap::<u64, Vec<u64>>::new();
            for id in 0..400 {
                let at = now + random() % (1 << (20 + random() % 24));
                wheel.insert(at, id);
                let tick = ((at >> TICK_BITS) + 1).min((now >> TICK_BITS) + HORIZON);
                model.entry(tick).or_default().push(id);
                if id % 3 == 0 {
                    now += random() % (1 << (18 + random() % 20));
                    let later = model.split_off(&((now >> TICK_BITS) + 1));
                    let mut due: Vec<u64> = core::mem::replace(&mut model, later).into_values().flatten().collect();
                    due.sort_unstable();
                    assert_eq!(expired(&mut wheel, now), due, "seed {seed}");
                    let first = model.first_key_value().map_or(u64::MAX, |(&tick, _)| tick << TICK_BITS);
                    assert!(wheel.next() <= first, "seed {seed}");
                }
            }
        }
    }
}
