//! Which requests a disk takes.

use rkt_blockdev::{Geometry, Request, SubmitError};

const DISK: Geometry = Geometry {
    block_len: 4096,
    len: 1 << 20,
    read_only: false,
    max_discard: 512 << 10,
    max_write_zeroes: 256 << 10,
    max_transfer: 64 << 10,
};

fn read(offset: u64, len: usize) -> Request {
    Request::Read { offset, data: vec![0; len] }
}

#[test]
fn a_request_lies_within_the_disk() {
    assert_eq!(DISK.check(&read((1 << 20) - 4096, 4096)), Ok(()));
    assert_eq!(DISK.check(&read((1 << 20) - 4096, 8192)), Err(SubmitError::OutOfRange));
    assert_eq!(DISK.check(&read(u64::MAX - 4095, 4096)), Err(SubmitError::OutOfRange));
    assert_eq!(DISK.check(&Request::Discard { offset: 0, len: 2 << 20 }), Err(SubmitError::OutOfRange));
}

#[test]
fn a_request_is_whole_blocks_and_not_too_many() {
    assert_eq!(DISK.check(&read(512, 4096)), Err(SubmitError::Misaligned));
    assert_eq!(DISK.check(&read(0, 512)), Err(SubmitError::Misaligned));
    assert_eq!(DISK.check(&read(0, 0)), Err(SubmitError::Misaligned));
    assert_eq!(DISK.check(&read(0, 68 << 10)), Err(SubmitError::TooLong));
    assert_eq!(DISK.check(&Request::Discard { offset: 0, len: 512 << 10 }), Ok(()));
    assert_eq!(DISK.check(&Request::Discard { offset: 0, len: 516 << 10 }), Err(SubmitError::TooLong));
    assert_eq!(DISK.check(&Request::WriteZeroes { offset: 0, len: 256 << 10 }), Ok(()));
    assert_eq!(DISK.check(&Request::WriteZeroes { offset: 0, len: 260 << 10 }), Err(SubmitError::TooLong));
}

#[test]
fn a_disk_refuses_what_it_cannot_do() {
    let write = Request::Write { offset: 0, data: vec![0; 4096], fua: false };
    let read_only = Geometry { read_only: true, ..DISK };
    assert_eq!(read_only.check(&write), Err(SubmitError::ReadOnly));
    assert_eq!(read_only.check(&Request::Flush), Ok(()));
    assert_eq!(read_only.check(&Request::WriteZeroes { offset: 0, len: 4096 }), Err(SubmitError::ReadOnly));
    let plain = Geometry { max_discard: 0, max_write_zeroes: 0, ..DISK };
    assert_eq!(plain.check(&Request::WriteZeroes { offset: 0, len: 4096 }), Err(SubmitError::Unsupported));
    assert_eq!(plain.check(&Request::Discard { offset: 0, len: 4096 }), Err(SubmitError::Unsupported));
    assert_eq!(plain.check(&write), Ok(()));
}
