//! /proc/PID/status, stat and limits.

use super::maps::Sums;
use super::process::Subject;
use super::{cpu_list, line};
use crate::identity::{ALL_CAPABILITIES, Rights};
use crate::process::Process;
use crate::scheduling::Scheduling;
use crate::signal::SigSet;
use crate::task::Task;
use crate::usage::Usage;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Write;
use core::sync::atomic::Ordering;
use rkt_linux_abi::{PAGE_SIZE, Result};

/// Nanoseconds of a clock tick (USER_HZ = 100).
const TICK: u64 = 10_000_000;

/// The name of a task without its padding.
pub(super) fn name(task: &Task) -> Vec<u8> {
    let name = *task.name.lock();
    name.split(|&byte| byte == 0).next().unwrap_or(&[]).to_vec()
}

/// The letter of proc_pid_stat(5), and the word of status.
fn state(process: &Process, task: Option<&Arc<Task>>) -> (char, &'static str) {
    match task.and_then(|task| task.thread()) {
        _ if process.zombie.load(Ordering::Relaxed) => ('Z', "zombie"),
        Some(thread) if !thread.parked() => ('R', "running"),
        _ if process.signals.is_stopped() => ('T', "stopped"),
        _ => ('S', "sleeping"),
    }
}

/// The sets of signals that are ignored and caught.
fn dispositions(process: &Process) -> (SigSet, SigSet) {
    let (mut ignored, mut caught) = (SigSet::EMPTY, SigSet::EMPTY);
    for signal in 1..=64 {
        let bit = SigSet::of(&[signal]).0;
        match process.signals.action(signal).handler {
            0 => {}
            1 => ignored.0 |= bit,
            _ => caught.0 |= bit,
        }
    }
    (ignored, caught)
}

/// Pending for the task, pending for the process, blocked, ignored, caught.
fn signals(process: &Process, task: Option<&Arc<Task>>) -> [u64; 5] {
    let (ignored, caught) = dispositions(process);
    let own = task.map_or(SigSet::EMPTY, |task| task.signals.pending());
    let blocked = task.map_or(SigSet::EMPTY, |task| task.signals.blocked());
    [own.0, process.signals.pending().0, blocked.0, ignored.0, caught.0]
}

fn affinity(task: Option<&Arc<Task>>) -> u64 {
    let cpus = rkt_platform::cpus();
    let all = if cpus >= 64 { u64::MAX } else { (1 << cpus) - 1 };
    all & task.and_then(|task| task.thread()).map_or(all, |thread| thread.affinity())
}

/// proc_pid_status(5).
pub(super) fn status(of: &Subject) -> Result<Vec<u8>> {
    let process = of.process()?;
    let task = of.task()?;
    let mut text = String::new();
    // A formatter of strings does not fail.
    let _ = identity(&mut text, of, &process, task.as_ref());
    if !process.zombie.load(Ordering::Relaxed) {
        let _ = memory(&mut text, &process);
    }
    let _ = rest(&mut text, &process, task.as_ref());
    Ok(text.into_bytes())
}

fn identity(text: &mut String, of: &Subject, process: &Process, task: Option<&Arc<Task>>) -> core::fmt::Result {
    let shown = task.map_or(Vec::new(), |task| name(task));
    let (letter, word) = state(process, task);
    let id = of.id();
    writeln!(text, "Name:\t{}", String::from_utf8_lossy(&shown))?;
    writeln!(text, "Umask:\t{:04o}", process.fs.lock().umask)?;
    writeln!(text, "State:\t{letter} ({word})")?;
    writeln!(text, "Tgid:\t{}\nNgid:\t0\nPid:\t{id}\nPPid:\t{}", process.pid, process.parent_id())?;
    writeln!(text, "TracerPid:\t0")?;
    let Rights { ids, credentials } = process.rights_of(task);
    for (name, set, file) in [("Uid", ids.user, credentials.uid), ("Gid", ids.group, credentials.gid)] {
        writeln!(text, "{name}:\t{}\t{}\t{}\t{file}", set.real, set.effective, set.saved)?;
    }
    let descriptors = process.files().numbers().last().map_or(0, |&fd| fd as usize + 1);
    writeln!(text, "FDSize:\t{}", descriptors.next_power_of_two().max(64))?;
    let groups: Vec<String> = credentials.groups.iter().map(|group| format!("{group}")).collect();
    write!(text, "Groups:\t{} ", groups.join(" "))?;
    let group = process.group.load(Ordering::Relaxed);
    let session = process.session.load(Ordering::Relaxed);
    writeln!(text, "\nNStgid:\t{}\nNSpid:\t{id}\nNSpgid:\t{group}\nNSsid:\t{session}\nKthread:\t0", process.pid)
}

fn memory(text: &mut String, process: &Process) -> core::fmt::Result {
    let sums = Sums::of(process);
    let fields = [
        ("VmPeak", sums.total),
        ("VmSize", sums.total),
        ("VmLck", process.mm().lock_to_look().locked / 1024),
        ("VmPin", 0),
        ("VmHWM", sums.resident()),
        ("VmRSS", sums.resident()),
        ("RssAnon", sums.anonymous),
        ("RssFile", sums.file),
        ("RssShmem", sums.shared),
        ("VmData", sums.data),
        ("VmStk", sums.stack),
        ("VmExe", sums.code),
        ("VmLib", 0),
        ("VmPTE", 0),
        ("VmSwap", 0),
        ("HugetlbPages", 0),
    ];
    fields.iter().try_for_each(|(name, kib)| writeln!(text, "{name}:\t{kib:>8} kB"))?;
    writeln!(text, "CoreDumping:\t0\nTHP_enabled:\t0\nuntag_mask:\t0xffffffffffffffff")
}

fn rest(text: &mut String, process: &Process, task: Option<&Arc<Task>>) -> core::fmt::Result {
    let [own, shared, blocked, ignored, caught] = signals(process, task);
    let Rights { ids, credentials } = process.rights_of(task);
    let queued = crate::signal::charged(ids.user.real);
    writeln!(text, "Threads:\t{}", process.task_count().max(1))?;
    writeln!(text, "SigQ:\t{queued}/{}", process.limit(11))?; // RLIMIT_SIGPENDING
    writeln!(text, "SigPnd:\t{own:016x}\nShdPnd:\t{shared:016x}\nSigBlk:\t{blocked:016x}")?;
    writeln!(text, "SigIgn:\t{ignored:016x}\nSigCgt:\t{caught:016x}")?;
    let effective = credentials.capabilities & ALL_CAPABILITIES;
    writeln!(text, "CapInh:\t{:016x}\nCapPrm:\t{:016x}\nCapEff:\t{effective:016x}", ids.inheritable, ids.permitted)?;
    writeln!(text, "CapBnd:\t{:016x}\nCapAmb:\t{:016x}", ids.bounding, ids.ambient)?;
    writeln!(text, "NoNewPrivs:\t{}", u8::from(process.flags.no_new_privs.load(Ordering::Relaxed)))?;
    let (mode, filters) = task.map_or((0, 0), |task| (task.seccomp.mode(), task.seccomp.count()));
    writeln!(text, "Seccomp:\t{mode}\nSeccomp_filters:\t{filters}")?;
    writeln!(text, "Cpus_allowed:\t{:x}\nCpus_allowed_list:\t{}", affinity(task), cpu_list())?;
    writeln!(text, "Mems_allowed:\t1\nMems_allowed_list:\t0")?;
    let used = task.map_or(Usage::default(), |task| task.usage());
    writeln!(text, "voluntary_ctxt_switches:\t{}\nnonvoluntary_ctxt_switches:\t{}", used.waits, used.preemptions)
}

/// proc_pid_stat(5): 52 fields.
pub(super) fn stat(of: &Subject) -> Result<Vec<u8>> {
    let process = of.process()?;
    let task = of.task()?;
    let shown = task.as_ref().map_or(Vec::new(), |task| name(task));
    let (letter, _) = state(&process, task.as_ref());
    let used = match &task {
        Some(task) if !of.is_process() => task.usage(),
        _ => process.usage(),
    };
    let (children, _) = *process.children_usage.lock();
    let scheduling = task.as_ref().map_or(Scheduling::default(), |task| task.scheduling());
    let cpu = task.as_ref().and_then(|task| task.thread()).and_then(|thread| thread.last_cpu()).unwrap_or(0);
    let sums = Sums::of(&process);
    let layout = process.mm().layout();
    let [own, shared, blocked, ignored, caught] = signals(&process, task.as_ref());
    let real_time = 0xffff_ffff_u64 << 31; // real-time signals do not fit into these fields
    let started = task.as_ref().map_or(0, |task| task.started) / TICK;
    let group = process.group.load(Ordering::Relaxed);
    let session = process.session.load(Ordering::Relaxed);
    let (terminal, foreground) = crate::tty::shown(&process);
    let mut text = format!("{} ({}) {letter} ", of.id(), String::from_utf8_lossy(&shown));
    let front: [i64; 21] = [
        process.parent_id().into(),
        group.into(),
        session.into(),
        terminal,
        foreground,
        0x40_0000,
        used.faults as i64,
        children.faults as i64,
        0, // majflt
        0, // cmajflt
        (used.user / TICK) as i64,
        (used.system / TICK) as i64,
        (children.user / TICK) as i64,
        (children.system / TICK) as i64,
        scheduling.shown_priority(),
        scheduling.nice.into(),
        process.task_count().max(1) as i64,
        0, // itrealvalue
        started as i64,
        (sums.total * 1024) as i64,
        (sums.resident() * 1024 / PAGE_SIZE as u64) as i64,
    ];
    let back: [u64; 28] = [
        process.limit(5), // RLIMIT_RSS
        layout.code.0,
        layout.code.1,
        layout.stack.1,
        0, // kstkesp
        0, // kstkeip
        (own | shared) & !real_time,
        blocked & !real_time,
        ignored & !real_time,
        caught & !real_time,
        0, // wchan
        0,
        0,
        process.exit_signal.load(Ordering::Relaxed).into(),
        cpu as u64,
        scheduling.priority.into(),
        scheduling.policy.into(),
        0, // delayacct_blkio_ticks
        0, // guest_time
        0, // cguest_time
        0, // start_data
        0, // end_data
        layout.brk_start,
        layout.args.0,
        layout.args.1,
        layout.env.0,
        layout.env.1,
        0, // exit_code
    ];
    let words = front.iter().map(|word| format!("{word}")).chain(back.iter().map(|word| format!("{word}")));
    text.push_str(&words.collect::<Vec<_>>().join(" "));
    Ok(line(text))
}

/// Names and units in the order of the RLIMIT_ numbers.
const LIMITS: [(&str, &str); 16] = [
    ("Max cpu time", "seconds"),
    ("Max file size", "bytes"),
    ("Max data size", "bytes"),
    ("Max stack size", "bytes"),
    ("Max core file size", "bytes"),
    ("Max resident set", "bytes"),
    ("Max processes", "processes"),
    ("Max open files", "files"),
    ("Max locked memory", "bytes"),
    ("Max address space", "bytes"),
    ("Max file locks", "locks"),
    ("Max pending signals", "signals"),
    ("Max msgqueue size", "bytes"),
    ("Max nice priority", ""),
    ("Max realtime priority", ""),
    ("Max realtime timeout", "us"),
];

/// proc_pid_limits(5).
pub(super) fn limits(of: &Subject) -> Result<Vec<u8>> {
    let limits = *of.process()?.limits.lock();
    let shown = |limit: u64| if limit == u64::MAX { String::from("unlimited") } else { format!("{limit}") };
    let mut text = format!("{:<25} {:<20} {:<20} {:<10}\n", "Limit", "Soft Limit", "Hard Limit", "Units");
    for ((name, unit), (soft, hard)) in LIMITS.iter().zip(limits) {
        let _ = write!(text, "{name:<25} {:<20} {:<20} ", shown(soft), shown(hard));
        let _ = if unit.is_empty() { writeln!(text) } else { writeln!(text, "{unit:<10}") };
    }
    Ok(text.into_bytes())
}
