//! Stable addresses that say nothing of the card (RFC 7217).

use core::fmt;
use core::net::Ipv6Addr;
use rkt_wire::ethernet;
use sha2::{Digest, Sha256};

/// The key of RFC 7217 §5. Whoever knows it can follow this machine from network to network.
#[derive(Clone)]
pub struct Secret([u8; 32]);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// The key of these bytes, which must be random.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The address of `mac` in `network`, of which 64 bits count, after `counter` collisions; and the counter, higher
    /// if addresses that are reserved were passed over.
    pub(super) fn address(&self, network: Ipv6Addr, mac: ethernet::Address, counter: u8) -> (Ipv6Addr, u8) {
        let high = network.to_bits() >> 64 << 64;
        let candidate = |counter: u8| high | u128::from(self.identifier((high >> 64) as u64, mac, counter));
        // All of them are reserved with a probability of none.
        let made = (counter..=u8::MAX).map(|counter| (candidate(counter), counter));
        let free = made.into_iter().find(|(address, _)| !is_reserved(*address as u64));
        let (address, counter) = free.unwrap_or((candidate(counter), counter));
        (Ipv6Addr::from_bits(address), counter)
    }

    /// F(Prefix, Net_Iface, Network_ID, DAD_Counter, secret_key) of §5, without a network id.
    fn identifier(&self, prefix: u64, mac: ethernet::Address, counter: u8) -> u64 {
        let mut hash = Sha256::new();
        hash.update(prefix.to_be_bytes());
        hash.update(mac.0);
        hash.update([counter]);
        hash.update(self.0);
        let digest: [u8; 32] = hash.finalize().into();
        let [.., a, b, c, d, e, f, g, h] = digest;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }
}

/// Identifiers that mean something (RFC 5453 §3, RFC 2526 §2): subnet-router anycast, proxy mobile, and subnet anycast.
const fn is_reserved(identifier: u64) -> bool {
    identifier == 0
        || identifier >> 24 == 0x02_005e_fffe
        || identifier >= 0xfdff_ffff_ffff_ff80 && identifier <= 0xfdff_ffff_ffff_ffff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_stable_and_differ_by_network_card_counter_and_key() {
        let (secret, mac) = (Secret::new([7; 32]), ethernet::Address([2, 0, 0, 0, 0, 1]));
        let network = Ipv6Addr::new(0x2001, 0xdb8, 1, 2, 0, 0, 0, 0);
        let (address, counter) = secret.address(network, mac, 0);
        assert_eq!((address, counter), secret.address(network, mac, 0));
        assert_eq!(address.segments()[..4], network.segments()[..4]);
        let others = [
            secret.address(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), mac, 0),
            secret.address(network, ethernet::Address([2, 0, 0, 0, 0, 2]), 0),
            secret.address(network, mac, 1),
            Secret::new([8; 32]).address(network, mac, 0),
        ];
        for (other, _) in others {
            assert_ne!(other.to_bits() as u64, address.to_bits() as u64);
        }
    }

    #[test]
    fn reserved_identifiers() {
        assert!(is_reserved(0) && is_reserved(0x0200_5eff_fe00_5213) && is_reserved(0xfdff_ffff_ffff_ffaa));
        assert!(!is_reserved(1) && !is_reserved(0xfdff_ffff_ffff_ff7f) && !is_reserved(0xfe00_0000_0000_0000));
    }
}
