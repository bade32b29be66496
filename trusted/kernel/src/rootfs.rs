//! The root: a tmpfs filled from the image, whose files are read, verified and decompressed when
//! they are first touched.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use hashbrown::HashMap;
use rkt_cpio::Reader;
use rkt_image_format::{ChunkCache, EXTENT_LEN, Extent, Image, ImageError, ImageSource, SourceError, Xattrs};
use rkt_linux_abi::general::{MS_NODEV, MS_NOSUID, S_IFDIR, S_IFLNK, S_IFREG};
use rkt_linux_abi::{Errno, Result};
use rkt_log::Event;
use rkt_platform::Region;
use rkt_sync::Mutex;
use rkt_vfs::tmpfs::{self, Attributes, Backing, Node, TmpFs};
use rkt_vfs::{FileSystem, FsContext, Mount, Path, Resolve, Time, dev, make_device};

/// The image as the host offers it: copied out, then verified.
struct Untrusted(Region);

impl ImageSource for Untrusted {
    fn read(&self, offset: u64, into: &mut [u8]) -> Result<(), SourceError> {
        let offset = usize::try_from(offset).map_err(|_| SourceError)?;
        self.0.read(offset, into).map_err(|_| SourceError)
    }
}

/// Chunks that were read last: files that lie side by side share them, and several readers
/// take turns.
const CACHES: usize = 4;

struct Root {
    image: Image<Untrusted>,
    caches: [Mutex<ChunkCache>; CACHES],
}

/// A file's content in the image.
struct Content {
    root: Arc<Root>,
    extent: Extent,
}

impl Backing for Content {
    fn len(&self) -> u64 {
        self.extent.length
    }

    fn fill(&self, offset: u64, into: &mut [u8]) -> Result<()> {
        let at = self.extent.offset.checked_add(offset).ok_or(Errno::EIO)?;
        let which = (at / u64::from(self.root.image.superblock().chunk_size())) as usize % CACHES;
        let cache = self.root.caches.get(which).ok_or(Errno::EIO)?;
        self.root.image.read_data(&mut cache.lock(), at, into).map_err(|_| Errno::EIO)
    }
}

/// Why there is no root, as a log event.
pub fn event_of(error: &ImageError) -> Event {
    match error {
        ImageError::WrongDigest => Event::ImageDigest,
        ImageError::Source(_) => Event::ImageTruncated,
        ImageError::OutOfMemory(_) => Event::NoMemory,
        _ => Event::ImageMalformed,
    }
}

/// Opens the image and makes the file system of it. What is written may take the share of `memory`
/// that a tmpfs has.
///
/// # Errors
/// What is wrong with the image.
pub fn open(image: Region, digest: &[u8; 32], memory: u64) -> core::result::Result<Arc<TmpFs>, Event> {
    let present = image.len() as u64;
    let image = Image::open(Untrusted(image), digest).map_err(|error| event_of(&error))?;
    if present < image.superblock().image_length() {
        return Err(Event::ImageTruncated);
    }
    let root = Arc::new(Root { image, caches: core::array::from_fn(|_| Mutex::default()) });
    let fs = TmpFs::of_type("rootfs", tmpfs::default_limit(memory), u64::MAX, 0o755).map_err(|_| Event::NoMemory)?;
    fill(&fs, &root).map_err(|_| Event::ImageMalformed)?;
    Ok(fs)
}

fn fill(fs: &Arc<TmpFs>, root: &Arc<Root>) -> core::result::Result<(), ()> {
    let mut links: HashMap<u32, Node> = HashMap::new();
    let tree: Vec<u8> = root.image.tree().to_vec();
    for entry in Reader::new(&tree) {
        let entry = entry.map_err(drop)?;
        rkt_cpio::check_name(entry.name).map_err(drop)?;
        let kind = entry.file_type();
        if kind != S_IFDIR
            && entry.nlink > 1
            && let Some(node) = links.get(&entry.ino)
        {
            fs.insert_link(entry.name, node).map_err(drop)?;
            continue;
        }
        let content: Option<Arc<dyn Backing>> = if kind == S_IFREG {
            let extent = root.image.extent(entry.data).map_err(drop)?;
            (extent.length > 0).then(|| Arc::new(Content { root: root.clone(), extent }) as Arc<dyn Backing>)
        } else {
            None
        };
        let attributes = Attributes {
            mode: entry.mode,
            uid: entry.uid,
            gid: entry.gid,
            mtime: Time::new(i64::from(entry.mtime), 0),
            rdev: make_device(entry.rdev_major, entry.rdev_minor),
            target: if kind == S_IFLNK { entry.data } else { &[] },
        };
        let node = fs.insert(entry.name, &attributes, content).map_err(drop)?;
        let xattrs = match kind {
            S_IFREG => entry.data.get(EXTENT_LEN..).unwrap_or_default(),
            S_IFDIR => entry.data,
            _ => &[],
        };
        for xattr in Xattrs::new(xattrs) {
            let xattr = xattr.map_err(drop)?;
            node.set_xattr(xattr.name, xattr.value).map_err(drop)?;
        }
        if kind != S_IFDIR && entry.nlink > 1 {
            links.insert(entry.ino, node);
        }
    }
    Ok(())
}

/// Mounts the root, /dev, /dev/shm and /tmp's permissions as a fresh container has them.
///
/// # Errors
/// What mounting said.
pub fn mount(fs: Arc<dyn FileSystem>, flags: u32, memory: u64) -> Result<Path> {
    let source = if fs.type_name() == "rootfs" { "rootfs" } else { "/dev/root" };
    let root = Mount::new_root(fs, source, flags).root();
    let context = FsContext {
        root: root.clone(),
        cwd: root.clone(),
        umask: 0,
        credentials: Arc::new(rkt_vfs::Credentials::root()),
    };
    let make = |name: &[u8], mode: u32| match rkt_vfs::ops::mkdir(&context, None, name, mode) {
        Err(Errno::EEXIST) => Ok(()),
        made => made,
    };
    let directory = |name: &[u8], mode: u32| {
        make(name, mode)?;
        context.resolve(None, name, Resolve::FOLLOW)
    };
    let devices = dev::devfs(&[("console", 5, 1, 0o600), ("tty", 5, 0, 0o666)])?;
    Mount::attach(&directory(b"dev", 0o755)?, devices, "devtmpfs", 0)?;
    let shared = TmpFs::new(tmpfs::default_limit(memory), u64::MAX, 0o1777)?;
    Mount::attach(&directory(b"dev/shm", 0o1777)?, shared, "tmpfs", MS_NOSUID | MS_NODEV)?;
    make(b"tmp", 0o1777)?;
    make(b"proc", 0o555)?;
    Ok(root)
}

/// Writes the files that the manifest fixes: host name and name servers.
///
/// # Errors
/// What the file system said.
pub fn configure(root: &Path, manifest: &rkt_manifest::Manifest) -> Result<()> {
    use alloc::format;
    let mut hosts = b"127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n".to_vec();
    let address = manifest.network.iter().find_map(|interface| match interface.ipv4 {
        rkt_manifest::Ipv4::Static { address, .. } => Some(format!("{address}")),
        _ => None,
    });
    let address = address.unwrap_or_else(|| String::from("127.0.1.1"));
    hosts.extend_from_slice(&[address.as_bytes(), b"\t", &manifest.hostname, b"\n"].concat());
    let name = [&manifest.hostname[..], b"\n"].concat();
    write_file(root, b"etc/hostname", &name)?;
    write_file(root, b"etc/hosts", &hosts)?;
    write_resolvers(root, manifest, &[])
}

/// Writes the name servers: those of the manifest, then those that the network named.
///
/// # Errors
/// What the file system said.
pub fn write_resolvers(root: &Path, manifest: &rkt_manifest::Manifest, named: &[core::net::IpAddr]) -> Result<()> {
    let fixed = manifest.network.iter().flat_map(|interface| &interface.dns);
    let lines = fixed.chain(named).map(|server| alloc::format!("nameserver {server}\n"));
    write_file(root, b"etc/resolv.conf", &lines.flat_map(String::into_bytes).collect::<Vec<u8>>())
}

fn write_file(root: &Path, path: &[u8], content: &[u8]) -> Result<()> {
    use rkt_linux_abi::general::{O_CREAT, O_TRUNC, O_WRONLY};
    let context = FsContext {
        root: root.clone(),
        cwd: root.clone(),
        umask: 0o022,
        credentials: Arc::new(rkt_vfs::Credentials::root()),
    };
    match rkt_vfs::ops::mkdir(&context, None, b"etc", 0o755) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(error) => return Err(error),
    }
    let how = rkt_vfs::OpenHow { flags: O_WRONLY | O_CREAT | O_TRUNC, mode: 0o644, ..Default::default() };
    let file = rkt_vfs::open(&context, None, path, &how)?;
    file.write(&mut rkt_user::IoSource::kernel(content))?;
    Ok(())
}
