//! Whether a reduction was deserved: if what was sent again had arrived the first time, it was not, and
//! is undone (RFC 3522 and 4015 by timestamps, RFC 3708 by DSACK).

use crate::seq;

/// What was sent again since the last reduction.
#[derive(Default)]
pub(crate) struct Undo {
    /// Where SND.UNA was then; a reduction is on trial.
    marker: Option<u64>,
    /// Our timestamp of the first retransmission.
    stamp: Option<u32>,
    /// Bytes sent again that no DSACK has named.
    unexplained: u64,
    /// Something was sent again at all.
    any: bool,
}

impl Undo {
    /// The window is reduced.
    pub(crate) fn start(&mut self, una: u64) {
        *self = Self { marker: Some(una), ..Self::default() };
    }

    /// Nothing more can be undone.
    pub(crate) fn stop(&mut self) {
        *self = Self::default();
    }

    /// `len` bytes are sent again, at the time `stamp` of our timestamps.
    pub(crate) fn on_retransmit(&mut self, len: u64, stamp: u32) {
        if self.marker.is_some() {
            self.stamp = self.stamp.or(Some(stamp));
            self.unexplained += len;
            self.any = true;
        }
    }

    /// The peer got `start..end` twice. True: everything that was sent again was needless.
    pub(crate) fn on_duplicate(&mut self, start: u64, end: u64) -> bool {
        let Some(marker) = self.marker.filter(|_| self.any) else { return false };
        if start >= marker && start < end {
            self.unexplained = self.unexplained.saturating_sub(end - start);
        }
        self.unexplained == 0
    }

    /// New data was acknowledged, and the peer echoes `echo`: older than the retransmission, so the
    /// original arrived (RFC 3522 §3.2).
    pub(crate) fn is_original(&self, echo: u32) -> bool {
        self.marker.is_some() && self.stamp.is_some_and(|stamp| seq::older(echo, stamp))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_echo_or_enough_duplicates_clear_a_reduction() {
        let mut undo = Undo::default();
        undo.on_retransmit(100, 7);
        assert!(!undo.is_original(6), "nothing was reduced");
        undo.start(1000);
        assert!(!undo.on_duplicate(1000, 1100), "nothing was sent again");
        undo.on_retransmit(100, 7);
        undo.on_retransmit(100, 9);
        assert!(undo.is_original(6) && !undo.is_original(7));
        assert!(!undo.on_duplicate(1000, 1100));
        assert!(!undo.on_duplicate(900, 1000), "from before the reduction");
        assert!(undo.on_duplicate(1100, 1200));
    }
}
