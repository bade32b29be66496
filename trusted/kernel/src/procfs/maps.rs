//! /proc/PID/maps, smaps and statm, and sums over mappings.

use super::process::Subject;
use crate::mm::{Area, Backing};
use crate::process::Process;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;
use rkt_linux_abi::{PAGE_SIZE, Result};
use rkt_vfs::{device_major, device_minor};

/// Column of the name (seq_setwidth in the kernel's show_vma_header_prefix).
const NAME_COLUMN: usize = 73;

/// A line of proc_pid_maps(5), without its end.
fn header(area: &Area, process: &Process) -> String {
    let bit = |on: bool, letter: char| if on { letter } else { '-' };
    let protection = area.protection;
    let mut line = String::new();
    let file = area.file();
    let (device, ino) = file.map_or((0, 0), |(file, _)| {
        let of = file.metadata();
        (of.dev, of.ino)
    });
    // A formatter of strings does not fail.
    let _ = write!(
        line,
        "{:08x}-{:08x} {}{}{}{} {:08x} {:02x}:{:02x} {ino} ",
        area.start,
        area.end,
        bit(protection.read, 'r'),
        bit(protection.write, 'w'),
        bit(protection.execute, 'x'),
        if area.shared { 's' } else { 'p' },
        file.map_or(0, |(_, offset)| offset),
        device_major(device),
        device_minor(device),
    );
    let name = match (file, area.name, &area.backing) {
        (Some((file, _)), ..) => {
            let root = process.fs.lock().root.clone();
            escape(&String::from_utf8_lossy(&file.path().to_bytes(&root)))
        }
        (None, Some(name), _) => String::from(name),
        (None, None, Backing::Shared(_)) => String::from("/dev/zero (deleted)"),
        _ => return line,
    };
    let _ = write!(line, "{:1$}{name}", "", NAME_COLUMN.saturating_sub(line.len()));
    line
}

/// A newline in a name would end the line (proc_pid_maps(5)).
fn escape(name: &str) -> String {
    name.replace('\n', "\\012")
}

fn areas(process: &Process) -> Vec<Area> {
    process.mm().lock().iter().cloned().collect()
}

/// proc_pid_maps(5).
pub(super) fn maps(of: &Subject) -> Result<Vec<u8>> {
    let process = of.inspected()?;
    let mut text = String::new();
    for area in areas(&process) {
        text.push_str(&header(&area, &process));
        text.push('\n');
    }
    Ok(text.into_bytes())
}

/// Bytes of an area that count as resident: the host alone knows which pages of private memory
/// are there, so everything that can be accessed counts.
fn resident(area: &Area) -> u64 {
    if area.protection.read || area.protection.write || area.protection.execute { area.len() } else { 0 }
}

/// Sums over the mappings of a process, in KiB.
#[derive(Default)]
pub(super) struct Sums {
    /// All.
    pub total: u64,
    /// Private memory without a file.
    pub anonymous: u64,
    /// Of files.
    pub file: u64,
    /// Shared memory without a file.
    pub shared: u64,
    /// Private and writable.
    pub data: u64,
    /// Stack.
    pub stack: u64,
    /// Executable.
    pub code: u64,
}

impl Sums {
    /// Those of a process; nothing of one that has ended.
    pub fn of(process: &Process) -> Self {
        let mut sums = Self::default();
        for area in process.mm().lock().iter().filter(|area| !matches!(area.backing, Backing::Reserved)) {
            let (kib, resident) = (area.len() / 1024, resident(area) / 1024);
            sums.total += kib;
            match &area.backing {
                Backing::File(_) | Backing::Copy { .. } => sums.file += resident,
                Backing::Shared(_) => sums.shared += resident,
                Backing::Anonymous | Backing::Reserved => sums.anonymous += resident,
            }
            if area.name == Some("[stack]") {
                sums.stack += kib;
            } else if area.protection.execute {
                sums.code += kib;
            } else if area.protection.write && !area.shared {
                sums.data += kib;
            }
        }
        sums
    }

    /// Resident memory.
    pub fn resident(&self) -> u64 {
        self.anonymous + self.file + self.shared
    }
}

/// proc_pid_statm(5), in pages.
pub(super) fn statm(of: &Subject) -> Result<Vec<u8>> {
    const PAGE_KIB: u64 = PAGE_SIZE as u64 / 1024;
    let sums = Sums::of(&*of.process()?);
    let pages = [sums.total, sums.resident(), sums.file + sums.shared, sums.code, 0, sums.data + sums.stack, 0];
    let [size, resident, shared, text, lib, data, dirty] = pages.map(|kib| kib / PAGE_KIB);
    Ok(super::line(alloc::format!("{size} {resident} {shared} {text} {lib} {data} {dirty}")))
}

/// proc_pid_smaps(5).
pub(super) fn smaps(of: &Subject) -> Result<Vec<u8>> {
    let process = of.inspected()?;
    let mut text = String::new();
    for area in areas(&process) {
        text.push_str(&header(&area, &process));
        text.push('\n');
        describe(&area, &mut text);
    }
    Ok(text.into_bytes())
}

/// proc_pid_smaps(5): sums over all mappings.
pub(super) fn smaps_rollup(of: &Subject) -> Result<Vec<u8>> {
    let process = of.inspected()?;
    let areas = areas(&process);
    let (first, last) = (areas.first().map_or(0, |area| area.start), areas.last().map_or(0, |area| area.end));
    let mut sums = [0; MEASURES];
    for area in &areas {
        sums.iter_mut().zip(measures(area)).for_each(|(sum, (_, kib))| *sum += kib);
    }
    let mut text = alloc::format!("{first:08x}-{last:08x} ---p 00000000 00:00 0 ");
    let _ = writeln!(text, "{:1$}[rollup]", "", NAME_COLUMN.saturating_sub(text.len()));
    let names = areas.first().map(measures).into_iter().flatten().map(|(name, _)| name);
    // The first three are the same for all.
    names.zip(sums).skip(3).for_each(|(name, kib)| show(&mut text, name, kib));
    Ok(text.into_bytes())
}

fn show(text: &mut String, name: &str, kib: u64) {
    let _ = writeln!(text, "{name:<16}{kib:>8} kB");
}

/// Number of [`measures`].
const MEASURES: usize = 22;

/// What smaps tells of a mapping in KiB.
fn measures(area: &Area) -> [(&'static str, u64); MEASURES] {
    let resident = resident(area) / 1024;
    let (shared, private) = if area.shared { (resident, 0) } else { (0, resident) };
    let (clean, dirty) = if area.protection.write { (0, private) } else { (private, 0) };
    let anonymous = if area.file().is_none() && !area.shared { resident } else { 0 };
    [
        ("Size:", area.len() / 1024),
        ("KernelPageSize:", 4),
        ("MMUPageSize:", 4),
        ("Rss:", resident),
        ("Pss:", resident),
        ("Pss_Dirty:", dirty),
        ("Shared_Clean:", shared),
        ("Shared_Dirty:", 0),
        ("Private_Clean:", clean),
        ("Private_Dirty:", dirty),
        ("Referenced:", resident),
        ("Anonymous:", anonymous),
        ("KSM:", 0),
        ("LazyFree:", 0),
        ("AnonHugePages:", 0),
        ("ShmemPmdMapped:", 0),
        ("FilePmdMapped:", 0),
        ("Shared_Hugetlb:", 0),
        ("Private_Hugetlb:", 0),
        ("Swap:", 0),
        ("SwapPss:", 0),
        ("Locked:", if area.marks.locked { resident } else { 0 }),
    ]
}

fn describe(area: &Area, text: &mut String) {
    measures(area).iter().for_each(|&(name, kib)| show(text, name, kib));
    text.push_str("THPeligible:           0\nVmFlags:");
    let protection = area.protection;
    let flags = [
        (protection.read, " rd"),
        (protection.write, " wr"),
        (protection.execute, " ex"),
        (area.shared, " sh"),
        (true, " mr mw me"),
        (area.marks.locked, " lo"),
        (area.marks.dont_fork, " dc"),
        (area.marks.wipe_on_fork, " wf"),
        (area.marks.dont_dump, " dd"),
        (area.marks.grows_down, " gd"),
    ];
    flags.iter().filter(|(on, _)| *on).for_each(|(_, name)| text.push_str(name));
    text.push_str(" \n");
}
