//! The driver, our controller, and files under it.

use rkt_backend_nvme::{Disk, DiskOptions, Options as DeviceOptions, Polling, RunningController, start};
use rkt_blockdev::{BlockDevice, BlockError, Request, SubmitError};
use rkt_nvme_driver::{Lane, Notice, NvmeDriver, Options};
use rkt_nvme_transport::WindowRegisters;
use rkt_tests_nvme::{Random, Rig, clock, read, wait, write};
use std::fs::OpenOptions;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::time::Duration;
use tempfile::NamedTempFile;

const DISK_LEN: u64 = 8 << 20;
const SLOT: usize = 3;

/// Folders whose file systems take different paths: memory, and the disk of the build.
const FOLDERS: [&str; 2] = ["/dev/shm", env!("CARGO_TARGET_TMPDIR")];

fn scratch(folder: &str) -> NamedTempFile {
    let file = NamedTempFile::new_in(folder).expect("a file");
    file.as_file().set_len(DISK_LEN).expect("its length");
    file
}

fn disk(path: &Path, read_only: bool) -> Disk {
    Disk::open(&DiskOptions { path: path.into(), read_only }).expect("a disk")
}

struct Guest {
    rig: Rig,
    driver: NvmeDriver<WindowRegisters>,
    lanes: Vec<Lane<WindowRegisters>>,
    device: RunningController,
}

impl Guest {
    fn start(disks: Vec<Disk>, polling: Polling, options: Options) -> Self {
        let rig = Rig::new();
        let device_options = DeviceOptions { polling, ..DeviceOptions::default() };
        let device = start(disks, SLOT, &rig.window, device_options).expect("a controller");
        let (driver, lanes) = NvmeDriver::new(rig.regs(SLOT), &mut rig.arena(), options, &mut wait).expect("up");
        Self { rig, driver, lanes, device }
    }

    fn over(file: &NamedTempFile) -> Self {
        Self::start(vec![disk(file.path(), false)], Polling::default(), Options::new(clock))
    }

    fn lane(&mut self) -> &mut Lane<WindowRegisters> {
        &mut self.lanes[0]
    }

    /// Submits one request and sleeps until it has ended.
    fn perform(&mut self, request: Request) -> Result<Request, BlockError> {
        let (rig, lane) = (&self.rig, &mut self.lanes[0]);
        let token = lane.submit(request).expect("submit");
        lane.kick();
        loop {
            if let Some(done) = lane.poll() {
                assert_eq!(done.token, token);
                return done.result.map(|()| done.request);
            }
            rig.park_until(|| lane.has_work());
        }
    }

    fn read(&mut self, offset: u64, len: usize) -> Vec<u8> {
        match self.perform(Request::Read { offset, data: vec![0; len] }).expect("read") {
            Request::Read { data, .. } => data,
            other => panic!("{other:?} came back"),
        }
    }
}

fn content(file: &NamedTempFile, at: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    file.as_file().read_exact_at(&mut bytes, at).expect("read");
    bytes
}

#[test]
fn what_is_written_and_flushed_is_in_the_file_and_stays() {
    for folder in FOLDERS {
        let file = scratch(folder);
        let block = Random(1).bytes(4096);
        let mut guest = Guest::over(&file);
        assert_eq!((guest.lane().geometry().len, guest.lane().geometry().block_len), (DISK_LEN, 512));
        assert!(guest.driver.names().1.starts_with(b"rkt-io software controller"));
        guest.perform(write(12 * 4096, &block)).expect("write");
        guest.perform(Request::Flush).expect("flush");
        assert!(content(&file, 12 * 4096, 4096) == block, "the file differs");
        assert!(guest.read(12 * 4096, 4096) == block, "what is read differs");
        drop(guest);
        let mut guest = Guest::start(vec![disk(file.path(), true)], Polling::default(), Options::new(clock));
        assert!(guest.lane().geometry().read_only);
        assert!(guest.read(12 * 4096, 4096) == block, "after reopening, what is read differs");
        let refused = guest.lane().submit(write(0, &block)).expect_err("a write to a read-only disk");
        assert_eq!(refused.error, SubmitError::ReadOnly);
    }
}

#[test]
fn random_requests_agree_with_a_model() {
    for (seed, folder) in (99..).zip(FOLDERS) {
        let file = scratch(folder);
        let device = vec![disk(file.path(), false)];
        let mut guest = Guest::start(device, Polling::Adaptive(Duration::ZERO), Options::new(clock));
        let mut model = vec![0u8; DISK_LEN as usize];
        let mut random = Random(seed);
        let zeroes = guest.lane().geometry().max_write_zeroes > 0;
        assert!(zeroes, "our controller writes zeroes");
        for _ in 0..500 {
            let len = 512 * (1 + random.below(512)) as usize;
            let offset = 512 * random.below((DISK_LEN - len as u64) / 512 + 1);
            let range = offset as usize..offset as usize + len;
            match random.below(8) {
                0..=2 => {
                    let data = random.bytes(len);
                    let fua = random.below(4) == 0;
                    model[range].copy_from_slice(&data);
                    guest.perform(Request::Write { offset, data, fua }).expect("write");
                }
                3 => {
                    guest.perform(Request::WriteZeroes { offset, len: len as u64 }).expect("write zeroes");
                    model[range].fill(0);
                }
                4 => {
                    guest.perform(Request::Discard { offset, len: len as u64 }).expect("discard");
                    model[range].fill(0);
                }
                _ => assert!(guest.read(offset, len) == model[range], "{len} bytes at {offset} differ"),
            }
        }
        guest.perform(Request::Flush).expect("flush");
        let stats = guest.device.stop();
        assert_eq!(stats.failed, 0, "{stats:?}");
        assert!(content(&file, 0, DISK_LEN as usize) == model, "the file differs");
    }
}

#[test]
fn many_requests_in_flight_all_complete() {
    for folder in FOLDERS {
        let file = scratch(folder);
        let mut guest = Guest::over(&file);
        let (mut done, mut submitted) = (0, 0u32);
        while done < 4000 {
            while submitted < 4000 {
                let data = (submitted as u8).to_le_bytes().repeat(4096);
                let offset = u64::from(submitted % 2048) * 4096;
                match guest.lane().submit(Request::Write { offset, data, fua: submitted.is_multiple_of(100) }) {
                    Ok(_) => submitted += 1,
                    Err(rejected) => {
                        assert_eq!(rejected.error, SubmitError::Full);
                        break;
                    }
                }
            }
            guest.lane().kick();
            let (rig, lane) = (&guest.rig, &guest.lanes[0]);
            rig.park_until(|| lane.has_work());
            while let Some(completion) = guest.lane().poll() {
                completion.result.expect("write");
                done += 1;
            }
        }
        assert_eq!(guest.lane().in_flight(), 0);
        assert_eq!(guest.lane().stats().writes, 4000);
    }
}

#[test]
fn a_discarded_range_gives_its_space_back() {
    let file = scratch("/dev/shm");
    let mut guest = Guest::over(&file);
    for chunk in 0..8u64 {
        guest.perform(write(chunk * 131_072, &vec![7; 131_072])).expect("write");
    }
    let before = file.as_file().metadata().expect("metadata").blocks();
    guest.perform(Request::Discard { offset: 0, len: 1 << 20 }).expect("discard");
    assert!(guest.read(65_536, 4096) == [0; 4096], "a discarded block is not zero");
    assert!(file.as_file().metadata().expect("metadata").blocks() < before, "no space came back");
}

#[test]
fn a_file_that_shrank_is_an_io_error_and_one_that_grew_is_noticed() {
    let file = scratch("/dev/shm");
    let mut guest = Guest::over(&file);
    let resize = |len| OpenOptions::new().write(true).open(file.path()).expect("open").set_len(len).expect("resize");
    resize(4096);
    let lost = guest.perform(Request::Read { offset: 8192, data: vec![0; 4096] });
    assert_eq!(lost.expect_err("a read past the end of the file"), BlockError::Io);
    guest.driver.ask_errors();
    resize(2 * DISK_LEN);
    guest.device.rescan();
    let mut notices = Vec::new();
    while notices.len() < 2 {
        let (rig, lane) = (&guest.rig, &guest.lanes[0]);
        if !lane.has_work() {
            wait();
        }
        let _ = rig;
        assert_eq!(guest.lane().poll(), None);
        notices.extend(guest.driver.take_notice());
    }
    assert!(notices.contains(&Notice::Resized { namespace: 1, blocks: 2 * DISK_LEN / 512 }), "{notices:?}");
    assert!(notices.iter().any(|notice| matches!(notice, Notice::Error { .. })), "{notices:?}");
    assert_eq!(guest.lane().geometry().len, 2 * DISK_LEN);
    assert!(guest.read(2 * DISK_LEN - 4096, 4096) == [0; 4096]);
}

#[test]
fn two_disks_and_two_vcpus_have_four_lanes() {
    let files = FOLDERS.map(scratch);
    let disks = files.iter().map(|file| disk(file.path(), false)).collect();
    let options = Options { vcpus: 2, interrupts: false, ..Options::new(clock) };
    let mut guest = Guest::start(disks, Polling::default(), options);
    let places: Vec<_> = guest.lanes.iter().map(|lane| (lane.namespace(), lane.vcpu())).collect();
    assert_eq!(places, [(1, 0), (1, 1), (2, 0), (2, 1)]);
    for (index, lane) in guest.lanes.iter_mut().enumerate() {
        let block = Random(index as u64).bytes(4096);
        rkt_tests_nvme::perform(lane, write(index as u64 * 4096, &block), wait).expect("write");
    }
    for (disk, namespace) in [(0, 1u32), (2, 2)] {
        let lane = guest.lanes.iter_mut().find(|lane| lane.namespace() == namespace).expect("a lane");
        for index in [disk, disk + 1] {
            assert!(read(lane, index * 4096, 4096, wait) == Random(index).bytes(4096), "lane {index}");
        }
    }
}

#[test]
fn a_reset_under_load_loses_and_repeats_nothing() {
    let file = scratch(FOLDERS[1]);
    let disks = vec![disk(file.path(), false)];
    let mut guest = Guest::start(disks, Polling::default(), Options { vcpus: 2, ..Options::new(clock) });
    let mut random = Random(7);
    let mut expected = vec![0u8; DISK_LEN as usize];
    for round in 0..20 {
        // The second lane's requests go on over the reset that the first one asks for.
        for block in 0..64u64 {
            let data = random.bytes(4096);
            let at = 4096 * (64 * round + block);
            expected[at as usize..][..4096].copy_from_slice(&data);
            guest.lanes[1].submit(Request::Write { offset: at, data, fua: false }).expect("submit");
        }
        guest.lanes[1].kick();
        let token = guest.lanes[0].submit(Request::Read { offset: 0, data: vec![0; 4096] }).expect("submit");
        guest.lanes[0].kick();
        guest.lanes[0].reset(&mut wait).expect("reset");
        let cut = guest.lanes[0].poll().expect("an end");
        assert_eq!((cut.token, cut.result), (token, Err(BlockError::Device)));
        let mut done = 0;
        while done < 64 {
            match guest.lanes[1].poll() {
                Some(completion) => {
                    completion.result.expect("write");
                    done += 1;
                }
                None => wait(),
            }
        }
    }
    assert_eq!(guest.lanes[0].stats().resets, 20);
    assert!(guest.read(0, 256 << 10) == expected[..256 << 10]);
    guest.perform(Request::Flush).expect("flush");
    assert!(content(&file, 0, DISK_LEN as usize) == expected, "the file differs");
}

/// Pages of a file that are not on the medium yet: `cachestat(2)` (Linux 6.5), dirty and under way.
fn unwritten(file: &NamedTempFile) -> u64 {
    const CACHESTAT: libc::c_long = 451;
    let range = [0u64, DISK_LEN];
    // Pages in the cache, dirty, under way, evicted, evicted lately.
    let mut found = [0u64; 5];
    let fd = file.as_file().as_raw_fd();
    // SAFETY: both structures are of the kernel's sizes and live through the call.
    let result = unsafe { libc::syscall(CACHESTAT, fd, range.as_ptr(), found.as_mut_ptr(), 0) };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
    found[1] + found[2]
}

#[test]
fn a_flush_reaches_the_medium_and_so_does_a_durable_write() {
    let file = scratch(FOLDERS[1]);
    let mut guest = Guest::over(&file);
    // Half a page goes through the host's page cache.
    guest.perform(write(512, &[1; 512])).expect("write");
    assert!(unwritten(&file) > 0, "a write alone is not on the medium");
    guest.perform(Request::Flush).expect("flush");
    assert_eq!(unwritten(&file), 0);
    guest.perform(Request::Write { offset: 8704, data: vec![2; 512], fua: true }).expect("durable write");
    assert_eq!(unwritten(&file), 0);
}
