//! The sending half: the send sequence space (RFC 9293 §3.3.1) and the send buffer.

use crate::buffer::{FRUGAL, Ring};
use crate::config::BufferSize;
use crate::seq;

/// Send variables and buffer.
pub(crate) struct Sender {
    /// Bytes from [`Sender::data_start`] on: sent and not acknowledged, then unsent.
    pub(crate) ring: Ring,
    /// ISS.
    pub(crate) iss: u64,
    /// SND.UNA.
    pub(crate) una: u64,
    /// SND.NXT.
    pub(crate) nxt: u64,
    /// SND.WND, scaled.
    pub(crate) wnd: u64,
    /// The largest window the peer has offered (RFC 5961 §5.2's MAX.SND.WND).
    pub(crate) max_wnd: u64,
    /// SND.WL1.
    pub(crate) wl1: u64,
    /// SND.WL2.
    pub(crate) wl2: u64,
    /// Snd.Wind.Shift.
    pub(crate) scale: u8,
    /// What the peer takes at most, options not counted (RFC 9293 §3.7.1's SendMSS).
    pub(crate) peer_mss: u16,
    /// What the path takes at most (RFC 1191, 4821).
    pub(crate) path_mss: u16,
    /// Where our FIN stands: behind the buffer.
    pub(crate) fin: Option<u64>,
    /// End of the last small segment (Minshall's variant of Nagle).
    pub(crate) small: u64,
    /// The application said that more follows.
    pub(crate) more: bool,
    /// Data up to here is sent although it is partial: corks have run out, or the window was probed.
    pub(crate) forced: u64,
    /// SND.UP: behind the urgent byte.
    pub(crate) up: u64,
    /// When data was last sent, in ns.
    pub(crate) last: u64,
    /// Limit of the buffer in bytes, and of its tuning.
    pub(crate) limit: u32,
    pub(crate) max_limit: u32,
    /// The writer found the buffer full.
    pub(crate) starved: bool,
    /// Memory is short.
    pub(crate) frugal: bool,
}

impl Sender {
    pub(crate) fn new(iss: u32, size: BufferSize) -> Self {
        let iss = seq::first(iss);
        Self {
            ring: Ring::default(),
            iss,
            una: iss,
            nxt: iss,
            wnd: 0,
            max_wnd: 0,
            wl1: 0,
            wl2: 0,
            scale: 0,
            peer_mss: 536,
            path_mss: u16::MAX,
            fin: None,
            small: 0,
            more: false,
            forced: 0,
            up: 0,
            last: 0,
            limit: size.initial,
            max_limit: size.max.max(size.initial),
            starved: false,
            frugal: false,
        }
    }

    /// The number of the buffer's first byte.
    pub(crate) fn data_start(&self) -> u64 {
        self.una.max(self.iss + 1)
    }

    /// The number behind the buffer's last byte.
    pub(crate) fn data_end(&self) -> u64 {
        self.data_start() + self.ring.len() as u64
    }

    /// The number behind everything, FIN included.
    pub(crate) fn end(&self) -> u64 {
        self.fin.map_or_else(|| self.data_end(), |fin| fin + 1)
    }

    /// Our FIN was acknowledged.
    pub(crate) fn fin_acked(&self) -> bool {
        self.fin.is_some_and(|fin| self.una > fin)
    }

    /// Maximum payload of a segment without options.
    pub(crate) fn mss(&self) -> u16 {
        self.peer_mss.min(self.path_mss)
    }

    /// The right edge of the peer's window.
    pub(crate) fn edge(&self) -> u64 {
        self.una + self.wnd
    }

    /// The sequence number of a segment without text: SND.NXT, unless the peer has shrunk its window (which it
    /// should not, RFC 9293 §3.8.6) by more than the scale rounds, and would drop that.
    pub(crate) fn bare_seq(&self) -> u64 {
        let beyond = self.nxt.saturating_sub(self.edge());
        if beyond >> self.scale == 0 { self.nxt } else { self.edge() }
    }

    /// Room in the buffer.
    pub(crate) fn room(&self) -> usize {
        self.limit().saturating_sub(self.ring.len())
    }

    /// Bytes that the buffer may hold now.
    fn limit(&self) -> usize {
        let limit = self.limit as usize;
        if self.frugal { limit.min(self.ring.capacity().max(FRUGAL)) } else { limit }
    }

    /// Writers are woken when a third of the buffer is free (Linux's `sk_stream_is_writeable`).
    pub(crate) fn is_writable(&self) -> bool {
        self.room() >= self.limit() / 3
    }

    /// The buffer is to hold two congestion windows (Linux's `tcp_sndbuf_expand`).
    pub(crate) fn tune(&mut self, cwnd: u64) {
        let wanted = (2 * cwnd).min(self.max_limit.into()) as u32;
        self.limit = self.limit.max(wanted);
    }

    /// The window of a segment that is not older than the last that told one (RFC 9293 §3.10.7.4).
    /// True: it changed.
    pub(crate) fn update_window(&mut self, seq: u64, ack: u64, window: u16) -> bool {
        let wnd = u64::from(window) << self.scale;
        let newer = ack > self.una || seq > self.wl1 || (seq == self.wl1 && ack >= self.wl2);
        if !newer {
            return false;
        }
        (self.wl1, self.wl2) = (seq, ack);
        let changed = wnd != self.wnd;
        self.wnd = wnd;
        self.max_wnd = self.max_wnd.max(wnd);
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fin_follows_the_buffer_and_is_acknowledged_behind_it() {
        let mut sender = Sender::new(7, BufferSize { initial: 100, max: 200 });
        sender.una += 1;
        assert!(sender.ring.reserve(10));
        sender.ring.commit(10);
        assert_eq!(sender.end(), sender.iss + 11);
        sender.fin = Some(sender.data_end());
        assert_eq!(sender.end(), sender.iss + 12);
        sender.ring.consume(10);
        sender.una += 10;
        assert!(!sender.fin_acked());
        sender.una += 1;
        assert!(sender.fin_acked());
        assert_eq!(sender.end(), sender.una);
    }

    #[test]
    fn an_old_segment_does_not_change_the_window() {
        let mut sender = Sender::new(0, BufferSize { initial: 100, max: 200 });
        assert!(sender.update_window(10, 5, 100));
        assert!(!sender.update_window(9, sender.una, 50));
        assert!(sender.update_window(10, 6, 0));
        assert_eq!((sender.wnd, sender.max_wnd), (0, 100));
    }

    #[test]
    fn the_buffer_grows_with_the_window_up_to_its_bound() {
        let mut sender = Sender::new(0, BufferSize { initial: 100, max: 200 });
        sender.tune(70);
        assert_eq!(sender.limit, 140);
        sender.tune(1000);
        assert_eq!(sender.limit, 200);
    }
}
