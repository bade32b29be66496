//! What is known of one signal: `siginfo_t` without its unused end.

use rkt_linux_abi::Result;
use rkt_linux_abi::general::{SI_KERNEL, SI_MESGQ, SI_TIMER, SI_TKILL, SI_USER, SIGSYS, SYS_SECCOMP};
use rkt_user::{UserPtr, UserSlice};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Bytes of `siginfo_t`; those behind [`Info`] are zero.
pub const SIGINFO_LEN: usize = 128;

/// A signal and what is known of it, laid out as the first 48 bytes of `siginfo_t`
/// (asm-generic/siginfo.h).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Info {
    /// `si_signo`.
    pub signal: u32,
    /// `si_errno`.
    pub errno: i32,
    /// `si_code`: the reason, and which of the union's members `fields` is.
    pub code: i32,
    pub(super) pad: u32,
    /// The union.
    pub fields: [u64; 4],
}

const fn pair(low: u32, high: u32) -> u64 {
    low as u64 | (high as u64) << 32
}

impl Info {
    const fn new(signal: u32, code: i32, fields: [u64; 4]) -> Self {
        Self { signal, errno: 0, code, pad: 0, fields }
    }

    /// Sent by the kernel (`SI_KERNEL`).
    pub const fn kernel(signal: u32) -> Self {
        Self::new(signal, SI_KERNEL as i32, [0; 4])
    }

    /// Sent by kill(2).
    pub const fn kill(signal: u32, pid: i32, uid: u32) -> Self {
        Self::new(signal, SI_USER as i32, [pair(pid as u32, uid), 0, 0, 0])
    }

    /// Sent by tkill(2) or tgkill(2).
    pub const fn tkill(signal: u32, pid: i32, uid: u32) -> Self {
        Self::new(signal, SI_TKILL, [pair(pid as u32, uid), 0, 0, 0])
    }

    /// A fault at `address`; `code` as `SEGV_MAPERR`.
    pub const fn fault(signal: u32, code: i32, address: u64) -> Self {
        Self::new(signal, code, [address, 0, 0, 0])
    }

    /// A child changed its state; `code` as `CLD_EXITED`, `status` its exit status or signal.
    pub const fn child(signal: u32, code: i32, pid: i32, uid: u32, status: i32) -> Self {
        Self::new(signal, code, [pair(pid as u32, uid), status as u32 as u64, 0, 0])
    }

    /// A timer of timer_create(2) expired.
    pub const fn timer(signal: u32, id: i32, overrun: i32, value: u64) -> Self {
        Self::new(signal, SI_TIMER, [pair(id as u32, overrun as u32), value, 0, 0])
    }

    /// A message came to an empty queue (mq_notify(3)).
    pub const fn message(signal: u32, pid: i32, uid: u32, value: u64) -> Self {
        Self::new(signal, SI_MESGQ, [pair(pid as u32, uid), value, 0, 0])
    }

    /// A file can be read or written (`F_SETSIG`); `code` as `POLL_IN`, `band` poll(2) events.
    pub const fn poll(signal: u32, code: i32, band: u32, fd: i32) -> Self {
        Self::new(signal, code, [band as u64, fd as u32 as u64, 0, 0])
    }

    /// A filter forbids system call `number` (seccomp(2), SECCOMP_RET_TRAP); `data` is the filter's.
    pub const fn forbidden(data: u32, rip: u64, number: u32, arch: u32) -> Self {
        Self { errno: data as i32, ..Self::new(SIGSYS, SYS_SECCOMP as i32, [rip, pair(number, arch), 0, 0]) }
    }

    /// `si_pid` of a signal that a process sent.
    pub const fn pid(&self) -> i32 {
        self.fields[0] as u32 as i32
    }

    /// `si_uid` of the same.
    pub const fn uid(&self) -> u32 {
        (self.fields[0] >> 32) as u32
    }

    /// `si_value` of sigqueue(3) and timers.
    pub const fn value(&self) -> u64 {
        self.fields[1]
    }

    /// Copies in the `siginfo_t` of rt_sigqueueinfo(2).
    ///
    /// # Errors
    /// `EFAULT`.
    pub fn read(addr: u64, signal: u32) -> Result<Self> {
        let info = UserPtr::<Self>::new(addr).read()?;
        Ok(Self { signal, ..info })
    }

    /// The signal number that a `siginfo_t` in user memory itself has.
    ///
    /// # Errors
    /// `EFAULT`.
    pub fn claimed(addr: u64) -> Result<u32> {
        UserPtr::<u32>::new(addr).read()
    }

    /// Copies out a whole `siginfo_t`.
    ///
    /// # Errors
    /// `EFAULT`.
    pub fn write(&self, addr: u64) -> Result<()> {
        UserSlice::new(addr, SIGINFO_LEN)?.write_all(&self.to_bytes())
    }

    /// As a whole `siginfo_t`.
    pub fn to_bytes(&self) -> [u8; SIGINFO_LEN] {
        let mut bytes = [0; SIGINFO_LEN];
        for (to, from) in bytes.iter_mut().zip(self.as_bytes()) {
            *to = *from;
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(bytes: &[u8], at: usize) -> u32 {
        u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
    }

    /// Offsets of siginfo_t on x86-64.
    #[test]
    fn layout() {
        assert_eq!(size_of::<Info>(), 48);
        let child = Info::child(17, 1, 100, 7, 3).to_bytes();
        assert_eq!(
            [word(&child, 0), word(&child, 8), word(&child, 16), word(&child, 20), word(&child, 24)],
            [17, 1, 100, 7, 3]
        );
        let timer = Info::timer(34, 5, 2, 0x1_0000_0002).to_bytes();
        assert_eq!([word(&timer, 16), word(&timer, 20), word(&timer, 24), word(&timer, 28)], [5, 2, 2, 1]);
        let killed = Info::kill(15, 9, 10);
        assert_eq!((killed.pid(), killed.uid()), (9, 10));
    }
}
