//! RACK (RFC 8985 §6): a segment is lost if one that was sent after it has arrived, and a little time for
//! reordering has passed.

use crate::scoreboard::{Marks, Scoreboard, Sent};

/// A DSACK's wider window holds for so many recoveries (RFC 8985 §6.2 step 4).
const PERSIST: u8 = 16;
/// The window is a quarter of the least round trip, times a multiplier up to this.
const MULTIPLIER_MAX: u8 = 255;

/// RACK's variables. Times are in ns.
#[derive(Default)]
pub(crate) struct Rack {
    /// RACK.xmit_ts and RACK.end_seq: the segment sent last among those that arrived.
    newest: (u64, u64),
    /// RACK.rtt.
    rtt: u64,
    /// RACK.fack: the highest number that arrived.
    highest: u64,
    /// RACK.reordering_seen.
    reordered: bool,
    /// RACK.reo_wnd_mult less one.
    more: u8,
    persist: u8,
    /// RACK.dsack_round.
    round: u64,
}

impl Rack {
    /// A piece arrived (steps 1 to 3). `early`: the peer's echo says that it answers something sent before
    /// the piece's retransmission.
    pub(crate) fn on_delivered(&mut self, piece: &Sent, now: u64, min_rtt: u64, early: bool) {
        let resent = piece.is(Marks::RESENT);
        if piece.end > self.highest {
            self.highest = piece.end;
        } else if piece.end < self.highest && !resent {
            self.reordered = true;
        }
        let rtt = now.saturating_sub(piece.time);
        if resent && (early || rtt < min_rtt) {
            return;
        }
        self.rtt = rtt;
        self.newest = self.newest.max((piece.time, piece.end));
    }

    /// The peer says that it got something twice: we were hasty (step 4).
    pub(crate) fn on_duplicate(&mut self, una: u64, nxt: u64) {
        if una >= self.round {
            self.round = nxt;
            self.more = self.more.saturating_add(1).min(MULTIPLIER_MAX - 1);
            self.persist = PERSIST;
        }
    }

    /// A recovery has ended.
    pub(crate) fn on_recovered(&mut self) {
        self.persist = self.persist.saturating_sub(1);
        if self.persist == 0 {
            self.more = 0;
        }
    }

    /// Reordering was seen.
    pub(crate) fn reordered(&self) -> bool {
        self.reordered
    }

    /// What looked lost had only been overtaken.
    pub(crate) fn note_reordering(&mut self) {
        self.reordered = true;
    }

    /// RACK.reo_wnd (step 4). `hurry`: in recovery, or as much arrived out of order as duplicate
    /// acknowledgments would count.
    pub(crate) fn window(&self, hurry: bool, min_rtt: u64, smoothed: u64) -> u64 {
        if !self.reordered && hurry {
            return 0;
        }
        if min_rtt == u64::MAX {
            return 0;
        }
        (min_rtt / 4).saturating_mul(1 + u64::from(self.more)).min(smoothed)
    }

    /// Marks what is lost (step 5). Returns how many bytes, and how long from now the rest may wait.
    pub(crate) fn detect(&self, board: &mut Scoreboard, now: u64, window: u64) -> (u64, Option<u64>) {
        let mut lost = 0;
        let mut wait = None;
        for index in 0..board.count() {
            let Some(piece) = board.get(index) else { break };
            let waits = piece.is(Marks::LOST) && !piece.is(Marks::FLYING);
            if piece.is(Marks::SACKED) || waits {
                continue;
            }
            if (piece.time, piece.end) >= self.newest {
                if piece.is(Marks::RESENT) {
                    continue;
                }
                // What follows was sent later still.
                break;
            }
            let deadline = piece.time.saturating_add(self.rtt).saturating_add(window);
            if deadline <= now {
                lost += piece.len();
                board.mark_lost(index);
            } else {
                wait = wait.max(Some(deadline - now));
            }
        }
        (lost, wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent() -> Scoreboard {
        let mut board = Scoreboard::default();
        (0..5).for_each(|i| board.push(i * 100, (i + 1) * 100, 1000 + i));
        board
    }

    fn deliver(rack: &mut Rack, board: &mut Scoreboard, now: u64, start: u64, end: u64) {
        board.sack(start, end, 100, |piece| rack.on_delivered(piece, now, 100, false));
    }

    #[test]
    fn what_was_sent_before_a_delivered_piece_is_lost_after_the_window() {
        let (mut rack, mut board) = (Rack::default(), sent());
        deliver(&mut rack, &mut board, 1102, 200, 300);
        assert_eq!(rack.window(true, 100, 100), 0);
        let window = rack.window(false, 100, 100);
        assert_eq!(rack.detect(&mut board, 1102, window), (0, Some(24)));
        assert_eq!(rack.detect(&mut board, 1125, window), (100, Some(1)));
        assert_eq!(rack.detect(&mut board, 1126, window), (100, None));
        assert_eq!(board.lost(), 200);
    }

    #[test]
    fn a_lost_retransmission_is_found_by_what_was_sent_after_it() {
        let (mut rack, mut board) = (Rack::default(), sent());
        deliver(&mut rack, &mut board, 1102, 200, 300);
        rack.detect(&mut board, 1102, 0);
        board.resent(0, 1110);
        board.resent(1, 1111);
        deliver(&mut rack, &mut board, 1220, 100, 200);
        assert_eq!(rack.detect(&mut board, 1220, 0).0, 300);
        assert_eq!(board.next_lost(), Some(0));
    }

    #[test]
    fn overtaking_is_remembered_and_duplicates_widen_the_window() {
        let (mut rack, mut board) = (Rack::default(), sent());
        deliver(&mut rack, &mut board, 1102, 200, 300);
        assert!(!rack.reordered());
        deliver(&mut rack, &mut board, 1103, 0, 100);
        assert!(rack.reordered());
        assert_eq!(rack.window(true, 100, 1000), 25);
        rack.on_duplicate(0, 500);
        rack.on_duplicate(100, 500);
        assert_eq!(rack.window(true, 100, 1000), 50);
        (0..PERSIST).for_each(|_| rack.on_recovered());
        assert_eq!(rack.window(true, 100, 1000), 25);
    }

    #[test]
    fn an_echo_older_than_the_retransmission_says_nothing_about_it() {
        let (mut rack, mut board) = (Rack::default(), sent());
        board.mark_lost(0);
        board.resent(0, 2000);
        board.acknowledge(100, |piece| rack.on_delivered(piece, 2010, 5, true));
        assert_eq!(rack.newest, (0, 0));
    }
}
