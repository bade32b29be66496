//! An ext4 with whatever bytes changed in its metadata: looked at, changed, unmounted. There are
//! no checksums to keep damage out, but where descriptors have them they are made to hold.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rkt_ext4::{
    Allocate, Disk, DiskError, Environment, Event, Ext4, FormatOptions, NewInode, Options, SetMode, format,
};
use rkt_ext4_format::group::{GroupChecksum, LEN_64};
use rkt_fuzz::Script;
use rkt_sync::RawLock;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock};

type Fs = Ext4<RawLock>;

const LEN: usize = 4 << 20;
const BLOCK: usize = 1024;
const UUID: [u8; 16] = *b"rkt-ext4 fuzzing";
const FILE: NewInode = NewInode { mode: 0o100_644, uid: 0, gid: 0 };
const DIRECTORY: NewInode = NewInode { mode: 0o040_755, uid: 0, gid: 0 };

struct RamDisk(Mutex<Vec<u8>>);

impl Disk for RamDisk {
    fn len(&self) -> u64 {
        LEN as u64
    }

    fn read(&self, offset: u64, into: &mut [u8]) -> Result<(), DiskError> {
        let bytes = self.0.lock().unwrap();
        into.copy_from_slice(bytes.get(offset as usize..offset as usize + into.len()).ok_or(DiskError)?);
        Ok(())
    }

    fn write(&self, offset: u64, from: &[u8]) -> Result<(), DiskError> {
        let mut bytes = self.0.lock().unwrap();
        bytes.get_mut(offset as usize..offset as usize + from.len()).ok_or(DiskError)?.copy_from_slice(from);
        Ok(())
    }

    fn flush(&self) -> Result<(), DiskError> {
        Ok(())
    }
}

struct Quiet;

impl Environment for Quiet {
    fn now(&self) -> i64 {
        1_700_000_000_000_000_000
    }

    fn event(&self, _: &Event) {}
}

/// A file system with something of everything, its journal full.
fn victim() -> Vec<u8> {
    let disk = Arc::new(RamDisk(Mutex::new(vec![0; LEN])));
    let as_disk: Arc<dyn Disk> = disk.clone();
    let mut options = FormatOptions::new(UUID, [1, 2, 3, 4], 0);
    (options.block_size, options.checksums) = (BLOCK, false);
    format(&as_disk, &options).unwrap();
    let fs = Fs::mount(as_disk, Arc::new(Quiet), Options::default()).unwrap();
    let dir = fs.create(2, b"dir", &DIRECTORY).unwrap();
    for number in 0..90 {
        let ino = fs.create(dir, format!("a longer name, number {number}").as_bytes(), &FILE).unwrap();
        fs.write_at(ino, number * 1000, b"data").unwrap();
    }
    let ino = fs.create(2, b"fragments", &FILE).unwrap();
    (0..100).for_each(|at| fs.write_at(ino, at * 2048, &[1; BLOCK]).unwrap());
    fs.set_xattr(ino, b"user.a", &[1; 500], SetMode::Any).unwrap();
    fs.symlink(2, b"link", &FILE, &[b'l'; 100]).unwrap();
    let held = fs.create_unnamed(2, &FILE).unwrap();
    fs.write_at(held, 0, &[1; 5000]).unwrap();
    fs.sync().unwrap();
    disk.0.lock().unwrap().clone()
}

fn look(fs: &Fs) {
    let mut seen = BTreeSet::new();
    let mut queue = vec![fs.root()];
    while let Some(ino) = queue.pop() {
        if !seen.insert(ino) || seen.len() > 200 {
            continue;
        }
        let Ok(stat) = fs.stat(ino) else { continue };
        let _ = (fs.parent(ino), fs.read_link(ino), fs.list_xattr(ino), fs.xattr(ino, b"user.a"));
        for offset in [0, stat.size.saturating_sub(3000)] {
            let _ = fs.read_at(ino, offset, &mut [0; 3000]);
        }
        let mut left = 200;
        let _ = fs.read_dir(ino, 0, &mut |entry| {
            queue.push(entry.ino);
            left -= 1;
            left > 0
        });
    }
}

fn change(fs: &Fs) {
    let dir = fs.lookup(2, b"dir").unwrap_or(2);
    for number in 0..10 {
        let _ = fs.create(dir, format!("new {number}").as_bytes(), &FILE).map(|ino| fs.write_at(ino, 3000, &[1; 3000]));
        let _ = fs.unlink(dir, format!("a longer name, number {number}").as_bytes());
    }
    let _ = fs.rename(2, b"dir", 2, b"moved");
    if let Ok(ino) = fs.lookup(2, b"fragments") {
        let _ = fs.fallocate(ino, Allocate::Punch, 5000, 100_000);
        let _ = fs.set_xattr(ino, b"user.b", &[2; 300], SetMode::Any);
        let _ = fs.fallocate(ino, Allocate::Collapse, 2048, 2048);
        let _ = fs.set_size(ino, 100);
    }
    let _ = fs.unlink(2, b"link");
    let _ = fs.unmount();
}

fuzz_target!(|data: &[u8]| {
    static VICTIM: OnceLock<Vec<u8>> = OnceLock::new();
    let mut bytes = VICTIM.get_or_init(victim).clone();
    let mut script = Script(data);
    while !script.is_over() {
        let [a, b, c] = script.bytes();
        let at = u32::from_le_bytes([a, b, c, 0]) as usize % LEN;
        let patch = script.slice();
        let end = (at + patch.len()).min(LEN);
        bytes[at..end].copy_from_slice(&patch[..end - at]);
    }
    let descriptor = &mut bytes[2 * BLOCK..2 * BLOCK + LEN_64];
    GroupChecksum::Crc16(UUID).seal(0, descriptor);
    for read_only in [true, false] {
        let disk = Arc::new(RamDisk(Mutex::new(bytes.clone())));
        let options = Options { read_only, ..Options::default() };
        let Ok(fs) = Fs::mount(disk, Arc::new(Quiet), options) else { continue };
        look(&fs);
        if !read_only {
            change(&fs);
        }
    }
});
