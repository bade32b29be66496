//! What the host asks for: arguments, variables and a folder.

use alloc::vec;
use alloc::vec::Vec;
use rkt_linux_abi::{Errno, Result};
use rkt_window::layout::session;
use rkt_window::{OutOfBounds, Region};

/// A request, checked as far as it can be by itself.
pub struct Request {
    /// Where to start; empty = where the first program did.
    pub workdir: Vec<u8>,
    /// The program and its arguments; never empty.
    pub argv: Vec<Vec<u8>>,
    /// Variables beside the manifest's.
    pub env: Vec<Vec<u8>>,
    /// Whether it wants a terminal.
    pub terminal: bool,
    /// Whether there is standard input.
    pub input: bool,
}

impl Request {
    /// Copies the request out of the window and takes it apart.
    ///
    /// # Errors
    /// `E2BIG` or `EINVAL` if the host's numbers do not fit together.
    pub fn read(place: &Region) -> Result<Self> {
        let word = |offset: usize| place.read_u32(offset).map_err(|OutOfBounds { .. }| Errno::EINVAL);
        let (flags, count, len) = (word(session::FLAGS)?, word(session::ARGUMENTS)? as usize, word(session::TEXT_LEN)?);
        let len = Some(len as usize).filter(|&len| len <= session::TEXT_MAX).ok_or(Errno::E2BIG)?;
        let mut text = vec![0; len];
        place.read(session::TEXT, &mut text).map_err(|OutOfBounds { .. }| Errno::EINVAL)?;
        // Every string ends in a zero.
        let text = text.strip_suffix(&[0]).ok_or(Errno::EINVAL)?;
        let mut strings = text.split(|&byte| byte == 0).map(<[u8]>::to_vec);
        let workdir = strings.next().ok_or(Errno::EINVAL)?;
        let argv: Vec<_> = strings.by_ref().take(count).collect();
        if argv.len() != count || argv.first().is_none_or(Vec::is_empty) {
            return Err(Errno::EINVAL);
        }
        let (terminal, input) = (flags & session::TERMINAL != 0, flags & session::INPUT != 0);
        Ok(Self { workdir, argv, env: strings.collect(), terminal, input })
    }
}
