//! Directory blocks ("Directory Entries", "Linear Directories").

use crate::checksum::Seed;

/// Longest name.
pub const NAME_MAX: usize = 255;
/// Bytes of the entry that holds the checksum at the end of a block.
pub const TAIL_LEN: usize = 12;
/// Bytes of an entry before its name.
const HEAD: usize = 8;
/// File type of the entry with the checksum.
const TAIL_TYPE: u8 = 0xde;

/// File types in entries.
pub mod file_type {
    /// Not known.
    pub const UNKNOWN: u8 = 0;
    /// A regular file.
    pub const REGULAR: u8 = 1;
    /// A directory.
    pub const DIRECTORY: u8 = 2;
    /// A character device.
    pub const CHAR_DEVICE: u8 = 3;
    /// A block device.
    pub const BLOCK_DEVICE: u8 = 4;
    /// A named pipe.
    pub const FIFO: u8 = 5;
    /// A socket.
    pub const SOCKET: u8 = 6;
    /// A symbolic link.
    pub const SYMLINK: u8 = 7;

    /// Of a mode (`S_IFMT` of inode(7)).
    pub fn of_mode(mode: u16) -> u8 {
        match mode >> 12 {
            0o10 => REGULAR,
            0o4 => DIRECTORY,
            0o2 => CHAR_DEVICE,
            0o6 => BLOCK_DEVICE,
            0o1 => FIFO,
            0o14 => SOCKET,
            0o12 => SYMLINK,
            _ => UNKNOWN,
        }
    }
}

/// An entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Where in the block.
    pub at: usize,
    /// Bytes up to the next entry.
    pub len: usize,
    /// Inode; 0 = not in use.
    pub ino: u32,
    /// Kind of inode, or 0 where the file system does not say.
    pub kind: u8,
    /// Name.
    pub name: &'a [u8],
}

/// Bytes that an entry needs.
pub fn needed(name_len: usize) -> usize {
    (HEAD + name_len).next_multiple_of(4)
}

/// Lengths of 64 KiB do not fit 16 bits: the lowest two bits, else always 0, become the highest.
fn decode_len(raw: u16) -> usize {
    match raw {
        0 | u16::MAX => 1 << 16,
        raw => usize::from(raw & !3) | usize::from(raw & 3) << 16,
    }
}

fn encode_len(len: usize) -> u16 {
    u16::try_from(len).unwrap_or(u16::MAX)
}

/// What is wrong with a block.
pub type Flaw = &'static str;

/// Entries of a block or a part of one, in order, also those not in use. An error ends them.
pub fn entries(block: &[u8]) -> Entries<'_> {
    Entries { block, at: 0 }
}

/// See [`entries`].
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    block: &'a [u8],
    at: usize,
}

fn read(block: &[u8], at: usize) -> Option<Entry<'_>> {
    let rest = block.get(at..)?;
    let head: &[u8; HEAD] = rest.first_chunk()?;
    let [i0, i1, i2, i3, l0, l1, name_len, kind] = *head;
    let len = decode_len(u16::from_le_bytes([l0, l1]));
    let name_len = usize::from(name_len);
    let name = rest.get(HEAD..HEAD + name_len)?;
    let ino = u32::from_le_bytes([i0, i1, i2, i3]);
    (len >= needed(name_len) && len <= rest.len() && len.is_multiple_of(4)).then_some(Entry {
        at,
        len,
        ino,
        kind,
        name,
    })
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Entry<'a>, Flaw>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.block.len() {
            return None;
        }
        let entry = read(self.block, self.at);
        self.at = entry.map_or(self.block.len(), |entry| self.at + entry.len);
        Some(entry.ok_or("directory entry has a wrong length"))
    }
}

/// Writes an entry of `len` bytes at `at`; nothing if it does not fit.
pub fn write(block: &mut [u8], at: usize, len: usize, ino: u32, kind: u8, name: &[u8]) {
    let Some(place) = block.get_mut(at..at.saturating_add(len)) else { return };
    let Some((head, rest)) = place.split_first_chunk_mut::<HEAD>() else { return };
    let [i0, i1, i2, i3] = ino.to_le_bytes();
    let [l0, l1] = encode_len(len).to_le_bytes();
    *head = [i0, i1, i2, i3, l0, l1, name.len() as u8, kind];
    if let Some(place) = rest.get_mut(..name.len()) {
        place.copy_from_slice(name);
    }
}

/// Changes the inode and kind of the entry at `at`.
pub fn set_inode(block: &mut [u8], at: usize, ino: u32, kind: u8) {
    if let Some(place) = block.get_mut(at..at + 4) {
        place.copy_from_slice(&ino.to_le_bytes());
    }
    if let Some(place) = block.get_mut(at + HEAD - 1) {
        *place = kind;
    }
}

fn set_len(block: &mut [u8], at: usize, len: usize) {
    if let Some(place) = block.get_mut(at + 4..at + 6) {
        place.copy_from_slice(&encode_len(len).to_le_bytes());
    }
}

/// Puts an entry into the first gap that is large enough, if there is one. `block` is without its
/// tail.
///
/// # Errors
/// If the block is damaged.
pub fn insert(block: &mut [u8], ino: u32, kind: u8, name: &[u8]) -> Result<bool, Flaw> {
    let wanted = needed(name.len());
    let mut gap = None;
    for entry in entries(block) {
        let entry = entry?;
        let used = if entry.ino == 0 { 0 } else { needed(entry.name.len()) };
        if entry.len >= used + wanted {
            gap = Some((entry.at, used, entry.len));
            break;
        }
    }
    let Some((at, used, len)) = gap else { return Ok(false) };
    if used > 0 {
        set_len(block, at, used);
    }
    write(block, at + used, len - used, ino, kind, name);
    Ok(true)
}

/// Removes the entry at `at`: the one before it, if any, gets its room.
///
/// # Errors
/// If the block is damaged.
pub fn remove(block: &mut [u8], at: usize) -> Result<(), Flaw> {
    let mut before = None;
    for entry in entries(block) {
        let entry = entry?;
        if entry.at == at {
            let len = entry.len;
            match before {
                Some((start, room)) => set_len(block, start, room + len),
                None => set_inode(block, at, 0, 0),
            }
            return Ok(());
        }
        before = Some((entry.at, entry.len));
    }
    Err("directory entry is gone")
}

/// Finds a name.
///
/// # Errors
/// If the block is damaged before it.
pub fn find<'a>(block: &'a [u8], name: &[u8]) -> Result<Option<Entry<'a>>, Flaw> {
    for entry in entries(block) {
        let entry = entry?;
        if entry.ino != 0 && entry.name == name {
            return Ok(Some(entry));
        }
    }
    Ok(None)
}

/// Makes an empty block: one entry, not in use, over all of it but the tail.
pub fn clear(block: &mut [u8], with_tail: bool) {
    block.fill(0);
    let len = block.len() - if with_tail { TAIL_LEN.min(block.len()) } else { 0 };
    write(block, 0, len, 0, 0, &[]);
    if with_tail {
        write_tail(block);
    }
}

/// Writes the entry that holds the checksum.
pub fn write_tail(block: &mut [u8]) {
    let at = block.len().saturating_sub(TAIL_LEN);
    write(block, at, TAIL_LEN, 0, TAIL_TYPE, &[]);
}

fn split(block: &[u8]) -> Option<(&[u8], &[u8; TAIL_LEN])> {
    block.split_last_chunk::<TAIL_LEN>()
}

/// Whether the tail is there and has the right checksum; `seed` is that of the directory.
pub fn verify(seed: Seed, block: &[u8]) -> bool {
    let Some((body, tail)) = split(block) else { return false };
    let [0, 0, 0, 0, 12, 0, 0, TAIL_TYPE, sum @ ..] = *tail else { return false };
    u32::from_le_bytes(sum) == seed.sum(body)
}

/// Gives a block its checksum.
pub fn seal(seed: Seed, block: &mut [u8]) {
    let Some((body, _)) = split(block) else { return };
    let sum = seed.sum(body);
    write_tail(block);
    if let Some(place) = block.last_chunk_mut() {
        *place = sum.to_le_bytes();
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec;

    #[test]
    fn names_come_and_go() {
        let mut block = vec![0; 1024];
        clear(&mut block, true);
        let body = 1024 - TAIL_LEN;
        let mut count = 0_u32;
        while insert(&mut block[..body], count + 1, 1, std::format!("name{count:03}").as_bytes()).unwrap() {
            count += 1;
        }
        assert_eq!(count as usize, body / 16);
        let at = find(&block[..body], b"name007").unwrap().unwrap().at;
        remove(&mut block[..body], at).unwrap();
        assert_eq!(find(&block[..body], b"name007"), Ok(None));
        assert!(insert(&mut block[..body], 99, 1, b"other").unwrap());
        seal(Seed(3), &mut block);
        assert!(verify(Seed(3), &block));
        assert_eq!(entries(&block).map(|entry| entry.unwrap().len).sum::<usize>(), 1024);
    }
}
