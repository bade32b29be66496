//! Ports of the host that lead to the guest (`-p [ADDR:]HOST:GUEST[/udp]`).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

/// Transport protocol of a published port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// A published port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Publish {
    /// Where the host listens.
    pub listen: SocketAddr,
    /// The port of the guest.
    pub guest_port: u16,
    /// Its protocol.
    pub protocol: Protocol,
}

/// A port specification that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishSyntax(String);

impl fmt::Display for PublishSyntax {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not [ADDR:]HOST:GUEST[/udp], such as 8080:80, 0.0.0.0:8080:80 or [::1]:5353:53/udp", self.0)
    }
}

impl std::error::Error for PublishSyntax {}

impl FromStr for Publish {
    type Err = PublishSyntax;

    fn from_str(text: &str) -> Result<Self, PublishSyntax> {
        parse(text).ok_or_else(|| PublishSyntax(text.into()))
    }
}

fn parse(text: &str) -> Option<Publish> {
    let (ports, protocol) = match text.split_once('/') {
        None | Some((_, "tcp")) => (text.trim_end_matches("/tcp"), Protocol::Tcp),
        Some((ports, "udp")) => (ports, Protocol::Udp),
        Some(_) => return None,
    };
    let (host, guest_port) = ports.rsplit_once(':')?;
    let (address, host_port) = match host.rsplit_once(':') {
        None => (IpAddr::V4(Ipv4Addr::LOCALHOST), host),
        Some((address, port)) => {
            let bare = address.strip_prefix('[').and_then(|a| a.strip_suffix(']')).unwrap_or(address);
            (bare.parse().ok()?, port)
        }
    };
    let port = |text: &str| text.parse::<u16>().ok().filter(|port| *port != 0);
    Some(Publish { listen: (address, port(host_port)?).into(), guest_port: port(guest_port)?, protocol })
}

impl fmt::Display for Publish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let suffix = if self.protocol == Protocol::Udp { "/udp" } else { "" };
        write!(f, "{}:{}{suffix}", self.listen, self.guest_port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_docker_reads() {
        for (text, shown) in [
            ("8080:80", "127.0.0.1:8080:80"),
            ("8080:80/tcp", "127.0.0.1:8080:80"),
            ("0.0.0.0:8080:80", "0.0.0.0:8080:80"),
            ("[::1]:5353:53/udp", "[::1]:5353:53/udp"),
        ] {
            assert_eq!(text.parse::<Publish>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn refuses_the_rest() {
        for text in ["", "80", ":80", "80:", "0:80", "80:0", "70000:80", "a:80:80", "80:80/sctp", "80:80/udp/udp"] {
            assert!(text.parse::<Publish>().is_err(), "{text}");
        }
    }
}
