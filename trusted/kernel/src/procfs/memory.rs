//! /proc/PID/mem (proc_pid_mem(5)): the memory of a process as a file, its addresses as offsets.

use super::process::Subject;
use crate::mm::Mm;
use alloc::sync::Arc;
use alloc::vec;
use rkt_linux_abi::general::{SEEK_CUR, SEEK_SET};
use rkt_linux_abi::{Errno, Result};
use rkt_user::{IoSink, IoSource, UserSlice};
use rkt_vfs::pseudo::Identity;
use rkt_vfs::{FileOps, FileType, Inode, Metadata, OpenFile, SetAttributes};

/// Bytes that are carried over at once.
const CHUNK: usize = 64 << 10;

/// The file before it is opened.
pub(super) struct MemoryFile {
    of: Subject,
    identity: Identity,
}

impl MemoryFile {
    pub(super) fn inode(of: &Subject, identity: Identity) -> Arc<dyn Inode> {
        Arc::new(Self { of: of.clone(), identity })
    }
}

impl Inode for MemoryFile {
    fn kind(&self) -> FileType {
        FileType::Regular
    }

    fn metadata(&self) -> Metadata {
        self.identity.regular()
    }

    fn set_attributes(&self, change: &SetAttributes) -> Result<()> {
        // Only what open(O_TRUNC) does has a meaning: none.
        if change.size.is_some() { Ok(()) } else { Err(Errno::EPERM) }
    }

    fn open(self: Arc<Self>, _: u32) -> Result<Arc<dyn FileOps>> {
        // Who opens it is checked, not who reads; it stays with this memory over an execve.
        Ok(Arc::new(Memory(self.of.inspected()?.mm())))
    }
}

/// The memory, opened.
struct Memory(Arc<Mm>);

impl FileOps for Memory {
    fn seekable(&self) -> bool {
        true
    }

    fn read(&self, _: &OpenFile, offset: &mut u64, into: &mut IoSink<'_>) -> Result<usize> {
        let mut buffer = vec![0; CHUNK.min(into.remaining())];
        let mut done = 0;
        while !into.is_full() {
            let wanted = buffer.len().min(into.remaining());
            let piece = buffer.get_mut(..wanted).ok_or(Errno::EIO)?;
            let Some(read) = carry(&self.0, *offset, wanted, |from| from.read(piece)) else { return Ok(done) };
            let moved = into.put(buffer.get(..read).unwrap_or(&[]))?;
            *offset += moved as u64;
            done += moved;
            if moved < wanted {
                return if done == 0 { Err(Errno::EIO) } else { Ok(done) };
            }
        }
        Ok(done)
    }

    fn write(&self, _: &OpenFile, offset: &mut u64, from: &mut IoSource<'_>) -> Result<usize> {
        let mut buffer = vec![0; CHUNK.min(from.remaining())];
        let mut done = 0;
        while !from.is_full() {
            let wanted = buffer.len().min(from.remaining());
            let taken = from.take(buffer.get_mut(..wanted).ok_or(Errno::EIO)?)?;
            let piece = buffer.get(..taken).unwrap_or(&[]);
            let Some(written) = carry(&self.0, *offset, taken, |to| to.write(piece)) else { return Ok(done) };
            *offset += written as u64;
            done += written;
            if written < wanted {
                return if done == 0 { Err(Errno::EIO) } else { Ok(done) };
            }
        }
        Ok(done)
    }

    fn seek(&self, _: &OpenFile, position: u64, offset: i64, whence: u32) -> Result<u64> {
        // Any offset may be an address; there is no end to count from.
        match whence {
            SEEK_SET => Ok(offset as u64),
            SEEK_CUR => Ok(position.wrapping_add_signed(offset)),
            _ => Err(Errno::EINVAL),
        }
    }
}

/// Bytes at `at` that the copy reached, 0 where there is no memory; none once the process has ended.
fn carry(mm: &Arc<Mm>, at: u64, len: usize, copy: impl FnOnce(UserSlice) -> usize) -> Option<usize> {
    let Ok(range) = UserSlice::new(at, len) else { return Some(0) };
    mm.visit(at, len, || copy(range)).ok()
}
