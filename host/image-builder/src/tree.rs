//! The tree of an image before it is written.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail};
use rkt_cpio::{S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG};

/// Most symbolic links followed in a path, as in Linux (path_resolution(7)).
pub(crate) const LINKS_MAX: usize = 40;

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
}

impl Content {
    /// Number of bytes.
    pub fn length(&self) -> u64 {
        match self {
            Self::Host { length, .. } => *length,
            Self::Bytes(bytes) => bytes.len() as u64,
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
}

impl Node {
    /// A node of root's from 1970.
    pub fn new(mode: u32, kind: Kind) -> Self {
        Self { mode, uid: 0, gid: 0, mtime: 0, kind, link: None }
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

/// A file system tree. Its keys are absolute paths without the leading slash.
#[derive(Clone, Debug)]
pub struct Tree {
    nodes: BTreeMap<Vec<u8>, Node>,
}

impl Default for Tree {
    fn default() -> Self {
        Self { nodes: BTreeMap::from([(Vec::new(), Node::directory(0o755))]) }
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
        self.walk(PathBuf::from("/"), path, LINKS_MAX)
            .with_context(|| format!("cannot make the directory {} in the image", path.display()))
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

    fn walk(&mut self, mut at: PathBuf, path: &Path, links: usize) -> Result<PathBuf> {
        for component in path.components() {
            match component {
                Component::RootDir => at = PathBuf::from("/"),
                Component::ParentDir => drop(at.pop()),
                Component::CurDir | Component::Prefix(_) => {}
                Component::Normal(name) => {
                    let next = at.join(name);
                    match self.get(&next).map(|node| &node.kind) {
                        Some(Kind::Directory) => at = next,
                        Some(Kind::Symlink(_)) if links == 0 => bail!("too many symbolic links"),
                        Some(Kind::Symlink(target)) => {
                            let target = PathBuf::from(OsStr::from_bytes(target));
                            at = self.walk(at, &target, links - 1)?;
                        }
                        Some(_) => bail!("{} is not a directory", next.display()),
                        None => {
                            self.set(&next, Node::directory(0o755));
                            at = next;
                        }
                    }
                }
            }
        }
        Ok(at)
    }
}

/// The key of an absolute path without links.
fn key(path: &Path) -> &[u8] {
    let bytes = path.as_os_str().as_bytes();
    bytes.strip_prefix(b"/").unwrap_or(bytes)
}
