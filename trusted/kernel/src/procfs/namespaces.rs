//! /proc/PID/ns (namespaces(7)): there is one namespace of each kind, and everybody is in it.

use super::process::Subject;
use alloc::boxed::Box;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use rkt_linux_abi::{Errno, Result};
use rkt_sync::OnceCell;
use rkt_vfs::pseudo::{DynamicDir, DynamicEntry, Identity, PseudoLink};
use rkt_vfs::{FileOps, FileType, Inode, LinkTarget, Metadata, Path, SetAttributes, anonymous_device};

/// Names of the links, and the kinds of namespaces that they lead to.
const LINKS: [(&str, &str); 10] = [
    ("cgroup", "cgroup"),
    ("ipc", "ipc"),
    ("mnt", "mnt"),
    ("net", "net"),
    ("pid", "pid"),
    ("pid_for_children", "pid"),
    ("time", "time"),
    ("time_for_children", "time"),
    ("user", "user"),
    ("uts", "uts"),
];

/// Inode numbers of the links within a process's: above those of its entries.
const FIRST: u64 = 1 << 10;

/// What a link leads to: a file to be held open, and to be told apart by its number.
struct Namespace(Identity);

impl Inode for Namespace {
    fn kind(&self) -> FileType {
        FileType::Regular
    }

    fn metadata(&self) -> Metadata {
        self.0.regular()
    }

    fn set_attributes(&self, _: &SetAttributes) -> Result<()> {
        Err(Errno::EPERM)
    }

    fn open(self: Arc<Self>, _: u32) -> Result<Arc<dyn FileOps>> {
        Ok(Arc::new(Held))
    }
}

struct Held;

impl FileOps for Held {}

/// The namespaces by kind.
fn namespaces() -> &'static [(&'static str, Path)] {
    static ALL: OnceCell<Vec<(&'static str, Path)>> = OnceCell::new();
    ALL.get_or_init(|| {
        let mut kinds: Vec<&str> = LINKS.iter().map(|&(_, kind)| kind).collect();
        kinds.dedup();
        let make = |kind| {
            let inode = Namespace(Identity::new(anonymous_device(), 0o444));
            let name = format!("{kind}:[{}]", inode.metadata().ino);
            (kind, Path::anonymous(Arc::new(inode), name.as_bytes()))
        };
        kinds.into_iter().map(make).collect()
    })
}

struct Namespaces(Subject);

/// The directory of a process.
pub(super) fn directory(of: &Subject) -> Box<dyn DynamicDir> {
    Box::new(Namespaces(of.clone()))
}

impl DynamicDir for Namespaces {
    fn lookup(&self, name: &[u8]) -> Result<Arc<dyn Inode>> {
        let mut numbered = LINKS.iter().zip(FIRST..);
        let (&(_, kind), place) = numbered.find(|((link, _), _)| link.as_bytes() == name).ok_or(Errno::ENOENT)?;
        let of = self.0.clone();
        let target = move || {
            of.inspected()?;
            let found = namespaces().iter().find(|(of, _)| *of == kind).ok_or(Errno::ENOENT)?;
            Ok(LinkTarget::Jump(found.1.clone()))
        };
        Ok(PseudoLink::new(self.0.identity(place, 0o777), Box::new(target)))
    }

    fn list(&self, position: u64) -> Vec<DynamicEntry> {
        let numbered = LINKS.iter().zip(0..).skip(usize::try_from(position).unwrap_or(usize::MAX));
        let show = |(&(name, _), at): (&(&str, &str), u64)| DynamicEntry {
            name: name.as_bytes().to_vec(),
            kind: FileType::Symlink,
            ino: self.0.number(FIRST + at),
            position: at,
        };
        numbered.map(show).collect()
    }
}
