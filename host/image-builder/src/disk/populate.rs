//! From a tree to the files of a mounted file system.

use super::{CONFIG, Mounted};
use crate::tree::{Kind, Node, Tree};
use anyhow::{Context, Result, bail, ensure};
use rkt_ext4::{Change, NewInode, SetMode};
use rkt_oci::Config;
use std::collections::HashMap;
use std::io::Read;

/// Bytes copied at a time.
const PIECE: usize = 4 << 20;
/// What every ext4 has in its root from the beginning.
const LOST_AND_FOUND: &[u8] = b"lost+found";

/// What the tree is put into, and what became of it so far.
pub struct Population<'a> {
    pub fs: &'a Mounted,
    /// Latest modification time, seconds since 1970.
    pub clamp_mtime: Option<u32>,
    /// Told how many bytes of contents are done.
    pub progress: &'a mut dyn FnMut(u64),
}

impl Population<'_> {
    /// Puts a tree into an empty file system.
    ///
    /// # Errors
    /// If contents cannot be read, or there is no room.
    pub fn put(&mut self, tree: &Tree) -> Result<()> {
        let mut inodes: HashMap<&[u8], u32> = HashMap::new();
        let mut links: HashMap<(u64, u64), u32> = HashMap::new();
        for (path, node) in tree.nodes() {
            let at = || format!("/{}", path.escape_ascii());
            let ino = if path.is_empty() {
                self.fs.root()
            } else {
                let (above, name) = split(path);
                let above = *inodes.get(above).with_context(at)?;
                match node.link.and_then(|link| links.get(&link)) {
                    Some(&ino) => {
                        self.fs.link(above, name, ino).map_err(named).with_context(at)?;
                        continue;
                    }
                    None => self.make(above, name, node).with_context(at)?,
                }
            };
            for (name, value) in &node.xattrs {
                self.fs.set_xattr(ino, name, value, SetMode::Any).map_err(named).with_context(at)?;
            }
            if let Some(link) = node.link {
                links.insert(link, ino);
            }
            inodes.insert(path, ino);
        }
        self.put_config(&tree.config)?;
        // Last, as making an entry changes the times of the directory.
        for (path, node) in tree.nodes() {
            if let Some(&ino) = inodes.get(path) {
                self.set_attributes(ino, node).with_context(|| format!("/{}", path.escape_ascii()))?;
            }
        }
        Ok(())
    }

    fn make(&mut self, above: u32, name: &[u8], node: &Node) -> Result<u32> {
        let new = NewInode { mode: node.full_mode() as u16, uid: node.uid, gid: node.gid };
        match &node.kind {
            Kind::Symlink(target) => self.fs.symlink(above, name, &new, target).map_err(named),
            Kind::CharDevice(major, minor) | Kind::BlockDevice(major, minor) => {
                self.fs.create_device(above, name, &new, *major, *minor).map_err(named)
            }
            Kind::Directory if above == self.fs.root() && name == LOST_AND_FOUND => {
                self.fs.lookup(above, name).map_err(named)
            }
            Kind::Directory | Kind::Fifo => self.fs.create(above, name, &new).map_err(named),
            Kind::File(content) => {
                let ino = self.fs.create(above, name, &new).map_err(named)?;
                let written = self.write(ino, &mut *content.reader()?)?;
                ensure!(written == content.length(), "it changed while it was read");
                Ok(ino)
            }
        }
    }

    fn write(&mut self, ino: u32, from: &mut dyn Read) -> Result<u64> {
        let mut done = 0;
        let mut piece = Vec::new();
        loop {
            piece.clear();
            let taken = (&mut *from).take(PIECE as u64).read_to_end(&mut piece)? as u64;
            if taken == 0 {
                return Ok(done);
            }
            self.fs.write_at(ino, done, &piece).map_err(named)?;
            done += taken;
            (self.progress)(taken);
        }
    }

    fn put_config(&mut self, config: &Config) -> Result<()> {
        if *config == Config::default() {
            return Ok(());
        }
        let new = NewInode { mode: 0o100_444, uid: 0, gid: 0 };
        let ino = self.fs.create(self.fs.root(), &CONFIG.as_bytes()[1..], &new).map_err(named)?;
        self.write(ino, &mut &serde_json::to_vec(config)?[..]).map(drop)
    }

    fn set_attributes(&self, ino: u32, node: &Node) -> Result<()> {
        let seconds = self.clamp_mtime.map_or(node.mtime, |latest| latest.min(node.mtime));
        let time = i64::from(seconds) * 1_000_000_000;
        let change = Change {
            mode: (!matches!(node.kind, Kind::Symlink(_))).then_some(node.mode as u16),
            uid: Some(node.uid),
            gid: Some(node.gid),
            atime: Some(time),
            mtime: Some(time),
        };
        self.fs.set_attributes(ino, &change).map_err(named)
    }
}

/// The path of the directory above, and the name in it.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (&[], path),
    }
}

/// A failure of the file system, with what to do about it.
pub fn named(error: rkt_ext4::Error) -> anyhow::Error {
    match error {
        rkt_ext4::Error::NoSpace => anyhow::anyhow!("the image is full: make it larger with --size"),
        error => anyhow::anyhow!("{error}"),
    }
}

/// Refuses what a disk image cannot have.
///
/// # Errors
/// If the tree has a file where the configuration is kept.
pub fn check(tree: &Tree) -> Result<()> {
    if tree.get(std::path::Path::new(CONFIG)).is_some() {
        bail!("{CONFIG} is where an image says how it wants to be run: there is a file already");
    }
    Ok(())
}
