//! Network namespaces of one's own, and raw access to their interfaces.

use crate::WATCHDOG;
use rustix::net::{AddressFamily, Protocol, SocketFlags, SocketType, sockopt};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::process::Command;

/// Runs a test in a fresh network namespace without IPv6, whose chatter would mix with the
/// test's frames. All that the test makes there vanishes with it. Says why and returns if this
/// process may not do so; as root, that is a failure.
pub fn in_network_namespace(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::spawn(|| {
        // SAFETY: only the network namespace of this thread changes; no descriptor is unshared.
        let unshared = unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNET) };
        if unshared.is_err() && !rustix::process::geteuid().is_root() {
            eprintln!("skipped: only root may make a network namespace and a TAP in it");
            return;
        }
        unshared.expect("a network namespace");
        assert!(std::path::Path::new("/dev/net/tun").exists(), "this machine has no /dev/net/tun");
        std::fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1").expect("switch IPv6 off");
        test();
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// A network namespace that threads can enter. It vanishes with the last that uses it.
pub struct Namespace(File);

impl Namespace {
    /// Makes one, without IPv6.
    ///
    /// # Errors
    /// Only root may.
    pub fn new() -> io::Result<Self> {
        on_a_thread(|| {
            // SAFETY: only the network namespace of this thread changes; no descriptor is unshared.
            unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNET) }?;
            std::fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1")?;
            File::open("/proc/thread-self/ns/net").map(Self)
        })
    }

    /// Runs `act` on a thread in it, which may start programs there.
    ///
    /// # Errors
    /// Those of `act`.
    pub fn enter<T: Send, E: Send + From<io::Error>>(&self, act: impl FnOnce() -> Result<T, E> + Send) -> Result<T, E> {
        on_a_thread(|| {
            let kind = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(self.0.as_fd(), kind).map_err(io::Error::from)?;
            act()
        })
    }
}

fn on_a_thread<T: Send>(act: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| scope.spawn(act).join()).unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Runs `ip` with the given words.
pub fn ip(words: &str) {
    let status = Command::new("ip").args(words.split_whitespace()).status().expect("the program `ip` (iproute2)");
    assert!(status.success(), "ip {words}");
}

/// Sees and sends whole frames on an interface.
pub struct PacketSocket(OwnedFd);

impl PacketSocket {
    /// On the interface `name`, for one EtherType.
    pub fn open(name: &str, ethertype: u16) -> Self {
        let protocol = Protocol::from_raw(u32::from(ethertype.to_be()).try_into().expect("EtherType"));
        let family = AddressFamily::PACKET;
        let socket = rustix::net::socket_with(family, SocketType::RAW, SocketFlags::CLOEXEC, Some(protocol));
        let socket = socket.expect("a packet socket");
        let index = rustix::net::netdevice::name_to_index(&socket, name).expect("interface index");
        // SAFETY: all zeroes is a valid sockaddr_ll.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = ethertype.to_be();
        address.sll_ifindex = index as i32;
        // SAFETY: address and length belong together.
        let bound =
            unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), size_of_val(&address) as u32) };
        assert_eq!(bound, 0, "bind: {}", io::Error::last_os_error());
        sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(WATCHDOG)).expect("timeout");
        Self(socket)
    }

    /// The next frame.
    pub fn receive(&self) -> Vec<u8> {
        let mut frame = vec![0; 65_600];
        let (len, _) = rustix::net::recv(&self.0, &mut frame[..], rustix::net::RecvFlags::empty()).expect("a frame");
        frame.truncate(len);
        frame
    }

    /// Sends a frame.
    pub fn send(&self, frame: &[u8]) {
        let sent = rustix::net::send(&self.0, frame, rustix::net::SendFlags::empty());
        assert_eq!(sent.expect("send"), frame.len());
    }
}

/// A TUN interface: IP packets after a virtio header of 10 bytes. The kernel may be given
/// segments to split, and gives none unsplit itself.
pub struct Tun(File);

impl Tun {
    /// Makes the interface `name`.
    pub fn open(name: &str) -> Self {
        Self(attach(name, libc::IFF_TUN | libc::IFF_VNET_HDR, 0).expect("a TUN"))
    }

    /// The next packet with its header.
    pub fn receive(&mut self) -> Vec<u8> {
        let mut packet = vec![0; 65_600];
        let len = self.0.read(&mut packet).expect("a packet");
        packet.truncate(len);
        packet
    }

    /// Sends a packet with its header.
    pub fn send(&mut self, packet: &[u8]) {
        assert_eq!(self.0.write(packet).expect("send"), packet.len());
    }
}

/// A TAP interface without offloads: whole frames of at most the MTU, checksums complete. Does not wait.
pub struct Tap(File);

impl Tap {
    /// Makes the interface `name` in the namespace of the calling thread.
    ///
    /// # Errors
    /// Only root may.
    pub fn open(name: &str) -> io::Result<Self> {
        attach(name, libc::IFF_TAP, libc::O_NONBLOCK).map(Self)
    }

    /// The next frame's length, if there is one.
    ///
    /// # Errors
    /// The interface is gone.
    pub fn read(&mut self, frame: &mut [u8]) -> io::Result<Option<usize>> {
        match self.0.read(frame) {
            Ok(len) => Ok(Some(len)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sends a frame.
    ///
    /// # Errors
    /// The kernel does not take it.
    pub fn write(&mut self, frame: &[u8]) -> io::Result<()> {
        self.0.write(frame).map(drop)
    }
}

impl AsFd for Tap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Makes an interface of this kind.
fn attach(name: &str, kind: i32, open: i32) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).custom_flags(open).open("/dev/net/tun")?;
    // SAFETY: all zeroes is a valid ifreq.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (kind | libc::IFF_NO_PI) as i16;
    // SAFETY: TUNSETIFF takes an ifreq.
    match unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &raw mut request) } {
        0 => Ok(file),
        _ => Err(io::Error::last_os_error()),
    }
}
