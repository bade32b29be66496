//! Disks that the manifest asks for: their drivers, and the file systems on them.

use crate::log;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use rkt_ext4::Event as DiskEvent;
use rkt_linux_abi::Errno;
use rkt_linux_abi::general::{MS_NODEV, MS_NOSUID, MS_RDONLY, MS_RELATIME};
use rkt_log::{Event, Stat};
use rkt_manifest::{Disk, Manifest};
use rkt_platform::SpaceId;
use rkt_storage::{DiskFs, MountOptions, QueuedDisk};
use rkt_sync::Mutex;
use rkt_vfs::{Credentials, FsContext, Mount, Path, Resolve, ops};

type Refusal = (Event, String);

/// Disks in the order of the manifest.
static DISKS: Mutex<Vec<Arc<QueuedDisk>>> = Mutex::new(Vec::new());
/// File systems on them.
static MOUNTED: Mutex<Vec<Arc<DiskFs>>> = Mutex::new(Vec::new());

/// Takes a driver's disk into use.
pub fn add(device: Box<dyn rkt_blockdev::BlockDevice>) {
    let disk = QueuedDisk::new(device);
    DISKS.lock().push(disk);
}

/// Mounts all disks. Runs in a thread: disks take their time.
///
/// # Errors
/// Which disk cannot be mounted, and why.
pub fn mount(manifest: &Manifest, root: &Path) -> Result<(), Refusal> {
    let disks = DISKS.lock().clone();
    for (nth, (disk, wanted)) in disks.into_iter().zip(&manifest.disks).enumerate() {
        mount_one(nth, disk, wanted, manifest.memory, root).map_err(|text| (Event::NoDevice, text))?;
    }
    Ok(())
}

fn mount_one(nth: usize, disk: Arc<QueuedDisk>, wanted: &Disk, memory: u64, root: &Path) -> Result<(), String> {
    let options =
        MountOptions { read_only: wanted.read_only, cache: memory / 4, dirty: memory / 8, tell: tell_of_damage };
    let fs = DiskFs::mount(disk, options).map_err(|error| format!("disk{nth}: {error}"))?;
    if !wanted.read_only && !fs.start(SpaceId::NONE) {
        return Err(format!("disk{nth}: no memory for its thread"));
    }
    let place = String::from_utf8_lossy(&wanted.mount).into_owned();
    let at = mount_point(root, &wanted.mount).map_err(|error| format!("{place}: {error}"))?;
    let writable = if wanted.read_only { MS_RDONLY } else { 0 };
    let source = format!("/dev/disk{nth}");
    Mount::attach(&at, fs.clone(), &source, MS_NOSUID | MS_NODEV | MS_RELATIME | writable)
        .map_err(|error| format!("{place}: {error}"))?;
    MOUNTED.lock().push(fs);
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
