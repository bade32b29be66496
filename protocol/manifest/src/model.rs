//! The fields of a manifest.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::ManifestError;

/// Bounds that every manifest keeps.
pub mod limits {
    /// Bytes of an encoded manifest.
    pub const ENCODED: usize = 64 << 10;
    /// Bytes of a path (`PATH_MAX` without the NUL).
    pub const PATH: usize = 4095;
    /// Bytes of a host name (`HOST_NAME_MAX`, gethostname(2)).
    pub const HOSTNAME: usize = 64;
    /// Bytes of an interface name (`IFNAMSIZ` without the NUL).
    pub const INTERFACE_NAME: usize = 15;
    /// Supplementary groups of the user.
    pub const GROUPS: usize = 64;
    /// Network interfaces.
    pub const INTERFACES: usize = 8;
    /// Name servers of an interface.
    pub const DNS: usize = 8;
    /// Disks.
    pub const DISKS: usize = 16;
    /// Virtual CPUs.
    pub const CPUS: u32 = 1024;
    /// Bytes of memory: what a 47-bit address space can hold.
    pub const MEMORY: u64 = 1 << 47;
}

/// What an enclave runs and what it lets in and out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Arguments, at least the program.
    pub argv: Vec<Vec<u8>>,
    /// Environment, `KEY=VALUE`, sorted by key. [`Manifest::set_env`] keeps it so.
    pub env: Vec<Vec<u8>>,
    /// Working directory, absolute.
    pub workdir: Vec<u8>,
    /// Host name: letters, digits, dots and hyphens.
    pub hostname: Vec<u8>,
    /// Who the program runs as.
    pub user: User,
    /// The root file system and what pins it.
    pub root: RootIdentity,
    /// Memory of the program and the enclave's kernel, bytes, a multiple of 4096.
    pub memory: u64,
    /// Virtual CPUs.
    pub cpus: u32,
    /// Network interfaces, in the order of the host's devices; names differ.
    pub network: Vec<Interface>,
    /// Whether packets may leave without a tunnel around them.
    pub plaintext_network: bool,
    /// Disks, in the order of the host's devices; mount points differ.
    pub disks: Vec<Disk>,
    /// Standard streams.
    pub stdio: Stdio,
    /// Signals that the host may send.
    pub signals: Signals,
    /// Whether tracing and dumps, which show the program's data, may be asked for.
    pub debug: bool,
    /// Whether the host may have programs run beside the first one (`rkt-io exec`).
    pub allow_exec: bool,
    /// What keeps sealed disks fresh.
    pub anchor: Anchor,
}

impl Manifest {
    /// Sets a variable of the environment, in the place of an earlier one of the same
    /// key. Whether key and value are valid is told by [`Manifest::encode`].
    pub fn set_env(&mut self, key: &[u8], value: &[u8]) {
        let variable = [key, value].join(&b'=');
        match self.env.binary_search_by(|other| env_key(other).cmp(key)) {
            Ok(found) => self.env[found] = variable,
            Err(place) => self.env.insert(place, variable),
        }
    }
}

/// The part of `KEY=VALUE` before the first `=`.
pub(crate) fn env_key(variable: &[u8]) -> &[u8] {
    variable.split(|&byte| byte == b'=').next().unwrap_or_default()
}

/// Who the program runs as.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Supplementary groups, ascending.
    pub groups: Vec<u32>,
}

/// The root file system and what pins it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RootIdentity {
    /// An rkt-io image, unpacked into memory.
    Image {
        /// Its digest.
        digest: [u8; 32],
    },
    /// The disk whose mount point is `/`.
    Disk,
}

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// The kind of device behind it.
    pub kind: InterfaceKind,
    /// Its name, such as `eth0`.
    pub name: Vec<u8>,
    /// How it gets its IPv4 address.
    pub ipv4: Ipv4,
    /// How it gets its IPv6 addresses, beside the one for its link that it always makes (RFC 4291 §2.8).
    pub ipv6: Ipv6,
    /// Largest IP packet in bytes, 576 to 65535.
    pub mtu: u16,
    /// Ethernet address, unicast; `None`: the device's own.
    pub mac: Option<[u8; 6]>,
    /// Name servers, in the order of asking.
    pub dns: Vec<IpAddr>,
}

/// The kind of a network device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InterfaceKind {
    /// A virtio network device (virtio 1.2 §5.1).
    VirtioNet,
}

/// How an interface gets its IPv4 address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ipv4 {
    /// It has none.
    #[default]
    None,
    /// As given here.
    Static {
        /// Its own address.
        address: Ipv4Addr,
        /// Bits of the network part, at most 32.
        prefix: u8,
        /// Router to everywhere else, within the same network.
        gateway: Option<Ipv4Addr>,
    },
    /// From a DHCP server (RFC 2131), which is not trusted for more than that.
    Dhcp,
}

/// How an interface gets its IPv6 addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ipv6 {
    /// It has none but that for its link.
    #[default]
    None,
    /// As given here.
    Static {
        /// Its own address.
        address: Ipv6Addr,
        /// Bits of the network part, at most 128.
        prefix: u8,
        /// Router to everywhere else: for the link, or within the same network.
        gateway: Option<Ipv6Addr>,
    },
    /// From routers (RFC 4862), which are not trusted for more than that.
    Auto,
}

/// A disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// What protects its contents.
    pub format: DiskFormat,
    /// What becomes of what is written to it.
    pub changes: Changes,
    /// Mount point, absolute and normal; the root only if that is a disk.
    pub mount: Vec<u8>,
}

/// What becomes of what is written to a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changes {
    /// They go to the disk.
    Kept,
    /// There are none.
    Refused,
    /// They stay in memory and end with the enclave; the disk is never written.
    Lost,
}

/// What protects the contents of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskFormat {
    /// Nothing: the host reads and alters it as it likes.
    Plain,
    /// A LUKS container whose key the host gives at launch: simulation only. The host that keeps the
    /// key reads it; another one cannot, but can alter it without being noticed.
    LuksHostKey,
    /// As [`DiskFormat::LuksHostKey`]; a disk that holds nothing but zeroes becomes a container with an
    /// empty file system first. The host can have that happen again by showing such a disk.
    LuksHostKeyOrNew,
    /// A dm-verity tree with its superblock behind the data: nothing is read that it does not vouch for.
    Verity {
        /// The root hash.
        root: [u8; 32],
        /// SHA-256 of the superblock.
        superblock: [u8; 32],
        /// Where the superblock lies, bytes.
        tree: u64,
    },
}

/// What becomes of the standard streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stdio {
    /// Standard input.
    pub stdin: Stream,
    /// Standard output.
    pub stdout: Stream,
    /// Standard error.
    pub stderr: Stream,
    /// Whether the plain streams are one terminal.
    pub tty: bool,
}

/// What becomes of a standard stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stream {
    /// As `/dev/null`.
    #[default]
    None,
    /// Goes through the host in plain text.
    Plain,
}

/// A set of the signals that may come from the host (DESIGN §3.7). Bit n−1 is signal n.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Signals(u64);

impl Signals {
    /// SIGHUP, SIGINT, SIGTERM, SIGCONT, SIGTSTP and SIGWINCH, by their numbers on
    /// x86-64 (signal(7)): all that a manifest can accept.
    pub const ALL: Self = Self(1 << 0 | 1 << 1 | 1 << 14 | 1 << 17 | 1 << 19 | 1 << 27);
    /// No signal.
    pub const NONE: Self = Self(0);

    /// The set of these bits, if none is outside of [`Self::ALL`].
    pub fn from_bits(bits: u64) -> Result<Self, ManifestError> {
        if bits & !Self::ALL.0 == 0 { Ok(Self(bits)) } else { Err(ManifestError::Invalid("signals")) }
    }

    /// The set as bits.
    pub fn bits(self) -> u64 {
        self.0
    }

    /// Whether signal number `signal` may come from the host.
    pub fn accepts(self, signal: u32) -> bool {
        signal.checked_sub(1).and_then(|bit| self.0.checked_shr(bit)).is_some_and(|bits| bits & 1 == 1)
    }
}

/// What keeps sealed disks fresh.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Anchor {
    /// Nothing: an older state of a disk is not told from the last one.
    #[default]
    None,
}
