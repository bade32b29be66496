//! Signals that the host asks for: hostile input, let in by the manifest (DESIGN §3.7).

use crate::signal::{self, Info};
use core::sync::atomic::Ordering;
use rkt_linux_abi::general::SIGWINCH;
use rkt_log::Event;
use rkt_window::layout::header;

/// Whether the host asks for any.
pub fn pending() -> bool {
    rkt_platform::window().read_u32(header::SIGNALS).is_ok_and(|bits| bits != 0)
}

/// Delivers what the host asks for to the first process.
pub fn poll() -> bool {
    if !pending() {
        return false;
    }
    let window = rkt_platform::window();
    let Ok(word) = window.atomic_u32(header::SIGNALS) else { return false };
    let bits = word.swap(0, Ordering::AcqRel);
    let Some(first) = crate::process::find(crate::boot::FIRST_PID) else { return false };
    for signal in (1..=31).filter(|signal| bits & (1 << (signal - 1)) != 0) {
        if signal == SIGWINCH && crate::tty::console::is_terminal() {
            crate::tty::console::resize();
        } else if crate::boot::manifest().signals.accepts(signal) {
            signal::send_to_process(&first, Info::kernel(signal));
        } else if signal != SIGWINCH {
            crate::log::event(Event::SignalRefused, &[u64::from(signal)]);
        }
    }
    true
}
