//! The back ends of one enclave. Slots are filled in the order of the calls: network
//! interfaces, then disks, each in the order of the manifest.

use crate::Supervisor;
use anyhow::{Context, Result, ensure};
use rkt_backend_blk::{Disk, DiskOptions};
use rkt_backend_net::{
    Forwarder, FrameSource, NetDevice, Passt, PasstOptions, Publish, Tap, TapOptions, Wire, WireOptions,
};
use rkt_backend_nvme::RunningController;
use rkt_virtio_device::{Company, Device, Polling, RunningDevice, Stats};
use rkt_window::{Region, layout};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// Most bytes of a key: what its place in the window holds beside the length.
const KEY_MAX: usize = layout::KEY_LEN - 4;

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
    /// To other enclaves, through a switch that shares their memory.
    Wire(WireOptions),
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
    memfd: OwnedFd,
    polling: Polling,
    /// Slots in use.
    company: Company,
    slots: usize,
    running: Vec<(String, RunningDevice)>,
    /// NVMe controllers, one a disk.
    controllers: Vec<(String, RunningController)>,
    forwarders: Vec<Forwarder>,
    wires: Vec<Wire>,
}

impl Devices {
    /// No devices yet, for the window of this supervisor.
    ///
    /// # Errors
    /// If there are no more descriptors.
    pub fn new(supervisor: &Supervisor, busy_poll: bool) -> Result<Self> {
        Ok(Self {
            window: supervisor.window(),
            memfd: supervisor.window_descriptor().context("cannot duplicate a descriptor")?,
            polling: if busy_poll { Polling::Busy } else { Polling::default() },
            company: supervisor.company(),
            slots: 0,
            running: Vec::new(),
            controllers: Vec::new(),
            forwarders: Vec::new(),
            wires: Vec::new(),
        })
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
            Network::Wire(options) => {
                let slot = self.take_slot()?;
                let window = self.memfd.try_clone().context("cannot duplicate a descriptor")?;
                let path = std::path::absolute(&options.path).context("the path of a wire")?;
                let options = WireOptions { path, ..options.clone() };
                self.wires.push(Wire::join(options, window, slot, random_mac(), Box::new(start_switch))?);
                Ok(())
            }
        }
    }

    /// Adds a disk, with the passphrase of the container on it if it has one.
    ///
    /// # Errors
    /// What the host refuses, and what to do about it.
    pub fn add_disk(&mut self, options: &DiskOptions, key: Option<&[u8]>) -> Result<()> {
        if let Some(key) = key {
            ensure!(key.len() <= KEY_MAX, "a key may have {KEY_MAX} bytes, not {}", key.len());
            let place = layout::KEYS + self.slots * layout::KEY_LEN;
            self.window.write(place + 4, key)?;
            self.window.write_u32(place, key.len() as u32)?;
        }
        let (disk, slot) = (Disk::open(options)?, self.take_slot()?);
        let name = format!("disk{}", self.controllers.len());
        let how = rkt_backend_nvme::Options { polling: self.polling, ..rkt_backend_nvme::Options::default() };
        let controller = rkt_backend_nvme::start(vec![disk], slot, &self.window, how)
            .with_context(|| format!("cannot start device {name}"))?;
        self.controllers.push((name, controller));
        Ok(())
    }

    /// Number of devices.
    pub fn count(&self) -> u32 {
        self.slots as u32
    }

    /// The counters of the devices, by name.
    pub fn counters(&self) -> Vec<(String, Stats)> {
        let running = self.running.iter().map(|(name, device)| (name.clone(), device.stats()));
        running.chain(self.controllers.iter().map(|(name, disk)| (name.clone(), disk.stats()))).collect()
    }

    /// What the devices have done so far.
    pub fn report(&self) -> Vec<DeviceReport> {
        let report = |(name, device): &(String, RunningDevice)| DeviceReport {
            name: name.clone(),
            stats: device.stats(),
            fault: device.take_fault().map(|fault| fault.to_string()),
        };
        let disk = |(name, controller): &(String, RunningController)| DeviceReport {
            name: name.clone(),
            stats: controller.stats(),
            fault: controller.take_fault().map(|fault| fault.to_string()),
        };
        self.running.iter().map(report).chain(self.controllers.iter().map(disk)).collect()
    }

    fn spawn_network(&mut self, sources: impl IntoIterator<Item = impl FrameSource>, mac: [u8; 6]) -> Result<()> {
        self.spawn("net", NetDevice::new(sources, mac))
    }

    fn take_slot(&mut self) -> Result<usize> {
        ensure!(self.slots < layout::MAX_DEVICES, "at most {} devices are possible", layout::MAX_DEVICES);
        self.slots += 1;
        Ok(self.slots - 1)
    }

    fn spawn(&mut self, kind: &str, device: impl Device) -> Result<()> {
        let slot = self.take_slot()?;
        let name = format!("{kind}{}", self.running.iter().filter(|(name, _)| name.starts_with(kind)).count());
        let device =
            RunningDevice::spawn_beside(self.company.clone(), Box::new(device), slot, &self.window, self.polling)
                .with_context(|| format!("cannot start device {name}"))?;
        self.running.push((name, device));
        Ok(())
    }
}

/// Starts a wire's switch in a process of its own, which no signal to this one's group and no end of
/// this one ends: other enclaves may need it for longer.
fn start_switch(socket: UnixListener, path: &Path) -> io::Result<()> {
    Command::new("/proc/self/exe")
        .arg("switch")
        .arg(path)
        .stdin(OwnedFd::from(socket))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map(|_| ())
}

/// A locally administered unicast address (IEEE 802 §8.4): two enclaves on one bridge need two.
fn random_mac() -> [u8; 6] {
    let [a, b, c, d, e, ..] = RandomState::new().hash_one("mac").to_le_bytes();
    [0x02, a, b, c, d, e]
}
