//! One connection and a peer whose every segment the test writes.

use super::{MS, SECOND};
use rkt_tcp::{Changes, Config, Flags, Outgoing, Segment, SendFlags, Tcb, Timestamps};

/// Our initial sequence number, and the peer's.
pub const ISS: u32 = 0xffff_fc00;
pub const IRS: u32 = 5000;

/// A connection under test. Sequence numbers of both sides are relative: one is the first byte.
pub struct Peer {
    pub now: u64,
    pub tcb: Tcb,
    /// The peer's window field.
    pub window: u16,
    /// The peer sends timestamps, this one next.
    pub stamp: Option<u32>,
    pub last_out: Option<Segment>,
}

impl Peer {
    /// A connection that is established, with these options in the peer's SYN-ACK.
    pub fn with(config: Config, options: Segment) -> Self {
        let now = SECOND;
        let mut tcb = Tcb::connect(now, ISS, 0, &config);
        let syn = tcb.transmit(now, 0).expect("a SYN").segment;
        assert!(syn.has(Flags::SYN) && syn.seq == ISS && syn.ack.is_none());
        let stamp = options.timestamps.map(|timestamps| timestamps.value);
        let echo = syn.timestamps.map_or(0, |timestamps| timestamps.value);
        let timestamps = stamp.map(|value| Timestamps { value, echo });
        let ack = Some(ISS.wrapping_add(1));
        let reply = Segment { seq: IRS, ack, window: 60_000, flags: Flags::SYN, timestamps, ..options };
        let now = now + 10 * MS;
        let changes = tcb.on_segment(now, &reply, &mut &[][..]);
        assert!(changes.contains(Changes::CONNECTED | Changes::WRITABLE | Changes::OUTPUT));
        let ack = tcb.transmit(now, 0).expect("an acknowledgment").segment;
        assert_eq!(ack.ack, Some(IRS + 1));
        assert!(tcb.transmit(now, 0).is_none());
        Self { now, tcb, window: 60_000, stamp, last_out: None }
    }

    /// With SACK, segments of 1000 bytes, nothing else.
    pub fn sack() -> Self {
        Self::with(Config::default(), Segment { mss: Some(1000), sack_permitted: true, ..Segment::default() })
    }

    /// With segments of 1000 bytes, nothing else.
    pub fn plain() -> Self {
        Self::with(Config::default(), Segment { mss: Some(1000), ..Segment::default() })
    }

    /// With timestamps, SACK and segments of 1000 bytes.
    pub fn full() -> Self {
        let timestamps = Some(Timestamps { value: 100, echo: 0 });
        let options = Segment { mss: Some(1012), sack_permitted: true, timestamps, ..Segment::default() };
        Self::with(Config::default(), options)
    }

    /// The peer's segment: its numbers, ours relative, and flags.
    pub fn segment(&mut self, seq: u32, ack: u32, len: u32, flags: Flags) -> Segment {
        let timestamps = self.stamp.map(|value| Timestamps { value, echo: (self.now / MS) as u32 });
        Segment {
            seq: IRS.wrapping_add(seq),
            ack: Some(ISS.wrapping_add(ack)),
            window: self.window,
            flags,
            timestamps,
            len,
            ..Segment::default()
        }
    }

    /// The segment arrives, with zeroes as payload.
    pub fn give(&mut self, segment: &Segment) -> Changes {
        let bytes = vec![0; segment.len as usize];
        self.tcb.on_segment(self.now, segment, &mut &bytes[..])
    }

    /// Data of the peer's arrives.
    pub fn data(&mut self, seq: u32, ack: u32, len: u32) -> Changes {
        let segment = self.segment(seq, ack, len, Flags::PSH);
        self.give(&segment)
    }

    /// An acknowledgment arrives, with SACK blocks.
    pub fn ack(&mut self, ack: u32, sack: &[(u32, u32)]) -> Changes {
        let mut segment = self.segment(1, ack, 0, Flags::empty());
        segment.sack = sack.iter().map(|&(start, end)| (ISS.wrapping_add(start), ISS.wrapping_add(end))).collect();
        self.give(&segment)
    }

    /// The application writes `len` bytes.
    pub fn write(&mut self, len: usize, flags: SendFlags) {
        let mut left = len;
        let taken = self.tcb.send(self.now, flags, &mut |into| {
            let len = into.len().min(left);
            left -= len;
            len
        });
        assert_eq!(taken, Ok(len));
    }

    /// Everything that goes out now, as (relative number, bytes).
    pub fn out(&mut self) -> Vec<(u32, u32)> {
        self.segments(0).iter().map(|segment| (segment.seq.wrapping_sub(ISS), segment.len)).collect()
    }

    /// Everything that goes out now.
    pub fn segments(&mut self, row: usize) -> Vec<Segment> {
        let now = self.now;
        let tcb = &mut self.tcb;
        let all: Vec<Outgoing> = std::iter::from_fn(|| tcb.transmit(now, row)).collect();
        all.into_iter().map(|outgoing| outgoing.segment).collect()
    }

    /// The one segment that goes out now.
    pub fn one(&mut self) -> Segment {
        let mut all = self.segments(0);
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    /// Lets `time` ns pass, with all timers on the way; what they send is returned with its time.
    pub fn pass(&mut self, time: u64) -> Vec<(u64, Segment)> {
        let (start, end) = (self.now, self.now + time);
        let mut sent = Vec::new();
        while self.tcb.deadline() <= end {
            self.now = self.now.max(self.tcb.deadline());
            self.tcb.on_timer(self.now);
            sent.extend(self.segments(0).into_iter().map(|segment| (self.now - start, segment)));
        }
        self.now = end;
        sent
    }

    /// SACK blocks of a segment of ours, relative.
    pub fn blocks(segment: &Segment) -> Vec<(u32, u32)> {
        segment.sack.iter().map(|&(start, end)| (start - IRS, end - IRS)).collect()
    }
}
