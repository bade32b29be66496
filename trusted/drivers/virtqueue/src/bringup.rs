//! Device initialization (§3.1.1), polled: reset, features, queues, go.

use crate::{DeviceError, VirtioError};
use core::fmt;
use rkt_virtio::{split, status};
use rkt_virtio_transport::DriverRegs;

/// What the device owes an answer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// A reset.
    Reset,
    /// `ACKNOWLEDGE` and `DRIVER`.
    Greeting,
    /// The choice of features.
    Features,
    /// `DRIVER_OK`.
    Start,
    /// A command in a control queue.
    Command,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reset => "reset",
            Self::Greeting => "greeting",
            Self::Features => "feature negotiation",
            Self::Start => "start",
            Self::Command => "a control command",
        })
    }
}

/// How long a driver waits for an answer.
pub struct Patience<'a> {
    /// Times that the device is looked at.
    pub polls: u32,
    /// Called between two looks: lets time pass.
    pub wait: &'a mut dyn FnMut(),
}

impl Patience<'_> {
    /// Waits until `look` finds something.
    ///
    /// # Errors
    /// That of `look`; `Silent` if there is nothing in time.
    pub fn until<T>(
        &mut self,
        phase: Phase,
        mut look: impl FnMut() -> Result<Option<T>, VirtioError>,
    ) -> Result<T, VirtioError> {
        for _ in 0..self.polls {
            if let Some(found) = look()? {
                return Ok(found);
            }
            (self.wait)();
        }
        Err(DeviceError::Silent(phase).into())
    }

    /// Waits for an answer with which `done` is content, and returns it.
    fn answer(&mut self, regs: &DriverRegs, phase: Phase, done: impl Fn(u8) -> bool) -> Result<u8, DeviceError> {
        for _ in 0..self.polls {
            match regs.device_status() {
                Some(answer) if answer & status::DEVICE_NEEDS_RESET != 0 => {
                    return Err(DeviceError::Status { asked: regs.own_status(), answer: Some(answer) });
                }
                Some(answer) if done(answer) => return Ok(answer),
                _ => (self.wait)(),
            }
        }
        Err(DeviceError::Silent(phase))
    }
}

/// Resets the device. On success it has let go of all queues and buffers.
///
/// # Errors
/// The device did not answer.
pub fn reset(regs: &mut DriverRegs, patience: &mut Patience<'_>) -> Result<(), DeviceError> {
    regs.reset();
    patience.answer(regs, Phase::Reset, |answer| answer == 0).map(|_| ())
}

/// Greets a device after a reset and agrees on features: all of `required` and what `wanted` picks
/// of the offer. `VERSION_1` is always required (§6.1). Returns the agreed features.
///
/// # Errors
/// It is another kind of device, silent, lacks a feature or refuses what it offered.
pub fn negotiate(
    regs: &mut DriverRegs,
    kind: u32,
    required: u64,
    wanted: impl Fn(u64) -> u64,
    patience: &mut Patience<'_>,
) -> Result<u64, VirtioError> {
    let claimed = regs.kind()?;
    if claimed != kind {
        return Err(DeviceError::Kind { claimed }.into());
    }
    regs.add_status(status::ACKNOWLEDGE | status::DRIVER);
    let asked = regs.own_status();
    patience.answer(regs, Phase::Greeting, |answer| answer == asked)?;

    let required = required | rkt_virtio::features::VERSION_1;
    let offered = regs.device_features()?;
    let missing = required & !offered;
    if missing != 0 {
        regs.add_status(status::FAILED);
        return Err(DeviceError::FeatureMissing { offered, missing }.into());
    }
    let accepted = offered & (required | wanted(offered));
    regs.set_driver_features(accepted)?;

    // A device that refuses answers with FAILED in place of FEATURES_OK: on this transport the
    // bit's mere absence could also be an answer that has not come yet.
    regs.add_status(status::FEATURES_OK);
    let answer = patience
        .answer(regs, Phase::Features, |answer| answer & (status::FEATURES_OK | status::FAILED) != 0)
        .inspect_err(|_| regs.add_status(status::FAILED))?;
    if answer != regs.own_status() {
        regs.add_status(status::FAILED);
        return Err(DeviceError::FeaturesRefused { accepted }.into());
    }
    Ok(accepted)
}

/// The size for a queue: `wanted`, or less if the device cannot have that many.
///
/// # Errors
/// `QueueSize` if the queue is missing, smaller than `least` or no power of two.
pub fn queue_size(regs: &DriverRegs, queue: u16, least: u16, wanted: u16) -> Result<u16, VirtioError> {
    let claimed = regs.queue_size_max(queue)?;
    if u32::from(queue) >= regs.num_queues()? || claimed < least || !split::valid_size(claimed) {
        return Err(DeviceError::QueueSize { queue, claimed }.into());
    }
    Ok(claimed.min(wanted))
}

/// Sets `DRIVER_OK` once the queues are set up, and waits until the device runs.
///
/// # Errors
/// The device did not answer.
pub fn start(regs: &mut DriverRegs, patience: &mut Patience<'_>) -> Result<(), DeviceError> {
    regs.add_status(status::DRIVER_OK);
    let asked = regs.own_status();
    patience.answer(regs, Phase::Start, |answer| answer == asked).map(|_| ())
}

/// Whether a started device still says what it said at the start.
///
/// # Errors
/// `Status` if it needs a reset or has lost its state.
pub fn alive(regs: &DriverRegs) -> Result<(), DeviceError> {
    let (asked, answer) = (regs.own_status(), regs.device_status());
    if answer == Some(asked) { Ok(()) } else { Err(DeviceError::Status { asked, answer }) }
}
