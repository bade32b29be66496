//! The back ends of one enclave. Slots are filled in the order of the calls: network
//! interfaces, then disks, each in the order of the manifest.

use anyhow::{Context, Result, ensure};
use rkt_backend_blk::{BlkDevice, Disk, DiskOptions};
use rkt_backend_net::{Forwarder, FrameSource, NetDevice, Passt, PasstOptions, Publish, Tap, TapOptions};
use rkt_virtio_device::{Device, Polling, RunningDevice, Stats};
use rkt_window::{Region, layout};
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;

/// Where frames go.
#[derive(Clone, Debug)]
pub enum Network {
    /// Through passt, without any right on the host.
    User(PasstOptions),
    /// Through a TAP of the host.
    Tap {
        /// The interface.
        options: TapOptions,
        /// Ports of the host that lead to the guest.
        publish: Vec<Publish>,
        /// The guest's address.
        guest: IpAddr,
    },
}

/// What a device has done.
#[derive(Clone, Debug)]
pub struct DeviceReport {
    /// Its name: `net0`, `disk0`.
    pub name: String,
    /// Its counters.
    pub stats: Stats,
    /// Why it stopped serving, if it did.
    pub fault: Option<String>,
}

/// Running devices. All stop, and what they hold of the host vanishes, when this is dropped.
pub struct Devices {
    window: Region,
    polling: Polling,
    running: Vec<(String, RunningDevice)>,
    forwarders: Vec<Forwarder>,
}

impl Devices {
    /// No devices yet.
    pub fn new(window: Region, busy_poll: bool) -> Self {
        let polling = if busy_poll { Polling::Busy } else { Polling::default() };
        Self { window, polling, running: Vec::new(), forwarders: Vec::new() }
    }

    /// Adds a network interface.
    ///
    /// # Errors
    /// What the host refuses, and what to do about it.
    pub fn add_network(&mut self, network: &Network) -> Result<()> {
        match network {
            Network::User(options) => self.spawn_network([Passt::start(options)?], Passt::MAC),
            Network::Tap { options, publish, guest } => {
                self.spawn_network(Tap::open(options)?, random_mac())?;
                if !publish.is_empty() {
                    self.forwarders.push(Forwarder::start(publish, *guest)?);
                }
                Ok(())
            }
        }
    }

    /// Adds a disk.
    ///
    /// # Errors
    /// What the host refuses, and what to do about it.
    pub fn add_disk(&mut self, options: &DiskOptions) -> Result<()> {
        self.spawn("disk", BlkDevice::new(Disk::open(options)?))
    }

    /// Number of devices.
    pub fn count(&self) -> u32 {
        self.running.len() as u32
    }

    /// What the devices have done so far.
    pub fn report(&self) -> Vec<DeviceReport> {
        let report = |(name, device): &(String, RunningDevice)| DeviceReport {
            name: name.clone(),
            stats: device.stats(),
            fault: device.take_fault().map(|fault| fault.to_string()),
        };
        self.running.iter().map(report).collect()
    }

    fn spawn_network(&mut self, sources: impl IntoIterator<Item = impl FrameSource>, mac: [u8; 6]) -> Result<()> {
        self.spawn("net", NetDevice::new(sources, mac))
    }

    fn spawn(&mut self, kind: &str, device: impl Device) -> Result<()> {
        let slot = self.running.len();
        ensure!(slot < layout::MAX_DEVICES, "at most {} devices are possible", layout::MAX_DEVICES);
        let name = format!("{kind}{}", self.running.iter().filter(|(name, _)| name.starts_with(kind)).count());
        let device = RunningDevice::spawn(Box::new(device), slot, &self.window, self.polling)
            .with_context(|| format!("cannot start device {name}"))?;
        self.running.push((name, device));
        Ok(())
    }
}

/// A locally administered unicast address (IEEE 802 §8.4): two enclaves on one bridge need two.
fn random_mac() -> [u8; 6] {
    let [a, b, c, d, e, ..] = RandomState::new().hash_one("mac").to_le_bytes();
    [0x02, a, b, c, d, e]
}
