//! Each decorator does what it says, and nothing else.

use rkt_block::{Blocking, Delay, Event, Fault, MemoryDisk, Overlay, Partition, Slice, Trace, Verdict};
use rkt_blockdev::{BlockDevice, BlockError, Request, SubmitError};
use std::sync::{Arc, Mutex};

fn counting(len: usize) -> MemoryDisk {
    MemoryDisk::new((0..len).map(|i| (i / 512) as u8).collect(), 512)
}

fn read(offset: u64, len: usize) -> Request {
    Request::Read { offset, data: vec![0; len] }
}

fn write(offset: u64, byte: u8, len: usize) -> Request {
    Request::Write { offset, data: vec![byte; len], fua: false }
}

#[test]
fn a_partition_is_a_disk_of_its_own() {
    let mut part = Partition::new(counting(64 << 10), Slice { offset: 4096, len: 8192 }).unwrap();
    assert_eq!(part.geometry().len, 8192);
    let token = part.submit(read(512, 1024)).unwrap();
    let done = part.poll().unwrap();
    let data = [vec![9; 512], vec![10; 512]].concat();
    assert_eq!((done.token, done.request), (token, Request::Read { offset: 512, data }));
    part.submit(write(0, 0xee, 8192)).unwrap();
    part.submit(Request::Flush).unwrap();
    for (request, error) in [
        (read(8192, 512), SubmitError::OutOfRange),
        (read(7680, 1024), SubmitError::OutOfRange),
        (read(u64::MAX - 511, 512), SubmitError::OutOfRange),
        (write(100, 1, 512), SubmitError::Misaligned),
    ] {
        let rejected = part.submit(request.clone()).unwrap_err();
        assert_eq!((rejected.error, rejected.request), (error, request));
    }
}

#[test]
fn a_partition_lies_on_the_disk() {
    for (offset, len) in [(0, 0), (0, 66048), (65536, 512), (256, 512), (u64::MAX, 512), (512, u64::MAX)] {
        assert!(Partition::new(counting(64 << 10), Slice { offset, len }).is_err(), "{len} at {offset}");
    }
}

#[test]
fn neighbours_of_a_partition_stay_as_they_are() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = {
        let seen = seen.clone();
        move |event: Event<'_>| {
            if let Event::Submitted(_, Request::Write { offset, data, .. }) = event {
                seen.lock().unwrap().push((*offset, data.len()));
            }
        }
    };
    let mut part = Partition::new(Trace::new(counting(64 << 10), sink), Slice { offset: 4096, len: 8192 }).unwrap();
    Blocking::new(&mut part, 0, &mut || ()).write(1, &[7; 8191]).unwrap();
    assert!(Blocking::new(&mut part, 0, &mut || ()).write(1, &[7; 8192]).is_err());
    assert!(seen.lock().unwrap().iter().all(|(offset, len)| (4096..=12288).contains(&(*offset + *len as u64))));
}

#[test]
fn faults_come_as_told() {
    let judge = |request: &Request| match request {
        Request::Flush => Verdict::Reject(SubmitError::Down),
        Request::Read { .. } => Verdict::Fail(BlockError::Io),
        Request::Write { data, .. } if data[0] == 1 => Verdict::DoAndFail(BlockError::Device),
        _ => Verdict::Pass,
    };
    let mut disk = Fault::new(MemoryDisk::zeroed(4096, 512), judge);
    assert_eq!(disk.submit(Request::Flush).unwrap_err().error, SubmitError::Down);
    let tokens = [read(0, 512), write(0, 1, 512), write(512, 2, 512)].map(|request| disk.submit(request).unwrap());
    assert_eq!(disk.in_flight(), 3);
    let mut results: Vec<_> = std::iter::from_fn(|| disk.poll()).map(|done| (done.token, done.result)).collect();
    results.sort_by_key(|(token, _)| tokens.iter().position(|other| other == token));
    let results: Vec<_> = results.into_iter().map(|(_, result)| result).collect();
    assert_eq!(results, [Err(BlockError::Io), Err(BlockError::Device), Ok(())]);
}

#[test]
fn delays_reorder_and_lose_nothing() {
    let delay = |done: &rkt_blockdev::Completion| 10 - done.token.0;
    let mut disk = Delay::new(counting(8192), delay);
    let sent: Vec<_> = (0..10).map(|i| disk.submit(read(512 * i, 512)).unwrap()).collect();
    let mut came = Vec::new();
    while disk.in_flight() > 0 {
        assert!(disk.has_work());
        came.extend(disk.poll().map(|done| done.token));
    }
    assert!(came.len() == sent.len() && came != sent);
    came.sort_unstable();
    assert_eq!(came, sent);
}

#[test]
fn blocking_calls_need_no_alignment_and_end() {
    let mut disk = counting(4 << 20);
    let mut expected = disk.bytes().to_vec();
    let mut waits = 0;
    {
        let mut wait = || waits += 1;
        let mut blocking = Blocking::new(&mut disk, 3, &mut wait);
        for (offset, len) in [(0, 1), (511, 2), (512, 512), (1000, 3 << 20), (1 << 20, 1 << 20)] {
            let data: Vec<u8> = (0..len).map(|i| (i * 7) as u8).collect();
            blocking.write(offset as u64, &data).unwrap();
            expected[offset..offset + len].copy_from_slice(&data);
            let mut back = vec![0; len];
            blocking.read(offset as u64, &mut back).unwrap();
            assert!(back == data);
        }
        assert_eq!(blocking.read(4 << 20, &mut [0]), Err(BlockError::Refused));
    }
    assert!(disk.bytes() == expected);

    let mut silent = Delay::new(counting(4096), |_: &rkt_blockdev::Completion| u64::MAX / 2);
    assert_eq!(Blocking::new(&mut silent, 3, &mut || waits += 1).read(0, &mut [0]), Err(BlockError::Device));
    assert_eq!(waits, 4);
}

#[test]
fn an_overlay_keeps_changes_and_leaves_the_disk() {
    let seen = Arc::new(Mutex::new(0));
    let writes = seen.clone();
    let sink = move |event: Event<'_>| {
        *writes.lock().unwrap() += usize::from(matches!(event, Event::Submitted(_, Request::Write { .. })));
    };
    let lower = Trace::new(counting(64 << 10).read_only(), sink);
    let mut disk = Overlay::new(lower, 4 * 512);
    assert!(!disk.geometry().read_only);
    let mut now = |request: Request| {
        let token = disk.submit(request).unwrap();
        disk.kick();
        let done = disk.poll().unwrap();
        assert_eq!(done.token, token);
        (done.request, done.result)
    };
    assert_eq!(now(write(512, 0xee, 1024)).1, Ok(()));
    // Part of a read from each, all from above, all from below.
    let mixed = [vec![0; 512], vec![0xee; 1024], vec![3; 512]].concat();
    assert_eq!(now(read(0, 2048)), (Request::Read { offset: 0, data: mixed }, Ok(())));
    assert_eq!(now(read(512, 512)), (Request::Read { offset: 512, data: vec![0xee; 512] }, Ok(())));
    assert_eq!(now(read(2048, 512)), (Request::Read { offset: 2048, data: vec![4; 512] }, Ok(())));
    assert_eq!(now(Request::Flush).1, Ok(()));
    // What was written before takes no further room; what does not fit is not written at all.
    assert_eq!(now(write(512, 0xdd, 1024)).1, Ok(()));
    assert_eq!(now(write(4096, 1, 1536)).1, Err(BlockError::Io));
    assert_eq!(now(read(4096, 512)), (Request::Read { offset: 4096, data: vec![8; 512] }, Ok(())));
    assert_eq!(now(write(4096, 1, 1024)).1, Ok(()));
    assert_eq!(*seen.lock().unwrap(), 0, "the disk below is never written");
}
