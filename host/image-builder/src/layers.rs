//! The layers of a container image, one over the other (OCI image-spec, `layer.md`, "Applying").

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use rkt_oci::{Config, Digest, Entry, Kind as Change, Limits, Source, Spool};

use crate::tree::{Content, Kind, Node, Tree, is_kept};

/// The "device" of hard links within layers: no host has it.
const LAYERS: u64 = u64::MAX;

/// The tree of an image in an OCI layout, an archive of one or one of `docker save`, and the digest
/// of its manifest, if it has one. `reference` chooses among several; `progress` is told of bytes as
/// they are unpacked.
///
/// # Errors
/// If there is no such image, if it is damaged or not what its digests say, or beyond the limits.
pub fn from_container(
    path: &Path,
    reference: Option<&str>,
    limits: &Limits,
    progress: &mut dyn FnMut(u64),
) -> Result<(Tree, Option<Digest>)> {
    let source = Source::open(path, reference, limits)?;
    let mut spool = Spool::new(limits)?;
    let mut tree = Tree::new();
    for index in 0..source.layers() {
        let layer = source.read_layer(index, &mut spool, progress)?;
        tree.apply(layer).with_context(|| format!("layer {} of {}", index + 1, source.layers()))?;
    }
    tree.config = source.config().clone();
    if let Some(workdir) = workdir(&tree.config) {
        // As container runtimes do.
        tree.make_directory(&Path::new("/").join(workdir))?;
    }
    Ok((tree, source.manifest_digest()))
}

fn workdir(config: &Config) -> Option<&str> {
    config.working_dir.as_deref().filter(|path| !path.is_empty())
}

impl Tree {
    /// Puts a layer over what is there. Its whiteouts hide what is below it, wherever in the layer
    /// they stand, and nothing of itself.
    ///
    /// # Errors
    /// If an entry lies below something that is no directory, or a hard link leads nowhere.
    pub fn apply(&mut self, layer: Vec<Entry>) -> Result<()> {
        for entry in &layer {
            self.hide(entry).with_context(|| entry.path.escape_ascii().to_string())?;
        }
        for entry in layer {
            let shown = entry.path.escape_ascii().to_string();
            self.put(entry).context(shown)?;
        }
        Ok(())
    }

    fn hide(&mut self, entry: &Entry) -> Result<()> {
        match entry.kind {
            Change::Whiteout => {
                let hidden = self.resolve(&entry.path, false)?;
                self.remove(&hidden);
            }
            Change::Opaque => {
                let directory = self.resolve(&entry.path, true)?;
                self.clear(&directory);
            }
            _ => {}
        }
        Ok(())
    }

    fn put(&mut self, entry: Entry) -> Result<()> {
        let kind = match entry.kind {
            Change::Whiteout | Change::Opaque => return Ok(()),
            Change::HardLink(target) => return self.link(&entry.path, &target),
            Change::Directory => Kind::Directory,
            Change::File(part) => Kind::File(Content::Part(part)),
            Change::Symlink(target) => Kind::Symlink(target),
            Change::Fifo => Kind::Fifo,
            Change::CharDevice(major, minor) => Kind::CharDevice(major, minor),
            Change::BlockDevice(major, minor) => Kind::BlockDevice(major, minor),
        };
        let Entry { path, mode, uid, gid, mtime, mut xattrs, .. } = entry;
        xattrs.retain(|name, _| is_kept(name));
        let place = self.place(&path)?;
        self.replace(place, Node { mode, uid, gid, mtime, kind, link: None, xattrs });
        Ok(())
    }

    /// Gives the file at `target` one more name.
    fn link(&mut self, path: &[u8], target: &[u8]) -> Result<()> {
        let target = self.resolve(target, false)?;
        let shown = target.escape_ascii();
        let node = self.linked(&target, LAYERS).with_context(|| format!("hard link to {shown}, which is not there"))?;
        ensure!(!matches!(node.kind, Kind::Directory), "hard link to the directory {shown}");
        let place = self.place(path)?;
        if place != target {
            self.replace(place, node);
        }
        Ok(())
    }

    /// The key for a path of a layer, its directories made.
    fn place(&mut self, path: &[u8]) -> Result<Vec<u8>> {
        let place = self.resolve(path, false)?;
        if let Some(end) = place.iter().rposition(|byte| *byte == b'/') {
            let parent = [b"/", &place[..end]].concat();
            self.make_directory(Path::new(OsStr::from_bytes(&parent)))?;
        }
        Ok(place)
    }
}
