//! Looking into images, and checking that they are whole.

use std::collections::HashSet;
use std::fs::File;
use std::os::unix::fs::FileExt;

use anyhow::{Context, Result, bail, ensure};
use rkt_cpio::{Reader, S_IFDIR, S_IFREG};
use rkt_image_format::{
    Digest, EXTENT_LEN, Extent, Image, ImageSource, SUPERBLOCK_LEN, SourceError, Superblock, Xattrs, image_digest,
};
use rkt_oci::Config;

/// A file as the source of an image.
#[derive(Debug)]
pub struct FileSource<'f>(pub &'f File);

impl ImageSource for FileSource<'_> {
    fn read(&self, offset: u64, into: &mut [u8]) -> Result<(), SourceError> {
        self.0.read_exact_at(into, offset).map_err(|_| SourceError)
    }
}

/// An entry of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Path without a leading slash.
    pub name: Vec<u8>,
    /// File type and permissions.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Modification time, seconds since 1970.
    pub mtime: u32,
    /// Where the contents of a regular file lie, else nothing at 0.
    pub extent: Extent,
    /// Major and minor number of the device that a node stands for.
    pub device: (u32, u32),
    /// Extended attributes: names and values.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// Target of a symbolic link, else empty.
    pub target: Vec<u8>,
}

/// What is in an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// The digest that the image has. Nothing says that it is the one it should have.
    pub digest: Digest,
    /// The sizes.
    pub superblock: Superblock,
    /// How the image wants to be run.
    pub config: Config,
    /// The entries of the tree, in its order.
    pub entries: Vec<Listed>,
}

/// Computes the digest of an image and lists it, without a look at the contents of files.
pub fn inspect(file: &File) -> Result<Inspection> {
    let (image, digest) = open(file)?;
    of_image(&image, digest)
}

/// Checks that an image is whole: the tree is in order, every chunk has its hash, and no
/// byte between the sections escapes the digest. Returns what [`inspect`] does.
pub fn check(file: &File) -> Result<Inspection> {
    let (image, digest) = open(file)?;
    let inspection = of_image(&image, digest)?;
    let superblock = inspection.superblock;

    let mut chunk = Vec::new();
    for index in 0..image.chunk_count() {
        image.read_chunk(index, &mut chunk)?;
    }
    let mut next = superblock.chunks_offset();
    for (index, entry) in image.chunks().iter().enumerate() {
        ensure!(entry.offset == next, "chunk {index} is not stored right behind the one before");
        next += u64::from(entry.length);
    }
    ensure!(next == superblock.image_length(), "there are bytes behind the last chunk");
    let tree_end = superblock.tree_offset() + superblock.tree_length();
    let table_end = superblock.table_offset() + superblock.table_length();
    let config_end = superblock.config_offset() + superblock.config_length();
    for (from, to) in [
        (tree_end, superblock.table_offset()),
        (table_end, superblock.config_offset()),
        (config_end, superblock.chunks_offset()),
    ] {
        let mut gap = vec![0; (to - from) as usize];
        file.read_exact_at(&mut gap, from)?;
        ensure!(gap.iter().all(|&byte| byte == 0), "the gap at byte {from} is not zero");
    }
    ensure!(file.metadata()?.len() == superblock.image_length(), "the file is longer than the image");
    Ok(inspection)
}

pub(crate) fn of_image(image: &Image<FileSource<'_>>, digest: Digest) -> Result<Inspection> {
    let config = image.config()?;
    let config = match &config[..] {
        [] => Config::default(),
        bytes => serde_json::from_slice(bytes).context("the configuration is malformed")?,
    };
    Ok(Inspection { digest, superblock: *image.superblock(), config, entries: list(image)? })
}

/// Opens an image by the digest that it has.
pub(crate) fn open(file: &File) -> Result<(Image<FileSource<'_>>, Digest)> {
    let mut block = [0; SUPERBLOCK_LEN];
    file.read_exact_at(&mut block, 0).context("not an rkt-io image: too short")?;
    let superblock = Superblock::decode(&block)?;
    let section = |offset, length| {
        let mut bytes = vec![0; length as usize];
        file.read_exact_at(&mut bytes, offset).context("the image is cut off").map(|()| bytes)
    };
    let tree = section(superblock.tree_offset(), superblock.tree_length())?;
    let table = section(superblock.table_offset(), superblock.table_length())?;
    let digest = image_digest(&block, &tree, &table);
    Ok((Image::open(FileSource(file), &digest)?, digest))
}

/// Lists the tree and checks its order: names are safe and occur once, directories come
/// before what they hold, files lie in the data area.
fn list(image: &Image<FileSource<'_>>) -> Result<Vec<Listed>> {
    let mut directories = HashSet::new();
    let mut names = HashSet::new();
    let mut entries = Vec::new();
    let mut reader = Reader::new(image.tree());
    for entry in reader.by_ref() {
        let entry = entry?;
        let name = || entry.name.escape_ascii().to_string();
        rkt_cpio::check_name(entry.name).with_context(name)?;
        ensure!(names.insert(entry.name), "{} occurs twice", name());
        let parent = match entry.name.iter().rposition(|&byte| byte == b'/') {
            Some(slash) => &entry.name[..slash],
            None => b".",
        };
        ensure!(entry.name == b"." || directories.contains(parent), "{} comes before its directory", name());
        let (mut extent, mut target, mut xattrs) = (Extent::default(), Vec::new(), Xattrs::new(&[]));
        match entry.file_type() {
            S_IFDIR => {
                directories.insert(entry.name);
                xattrs = Xattrs::new(entry.data);
            }
            S_IFREG => {
                extent = image.extent(entry.data).with_context(name)?;
                xattrs = Xattrs::new(entry.data.get(EXTENT_LEN..).unwrap_or_default());
            }
            _ => target = entry.data.to_vec(),
        }
        let xattrs = xattrs.map(|xattr| xattr.map(|xattr| (xattr.name.to_vec(), xattr.value.to_vec())));
        let xattrs = xattrs.collect::<Result<_, _>>().with_context(name)?;
        let device = (entry.rdev_major, entry.rdev_minor);
        let (mode, uid, gid, mtime) = (entry.mode, entry.uid, entry.gid, entry.mtime);
        entries.push(Listed { name: entry.name.to_vec(), mode, uid, gid, mtime, extent, target, device, xattrs });
    }
    if reader.position() != image.tree().len() {
        bail!("there are bytes behind the tree");
    }
    Ok(entries)
}
