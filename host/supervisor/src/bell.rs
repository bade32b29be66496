//! Doorbells with the futex calls that belong to them.

use anyhow::Result;
use rkt_window::{Doorbell, Region, layout};
use rustix::thread::futex::{self, Flags};

/// A doorbell that this process may ring or sleep on.
#[derive(Clone, Copy)]
pub(crate) struct Bell(Doorbell);

impl Bell {
    /// The doorbell of vCPU 0, which serves stdio and signals.
    pub(crate) fn vcpu0(window: &Region) -> Result<Self> {
        Ok(Self(Doorbell::at(window, layout::VCPU_DOORBELLS)?))
    }

    /// The doorbell of the console thread.
    pub(crate) fn console(window: &Region) -> Result<Self> {
        Ok(Self(Doorbell::at(window, layout::CONSOLE_DOORBELL)?))
    }

    /// The doorbell of the thread that serves place `number` of those for further programs.
    pub(crate) fn session(window: &Region, number: usize) -> Result<Self> {
        let place = layout::SESSIONS + number * layout::session::LEN;
        Ok(Self(Doorbell::at(window, place + layout::session::DOORBELL)?))
    }

    /// Rings, and wakes the sleeper if there is one.
    pub(crate) fn ring(&self) {
        if self.0.ring() {
            // Fails on addresses that are not mapped and on wrong flags only.
            let _ = futex::wake(self.0.word(), Flags::empty(), u32::MAX >> 1);
        }
    }

    /// Sleeps until rung, unless `busy` finds work after the sleep was announced.
    pub(crate) fn sleep_unless(&self, busy: impl FnOnce() -> bool) {
        let seen = self.0.arm();
        if !busy() {
            // Rung, changed before the call, or interrupted: the caller looks again.
            let _ = futex::wait(self.0.word(), Flags::empty(), seen, None);
        }
        self.0.disarm();
    }
}
