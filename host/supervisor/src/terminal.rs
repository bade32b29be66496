//! The host's terminal: its size and settings for the enclave, and its settings back at the end.

use crate::sys::{self, TERMIOS_LEN};
use rkt_window::{OutOfBounds, Region, layout::header};
use std::fs::File;
use std::sync::Arc;

/// The terminal that the program uses.
#[derive(Clone)]
pub(crate) struct Terminal {
    saved: Arc<Saved>,
}

struct Saved {
    tty: File,
    settings: [u8; TERMIOS_LEN],
}

/// Gives the terminal its settings back when dropped.
pub(crate) struct RestoreOnDrop(Arc<Saved>);

impl Drop for RestoreOnDrop {
    fn drop(&mut self) {
        // A terminal that is gone needs no restoring.
        let _ = sys::set_terminal(&self.0.tty, &self.0.settings);
    }
}

impl Terminal {
    /// Takes note of the settings of `tty`.
    ///
    /// # Errors
    /// If it is no terminal.
    pub(crate) fn new(tty: File) -> std::io::Result<Self> {
        let settings = sys::terminal_settings(&tty)?;
        Ok(Self { saved: Arc::new(Saved { tty, settings }) })
    }

    /// Something to keep until the program has ended.
    pub(crate) fn guard(&self) -> RestoreOnDrop {
        RestoreOnDrop(Arc::clone(&self.saved))
    }

    /// Tells the enclave the settings at the start.
    pub(crate) fn publish(&self, window: &Region) -> Result<(), OutOfBounds> {
        window.write(header::TERMIOS, &self.saved.settings)?;
        self.publish_size(window)
    }

    /// Tells the enclave the size.
    pub(crate) fn publish_size(&self, window: &Region) -> Result<(), OutOfBounds> {
        match rustix::termios::tcgetwinsize(&self.saved.tty) {
            Ok(size) => window.write_u32(header::WINSIZE, u32::from(size.ws_row) | u32::from(size.ws_col) << 16),
            Err(_) => Ok(()),
        }
    }

    /// Applies the settings that the enclave asks for.
    pub(crate) fn apply(&self, window: &Region) -> Result<(), OutOfBounds> {
        let mut settings = [0; TERMIOS_LEN];
        window.read(header::TERMIOS, &mut settings)?;
        // The enclave has answered its program already; a terminal that hung up stays as it is.
        let _ = sys::set_terminal(&self.saved.tty, &settings);
        Ok(())
    }
}
