//! Listings of directories.

use super::Call;
use alloc::vec::Vec;
use rkt_linux_abi::{Errno, Result};
use rkt_user::UserSlice;
use rkt_vfs::DirEntry;

/// Most bytes of entries that one call gives.
const MAX: usize = 32 << 10;

/// Lays one entry out at the end of the buffer.
type Layout = fn(&DirEntry<'_>, &mut Vec<u8>);

/// Bytes of d_ino, d_off and d_reclen.
const HEAD: usize = 18;

fn head(entry: &DirEntry<'_>, len: usize, into: &mut Vec<u8>) {
    into.extend_from_slice(&entry.ino.to_ne_bytes());
    into.extend_from_slice(&entry.next.to_ne_bytes());
    into.extend_from_slice(&(len as u16).to_ne_bytes());
}

/// Bytes of an entry in both layouts: head, type, name and NUL, rounded up.
fn entry_len(entry: &DirEntry<'_>) -> usize {
    (HEAD + 1 + entry.name.len() + 1).next_multiple_of(8)
}

/// `struct linux_dirent64`: the type in front of the name.
fn layout64(entry: &DirEntry<'_>, into: &mut Vec<u8>) {
    let end = into.len() + entry_len(entry);
    head(entry, entry_len(entry), into);
    into.push(entry.kind.dirent_type());
    into.extend_from_slice(entry.name);
    into.resize(end, 0);
}

/// `struct linux_dirent`: the type in the last byte.
fn layout(entry: &DirEntry<'_>, into: &mut Vec<u8>) {
    let end = into.len() + entry_len(entry);
    head(entry, entry_len(entry), into);
    into.extend_from_slice(entry.name);
    into.resize(end - 1, 0);
    into.push(entry.kind.dirent_type());
}

fn list(call: &Call<'_>, fd: i32, to: u64, count: u32, layout: Layout) -> Result<u64> {
    let file = call.task.process.file(fd)?;
    let room = (count as usize).min(MAX);
    let mut bytes = Vec::new();
    let mut refused = false;
    file.read_dir(&mut |entry| {
        refused = bytes.len() + entry_len(entry) > room;
        if !refused {
            layout(entry, &mut bytes);
        }
        !refused
    })?;
    if bytes.is_empty() && refused {
        return Err(Errno::EINVAL);
    }
    UserSlice::new(to, bytes.len())?.write_all(&bytes)?;
    Ok(bytes.len() as u64)
}

/// getdents64(2).
pub fn getdents64(call: &mut Call<'_>, fd: i32, to: u64, count: u32) -> Result<u64> {
    list(call, fd, to, count, layout64)
}

/// getdents(2).
pub fn getdents(call: &mut Call<'_>, fd: i32, to: u64, count: u32) -> Result<u64> {
    list(call, fd, to, count, layout)
}
