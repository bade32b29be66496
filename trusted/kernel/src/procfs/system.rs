//! What /proc and /sys tell of the system as a whole.

use super::{cpu, cpu_list, line};
use crate::process;
use crate::syscall::system::RELEASE;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Write;
use rkt_linux_abi::{PAGE_SIZE, Result};
use rkt_vfs::pseudo::{PseudoDir, PseudoFs};

const SECOND: u64 = 1_000_000_000;
/// Nanoseconds of a clock tick (USER_HZ = 100).
const TICK: u64 = SECOND / 100;
const KIB: u64 = 1024;

/// Nanoseconds of processor time that all living processes have used.
fn busy() -> u64 {
    process::all().iter().map(|process| process.cpu_ns()).sum()
}

/// Nanoseconds in which vCPUs had nothing to do.
fn idle() -> u64 {
    (rkt_platform::now().saturating_mul(rkt_platform::cpus() as u64)).saturating_sub(busy())
}

/// proc_uptime(5).
fn uptime() -> Result<Vec<u8>> {
    let shown = |ns: u64| format!("{}.{:02}", ns / SECOND, ns % SECOND / TICK);
    Ok(line(format!("{} {}", shown(rkt_platform::now()), shown(idle()))))
}

/// proc_stat(5).
fn stat() -> Result<Vec<u8>> {
    let cpus = rkt_platform::cpus() as u64;
    let (busy, idle) = (busy() / TICK, idle() / TICK);
    let mut text = format!("cpu  {busy} 0 0 {idle} 0 0 0 0 0 0\n");
    for cpu in 0..cpus {
        // Time is not kept by vCPU: each is shown with its share. A formatter of strings does not fail.
        let _ = writeln!(text, "cpu{cpu} {} 0 0 {} 0 0 0 0 0 0", busy / cpus, idle / cpus);
    }
    let counters = rkt_sched::counters();
    let booted = rkt_platform::wall().saturating_sub(rkt_platform::now()) / SECOND;
    let (switches, running) = (counters.switches, counters.ready + 1);
    let processes = process::all().len();
    let _ = write!(
        text,
        "intr 0\nctxt {switches}\nbtime {booted}\nprocesses {processes}\nprocs_running {running}\n\
         procs_blocked 0\nsoftirq 0 0 0 0 0 0 0 0 0 0 0\n"
    );
    Ok(text.into_bytes())
}

/// proc_meminfo(5): of the kernel's own region, which files and buffers live in.
fn meminfo() -> Result<Vec<u8>> {
    let memory = rkt_heap::REGION.stats();
    let kib = |pages: usize| pages as u64 * (PAGE_SIZE as u64 / KIB);
    let (total, free, used) = (kib(memory.total), kib(memory.free), kib(memory.used));
    let fields = [
        ("MemTotal:", total),
        ("MemFree:", free),
        ("MemAvailable:", free),
        ("Buffers:", 0),
        ("Cached:", used),
        ("SwapCached:", 0),
        ("Active:", used),
        ("Inactive:", 0),
        ("Unevictable:", 0),
        ("Mlocked:", 0),
        ("SwapTotal:", 0),
        ("SwapFree:", 0),
        ("Dirty:", 0),
        ("Writeback:", 0),
        ("AnonPages:", 0),
        ("Mapped:", 0),
        ("Shmem:", used),
        ("Slab:", 0),
        ("SReclaimable:", 0),
        ("SUnreclaim:", 0),
        ("PageTables:", 0),
        ("CommitLimit:", total),
        ("Committed_AS:", used),
        ("VmallocTotal:", 0),
        ("VmallocUsed:", 0),
        ("AnonHugePages:", 0),
    ];
    let mut text = String::new();
    for (name, kib) in fields {
        let _ = writeln!(text, "{name:<16}{kib:>8} kB");
    }
    for name in ["HugePages_Total:", "HugePages_Free:", "HugePages_Rsvd:", "HugePages_Surp:"] {
        let _ = writeln!(text, "{name:<16}{:>8}", 0);
    }
    let _ = writeln!(text, "{:<16}{:>8} kB", "Hugepagesize:", 2048);
    Ok(text.into_bytes())
}

/// proc_loadavg(5): averages are not kept.
fn loadavg() -> Result<Vec<u8>> {
    let processes = process::all();
    let tasks: usize = processes.iter().map(|process| process.task_count()).sum();
    let last = processes.last().map_or(0, |process| process.pid);
    Ok(line(format!("0.00 0.00 0.00 {}/{tasks} {last}", rkt_sched::counters().ready + 1)))
}

const FILESYSTEMS: &str =
    "nodev\tsysfs\nnodev\ttmpfs\nnodev\tproc\nnodev\tdevtmpfs\nnodev\tmqueue\nnodev\tdevpts\nnodev\trootfs\n\text4\n";
/// Major numbers (proc_devices(5)).
const DEVICES: &str =
    "Character devices:\n  1 mem\n  5 /dev/tty\n  5 /dev/console\n  5 /dev/ptmx\n128 ptm\n136 pts\n\nBlock devices:\n";
/// proc_swaps(5): there are none.
const SWAPS: &str = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
/// The drivers of terminals: name, nodes, numbers, kind.
const TERMINALS: &str = "\
/dev/tty             /dev/tty        5       0 system:/dev/tty
/dev/console         /dev/console    5       1 system:console
/dev/ptmx            /dev/ptmx       5       2 system
pty_slave            /dev/pts      136 0-1048575 pty:slave
pty_master           /dev/ptm      128 0-1048575 pty:master
";

/// proc_vmstat(5): what can be told of it. Nothing is paged in or out.
fn vmstat() -> Result<Vec<u8>> {
    let faults: u64 = process::all().iter().map(|process| process.usage().faults).sum();
    let free = rkt_heap::REGION.stats().free;
    Ok(line(format!(
        "nr_free_pages {free}\npgpgin 0\npgpgout 0\npswpin 0\npswpout 0\npgfault {faults}\npgmajfault 0\noom_kill 0"
    )))
}

/// Fills the root of /proc, but for processes.
pub(super) fn fill_proc(fs: &PseudoFs) -> Result<()> {
    let root = fs.directory();
    root.add_text("cpuinfo", cpu::cpuinfo)?;
    root.add_text("filesystems", || Ok(FILESYSTEMS.into()))?;
    root.add_text("loadavg", loadavg)?;
    root.add_text("meminfo", meminfo)?;
    root.add_text("stat", stat)?;
    root.add_text("uptime", uptime)?;
    root.add_text("version", || Ok(line(format!("Linux version {RELEASE} (rkt-io) #1 SMP rkt-io"))))?;
    root.add_text("cmdline", || Ok(line("")))?;
    root.add_text("devices", || Ok(DEVICES.into()))?;
    root.add_text("swaps", || Ok(SWAPS.into()))?;
    root.add_text("tty/drivers", || Ok(TERMINALS.into()))?;
    root.add_text("vmstat", vmstat)?;
    Ok(())
}

/// Fills /sys.
pub(super) fn fill_sys(root: &Arc<PseudoDir>) -> Result<()> {
    root.add_text("kernel/mm/transparent_hugepage/enabled", || Ok(line("always madvise [never]")))?;
    for name in ["online", "possible", "present"] {
        root.add_text(&format!("devices/system/cpu/{name}"), || Ok(line(cpu_list())))?;
    }
    let cpus = root.directory("devices")?.directory("system")?.directory("cpu")?;
    for cpu in 0..rkt_platform::cpus() {
        cpus.directory(&format!("cpu{cpu}"))?;
    }
    Ok(())
}
