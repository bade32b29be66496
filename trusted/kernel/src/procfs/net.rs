//! /proc/net (proc_pid_net(5)): interfaces and routes.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Write;
use core::net::Ipv4Addr;
use rkt_linux_abi::Result;
use rkt_net::Interface;
use rkt_vfs::pseudo::PseudoDir;

/// RTF_UP and RTF_GATEWAY of linux/route.h.
const RTF_UP: u16 = 1;
const RTF_GATEWAY: u16 = 2;

fn interfaces() -> Vec<Interface> {
    crate::devices::net().map(|net| net.interfaces()).unwrap_or_default()
}

/// Counters by interface. What goes over the loopback are no packets, and is not counted.
fn dev() -> Result<Vec<u8>> {
    let mut text = String::from(
        "Inter-|   Receive                                                |  Transmit\n \
         face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n",
    );
    for interface in interfaces() {
        let counted = crate::devices::card_stats().filter(|_| !interface.address.is_loopback()).unwrap_or_default();
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
    for interface in interfaces().iter().filter(|interface| !interface.address.is_loopback()) {
        let mut line = |to: Ipv4Addr, gateway: Ipv4Addr, flags: u16, mask: Ipv4Addr| {
            let fields = format!("{:08X}\t{:08X}\t{flags:04X}\t0\t0\t0\t{:08X}", word(to), word(gateway), word(mask));
            let _ = writeln!(text, "{}\t{fields}\t0\t0\t0", interface.name);
        };
        let any = Ipv4Addr::UNSPECIFIED;
        if let Some(gateway) = interface.gateway {
            line(any, gateway, RTF_UP | RTF_GATEWAY, any);
        }
        line(interface.network(), any, RTF_UP, interface.netmask());
    }
    Ok(text.into_bytes())
}

/// Fills the root of /proc.
pub(super) fn fill(root: &Arc<PseudoDir>) -> Result<()> {
    root.add_text("net/dev", dev)?;
    root.add_text("net/route", route)?;
    Ok(())
}
