//! Frames through a TAP interface (Documentation/networking/tuntap.rst).
//!
//! Packets pass between the queues and the kernel as they are, virtio header included: the
//! kernel's `IFF_VNET_HDR` format is virtio's own, so checksums and segmentation are left to
//! whoever is last, and nothing is copied in this process.

use crate::source::{FrameSource, Received, Sent};
use crate::sys::ifreq::{self, Control};
use rkt_virtio::net::{HEADER_LEN, features};
use rkt_virtio_device::Parts;
use rkt_window::Region;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

/// How the TAP is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TapOptions {
    /// Name of the interface, up to 15 bytes; made if there is none. `None`: the next free `rktN`.
    pub name: Option<String>,
    /// Address of the host's end and prefix length; the guest is reached through it.
    pub host4: Option<(Ipv4Addr, u8)>,
    /// The same for IPv6.
    pub host6: Option<(Ipv6Addr, u8)>,
    /// MTU of both ends.
    pub mtu: u16,
    /// Queues, at least one: the kernel sends a flow to the one that it last came from. An interface
    /// that was made before with one queue has one.
    pub queues: u16,
}

impl Default for TapOptions {
    fn default() -> Self {
        Self { name: None, host4: None, host6: None, mtu: 1500, queues: 1 }
    }
}

/// Why there is no TAP. Each says what to do.
#[derive(Debug)]
pub enum TapError {
    /// No `/dev/net/tun`.
    NoDriver(io::Error),
    /// No right to open, make or configure it.
    Denied {
        /// Its name, as far as known.
        name: String,
        /// What was denied.
        what: &'static str,
    },
    /// Another program holds it.
    Busy(String),
    /// The name is too long or has characters that no interface has.
    Name(String),
    /// There is an interface of that name and it is not a TAP of this kind.
    NotTap(String),
    /// Another failure.
    Host {
        /// Its name, as far as known.
        name: String,
        /// What failed.
        what: &'static str,
        /// How.
        error: io::Error,
    },
}

impl fmt::Display for TapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoDriver(e) => {
                write!(f, "cannot open /dev/net/tun: {e}; load the module `tun`, or use `--net user`")
            }
            Self::Denied { name, what } => write!(
                f,
                "no right to {what} TAP {name}: run as root, or let root make it for you \
                 (`ip tuntap add dev NAME mode tap vnet_hdr user $USER` and give it an address), or use `--net user`"
            ),
            Self::Busy(name) => write!(f, "TAP {name} is in use by another program: stop it or name another TAP"),
            Self::Name(name) => {
                write!(f, "{name:?} cannot be the name of an interface (1 to 15 bytes, no `/` or space)")
            }
            Self::NotTap(name) => {
                write!(f, "interface {name} exists and is no TAP with a virtio header: name another one, or none")
            }
            Self::Host { name, what, error } => write!(f, "cannot {what} TAP {name}: {error}"),
        }
    }
}

impl std::error::Error for TapError {}

/// The kernel lets go of a TAP some milliseconds after its last user, where that polled it
/// through io_uring: a restart need not see that.
const RELEASE: Duration = Duration::from_millis(50);
const RELEASE_TRIES: u32 = 20;

/// Attaches to the interface; waits a little while it is in use.
fn attach(file: &File, name: &str, several: bool) -> io::Result<String> {
    let mut tries = 0;
    loop {
        match ifreq::attach_tap(file, name, several) {
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) && tries < RELEASE_TRIES => {
                tries += 1;
                std::thread::sleep(RELEASE);
            }
            result => return result,
        }
    }
}

/// One queue of an open TAP. The interface vanishes with the last, unless somebody made it persistent
/// before.
#[derive(Debug)]
pub struct Tap {
    file: File,
    name: String,
    mtu: u16,
    /// It is one of several.
    several: bool,
    /// The kernel uses it.
    attached: bool,
    /// The kernel segments UDP.
    uso: bool,
}

/// Segmentation of UDP, which Linux 6.2 and newer have.
const TUN_USO: u32 = libc::TUN_F_CSUM | libc::TUN_F_USO4 | libc::TUN_F_USO6;

impl Tap {
    /// Opens or makes the TAP in the network namespace of the calling thread, configures it and
    /// brings it up. Its queues, of which the kernel uses the first.
    ///
    /// # Errors
    /// [`TapError`].
    pub fn open(options: &TapOptions) -> Result<Vec<Self>, TapError> {
        let name = options.name.as_deref().unwrap_or("rkt%d");
        let bad = |c: u8| c == b'/' || c == b':' || c.is_ascii_whitespace() || (c == b'%' && options.name.is_some());
        if name.is_empty() || name.len() >= libc::IFNAMSIZ || name.bytes().any(bad) {
            return Err(TapError::Name(name.into()));
        }
        let shown = options.name.as_deref().unwrap_or("(new)");
        let (file, name, several) = Self::open_first(name, shown, options.queues > 1)?;
        let host = |what, name: &str| {
            let name = name.to_owned();
            move |error: io::Error| match error.raw_os_error() {
                Some(libc::EPERM) => TapError::Denied { name, what },
                _ => TapError::Host { name, what, error },
            }
        };
        ifreq::set_header_len(&file, HEADER_LEN as i32).map_err(host("set the header length of", &name))?;
        configure(&name, options, &host)?;
        let uso = ifreq::set_offload(&file, TUN_USO).is_ok();
        let first = Self { file, name: name.clone(), mtu: options.mtu, several, attached: true, uso };
        let mut taps = vec![first];
        for _ in 1..if several { options.queues } else { 1 } {
            let file = open_driver(shown)?;
            ifreq::attach_tap(&file, &name, true).map_err(host("add a queue to", &name))?;
            ifreq::use_queue(&file, false).map_err(host("add a queue to", &name))?;
            taps.push(Self { file, name: name.clone(), mtu: options.mtu, several, attached: false, uso });
        }
        Ok(taps)
    }

    /// Attaches to the interface: its first queue, its name, and whether it can have more.
    fn open_first(name: &str, shown: &str, several: bool) -> Result<(File, String, bool), TapError> {
        let file = open_driver(shown)?;
        let attached = match attach(&file, name, several) {
            // There is one that was made with a single queue.
            Err(error) if several && error.raw_os_error() == Some(libc::EINVAL) => {
                attach(&file, name, false).map(|name| (name, false))
            }
            result => result.map(|name| (name, several)),
        };
        let (name, several) = attached.map_err(|error| match error.raw_os_error() {
            Some(libc::EPERM) => TapError::Denied { name: shown.into(), what: "make or open" },
            Some(libc::EBUSY) => TapError::Busy(shown.into()),
            Some(libc::EINVAL) => TapError::NotTap(shown.into()),
            _ => TapError::Host { name: shown.into(), what: "make", error },
        })?;
        Ok((file, name, several))
    }

    /// Name of the interface.
    pub fn name(&self) -> &str {
        &self.name
    }
}

fn open_driver(shown: &str) -> Result<File, TapError> {
    let file = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open("/dev/net/tun");
    file.map_err(|e| match e.kind() {
        io::ErrorKind::PermissionDenied => TapError::Denied { name: shown.into(), what: "open" },
        _ => TapError::NoDriver(e),
    })
}

/// Gives the interface its MTU and addresses and brings it up.
fn configure<E: FnOnce(io::Error) -> TapError>(
    name: &str,
    options: &TapOptions,
    host: &impl Fn(&'static str, &str) -> E,
) -> Result<(), TapError> {
    let control = Control::open(name).map_err(host("configure", name))?;
    if control.mtu().map_err(host("configure", name))? != options.mtu {
        control.set_mtu(options.mtu).map_err(host("set the MTU of", name))?;
    }
    // What root has set up before needs no right to be left as it is.
    if let Some((address, prefix)) = options.host4.filter(|(address, _)| control.ipv4() != Some(*address)) {
        control.set_ipv4(address, prefix).map_err(host("set the address of", name))?;
    }
    control.bring_up().map_err(host("bring up", name))?;
    if let Some((address, prefix)) = options.host6 {
        // Nobody else is on this link: without a wait for others who might have the address (RFC 4862 §5.4).
        let _ = std::fs::write(format!("/proc/sys/net/ipv6/conf/{name}/accept_dad"), "0");
        control.set_ipv6(address, prefix).map_err(host("set the IPv6 address of", name))?;
    }
    Ok(())
}

/// What the kernel may hand us, by what the driver takes.
fn offloads(agreed: u64) -> u32 {
    [
        (features::GUEST_USO4, libc::TUN_F_USO4),
        (features::GUEST_USO6, libc::TUN_F_USO6),
        (features::GUEST_CSUM, libc::TUN_F_CSUM),
        (features::GUEST_TSO4, libc::TUN_F_TSO4),
        (features::GUEST_TSO6, libc::TUN_F_TSO6),
        (features::GUEST_ECN, libc::TUN_F_TSO_ECN),
    ]
    .iter()
    .fold(0, |flags, (feature, flag)| if agreed & feature != 0 { flags | flag } else { flags })
}

impl FrameSource for Tap {
    fn descriptor(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    fn offloads(&self) -> u64 {
        let uso = features::HOST_USO | features::GUEST_USO4 | features::GUEST_USO6;
        let always = features::CSUM
            | features::HOST_TSO4
            | features::HOST_TSO6
            | features::HOST_ECN
            | features::GUEST_CSUM
            | features::GUEST_TSO4
            | features::GUEST_TSO6
            | features::GUEST_ECN;
        if self.uso { always | uso } else { always }
    }

    fn mtu(&self) -> u16 {
        self.mtu
    }

    fn start(&mut self, features: u64) -> io::Result<()> {
        // It holds for the interface as a whole.
        if self.attached { ifreq::set_offload(&self.file, offloads(features)) } else { Ok(()) }
    }

    fn use_pair(&mut self, used: bool) -> io::Result<()> {
        if self.several && std::mem::replace(&mut self.attached, used) != used {
            ifreq::use_queue(&self.file, used)?;
        }
        Ok(())
    }

    fn send(&mut self, packet: &[Region]) -> io::Result<Sent> {
        let Ok(parts) = Parts::of(packet) else { return Ok(Sent::Refused) };
        match parts.write_to(self.file.as_fd()) {
            Ok(_) => Ok(Sent::Done),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(Sent::Blocked),
            // EBADFD: the interface is gone. All else is about this packet: a header that the
            // kernel does not take (EINVAL), the interface down (EIO), memory short.
            Err(e) if e.raw_os_error() == Some(libc::EBADFD) => Err(e),
            Err(_) => Ok(Sent::Refused),
        }
    }

    fn receive(&mut self, room: &[Region], overflow: &mut [u8]) -> io::Result<Received> {
        match Parts::of(room)?.read_with_spill(self.file.as_fd(), overflow) {
            Ok(n) => Ok(Received::Packet(n)),
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                Ok(Received::Nothing)
            }
            Err(e) => Err(e),
        }
    }
}
