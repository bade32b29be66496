//! Flows by their pair of addresses: a hash with a secret key, cut into shards that rarely meet.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use hashbrown::HashTable;
use rkt_sync::Mutex;

/// Shards, a power of two: a lock each, held for a look-up.
const SHARDS: usize = 1024;

/// Both ends of a flow: the own and the peer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Pair {
    /// Own address.
    pub local: SocketAddr,
    /// The peer's.
    pub peer: SocketAddr,
}

impl Pair {
    /// The addresses, then the ports, as words: the array, and how many count.
    pub fn words(&self) -> ([u64; 5], usize) {
        let ports = u64::from(self.local.port()) << 16 | u64::from(self.peer.port());
        match (self.local.ip(), self.peer.ip()) {
            (IpAddr::V4(local), IpAddr::V4(peer)) => {
                ([u64::from(local.to_bits()) << 32 | u64::from(peer.to_bits()), ports, 0, 0, 0], 2)
            }
            (local, peer) => {
                let bits = |ip| match ip {
                    IpAddr::V4(ip) => u128::from(ip.to_bits()),
                    IpAddr::V6(ip) => ip.to_bits(),
                };
                let (local, peer) = (bits(local), bits(peer));
                ([(local >> 64) as u64, local as u64, (peer >> 64) as u64, peer as u64, ports], 5)
            }
        }
    }

    /// A hash that whoever does not know the key cannot make collide.
    pub fn hash(&self, key: rkt_tcp::Key) -> u64 {
        let (words, len) = self.words();
        rkt_tcp::keyed_hash(key, words.get(..len).unwrap_or(&words))
    }
}

/// What the table keeps.
pub(super) trait Keyed {
    /// Its pair of addresses.
    fn pair(&self) -> &Pair;
    /// The pair's hash.
    fn hash(&self) -> u64;
}

/// The table. Hashes are [`Pair::hash`] with the engine's key.
pub(super) struct Table<F> {
    shards: Vec<Mutex<HashTable<Arc<F>>>>,
}

impl<F: Keyed> Table<F> {
    pub fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::new(HashTable::new())).collect() }
    }

    fn shard(&self, hash: u64) -> Option<&Mutex<HashTable<Arc<F>>>> {
        // The table itself uses the low and the highest bits.
        self.shards.get((hash >> 40) as usize % SHARDS)
    }

    /// The flow between these addresses.
    pub fn find(&self, pair: &Pair, hash: u64) -> Option<Arc<F>> {
        self.shard(hash)?.lock().find(hash, |flow| flow.pair() == pair).cloned()
    }

    /// Adds a flow; false if there is one between the same addresses.
    #[must_use]
    pub fn insert(&self, flow: Arc<F>) -> bool {
        let Some(shard) = self.shard(flow.hash()) else { return false };
        let mut shard = shard.lock();
        if shard.find(flow.hash(), |other| other.pair() == flow.pair()).is_some() {
            return false;
        }
        shard.insert_unique(flow.hash(), flow, |flow| flow.hash());
        true
    }

    /// Removes this flow.
    pub fn remove(&self, flow: &Arc<F>) {
        let Some(shard) = self.shard(flow.hash()) else { return };
        let removed = match shard.lock().find_entry(flow.hash(), |other| Arc::ptr_eq(other, flow)) {
            Ok(entry) => Some(entry.remove().0),
            Err(_) => None,
        };
        // Dropped without the lock.
        drop(removed);
    }

    /// All flows, at slightly different moments.
    pub fn all(&self) -> Vec<Arc<F>> {
        self.shards.iter().flat_map(|shard| shard.lock().iter().cloned().collect::<Vec<_>>()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv4Addr;
    use core::sync::atomic::{AtomicUsize, Ordering};

    static COMPARED: AtomicUsize = AtomicUsize::new(0);

    struct Counted(Pair, u64);

    impl Keyed for Counted {
        fn pair(&self) -> &Pair {
            COMPARED.fetch_add(1, Ordering::Relaxed);
            &self.0
        }

        fn hash(&self) -> u64 {
            self.1
        }
    }

    fn flow(port: u16) -> Arc<Counted> {
        let local = (Ipv4Addr::new(10, 0, 0, 1), 80).into();
        let pair = Pair { local, peer: (Ipv4Addr::new(10, 0, 0, 2), port).into() };
        Arc::new(Counted(pair, pair.hash([1, 2])))
    }

    #[test]
    fn a_look_compares_one_flow_however_many_there_are() {
        const FLOWS: u16 = 50_000;
        let table = Table::new();
        assert!((0..FLOWS).all(|port| table.insert(flow(port))));
        assert!(!table.insert(flow(7)), "it is there");
        let looked_for: Vec<_> = (0..=u16::MAX).map(flow).collect();
        COMPARED.store(0, Ordering::Relaxed);
        for (port, Counted(pair, hash)) in (0..=u16::MAX).zip(looked_for.iter().map(|flow| &**flow)) {
            assert_eq!(table.find(pair, *hash).is_some(), port < FLOWS);
        }
        // One for each that is there; now and then one more, where seven bits of two hashes agree.
        let compared = COMPARED.load(Ordering::Relaxed);
        assert!(compared < usize::from(FLOWS) * 5 / 4, "{compared}");
    }
}
