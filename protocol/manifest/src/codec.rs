//! Bytes to manifest and back. Each type is read and written in one place, side by side,
//! so that the two can be compared line by line.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::ManifestError::{self, Invalid, NotAManifest, TooLong, Trailing, Truncated, UnknownVariant, Version};
use crate::model::{
    Anchor, Changes, Disk, DiskFormat, Interface, InterfaceKind, Ipv4, Ipv6, Manifest, RootIdentity, Signals, Stdio,
    Stream, User, limits,
};

const MAGIC: &[u8; 8] = b"RKTMANIF";
const VERSION: u32 = 2;

impl Manifest {
    /// The canonical encoding; an error if the manifest breaks one of its rules.
    pub fn encode(&self) -> Result<Vec<u8>, ManifestError> {
        self.check()?;
        let mut bytes = Vec::new();
        bytes.extend_from_slice(MAGIC);
        VERSION.put(&mut bytes);
        self.put(&mut bytes);
        if bytes.len() > limits::ENCODED { Err(TooLong("manifest")) } else { Ok(bytes) }
    }

    /// The manifest of which `bytes` are the encoding.
    pub fn decode(bytes: &[u8]) -> Result<Self, ManifestError> {
        if bytes.len() > limits::ENCODED {
            return Err(TooLong("manifest"));
        }
        let mut rest = bytes.strip_prefix(MAGIC).ok_or(NotAManifest)?;
        match u32::get(&mut rest, "version")? {
            VERSION => {}
            other => return Err(Version(other)),
        }
        let manifest = Self::get(&mut rest, "manifest")?;
        if !rest.is_empty() {
            return Err(Trailing);
        }
        manifest.check()?;
        Ok(manifest)
    }
}

/// A type with one encoding.
trait Field: Sized {
    fn put(&self, to: &mut Vec<u8>);
    /// Takes the value off the front of `from`; `name` is for the error.
    fn get(from: &mut &[u8], name: &'static str) -> Result<Self, ManifestError>;
}

/// A structure: its fields in order, named as in the errors.
macro_rules! structure {
    ($type:ident { $($field:ident),* $(,)? }) => {
        impl Field for $type {
            fn put(&self, to: &mut Vec<u8>) {
                $(self.$field.put(to);)*
            }
            fn get(from: &mut &[u8], _: &'static str) -> Result<Self, ManifestError> {
                Ok(Self { $($field: Field::get(from, stringify!($field))?),* })
            }
        }
    };
}

structure!(Manifest {
    argv,
    env,
    workdir,
    hostname,
    user,
    root,
    memory,
    cpus,
    network,
    plaintext_network,
    disks,
    stdio,
    signals,
    debug,
    allow_exec,
    anchor,
});
structure!(User { uid, gid, groups });
structure!(Interface { kind, name, ipv4, ipv6, mtu, mac, dns });
structure!(Disk { format, changes, mount });
structure!(Stdio { stdin, stdout, stderr, tty });

/// An enumeration: the number of a variant, then its fields in order.
macro_rules! enumeration {
    ($type:ident { $($tag:literal => $variant:ident $({ $($field:ident),* })?),* $(,)? }) => {
        impl Field for $type {
            fn put(&self, to: &mut Vec<u8>) {
                match self {
                    $(Self::$variant $({ $($field),* })? => {
                        to.push($tag);
                        $($($field.put(to);)*)?
                    })*
                }
            }
            fn get(from: &mut &[u8], name: &'static str) -> Result<Self, ManifestError> {
                match u8::get(from, name)? {
                    $($tag => Ok(Self::$variant $({ $($field: Field::get(from, stringify!($field))?),* })?),)*
                    _ => Err(UnknownVariant(name)),
                }
            }
        }
    };
}

enumeration!(RootIdentity { 1 => Image { digest }, 2 => Disk });
enumeration!(InterfaceKind { 1 => VirtioNet });
enumeration!(Ipv4 { 0 => None, 1 => Static { address, prefix, gateway }, 2 => Dhcp });
enumeration!(Ipv6 { 0 => None, 1 => Static { address, prefix, gateway }, 2 => Auto });
enumeration!(DiskFormat {
    1 => Plain,
    2 => LuksHostKey,
    3 => LuksHostKeyOrNew,
    4 => Verity { root, superblock, tree },
});
enumeration!(Changes { 0 => Kept, 1 => Refused, 2 => Lost });
enumeration!(Stream { 0 => None, 1 => Plain });
enumeration!(Anchor { 0 => None });

macro_rules! integer {
    ($($type:ty),*) => {
        $(impl Field for $type {
            fn put(&self, to: &mut Vec<u8>) {
                to.extend_from_slice(&self.to_le_bytes());
            }
            fn get(from: &mut &[u8], name: &'static str) -> Result<Self, ManifestError> {
                Field::get(from, name).map(Self::from_le_bytes)
            }
        })*
    };
}

integer!(u16, u32, u64);

impl<const N: usize> Field for [u8; N] {
    fn put(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(self);
    }
    fn get(from: &mut &[u8], name: &'static str) -> Result<Self, ManifestError> {
        let (bytes, rest) = from.split_first_chunk().ok_or(Truncated(name))?;
        *from = rest;
        Ok(*bytes)
    }
}

impl Field for u8 {
    fn put(&self, to: &mut Vec<u8>) {
        to.push(*self);
    }
    fn get(from: &mut &[u8], name: &'static str) -> Result<Self, ManifestError> {
        Field::get(from, name).map(|[byte]: [u8; 1]| byte)
    }
}

impl Field for bool {
    fn put(&self, to: &mut Vec<u8>) {
        to.push(u8::from(*self));
    }
    fn get(from: &mut &[u8], name: &'static str) -> Result<Self, ManifestError> {
        match u8::get(from, name)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Invalid(name)),
        }
    }
}

impl<T: Field> Field for Option<T> {
    fn put(&self, to: &mut Vec<u8>) {
        self.is_some().put(to);
        if let Some(value) = self {
            value.put(to);
        }
    }
    fn get(from: &mut &[u8], name: &'static str) -> Result<Self, ManifestError> {
        if bool::get(from, name)? { T::get(from, name).map(Some) } else { Ok(None) }
    }
}

/// Byte strings and lists alike.
impl<T: Field> Field for Vec<T> {
    fn put(&self, to: &mut Vec<u8>) {
        // A count beyond 32 bits has an encoding beyond the limit, which `encode` refuses.
        u32::try_from(self.len()).unwrap_or(u32::MAX).put(to);
        self.iter().for_each(|item| item.put(to));
    }
    fn get(from: &mut &[u8], name: &'static str) -> Result<Self, ManifestError> {
        // Every item takes a byte at least, which bounds the list by the manifest.
        let count = u32::get(from, name)? as usize;
        if count > from.len() {
            return Err(Truncated(name));
        }
        (0..count).map(|_| T::get(from, name)).collect()
    }
}

impl Field for Ipv4Addr {
    fn put(&self, to: &mut Vec<u8>) {
        self.octets().put(to);
    }
    fn get(from: &mut &[u8], name: &'static str) -> Result<Self, ManifestError> {
        <[u8; 4]>::get(from, name).map(Self::from)
    }
}

impl Field for Ipv6Addr {
    fn put(&self, to: &mut Vec<u8>) {
        self.octets().put(to);
    }
    fn get(from: &mut &[u8], name: &'static str) -> Result<Self, ManifestError> {
        <[u8; 16]>::get(from, name).map(Self::from)
    }
}

impl Field for IpAddr {
    fn put(&self, to: &mut Vec<u8>) {
        match self {
            Self::V4(address) => (4u8.put(to), address.octets().put(to)),
            Self::V6(address) => (6u8.put(to), address.octets().put(to)),
        };
    }
    fn get(from: &mut &[u8], name: &'static str) -> Result<Self, ManifestError> {
        match u8::get(from, name)? {
            4 => Ipv4Addr::get(from, name).map(Self::V4),
            6 => Ipv6Addr::get(from, name).map(Self::V6),
            _ => Err(UnknownVariant(name)),
        }
    }
}

impl Field for Signals {
    fn put(&self, to: &mut Vec<u8>) {
        self.bits().put(to);
    }
    fn get(from: &mut &[u8], name: &'static str) -> Result<Self, ManifestError> {
        Signals::from_bits(u64::get(from, name)?)
    }
}
