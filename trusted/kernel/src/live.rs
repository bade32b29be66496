//! What the network counts while the program runs, for `--stats` and `rkt-io top`: text in the window, when the host asks.
//!
//! It tells what the host sees anyway of a network that is not encrypted: queues of cards, and connections over them.

use alloc::string::String;
use core::fmt::Write;
use core::sync::atomic::{AtomicU32, Ordering};
use rkt_net::{Description, Names, NetStack};
use rkt_window::{layout, layout::header, layout::live};

/// Sockets that are listed at most.
const MOST: usize = 500;
/// Places in `struct tcp_info` (linux/tcp.h).
const RTT: usize = 68;
const WINDOW: usize = 80;
const RETRANSMITTED: usize = 100;
const ACKNOWLEDGED: usize = 120;
const RECEIVED: usize = 128;
const STREAM: u8 = 1;

/// What was asked last.
static ANSWERED: AtomicU32 = AtomicU32::new(0);

fn asked() -> u32 {
    rkt_platform::window().read_u32(header::LIVE_ASKED).unwrap_or(0)
}

/// Whether the host asks.
pub fn pending() -> bool {
    asked() != ANSWERED.load(Ordering::Relaxed)
}

/// Answers, if the host asks.
pub fn poll() -> bool {
    let asked = asked();
    if ANSWERED.swap(asked, Ordering::Relaxed) == asked {
        return false;
    }
    let text = crate::devices::net().map(|net| text(net)).unwrap_or_default();
    let bytes = text.as_bytes();
    let bytes = bytes.get(..layout::LIVE_LEN - live::TEXT).unwrap_or(bytes);
    let Ok(area) = rkt_platform::window().sub(layout::LIVE, layout::LIVE_LEN) else { return false };
    let written = area.write(live::TEXT, bytes).is_ok() && area.write_u32(live::LEN, bytes.len() as u32).is_ok();
    if written && let Ok(answered) = area.atomic_u32(live::ANSWERED) {
        answered.store(asked, Ordering::Release);
    }
    true
}

fn text(net: &NetStack) -> String {
    let mut text = String::new();
    for interface in net.interfaces() {
        for (nth, queue) in interface.queues.iter().enumerate() {
            let _ = write!(text, "queue {} {nth}", interface.name);
            let _ = write!(text, " rx_frames={} rx_bytes={}", queue.rx_frames, queue.rx_bytes);
            let _ = write!(text, " rx_invalid={} tx_frames={}", queue.rx_invalid, queue.tx_frames);
            let _ = write!(text, " tx_bytes={} tx_full={}", queue.tx_bytes, queue.tx_full);
            let _ = writeln!(text, " kicks={} resets={}", queue.kicks, queue.resets);
        }
    }
    net.sockets().iter().filter_map(line).take(MOST).for_each(|line| text.push_str(&line));
    text
}

/// A line of a socket of the Internet that is not the loopback's.
fn line(socket: &Description) -> Option<String> {
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
