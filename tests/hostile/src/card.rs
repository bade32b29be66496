//! A card as tests drive it: device and queues as one, frames as a whole.

use crate::{Device, open_net, window};
use rkt_netdev::{Capabilities, Down, NetDevice, NetQueue, NetStats, Probe, RxMeta, TxError, TxMeta};
use rkt_virtio::net::Header;
use rkt_virtio_net::VirtioNet;
use std::sync::Arc;

/// A card with its queues.
pub struct Card {
    /// The card itself.
    pub device: VirtioNet,
    /// Its pairs of queues.
    pub queues: Vec<Box<dyn NetQueue>>,
    probes: Vec<Arc<dyn Probe>>,
}

impl Card {
    /// Takes the queues of a card that has just been opened.
    pub fn new(mut device: VirtioNet) -> Self {
        let queues = device.take_queues();
        let probes = queues.iter().map(|queue| queue.probe()).collect();
        Self { device, queues, probes }
    }

    /// What the card can do.
    pub fn capabilities(&self) -> Capabilities {
        self.device.capabilities()
    }

    /// Copies the next frame of queue `queue` into `into`: a head from trusted memory, the rest from
    /// the window. None if there is none now, or it is too long.
    ///
    /// # Errors
    /// The card is down.
    pub fn receive_on(&mut self, queue: usize, into: &mut [u8]) -> Result<Option<RxMeta>, Down> {
        let mut received = None;
        self.queues[queue].receive(1, &mut |frame| {
            let meta = *frame.meta();
            if meta.len > into.len() {
                return;
            }
            let (head, rest) = into[..meta.len].split_at_mut(frame.head().len());
            head.copy_from_slice(frame.head());
            // In two pieces, as a ring that wraps takes it.
            let (first, second) = rest.split_at_mut(rest.len() / 3);
            assert!(frame.copy(head.len(), first) && frame.copy(head.len() + first.len(), second));
            received = Some(meta);
        })?;
        Ok(received)
    }

    /// The next frame of the first queue.
    ///
    /// # Errors
    /// The card is down.
    pub fn receive(&mut self, into: &mut [u8]) -> Result<Option<RxMeta>, Down> {
        self.receive_on(0, into)
    }

    /// Queues a frame on the first queue.
    ///
    /// # Errors
    /// As [`NetQueue::transmit`].
    pub fn transmit(&mut self, meta: &TxMeta, parts: &[&[u8]]) -> Result<(), TxError> {
        self.queues[0].transmit(meta, parts)
    }

    /// Kicks all queues.
    ///
    /// # Errors
    /// The card is down.
    pub fn kick(&mut self) -> Result<(), Down> {
        self.queues.iter_mut().try_for_each(|queue| queue.kick())
    }

    /// Whether any queue has work.
    pub fn has_work(&self) -> bool {
        self.probes.iter().any(|probe| probe.has_work())
    }

    /// Whether any queue has frames that were not sent.
    pub fn transmitting(&self) -> bool {
        self.queues.iter().any(|queue| queue.transmitting())
    }

    /// The sum over all queues.
    pub fn stats(&self) -> NetStats {
        self.probes.iter().fold(NetStats::default(), |sum, probe| sum + probe.stats())
    }

    /// Why the card is down, whoever found out.
    pub fn fault(&self) -> Option<String> {
        let queues = self.queues.iter().find_map(|queue| queue.fault());
        self.device.fault().or(queues).map(|fault| fault.to_string())
    }

    /// Resets the card.
    ///
    /// # Errors
    /// It stays down.
    pub fn reset(&mut self, wait: &mut dyn FnMut()) -> Result<(), Down> {
        let mut queues: Vec<&mut dyn NetQueue> = self.queues.iter_mut().map(|queue| queue.as_mut() as _).collect();
        self.device.reset(&mut queues, wait)
    }
}

/// Tells a lie to a card with a full transmit queue. The card must be down, with this reason, and come
/// back by a reset once the device is honest.
///
/// # Panics
/// If it is otherwise.
pub fn card_down(features: u64, reason: &str, lie: impl FnOnce(&mut Device)) {
    let window = window();
    let mut device = Device::net(&window, features);
    let mut card = open_net(&window, &mut device).unwrap();
    card.transmit(&TxMeta::default(), &[&[1; 60]]).unwrap();
    card.kick().unwrap();
    // Room is wanted, so that the poller looks at both queues.
    while card.transmit(&TxMeta::default(), &[&[1; 60]]).is_ok() {}
    lie(&mut device);
    assert!(card.has_work(), "the poller has to find out");
    let mut buffer = vec![0; card.capabilities().max_rx_frame];
    assert_eq!(card.receive(&mut buffer), Err(Down));
    assert_eq!(card.fault().unwrap().to_string(), reason);
    assert_eq!(card.receive(&mut buffer), Err(Down));
    assert_eq!(card.kick(), Err(Down));
    assert_eq!(card.transmit(&TxMeta::default(), &[&[1; 60]]), Err(TxError::Down));
    assert!(!card.has_work());

    card.reset(&mut || device.step()).unwrap();
    assert!(card.fault().is_none() && !card.transmitting());
    assert!(device.deliver(Header::default(), &[3; 60]));
    assert_eq!(card.receive(&mut buffer).unwrap().unwrap().len, 60);
}
