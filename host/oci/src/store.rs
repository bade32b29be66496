//! Where the blobs and documents of an image lie: in a folder, or in an archive.

use crate::digest::Digest;
use crate::spec::{DOCUMENT_MAX, Descriptor};
use crate::stream::{Bounded, Hashed, unpacked};
use crate::tape::{clean, walk};
use crate::{Limits, Part, Spool};
use anyhow::{Context, Result, bail, ensure};
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tar::EntryType;

/// Most links from member to member followed; `docker save` makes one for a layer that it has twice.
const LINKS_MAX: usize = 4;
/// Most members of an archive, which has a handful for each layer.
const MEMBERS_MAX: usize = 1 << 16;

/// Files by name.
pub(crate) enum Store {
    /// Those below a folder.
    Folder(PathBuf),
    /// Those of an archive.
    Archive(HashMap<Vec<u8>, Stored>),
}

/// A member of an archive.
pub(crate) enum Stored {
    File(Part),
    /// The path of another member.
    Link(Vec<u8>),
}

impl Store {
    /// Opens a folder, or an archive, itself compressed or not.
    pub(crate) fn open(path: &Path, limits: &Limits) -> Result<Self> {
        let mut file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        if file.metadata()?.is_dir() {
            return Ok(Self::Folder(path.into()));
        }
        let mut first = [0; 4];
        let count = file.read(&mut first)?;
        file.rewind()?;
        let compressed = first[..count].starts_with(&[0x1f, 0x8b]) || first == [0x28, 0xb5, 0x2f, 0xfd];
        let file = if compressed { unpack(file, limits)? } else { file };
        Self::of_archive(file)
    }

    /// Finds the members of an uncompressed archive, without reading them.
    fn of_archive(file: File) -> Result<Self> {
        let file = Arc::new(file);
        let mut members = HashMap::new();
        let mut archive = tar::Archive::new(&*file);
        walk(archive.entries_with_seek().context("not an archive")?, |member, _| {
            let stored = match member.kind {
                EntryType::Regular => {
                    Stored::File(Part { file: Arc::clone(&file), offset: member.position, length: member.size })
                }
                EntryType::Symlink => Stored::Link(beside(&member.path, &member.link)?),
                EntryType::Link => Stored::Link(clean(&member.link)?),
                _ => return Ok(()),
            };
            ensure!(members.len() < MEMBERS_MAX, "the archive has more than {MEMBERS_MAX} members");
            members.insert(member.path, stored);
            Ok(())
        })?;
        Ok(Self::Archive(members))
    }

    /// Opens a file. `None` if there is none of this name.
    pub(crate) fn file(&self, name: &str) -> Result<Option<Part>> {
        let mut path = clean(name.as_bytes())?;
        match self {
            Self::Folder(folder) => {
                let path = folder.join(str::from_utf8(&path)?);
                match File::open(&path) {
                    Ok(file) => {
                        let length = file.metadata()?.len();
                        Ok(Some(Part { file: Arc::new(file), offset: 0, length }))
                    }
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                    Err(error) => Err(error).with_context(|| format!("cannot open {}", path.display())),
                }
            }
            Self::Archive(members) => {
                for _ in 0..=LINKS_MAX {
                    match members.get(&path) {
                        Some(Stored::File(part)) => return Ok(Some(part.clone())),
                        Some(Stored::Link(other)) => path.clone_from(other),
                        None => return Ok(None),
                    }
                }
                bail!("{name}: too many links")
            }
        }
    }

    /// A small file.
    pub(crate) fn document(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let Some(part) = self.file(name)? else { return Ok(None) };
        ensure!(part.length <= DOCUMENT_MAX, "{name} is longer than {DOCUMENT_MAX} bytes");
        let mut bytes = Vec::new();
        part.reader().read_to_end(&mut bytes).with_context(|| format!("cannot read {name}"))?;
        Ok(Some(bytes))
    }

    /// The file of a blob (`image-layout.md`).
    pub(crate) fn blob(&self, digest: &Digest) -> Result<Part> {
        let name = format!("blobs/sha256/{}", digest.hex());
        self.file(&name)?.with_context(|| format!("the image lacks the blob {digest}"))
    }

    /// A small blob, compared with its descriptor.
    pub(crate) fn blob_document(&self, of: &Descriptor) -> Result<Vec<u8>> {
        ensure!(of.size <= DOCUMENT_MAX, "the blob {} is longer than {DOCUMENT_MAX} bytes", of.digest);
        let mut bytes = Vec::new();
        self.blob(&of.digest)?.reader().take(DOCUMENT_MAX + 1).read_to_end(&mut bytes)?;
        Hashed::new(&bytes[..]).finish(&of.digest, Some(of.size), "the blob")?;
        Ok(bytes)
    }
}

/// Unpacks a compressed archive, within the limit that is there for layers.
fn unpack(file: File, limits: &Limits) -> Result<File> {
    let mut to = Spool::new(limits)?.into_file()?;
    let (mut left, mut ignored) = (limits.unpacked, |_| {});
    let mut from = Bounded::new(unpacked(file)?, &mut left, &mut ignored);
    io::copy(&mut from, &mut to).context("while unpacking the archive")?;
    to.rewind()?;
    Ok(to)
}

/// The path of a symbolic link's target, which may climb, but not out of the archive.
fn beside(link: &[u8], target: &[u8]) -> Result<Vec<u8>> {
    let mut components: Vec<&[u8]> = link.split(|byte| *byte == b'/').collect();
    components.pop();
    for component in target.split(|byte| *byte == b'/') {
        match component {
            b"" | b"." => {}
            b".." => drop(components.pop().context("a link leads out of the archive")?),
            name => components.push(name),
        }
    }
    clean(&components.join(&b'/'))
}

impl Part {
    /// Its bytes.
    pub fn reader(&self) -> impl Read + use<> {
        PartReader { part: self.clone() }
    }
}

/// Reads by position, so that readers of one file do not disturb each other.
struct PartReader {
    part: Part,
}

impl Read for PartReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.part.length).unwrap_or(usize::MAX).min(into.len());
        let count = self.part.file.read_at(&mut into[..wanted], self.part.offset)?;
        self.part.offset += count as u64;
        self.part.length -= count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_stay_in_the_archive() {
        assert_eq!(beside(b"one/layer.tar", b"../two/layer.tar").unwrap(), b"two/layer.tar");
        assert_eq!(beside(b"layer.tar", b"two/./x").unwrap(), b"two/x");
        assert!(beside(b"one/layer.tar", b"../../etc/passwd").is_err());
    }
}
