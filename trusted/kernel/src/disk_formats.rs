//! From a device slot to a disk whose plaintext can be read: the controller, and what protects its contents.

use crate::devices::{CONTROLLERS, aes, wait, wake};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::Display;
use core::ops::RangeInclusive;
use rkt_block::{Blocking, Overlay};
use rkt_blockdev::BlockDevice;
use rkt_crypt::{Discard, KeyMaterial, Opening, Stored};
use rkt_log::Event;
use rkt_luks::Limits;
use rkt_manifest::{Changes, Disk, DiskFormat, Manifest};
use rkt_nvme_driver::NvmeDriver;
use rkt_nvme_transport::WindowRegisters;
use rkt_verity_format::Pin;
use rkt_virtqueue::{CHUNK_LEN, DmaArena};
use rkt_window::{OutOfBounds, layout};
use zeroize::Zeroizing;

type Refusal = (Event, String);

/// Bytes at the start of a disk that are zero as long as nobody made a container there: more than its two
/// headers take.
const START: usize = 64 << 10;
/// Hash blocks that a verity disk keeps.
const HASH_BLOCKS: usize = 1024;

/// A disk, or a lane to one.
type Device = Box<dyn BlockDevice>;

/// Starts the controller of a disk, and opens what is on it: a lane for each vCPU, where that can be.
///
/// # Errors
/// What is wrong, by the name of the disk.
pub fn start(nth: usize, disk: &Disk, manifest: &Manifest, arena: &mut DmaArena) -> Result<Vec<Device>, Refusal> {
    let refuse = |text: String| (Event::NoDevice, format!("disk{nth}: {text}"));
    let slot = manifest.network.len() + nth;
    // What has a state of its own in memory has one lane: changes that are lost, hashes that were checked.
    let stateless = disk.changes != Changes::Lost && !matches!(disk.format, DiskFormat::Verity { .. });
    let vcpus = if stateless { rkt_platform::cpus() } else { 1 };
    // Disks behind this one have their share, and the controller's own queues lie in there as well.
    let room = arena.available() / manifest.disks.len().saturating_sub(nth).max(1) / 4 * 3;
    let lanes = controller(slot, vcpus, room, arena).map_err(refuse)?;
    let mut opened = open(lanes, disk.format, slot).map_err(refuse)?;
    if disk.changes == Changes::Lost {
        // They may take a quarter of the memory meanwhile.
        let over = |device| -> Device { Box::new(Overlay::new(device, manifest.memory / 4)) };
        opened = opened.into_iter().map(over).collect();
    }
    Ok(opened)
}

/// Pages of data in flight: in all lanes of a disk, and the least and the most in one of them.
const CHUNKS: usize = 1024;
const LANE_CHUNKS: RangeInclusive<usize> = 64..=512;
/// Entries of a lane's queues, and bytes of the arena that each takes.
const ENTRIES: u16 = 256;
const ENTRY_LEN: usize = 1152;

/// The lanes of a disk: one for each vCPU, or as many as `room` bytes of the arena are enough for, and one at least.
fn controller(slot: usize, vcpus: usize, room: usize, arena: &mut DmaArena) -> Result<Vec<Device>, String> {
    let regs = WindowRegisters::open(&rkt_platform::window(), slot, wake).map_err(text)?;
    let regs = regs.ok_or(String::from("no NVMe controller"))?;
    let chunks = (CHUNKS / vcpus.max(1)).clamp(*LANE_CHUNKS.start(), *LANE_CHUNKS.end());
    let lane_len = chunks * CHUNK_LEN + usize::from(ENTRIES) * ENTRY_LEN;
    let lanes = u16::try_from((room / lane_len).clamp(1, vcpus.max(1))).unwrap_or(u16::MAX);
    let mut looks = 0;
    let options = rkt_nvme_driver::Options {
        vcpus: lanes,
        lanes,
        entries: ENTRIES,
        chunks: u16::try_from(chunks).unwrap_or(u16::MAX),
        ..rkt_nvme_driver::Options::new(rkt_platform::now)
    };
    let (driver, lanes) = NvmeDriver::new(regs, arena, options, &mut || wait(&mut looks)).map_err(text)?;
    CONTROLLERS.lock().push(driver);
    // Namespaces behind the first one are other disks.
    let first = lanes.first().ok_or(String::from("the controller has no namespace"))?.namespace();
    let lanes = lanes.into_iter().filter(|lane| lane.namespace() == first);
    Ok(lanes.map(|lane| -> Device { Box::new(lane) }).collect())
}

fn text(error: impl Display) -> String {
    format!("{error}")
}

fn open(mut lanes: Vec<Device>, format: DiskFormat, slot: usize) -> Result<Vec<Device>, String> {
    let mut looks = 0;
    let mut wait = || wait(&mut looks);
    let others = lanes.split_off(1.min(lanes.len()));
    let mut disk = lanes.pop().ok_or(String::from("the controller has no namespace"))?;
    match format {
        DiskFormat::Plain => Ok([disk].into_iter().chain(others).collect()),
        DiskFormat::LuksHostKey | DiskFormat::LuksHostKeyOrNew => {
            let key = take_key(slot).map_err(|_| String::from("the host gave no key"))?;
            if format == DiskFormat::LuksHostKeyOrNew {
                make_if_new(&mut disk, &key, &mut wait)?;
            }
            let opening = Opening {
                passphrase: &key,
                limits: Limits::DEFAULT,
                kernel: aes(),
                discard: Discard::Refuse,
                patience: u32::MAX,
            };
            let (first, others) = rkt_crypt::open_lanes(disk, others, &opening, &mut wait).map_err(text)?;
            Ok([first].into_iter().chain(others).map(|lane| -> Device { Box::new(lane) }).collect())
        }
        DiskFormat::Verity { root, superblock, tree } => {
            let pin = Pin { root, superblock };
            let open = rkt_verity::open(disk, tree, &pin, HASH_BLOCKS, u32::MAX, &mut wait);
            Ok(vec![Box::new(open.map_err(text)?)])
        }
    }
}

/// Makes a LUKS2 container of a disk that begins with zeroes. Its first block of plaintext is zero, so that
/// whoever opens it sees that there is no file system yet.
fn make_if_new(disk: &mut Box<dyn BlockDevice>, key: &[u8], wait: &mut dyn FnMut()) -> Result<(), String> {
    let mut start = vec![0; START];
    Blocking::new(disk, u32::MAX, wait).read(0, &mut start).map_err(text)?;
    if start.iter().any(|byte| *byte != 0) {
        return Ok(());
    }
    let mut uuid = [0; 16];
    rkt_platform::random(&mut uuid);
    let options = rkt_luks::Options::new(&rkt_luks::uuid_text(uuid));
    let payload = options.payload_offset;
    let (kernel, sector_len) = (aes(), options.sector_len);
    // Argon2 and SHA-512 pick AVX2 where it is.
    let made = rkt_aes_xts::keep_upper_halves(|| {
        let mut storage = Stored::new(Blocking::new(disk, u32::MAX, wait));
        rkt_luks::format_luks2(&mut storage, &options, key, &KeyMaterial(kernel), &mut rkt_platform::random)
    });
    let (_, volume_key) = made.map_err(text)?;
    let mut block = vec![0; sector_len as usize];
    let sectors = rkt_aes_xts::Sectors { first: 0, len: block.len() };
    rkt_aes_xts::Xts::new(volume_key.bytes(), kernel).and_then(|xts| xts.encrypt(sectors, &mut block)).map_err(text)?;
    Blocking::new(disk, u32::MAX, wait).write(payload, &block).map_err(text)
}

/// The key that the host gives for a device slot; cleared in the window.
fn take_key(slot: usize) -> Result<Zeroizing<Vec<u8>>, OutOfBounds> {
    let window = rkt_platform::window();
    let place = layout::KEYS + slot * layout::KEY_LEN;
    let len = (window.read_u32(place)? as usize).min(layout::KEY_LEN - 4);
    let mut key = Zeroizing::new(vec![0; len]);
    window.read(place + 4, &mut key)?;
    window.write(place, &[0; layout::KEY_LEN])?;
    Ok(key)
}
