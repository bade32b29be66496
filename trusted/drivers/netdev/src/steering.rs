//! Which pair of queues a received frame comes in by.

use alloc::vec::Vec;

/// Bytes of a key for addresses and ports of IPv6, as cards have it.
pub const RSS_KEY_LEN: usize = 40;

/// How a card chooses the queue for a received frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Steering {
    /// A flow comes in by the pair of queues from which it was sent last; one that was never sent from
    /// here, by any. With one pair of queues there is nothing to choose.
    FollowsTransmit,
    /// By a hash over addresses and ports.
    Hash(Rss),
}

/// Receive-side scaling: the Toeplitz hash over addresses and ports selects an entry of a table
/// (virtio 1.2 §5.1.6.4.3; the function is the same in all cards).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rss {
    key: [u8; RSS_KEY_LEN],
    table: Vec<u16>,
}

impl Rss {
    /// A table of queue numbers, a power of two long. `None` if it is not.
    pub fn new(key: [u8; RSS_KEY_LEN], table: Vec<u16>) -> Option<Self> {
        table.len().is_power_of_two().then_some(Self { key, table })
    }

    /// The key.
    pub fn key(&self) -> &[u8; RSS_KEY_LEN] {
        &self.key
    }

    /// The table.
    pub fn table(&self) -> &[u16] {
        &self.table
    }

    /// The hash of a received frame's source address, destination address, source port and
    /// destination port, in this order as they lie in the packet: 12 bytes for IPv4, 36 for IPv6. What
    /// is longer than the key allows is not hashed.
    pub fn hash(&self, tuple: &[u8]) -> u32 {
        let (first, rest) = self.key.split_at(size_of::<u32>());
        let mut window = first.iter().fold(0u32, |window, byte| window << 8 | u32::from(*byte));
        let mut hash = 0;
        for (byte, next) in tuple.iter().zip(rest) {
            for bit in (0..8).rev() {
                if byte >> bit & 1 != 0 {
                    hash ^= window;
                }
                window = window << 1 | u32::from(next >> bit & 1);
            }
        }
        hash
    }

    /// The pair of queues for a hash.
    pub fn queue_for(&self, hash: u32) -> usize {
        let entry = hash as usize & self.table.len().wrapping_sub(1);
        self.table.get(entry).copied().unwrap_or(0).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key and two rows of the verification suite that is published with RSS (Microsoft,
    /// "Verifying the RSS Hash Calculation").
    const KEY: [u8; RSS_KEY_LEN] = [
        0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca,
        0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b,
        0xbe, 0xac, 0x01, 0xfa,
    ];

    fn tuple(from: [u8; 4], to: [u8; 4], ports: (u16, u16)) -> Vec<u8> {
        [&from[..], &to, &ports.0.to_be_bytes(), &ports.1.to_be_bytes()].concat()
    }

    #[test]
    fn hashes_are_those_of_the_published_suite() {
        let rss = Rss::new(KEY, alloc::vec![0, 1, 2, 3]).unwrap();
        assert_eq!(rss.hash(&tuple([66, 9, 149, 187], [161, 142, 100, 80], (2794, 1766))), 0x51cc_c178);
        assert_eq!(rss.hash(&tuple([199, 92, 111, 2], [65, 69, 140, 83], (14230, 4739))), 0xc626_b0ea);
        assert_eq!(rss.queue_for(0xc626_b0ea), 2);
    }

    #[test]
    fn a_table_is_a_power_of_two_long() {
        assert!(Rss::new(KEY, Vec::new()).is_none());
        assert!(Rss::new(KEY, alloc::vec![0; 3]).is_none());
    }
}
