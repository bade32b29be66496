//! Core dumps (core(5)): what a signal killed, as an ELF file in the enclave's own file system. They show
//! the program's data, so the manifest has to allow them (`debug`).

mod memory;
mod name;
mod notes;

pub use name::{PATTERN_MAX, pattern, set_pattern};

use crate::process::Process;
use crate::signal::Info;
use crate::task::Task;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use memory::{Segment, segments};
use rkt_linux_abi::PAGE_SIZE;
use rkt_linux_abi::general::{O_CREAT, O_NOFOLLOW, O_RDWR};
use rkt_linux_abi::{Errno, Result};
use rkt_platform::Registers;
use rkt_sched::CurrentThread;
use rkt_user::IoSource;
use rkt_vfs::{FileType, OpenFile, OpenHow};

/// RLIMIT_CORE.
const RLIMIT_CORE: u32 = 4;
/// Most segments: their number is a u16, whose last value has another meaning (PN_XNUM of elf(5)).
const SEGMENTS_MAX: usize = 0xfffe;
/// Bytes of the ELF header and of a program header (elf(5)).
const HEADER_LEN: usize = 64;
const PROGRAM_HEADER_LEN: usize = 56;
const PT_LOAD: u32 = 1;
const PT_NOTE: u32 = 4;
/// How long the other tasks may take to stand still, in nanoseconds.
const PATIENCE: u64 = 1_000_000_000;

/// Dumps the running task's process, which `info` kills. Says whether there is a core then; where the
/// manifest allows none, whether there would be one: as if somebody took it who leaves no file.
pub fn dump(task: &Arc<Task>, thread: &CurrentThread, registers: &Registers, info: &Info) -> bool {
    let process = &task.process;
    let limit = process.limit(RLIMIT_CORE);
    let dumpable = process.flags.dumpable.load(Ordering::Relaxed) == 1;
    if !crate::boot::allows_debugging() {
        return limit > 0 && dumpable;
    }
    if limit < PAGE_SIZE as u64 || !dumpable {
        return false;
    }
    if !process.begin_dump() {
        return true; // another task is at it
    }
    let others = stand_still(task);
    let written = open(process, info.signal).and_then(|file| {
        let notes = notes::all(task, thread, registers, info, &others);
        write(process, &mut Sink { file: &file, at: 0, limit }, &notes)
    });
    // A full disk leaves half of a core.
    !matches!(written, Err(error) if !matches!(error, Errno::EFBIG | Errno::ENOSPC))
}

/// Makes the other tasks of the process stop where they are; gives them.
fn stand_still(task: &Arc<Task>) -> Vec<Arc<Task>> {
    let mut others = task.process.tasks();
    others.retain(|other| other.tid != task.tid);
    others.iter().for_each(|other| other.kick());
    let deadline = rkt_platform::now().saturating_add(PATIENCE);
    let moves = |other: &Arc<Task>| other.thread().is_some_and(|thread| !thread.parked());
    while others.iter().any(moves) && rkt_platform::now() < deadline {
        rkt_sched::yield_now(); // no sleep: the signal that kills would interrupt it
    }
    others
}

/// Opens the file, which must be the user's own and have no other name (core(5)).
fn open(process: &Process, signal: u32) -> Result<Arc<OpenFile>> {
    let path = name::path(process, signal)?;
    let context = process.fs.lock().clone();
    let how = OpenHow { flags: O_CREAT | O_RDWR | O_NOFOLLOW, mode: 0o600, ..Default::default() };
    let file = rkt_vfs::open(&context, None, &path, &how)?;
    let found = file.inode().metadata();
    let good = file.inode().kind() == FileType::Regular && found.nlink == 1 && found.uid == context.credentials.uid;
    if !good {
        return Err(Errno::EPERM);
    }
    file.truncate(0)?;
    Ok(file)
}

/// A file that is written from its beginning, up to a limit.
struct Sink<'a> {
    file: &'a OpenFile,
    at: u64,
    limit: u64,
}

impl Sink<'_> {
    /// # Errors
    /// `EFBIG` at the limit, `ENOSPC` and others of write(2).
    fn put(&mut self, mut bytes: &[u8]) -> Result<()> {
        if self.limit.saturating_sub(self.at) < bytes.len() as u64 {
            return Err(Errno::EFBIG);
        }
        while !bytes.is_empty() {
            let offset = i64::try_from(self.at).map_err(|_| Errno::EFBIG)?;
            let n = self.file.write_at(offset, &mut IoSource::kernel(bytes))?;
            if n == 0 {
                return Err(Errno::ENOSPC);
            }
            self.at = self.at.saturating_add(n as u64);
            bytes = bytes.get(n..).unwrap_or(&[]);
        }
        Ok(())
    }

    /// Leaves a hole.
    fn skip(&mut self, len: u64) -> Result<()> {
        if self.limit.saturating_sub(self.at) < len {
            return Err(Errno::EFBIG);
        }
        self.at = self.at.saturating_add(len);
        Ok(())
    }
}

fn write(process: &Process, sink: &mut Sink<'_>, notes: &[u8]) -> Result<()> {
    let mut segments = segments(process);
    segments.truncate(SEGMENTS_MAX);
    let headers = HEADER_LEN.saturating_add(PROGRAM_HEADER_LEN.saturating_mul(segments.len().saturating_add(1)));
    let data = headers.saturating_add(notes.len()).next_multiple_of(PAGE_SIZE) as u64;
    sink.put(&elf_header(segments.len().saturating_add(1)))?;
    sink.put(&program_header(PT_NOTE, 0, headers as u64, [0, notes.len() as u64, 0], 4))?;
    let mut at = data;
    for Segment { start, end, flags, dumped } in &segments {
        let sizes = [*start, *dumped, end.saturating_sub(*start)];
        sink.put(&program_header(PT_LOAD, *flags, at, sizes, PAGE_SIZE as u64))?;
        at = at.saturating_add(*dumped);
    }
    sink.put(notes)?;
    sink.skip(data.saturating_sub(sink.at))?;
    for segment in &segments {
        memory::write(sink, segment.start, segment.dumped)?;
    }
    // The last pages may be a hole.
    sink.file.truncate(i64::try_from(sink.at).map_err(|_| Errno::EFBIG)?)
}

/// The header of elf(5): a core of x86-64.
fn elf_header(segments: usize) -> Vec<u8> {
    let mut header = b"\x7fELF\x02\x01\x01".to_vec();
    header.resize(16, 0);
    for half in [4u16, 62] {
        header.extend(half.to_le_bytes()); // ET_CORE, EM_X86_64
    }
    header.extend(1u32.to_le_bytes());
    for word in [0, HEADER_LEN as u64, 0] {
        header.extend(word.to_le_bytes()); // no entry, the program headers, no sections
    }
    header.extend(0u32.to_le_bytes());
    for half in [HEADER_LEN as u16, PROGRAM_HEADER_LEN as u16, segments as u16, 0, 0, 0] {
        header.extend(half.to_le_bytes());
    }
    header
}

/// A program header; sizes are the address, the bytes in the file and those in memory.
fn program_header(kind: u32, flags: u32, offset: u64, [address, in_file, in_memory]: [u64; 3], align: u64) -> Vec<u8> {
    let mut header = [kind.to_le_bytes(), flags.to_le_bytes()].concat();
    for word in [offset, address, 0, in_file, in_memory, align] {
        header.extend(word.to_le_bytes());
    }
    header
}
