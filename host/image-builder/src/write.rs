//! Writing a tree as an image.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::num::NonZero;
use std::thread::{self, ScopedJoinHandle};

use anyhow::{Context, Result, bail, ensure};
use rkt_cpio::{Entry, Writer};
use rkt_image_format::{
    BLOCK, CHUNK_SIZE_DEFAULT, ChunkEntry, Digest, Encoding, Extent, Superblock, Xattr, encode_xattr, image_digest,
    sha256,
};
use rkt_oci::Config;

use crate::tree::{Content, Kind, Node, Tree};

/// Longest value of an extended attribute, bytes (`XATTR_SIZE_MAX`, limits.h of Linux).
const XATTR_SIZE_MAX: usize = 64 << 10;
/// Most bytes of extended attributes that the enclave keeps for a file.
const XATTRS_MAX: usize = 256 << 10;

/// How chunks are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// As they are: quickest to build and to read.
    #[default]
    None,
    /// With zstd at this level, where that makes them smaller.
    Zstd(i32),
}

/// How an image is written.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How chunks are stored.
    pub compression: Compression,
    /// Bytes of a chunk, a power of two from 16 KiB to 1 MiB.
    pub chunk_size: u32,
    /// Latest modification time, seconds since 1970; later ones become this one.
    pub clamp_mtime: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Self { compression: Compression::None, chunk_size: CHUNK_SIZE_DEFAULT, clamp_mtime: None }
    }
}

/// The time in the environment variable `SOURCE_DATE_EPOCH`, for [`Options::clamp_mtime`]
/// (<https://reproducible-builds.org/specs/source-date-epoch/>).
pub fn source_date_epoch() -> Result<Option<u32>> {
    match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(text) => Ok(Some(text.parse().with_context(|| format!("SOURCE_DATE_EPOCH={text} is not a time"))?)),
        Err(_) => Ok(None),
    }
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Built {
    /// The digest of the image.
    pub digest: Digest,
    /// Bytes of the image.
    pub bytes: u64,
    /// Bytes of the data area: the contents of all files, equal ones once, in whole blocks.
    pub data: u64,
    /// Entries of the tree.
    pub files: usize,
}

impl Tree {
    /// Writes the image to the start of `out`. Its end is where the image ends, unless
    /// `out` was longer before.
    pub fn write(&self, out: &mut (impl Write + Seek), options: &Options) -> Result<Built> {
        self.write_with(out, options, &mut |_, _| {})
    }

    /// As [`Self::write`]; `progress` is told how many bytes of contents are done and how many
    /// there are.
    pub fn write_with(
        &self,
        out: &mut (impl Write + Seek),
        options: &Options,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Built> {
        let contents = Contents::plan(self)?;
        let tree = newc(self, &contents, options)?;
        let config = config(self)?;
        let config_hash = if config.is_empty() { [0; 32] } else { sha256(&config) };
        let sizes = |image_length| {
            Superblock::new(options.chunk_size, tree.len() as u64, contents.data_length, image_length)?
                .with_config(config.len() as u64, config_hash)
        };
        let chunks_offset = sizes(u64::MAX)?.chunks_offset();

        out.seek(SeekFrom::Start(chunks_offset))?;
        let mut chunks = ChunkWriter::new(out, chunks_offset, options);
        for (content, extent) in &contents.stored {
            chunks.pad_to(extent.offset)?;
            chunks.append(content)?;
            progress(extent.offset + extent.length, contents.data_length);
        }
        let (table, image_length) = chunks.finish()?;

        let superblock = sizes(image_length)?;
        let mut head = superblock.encode();
        let digest = image_digest(&head, &tree, &table);
        head.extend(&tree);
        head.resize(superblock.table_offset() as usize, 0);
        head.extend(&table);
        head.resize(superblock.config_offset() as usize, 0);
        head.extend(&config);
        head.resize(chunks_offset as usize, 0);
        out.seek(SeekFrom::Start(0))?;
        out.write_all(&head)?;
        out.flush()?;
        Ok(Built { digest, bytes: image_length, data: contents.data_length, files: self.nodes().len() })
    }
}

/// The stored form of how the image wants to be run: nothing, if it does not say.
fn config(tree: &Tree) -> Result<Vec<u8>> {
    if tree.config == Config::default() { Ok(Vec::new()) } else { Ok(serde_json::to_vec(&tree.config)?) }
}

/// Where the contents of each file go in the data area.
struct Contents<'t> {
    /// Each content that is stored, ascending.
    stored: Vec<(&'t Content, Extent)>,
    /// The extent of each regular file, in the order of the tree.
    extents: Vec<Extent>,
    data_length: u64,
}

impl<'t> Contents<'t> {
    /// Files of equal contents share an extent. Only files of equal length are compared,
    /// by their hashes, since most lengths occur once.
    fn plan(tree: &'t Tree) -> Result<Self> {
        let files = || {
            tree.nodes().filter_map(|(_, node)| match &node.kind {
                Kind::File(content) => Some((content, node.link)),
                _ => None,
            })
        };
        let mut lengths = HashMap::new();
        files().for_each(|(content, _)| *lengths.entry(content.length()).or_insert(0u32) += 1);

        let mut this = Self { stored: Vec::new(), extents: Vec::new(), data_length: 0 };
        let mut by_link = HashMap::new();
        let mut by_hash = HashMap::new();
        for (content, link) in files() {
            let length = content.length();
            let extent = if length == 0 {
                Extent::default()
            } else if let Some(extent) = link.and_then(|link| by_link.get(&link)) {
                *extent
            } else if lengths[&length] > 1 {
                *by_hash.entry(hash(content)?).or_insert_with(|| this.store(content))
            } else {
                this.store(content)
            };
            by_link.extend(link.map(|link| (link, extent)));
            this.extents.push(extent);
        }
        Ok(this)
    }

    fn store(&mut self, content: &'t Content) -> Extent {
        let extent = Extent { offset: self.data_length.next_multiple_of(BLOCK), length: content.length() };
        self.data_length = extent.offset + extent.length;
        self.stored.push((content, extent));
        extent
    }
}

fn hash(content: &Content) -> Result<Digest> {
    match content {
        Content::Bytes(bytes) => Ok(sha256(bytes)),
        Content::Host { path, .. } => {
            let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            Ok(sha256(&bytes))
        }
        Content::Part(part) => {
            let mut bytes = Vec::new();
            part.reader().read_to_end(&mut bytes).context("cannot read contents of a layer")?;
            Ok(sha256(&bytes))
        }
    }
}

/// The newc tree. Inode numbers count from 1 in the order of the tree.
fn newc(tree: &Tree, contents: &Contents<'_>, options: &Options) -> Result<Vec<u8>> {
    let mut links: HashMap<(u64, u64), u32> = HashMap::new();
    for (_, node) in tree.nodes() {
        if let Some(link) = node.link {
            *links.entry(link).or_insert(0) += 1;
        }
    }
    let mut inodes = HashMap::new();
    let mut next_inode = 1..;
    let mut extents = contents.extents.iter();
    let mut archive = Writer::new();
    for (path, node) in tree.nodes() {
        let mut fresh = || next_inode.next().context("too many files");
        let ino: u32 = match node.link.and_then(|link| inodes.get(&link)) {
            Some(ino) => *ino,
            None => fresh()?,
        };
        inodes.extend(node.link.map(|link| (link, ino)));
        let body = match &node.kind {
            Kind::File(_) => {
                let extent = extents.next().context("a file without an extent")?;
                [&extent.encode()[..], &xattrs(path, node)?].concat()
            }
            Kind::Directory => xattrs(path, node)?,
            Kind::Symlink(target) => target.clone(),
            _ => Vec::new(),
        };
        let (rdev_major, rdev_minor) = match node.kind {
            Kind::CharDevice(major, minor) | Kind::BlockDevice(major, minor) => (major, minor),
            _ => (0, 0),
        };
        let name = if path.is_empty() { b"." } else { path };
        rkt_cpio::check_name(name).with_context(|| path.escape_ascii().to_string())?;
        archive.push(&Entry {
            ino,
            mode: node.full_mode(),
            uid: node.uid,
            gid: node.gid,
            nlink: node.link.map_or_else(|| single_links(node), |link| links[&link]),
            mtime: options.clamp_mtime.map_or(node.mtime, |latest| latest.min(node.mtime)),
            rdev_major,
            rdev_minor,
            name,
            data: &body,
        })?;
    }
    Ok(archive.finish())
}

/// The extended attributes of a file or directory as stored.
fn xattrs(path: &[u8], node: &Node) -> Result<Vec<u8>> {
    let mut stored = Vec::new();
    let mut total = 0;
    for (name, value) in &node.xattrs {
        total += name.len() + value.len();
        let fits = value.len() <= XATTR_SIZE_MAX && total <= XATTRS_MAX;
        ensure!(fits, "{}: its extended attributes are too large", path.escape_ascii());
        encode_xattr(Xattr { name, value }, &mut stored).with_context(|| path.escape_ascii().to_string())?;
    }
    Ok(stored)
}

/// Links to a file with one name; a directory has its own `.` besides.
fn single_links(node: &Node) -> u32 {
    if matches!(node.kind, Kind::Directory) { 2 } else { 1 }
}

/// Chunks that are gathered before they are encoded side by side.
const BATCH: usize = 32;

/// Cuts a stream of bytes into chunks and stores them one behind the other.
struct ChunkWriter<'o, W> {
    out: &'o mut W,
    offset: u64,
    options: &'o Options,
    /// Bytes that are not stored yet, fewer than [`BATCH`] chunks.
    batch: Vec<u8>,
    batch_size: usize,
    /// Bytes of the data area so far.
    length: u64,
    table: Vec<u8>,
}

impl<'o, W: Write> ChunkWriter<'o, W> {
    fn new(out: &'o mut W, offset: u64, options: &'o Options) -> Self {
        let batch_size = BATCH * options.chunk_size as usize;
        let batch = Vec::with_capacity(batch_size);
        Self { out, offset, options, batch, batch_size, length: 0, table: Vec::new() }
    }

    /// Appends zeros up to an offset of the data area.
    fn pad_to(&mut self, offset: u64) -> Result<()> {
        let zeros = [0; BLOCK as usize];
        self.append_bytes(zeros.get(..(offset - self.length) as usize).context("gap of more than a block")?)
    }

    fn append(&mut self, content: &Content) -> Result<()> {
        match content {
            Content::Bytes(bytes) => self.append_bytes(bytes),
            Content::Part(part) => {
                ensure!(self.append_file(&mut part.reader())? == part.length, "contents of a layer are cut off");
                Ok(())
            }
            Content::Host { path, length } => {
                let context = || format!("cannot read {}", path.display());
                let mut file = File::open(path).with_context(context)?;
                if self.append_file(&mut file).with_context(context)? != *length {
                    bail!("{} changed while it was read", path.display());
                }
                Ok(())
            }
        }
    }

    fn append_bytes(&mut self, mut bytes: &[u8]) -> Result<()> {
        self.append_file(&mut bytes).map(drop)
    }

    /// Appends all that can be read; returns the number of bytes.
    fn append_file(&mut self, from: &mut impl Read) -> Result<u64> {
        let mut total = 0;
        loop {
            let room = (self.batch_size - self.batch.len()) as u64;
            let taken = from.take(room).read_to_end(&mut self.batch)? as u64;
            total += taken;
            self.length += taken;
            if taken < room {
                return Ok(total);
            }
            self.store()?;
        }
    }

    /// Encodes and stores what is in the batch, on all processors.
    fn store(&mut self) -> Result<()> {
        let chunks: Vec<&[u8]> = self.batch.chunks(self.options.chunk_size as usize).collect();
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        let compression = self.options.compression;
        let encoded = thread::scope(|scope| {
            let shares = chunks.chunks(chunks.len().div_ceil(threads).max(1));
            let encode_share = |share: &[&'_ [u8]]| share.iter().map(|chunk| encode(chunk, compression)).collect();
            let workers: Vec<_> = shares.map(|share| scope.spawn(move || encode_share(share))).collect();
            let join = |worker: ScopedJoinHandle<'_, Result<Vec<_>>>| worker.join().expect("no panic in encoding");
            workers.into_iter().map(join).collect::<Result<Vec<_>>>()
        })?;
        for (chunk, (compressed, hash)) in chunks.iter().zip(encoded.into_iter().flatten()) {
            let (encoding, stored) = match &compressed {
                Some(bytes) => (Encoding::Zstd, &bytes[..]),
                None => (Encoding::Raw, *chunk),
            };
            self.out.write_all(stored)?;
            let entry = ChunkEntry { offset: self.offset, length: stored.len() as u32, encoding, hash };
            self.table.extend(entry.encode());
            self.offset += stored.len() as u64;
        }
        self.batch.clear();
        Ok(())
    }

    /// Stores the last chunks; returns the chunk table and the length of the image.
    fn finish(mut self) -> Result<(Vec<u8>, u64)> {
        self.store()?;
        Ok((self.table, self.offset))
    }
}

/// A chunk compressed, if it is to be and becomes smaller, and the hash of what is stored.
fn encode(chunk: &[u8], compression: Compression) -> Result<(Option<Vec<u8>>, Digest)> {
    let compressed = match compression {
        Compression::None => None,
        Compression::Zstd(level) => Some(zstd::bulk::compress(chunk, level)?).filter(|it| it.len() < chunk.len()),
    };
    let hash = sha256(compressed.as_deref().unwrap_or(chunk));
    Ok((compressed, hash))
}
