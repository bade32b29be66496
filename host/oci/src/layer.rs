//! The entries of a layer (OCI image-spec, `layer.md`).

use crate::spool::{Part, Spool};
use crate::tape::{Member, clean, walk};
use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeMap;
use std::io::Read;
use tar::EntryType;

/// Prefix of the names that take something away.
const WHITEOUT: &[u8] = b".wh.";
/// The name that takes away all that lower layers have in its directory.
const OPAQUE: &[u8] = b".wh..wh..opq";
/// Prefix of names that AUFS keeps for itself; they mean nothing.
const AUFS: &[u8] = b".wh..wh.";
/// Longest target of a symbolic link, bytes (`PATH_MAX` of Linux, without the NUL).
const TARGET_MAX: usize = 4095;

/// What a layer does at a path.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The path: relative to the root, in normal form, empty for the root itself.
    pub path: Vec<u8>,
    /// What is done.
    pub kind: Kind,
    /// Permissions, the low 12 bits of `st_mode`.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Modification time, seconds since 1970.
    pub mtime: u32,
    /// Extended attributes by name.
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// What a layer puts at a path, or takes away there.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A directory, or new attributes for one.
    Directory,
    /// A regular file with these contents.
    File(Part),
    /// A symbolic link with this target.
    Symlink(Vec<u8>),
    /// One more name of the file at this path, in the form of [`Entry::path`].
    HardLink(Vec<u8>),
    /// A FIFO.
    Fifo,
    /// A character device of this major and minor number.
    CharDevice(u32, u32),
    /// A block device of this major and minor number.
    BlockDevice(u32, u32),
    /// Nothing: what lower layers have here goes.
    Whiteout,
    /// A directory of which lower layers' contents go.
    Opaque,
}

/// Reads an uncompressed tar stream. Contents go to the spool.
///
/// # Errors
/// If the archive is damaged, beyond the limits, or has what an image cannot have.
pub fn read_tar(from: impl Read, spool: &mut Spool) -> Result<Vec<Entry>> {
    let mut archive = tar::Archive::new(from);
    let mut entries = Vec::new();
    walk(archive.entries()?, |member, contents| {
        let shown = member.path.escape_ascii().to_string();
        entries.extend(entry(member, contents, spool).context(shown)?);
        Ok(())
    })?;
    Ok(entries)
}

fn entry(member: Member, contents: &mut dyn Read, spool: &mut Spool) -> Result<Option<Entry>> {
    let xattrs = member.records.xattrs();
    let attributes: usize = xattrs.iter().map(|(name, value)| name.len() + value.len()).sum();
    spool.count(member.path.len() + member.link.len() + attributes)?;
    let Member { path, mode, uid, gid, mtime, .. } = member;
    let (directory, name) = split(&path);
    let (path, kind) = match name.strip_prefix(WHITEOUT) {
        Some(_) if name == OPAQUE => (directory.to_vec(), Kind::Opaque),
        Some(_) if name.starts_with(AUFS) => return Ok(None),
        Some(hidden) => {
            ensure!(!matches!(hidden, b"" | b"." | b".."), "a whiteout of nothing");
            (join(directory, hidden), Kind::Whiteout)
        }
        None => {
            let kind = kind(member.kind, &member.link, member.device, (contents, member.size), spool)?;
            ensure!(!path.is_empty() || matches!(kind, Kind::Directory), "the root is not a directory");
            (path, kind)
        }
    };
    Ok(Some(Entry { path, kind, mode, uid, gid, mtime, xattrs }))
}

fn kind(
    kind: EntryType,
    link: &[u8],
    device: (u32, u32),
    (contents, size): (&mut dyn Read, u64),
    spool: &mut Spool,
) -> Result<Kind> {
    Ok(match kind {
        EntryType::Directory => Kind::Directory,
        EntryType::Regular | EntryType::Continuous => Kind::File(spool.append(contents, size)?),
        EntryType::Symlink => {
            ensure!(!link.is_empty() && link.len() <= TARGET_MAX && !link.contains(&0), "no possible target of a link");
            Kind::Symlink(link.to_vec())
        }
        EntryType::Link => Kind::HardLink(clean(link)?),
        EntryType::Fifo => Kind::Fifo,
        EntryType::Char => Kind::CharDevice(device.0, device.1),
        EntryType::Block => Kind::BlockDevice(device.0, device.1),
        EntryType::GNUSparse => bail!("a sparse file, which image layers should not have (layer.md)"),
        other => bail!("a member of unknown kind {:?}", char::from(other.as_byte())),
    })
}

/// Directory and last component of a path.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (b"", path),
    }
}

fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    if directory.is_empty() { name.to_vec() } else { [directory, name].join(&b'/') }
}
