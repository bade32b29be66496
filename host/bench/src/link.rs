//! A network between this namespace and a server: a veth pair into a namespace of the server's
//! own, or a TAP into an enclave.
//!
//! Nothing has a name that could outlive us. The namespace goes with us, its end of the pair dies with it,
//! and with that end the other; the TAP is rkt-io's, which dies with us in the same way.

use crate::namespace::{Kind, Namespace, mortal};
use crate::place::{require, tool};
use anyhow::{Context, Result, ensure};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Both ends of every link.
pub const MTU: u16 = 1500;
/// Of the native server, on a machine whose default may be another.
pub const CONGESTION_CONTROL: &str = "cubic";
/// Addresses for benchmarks of network devices (RFC 2544, appendix C.2.2): one network of four
/// for each link, chosen by process id so that two runs at a time do not meet.
const BENCHMARKS: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 0);
const PREFIX: u8 = 30;
const LINKS_A_RUN: u32 = 8;
const RUNS: u32 = 1 << 12;
const INTERFACE_LIMIT: Duration = Duration::from_secs(10);

/// The addresses and the host's interface of a link.
struct Plan {
    host: Ipv4Addr,
    server: Ipv4Addr,
    interface: String,
}

impl Plan {
    /// For one of the links of the run of this process.
    fn new(pid: u32, number: u32) -> Self {
        let network = BENCHMARKS.to_bits() + ((pid % RUNS * LINKS_A_RUN + number) << (32 - PREFIX));
        let [host, server] = [1, 2].map(|n| Ipv4Addr::from_bits(network + n));
        // At most 15 bytes (IFNAMSIZ): a process id has up to seven digits.
        Self { host, server, interface: format!("rktb{pid}n{number}") }
    }

    fn network(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.host.to_bits() - 1)
    }
}

/// A way to a server.
pub struct Link {
    plan: Plan,
    /// `None`: the server is an enclave on a TAP.
    namespace: Option<Namespace>,
}

impl Drop for Link {
    fn drop(&mut self) {
        // At once; without this the kernel takes the namespace apart some time later.
        if let (Some(_), Ok(ip)) = (&self.namespace, require("ip", "iproute2")) {
            let _ = tool(&ip, &["link", "delete", &self.plan.interface]);
        }
    }
}

impl Link {
    /// A TAP, which comes up with the enclave.
    pub fn tap(number: u32) -> Self {
        Self { plan: Plan::new(std::process::id(), number), namespace: None }
    }

    /// A veth pair into a new namespace.
    ///
    /// # Errors
    /// Without the right to make one, or the tools.
    pub fn veth(number: u32) -> Result<Self> {
        let plan = Plan::new(std::process::id(), number);
        let ip = require("ip", "iproute2")?;
        let namespace = Namespace::new(Kind::Network).context("cannot make a network namespace (are you root?)")?;
        let (name, mtu, holder) = (plan.interface.as_str(), MTU.to_string(), namespace.holder().to_string());
        let address = |of: Ipv4Addr| format!("{of}/{PREFIX}");
        let peer = ["mtu", &mtu, "type", "veth", "peer", "name", "eth0", "mtu", &mtu, "netns", &holder];
        tool(&ip, &[["link", "add", name].as_slice(), &peer].concat())?;
        tool(&ip, &["address", "add", &address(plan.host), "dev", name])?;
        tool(&ip, &["link", "set", name, "up"])?;
        namespace.run(&ip, &["address", "add", &address(plan.server), "dev", "eth0"])?;
        namespace.run(&ip, &["link", "set", "eth0", "up"])?;
        // By the route: a namespace's own setting takes only what the host allows to everybody.
        let connected = ["route", "replace", &format!("{}/{PREFIX}", plan.network()), "dev", "eth0"];
        let from = ["src", &plan.server.to_string(), "congctl", CONGESTION_CONTROL];
        namespace.run(&ip, &[connected.as_slice(), &from].concat())?;
        Ok(Self { plan, namespace: Some(namespace) })
    }

    /// Switches checksum and segmentation off at both ends of a veth pair.
    ///
    /// # Errors
    /// Without ethtool.
    pub fn without_offloads(self) -> Result<Self> {
        if let Some(namespace) = &self.namespace {
            let ethtool = require("ethtool", "ethtool")?;
            let off = |interface| ["-K", interface, "tx", "off", "tso", "off", "gso", "off", "gro", "off"];
            tool(&ethtool, &off(&self.plan.interface))?;
            namespace.run(&ethtool, &off("eth0"))?;
        }
        Ok(self)
    }

    /// Options of `rkt-io run` for an enclave at the other end.
    pub fn options(&self) -> Vec<String> {
        let Plan { host, server, interface } = &self.plan;
        let options = ["--net", &format!("tap={interface}"), "--ip", &format!("{server}/{PREFIX}")];
        let gateway = ["--gateway", &host.to_string()];
        [options.as_slice(), &gateway].concat().into_iter().map(str::to_owned).collect()
    }

    /// Waits until the last enclave's TAP has gone, which the kernel does a little after its end.
    ///
    /// # Errors
    /// If it stays.
    pub fn settle(&self) -> Result<()> {
        let interface = Path::new("/sys/class/net").join(&self.plan.interface);
        let deadline = Instant::now() + INTERFACE_LIMIT;
        while self.namespace.is_none() && interface.exists() {
            ensure!(Instant::now() < deadline, "TAP {} outlives its enclave", self.plan.interface);
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// The address at this end.
    pub fn host(&self) -> Ipv4Addr {
        self.plan.host
    }

    /// The server's address.
    pub fn server(&self) -> Ipv4Addr {
        self.plan.server
    }

    /// The command for a server at the other end, which dies with us. It stays one process.
    ///
    /// # Errors
    /// If a tool is missing.
    pub fn wrap(&self, server: &Command) -> Result<Command> {
        match &self.namespace {
            Some(namespace) => namespace.wrap(server),
            None => mortal(server),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::lines;
    use std::path::PathBuf;

    #[test]
    fn links_have_networks_of_their_own() {
        let plan = Plan::new(5, 1);
        assert_eq!((plan.host.to_string(), plan.server.to_string()), ("198.18.0.165".into(), "198.18.0.166".into()));
        let last = Plan::new(RUNS - 1, LINKS_A_RUN - 1);
        assert_eq!(last.server.to_string(), "198.19.255.254");
        assert!(Plan::new(4_194_304, 1).interface.len() <= 15);
        let options = Link { plan, namespace: None }.options().join(" ");
        assert_eq!(options, "--net tap=rktb5n1 --ip 198.18.0.166/30 --gateway 198.18.0.165");
    }

    #[test]
    fn a_pair_reaches_into_its_namespace_and_goes_with_it() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: needs root");
            return;
        }
        let link = Link::veth(0).unwrap();
        let interface = PathBuf::from("/sys/class/net").join(&link.plan.interface);
        assert!(interface.exists());
        let mut inside = Command::new("cat");
        inside.arg("/proc/net/dev");
        let mut text = String::new();
        let keep = |line: crate::process::Line| {
            text += &line.text;
            Ok(())
        };
        lines(&mut link.wrap(&inside).unwrap(), None, Duration::from_secs(60), keep).unwrap();
        assert!(text.contains("eth0") && !text.contains(&link.plan.interface), "{text}");
        drop(link);
        assert!(!interface.exists());
    }
}
