//! A transfer over a link, and what comes of it.

use crate::{Cell, Place, Side};
use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Who sends to whom. The near end is the enclave or Linux, the far end is Linux.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flow {
    /// Linux to Linux: what ours is measured by.
    LinuxToLinux,
    /// Ours sends.
    EnclaveToLinux,
    /// Ours receives.
    LinuxToEnclave,
}

/// One side's account of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Transfer {
    /// Bytes, each compared by the receiver.
    pub bytes: u64,
    /// From the first byte to the end.
    pub seconds: f64,
}

impl Transfer {
    /// Megabits a second.
    pub fn rate(&self) -> f64 {
        self.bytes as f64 * 8.0 / 1e6 / self.seconds.max(1e-6)
    }
}

/// How long a transfer is.
#[derive(Clone, Debug)]
pub struct Options {
    /// The sender stops after so long,
    pub seconds: f64,
    /// or so many bytes.
    pub bytes: u64,
    /// Seed of the link.
    pub seed: u64,
    /// Where what was sent is kept.
    pub capture: Option<PathBuf>,
}

/// Runs a transfer. What the receiver says.
///
/// # Errors
/// A byte is wrong or missing, a connection failed, or the place cannot be built.
pub fn measure(flow: Flow, cell: &Cell, options: &Options) -> Result<Transfer> {
    let side = if flow == Flow::LinuxToLinux { Side::Linux } else { Side::Enclave };
    let near_sends = flow != Flow::LinuxToEnclave;
    // Whichever end sends, its data has the same fate, and so have the acknowledgments.
    let (data, acknowledgments) = (2 * options.seed, 2 * options.seed + 1);
    let seeds = if near_sends { [data, acknowledgments] } else { [acknowledgments, data] };
    let place = Place::new(side, cell, seeds, options.capture.as_deref())?;
    let words = |what: &str| [what.to_owned(), options.seconds.to_string(), options.bytes.to_string()];
    let (near, far) = if near_sends { ("send", "receive") } else { ("receive", "send") };
    let far = place.listen(&words(far))?;
    let near = place.connect(&words(near))?;
    let (near, far) = (near.answer()?, far.answer()?);
    place.close()?;
    let (near, far): (Transfer, Transfer) = (serde_json::from_str(&near)?, serde_json::from_str(&far)?);
    ensure!(near.bytes == far.bytes, "{} bytes at the near end, {} at the far one", near.bytes, far.bytes);
    Ok(if near_sends { far } else { near })
}
