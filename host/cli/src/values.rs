//! The values of options: what each may be, and what is said when it is something else.

use rkt_backend_net::Publish;
use rkt_manifest::Changes;
use rkt_window::layout::without;
use serde::{Deserialize, Deserializer};
use std::ffi::OsString;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::str::FromStr;

/// `--net`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Net {
    /// passt.
    User,
    /// A TAP, by name or the next free one.
    Tap(Option<String>),
    /// A wire to other enclaves, by the path of its switch.
    Shm(PathBuf),
    /// No interface but the loopback.
    None,
}

impl FromStr for Net {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, value) = split(text);
        match (kind, value) {
            ("user", None) => Ok(Self::User),
            ("none", None) => Ok(Self::None),
            ("tap", None) => Ok(Self::Tap(None)),
            ("tap", Some(name)) if !name.is_empty() => Ok(Self::Tap(Some(name.into()))),
            ("shm", Some(path)) if !path.is_empty() => Ok(Self::Shm(path.into())),
            ("af_xdp" | "vhost-user" | "vfio" | "dpdk", _) => {
                Err(format!("`{kind}` is not supported yet in this version: user, tap[=IFNAME], shm=PATH and none are"))
            }
            _ => Err("user, tap[=IFNAME], shm=PATH or none is expected".into()),
        }
    }
}

/// An IPv4 address with the length of its network's prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    /// The address.
    pub address: Ipv4Addr,
    /// 1 to 30: a network with room for guest and gateway.
    pub prefix: u8,
}

impl Cidr {
    /// The network's first address that is not the guest's: where a gateway usually is.
    pub fn likely_gateway(self) -> Ipv4Addr {
        let network = self.address.to_bits() & (u32::MAX << (32 - self.prefix));
        let first = Ipv4Addr::from_bits(network + 1);
        if first == self.address { Ipv4Addr::from_bits(network + 2) } else { first }
    }
}

impl FromStr for Cidr {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once('/').and_then(|(a, p)| Some((a.parse().ok()?, p.parse().ok()?)));
        match parsed {
            Some((address, prefix)) if (1..=30).contains(&prefix) => Ok(Self { address, prefix }),
            _ => Err("ADDRESS/PREFIX is expected, such as 192.168.7.2/24, with a prefix of 1 to 30; or dhcp".into()),
        }
    }
}

/// `--ip`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Own4 {
    /// This address.
    Static(Cidr),
    /// What a server gives.
    Dhcp,
}

impl FromStr for Own4 {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "dhcp" { Ok(Self::Dhcp) } else { text.parse().map(Self::Static) }
    }
}

/// `--ip6`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Own6 {
    /// This address, with the length of its network's prefix.
    Static(Ipv6Addr, u8),
    /// What routers give.
    Auto,
}

impl FromStr for Own6 {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let parsed = text.split_once('/').and_then(|(a, p)| Some((a.parse().ok()?, p.parse().ok()?)));
        match parsed {
            Some((address, prefix)) if (1..=128).contains(&prefix) => Ok(Self::Static(address, prefix)),
            _ => Err("ADDRESS/PREFIX is expected, such as fd00::2/64, or auto".into()),
        }
    }
}

/// `--memory`: bytes, a multiple of 4096.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory(pub u64);

impl FromStr for Memory {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let lower = text.to_ascii_lowercase();
        let digits = lower.trim_end_matches('b');
        let (digits, shift) = match digits.char_indices().next_back() {
            Some((at, 'k')) => (&digits[..at], 10),
            Some((at, 'm')) => (&digits[..at], 20),
            Some((at, 'g')) => (&digits[..at], 30),
            Some((at, 't')) => (&digits[..at], 40),
            _ => (digits, 0),
        };
        let bytes = digits.parse::<u64>().ok().and_then(|n| n.checked_mul(1 << shift));
        let bytes = bytes.and_then(|n| n.checked_next_multiple_of(4096)).filter(|n| *n > 0);
        bytes.map(Self).ok_or_else(|| "a number of bytes is expected, such as 512m or 2g".into())
    }
}

/// `--disk`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// A file or block device of the host.
    pub file: PathBuf,
    /// Where it is to be mounted.
    pub mount: Option<String>,
    /// What becomes of what is written to it.
    pub changes: Changes,
    /// What is on it.
    pub protection: Protection,
}

/// What protects the contents of a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Protection {
    /// Nothing.
    Plain,
    /// A LUKS container, whose passphrase is in this file.
    Luks(PathBuf),
    /// The same; one is made if the disk is new.
    LuksOrNew(PathBuf),
    /// A dm-verity tree behind the file system.
    Verity,
}

impl FromStr for Disk {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unsupported = |what: &str| {
            Err(format!("{what} is not supported yet in this version: file=PATH,format=plain, luks or verity is"))
        };
        let (mut file, mut mount, mut format, mut key_file, mut changes) = (None, None, None, None, None);
        for part in text.split(',') {
            match split(part) {
                ("file", Some(path)) if !path.is_empty() => file = Some(PathBuf::from(path)),
                ("mount", Some(path)) if path.starts_with('/') => mount = Some(path.to_owned()),
                ("ro", None) => changes = Some(Changes::Refused),
                ("overlay", None) => changes = Some(Changes::Lost),
                ("format", Some(known @ ("plain" | "luks" | "verity"))) => format = Some(known),
                ("key-file", Some(path)) if !path.is_empty() => key_file = Some(PathBuf::from(path)),
                ("format", Some(other)) => return unsupported(&format!("format={other}")),
                (key @ ("nvme" | "vhost-user"), Some(_)) => return unsupported(key),
                _ => {
                    return Err(format!(
                        "`{part}` is not understood: \
                         file=PATH,format=plain|luks|verity[,key-file=FILE][,mount=/DIR][,ro|,overlay] is expected"
                    ));
                }
            }
        }
        let file = file.ok_or("file=PATH is missing")?;
        let protection = match (format, key_file) {
            (None, _) => return unsupported("a disk without format=plain, luks or verity (it would be a sealed one)"),
            (Some("luks"), Some(key_file)) => Protection::Luks(key_file),
            (Some("luks"), None) => return Err("format=luks wants key-file=FILE, the file with the passphrase".into()),
            (Some(_), Some(_)) => return Err("key-file=FILE is for format=luks".into()),
            (Some("verity"), None) => Protection::Verity,
            (Some(_), None) => Protection::Plain,
        };
        let changes = match (changes, &protection) {
            (Some(changes), _) => changes,
            (None, Protection::Verity) => Changes::Refused,
            (None, _) => Changes::Kept,
        };
        Ok(Self { file, mount, changes, protection })
    }
}

/// `--copy`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// A file or folder of the host.
    pub host: PathBuf,
    /// An absolute path in the image.
    pub guest: PathBuf,
}

impl FromStr for Copy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.rsplit_once(':') {
            Some((host, guest)) if !host.is_empty() && guest.starts_with('/') => {
                Ok(Self { host: host.into(), guest: guest.into() })
            }
            _ => Err("HOST:GUEST is expected, GUEST an absolute path".into()),
        }
    }
}

/// `-e`: a variable and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub key: String,
    /// Its value; `None` takes the host's, if it has one.
    pub value: Option<String>,
}

impl Variable {
    /// KEY=VALUE; none if it is the host's and the host has none.
    pub fn assignment(&self) -> Option<Vec<u8>> {
        let value = match &self.value {
            Some(value) => Some(value.into()),
            None => std::env::var_os(&self.key),
        };
        value.map(|value| [self.key.as_bytes(), b"=", value.as_bytes()].concat())
    }
}

impl FromStr for Variable {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, value) = split(text);
        if key.is_empty() {
            return Err("KEY=VALUE or KEY is expected".into());
        }
        Ok(Self { key: key.into(), value: value.map(str::to_owned) })
    }
}

/// `--format`: what an image is, as it lies on the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// An rkt-io image: pinned by its digest, its changes end with the enclave.
    #[default]
    Image,
    /// A disk with ext4.
    Ext4,
    /// A disk with a LUKS2 container with ext4.
    Luks2,
    /// A disk with ext4 and a dm-verity tree.
    Verity,
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "image" => Ok(Self::Image),
            "ext4" | "plain" => Ok(Self::Ext4),
            "luks2" | "luks" => Ok(Self::Luks2),
            "verity" => Ok(Self::Verity),
            "sealed" => Err("`sealed` is not supported yet in this version: image, ext4, luks2 and verity are".into()),
            _ => Err("image, ext4, luks2 or verity is expected".into()),
        }
    }
}

/// `image cp`: a file of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inside {
    /// The image.
    pub image: PathBuf,
    /// An absolute path in it.
    pub path: String,
}

impl FromStr for Inside {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.find(":/") {
            Some(at) if at > 0 => Ok(Self { image: text[..at].into(), path: text[at + 1..].into() }),
            _ => Err("IMAGE:PATH is expected, PATH an absolute path in the image".into()),
        }
    }
}

/// `-v`: a named volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Its name.
    pub name: String,
    /// Where it is to be mounted.
    pub mount: String,
}

impl FromStr for Volume {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = "NAME:/DIR is expected, NAME of letters, digits, dots, hyphens and underscores";
        match text.split_once(':') {
            Some((host, guest)) if host.starts_with(['/', '.', '~']) => Err(format!(
                "the host's folder {host} cannot be shared as {guest}: an enclave trusts no file system of the host. \
                 Use `--copy {host}:{guest}` to copy it once, at the start, or a named volume, `-v NAME:{guest}`"
            )),
            Some((name, mount)) if is_volume_name(name) && mount.starts_with('/') => {
                Ok(Self { name: name.into(), mount: mount.into() })
            }
            _ => Err(expected.into()),
        }
    }
}

fn is_volume_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    !name.is_empty() && name.len() <= 64 && name.bytes().all(allowed)
}

/// `--strace` and `--stats`: where text goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Standard error, written `-`.
    Stderr,
    /// A file, which is overwritten.
    File(PathBuf),
}

impl FromStr for Destination {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(if text == "-" { Self::Stderr } else { Self::File(text.into()) })
    }
}

/// `--poll`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Poll {
    /// Poll for a short while, then sleep.
    Adaptive,
    /// Never sleep.
    Busy,
}

/// `--without`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Without {
    /// Checksum and segmentation offload of network cards.
    Offloads,
    /// Copies straight between devices' memory and buffers of sockets: one more on the way.
    DirectCopy,
    /// Instructions of the processor for AES.
    Aes,
}

impl Without {
    /// What the enclave is told.
    pub fn bit(self) -> u32 {
        match self {
            Self::Offloads => without::OFFLOADS,
            Self::DirectCopy => without::DIRECT_COPY,
            Self::Aes => without::AES,
        }
    }
}

/// `--tee`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tee {
    /// The best that this machine and this version have.
    Auto,
    /// No trusted execution environment: a simulation.
    None,
}

fn split(text: &str) -> (&str, Option<&str>) {
    match text.split_once('=') {
        Some((key, value)) => (key, Some(value)),
        None => (text, None),
    }
}

/// A value of the configuration file that is written as on the command line.
pub fn parsed<'de, D: Deserializer<'de>, T: FromStr<Err: std::fmt::Display>>(from: D) -> Result<Option<T>, D::Error> {
    String::deserialize(from)?.parse().map(Some).map_err(serde::de::Error::custom)
}

/// A list of such values.
pub fn parsed_list<'de, D: Deserializer<'de>, T: FromStr<Err: std::fmt::Display>>(from: D) -> Result<Vec<T>, D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    texts.iter().map(|text| text.parse().map_err(serde::de::Error::custom)).collect()
}

/// `-p`, read by the back end that serves it.
pub fn publish(text: &str) -> Result<Publish, String> {
    text.parse().map_err(|e: rkt_backend_net::PublishSyntax| e.to_string())
}

/// What is to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A program of the host and its arguments, itself the first.
    Program(Vec<OsString>),
    /// An image, and a command in it.
    Image(PathBuf, Vec<OsString>),
}
