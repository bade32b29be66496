//! Headers.

use crate::segment::{Flags, Segment, Timestamps};
use crate::state::State;
use crate::tcb::Tcb;
use crate::timers::NEVER;

/// SACK blocks that fit beside timestamps, and without (RFC 2018 §3, RFC 7323 appendix A).
const BLOCKS: (usize, usize) = (3, 4);

impl Tcb {
    /// The header of a segment in a synchronized state. It acknowledges, so nothing is owed after it.
    pub(super) fn header(&mut self, now: u64, seq: u64, len: u64, flags: Flags) -> Segment {
        let window = self.recv.announce(self.acks.segment().into());
        self.acks.sent();
        self.timers.delayed_ack = NEVER;
        let mut flags = flags | self.ecn.flags();
        let urgent = self.send.up.checked_sub(seq).filter(|&distance| (1..=0xffff).contains(&distance));
        if urgent.is_some() {
            flags |= Flags::URG;
        }
        Segment {
            seq: seq as u32,
            ack: Some(self.recv.nxt as u32),
            window,
            flags,
            urgent: urgent.unwrap_or(0) as u16,
            timestamps: self.timestamps(now),
            sack: if self.options.sack { self.recv.take_blocks(self.most_blocks()) } else { Default::default() },
            len: len as u32,
            ..Segment::default()
        }
    }

    /// Payload of a full segment sent now: SACK blocks take room, too.
    pub(super) fn payload_limit(&self) -> u64 {
        let blocks = if self.options.sack { self.recv.blocks_len(self.most_blocks()) } else { 0 };
        self.segment_limit().saturating_sub(blocks as u64).max(1)
    }

    fn most_blocks(&self) -> usize {
        if self.options.timestamps { BLOCKS.0 } else { BLOCKS.1 }
    }

    fn timestamps(&self, now: u64) -> Option<Timestamps> {
        let value = self.timestamp(now);
        self.options.timestamps.then_some(Timestamps { value, echo: self.recv.recent.value })
    }

    /// A SYN offers what we have (RFC 7323 §2.2, §3.2, RFC 2018 §2); with an acknowledgment, only what the
    /// peer offered, too.
    pub(super) fn syn(&mut self, now: u64) -> Segment {
        let crossing = matches!(self.state, State::SynReceived(_));
        let (config, agreed) = (self.config, self.options);
        let scaling = config.window_scaling && (!crossing || agreed.scaling);
        let timestamps = config.timestamps && (!crossing || agreed.timestamps);
        let echo = if crossing { self.recv.recent.value } else { 0 };
        Segment {
            seq: self.send.iss as u32,
            ack: crossing.then_some(self.recv.nxt as u32),
            window: self.recv.announce_first(),
            flags: Flags::SYN,
            mss: Some(config.mss),
            window_scale: scaling.then(|| config.window_scale()),
            sack_permitted: config.sack && (!crossing || agreed.sack),
            timestamps: timestamps.then(|| Timestamps { value: self.timestamp(now), echo }),
            ..Segment::default()
        }
    }
}
