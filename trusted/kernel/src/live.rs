//! What the network counts while the program runs, for `--stats` and `rkt-io top`: text in the window, when the host asks.
//!
//! Queues of cards are the host's own devices. Whom the program talks to is told only if the manifest allows it
//! (`debug`).

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt::Write;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use rkt_net::{Description, Interface, Names, NetStack};
use rkt_platform::SpaceId;
use rkt_window::{layout, layout::header, layout::live};

/// Places in `struct tcp_info` (linux/tcp.h).
const RTT: usize = 68;
const WINDOW: usize = 80;
const RETRANSMITTED: usize = 100;
const ACKNOWLEDGED: usize = 120;
const RECEIVED: usize = 128;
const STREAM: u8 = 1;

/// What was asked last.
static ANSWERED: AtomicU32 = AtomicU32::new(0);
/// A thread is at it.
static ANSWERING: AtomicBool = AtomicBool::new(false);

fn asked() -> u32 {
    rkt_platform::window().read_u32(header::LIVE_ASKED).unwrap_or(0)
}

/// Whether the host asks, and nobody answers yet.
pub fn pending() -> bool {
    asked() != ANSWERED.load(Ordering::Relaxed) && !ANSWERING.load(Ordering::Relaxed)
}

/// Has the host answered, if it asks: by a thread, since who polls may take no lock of a socket.
pub fn poll() -> bool {
    if !pending() || ANSWERING.swap(true, Ordering::Acquire) {
        return false;
    }
    let thread = rkt_sched::spawn(
        SpaceId::FIRST,
        Box::new(|| {
            answer();
            ANSWERING.store(false, Ordering::Release);
        }),
    );
    if thread.is_none() {
        // No memory: the host gets no answer to this.
        ANSWERED.store(asked(), Ordering::Relaxed);
        ANSWERING.store(false, Ordering::Release);
    }
    true
}

/// The last words, if the host ever asked.
pub fn finish() {
    if asked() != 0 && !ANSWERING.swap(true, Ordering::Acquire) {
        answer();
    }
}

fn answer() {
    let asked = asked();
    ANSWERED.store(asked, Ordering::Relaxed);
    crate::log::publish_stats();
    let mut page = Page(String::new());
    if let Some(net) = crate::devices::net() {
        describe(net, &mut page);
    }
    // Addresses within the window's layout: these do not fail.
    let window = rkt_platform::window();
    let _ = window.write(layout::LIVE + live::TEXT, page.0.as_bytes());
    let _ = window.write_u32(layout::LIVE + live::LEN, page.0.len() as u32);
    if let Ok(answered) = window.atomic_u32(layout::LIVE + live::ANSWERED) {
        answered.store(asked, Ordering::Release);
    }
}

/// Lines, as many as there is room for.
struct Page(String);

impl Page {
    /// Adds a line. False: there is no room for it.
    fn add(&mut self, line: &str) -> bool {
        let fits = self.0.len() + line.len() <= layout::LIVE_LEN - live::TEXT;
        if fits {
            self.0.push_str(line);
        }
        fits
    }
}

fn describe(net: &NetStack, page: &mut Page) {
    for interface in net.interfaces() {
        queues(&interface, page);
    }
    if crate::boot::allows_debugging() {
        let _ = net.sockets().iter().filter_map(socket).all(|line| page.add(&line));
    }
}

fn queues(interface: &Interface, page: &mut Page) {
    for (nth, queue) in interface.queues.iter().enumerate() {
        let mut line = String::new();
        let _ = write!(line, "queue {} {nth}", interface.name);
        let _ = write!(line, " rx_frames={} rx_bytes={}", queue.rx_frames, queue.rx_bytes);
        let _ = write!(line, " rx_invalid={} tx_frames={}", queue.rx_invalid, queue.tx_frames);
        let _ = write!(line, " tx_bytes={} tx_full={}", queue.tx_bytes, queue.tx_full);
        let _ = writeln!(line, " kicks={} resets={}", queue.kicks, queue.resets);
        page.add(&line);
    }
}

/// A line of a socket of the Internet that is not the loopback's.
fn socket(socket: &Description) -> Option<String> {
    let Names::Internet { local, peer, info, .. } = &socket.names else { return None };
    if local.ip().is_loopback() || peer.is_some_and(|peer| peer.ip().is_loopback()) {
        return None;
    }
    let kind = if socket.kind == STREAM { "tcp" } else { "udp" };
    let mut line = String::new();
    let _ = write!(line, "socket {kind} {local} ");
    let _ = match peer {
        Some(peer) => write!(line, "{peer}"),
        None => write!(line, "*"),
    };
    let _ =
        write!(line, " state={} recv_queue={} send_queue={}", socket.state, socket.receive_queue, socket.send_queue);
    if !info.is_empty() && peer.is_some() {
        let word =
            |at: usize| info.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |word| u32::from_ne_bytes(*word));
        let long =
            |at: usize| info.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |long| u64::from_ne_bytes(*long));
        let _ = write!(line, " bytes_received={} bytes_acked={}", long(RECEIVED), long(ACKNOWLEDGED));
        let _ = write!(line, " retransmitted={} rtt_us={} cwnd={}", word(RETRANSMITTED), word(RTT), word(WINDOW));
    }
    line.push('\n');
    Some(line)
}
