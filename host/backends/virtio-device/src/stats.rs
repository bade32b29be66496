//! What a device has done, for `--stats`.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// Counters of a running device, written by its thread alone.
        #[derive(Debug, Default)]
        pub struct Counters {
            $($(#[$doc])* pub $name: Counter,)*
        }

        /// The counters at one moment.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Stats {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Counters {
            /// The counters now; each is exact, together they may be of slightly different moments.
            pub fn snapshot(&self) -> Stats {
                Stats { $($name: self.$name.0.load(Ordering::Relaxed),)* }
            }
        }
    };
}

counters! {
    /// Packets to the enclave, or read requests.
    in_units,
    /// Their bytes.
    in_bytes,
    /// Packets from the enclave, or write requests.
    out_units,
    /// Their bytes.
    out_bytes,
    /// Packets that were thrown away: too long for the driver's buffers, or refused by the host.
    dropped,
    /// Requests that failed.
    failed,
    /// Batches after which the driver's doorbell was rung.
    notified,
    /// Times the thread slept.
    parked,
}

/// One counter.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counters {
    /// Bytes either way.
    pub(crate) fn bytes(&self) -> u64 {
        self.in_bytes.get().wrapping_add(self.out_bytes.get())
    }
}

impl Counter {
    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }
}
