//! ext4 through the VFS, on a disk in memory, judged by `e2fsck`.

use rkt_ext4::{Disk, DiskError, Environment, Event, FormatOptions, Options, format};
use rkt_ext4_vfs::{CacheLimits, Ext4Fs};
use rkt_linux_abi::Errno;
use rkt_linux_abi::general::*;
use rkt_platform_mock::{each_seed, pick, simulate};
use rkt_user::{IoSink, IoSource};
use rkt_vfs::{Credentials, FileSystem, FsContext, Mount, OpenFile, OpenHow, make_device, open, ops};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

struct RamDisk(Mutex<Vec<u8>>);

impl Disk for RamDisk {
    fn len(&self) -> u64 {
        self.0.lock().unwrap().len() as u64
    }

    fn read(&self, offset: u64, into: &mut [u8]) -> Result<(), DiskError> {
        into.copy_from_slice(&self.0.lock().unwrap()[offset as usize..][..into.len()]);
        Ok(())
    }

    fn write(&self, offset: u64, from: &[u8]) -> Result<(), DiskError> {
        self.0.lock().unwrap()[offset as usize..][..from.len()].copy_from_slice(from);
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

    fn event(&self, event: &Event) {
        assert!(!matches!(event, Event::Corrupt(_) | Event::JournalFailed), "{event:?}");
    }
}

fn disk(block_size: usize) -> Arc<RamDisk> {
    let disk = Arc::new(RamDisk(Mutex::new(vec![0; 32 << 20])));
    let as_disk: Arc<dyn Disk> = disk.clone();
    let mut options = FormatOptions::new(*b"rkt-ext4 vfstest", [1, 2, 3, 4], 0);
    options.block_size = block_size;
    format(&as_disk, &options).unwrap();
    disk
}

fn mount(disk: &Arc<RamDisk>) -> (Arc<Ext4Fs>, FsContext) {
    let limits = CacheLimits { pages: 64, dirty_pages: 32 };
    let fs = Ext4Fs::mount(disk.clone(), Arc::new(Quiet), Options::default(), make_device(259, 1), limits).unwrap();
    let root = Mount::new_root(fs.clone(), "/dev/disk", 0).root();
    (fs, FsContext { cwd: root.clone(), root, umask: 0o022, credentials: Arc::new(Credentials::root()) })
}

fn check(disk: &RamDisk) {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let name = format!("rkt-ext4-vfs-{}-{}.img", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, &*disk.0.lock().unwrap()).unwrap();
    let output = Command::new("e2fsck").arg("-fn").arg(&path).output().unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

fn create(context: &FsContext, path: &str) -> Arc<OpenFile> {
    open(context, None, path.as_bytes(), &OpenHow { flags: O_CREAT | O_RDWR, mode: 0o666, resolve: 0 }).unwrap()
}

fn write_at(file: &OpenFile, at: u64, bytes: &[u8]) -> Result<usize, Errno> {
    file.write_at(at as i64, &mut IoSource::kernel(bytes))
}

fn read_at(file: &OpenFile, at: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0xee; len];
    let n = file.read_at(at as i64, &mut IoSink::kernel(&mut bytes)).unwrap();
    bytes.truncate(n);
    bytes
}

#[test]
fn files_are_cached_written_back_and_there_after_a_remount() {
    for block_size in [4096, 1024] {
        simulate(0, move || {
            let disk = disk(block_size);
            let (fs, context) = mount(&disk);
            ops::mkdir(&context, None, b"dir", 0o755).unwrap();
            let file = create(&context, "dir/file");
            let data: Vec<u8> = (0..1_000_000_u32).map(|at| (at / 77) as u8).collect();
            assert_eq!(write_at(&file, 5, &data), Ok(data.len()));
            assert_eq!(read_at(&file, 5, data.len()), data);
            file.sync(false).unwrap();
            ops::symlink(&context, b"dir/file", None, b"link").unwrap();
            let gone = create(&context, "gone");
            write_at(&gone, 0, &[1; 50_000]).unwrap();
            ops::unlink(&context, None, b"gone").unwrap();
            assert_eq!(read_at(&gone, 0, 50_000), [1; 50_000]);
            drop(gone);
            drop(file);
            fs.unmount().unwrap();
            check(&disk);
            let (_fs, context) = mount(&disk);
            let file = create(&context, "link");
            assert_eq!(read_at(&file, 5, data.len() + 10), data);
        });
    }
}

#[test]
fn mappings_share_the_pages() {
    simulate(0, || {
        let disk = disk(4096);
        let (fs, context) = mount(&disk);
        let file = create(&context, "file");
        write_at(&file, 0, &[1; 10_000]).unwrap();
        file.sync(false).unwrap();
        let map = file.ops().map(&file).unwrap();
        map.map_writable(true).unwrap();
        let page = map.folio(4096).unwrap();
        page.folio.copy_in(7, b"from the mapping").unwrap();
        assert_eq!(read_at(&file, 4096 + 7, 16), b"from the mapping");
        write_at(&file, 8000, b"by write").unwrap();
        let mut seen = [0; 8];
        page.folio.copy_out(8000 - 4096, &mut seen).unwrap();
        assert_eq!(&seen, b"by write");
        assert_eq!(map.folio(3 * 4096).err(), Some(Errno::EFAULT));
        map.map_writable(false).unwrap();
        drop((page, map, file));
        fs.unmount().unwrap();
        check(&disk);
        let (_fs, context) = mount(&disk);
        assert_eq!(read_at(&create(&context, "file"), 4096 + 7, 16), b"from the mapping");
    });
}

#[test]
fn no_space_is_told_when_writing() {
    simulate(0, || {
        let disk = disk(4096);
        let (fs, context) = mount(&disk);
        let file = create(&context, "file");
        let mut written = 0;
        let error = loop {
            match write_at(&file, written, &[7; 65_536]) {
                Ok(n) => written += n as u64,
                Err(error) => break error,
            }
        };
        assert_eq!(error, Errno::ENOSPC);
        assert!(written > 20 << 20);
        file.sync(false).unwrap();
        assert_eq!(read_at(&file, written - 10, 20), [7; 10]);
        drop(file);
        fs.unmount().unwrap();
        check(&disk);
    });
}

#[test]
fn contents_are_those_of_a_model() {
    each_seed(6, |seed| drop(simulate(seed, against_a_model)));
}

fn against_a_model() {
    let disk = disk(if pick(2) == 0 { 4096 } else { 1024 });
    let (mut fs, mut context) = mount(&disk);
    let mut model: Vec<u8> = Vec::new();
    for step in 0..200_u64 {
        let file = create(&context, "file");
        let (at, len) = (pick(150_000) as usize, 1 + pick(20_000) as usize);
        match pick(8) {
            0..=2 => {
                let data = vec![step as u8 | 1; len];
                assert_eq!(write_at(&file, at as u64, &data), Ok(len));
                model.resize(model.len().max(at + len), 0);
                model[at..at + len].copy_from_slice(&data);
            }
            3 => {
                ops::truncate(&context, None, b"file", at as i64).unwrap();
                model.resize(at, 0);
            }
            4 => {
                let mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
                file.allocate(mode, at as i64, len as i64).unwrap();
                let end = model.len();
                model[at.min(end)..(at + len).min(end)].fill(0);
            }
            5 => file.sync(pick(2) == 0).unwrap(),
            6 => fs.tick().unwrap(),
            _ if pick(4) == 0 => {
                drop(file);
                fs.unmount().unwrap();
                check(&disk);
                (fs, context) = mount(&disk);
            }
            _ => (),
        }
        let file = create(&context, "file");
        assert_eq!(read_at(&file, 0, 300_000), model);
    }
    fs.sync().unwrap();
}
