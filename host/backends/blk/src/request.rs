//! One request (virtio 1.2 §5.2.6): header, data, status byte.

use crate::{Disk, MAX_RANGE_SECTORS, MAX_RANGES};
use rkt_virtio::blk::{
    DISCARD_SEGMENT_LEN, DiscardSegment, REQUEST_HEADER_LEN, RequestHeader, SECTOR_LEN, request, request_status,
};
use rkt_virtio_device::{Chain, Counters, cut, gather, scatter, total_len};
use std::io;
use zerocopy::{FromZeros, IntoBytes};

/// Bytes of the answer to `GET_ID` (§5.2.6).
const ID_LEN: usize = 20;
/// Bit of [`DiscardSegment::flags`]: the range may be unmapped.
const UNMAP: u32 = 1;

/// Why a request fails.
enum Failure {
    /// Impossible request, or the host failed.
    Io,
    /// The device or the host does not know it.
    Unsupported,
}

impl From<io::Error> for Failure {
    fn from(e: io::Error) -> Self {
        if e.kind() == io::ErrorKind::Unsupported { Self::Unsupported } else { Self::Io }
    }
}

/// Serves a request and returns the bytes written into its chain.
pub(crate) fn serve_one(disk: &Disk, chain: &Chain, counters: &Counters) -> u32 {
    let Some(data_len) = total_len(chain.writable()).checked_sub(1) else {
        // Nowhere to put a status: the driver broke the format and hears nothing.
        counters.failed.add(1);
        return 0;
    };
    let status = match perform(disk, chain, data_len, counters) {
        Ok(()) => request_status::OK,
        Err(failure) => {
            counters.failed.add(1);
            match failure {
                Failure::Io => request_status::IOERR,
                Failure::Unsupported => request_status::UNSUPP,
            }
        }
    };
    scatter(chain.writable(), data_len, &[status]);
    // The status is the last byte, so all before it counts as written (§2.7.8).
    u32::try_from(data_len + 1).unwrap_or(u32::MAX)
}

/// Does what the header asks for.
fn perform(disk: &Disk, chain: &Chain, data_len: usize, counters: &Counters) -> Result<(), Failure> {
    let mut header = RequestHeader::new_zeroed();
    if gather(chain.readable(), 0, header.as_mut_bytes()) < REQUEST_HEADER_LEN {
        return Err(Failure::Io);
    }
    let sector = header.sector.get();
    let payload = cut(chain.readable(), REQUEST_HEADER_LEN, usize::MAX);
    match header.kind.get() {
        request::IN => {
            let at = disk.locate(sector, data_len as u64).ok_or(Failure::Io)?;
            if disk.read(&cut(chain.writable(), 0, data_len), at)? != data_len {
                return Err(Failure::Io);
            }
            counters.in_units.add(1);
            counters.in_bytes.add(data_len as u64);
            Ok(())
        }
        kind if disk.read_only() && kind != request::GET_ID => Err(Failure::Io),
        request::OUT => {
            let len = total_len(&payload);
            let at = disk.locate(sector, len as u64).ok_or(Failure::Io)?;
            if disk.write(&payload, at)? != len {
                return Err(Failure::Io);
            }
            counters.out_units.add(1);
            counters.out_bytes.add(len as u64);
            Ok(())
        }
        request::FLUSH => Ok(disk.flush()?),
        kind @ (request::DISCARD | request::WRITE_ZEROES) => for_each_range(disk, chain, |at, len, unmap| match kind {
            request::WRITE_ZEROES if !unmap => disk.zero(at, len),
            _ => disk.discard(at, len),
        }),
        request::GET_ID => {
            let mut id = [0; ID_LEN];
            let name = b"rkt-io";
            id.iter_mut().zip(name).for_each(|(to, from)| *to = *from);
            scatter(&cut(chain.writable(), 0, data_len), 0, &id);
            Ok(())
        }
        _ => Err(Failure::Unsupported),
    }
}

/// Calls `act` with offset, length and whether unmapping is allowed, for each range of a discard or
/// write-zeroes request.
fn for_each_range(disk: &Disk, chain: &Chain, act: impl Fn(u64, u64, bool) -> io::Result<()>) -> Result<(), Failure> {
    let bytes = total_len(chain.readable()).saturating_sub(REQUEST_HEADER_LEN);
    let ranges = bytes / DISCARD_SEGMENT_LEN;
    if !bytes.is_multiple_of(DISCARD_SEGMENT_LEN) || !(1..=MAX_RANGES as usize).contains(&ranges) {
        return Err(Failure::Io);
    }
    for range in 0..ranges {
        let mut segment = DiscardSegment::new_zeroed();
        gather(chain.readable(), REQUEST_HEADER_LEN + range * DISCARD_SEGMENT_LEN, segment.as_mut_bytes());
        let (sectors, flags) = (segment.num_sectors.get(), segment.flags.get());
        // §5.2.6.2: unknown flags are unsupported.
        if flags & !UNMAP != 0 {
            return Err(Failure::Unsupported);
        }
        let len = u64::from(sectors) * SECTOR_LEN as u64;
        let at = disk.locate(segment.sector.get(), len).filter(|_| sectors <= MAX_RANGE_SECTORS).ok_or(Failure::Io)?;
        if len > 0 {
            act(at, len, flags & UNMAP != 0)?;
        }
    }
    Ok(())
}
