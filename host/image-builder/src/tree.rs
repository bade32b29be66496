//! The tree of an image before it is written.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rkt_cpio::{S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG};
use rkt_oci::{Config, Part};

use crate::resolve::{Step, resolve};

/// Contents of a regular file.
#[derive(Clone, Debug)]
pub enum Content {
    /// Those of a file of the host, `length` bytes, read when the image is written.
    Host {
        /// The file.
        path: PathBuf,
        /// Its bytes when it was added.
        length: u64,
    },
    /// These bytes.
    Bytes(Vec<u8>),
    /// This part of an open file.
    Part(Part),
}

impl Content {
    /// The bytes, from the first on.
    ///
    /// # Errors
    /// If the file is gone or cannot be read.
    pub(crate) fn reader(&self) -> Result<Box<dyn Read + '_>> {
        Ok(match self {
            Self::Bytes(bytes) => Box::new(&bytes[..]),
            Self::Host { path, .. } => {
                Box::new(File::open(path).with_context(|| format!("cannot read {}", path.display()))?)
            }
            Self::Part(part) => Box::new(part.reader()),
        })
    }

    /// Number of bytes.
    pub fn length(&self) -> u64 {
        match self {
            Self::Host { length, .. } => *length,
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Part(part) => part.length,
        }
    }
}

/// What a node is.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A regular file.
    File(Content),
    /// A symbolic link with this target.
    Symlink(Vec<u8>),
    /// A FIFO.
    Fifo,
    /// A character device of this major and minor number.
    CharDevice(u32, u32),
    /// A block device of this major and minor number.
    BlockDevice(u32, u32),
}

/// A file, directory or link of the image.
#[derive(Clone, Debug)]
pub struct Node {
    /// Permissions, the low 12 bits of `st_mode`.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Modification time, seconds since 1970.
    pub mtime: u32,
    /// What it is.
    pub kind: Kind,
    /// Nodes with the same device and inode number of the host are hard links to one file.
    pub link: Option<(u64, u64)>,
    /// Extended attributes by name; only those of directories and regular files are written.
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Node {
    /// A node of root's from 1970.
    pub fn new(mode: u32, kind: Kind) -> Self {
        Self { mode, uid: 0, gid: 0, mtime: 0, kind, link: None, xattrs: BTreeMap::new() }
    }

    /// A directory of root's.
    pub fn directory(mode: u32) -> Self {
        Self::new(mode, Kind::Directory)
    }

    /// The mode with the file type.
    pub(crate) fn full_mode(&self) -> u32 {
        let kind = match self.kind {
            Kind::Directory => S_IFDIR,
            Kind::File(_) => S_IFREG,
            Kind::Symlink(_) => S_IFLNK,
            Kind::Fifo => S_IFIFO,
            Kind::CharDevice(..) => S_IFCHR,
            Kind::BlockDevice(..) => S_IFBLK,
        };
        kind | self.mode
    }
}

/// Whether an extended attribute has a meaning in an enclave. Labels of the host's security modules
/// and whatever a storage driver left behind have none.
pub(crate) fn is_kept(xattr: &[u8]) -> bool {
    xattr.starts_with(b"user.") || xattr == b"security.capability"
}

/// A file system tree, and how it wants to be run. Its keys are absolute paths without the leading
/// slash.
#[derive(Clone, Debug)]
pub struct Tree {
    nodes: BTreeMap<Vec<u8>, Node>,
    /// How the image wants to be run.
    pub config: Config,
    /// Files of layers with several names so far.
    links: u64,
}

impl Default for Tree {
    fn default() -> Self {
        Self { nodes: BTreeMap::from([(Vec::new(), Node::directory(0o755))]), config: Config::default(), links: 0 }
    }
}

impl Tree {
    /// A tree of nothing but the root directory.
    pub fn new() -> Self {
        Self::default()
    }

    /// The nodes by path without the leading slash, each directory before what it holds:
    /// the root, whose path is empty, comes first.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = (&[u8], &Node)> {
        self.nodes.iter().map(|(path, node)| (&path[..], node))
    }

    /// The node at an absolute path, without following links.
    pub fn get(&self, path: &Path) -> Option<&Node> {
        self.nodes.get(key(path))
    }

    /// Puts a node at an absolute path that is free of links, replacing what is there.
    pub(crate) fn set(&mut self, path: &Path, node: Node) {
        self.nodes.insert(key(path).to_vec(), node);
    }

    /// Puts a node at an absolute path. Links of the tree are followed except for the
    /// last component; missing directories are made; a directory keeps what it holds.
    pub fn insert(&mut self, path: &Path, node: Node) -> Result<()> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            bail!("{}: not the absolute path of a file or directory", path.display());
        };
        let path = self.make_directory(parent)?.join(name);
        if let Some(old) = self.get(&path) {
            let directories = matches!(old.kind, Kind::Directory) as u8 + matches!(node.kind, Kind::Directory) as u8;
            if directories == 1 {
                bail!("{}: a directory and something else are to take the same place", path.display());
            }
        }
        self.set(&path, node);
        Ok(())
    }

    /// Follows the links of the tree along an absolute path, makes the directories that
    /// are missing (mode 755) and returns the path free of links.
    pub fn make_directory(&mut self, path: &Path) -> Result<PathBuf> {
        if !path.is_absolute() {
            bail!("{}: not an absolute path", path.display());
        }
        let context = || format!("cannot make the directory {} in the image", path.display());
        let real = self.resolve(path.as_os_str().as_bytes(), true).with_context(context)?;
        let ends = real.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
        for end in ends.chain([real.len()]) {
            let node = self.nodes.entry(real[..end].to_vec()).or_insert_with(|| Node::directory(0o755));
            if !matches!(node.kind, Kind::Directory) {
                bail!("/{} is not a directory", real[..end].escape_ascii());
            }
        }
        Ok(Path::new("/").join(OsStr::from_bytes(&real)))
    }

    /// Puts a directory at an absolute path, all links followed. One that is there stays as it is.
    pub(crate) fn insert_directory(&mut self, path: &Path, node: Node) -> Result<()> {
        let before = self.nodes.len();
        let made = self.make_directory(path)?;
        if self.nodes.len() > before {
            self.set(&made, node);
        }
        Ok(())
    }

    /// The key to which a path leads through the links of the tree.
    pub(crate) fn resolve(&self, path: &[u8], follow_last: bool) -> Result<Vec<u8>> {
        let look = |at: &[u8]| {
            self.nodes.get(at).map(|node| match &node.kind {
                Kind::Directory => Step::Directory,
                Kind::Symlink(target) => Step::Link(target),
                _ => Step::Other,
            })
        };
        resolve(path, follow_last, look)
    }

    /// A copy of the node of a key for one more name of it. `device` is that of the links made here.
    pub(crate) fn linked(&mut self, key: &[u8], device: u64) -> Option<Node> {
        let node = self.nodes.get_mut(key)?;
        if node.link.is_none() {
            self.links += 1;
            node.link = Some((device, self.links));
        }
        Some(node.clone())
    }

    /// Puts a node at a key whose parent is a directory; what is there goes, with all it holds,
    /// unless both are directories.
    pub(crate) fn replace(&mut self, key: Vec<u8>, node: Node) {
        let is_directory = |node: &Node| matches!(node.kind, Kind::Directory);
        if !is_directory(&node) && self.nodes.get(&key).is_some_and(is_directory) {
            self.clear(&key);
        }
        self.nodes.insert(key, node);
    }

    /// Takes away what is at a key, with all it holds. The root itself stays.
    pub(crate) fn remove(&mut self, key: &[u8]) {
        self.clear(key);
        if !key.is_empty() {
            self.nodes.remove(key);
        }
    }

    /// Takes away what a directory holds.
    pub(crate) fn clear(&mut self, key: &[u8]) {
        let prefix = if key.is_empty() { Vec::new() } else { [key, b"/"].concat() };
        let below = self.nodes.range(prefix.clone()..).map(|(path, _)| path);
        let below: Vec<_> = below.take_while(|path| path.starts_with(&prefix)).cloned().collect();
        for path in below.iter().filter(|path| !path.is_empty()) {
            self.nodes.remove(path);
        }
    }
}

/// The key of an absolute path without links.
fn key(path: &Path) -> &[u8] {
    let bytes = path.as_os_str().as_bytes();
    bytes.strip_prefix(b"/").unwrap_or(bytes)
}
