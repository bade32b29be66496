//! Devices that the manifest asks for: found in the window's slots, driven, polled.
//!
//! The supervisor fills the slots in the manifest's order: interfaces, then disks.

use crate::log;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::sync::atomic::{AtomicU32, Ordering};
use rkt_aes_xts::Kernel;
use rkt_log::{Event, Stat};
use rkt_manifest::{Interface, Ipv4, Ipv6, Manifest};
use rkt_net::{Card, NetStack};
use rkt_netdev::{Bounced, Capabilities, Down, NetDevice, NetQueue, NetStats, RSS_KEY_LEN, Steering};
use rkt_nvme_driver::NvmeDriver;
use rkt_nvme_transport::WindowRegisters;
use rkt_sync::{Mutex, OnceCell};
use rkt_virtio::net::features;
use rkt_virtio_net::{Options, VirtioNet};
use rkt_virtio_transport::DriverRegs;
use rkt_virtqueue::DmaArena;
use rkt_window::layout;
use rkt_window::layout::without;

static NET: OnceCell<Arc<NetStack>> = OnceCell::new();

/// Looks at a device that is coming up, at most this often.
const POLLS: u32 = 2_000;
/// The first looks follow each other closely; then the vCPU sleeps in between.
const EAGER_POLLS: u32 = 1_000;

type Refusal = (Event, String);

/// The network: at least the loopback.
pub fn net() -> Option<&'static Arc<NetStack>> {
    NET.get()
}

/// Starts the drivers.
///
/// # Errors
/// A device that the manifest asks for is missing or did not start.
pub fn start(manifest: &Manifest) -> Result<(), Refusal> {
    let window = rkt_platform::window();
    let area = window.len().saturating_sub(layout::DMA);
    let mut arena = DmaArena::new(window, layout::DMA, area).map_err(|_| (Event::BadWindow, String::new()))?;
    if !manifest.network.is_empty() && !manifest.plaintext_network {
        return Err((Event::NoDevice, String::from("the manifest allows no plaintext network")));
    }
    let mut cards = Vec::new();
    for (slot, interface) in manifest.network.iter().enumerate() {
        cards.push(start_card(interface, &manifest.hostname, slot, &mut arena)?);
    }
    let _ = NET.set(NetStack::new(cards, Arc::new(crate::socket::NetHooks), crate::capture::start(manifest)));
    for (nth, disk) in manifest.disks.iter().enumerate() {
        crate::disks::add(crate::disk_formats::start(nth, disk, manifest, &mut arena)?);
    }
    Ok(())
}

/// Controllers, which serve their disks as long as they are kept.
pub(crate) static CONTROLLERS: Mutex<Vec<NvmeDriver<WindowRegisters>>> = Mutex::new(Vec::new());

/// Whether the host asks to do without something that only makes it faster.
fn is_without(bit: u32) -> bool {
    rkt_platform::window().read_u32(layout::header::WITHOUT).is_ok_and(|bits| bits & bit != 0)
}

/// The fastest AES that the processor has, unless the host asks to do without.
pub(crate) fn aes() -> Kernel {
    if is_without(without::AES) { Kernel::portable() } else { Kernel::detect() }
}

pub(crate) fn wake(word: &'static AtomicU32) {
    rkt_platform::lock_wake(word, 1);
}

/// Passes the time between two looks at a device that is coming up.
pub(crate) fn wait(looks: &mut u32) {
    static NOTHING: AtomicU32 = AtomicU32::new(0);
    *looks += 1;
    if *looks > EAGER_POLLS {
        rkt_platform::lock_wait(&NOTHING, 0);
    } else {
        let until = rkt_platform::tsc() + 2 * rkt_platform::tsc_per_us();
        while rkt_platform::tsc() < until {
            core::hint::spin_loop();
        }
    }
}

fn start_card(interface: &Interface, host_name: &[u8], slot: usize, arena: &mut DmaArena) -> Result<Card, Refusal> {
    let refuse = |text: String| (Event::NoDevice, text);
    let name = String::from_utf8_lossy(&interface.name).into_owned();
    let regs =
        DriverRegs::open(&rkt_platform::window(), slot, wake).map_err(|error| refuse(format!("{name}: {error}")))?;
    let mut looks = 0;
    let mut options =
        Options { pairs: rkt_platform::cpus() as u16, rss_key: [0; RSS_KEY_LEN], without: 0, polls: POLLS };
    if is_without(without::OFFLOADS) {
        // Everything else that a card offloads builds on these (§5.1.3.1).
        options.without = features::CSUM | features::GUEST_CSUM;
    }
    rkt_platform::random(&mut options.rss_key);
    let device = VirtioNet::new(regs, arena, &options, &mut || wait(&mut looks))
        .map_err(|error| refuse(format!("{name}: {error}")))?;
    let device = Watched { device, slot, told: false };
    let device: Box<dyn NetDevice> =
        if is_without(without::DIRECT_COPY) { Box::new(Bounced::new(device)) } else { Box::new(device) };
    let (mut addresses, mut gateways) = (Vec::new(), Vec::new());
    if let Ipv4::Static { address, prefix, gateway } = interface.ipv4 {
        addresses.push((IpAddr::V4(address), prefix));
        gateways.extend(gateway.map(IpAddr::V4));
    }
    if let Ipv6::Static { address, prefix, gateway } = interface.ipv6 {
        addresses.push((IpAddr::V6(address), prefix));
        gateways.extend(gateway.map(IpAddr::V6));
    }
    let (dhcp, slaac) = (interface.ipv4 == Ipv4::Dhcp, interface.ipv6 == Ipv6::Auto);
    Ok(Card { device, name, addresses, gateways, dhcp, slaac, host_name: host_name.to_vec() })
}

/// A card that tells when it had to be reset.
struct Watched<D> {
    device: D,
    slot: usize,
    /// It has told that it is down.
    told: bool,
}

impl<D: NetDevice> NetDevice for Watched<D> {
    fn capabilities(&self) -> Capabilities {
        self.device.capabilities()
    }

    fn take_queues(&mut self) -> Vec<Box<dyn NetQueue>> {
        self.device.take_queues()
    }

    fn steering(&self) -> Steering {
        self.device.steering()
    }

    fn link_up(&self) -> bool {
        self.device.link_up()
    }

    fn fault(&self) -> Option<&dyn core::fmt::Display> {
        self.device.fault()
    }

    fn reset(&mut self, queues: &mut [&mut dyn NetQueue], wait: &mut dyn FnMut()) -> Result<(), Down> {
        if !core::mem::replace(&mut self.told, true) {
            log::event(Event::DeviceError, &[self.slot as u64, 0, 0]);
        }
        self.device.reset(queues, wait)?;
        self.told = false;
        Ok(())
    }
}

/// Moves packets.
pub fn poll() -> bool {
    NET.get().is_some_and(|net| net.poll()) | rkt_storage::poll()
}

/// Whether `poll` would find anything.
pub fn has_work() -> bool {
    NET.get().is_some_and(|net| net.has_work()) || rkt_storage::has_work()
}

/// When the network stack wants to run next.
pub fn deadline() -> u64 {
    NET.get().map_or(u64::MAX, |net| net.deadline()).min(rkt_storage::deadline())
}

/// Times a vCPU was about to park.
static PARKING: AtomicU32 = AtomicU32::new(0);

/// A vCPU is about to park.
pub fn parking(_cpu: usize) {
    PARKING.fetch_add(1, Ordering::Relaxed);
}

/// Publishes what devices count.
pub fn publish_stats() {
    log::set(Stat::Parks, u64::from(PARKING.load(Ordering::Relaxed)));
    crate::disks::publish_stats();
    if let Some(net) = NET.get() {
        let stats = net.interfaces().iter().fold(NetStats::default(), |sum, interface| sum + interface.counters);
        log::set(Stat::RxPackets, stats.rx_frames);
        log::set(Stat::RxBytes, stats.rx_bytes);
        log::set(Stat::TxPackets, stats.tx_frames);
        log::set(Stat::TxBytes, stats.tx_bytes);
    }
}
