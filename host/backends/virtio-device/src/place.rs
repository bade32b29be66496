//! On which processors a device's thread and its enclave run.
//!
//! Where enclave, client and device share few processors, it matters who shares with whom, and the host's
//! scheduler cannot know: a client that has a processor to itself goes on while the device's thread and the
//! vCPU, each of which waits for the other anyway, take turns on the other one. (Redis on two processors,
//! -P 16: 1.10 million requests a second so, 0.64 with the device's thread beside the client, and 0.75 to 1.1 as
//! the scheduler likes.) For a vCPU that has much to compute it is the other way round. So both are tried, and
//! what moves more bytes is kept.

use crate::sys::{self, Processors};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

/// How long a way is measured at a time.
const PERIOD: Duration = Duration::from_millis(20);
/// A period that took longer than this had a sleep in it: there is not enough to do to find out anything.
const IDLE: Duration = Duration::from_millis(40);
/// Periods before the other way is tried again.
const STAY: u32 = 48;
/// What sharing has to bring to be begun; to be kept, it must not be worse. Rates waver.
const GAIN: f64 = 1.1;

/// The processes of an enclave, once it runs; none of an enclave that has work for several processors.
#[derive(Clone, Debug, Default)]
pub struct Company(Arc<AtomicI32>);

impl Company {
    /// The enclave runs: its processes are those children of the calling process that are in this group.
    pub fn started(&self, group: i32) {
        self.0.store(group, Ordering::Relaxed);
    }

    fn is_there(&self) -> bool {
        self.0.load(Ordering::Relaxed) != 0
    }

    /// The processor that its first process ran on last, where the vCPU most likely is.
    fn processor(&self) -> Option<usize> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0.load(Ordering::Relaxed))).ok()?;
        // Field 39 of proc_pid_stat(5), the third behind the name.
        stat.rsplit_once(')')?.1.split_whitespace().nth(36)?.parse().ok()
    }

    /// Keeps all threads to these processors, and what they start from now on.
    fn keep_to(&self, processors: &Processors) {
        let group = self.0.load(Ordering::Relaxed);
        let own = Path::new("/proc/self/task");
        let lists =
            numbers(own).filter_map(|thread| std::fs::read_to_string(own.join(format!("{thread}/children"))).ok());
        let children: Vec<i32> = lists
            .flat_map(|list| list.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<_>>())
            .collect();
        for process in children.into_iter().filter(|id| sys::group_of(*id) == group) {
            for thread in numbers(Path::new(&format!("/proc/{process}/task"))) {
                // One that has ended meanwhile needs no place.
                processors.keep(thread);
            }
        }
    }
}

/// The names in a folder that are numbers.
fn numbers(folder: &Path) -> impl Iterator<Item = i32> + use<> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Which of the two ways is better, by what was measured.
#[derive(Debug, Default)]
struct Choice {
    /// The thread shares the vCPU's processor.
    together: bool,
    /// Bytes a second apart and together, smoothed; zero: not known.
    rates: [f64; 2],
    /// Periods since the last change.
    stayed: u32,
}

impl Choice {
    /// A period is over that moved so many bytes a second, on a processor that others wanted, too, or not.
    fn period(&mut self, rate: f64, contended: bool) {
        self.stayed += 1;
        // The scheduler first has to move others away.
        if self.stayed == 1 {
            return;
        }
        if let Some(known) = self.rates.get_mut(usize::from(self.together)) {
            *known = if *known > 0.0 { (3.0 * *known + rate) / 4.0 } else { rate };
        }
        let [apart, together] = self.rates;
        let better = together > if self.together { apart } else { apart * GAIN };
        let untried = self.stayed >= STAY || together == 0.0;
        let change = if self.together { !better || self.stayed >= STAY } else { better || (contended && untried) };
        if change {
            self.together = !self.together;
            self.stayed = 0;
        }
    }
}

/// Places the calling thread and its enclave.
pub(crate) struct Placement {
    company: Company,
    choice: Choice,
    /// The processors that the thread may use, if there are several.
    allowed: Option<Processors>,
    /// Both are kept on one of them.
    kept: bool,
    began: Instant,
    /// Bytes that had been moved then.
    bytes: u64,
    contended: bool,
}

impl Placement {
    /// Of the calling thread, which stays where it is.
    pub fn new(company: Company) -> Self {
        let allowed = Processors::allowed().filter(|all| all.count() > 1);
        let (choice, began) = (Choice::default(), Instant::now());
        Self { company, choice, allowed, kept: false, began, bytes: 0, contended: false }
    }

    /// Somebody else wants the thread's processor.
    pub fn contended(&mut self) {
        self.contended = true;
    }

    /// Whether the thread should soon say that it still rests.
    pub fn rest(&self) -> Option<Duration> {
        self.kept.then_some(IDLE)
    }

    /// There was work, or a rest; `bytes` were moved since the start.
    pub fn look(&mut self, now: Instant, bytes: u64) {
        let elapsed = now.saturating_duration_since(self.began);
        if elapsed < PERIOD || !self.company.is_there() {
            return;
        }
        if elapsed < IDLE {
            let moved = bytes.saturating_sub(self.bytes) as f64;
            self.choice.period(moved / elapsed.as_secs_f64(), self.contended);
        } else {
            self.choice = Choice::default();
        }
        if self.choice.together != self.kept {
            self.place();
        }
        (self.began, self.bytes, self.contended) = (now, bytes, false);
    }

    fn place(&mut self) {
        let Some(allowed) = &self.allowed else { return };
        self.kept = self.choice.together;
        let here = self.kept.then(|| self.company.processor()).flatten().map(Processors::only);
        // Where it cannot be told, the other way is tried in vain, and no harm is done.
        let processors = here.as_ref().unwrap_or(allowed);
        processors.keep(0);
        self.company.keep_to(processors);
    }
}

impl Drop for Placement {
    fn drop(&mut self) {
        if self.kept {
            self.choice = Choice::default();
            self.place();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Periods out of a hundred that are spent together, where either way moves so much.
    fn together(apart: f64, together: f64, contended: bool) -> usize {
        let mut choice = Choice::default();
        let mut one = || {
            choice.period(if choice.together { together } else { apart }, contended);
            choice.together
        };
        (0..100).filter(|_| one()).count()
    }

    #[test]
    fn the_better_way_is_kept_and_the_other_tried_now_and_then() {
        assert!((85..98).contains(&together(100.0, 150.0, true)));
        assert!((1..10).contains(&together(150.0, 100.0, true)));
        // Without a gain, whoever else there is may have the processor.
        assert!((1..10).contains(&together(100.0, 100.0, true)));
    }

    #[test]
    fn a_processor_that_nobody_else_wants_is_kept() {
        assert_eq!(together(100.0, 150.0, false), 0);
    }

    #[test]
    fn a_load_that_changes_is_noticed() {
        let mut choice = Choice::default();
        (0..30).for_each(|_| choice.period(if choice.together { 150.0 } else { 100.0 }, true));
        assert!(choice.together);
        let mut late = 0;
        (0..50).for_each(|_| {
            choice.period(if choice.together { 50.0 } else { 100.0 }, true);
            late += usize::from(choice.together);
        });
        assert!(late < 10, "{late}");
    }
}
