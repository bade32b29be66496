//! adjtimex(2) and clock_adjtime(2): how the clock is disciplined may be read. Nobody sets it in
//! here: the time is the host's.

use super::Call;
use super::abi::Timeval;
use crate::cpu_clock::is_cpu_clock;
use rkt_linux_abi::general::{
    CLOCK_BOOTTIME, CLOCK_BOOTTIME_ALARM, CLOCK_MONOTONIC, CLOCK_MONOTONIC_COARSE, CLOCK_MONOTONIC_RAW, CLOCK_REALTIME,
    CLOCK_REALTIME_ALARM, CLOCK_REALTIME_COARSE, CLOCK_TAI,
};
use rkt_linux_abi::{Errno, Result};
use rkt_user::UserPtr;

/// `struct timex` (linux/timex.h) as words: the modes, then as [`adjust`] fills it.
pub type Timex = [i64; 26];

/// ADJ_OFFSET_SS_READ: reads what adjtime(3) has left to do, in every other respect as well.
const READ_OFFSET: u32 = 0xa001;
/// STA_UNSYNC: nobody says how exact the clock is.
const UNSYNCHRONISED: i64 = 0x40;
/// TIME_ERROR: what is returned while the clock is not synchronised.
const ERROR: u64 = 5;
/// Microseconds between ticks of 100 Hz.
const TICK: i64 = 10_000;
/// Largest error in microseconds that is told apart (NTP_PHASE_LIMIT).
const ERROR_MAX: i64 = 16_000_000;
/// Largest frequency offset: 500 parts per million in 16.16 fixed point (MAXFREQ_SCALED).
const TOLERANCE: i64 = 500 << 16;

fn adjust(from: UserPtr<Timex>) -> Result<u64> {
    let [modes, ..] = from.read()?;
    let modes = modes as u32;
    if modes != 0 && modes != READ_OFFSET {
        return Err(Errno::EPERM);
    }
    let now = Timeval::from_ns(rkt_platform::wall());
    let [offset, frequency, constant, precision] = [0, 0, 2, 1];
    let known = [
        modes.into(),
        offset,
        frequency,
        ERROR_MAX,
        ERROR_MAX, // as estimated
        UNSYNCHRONISED,
        constant,
        precision,
        TOLERANCE,
        now.sec,
        now.usec,
        TICK,
    ];
    // There is no signal of pulses, and no offset from TAI.
    let mut all: Timex = [0; 26];
    all.iter_mut().zip(known).for_each(|(to, value)| *to = value);
    from.write(&all)?;
    Ok(ERROR)
}

/// adjtimex(2).
pub fn adjtimex(_: &mut Call<'_>, buf: UserPtr<Timex>) -> Result<u64> {
    adjust(buf)
}

/// clock_adjtime(2): of the clocks, only the wall clock is disciplined.
pub fn clock_adjtime(_: &mut Call<'_>, clock: i32, buf: UserPtr<Timex>) -> Result<u64> {
    // The structure is read before the clock is looked at.
    buf.read()?;
    match clock as u32 {
        CLOCK_REALTIME => adjust(buf),
        CLOCK_MONOTONIC
        | CLOCK_MONOTONIC_RAW
        | CLOCK_MONOTONIC_COARSE
        | CLOCK_REALTIME_COARSE
        | CLOCK_BOOTTIME
        | CLOCK_REALTIME_ALARM
        | CLOCK_BOOTTIME_ALARM
        | CLOCK_TAI => Err(Errno::EOPNOTSUPP),
        _ if is_cpu_clock(clock) => Err(Errno::EOPNOTSUPP),
        _ => Err(Errno::EINVAL),
    }
}
