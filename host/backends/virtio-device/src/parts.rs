//! Bytes spread over regions of the window.

use rkt_window::Region;
use smallvec::SmallVec;

/// Copies bytes into `parts` from `offset` on; returns how many found room.
pub fn scatter(parts: &[Region], mut offset: usize, mut bytes: &[u8]) -> usize {
    let mut copied = 0;
    for part in parts {
        if offset >= part.len() {
            offset -= part.len();
            continue;
        }
        let (now, later) = bytes.split_at(bytes.len().min(part.len() - offset));
        if part.write(offset, now).is_err() || later.is_empty() {
            return copied + now.len();
        }
        copied += now.len();
        bytes = later;
        offset = 0;
    }
    copied
}

/// Fills `into` from `parts` from `offset` on; returns how many bytes there were.
pub fn gather(parts: &[Region], mut offset: usize, into: &mut [u8]) -> usize {
    let mut copied = 0;
    for part in parts {
        if offset >= part.len() {
            offset -= part.len();
            continue;
        }
        let n = (into.len() - copied).min(part.len() - offset);
        let Some(now) = into.get_mut(copied..copied + n) else { return copied };
        if n == 0 || part.read(offset, now).is_err() {
            return copied;
        }
        copied += n;
        offset = 0;
    }
    copied
}

/// The part of `parts` from `offset` on, at most `len` bytes long, without copying.
pub fn cut(parts: &[Region], mut offset: usize, mut len: usize) -> SmallVec<[Region; 4]> {
    let mut found = SmallVec::new();
    for part in parts {
        let skipped = offset.min(part.len());
        let taken = len.min(part.len() - skipped);
        offset -= skipped;
        len -= taken;
        if let Ok(region) = part.sub(skipped, taken)
            && taken > 0
        {
            found.push(region);
        }
    }
    found
}

/// Bytes in `parts`.
pub fn total_len(parts: &[Region]) -> usize {
    parts.iter().fold(0, |sum, part| sum.saturating_add(part.len()))
}
