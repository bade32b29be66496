//! /proc/net (proc_pid_net(5)): interfaces, addresses, routes, neighbours.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Write;
use core::net::{IpAddr, Ipv4Addr};
use rkt_linux_abi::Result;
use rkt_net::Interface;
use rkt_vfs::pseudo::PseudoDir;

/// RTF_UP and RTF_GATEWAY of linux/route.h.
const RTF_UP: u16 = 1;
const RTF_GATEWAY: u16 = 2;

fn interfaces() -> Vec<Interface> {
    crate::devices::net().map(|net| net.interfaces()).unwrap_or_default()
}

/// Counters by interface.
fn dev() -> Result<Vec<u8>> {
    let mut text = String::from(
        "Inter-|   Receive                                                |  Transmit\n \
         face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n",
    );
    for interface in interfaces() {
        let counted = interface.counters;
        // A formatter of strings does not fail.
        let _ = writeln!(
            text,
            "{:>6}: {:>7} {:>7} {:>4} {:>4} {:>4} {:>5} {:>10} {:>9} {:>8} {:>7} {:>4} {:>4} {:>4} {:>5} {:>7} {:>10}",
            interface.name,
            counted.rx_bytes,
            counted.rx_frames,
            counted.rx_invalid,
            0,
            0,
            0,
            0,
            0,
            counted.tx_bytes,
            counted.tx_frames,
            0,
            counted.tx_full,
            0,
            0,
            0,
            0
        );
    }
    Ok(text.into_bytes())
}

/// The routing table. Addresses are words in the byte order of the processor.
fn route() -> Result<Vec<u8>> {
    let mut text =
        String::from("Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n");
    let word = |ip: Ipv4Addr| u32::from_ne_bytes(ip.octets());
    let Some(net) = crate::devices::net() else { return Ok(text.into_bytes()) };
    let interfaces = net.interfaces();
    for route in net.routes() {
        let IpAddr::V4(to) = route.prefix.address() else { continue };
        let Some(interface) = interfaces.iter().find(|interface| interface.index == route.interface.0) else {
            continue;
        };
        // Groups and broadcasts are of the table "local".
        if to.is_multicast() || to.is_broadcast() {
            continue;
        }
        let (gateway, flags) = match route.gateway {
            Some(IpAddr::V4(gateway)) => (gateway, RTF_UP | RTF_GATEWAY),
            _ => (Ipv4Addr::UNSPECIFIED, RTF_UP),
        };
        let mask = u32::MAX.checked_shl(32 - u32::from(route.prefix.len().min(32))).unwrap_or(0);
        let metric = route.metric;
        let mask = word(Ipv4Addr::from_bits(mask));
        let fields = format!("{:08X}\t{:08X}\t{flags:04X}\t0\t0\t{metric}\t{mask:08X}", word(to), word(gateway));
        let _ = writeln!(text, "{}\t{fields}\t0\t0\t0", interface.name);
    }
    Ok(text.into_bytes())
}

/// Neighbours of IPv4 whose card is known or asked for.
fn arp() -> Result<Vec<u8>> {
    /// ATF_COM of linux/if_arp.h: the card is known.
    const COMPLETE: u8 = 2;
    let mut text = String::from("IP address       HW type     Flags       HW address            Mask     Device\n");
    let Some(net) = crate::devices::net() else { return Ok(text.into_bytes()) };
    let interfaces = net.interfaces();
    for (index, neighbor) in net.neighbors() {
        let IpAddr::V4(ip) = neighbor.address else { continue };
        let Some(interface) = interfaces.iter().find(|interface| interface.index == index) else { continue };
        let [a, b, c, d, e, f] = neighbor.mac.map_or([0; 6], |mac| mac.0);
        let flags = if neighbor.mac.is_some() { COMPLETE } else { 0 };
        let mac = format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}");
        let ip = format!("{ip}");
        let _ = writeln!(text, "{ip:<16} 0x{:<10x}0x{flags:<10x}{mac:<17}     {:<8} {}", 1, "*", interface.name);
    }
    Ok(text.into_bytes())
}

/// Addresses of IPv6: the address, the interface, bits of the prefix, scope, flags, the interface's name.
fn if_inet6() -> Result<Vec<u8>> {
    /// IPV6_ADDR_LOOPBACK and IPV6_ADDR_LINKLOCAL of Linux's net/ipv6.h; global ones have 0.
    const LOOPBACK: u8 = 0x10;
    const LINK: u8 = 0x20;
    let mut text = String::new();
    for interface in interfaces() {
        for assigned in &interface.addresses {
            let IpAddr::V6(ip) = assigned.ip else { continue };
            let scope = match ip {
                _ if ip.is_loopback() => LOOPBACK,
                _ if ip.is_unicast_link_local() => LINK,
                _ => 0,
            };
            let fields = (interface.index, assigned.prefix, assigned.flags());
            let _ = writeln!(
                text,
                "{:032x} {:02x} {:02x} {scope:02x} {:02x} {:>8}",
                ip.to_bits(),
                fields.0,
                fields.1,
                fields.2,
                interface.name
            );
        }
    }
    Ok(text.into_bytes())
}

/// Settings of the network that are what they are (Documentation/networking/ip-sysctl.rst).
const SETTINGS: &[(&str, &str)] = &[
    ("core/default_qdisc", "noqueue"),
    ("core/optmem_max", "131072"),
    ("core/rmem_default", "212992"),
    ("core/rmem_max", "212992"),
    ("core/somaxconn", "4096"),
    ("core/wmem_default", "212992"),
    ("core/wmem_max", "212992"),
    ("ipv4/icmp_echo_ignore_all", "0"),
    ("ipv4/igmp_max_memberships", "20"),
    ("ipv4/ip_default_ttl", "64"),
    ("ipv4/ip_forward", "0"),
    ("ipv4/ip_local_port_range", "32768\t60999"),
    ("ipv4/ip_nonlocal_bind", "0"),
    ("ipv4/ip_unprivileged_port_start", "1024"),
    ("ipv4/ping_group_range", "0\t2147483647"),
    ("ipv4/tcp_allowed_congestion_control", "reno cubic"),
    ("ipv4/tcp_available_congestion_control", "reno cubic"),
    ("ipv4/tcp_congestion_control", "cubic"),
    ("ipv4/tcp_fin_timeout", "60"),
    ("ipv4/tcp_keepalive_intvl", "75"),
    ("ipv4/tcp_keepalive_probes", "9"),
    ("ipv4/tcp_keepalive_time", "7200"),
    ("ipv4/tcp_sack", "1"),
    ("ipv4/tcp_syncookies", "1"),
    ("ipv4/tcp_syn_retries", "6"),
    ("ipv4/tcp_timestamps", "1"),
    ("ipv4/tcp_window_scaling", "1"),
    ("ipv6/bindv6only", "0"),
    ("ipv6/conf/all/disable_ipv6", "0"),
    ("ipv6/conf/default/disable_ipv6", "0"),
    ("unix/max_dgram_qlen", "10"),
];

/// Fills the root of /proc.
pub(super) fn fill(root: &Arc<PseudoDir>) -> Result<()> {
    root.add_text("net/dev", dev)?;
    root.add_text("net/route", route)?;
    root.add_text("net/arp", arp)?;
    root.add_text("net/if_inet6", if_inet6)?;
    super::sockets::fill(root)?;
    super::counters::fill(root)?;
    for (name, value) in SETTINGS {
        root.add_text(&format!("sys/net/{name}"), move || Ok(format!("{value}\n").into_bytes()))?;
    }
    Ok(())
}
