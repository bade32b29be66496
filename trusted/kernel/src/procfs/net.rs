//! /proc/net (proc_pid_net(5)): interfaces and routes.

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

/// Fills the root of /proc.
pub(super) fn fill(root: &Arc<PseudoDir>) -> Result<()> {
    root.add_text("net/dev", dev)?;
    root.add_text("net/route", route)?;
    Ok(())
}
