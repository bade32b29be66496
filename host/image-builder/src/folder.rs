//! A folder of the host as the root of an image.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::import::{children, node_of};
use crate::tree::{Kind, Node, Tree};

/// The tree of a folder: owners, modes, times, symbolic and hard links and device nodes
/// as they are; sockets are left out. Extended attributes have no place in an image.
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
    let Some(node) = node_of(path, &metadata)? else { return Ok(()) };
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
