//! What was sent and not yet acknowledged: the scoreboard of RFC 6675 §3, with the times that RACK needs
//! (RFC 8985 §5.1).

use alloc::collections::VecDeque;
use bitflags::bitflags;

bitflags! {
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(crate) struct Marks: u8 {
        /// The peer has it (RFC 2018 §4).
        const SACKED = 1;
        /// Deemed lost.
        const LOST = 2;
        /// Sent more than once.
        const RESENT = 4;
        /// Deemed lost and on its way again.
        const FLYING = 8;
    }
}

/// A piece of the stream that was sent at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// When it was last sent.
    pub(crate) time: u64,
    pub(crate) marks: Marks,
}

impl Sent {
    pub(crate) fn len(&self) -> u64 {
        self.end - self.start
    }

    pub(crate) fn is(&self, mark: Marks) -> bool {
        self.marks.contains(mark)
    }
}

/// The pieces in order of sequence number, without holes, and what they sum up to.
///
/// Pieces that the peer has are merged, so the list is as long as there are pieces in flight and holes.
#[derive(Default)]
pub(crate) struct Scoreboard {
    pieces: VecDeque<Sent>,
    sacked: u64,
    lost: u64,
    flying: u64,
    /// No piece below it is lost and waits to be sent again.
    hint: u64,
}

impl Scoreboard {
    /// A new piece at the end.
    pub(crate) fn push(&mut self, start: u64, end: u64, time: u64) {
        self.pieces.push_back(Sent { start, end, time, marks: Marks::empty() });
    }

    /// Gives memory back that nothing lies in.
    pub(crate) fn trim(&mut self) {
        if self.pieces.is_empty() {
            self.pieces = VecDeque::new();
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Pieces, merged ones counted once.
    pub(crate) fn count(&self) -> usize {
        self.pieces.len()
    }

    #[cfg(test)]
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Sent> {
        self.pieces.iter()
    }

    pub(crate) fn get(&self, index: usize) -> Option<Sent> {
        self.pieces.get(index).copied()
    }

    pub(crate) fn last(&self) -> Option<Sent> {
        self.pieces.back().copied()
    }

    /// Bytes that the peer reported.
    pub(crate) fn sacked(&self) -> u64 {
        self.sacked
    }

    /// Bytes deemed lost, sent again or not.
    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }

    /// Bytes sent again and not yet acknowledged.
    pub(crate) fn flying(&self) -> u64 {
        self.flying
    }

    /// Bytes in the network (pipe, RFC 6675 §4).
    pub(crate) fn pipe(&self) -> u64 {
        let all = match (self.pieces.front(), self.pieces.back()) {
            (Some(first), Some(last)) => last.end - first.start,
            _ => 0,
        };
        (all + self.flying).saturating_sub(self.sacked + self.lost)
    }

    /// Everything below `una` was acknowledged: `each` sees the pieces, cut at `una`.
    pub(crate) fn acknowledge(&mut self, una: u64, mut each: impl FnMut(&Sent)) {
        while let Some(first) = self.pieces.front_mut() {
            if first.start >= una {
                break;
            }
            let gone = Sent { end: first.end.min(una), ..*first };
            first.start = gone.end;
            if first.start == first.end {
                self.pieces.pop_front();
            }
            self.count_out(&gone);
            each(&gone);
        }
        if self.pieces.is_empty() && self.pieces.capacity() > 64 {
            self.pieces = VecDeque::new();
        }
    }

    /// The peer has `start..end`: `each` sees the pieces that this is news for. Pieces are cut only at
    /// multiples of `mss` from their start, so a peer that reports odd bytes cannot make them small.
    pub(crate) fn sack(&mut self, start: u64, end: u64, mss: u64, mut each: impl FnMut(&Sent)) {
        let mut index = self.pieces.partition_point(|piece| piece.end <= start);
        while let Some(piece) = self.get(index) {
            if piece.start >= end {
                break;
            }
            if piece.is(Marks::SACKED) {
                index += 1;
                continue;
            }
            let from = piece.start + start.saturating_sub(piece.start).next_multiple_of(mss);
            let to = if end >= piece.end { piece.end } else { end - (end - piece.start) % mss };
            if from >= to {
                index += 1;
                continue;
            }
            self.split(index, to);
            if self.split(index, from) {
                index += 1;
            }
            if let Some(piece) = self.pieces.get_mut(index) {
                let seen = *piece;
                piece.marks = Marks::SACKED;
                self.count_out(&seen);
                self.sacked += seen.len();
                each(&seen);
            }
            index = self.merge(index) + 1;
        }
    }

    /// The piece at `index` is deemed lost.
    pub(crate) fn mark_lost(&mut self, index: usize) {
        let Some(piece) = self.pieces.get_mut(index) else { return };
        if piece.is(Marks::SACKED) {
            return;
        }
        if !piece.is(Marks::LOST) {
            self.lost += piece.len();
        }
        if piece.is(Marks::FLYING) {
            self.flying -= piece.len();
        }
        piece.marks = (piece.marks | Marks::LOST) - Marks::FLYING;
        self.hint = self.hint.min(piece.start);
    }

    /// All that the peer has not reported is deemed lost. `reneged`: what it reported, too (RFC 2018 §8).
    pub(crate) fn mark_all_lost(&mut self, reneged: bool) {
        if reneged {
            self.pieces.iter_mut().for_each(|piece| piece.marks -= Marks::SACKED);
            self.sacked = 0;
        }
        (0..self.pieces.len()).for_each(|index| self.mark_lost(index));
    }

    /// Nothing is lost after all.
    pub(crate) fn unmark_lost(&mut self) {
        self.pieces.iter_mut().for_each(|piece| piece.marks -= Marks::LOST | Marks::FLYING);
        (self.lost, self.flying) = (0, 0);
    }

    /// The first piece that is lost and was not sent again since.
    pub(crate) fn next_lost(&mut self) -> Option<usize> {
        if self.lost == self.flying {
            return None;
        }
        let from = self.pieces.partition_point(|piece| piece.end <= self.hint);
        let waits = |piece: &Sent| piece.is(Marks::LOST) && !piece.is(Marks::FLYING);
        let found = self.pieces.iter().skip(from).position(waits).map(|at| from + at);
        self.hint = found.and_then(|index| self.get(index)).map_or(u64::MAX, |piece| piece.start);
        found
    }

    /// The piece at `index` is sent again.
    pub(crate) fn resent(&mut self, index: usize, now: u64) {
        let Some(piece) = self.pieces.get_mut(index) else { return };
        piece.time = now;
        piece.marks |= Marks::RESENT;
        if piece.is(Marks::LOST) && !piece.is(Marks::FLYING) {
            piece.marks |= Marks::FLYING;
            self.flying += piece.len();
        }
    }

    /// Cuts the piece at `index` in two, if `at` lies inside.
    pub(crate) fn split(&mut self, index: usize, at: u64) -> bool {
        let Some(piece) = self.pieces.get_mut(index) else { return false };
        if at <= piece.start || at >= piece.end {
            return false;
        }
        let second = Sent { start: at, ..*piece };
        piece.end = at;
        self.pieces.insert(index + 1, second);
        true
    }

    /// Joins the piece at `index` with neighbours that the peer has as well; says where it is now.
    fn merge(&mut self, index: usize) -> usize {
        let is_sacked = |piece: Option<Sent>| piece.is_some_and(|piece| piece.is(Marks::SACKED));
        if is_sacked(self.get(index + 1)) {
            self.absorb_next(index);
        }
        match index.checked_sub(1) {
            Some(before) if is_sacked(self.get(before)) => {
                self.absorb_next(before);
                before
            }
            _ => index,
        }
    }

    fn absorb_next(&mut self, index: usize) {
        let Some(next) = self.pieces.remove(index + 1) else { return };
        if let Some(piece) = self.pieces.get_mut(index) {
            piece.end = next.end;
        }
    }

    fn count_out(&mut self, piece: &Sent) {
        let count = |mark| if piece.is(mark) { piece.len() } else { 0 };
        self.sacked -= count(Marks::SACKED);
        self.lost -= count(Marks::LOST);
        self.flying -= count(Marks::FLYING);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn board() -> Scoreboard {
        let mut board = Scoreboard::default();
        (0..10).for_each(|i| board.push(i * 100, (i + 1) * 100, i));
        board
    }

    fn shape(board: &Scoreboard) -> Vec<(u64, u64, Marks)> {
        board.iter().map(|piece| (piece.start, piece.end, piece.marks)).collect()
    }

    #[test]
    fn what_the_peer_has_is_merged_and_out_of_the_pipe() {
        let mut board = board();
        let mut news = 0;
        for (start, end) in [(500, 700), (500, 800), (300, 400), (400, 500)] {
            board.sack(start, end, 100, |piece| news += piece.len());
        }
        assert_eq!((news, board.sacked(), board.pipe(), board.count()), (500, 500, 500, 6));
        assert_eq!(shape(&board)[3], (300, 800, Marks::SACKED));
        board.acknowledge(800, |_| ());
        assert_eq!((board.sacked(), board.pipe()), (0, 200));
    }

    #[test]
    fn odd_blocks_do_not_cut_segments() {
        let mut board = Scoreboard::default();
        board.push(0, 1000, 0);
        board.sack(150, 450, 100, |_| ());
        assert_eq!(shape(&board).iter().map(|p| (p.0, p.1)).collect::<Vec<_>>(), [(0, 200), (200, 400), (400, 1000)]);
        let before = board.count();
        for at in 0..99 {
            board.sack(401 + at, 402 + at, 100, |_| ());
        }
        assert_eq!(board.count(), before);
    }

    #[test]
    fn lost_pieces_are_sent_again_in_order_and_may_be_lost_again() {
        let mut board = board();
        board.mark_lost(4);
        board.mark_lost(2);
        assert_eq!((board.pipe(), board.next_lost()), (800, Some(2)));
        board.resent(2, 20);
        assert_eq!((board.pipe(), board.next_lost()), (900, Some(4)));
        board.resent(4, 21);
        assert_eq!((board.pipe(), board.next_lost()), (1000, None));
        board.mark_lost(2);
        assert_eq!((board.pipe(), board.next_lost()), (900, Some(2)));
        board.unmark_lost();
        assert_eq!((board.pipe(), board.next_lost()), (1000, None));
    }

    #[test]
    fn sums_return_to_zero() {
        let mut board = board();
        board.sack(200, 400, 100, |_| ());
        board.mark_all_lost(false);
        assert_eq!(board.pipe(), 0);
        board.resent(0, 11);
        board.acknowledge(50, |_| ());
        assert_eq!((board.pipe(), board.flying()), (50, 50));
        board.mark_all_lost(true);
        assert_eq!((board.pipe(), board.sacked()), (0, 0));
        board.acknowledge(1000, |_| ());
        assert_eq!((board.lost(), board.sacked(), board.flying(), board.is_empty()), (0, 0, 0, true));
    }
}
