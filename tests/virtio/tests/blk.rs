//! Driver, device and file.

use rkt_backend_blk::{BlkDevice, Disk, DiskError, DiskOptions};
use rkt_blockdev::{BlockDevice, BlockError, Request, SubmitError};
use rkt_tests_virtio::{POLLS, Random, Rig, wait};
use rkt_virtio_blk::VirtioBlk;
use rkt_virtio_device::{Polling, RunningDevice};
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

const DISK_LEN: u64 = 8 << 20;

/// A file that is gone after the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str, len: u64) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        File::create(&path).expect("a file").set_len(len).expect("its length");
        Self(path)
    }

    fn options(&self, read_only: bool) -> DiskOptions {
        DiskOptions { path: self.0.clone(), read_only }
    }

    fn read(&self, at: u64, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        File::open(&self.0).expect("open").read_exact_at(&mut bytes, at).expect("read");
        bytes
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A test that failed before has said what matters.
        let _ = fs::remove_file(&self.0);
    }
}

struct Guest {
    rig: Rig,
    disk: VirtioBlk,
    device: RunningDevice,
}

impl Guest {
    fn start(scratch: &Scratch, read_only: bool, polling: Polling) -> Self {
        let disk = Disk::open(&scratch.options(read_only)).expect("a disk");
        let rig = Rig::new();
        let device = RunningDevice::spawn(Box::new(BlkDevice::new(disk)), 3, &rig.window, polling).expect("a device");
        let disk = VirtioBlk::new(rig.regs(3), &mut rig.arena(), 0, POLLS, &mut wait).expect("a disk");
        Self { rig, disk, device }
    }

    /// Submits one request and waits for it.
    fn perform(&mut self, request: Request) -> Result<Request, BlockError> {
        let token = self.disk.submit(request).expect("submit");
        self.disk.kick();
        self.rig.park_until(|| self.disk.has_work());
        loop {
            if let Some(done) = self.disk.poll() {
                assert_eq!(done.token, token);
                return done.result.map(|()| done.request);
            }
            self.rig.park_until(|| self.disk.has_work());
        }
    }

    fn write(&mut self, offset: u64, data: &[u8]) -> Result<Request, BlockError> {
        self.perform(Request::Write { offset, data: data.to_vec(), fua: false })
    }

    fn read(&mut self, offset: u64, len: usize) -> Vec<u8> {
        match self.perform(Request::Read { offset, data: vec![0; len] }).expect("read") {
            Request::Read { data, .. } => data,
            other => panic!("{other:?} came back"),
        }
    }
}

#[test]
fn what_is_written_and_flushed_is_in_the_file_and_stays() {
    let scratch = Scratch::new("write-flush", DISK_LEN);
    let block = Random(1).bytes(4096);
    let mut guest = Guest::start(&scratch, false, Polling::default());
    assert_eq!(guest.disk.geometry().len, DISK_LEN);
    guest.write(12 * 4096, &block).expect("write");
    guest.perform(Request::Flush).expect("flush");
    assert!(scratch.read(12 * 4096, 4096) == block, "the file differs");
    assert!(guest.read(12 * 4096, 4096) == block, "what is read differs");
    drop(guest);
    let mut guest = Guest::start(&scratch, true, Polling::default());
    assert!(guest.read(12 * 4096, 4096) == block, "after reopening, what is read differs");
}

#[test]
fn random_requests_agree_with_a_model() {
    let scratch = Scratch::new("model", DISK_LEN);
    let mut guest = Guest::start(&scratch, false, Polling::Adaptive(Duration::ZERO));
    let mut model = vec![0u8; DISK_LEN as usize];
    let mut random = Random(99);
    for _ in 0..600 {
        let len = 512 * (1 + random.below(256)) as usize;
        let offset = 512 * random.below((DISK_LEN - len as u64) / 512 + 1);
        let range = offset as usize..offset as usize + len;
        match random.below(4) {
            0 | 1 => {
                let data = random.bytes(len);
                guest.write(offset, &data).expect("write");
                model[range].copy_from_slice(&data);
            }
            _ => assert!(guest.read(offset, len) == model[range], "{len} bytes at {offset} differ"),
        }
    }
    guest.perform(Request::Flush).expect("flush");
    let stats = guest.device.stop();
    assert_eq!(stats.failed, 0, "{stats:?}");
    assert!(scratch.read(0, DISK_LEN as usize) == model, "the file differs");
}

#[test]
fn many_requests_in_flight_all_complete() {
    let scratch = Scratch::new("in-flight", DISK_LEN);
    let mut guest = Guest::start(&scratch, false, Polling::default());
    let mut done = 0;
    let mut submitted = 0;
    while done < 2000 {
        while submitted < 2000 {
            let block = (submitted as u8).to_le_bytes().repeat(4096);
            let offset = u64::from(submitted % 2048) * 4096;
            match guest.disk.submit(Request::Write { offset, data: block, fua: submitted % 100 == 0 }) {
                Ok(_) => submitted += 1u32,
                Err(rejected) => {
                    assert_eq!(rejected.error, SubmitError::Full);
                    break;
                }
            }
        }
        guest.disk.kick();
        guest.rig.park_until(|| guest.disk.has_work());
        while let Some(completion) = guest.disk.poll() {
            completion.result.expect("write");
            done += 1;
        }
    }
    for block in [0u32, 1, 777, 1999] {
        let expected = (block as u8).to_le_bytes().repeat(4096);
        assert!(guest.read(u64::from(block) * 4096, 4096) == expected, "block {block} differs");
    }
}

#[test]
fn a_discarded_range_gives_its_space_back_and_reads_as_zeroes() {
    let scratch = Scratch::new("discard", DISK_LEN);
    let mut guest = Guest::start(&scratch, false, Polling::default());
    for chunk in 0..8u64 {
        guest.write(chunk * 131_072, &vec![7; 131_072]).expect("write");
    }
    guest.perform(Request::Flush).expect("flush");
    let before = fs::metadata(&scratch.0).expect("metadata").blocks();
    guest.perform(Request::Discard { offset: 0, len: 1 << 20 }).expect("discard");
    assert!(guest.read(65_536, 4096) == [0; 4096], "a discarded block is not zero");
    assert!(fs::metadata(&scratch.0).expect("metadata").blocks() < before, "no space came back");
}

#[test]
fn a_file_that_shrank_is_an_io_error_and_nothing_worse() {
    let scratch = Scratch::new("shrunk", DISK_LEN);
    let mut guest = Guest::start(&scratch, false, Polling::default());
    fs::OpenOptions::new().write(true).open(&scratch.0).expect("open").set_len(4096).expect("shrink");
    let lost = guest.perform(Request::Read { offset: 8192, data: vec![0; 4096] });
    assert_eq!(lost.expect_err("a read past the end of the file"), BlockError::Io);
    assert!(guest.read(0, 4096) == [0; 4096]);
    assert_eq!(guest.device.stop().failed, 1);
}

#[test]
fn a_disk_is_opened_once_and_only_if_it_is_one() {
    let scratch = Scratch::new("lock", DISK_LEN);
    let held = Disk::open(&scratch.options(false)).expect("a disk");
    assert!(matches!(Disk::open(&scratch.options(false)), Err(DiskError::InUse(_))));
    assert!(matches!(Disk::open(&scratch.options(true)), Err(DiskError::InUse(_))));
    drop(held);
    let _readers = [true, true].map(|read_only| Disk::open(&scratch.options(read_only)).expect("a reader"));
    let odd = Scratch::new("odd", 1000);
    assert!(matches!(Disk::open(&odd.options(false)), Err(DiskError::Size(_, 1000))));
    let none = DiskOptions { path: "/nonexistent/disk".into(), read_only: true };
    assert!(matches!(Disk::open(&none), Err(DiskError::Open(..))));
}
