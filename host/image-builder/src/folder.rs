//! A folder of the host as the root of an image.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rustix::io::Errno;

use crate::import::{children, node_of};
use crate::tree::{Kind, Node, Tree, is_kept};

/// Longest list of names of extended attributes, bytes (`XATTR_LIST_MAX`, limits.h of Linux).
const XATTR_LIST_MAX: usize = 64 << 10;
/// Longest value of an extended attribute, bytes (`XATTR_SIZE_MAX`).
const XATTR_SIZE_MAX: usize = 64 << 10;

/// The tree of a folder: owners, modes, times, symbolic and hard links and device nodes
/// as they are, with extended attributes that mean something elsewhere; sockets are left out.
pub fn from_folder(folder: &Path) -> Result<Tree> {
    let mut tree = Tree::new();
    contents(folder, Path::new("/"))?.into_iter().for_each(|(path, node)| tree.set(&path, node));
    Ok(tree)
}

/// Adds a folder and all it holds at an absolute path, through the links of the tree.
pub(crate) fn add_folder(tree: &mut Tree, folder: &Path, place: &Path) -> Result<()> {
    for (path, node) in contents(folder, place)? {
        match node.kind {
            Kind::Directory => tree.insert_directory(&path, node)?,
            _ => tree.insert(&path, node)?,
        }
    }
    Ok(())
}

/// A folder and all it holds, by the paths that they get.
fn contents(folder: &Path, place: &Path) -> Result<BTreeMap<PathBuf, Node>> {
    if !fs::metadata(folder).with_context(|| format!("cannot look at {}", folder.display()))?.is_dir() {
        bail!("{} is not a directory", folder.display());
    }
    let mut found = BTreeMap::new();
    collect(folder, place, &mut found)?;
    Ok(found)
}

fn collect(path: &Path, place: &Path, found: &mut BTreeMap<PathBuf, Node>) -> Result<()> {
    // The folder itself may be named through a link; what it holds is taken as it is.
    let metadata = if found.is_empty() { fs::metadata(path) } else { fs::symlink_metadata(path) };
    let metadata = metadata.with_context(|| format!("cannot look at {}", path.display()))?;
    let Some(mut node) = node_of(path, &metadata)? else { return Ok(()) };
    if matches!(node.kind, Kind::Directory | Kind::File(_)) {
        node.xattrs = xattrs(path).with_context(|| format!("cannot read the attributes of {}", path.display()))?;
    }
    let directory = matches!(node.kind, Kind::Directory);
    found.insert(place.to_owned(), node);
    if directory {
        for child in children(path)? {
            let Some(name) = child.file_name() else { continue };
            collect(&child, &place.join(name), found)?;
        }
    }
    Ok(())
}

/// The extended attributes of a file or directory that go into an image.
fn xattrs(path: &Path) -> rustix::io::Result<BTreeMap<Vec<u8>, Vec<u8>>> {
    let mut names = Vec::with_capacity(XATTR_LIST_MAX);
    match rustix::fs::llistxattr(path, rustix::buffer::spare_capacity(&mut names)) {
        // A file system without such attributes.
        Err(Errno::OPNOTSUPP) => return Ok(BTreeMap::new()),
        listed => listed?,
    };
    let mut found = BTreeMap::new();
    for name in names.split(|byte| *byte == 0).filter(|name| is_kept(name)) {
        let mut value = Vec::with_capacity(XATTR_SIZE_MAX);
        rustix::fs::lgetxattr(path, OsStr::from_bytes(name), rustix::buffer::spare_capacity(&mut value))?;
        value.shrink_to_fit();
        found.insert(name.to_vec(), value);
    }
    Ok(found)
}
