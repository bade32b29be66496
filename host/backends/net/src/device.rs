//! The virtio network device (virtio 1.2 §5.1) over any source of Ethernet frames.

use crate::control;
use crate::lane::{Lane, ended};
use crate::source::FrameSource;
use rkt_virtio::device_id;
use rkt_virtio::net::{self, Config, features};
use rkt_virtio_device::{Counters, Device, Fault, Interest, Model, Queues};
use smallvec::SmallVec;
use std::io;
use zerocopy::IntoBytes;

/// A network device over a source of frames for each pair of queues.
pub struct NetDevice<S> {
    lanes: Vec<Lane<S>>,
    mac: [u8; 6],
    sizes: Vec<u16>,
    /// Pairs that the driver uses.
    used: u16,
}

impl<S: FrameSource> NetDevice<S> {
    /// A device with the given address (its group bit must be clear), with a pair of queues for each
    /// of `sources`, of which there is at least one.
    pub fn new(sources: impl IntoIterator<Item = S>, mac: [u8; 6]) -> Self {
        let lanes: Vec<Lane<S>> = sources.into_iter().map(Lane::new).collect();
        let sizes = queue_sizes(lanes.len());
        Self { lanes, mac, sizes, used: 1 }
    }

    fn pairs(&self) -> u16 {
        self.lanes.len() as u16
    }

    /// Has the first `used` pairs used and the others not.
    fn use_pairs(&mut self, used: u16) -> io::Result<()> {
        self.used = used;
        // One that is not used gets no frames, so the others come first.
        for (number, lane) in (0..).zip(&mut self.lanes) {
            lane.set_used(number < used)?;
        }
        Ok(())
    }
}

/// Features that need another one (§5.1.3.1).
const NEEDS: [(u64, u64); 10] = [
    (features::GUEST_TSO4, features::GUEST_CSUM),
    (features::GUEST_TSO6, features::GUEST_CSUM),
    (features::GUEST_ECN, features::GUEST_TSO4 | features::GUEST_TSO6),
    (features::HOST_TSO4, features::CSUM),
    (features::HOST_TSO6, features::CSUM),
    (features::HOST_ECN, features::HOST_TSO4 | features::HOST_TSO6),
    (features::HOST_USO, features::CSUM),
    (features::GUEST_USO4, features::GUEST_CSUM),
    (features::GUEST_USO6, features::GUEST_CSUM),
    (features::MQ, features::CTRL_VQ),
];

/// Whether a subset of the offered features has all that each of them builds on.
pub(crate) fn consistent(features: u64) -> bool {
    NEEDS.iter().all(|(feature, needed)| features & feature == 0 || features & needed != 0)
}

/// What every network device here offers, with so many pairs of queues.
pub(crate) fn common_features(pairs: usize) -> u64 {
    let several = if pairs > 1 { features::CTRL_VQ | features::MQ } else { 0 };
    several | features::MAC | features::MTU | features::STATUS | features::MRG_RXBUF
}

/// The largest size of each queue of a device with so many pairs; the last one's is the control queue's.
pub(crate) fn queue_sizes(pairs: usize) -> Vec<u16> {
    const PAIR: u16 = 1024;
    const CONTROL: u16 = 64;
    let mut sizes = vec![PAIR; 2 * pairs];
    if pairs > 1 {
        sizes.push(CONTROL);
    }
    sizes
}

/// The configuration space.
pub(crate) fn config(mac: [u8; 6], mtu: u16, pairs: u16) -> Vec<u8> {
    let config = Config {
        mac,
        status: net::STATUS_LINK_UP.into(),
        max_virtqueue_pairs: pairs.into(),
        mtu: mtu.into(),
        ..Config::default()
    };
    config.as_bytes().to_vec()
}

impl<S: FrameSource> Model for NetDevice<S> {
    fn kind(&self) -> u32 {
        device_id::NET
    }

    fn features(&self) -> u64 {
        self.lanes.first().map_or(0, |lane| lane.source.offloads()) | common_features(self.lanes.len())
    }

    fn queue_sizes(&self) -> &[u16] {
        &self.sizes
    }

    fn config(&self) -> Vec<u8> {
        config(self.mac, self.lanes.first().map_or(0, |lane| lane.source.mtu()), self.pairs())
    }

    fn accepts(&self, features: u64) -> bool {
        consistent(features)
    }

    fn start(&mut self, features: u64) -> Result<(), Fault> {
        let refused = |e| Fault::Host("the network back end refuses the agreed features", e);
        for lane in &mut self.lanes {
            lane.start(features, features & net::features::MRG_RXBUF != 0).map_err(refused)?;
        }
        // Only the first pair until the driver says otherwise (§5.1.6.5.5).
        self.use_pairs(1).map_err(ended)
    }

    fn reset(&mut self) {
        self.lanes.iter_mut().for_each(Lane::reset);
    }
}

impl<S: FrameSource> Device for NetDevice<S> {
    fn descriptors(&self) -> SmallVec<[Interest<'_>; 4]> {
        self.lanes.iter().map(Lane::interest).collect()
    }

    fn serve(&mut self, queues: &mut Queues, counters: &Counters) -> Result<bool, Fault> {
        let mut worked = false;
        for (number, lane) in self.lanes.iter_mut().enumerate().take(self.used.into()) {
            let (rx, tx) = queues.pair(2 * number, 2 * number + 1)?;
            worked |= lane.serve(rx, tx, counters)?;
        }
        let control = if self.lanes.len() > 1 { queues.find(2 * self.lanes.len()) } else { None };
        if let Some(queue) = control {
            worked |=
                control::serve(queue, |pairs| (1..=self.pairs()).contains(&pairs) && self.use_pairs(pairs).is_ok())?;
        }
        Ok(worked)
    }
}
