//! The memory in a core: which parts of it, and their bytes.

use super::Sink;
use crate::mm::{Area, Backing};
use crate::process::Process;
use alloc::vec;
use alloc::vec::Vec;
use rkt_linux_abi::{PAGE_SIZE, Result};
use rkt_user::UserSlice;

/// Bytes looked at and written at once.
const CHUNK: u64 = 64 << 10;
/// Rights of a program header (elf(5)).
const PF_X: u32 = 1;
const PF_W: u32 = 2;
const PF_R: u32 = 4;

/// A segment.
pub struct Segment {
    /// Its first address.
    pub start: u64,
    /// The address behind it.
    pub end: u64,
    /// Rights.
    pub flags: u32,
    /// Bytes of it in the core.
    pub dumped: u64,
}

/// All of a process's memory; of most of it the bytes, too (core(5), "Controlling which mappings are
/// written to the core dump": the bits that are set by default).
pub fn segments(process: &Process) -> Vec<Segment> {
    let areas: Vec<Area> = process.mm().lock().iter().cloned().collect();
    let segment = |area: &Area| {
        let bit = |on: bool, bit: u32| if on { bit } else { 0 };
        let protection = area.protection;
        let flags = bit(protection.read, PF_R) | bit(protection.write, PF_W) | bit(protection.execute, PF_X);
        Segment { start: area.start, end: area.end, flags, dumped: dumped(area) }
    };
    areas.iter().filter(|area| !matches!(area.backing, Backing::Reserved)).map(segment).collect()
}

/// Bytes of an area that are written: memory that no file has, private copies that may have been changed,
/// and the first page of an ELF file, by which a debugger knows it.
fn dumped(area: &Area) -> u64 {
    let len = area.end.saturating_sub(area.start);
    match &area.backing {
        _ if area.marks.dont_dump || !area.protection.read => 0,
        Backing::Reserved => 0,
        Backing::Anonymous | Backing::Shared(_) => len,
        // Also where writing has been forbidden since (RELRO); text is as in its file.
        Backing::Copy { .. } if !area.protection.execute || area.protection.write => len,
        Backing::Copy { .. } | Backing::File(_) => {
            let mut magic = [0; 4];
            let is_elf = UserSlice::new(area.start, 4).is_ok_and(|place| place.read(&mut magic) == 4);
            if is_elf && magic == *b"\x7fELF" { PAGE_SIZE as u64 } else { 0 }
        }
    }
}

/// Writes memory of the running process. Pages of zeroes, and what cannot be read, are holes.
pub fn write(sink: &mut Sink<'_>, start: u64, len: u64) -> Result<()> {
    let mut buffer = vec![0; CHUNK as usize];
    let mut done = 0;
    while done < len {
        let n = CHUNK.min(len.saturating_sub(done));
        let chunk = buffer.get_mut(..n as usize).unwrap_or(&mut []);
        let read = UserSlice::new(start.saturating_add(done), n as usize).map_or(0, |place| place.read(chunk));
        chunk.get_mut(read..).unwrap_or(&mut []).fill(0);
        for page in chunk.chunks(PAGE_SIZE) {
            match page.iter().all(|&byte| byte == 0) {
                true => sink.skip(page.len() as u64)?,
                false => sink.put(page)?,
            }
        }
        done = done.saturating_add(n);
    }
    Ok(())
}
