//! QEMU's NVMe controller under our driver. `RKT_SOAK=1` moves 1 GiB instead of 64 MiB.

use rkt_blockdev::{BlockDevice, BlockError, Request};
use rkt_nvme_driver::{Lane, Notice, NvmeDriver, Options};
use rkt_tests_nvme::{Random, clock, perform, read, write};
use rkt_tests_qemu::{Bar, Machine};
use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::Duration;
use tempfile::NamedTempFile;

const DEPTH: usize = 32;

fn image(len: u64) -> NamedTempFile {
    let file = NamedTempFile::new_in(env!("CARGO_TARGET_TMPDIR")).expect("an image");
    file.as_file().set_len(len).expect("its length");
    file
}

/// A raw image as a block node.
fn node(name: &str, file: &NamedTempFile) -> [String; 2] {
    let path = file.path().display();
    ["-blockdev".into(), format!("driver=raw,node-name={name},file.driver=file,file.filename={path}")]
}

fn device(text: &str) -> [String; 2] {
    ["-device".into(), text.into()]
}

const CONTROLLER: &str = "nvme,id=n0,serial=RIG1,addr=4,max_ioqpairs=8,mdts=6";

struct Guest {
    machine: Machine,
    driver: NvmeDriver<Bar>,
    lanes: Vec<Lane<Bar>>,
}

fn idle() {
    std::thread::sleep(Duration::from_micros(20));
}

/// Starts QEMU and brings its controller up.
fn start(arguments: &[String], options: Options) -> Guest {
    let machine = Machine::start(arguments).expect("QEMU");
    let (bar, mut arena) = (machine.bar().expect("a controller"), machine.arena().expect("memory"));
    // Room for 32 transfers of the longest kind.
    let options = Options { interrupts: false, chunks: 2048, ..options };
    let (driver, lanes) = NvmeDriver::new(bar, &mut arena, options, &mut idle).expect("the controller comes up");
    Guest { machine, driver, lanes }
}

/// One namespace over an image.
fn start_with(file: &NamedTempFile) -> Guest {
    let arguments = [node("d0", file), device(CONTROLLER), device("nvme-ns,drive=d0,nsid=1")].concat();
    start(&arguments, Options::new(clock))
}

/// Bytes that belong to a place, so that no block can be taken for another.
fn pattern(offset: u64, len: usize) -> Vec<u8> {
    Random(offset ^ 0x5eed).bytes(len)
}

fn content(file: &File, at: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    file.read_exact_at(&mut bytes, at).expect("read the image");
    bytes
}

#[test]
fn it_says_what_it_is() {
    let file = image(64 << 20);
    let mut guest = start_with(&file);
    let (serial, model) = guest.driver.names();
    assert!(serial.starts_with(b"RIG1 ") && model.starts_with(b"QEMU NVMe Ctrl"), "{serial:?} {model:?}");
    let geometry = guest.lanes[0].geometry();
    assert_eq!((geometry.len, geometry.block_len, geometry.read_only), (64 << 20, 512, false));
    assert_eq!(geometry.max_transfer, 256 << 10);
    guest.driver.ask_health();
    let health = loop {
        assert_eq!(guest.lanes[0].poll(), None);
        match guest.driver.take_notice() {
            Some(notice) => break notice,
            None => idle(),
        }
    };
    assert!(matches!(health, Notice::Health { critical_warning: 0, media_errors: 0, .. }), "{health:?}");
}

/// Keeps `DEPTH` requests in flight over the whole disk: each of `len` bytes with the pattern of its place.
fn sweep(disk: &mut dyn BlockDevice, total: u64, lens: &[usize], writes: bool) {
    let (mut next, mut round) = (0, 0);
    let mut in_flight = HashMap::new();
    while next < total || !in_flight.is_empty() {
        while next < total && in_flight.len() < DEPTH {
            let len = lens[round % lens.len()].min((total - next) as usize);
            let request = match writes {
                true => write(next, &pattern(next, len)),
                false => Request::Read { offset: next, data: vec![0; len] },
            };
            let token = disk.submit(request).map_err(|rejected| rejected.error).expect("room for a request");
            in_flight.insert(token, next);
            (next, round) = (next + len as u64, round + 1);
        }
        disk.kick();
        while let Some(done) = disk.poll() {
            let offset = in_flight.remove(&done.token).expect("a request that was in flight");
            done.result.expect("success");
            if let Request::Read { data, .. } = done.request {
                assert!(data == pattern(offset, data.len()), "{} bytes at {offset} differ", data.len());
            }
        }
    }
}

#[test]
fn all_that_is_written_at_depth_32_is_read_back_and_in_the_image() {
    let total = if std::env::var_os("RKT_SOAK").is_some() { 1 << 30 } else { 64 << 20 };
    let file = image(total);
    let mut guest = start_with(&file);
    let disk = &mut guest.lanes[0];
    // One page, two, a list, and lengths that end within a page.
    let lens = [4096, 128 << 10, 8192, 256 << 10, 512, 64 << 10, 7680];
    sweep(disk, total, &lens, true);
    perform(disk, Request::Flush, idle).expect("flush");
    sweep(disk, total, &lens, false);
    drop(guest);
    let (mut at, mut round) = (0, 0);
    while at < total {
        let len = lens[round % lens.len()].min((total - at) as usize);
        assert!(content(file.as_file(), at, len) == pattern(at, len), "the image differs at {at}");
        (at, round) = (at + len as u64, round + 1);
    }
}

#[test]
fn zeroes_deallocation_and_durable_writes() {
    let file = image(16 << 20);
    let mut guest = start_with(&file);
    let disk = &mut guest.lanes[0];
    let data = pattern(4096, 64 << 10);
    perform(disk, Request::Write { offset: 4096, data: data.clone(), fua: true }, idle).expect("durable write");
    assert!(content(file.as_file(), 4096, data.len()) == data);
    assert!(disk.geometry().max_write_zeroes > 0 && disk.geometry().max_discard > 0);
    perform(disk, Request::WriteZeroes { offset: 8192, len: 4096 }, idle).expect("zeroes");
    assert!(read(disk, 8192, 4096, idle) == [0; 4096]);
    perform(disk, Request::Discard { offset: 16_384, len: 8192 }, idle).expect("discard");
    assert!(read(disk, 4096, 4096, idle) == data[..4096]);
    assert!(read(disk, 24_576, 4096, idle) == data[20_480..24_576]);
}

#[test]
fn two_namespaces_with_different_blocks_do_not_mix() {
    let files = [image(8 << 20), image(32 << 20)];
    let arguments = [
        node("d0", &files[0]),
        node("d1", &files[1]),
        device(CONTROLLER),
        device("nvme-ns,drive=d0,nsid=1"),
        device("nvme-ns,drive=d1,nsid=7,logical_block_size=4096,physical_block_size=4096"),
    ];
    let mut guest = start(&arguments.concat(), Options { vcpus: 2, ..Options::new(clock) });
    let places: Vec<_> = guest.lanes.iter().map(|lane| (lane.namespace(), lane.vcpu())).collect();
    assert_eq!(places, [(1, 0), (1, 1), (7, 0), (7, 1)]);
    let sizes: Vec<_> = guest.driver.namespaces().iter().map(|found| (found.block_shift, found.blocks)).collect();
    assert_eq!(sizes, [(9, 8 << 11), (12, 32 << 8)]);
    for (seed, lane) in (0..).zip(&mut guest.lanes) {
        perform(lane, write(seed * 4096, &pattern(seed, 4096)), idle).expect("write");
        perform(lane, Request::Flush, idle).expect("flush");
    }
    for (seed, file) in [(0, 0), (1, 0), (2, 1), (3, 1)] {
        assert!(content(files[file].as_file(), seed * 4096, 4096) == pattern(seed, 4096), "lane {seed}");
        assert!(content(files[1 - file].as_file(), seed * 4096, 4096) == [0; 4096], "lane {seed} in the other image");
    }
}

#[test]
fn a_reset_in_the_middle_loses_and_repeats_nothing() {
    let total = 16 << 20;
    let file = image(total);
    let arguments = [node("d0", &file), device(CONTROLLER), device("nvme-ns,drive=d0,nsid=1")].concat();
    let mut guest = start(&arguments, Options { vcpus: 2, ..Options::new(clock) });
    let (first, others) = guest.lanes.split_at_mut(1);
    let (first, second) = (&mut first[0], &mut others[0]);
    for round in 0..8u64 {
        let base = round << 21;
        let mut in_flight = HashMap::new();
        for place in 0..DEPTH as u64 {
            let offset = base + place * (64 << 10);
            in_flight.insert(second.submit(write(offset, &pattern(offset, 64 << 10))).expect("room"), offset);
        }
        second.kick();
        first.submit(Request::Read { offset: 0, data: vec![0; 4096] }).expect("room");
        first.kick();
        first.reset(&mut idle).expect("QEMU comes up again");
        assert_eq!(first.poll().expect("an end").result, Err(BlockError::Device));
        while !in_flight.is_empty() {
            match second.poll() {
                Some(done) => {
                    done.result.expect("a write that goes on over the reset");
                    in_flight.remove(&done.token).expect("once");
                }
                None => idle(),
            }
        }
    }
    perform(second, Request::Flush, idle).expect("flush");
    for offset in (0..total).step_by(64 << 10) {
        assert!(
            content(file.as_file(), offset, 64 << 10) == pattern(offset, 64 << 10),
            "the image differs at {offset}"
        );
    }
}

#[test]
fn an_error_of_the_medium_is_one_request_s_and_in_the_log() {
    let file = image(16 << 20);
    let path = file.path().display();
    let broken = format!(
        r#"{{"driver":"blkdebug","node-name":"d0","image":{{"driver":"file","filename":"{path}"}},
        "inject-error":[{{"event":"none","iotype":"read","sector":2048,"errno":5}},
                        {{"event":"none","iotype":"write","sector":4096,"errno":28}},
                        {{"event":"none","iotype":"flush","errno":5}}]}}"#
    );
    let arguments = [["-blockdev".into(), broken], device(CONTROLLER), device("nvme-ns,drive=d0,nsid=1")].concat();
    let mut guest = start(&arguments, Options::new(clock));
    let disk = &mut guest.lanes[0];
    let lost = perform(disk, Request::Read { offset: 1 << 20, data: vec![0; 4096] }, idle);
    assert_eq!(lost.expect_err("a broken sector"), BlockError::Io);
    assert!(read(disk, (1 << 20) + 4096, 4096, idle) == [0; 4096], "its neighbour is whole");
    let lost = perform(disk, write(2 << 20, &[1; 4096]), idle);
    assert_eq!(lost.expect_err("a full disk"), BlockError::Io);
    assert_eq!(perform(disk, Request::Flush, idle).expect_err("a failing flush"), BlockError::Io);
    assert_eq!((disk.stats().errors, disk.fault().map(ToString::to_string)), (3, None));
}

#[test]
fn a_device_that_is_gone_ends_all_requests() {
    let file = image(16 << 20);
    let mut guest = start_with(&file);
    for place in 0..8 {
        guest.lanes[0].submit(write(place * 4096, &[3; 4096])).expect("room");
    }
    guest.machine.kill();
    guest.lanes[0].kick();
    let mut ended = 0;
    while ended < 8 {
        match guest.lanes[0].poll() {
            Some(done) => {
                assert_eq!(done.result, Err(BlockError::Device));
                ended += 1;
            }
            None => idle(),
        }
    }
    assert_eq!(guest.lanes[0].fault().expect("a fault").to_string(), "device: gone");
    assert_eq!(guest.lanes[0].reset(&mut idle), Err(BlockError::Device));
}
