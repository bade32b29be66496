//! Structures of the system-call ABI as they lie in user memory (x86-64).

use crate::usage::Usage;
use rkt_linux_abi::{Errno, Result};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Nanoseconds a second.
pub const SECOND: u64 = 1_000_000_000;

/// `struct __kernel_timespec`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Timespec {
    /// Seconds.
    pub sec: i64,
    /// Nanoseconds, 0 to 999,999,999.
    pub nsec: i64,
}

impl Timespec {
    /// From nanoseconds.
    pub const fn from_ns(ns: u64) -> Self {
        Self { sec: (ns / SECOND) as i64, nsec: (ns % SECOND) as i64 }
    }

    /// In nanoseconds; times beyond 584 years are as good as for ever.
    ///
    /// # Errors
    /// `EINVAL` if negative or not normalised.
    pub fn to_ns(self) -> Result<u64> {
        match (u64::try_from(self.sec), u64::try_from(self.nsec)) {
            (Ok(sec), Ok(nsec)) if nsec < SECOND => Ok(sec.saturating_mul(SECOND).saturating_add(nsec)),
            _ => Err(Errno::EINVAL),
        }
    }
}

/// `struct __kernel_old_timeval`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Timeval {
    /// Seconds.
    pub sec: i64,
    /// Microseconds, 0 to 999,999.
    pub usec: i64,
}

impl Timeval {
    /// From nanoseconds, rounded down.
    pub const fn from_ns(ns: u64) -> Self {
        Self { sec: (ns / SECOND) as i64, usec: (ns % SECOND / 1000) as i64 }
    }

    /// From nanoseconds, rounded up: the rest of a timer is never shown as 0 while it runs.
    pub const fn from_ns_up(ns: u64) -> Self {
        Self::from_ns(ns.saturating_add(999))
    }

    /// In nanoseconds.
    ///
    /// # Errors
    /// `EINVAL` if negative or not normalised.
    pub fn to_ns(self) -> Result<u64> {
        match u64::try_from(self.usec) {
            Ok(usec) if usec < 1_000_000 => Timespec { sec: self.sec, nsec: (usec * 1000) as i64 }.to_ns(),
            _ => Err(Errno::EINVAL),
        }
    }
}

/// `struct __kernel_old_itimerval`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Itimerval {
    /// Period; 0 = once.
    pub interval: Timeval,
    /// Time to the next expiration; 0 = disarmed.
    pub value: Timeval,
}

/// `struct __kernel_itimerspec`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Itimerspec {
    /// Period; 0 = once.
    pub interval: Timespec,
    /// Time to, or of, the next expiration; 0 = disarmed.
    pub value: Timespec,
}

/// `struct sigaction` of the kernel.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Sigaction {
    /// Address of the handler, `SIG_DFL` (0) or `SIG_IGN` (1).
    pub handler: u64,
    /// `SA_` flags.
    pub flags: u64,
    /// Address that the handler returns to.
    pub restorer: u64,
    /// Signals blocked while the handler runs.
    pub mask: u64,
}

/// `stack_t`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Stack {
    /// Lowest address.
    pub sp: u64,
    /// `SS_` flags.
    pub flags: u32,
    /// Unused.
    pub pad: u32,
    /// Bytes.
    pub size: u64,
}

/// `struct sigevent`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Sigevent {
    /// Passed on as `si_value`.
    pub value: u64,
    /// Signal number.
    pub signo: i32,
    /// `SIGEV_` kind.
    pub notify: u32,
    /// Thread id, for `SIGEV_THREAD_ID`.
    pub tid: i32,
    /// Rest of the union.
    pub rest: [u32; 11],
}

/// `struct rusage`; what is not kept is 0, as in Linux.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Rusage {
    /// Time in user mode.
    pub utime: Timeval,
    /// Time in the kernel.
    pub stime: Timeval,
    /// Largest resident set, KiB.
    pub maxrss: i64,
    /// From `ru_ixrss` to `ru_nivcsw`.
    pub rest: [i64; 13],
}

impl Rusage {
    /// Of what was used, and the largest resident set in bytes.
    pub fn new(usage: &Usage, resident: u64) -> Self {
        let [faults, waits, preemptions] =
            [usage.faults, usage.waits, usage.preemptions].map(|count| i64::try_from(count).unwrap_or(i64::MAX));
        Self {
            utime: Timeval::from_ns(usage.user),
            stime: Timeval::from_ns(usage.system),
            maxrss: (resident >> 10) as i64,
            // From ru_ixrss: minflt is the fourth of them, nvcsw and nivcsw are the last two.
            rest: [0, 0, 0, faults, 0, 0, 0, 0, 0, 0, 0, waits, preemptions],
        }
    }
}

/// `struct tms`, in clock ticks of 10 ms.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Tms {
    /// User time.
    pub utime: i64,
    /// System time.
    pub stime: i64,
    /// User time of children that were waited for.
    pub cutime: i64,
    /// System time of these.
    pub cstime: i64,
}
