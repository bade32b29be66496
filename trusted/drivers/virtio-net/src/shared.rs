//! What the card and its queues, each on a vCPU of its own, know in common.

use core::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use rkt_netdev::Down;
use rkt_virtio::status;
use rkt_virtio_transport::{QueueRegs, StatusWord};
use rkt_virtqueue::{DeviceError, VirtioError};

/// Nothing is done with the device until a reset.
const DOWN: u8 = 0;
/// A reset is under way: queues may be set up.
const RESETTING: u8 = 1;
/// Queues run.
const UP: u8 = 2;

/// State of the card. The queues read it per batch; it is written when the card goes up or down.
pub(crate) struct Shared {
    pub(crate) regs: QueueRegs,
    state: AtomicU8,
    /// The status that the device has to show, [`StatusWord::to_word`].
    running: AtomicU32,
}

impl Shared {
    pub(crate) fn new(regs: QueueRegs) -> Self {
        Self { regs, state: AtomicU8::new(DOWN), running: AtomicU32::new(0) }
    }

    /// From now on, queues may be set up and not used.
    pub(crate) fn begin_reset(&self) {
        self.state.store(RESETTING, Ordering::Release);
    }

    /// Whether a reset is under way.
    pub(crate) fn is_resetting(&self) -> bool {
        self.state.load(Ordering::Acquire) == RESETTING
    }

    /// From now on, queues may be used, as long as the device shows this status.
    pub(crate) fn go_up(&self, running: StatusWord) {
        self.running.store(running.to_word(), Ordering::Relaxed);
        self.state.store(UP, Ordering::Release);
    }

    /// Takes the card down; the device is told once.
    pub(crate) fn go_down(&self) {
        if self.state.swap(DOWN, Ordering::AcqRel) == UP {
            let running = self.running();
            self.regs.give_up(StatusWord { status: running.status | status::FAILED, ..running });
        }
    }

    fn running(&self) -> StatusWord {
        StatusWord::from_word(self.running.load(Ordering::Relaxed))
    }

    /// # Errors
    /// The card is down.
    pub(crate) fn check(&self) -> Result<(), Down> {
        if self.state.load(Ordering::Acquire) == UP { Ok(()) } else { Err(Down) }
    }

    /// Whether the device still says what it said at the start.
    ///
    /// # Errors
    /// `Status` if it needs a reset or has lost its state.
    pub(crate) fn alive(&self) -> Result<(), VirtioError> {
        let (running, answer) = (self.running(), self.regs.answer());
        if answer == running {
            return Ok(());
        }
        let answer = (answer.epoch == running.epoch).then_some(answer.status);
        Err(DeviceError::Status { asked: running.status, answer }.into())
    }
}
