//! The rules beyond syntax. Encoding and decoding both apply them, so that what has an
//! encoding is what can be decoded.

use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};

use crate::ManifestError::{self, Invalid, NotSorted, TooLong};
use crate::model::{Changes, Disk, DiskFormat, Interface, Ipv4, Ipv6, Manifest, RootIdentity, env_key, limits};

/// Smallest MTU: what every IPv4 host must take (RFC 791 §3.2), and with IPv6 what every link must (RFC 8200 §5).
const MTU_MIN: u16 = 576;
const MTU_MIN_V6: u16 = 1280;

impl Manifest {
    pub(crate) fn check(&self) -> Result<(), ManifestError> {
        if self.argv.first().is_none_or(Vec::is_empty) || self.argv.iter().any(|arg| arg.contains(&0)) {
            return Err(Invalid("argv"));
        }
        if self.env.iter().any(|v| env_key(v).is_empty() || !v.contains(&b'=') || v.contains(&0)) {
            return Err(Invalid("env"));
        }
        if !self.env.is_sorted_by(|a, b| env_key(a) < env_key(b)) {
            return Err(NotSorted("env"));
        }
        check_path(&self.workdir, "workdir")?;
        check_hostname(&self.hostname)?;
        if !self.user.groups.is_sorted_by(|a, b| a < b) {
            return Err(NotSorted("groups"));
        }
        if self.memory == 0 || self.memory > limits::MEMORY || !self.memory.is_multiple_of(4096) {
            return Err(Invalid("memory"));
        }
        if !(1..=limits::CPUS).contains(&self.cpus) {
            return Err(Invalid("cpus"));
        }
        at_most(self.user.groups.len(), limits::GROUPS, "groups")?;
        at_most(self.network.len(), limits::INTERFACES, "network")?;
        at_most(self.disks.len(), limits::DISKS, "disks")?;
        self.network.iter().try_for_each(Interface::check)?;
        self.disks.iter().try_for_each(Disk::check)?;
        distinct(&self.network, |interface| &interface.name, "interface name")?;
        // Mount points differ: one disk at most is the root.
        let is_root = self.disks.iter().any(|disk| disk.mount == b"/");
        if is_root != (self.root == RootIdentity::Disk) {
            return Err(Invalid("mount point"));
        }
        distinct(&self.disks, |disk| &disk.mount, "mount point")
    }
}

impl Interface {
    fn check(&self) -> Result<(), ManifestError> {
        // As dev_valid_name of Linux: no slash, colon or space, not a directory link.
        let printable = |&byte: &u8| byte.is_ascii_graphic() && byte != b'/' && byte != b':';
        at_most(self.name.len(), limits::INTERFACE_NAME, "interface name")?;
        if matches!(&self.name[..], b"" | b"." | b"..") || !self.name.iter().all(printable) {
            return Err(Invalid("interface name"));
        }
        if self.mtu < MTU_MIN || self.ipv6 != Ipv6::None && self.mtu < MTU_MIN_V6 {
            return Err(Invalid("mtu"));
        }
        if self.mac.is_some_and(|mac| mac[0] & 1 == 1 || mac == [0; 6]) {
            return Err(Invalid("mac"));
        }
        at_most(self.dns.len(), limits::DNS, "dns")?;
        match self.ipv4 {
            Ipv4::Static { address, prefix, gateway } => check_ipv4(address, prefix, gateway)?,
            Ipv4::None | Ipv4::Dhcp => {}
        }
        match self.ipv6 {
            Ipv6::Static { address, prefix, gateway } => check_ipv6(address, prefix, gateway),
            Ipv6::None | Ipv6::Auto => Ok(()),
        }
    }
}

fn check_ipv4(address: Ipv4Addr, prefix: u8, gateway: Option<Ipv4Addr>) -> Result<(), ManifestError> {
    let unusable = |ip: Ipv4Addr| ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast() || ip.is_loopback();
    let mask = match prefix {
        0 => 0,
        1..=32 => u32::MAX << (32 - prefix),
        _ => return Err(Invalid("prefix")),
    };
    if unusable(address) {
        return Err(Invalid("address"));
    }
    match gateway {
        Some(ip) if unusable(ip) || (ip.to_bits() ^ address.to_bits()) & mask != 0 => Err(Invalid("gateway")),
        _ => Ok(()),
    }
}

fn check_ipv6(address: Ipv6Addr, prefix: u8, gateway: Option<Ipv6Addr>) -> Result<(), ManifestError> {
    let mapped = |ip: Ipv6Addr| ip.to_ipv4_mapped().is_some();
    let unusable = |ip: Ipv6Addr| ip.is_unspecified() || ip.is_multicast() || ip.is_loopback() || mapped(ip);
    let mask = match prefix {
        0 => 0,
        1..=128 => u128::MAX << (128 - prefix),
        _ => return Err(Invalid("prefix")),
    };
    if unusable(address) {
        return Err(Invalid("address"));
    }
    let beyond = |ip: Ipv6Addr| !ip.is_unicast_link_local() && (ip.to_bits() ^ address.to_bits()) & mask != 0;
    match gateway {
        Some(ip) if unusable(ip) || beyond(ip) => Err(Invalid("gateway")),
        _ => Ok(()),
    }
}

impl Disk {
    fn check(&self) -> Result<(), ManifestError> {
        check_path(&self.mount, "mount point")?;
        let verity = matches!(self.format, DiskFormat::Verity { .. });
        if verity && self.changes == Changes::Kept { Err(Invalid("changes")) } else { Ok(()) }
    }
}

/// An absolute path in its one normal form.
fn check_path(path: &[u8], field: &'static str) -> Result<(), ManifestError> {
    at_most(path.len(), limits::PATH, field)?;
    let Some(relative) = path.strip_prefix(b"/") else { return Err(Invalid(field)) };
    let odd = |component: &[u8]| matches!(component, b"" | b"." | b"..") || component.contains(&0);
    if !relative.is_empty() && relative.split(|&byte| byte == b'/').any(odd) {
        return Err(Invalid(field));
    }
    Ok(())
}

fn check_hostname(name: &[u8]) -> Result<(), ManifestError> {
    at_most(name.len(), limits::HOSTNAME, "hostname")?;
    let allowed = |&byte: &u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    if name.is_empty() || !name.iter().all(allowed) { Err(Invalid("hostname")) } else { Ok(()) }
}

fn at_most(count: usize, limit: usize, field: &'static str) -> Result<(), ManifestError> {
    if count > limit { Err(TooLong(field)) } else { Ok(()) }
}

/// Compares every pair; the lists have at most [`limits::DISKS`] items.
fn distinct<T>(items: &[T], key: impl Fn(&T) -> &Vec<u8>, field: &'static str) -> Result<(), ManifestError> {
    let mut rest = items;
    while let Some((first, later)) = rest.split_first() {
        if later.iter().any(|item| key(item) == key(first)) {
            return Err(Invalid(field));
        }
        rest = later;
    }
    Ok(())
}
