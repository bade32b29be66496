//! Times 100,000 files made, looked at and removed: here on a disk in memory, and by Linux on a
//! loop device over a file in the folder that is named (on tmpfs, to be fair), if one is.
//!
//! `cargo run --release -p rkt-ext4 --example hundred_thousand [/dev/shm]`

use rkt_ext4::{Disk, DiskError, Environment, Event, Ext4, FormatOptions, NewInode, Options, format};
use std::process::Command;
use std::sync::{Arc, RwLock};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

const FILES: u32 = 100_000;
const LEN: usize = 1 << 30;

struct RamDisk(RwLock<Vec<u8>>);

impl Disk for RamDisk {
    fn len(&self) -> u64 {
        LEN as u64
    }

    fn read(&self, offset: u64, into: &mut [u8]) -> Result<(), DiskError> {
        into.copy_from_slice(&self.0.read().map_err(|_| DiskError)?[offset as usize..][..into.len()]);
        Ok(())
    }

    fn write(&self, offset: u64, from: &[u8]) -> Result<(), DiskError> {
        self.0.write().map_err(|_| DiskError)?[offset as usize..][..from.len()].copy_from_slice(from);
        Ok(())
    }

    fn flush(&self) -> Result<(), DiskError> {
        Ok(())
    }
}

struct Clock;

impl Environment for Clock {
    fn now(&self) -> i64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as i64)
    }

    fn event(&self, event: &Event) {
        eprintln!("{event:?}");
    }
}

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    println!("{what}: {:.0} ms", start.elapsed().as_secs_f64() * 1000.0);
    result
}

fn ours() -> Result<(), Box<dyn std::error::Error>> {
    let disk: Arc<dyn Disk> = Arc::new(RamDisk(RwLock::new(vec![0; LEN])));
    let mut options = FormatOptions::new(*b"hundred thousand", [1, 2, 3, 4], 0);
    options.inode_ratio = 8192;
    timed("format", || format(&disk, &options))?;
    let fs = Ext4::<parking_lot::RawMutex>::mount(disk, Arc::new(Clock), Options::default())?;
    let new = NewInode { mode: 0o100_644, uid: 0, gid: 0 };
    let names: Vec<String> = (0..FILES).map(|number| format!("file{number}")).collect();
    let root = fs.root();
    timed("create", || names.iter().try_for_each(|name| fs.create(root, name.as_bytes(), &new).map(|_| ())))?;
    timed("sync", || fs.sync())?;
    timed("stat", || names.iter().try_for_each(|name| fs.stat(fs.lookup(root, name.as_bytes())?).map(|_| ())))?;
    timed("unlink", || names.iter().try_for_each(|name| fs.unlink(root, name.as_bytes())))?;
    timed("sync", || fs.sync())?;
    Ok(fs.unmount()?)
}

fn native(folder: &str) -> Result<(), Box<dyn std::error::Error>> {
    let (image, mount) = (format!("{folder}/hundred_thousand.img"), format!("{folder}/hundred_thousand"));
    std::fs::File::create(&image)?.set_len(LEN as u64)?;
    std::fs::create_dir_all(&mount)?;
    Command::new("mke2fs").args(["-q", "-F", "-t", "ext4", "-i", "8192", &image]).status()?;
    Command::new("mount").args(["-o", "loop", &image, &mount]).status()?;
    let names: Vec<String> = (0..FILES).map(|number| format!("{mount}/file{number}")).collect();
    let sync = || Command::new("sync").args(["-f", &mount]).status();
    let result = (|| {
        timed("native create", || names.iter().try_for_each(|name| std::fs::File::create(name).map(|_| ())))?;
        timed("native sync", sync)?;
        timed("native stat", || names.iter().try_for_each(|name| std::fs::metadata(name).map(|_| ())))?;
        timed("native unlink", || names.iter().try_for_each(std::fs::remove_file))?;
        timed("native sync", sync).map(|_| ())
    })();
    Command::new("umount").arg(&mount).status()?;
    std::fs::remove_file(&image)?;
    std::fs::remove_dir(&mount)?;
    Ok(result?)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    ours()?;
    match std::env::args().nth(1) {
        Some(folder) => native(&folder),
        None => Ok(()),
    }
}
