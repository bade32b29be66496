//! Counters that one vCPU writes and any may read.

use core::sync::atomic::{AtomicU64, Ordering};

/// A counter with one writer at a time.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `n`, without the cost of an atomic read-modify-write.
    pub fn add(&self, n: u64) {
        self.0.store(self.get().wrapping_add(n), Ordering::Relaxed);
    }

    /// The value now.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Counters of a queue at one moment, since the card was opened; they wrap.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct NetStats {
            $($(#[$doc])* pub $name: u64,)*
        }

        /// Counters of a queue, as its driver keeps them.
        #[derive(Debug, Default)]
        pub struct Counters {
            $($(#[$doc])* pub $name: Counter,)*
        }

        impl Counters {
            /// The counters now.
            pub fn snapshot(&self) -> NetStats {
                NetStats { $($name: self.$name.get(),)* }
            }
        }

        impl core::ops::Add for NetStats {
            type Output = Self;

            /// The sum over two queues.
            fn add(self, other: Self) -> Self {
                Self { $($name: self.$name.wrapping_add(other.$name),)* }
            }
        }
    };
}

counters! {
    /// Frames received.
    rx_frames,
    /// Their bytes.
    rx_bytes,
    /// Frames dropped because what the device said about them makes no sense.
    rx_invalid,
    /// Frames given to the device.
    tx_frames,
    /// Their bytes.
    tx_bytes,
    /// Transmissions refused for want of room.
    tx_full,
    /// Kicks that reached the device.
    kicks,
    /// Successful resets.
    resets,
}
