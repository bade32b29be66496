//! A disk in memory, and e2fsprogs as judges.
#![allow(dead_code)]

pub mod model;

use rkt_ext4::{Disk, DiskError, Environment, Event, Ext4, FormatOptions, NewInode, Options, format};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, RwLock};

pub type Fs = Ext4<parking_lot::RawMutex>;

pub const START: i64 = 1_700_000_000_000_000_000;

/// A disk in memory.
pub struct RamDisk(RwLock<Vec<u8>>);

impl RamDisk {
    pub fn new(len: usize) -> Arc<Self> {
        Arc::new(Self(RwLock::new(vec![0; len])))
    }

    pub fn from_bytes(bytes: Vec<u8>) -> Arc<Self> {
        Arc::new(Self(RwLock::new(bytes)))
    }

    pub fn from_file(path: &Path) -> Arc<Self> {
        Self::from_bytes(std::fs::read(path).unwrap())
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.0.read().unwrap().clone()
    }
}

impl Disk for RamDisk {
    fn len(&self) -> u64 {
        self.0.read().unwrap().len() as u64
    }

    fn read(&self, offset: u64, into: &mut [u8]) -> Result<(), DiskError> {
        let bytes = self.0.read().unwrap();
        into.copy_from_slice(bytes.get(offset as usize..offset as usize + into.len()).ok_or(DiskError)?);
        Ok(())
    }

    fn write(&self, offset: u64, from: &[u8]) -> Result<(), DiskError> {
        let mut bytes = self.0.write().unwrap();
        bytes.get_mut(offset as usize..offset as usize + from.len()).ok_or(DiskError)?.copy_from_slice(from);
        Ok(())
    }

    fn flush(&self) -> Result<(), DiskError> {
        Ok(())
    }
}

/// A clock that steps a millisecond with each look, and a list of events.
pub struct World {
    now: AtomicI64,
    pub events: Mutex<Vec<Event>>,
}

impl World {
    pub fn new() -> Arc<Self> {
        Arc::new(Self { now: AtomicI64::new(START), events: Mutex::new(Vec::new()) })
    }
}

impl Environment for World {
    fn now(&self) -> i64 {
        self.now.fetch_add(1_000_000, Ordering::Relaxed)
    }

    fn event(&self, event: &Event) {
        self.events.lock().unwrap().push(event.clone());
    }
}

pub fn options() -> FormatOptions {
    let mut options = FormatOptions::new(*b"rkt-ext4 testing", [1, 2, 3, 4], START);
    options.label = b"test".to_vec();
    options
}

pub fn formatted(len: usize) -> Arc<RamDisk> {
    formatted_with(len, &options())
}

pub fn formatted_with(len: usize, options: &FormatOptions) -> Arc<RamDisk> {
    let disk = RamDisk::new(len);
    let as_disk: Arc<dyn Disk> = disk.clone();
    format(&as_disk, options).unwrap();
    disk
}

pub fn mount(disk: &Arc<RamDisk>) -> Fs {
    Fs::mount(disk.clone(), World::new(), Options::default()).unwrap()
}

pub fn mount_read_only(disk: &Arc<RamDisk>) -> Fs {
    Fs::mount(disk.clone(), World::new(), Options { read_only: true, ..Options::default() }).unwrap()
}

pub fn file() -> NewInode {
    NewInode { mode: 0o100_644, uid: 1000, gid: 1000 }
}

pub fn directory() -> NewInode {
    NewInode { mode: 0o040_755, uid: 1000, gid: 1000 }
}

/// Runs a program; panics with all that it said if it fails.
pub fn run(program: &str, args: &[&str]) -> String {
    let Output { status, stdout, stderr } = Command::new(program).args(args).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{program} {args:?}: {status}\n{said}");
    said
}

/// An image in a file.
pub fn image(bytes: &[u8]) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    file
}

/// `e2fsck -fn` must find nothing.
pub fn check(disk: &RamDisk) {
    let file = image(&disk.bytes());
    run("e2fsck", &["-fn", file.path().to_str().unwrap()]);
}

/// All of a directory, in the order of listing.
pub fn names(fs: &Fs, dir: u32) -> Vec<(String, u32)> {
    let mut all = Vec::new();
    fs.read_dir(dir, 0, &mut |entry| {
        all.push((String::from_utf8_lossy(entry.name).into_owned(), entry.ino));
        true
    })
    .unwrap();
    all
}

pub fn read_all(fs: &Fs, ino: u32) -> Vec<u8> {
    let mut bytes = vec![0; fs.stat(ino).unwrap().size as usize];
    assert_eq!(fs.read_at(ino, 0, &mut bytes).unwrap(), bytes.len());
    bytes
}

/// Finds a path of names with slashes.
pub fn walk(fs: &Fs, path: &str) -> u32 {
    path.split('/')
        .filter(|name| !name.is_empty())
        .fold(fs.root(), |dir, name| fs.lookup(dir, name.as_bytes()).unwrap())
}
