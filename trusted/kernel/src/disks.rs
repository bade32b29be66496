//! Disks that the manifest asks for: their drivers, and the file systems on them.

use crate::log;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use rkt_ext4::{Event as DiskEvent, FormatOptions, MountError};
use rkt_linux_abi::Errno;
use rkt_linux_abi::general::{MS_NODEV, MS_NOSUID, MS_RDONLY, MS_RELATIME};
use rkt_log::{Event, Stat};
use rkt_manifest::{Changes, Disk, DiskFormat, Manifest};
use rkt_platform::SpaceId;
use rkt_storage::{DiskFs, MountOptions, QueuedDisk};
use rkt_sync::Mutex;
use rkt_vfs::{Credentials, FsContext, Mount, Path, Resolve, ops};

type Refusal = (Event, String);

/// Where the root is mounted.
const ROOT: &[u8] = b"/";
/// What is looked at of a disk that may be new, bytes: the superblock lies in there.
const FIRST_BLOCK: usize = 4096;

/// Disks in the order of the manifest.
static DISKS: Mutex<Vec<Arc<QueuedDisk>>> = Mutex::new(Vec::new());
/// File systems on them.
static MOUNTED: Mutex<Vec<Arc<DiskFs>>> = Mutex::new(Vec::new());

/// Takes a driver's disk into use, by its lanes.
pub fn add(lanes: Vec<Box<dyn rkt_blockdev::BlockDevice>>) {
    let disk = QueuedDisk::new(lanes);
    DISKS.lock().push(disk);
}

/// The file system of the disk that is the root, and the flags to mount it with. Runs in a thread: disks take
/// their time.
///
/// # Errors
/// Why it cannot be mounted.
pub fn root(manifest: &Manifest) -> Result<(Arc<DiskFs>, u32), Refusal> {
    let disks = DISKS.lock().clone();
    let mut all = disks.into_iter().zip(&manifest.disks).enumerate();
    let (nth, (disk, wanted)) =
        all.find(|(_, (_, wanted))| wanted.mount == ROOT).ok_or((Event::NoDevice, String::from("no root disk")))?;
    let fs = open(nth, disk, wanted, manifest.memory).map_err(|text| (Event::NoDevice, text))?;
    Ok((fs, flags_of(wanted)))
}

/// Mounts all disks but the root. Runs in a thread: disks take their time.
///
/// # Errors
/// Which disk cannot be mounted, and why.
pub fn mount(manifest: &Manifest, root: &Path) -> Result<(), Refusal> {
    let disks = DISKS.lock().clone();
    for (nth, (disk, wanted)) in disks.into_iter().zip(&manifest.disks).enumerate() {
        if wanted.mount != ROOT {
            mount_one(nth, disk, wanted, manifest.memory, root).map_err(|text| (Event::NoDevice, text))?;
        }
    }
    Ok(())
}

fn flags_of(wanted: &Disk) -> u32 {
    MS_RELATIME | if wanted.changes == Changes::Refused { MS_RDONLY } else { 0 }
}

/// The file system on a disk.
fn open(nth: usize, disk: Arc<QueuedDisk>, wanted: &Disk, memory: u64) -> Result<Arc<DiskFs>, String> {
    let read_only = wanted.changes == Changes::Refused;
    if wanted.format == DiskFormat::LuksHostKeyOrNew {
        let disk: Arc<dyn rkt_ext4::Disk> = disk.clone();
        make_if_new(&disk).map_err(|error| format!("disk{nth}: {error}"))?;
    }
    let options = MountOptions { read_only, cache: memory / 4, dirty: memory / 8, tell: tell_of_damage };
    let fs = DiskFs::mount(disk, options).map_err(|error| format!("disk{nth}: {error}"))?;
    if !read_only && !fs.start(SpaceId::NONE) {
        return Err(format!("disk{nth}: no memory for its thread"));
    }
    MOUNTED.lock().push(fs.clone());
    Ok(fs)
}

/// Puts an empty file system on a disk that does not have one, because its container was made just now: the
/// first block of that decrypts to zeroes.
fn make_if_new(disk: &Arc<dyn rkt_ext4::Disk>) -> Result<(), MountError> {
    let mut start = alloc::vec![0; FIRST_BLOCK];
    disk.read(0, &mut start).map_err(|_| MountError::Disk)?;
    if start.iter().any(|byte| *byte != 0) {
        return Ok(());
    }
    let mut random = [0; 32];
    rkt_platform::random(&mut random);
    let (uuid, seed) = random.split_first_chunk::<16>().ok_or(MountError::Disk)?;
    let mut hash_seed = [0; 4];
    for (word, bytes) in hash_seed.iter_mut().zip(seed.as_chunks::<4>().0) {
        *word = u32::from_le_bytes(*bytes);
    }
    let now = i64::try_from(rkt_platform::wall()).unwrap_or(i64::MAX);
    rkt_ext4::format(disk, &FormatOptions::new(*uuid, hash_seed, now))
}

fn mount_one(nth: usize, disk: Arc<QueuedDisk>, wanted: &Disk, memory: u64, root: &Path) -> Result<(), String> {
    let fs = open(nth, disk, wanted, memory)?;
    let place = String::from_utf8_lossy(&wanted.mount).into_owned();
    let at = mount_point(root, &wanted.mount).map_err(|error| format!("{place}: {error}"))?;
    let source = format!("/dev/disk{nth}");
    Mount::attach(&at, fs, &source, MS_NOSUID | MS_NODEV | flags_of(wanted))
        .map_err(|error| format!("{place}: {error}"))?;
    Ok(())
}

/// The directory that a disk is mounted on, made with those above it if they are missing.
fn mount_point(root: &Path, path: &[u8]) -> rkt_linux_abi::Result<Path> {
    let credentials = Arc::new(Credentials::root());
    let context = FsContext { root: root.clone(), cwd: root.clone(), umask: 0, credentials };
    let ends = path.iter().enumerate().filter(|&(at, &byte)| at > 0 && byte == b'/').map(|(at, _)| at);
    for end in ends.chain([path.len()]) {
        match ops::mkdir(&context, None, path.get(..end).unwrap_or(path), 0o755) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(error) => return Err(error),
        }
    }
    context.resolve(None, path, Resolve { directory: true, ..Resolve::FOLLOW })
}

/// The administrator's log: what is wrong with a disk, and what was done about it.
fn tell_of_damage(event: &DiskEvent) {
    let text = match event {
        DiskEvent::Replayed { transactions, blocks } => {
            format!("journal replayed: {transactions} transactions, {blocks} blocks")
        }
        DiskEvent::Orphans(count) => format!("{count} deleted files cleaned up"),
        DiskEvent::Corrupt(corruption) => format!("the disk is damaged: {corruption}"),
        DiskEvent::ReadOnly => String::from("the disk is read-only from now on"),
        DiskEvent::JournalFailed => String::from("the journal could not be written"),
    };
    log::text(Event::Disk, &text);
}

/// Leaves all disks so that they need no replay. The program has ended.
pub fn unmount_all() {
    let mounted = core::mem::take(&mut *MOUNTED.lock());
    for fs in mounted {
        if fs.unmount().is_err() {
            log::text(Event::Disk, "a disk could not be written to the end");
        }
    }
}

/// Publishes what disks count.
pub fn publish_stats() {
    let disks = DISKS.lock();
    if disks.is_empty() {
        return;
    }
    let all = disks.iter().map(|disk| disk.stats());
    let sum = |of: fn(&rkt_blockdev::BlockStats) -> u64| all.clone().map(|stats| of(&stats)).sum();
    log::set(Stat::DiskReads, sum(|stats| stats.reads));
    log::set(Stat::DiskReadBytes, sum(|stats| stats.read_bytes));
    log::set(Stat::DiskWrites, sum(|stats| stats.writes));
    log::set(Stat::DiskWriteBytes, sum(|stats| stats.write_bytes));
    log::set(Stat::DiskFlushes, sum(|stats| stats.flushes));
}
