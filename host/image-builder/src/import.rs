//! Taking files of the host into a tree, at the places that they have on the host.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::resolve::LINKS_MAX;
use crate::tree::{Content, Kind, Node, Tree};

/// The node of a file of the host. `None`: a socket, which means nothing without its server.
pub(crate) fn node_of(path: &Path, metadata: &Metadata) -> Result<Option<Node>> {
    let file_type = metadata.file_type();
    let (major, minor) = (rustix::fs::major(metadata.rdev()), rustix::fs::minor(metadata.rdev()));
    let kind = if file_type.is_dir() {
        Kind::Directory
    } else if file_type.is_symlink() {
        let target = fs::read_link(path).with_context(|| format!("cannot read the link {}", path.display()))?;
        Kind::Symlink(target.into_os_string().into_vec())
    } else if file_type.is_file() {
        Kind::File(Content::Host { path: path.to_owned(), length: metadata.len() })
    } else if file_type.is_fifo() {
        Kind::Fifo
    } else if file_type.is_char_device() {
        Kind::CharDevice(major, minor)
    } else if file_type.is_block_device() {
        Kind::BlockDevice(major, minor)
    } else {
        return Ok(None);
    };
    let linked = metadata.nlink() > 1 && !file_type.is_dir();
    Ok(Some(Node {
        mode: metadata.mode() & 0o7777,
        uid: metadata.uid(),
        gid: metadata.gid(),
        mtime: u32::try_from(metadata.mtime().max(0)).unwrap_or(u32::MAX),
        kind,
        link: linked.then(|| (metadata.dev(), metadata.ino())),
        xattrs: BTreeMap::new(),
    }))
}

/// Adds the file or directory at an absolute path, every directory on the way and every
/// link, also the last one, with what it points to. Returns the path free of links, or
/// `None` if there is nothing. Directories are added without what they hold and, since
/// their neighbours on the host changed them last, without a time.
pub(crate) fn import(tree: &mut Tree, path: &Path) -> Result<Option<PathBuf>> {
    let mut links = 0;
    // The components still to go, the next one last.
    let mut rest = reversed(path);
    let mut at = PathBuf::from("/");
    while let Some(component) = rest.pop() {
        if component == ".." {
            at.pop();
            continue;
        }
        let next = at.join(&component);
        if tree.get(&next).is_none() {
            let metadata = match fs::symlink_metadata(&next) {
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                    return Ok(None);
                }
                metadata => metadata.with_context(|| format!("cannot look at {}", next.display()))?,
            };
            let Some(mut node) = node_of(&next, &metadata)? else { return Ok(None) };
            if matches!(node.kind, Kind::Directory) {
                node.mtime = 0;
            }
            tree.set(&next, node);
        }
        match tree.get(&next).map(|node| &node.kind) {
            Some(Kind::Symlink(target)) => {
                links += 1;
                if links > LINKS_MAX {
                    bail!("{}: too many symbolic links", path.display());
                }
                let target = PathBuf::from(std::ffi::OsString::from_vec(target.clone()));
                if target.is_absolute() {
                    at = PathBuf::from("/");
                }
                rest.extend(reversed(&target));
            }
            _ => at = next,
        }
    }
    Ok(Some(at))
}

/// The names of a path, last one first.
fn reversed(path: &Path) -> Vec<std::ffi::OsString> {
    let name = |component: Component<'_>| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    };
    path.components().rev().filter_map(name).collect()
}

/// Adds a directory as [`import`] does, and all it holds, except for what `leave_out` says.
pub(crate) fn import_all(tree: &mut Tree, path: &Path, leave_out: &dyn Fn(&Path) -> bool) -> Result<()> {
    let Some(real) = import(tree, path)? else { bail!("{}: no such file or directory", path.display()) };
    if !matches!(tree.get(&real).map(|node| &node.kind), Some(Kind::Directory)) {
        return Ok(());
    }
    for child in children(&real)? {
        if !leave_out(&child) {
            let metadata = fs::symlink_metadata(&child)?;
            if metadata.is_dir() {
                import_all(tree, &child, leave_out)?;
            } else {
                import(tree, &child)?;
            }
        }
    }
    Ok(())
}

/// The paths in a directory, sorted.
pub(crate) fn children(directory: &Path) -> Result<Vec<PathBuf>> {
    let context = || format!("cannot list {}", directory.display());
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory).with_context(context)? {
        paths.push(entry.with_context(context)?.path());
    }
    paths.sort_unstable();
    Ok(paths)
}
