//! Programs that the host asks for beside the first one (`rkt-io exec`).
//!
//! The host may ask; whether anybody listens is for the manifest to say (`allow_exec`), and what is asked for is
//! hostile input. Such a program runs as the manifest's user, leads a session of its own and is nobody's
//! child: its status goes to the host.

mod request;
mod start;

use crate::boot;
use crate::process::{self, Ended, Process};
use crate::signal::{self, Info};
use crate::tty::{Master, Streams, Tty};
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use rkt_linux_abi::Errno;
use rkt_linux_abi::general::SIGWINCH;
use rkt_log::Event;
use rkt_sync::Mutex;
use rkt_window::Region;
use rkt_window::layout::{self, session, session_state};

/// A program that runs.
struct Session {
    pid: i32,
    /// Where it lies in the window.
    place: Region,
    streams: Arc<Streams>,
    terminal: Option<Arc<Master>>,
}

/// A place for a program, as the enclave knows it: the window's word for it is the host's to write.
#[derive(Clone)]
enum Place {
    Free,
    Starting,
    Runs(Arc<Session>),
}

static PLACES: [Mutex<Place>; layout::MAX_SESSIONS] = [const { Mutex::new(Place::Free) }; layout::MAX_SESSIONS];

/// Where place `number` lies in the window.
fn place(number: usize) -> Option<Region> {
    let offset = number.checked_mul(session::LEN)?.checked_add(layout::SESSIONS)?;
    rkt_platform::window().sub(offset, session::LEN).ok()
}

fn is_asked(place: &Region) -> bool {
    place.read_u32(session::STATE) == Ok(session_state::ASKED)
}

/// Answers the host: the status first, then the state that makes it one.
fn answer(number: usize, state: u32, status: u32) {
    let Some(place) = place(number) else { return };
    if place.write_u32(session::STATUS, status).is_ok()
        && let Ok(word) = place.atomic_u32(session::STATE)
    {
        word.store(state, Ordering::Release);
    }
    rkt_platform::ring_session(number);
}

/// Starts what the host asks for, and serves what runs. Called by the poller.
pub fn poll() -> bool {
    boot::allows_exec()
        && PLACES.iter().enumerate().fold(false, |any, (number, own)| {
            let running = {
                let mut own = own.lock();
                match &*own {
                    Place::Free if place(number).is_some_and(|place| is_asked(&place)) => {
                        *own = Place::Starting;
                        None
                    }
                    Place::Runs(running) => Some(running.clone()),
                    _ => return any,
                }
            };
            match running {
                Some(running) => running.poll() || any,
                None => {
                    begin(number);
                    true
                }
            }
        })
}

/// Whether `poll` would do anything.
pub fn has_work() -> bool {
    boot::allows_exec()
        && PLACES.iter().enumerate().any(|(number, own)| match &*own.lock() {
            Place::Free => place(number).is_some_and(|place| is_asked(&place)),
            Place::Starting => false,
            Place::Runs(running) => running.has_work(),
        })
}

fn set(number: usize, to: Place) {
    if let Some(own) = PLACES.get(number) {
        let before = core::mem::replace(&mut *own.lock(), to);
        drop(before);
    }
}

/// Starts the program of a place in a thread of its own, for it may wait for disks.
fn begin(number: usize) {
    let space = process::find(boot::FIRST_PID).map(|first| first.mm().space());
    let work = move || {
        if let Err(error) = start::program(number) {
            refuse(number, error);
        }
    };
    if space.and_then(|space| rkt_sched::spawn(space, Box::new(work))).is_none() {
        refuse(number, Errno::ENOMEM);
    }
}

fn refuse(number: usize, error: Errno) {
    set(number, Place::Free);
    answer(number, session_state::REFUSED, error.as_return().unsigned_abs() as u32);
}

/// A process that is nobody's child has ended: the host learns how, if it asked for it.
pub fn ended(process: &Process, how: Ended) {
    let found = PLACES.iter().enumerate().find_map(|(number, own)| match &*own.lock() {
        Place::Runs(running) if running.pid == process.pid => Some((number, running.clone())),
        _ => None,
    });
    if let Some((number, running)) = found {
        if let Some(master) = &running.terminal {
            running.streams.drain(&master.tty);
        }
        running.streams.close();
        set(number, Place::Free);
        answer(number, session_state::ENDED, how.wait_status());
    }
    process::forget(process.pid);
}

/// Moves bytes between a program's terminal and its rings.
fn pump(tty: &Arc<Tty>) {
    let its = |own: &Mutex<Place>| match &*own.lock() {
        Place::Runs(running) => running.has_terminal(tty).then(|| running.streams.clone()),
        _ => None,
    };
    if let Some(streams) = PLACES.iter().find_map(its) {
        streams.carry(tty);
    }
}

impl Session {
    fn has_terminal(&self, tty: &Arc<Tty>) -> bool {
        self.terminal.as_ref().is_some_and(|master| Arc::ptr_eq(&master.tty, tty))
    }

    fn poll(&self) -> bool {
        let signals = self.take_signals();
        let moved = match &self.terminal {
            Some(master) if self.streams.has_terminal_work(&master.tty) => {
                self.streams.carry(&master.tty);
                true
            }
            Some(_) => false,
            None => self.streams.poll(),
        };
        signals || moved
    }

    fn has_work(&self) -> bool {
        let signals = self.place.read_u32(session::SIGNALS).is_ok_and(|bits| bits != 0);
        signals
            || match &self.terminal {
                Some(master) => self.streams.has_terminal_work(&master.tty),
                None => self.streams.has_work(),
            }
    }

    /// Delivers the signals that the host asks for, as far as the manifest lets them in (DESIGN §3.7).
    fn take_signals(&self) -> bool {
        let Ok(word) = self.place.atomic_u32(session::SIGNALS) else { return false };
        if word.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let bits = word.swap(0, Ordering::AcqRel);
        for number in (1..=31).filter(|number| bits & (1 << (number - 1)) != 0) {
            match (&self.terminal, process::find(self.pid)) {
                (Some(master), _) if number == SIGWINCH => master.tty.set_size(size(&self.place)),
                (None, _) if number == SIGWINCH => {}
                (_, Some(process)) if boot::manifest().signals.accepts(number) => {
                    signal::send_to_process(&process, Info::kernel(number));
                }
                _ => crate::log::event(Event::SignalRefused, &[u64::from(number)]),
            }
        }
        true
    }
}

/// Rows and columns of the host's terminal, as `struct winsize` has them.
fn size(place: &Region) -> [u16; 4] {
    let size = place.read_u32(session::WINSIZE).unwrap_or(0);
    [size as u16, (size >> 16) as u16, 0, 0]
}
