//! The asking side of `rkt-io exec`: streams, signals and the terminal of whoever asks.

use crate::sys;
use crate::terminal::Terminal;
use anyhow::{Context, Result, bail};
use rkt_runs::{Ask, Link, Message, Reply, Run};
use rustix::termios::{OptionalActions, tcgetattr, tcgetwinsize, tcsetattr};
use std::fs::File;
use std::io::{stderr, stdin, stdout};
use std::os::fd::AsFd;
use std::time::Duration;

/// Signals that are passed on to the program.
const FORWARDED: [i32; 4] = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGWINCH];
/// Longest wait for a signal at once.
const PATIENCE: Duration = Duration::from_secs(3600);

/// Has a program run in an enclave and returns the status to exit with. With `terminal` it gets ours,
/// which passes everything on meanwhile.
///
/// # Errors
/// If the enclave has ended or does not allow it, or `terminal` is asked for and there is none.
pub fn exec(run: &Run, mut ask: Ask, input: bool, terminal: bool) -> Result<u8> {
    sys::block(&FORWARDED);
    let terminal = match terminal {
        true => Some(Terminal::new(File::from(stdin().as_fd().try_clone_to_owned()?)).context("-t needs a terminal")?),
        false => None,
    };
    if terminal.is_some() {
        ask.terminal = Some(size());
    }
    // Read here, not by the supervisor: it may be in the background of the same terminal, and what it read
    // beyond the program's end would be lost to whoever reads next.
    let (from, to) = if input { std::io::pipe().map(|(from, to)| (Some(from), Some(to)))? } else { (None, None) };
    let mut link = run.ask(&ask, from.as_ref().map(|from| from.as_fd()), [stdout().as_fd(), stderr().as_fd()])?;
    drop(from);
    let restored_when_dropped = terminal.as_ref().map(Terminal::guard);
    if terminal.is_some() {
        let mut settings = tcgetattr(stdin())?;
        settings.make_raw();
        tcsetattr(stdin(), OptionalActions::Drain, &settings)?;
    }
    if let Some(mut to) = to {
        // Ends with this process, or when the program takes no more.
        std::thread::spawn(move || std::io::copy(&mut stdin().lock(), &mut to));
    }
    let messages = link.writer()?;
    std::thread::spawn(move || forward(messages));
    let reply = link.receive()?;
    drop(restored_when_dropped);
    match reply {
        Some(Reply::Ended(status)) => Ok(status),
        Some(Reply::Refused { status, reason }) => {
            eprintln!("rkt-io: {reason}");
            Ok(status)
        }
        None => bail!("the enclave ended before the program did"),
    }
}

/// Passes signals on until the other side has gone.
fn forward(mut to: Link) {
    loop {
        let message = match sys::wait_for_signal(&FORWARDED, PATIENCE) {
            None => continue,
            Some(libc::SIGWINCH) => {
                let (rows, columns) = size();
                Message::Size(rows, columns)
            }
            Some(signal) => Message::Signal(signal as u8),
        };
        if to.send(&message).is_err() {
            return;
        }
    }
}

/// Rows and columns of the terminal.
fn size() -> (u16, u16) {
    tcgetwinsize(stdin()).map_or((0, 0), |size| (size.ws_row, size.ws_col))
}
