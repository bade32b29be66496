//! Requests one at a time, and random numbers by seed.

use rkt_blockdev::{BlockDevice, BlockError, Request};

/// Random numbers by seed (SplitMix64).
pub struct Random(pub u64);

impl Random {
    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.number() % limit
    }

    /// So many bytes.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..len.div_ceil(8)).flat_map(|_| self.number().to_le_bytes()).collect();
        bytes.truncate(len);
        bytes
    }
}

/// Submits one request and polls until it has ended; `idle` is called when there is nothing yet.
///
/// # Errors
/// As the disk says.
pub fn perform(disk: &mut dyn BlockDevice, request: Request, mut idle: impl FnMut()) -> Result<Request, BlockError> {
    let token = disk.submit(request).map_err(|rejected| rejected.error).expect("submit");
    disk.kick();
    loop {
        if let Some(done) = disk.poll() {
            assert_eq!(done.token, token);
            return done.result.map(|()| done.request);
        }
        idle();
    }
}

/// A write of these bytes.
pub fn write(offset: u64, data: &[u8]) -> Request {
    Request::Write { offset, data: data.to_vec(), fua: false }
}

/// Reads that many bytes.
pub fn read(disk: &mut dyn BlockDevice, offset: u64, len: usize, idle: impl FnMut()) -> Vec<u8> {
    match perform(disk, Request::Read { offset, data: vec![0; len] }, idle).expect("read") {
        Request::Read { data, .. } => data,
        other => panic!("{other:?} came back"),
    }
}
