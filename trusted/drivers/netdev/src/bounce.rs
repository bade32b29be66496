//! A card whose frames are copied once more, through a buffer in trusted memory: what direct copies save
//! is measured with it.

use crate::{Capabilities, Down, NetDevice, NetQueue, Probe, RxFrame, Steering, TrustedFrame, TxError, TxMeta};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

/// A card behind such a copy.
pub struct Bounced<D>(D);

impl<D: NetDevice> Bounced<D> {
    /// Puts the copy before `device`, whose queues have not been taken.
    pub fn new(device: D) -> Self {
        Self(device)
    }
}

impl<D: NetDevice> NetDevice for Bounced<D> {
    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    fn take_queues(&mut self) -> Vec<Box<dyn NetQueue>> {
        let can = self.capabilities();
        let len = can.max_rx_frame.max(can.max_tx_frame);
        let bounced = |inner| -> Box<dyn NetQueue> { Box::new(BouncedQueue { inner, buffer: vec![0; len] }) };
        self.0.take_queues().into_iter().map(bounced).collect()
    }

    fn steering(&self) -> Steering {
        self.0.steering()
    }

    fn link_up(&self) -> bool {
        self.0.link_up()
    }

    fn fault(&self) -> Option<&dyn fmt::Display> {
        self.0.fault()
    }

    fn reset(&mut self, queues: &mut [&mut dyn NetQueue], wait: &mut dyn FnMut()) -> Result<(), Down> {
        self.0.reset(queues, wait)
    }
}

struct BouncedQueue {
    inner: Box<dyn NetQueue>,
    /// Room for the largest frame.
    buffer: Vec<u8>,
}

impl NetQueue for BouncedQueue {
    fn receive(&mut self, budget: usize, take: &mut dyn FnMut(&mut dyn RxFrame)) -> Result<usize, Down> {
        let buffer = &mut self.buffer;
        self.inner.receive(budget, &mut |frame| {
            let meta = *frame.meta();
            if let Some(bytes) = buffer.get_mut(..meta.len)
                && frame.copy(0, bytes)
            {
                take(&mut TrustedFrame::new(meta, bytes));
            }
        })
    }

    fn transmit(&mut self, meta: &TxMeta, parts: &[&[u8]]) -> Result<(), TxError> {
        let mut room = self.buffer.as_mut_slice();
        for part in parts {
            let (place, rest) = room.split_at_mut_checked(part.len()).ok_or(TxError::Frame)?;
            place.copy_from_slice(part);
            room = rest;
        }
        let len = parts.iter().map(|part| part.len()).sum();
        let frame = self.buffer.get(..len).ok_or(TxError::Frame)?;
        self.inner.transmit(meta, &[frame])
    }

    fn kick(&mut self) -> Result<(), Down> {
        self.inner.kick()
    }

    fn transmitting(&self) -> bool {
        self.inner.transmitting()
    }

    fn probe(&self) -> Arc<dyn Probe> {
        self.inner.probe()
    }

    fn fault(&self) -> Option<&dyn fmt::Display> {
        self.inner.fault()
    }

    fn rearm(&mut self) -> Result<(), Down> {
        self.inner.rearm()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{NetStats, RxMeta};

    /// Receives again what was sent.
    struct Echo(Vec<Vec<u8>>);

    impl NetDevice for Echo {
        fn capabilities(&self) -> Capabilities {
            Capabilities {
                mac: [2; 6],
                mtu: 100,
                tx_checksum: false,
                tx_tso4: false,
                tx_tso6: false,
                tx_uso: false,
                max_tx_frame: 114,
                max_rx_frame: 114,
            }
        }

        fn take_queues(&mut self) -> Vec<Box<dyn NetQueue>> {
            vec![Box::new(Echo(Vec::new()))]
        }

        fn steering(&self) -> Steering {
            Steering::FollowsTransmit
        }

        fn link_up(&self) -> bool {
            true
        }

        fn fault(&self) -> Option<&dyn fmt::Display> {
            None
        }

        fn reset(&mut self, queues: &mut [&mut dyn NetQueue], _: &mut dyn FnMut()) -> Result<(), Down> {
            queues.iter_mut().try_for_each(|queue| queue.rearm())
        }
    }

    struct Nothing;

    impl Probe for Nothing {
        fn has_work(&self) -> bool {
            false
        }

        fn stats(&self) -> NetStats {
            NetStats::default()
        }
    }

    impl NetQueue for Echo {
        fn receive(&mut self, _: usize, take: &mut dyn FnMut(&mut dyn RxFrame)) -> Result<usize, Down> {
            let frames = core::mem::take(&mut self.0);
            frames.iter().for_each(|frame| take(&mut TrustedFrame::new(RxMeta::default(), frame)));
            Ok(frames.len())
        }

        fn transmit(&mut self, _: &TxMeta, parts: &[&[u8]]) -> Result<(), TxError> {
            self.0.push(parts.concat());
            Ok(())
        }

        fn kick(&mut self) -> Result<(), Down> {
            Ok(())
        }

        fn transmitting(&self) -> bool {
            false
        }

        fn probe(&self) -> Arc<dyn Probe> {
            Arc::new(Nothing)
        }

        fn fault(&self) -> Option<&dyn fmt::Display> {
            None
        }

        fn rearm(&mut self) -> Result<(), Down> {
            self.0.clear();
            Ok(())
        }
    }

    #[test]
    fn frames_pass_unchanged() {
        let mut card = Bounced::new(Echo(Vec::new()));
        let mut queue = card.take_queues().remove(0);
        queue.transmit(&TxMeta::default(), &[b"head", b"", b"body"]).unwrap();
        queue.transmit(&TxMeta::default(), &[&[7; 114]]).unwrap();
        assert_eq!(queue.transmit(&TxMeta::default(), &[&[7; 100], &[7; 15]]), Err(TxError::Frame));
        let mut found = Vec::new();
        let mut take = |frame: &mut dyn RxFrame| {
            let mut bytes = vec![0; frame.meta().len];
            assert!(frame.copy(0, &mut bytes));
            found.push(bytes);
        };
        assert_eq!(queue.receive(8, &mut take), Ok(2));
        assert_eq!(found, [b"headbody".to_vec(), vec![7; 114]]);
        queue.transmit(&TxMeta::default(), &[b"lost"]).unwrap();
        card.reset(&mut [&mut *queue], &mut || {}).unwrap();
        assert_eq!(queue.receive(8, &mut |_| panic!("a frame from before the reset")), Ok(0));
    }
}
