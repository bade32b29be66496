//! /proc/PID and /proc/PID/task/TID.

use super::memory::MemoryFile;
use super::{descriptors, line, maps, namespaces, parse_number, status};
use crate::process::{self, Process};
use crate::task::{self, Task};
use crate::usage::{Transfers, Usage};
use alloc::boxed::Box;
use alloc::format;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use rkt_linux_abi::general::{CAP_SYS_NICE, CAP_SYS_PTRACE, CAP_SYS_RESOURCE};
use rkt_linux_abi::{Errno, Result};
use rkt_sync::Mutex;
use rkt_vfs::pseudo::{DynamicDir, DynamicEntry, Identity, PseudoDir, PseudoFile, PseudoFs, PseudoLink};
use rkt_vfs::{FileSystem, FileType, Inode, LinkTarget, OpenFile, mountinfo_text, mounts_text, mountstats_text};

/// Whose files a directory has: a process, or one of its tasks.
#[derive(Clone)]
pub(super) struct Subject {
    /// Device number of the file system.
    pub device: u64,
    process: Weak<Process>,
    /// The task; none in the directory of the process as a whole.
    task: Option<Weak<Task>>,
    /// Process id, or task id.
    id: i32,
}

impl Subject {
    fn of_process(device: u64, process: &Arc<Process>) -> Self {
        Self { device, process: Arc::downgrade(process), task: None, id: process.pid }
    }

    fn of_task(device: u64, task: &Arc<Task>) -> Self {
        let process = Arc::downgrade(&task.process);
        Self { device, process, task: Some(Arc::downgrade(task)), id: task.tid }
    }

    /// The process.
    pub fn process(&self) -> Result<Arc<Process>> {
        self.process.upgrade().ok_or(Errno::ESRCH)
    }

    /// The task, or the process's first; none of a process that has ended.
    pub fn task(&self) -> Result<Option<Arc<Task>>> {
        match &self.task {
            Some(task) => task.upgrade().ok_or(Errno::ESRCH).map(Some),
            None => {
                let process = self.process()?;
                let tasks = process.tasks();
                let task = tasks.iter().find(|task| task.is_leader()).or(tasks.first()).cloned();
                Ok(task.or_else(|| process.last_task.lock().clone()))
            }
        }
    }

    /// Whether it is a process as a whole.
    pub fn is_process(&self) -> bool {
        self.task.is_none()
    }

    /// Process id, or task id.
    pub fn id(&self) -> i32 {
        self.id
    }

    /// The process, if the caller may look into it (ptrace(2), PTRACE_MODE_READ).
    pub fn inspected(&self) -> Result<Arc<Process>> {
        let process = self.process()?;
        let asking = task::try_current().ok_or(Errno::EACCES)?.process.credentials();
        let (uid, gid) = owner(&process);
        let same = (asking.uid, asking.gid) == (uid, gid);
        if same || asking.capable(CAP_SYS_PTRACE) { Ok(process) } else { Err(Errno::EACCES) }
    }

    /// The process, if the caller may look into it and it has not ended.
    pub fn living(&self) -> Result<Arc<Process>> {
        let process = self.inspected()?;
        if process.zombie.load(Ordering::SeqCst) { Err(Errno::ENOENT) } else { Ok(process) }
    }

    /// An inode of this directory, by its place among the entries.
    pub fn identity(&self, place: u64, permissions: u32) -> Identity {
        let (uid, gid) = self.process().map_or((0, 0), |process| owner(&process));
        Identity::new(self.device, permissions).owned(uid, gid).numbered(self.number(place))
    }

    /// The inode number of an entry, by its place.
    pub fn number(&self, place: u64) -> u64 {
        /// Bits of an inode number below the id: descriptors have the upper half.
        const BITS: u32 = 22;
        let kind = if self.is_process() { 1 } else { 2 };
        kind << 60 | (self.id as u64) << BITS | place
    }
}

fn owner(process: &Process) -> (u32, u32) {
    let credentials = process.credentials();
    (credentials.uid, credentials.gid)
}

/// What an entry is.
enum Content {
    Text(fn(&Subject) -> Result<Vec<u8>>),
    Writable(fn(&Subject) -> Result<Vec<u8>>, fn(&Subject, &[u8]) -> Result<()>),
    Link(fn(&Subject) -> Result<LinkTarget>),
    Directory(fn(&Subject) -> Box<dyn DynamicDir>),
    File(fn(&Subject, Identity) -> Arc<dyn Inode>),
}

struct Entry {
    name: &'static str,
    permissions: u32,
    content: Content,
}

const fn text(name: &'static str, permissions: u32, make: fn(&Subject) -> Result<Vec<u8>>) -> Entry {
    Entry { name, permissions, content: Content::Text(make) }
}

/// A file that shows the one user namespace there is, which nobody changes any more (user_namespaces(7)).
const fn mapping(name: &'static str, make: fn(&Subject) -> Result<Vec<u8>>) -> Entry {
    Entry { name, permissions: 0o644, content: Content::Writable(make, |_, _| Err(Errno::EPERM)) }
}

const fn link(name: &'static str, target: fn(&Subject) -> Result<LinkTarget>) -> Entry {
    Entry { name, permissions: 0o777, content: Content::Link(target) }
}

const ENTRIES: &[Entry] = &[
    text("auxv", 0o400, |of| Ok(strings(&*of.inspected()?, |process| &process.auxiliary_vector))),
    text("cgroup", 0o444, |_| Ok(line("0::/"))),
    text("cmdline", 0o444, |of| Ok(strings(&*of.process()?, |process| &process.command_line))),
    Entry { name: "comm", permissions: 0o644, content: Content::Writable(comm, set_comm) },
    link("cwd", |of| Ok(LinkTarget::Jump(of.living()?.fs.lock().cwd.clone()))),
    text("environ", 0o400, |of| Ok(strings(&*of.inspected()?, |process| &process.environment))),
    link("exe", |of| of.living()?.exe.lock().clone().map(LinkTarget::Jump).ok_or(Errno::ENOENT)),
    Entry { name: "fd", permissions: 0o500, content: Content::Directory(descriptors::links) },
    Entry { name: "fdinfo", permissions: 0o555, content: Content::Directory(descriptors::infos) },
    mapping("gid_map", all_ids),
    text("io", 0o400, io),
    text("limits", 0o444, status::limits),
    text("loginuid", 0o444, |of| of.process().map(|_| UNSET.into())),
    text("maps", 0o444, maps::maps),
    Entry { name: "mem", permissions: 0o600, content: Content::File(MemoryFile::inode) },
    text("mountinfo", 0o444, |of| Ok(mountinfo_text(&of.process()?.fs.lock().root.clone()))),
    text("mounts", 0o444, |of| Ok(mounts_text(&of.process()?.fs.lock().root.clone()))),
    text("mountstats", 0o400, |of| Ok(mountstats_text(&of.process()?.fs.lock().root.clone()))),
    Entry { name: "ns", permissions: 0o511, content: Content::Directory(namespaces::directory) },
    // Nothing is killed for memory here.
    text("oom_score", 0o444, |of| of.process().map(|_| line(0))),
    Entry { name: "oom_score_adj", permissions: 0o644, content: Content::Writable(oom_score_adj, set_oom_score_adj) },
    text("personality", 0o400, personality),
    mapping("projid_map", all_ids),
    link("root", |of| Ok(LinkTarget::Jump(of.living()?.fs.lock().root.clone()))),
    text("schedstat", 0o444, schedstat),
    text("sessionid", 0o444, |of| of.process().map(|_| UNSET.into())),
    mapping("setgroups", |of| of.process().map(|_| line("allow"))),
    text("smaps", 0o444, maps::smaps),
    text("smaps_rollup", 0o444, maps::smaps_rollup),
    text("stat", 0o444, status::stat),
    text("statm", 0o444, maps::statm),
    text("status", 0o444, status::status),
    Entry { name: "timerslack_ns", permissions: 0o666, content: Content::Writable(timer_slack, set_timer_slack) },
    mapping("uid_map", all_ids),
    // Where in the kernel it waits is not told.
    text("wchan", 0o444, |of| of.process().map(|_| b"0".into())),
    // Only processes have it: has to be the last one.
    Entry { name: "task", permissions: 0o555, content: Content::Directory(|of| Box::new(Tasks(of.clone()))) },
];

/// The entries that a directory has.
fn entries(of: &Subject) -> &'static [Entry] {
    match ENTRIES.split_last() {
        Some((_, others)) if !of.is_process() => others,
        _ => ENTRIES,
    }
}

/// Strings that lie in the memory of a process, and end with it.
fn strings(process: &Process, which: fn(&Process) -> &Mutex<Vec<u8>>) -> Vec<u8> {
    if process.zombie.load(Ordering::SeqCst) { Vec::new() } else { which(process).lock().clone() }
}

fn comm(of: &Subject) -> Result<Vec<u8>> {
    Ok(match of.task()? {
        Some(task) => [status::name(&task).as_slice(), b"\n"].concat(),
        None => line(""),
    })
}

fn set_comm(of: &Subject, written: &[u8]) -> Result<()> {
    // A process's threads may name each other, nobody else may (proc_pid_comm(5)).
    let process = of.process()?;
    if !task::try_current().is_some_and(|task| Arc::ptr_eq(&task.process, &process)) {
        return Err(Errno::EINVAL);
    }
    let task = of.task()?.ok_or(Errno::ESRCH)?;
    let text = written.split(|&byte| byte == b'\n').next().unwrap_or(&[]);
    let mut name = [0; 16];
    name.iter_mut().take(15).zip(text).for_each(|(to, from)| *to = *from);
    *task.name.lock() = name;
    Ok(())
}

/// What loginuid and sessionid show of whoever did not log in (AUDIT_UID_UNSET and
/// AUDIT_SID_UNSET of linux/audit.h).
const UNSET: &[u8] = b"4294967295";

/// A mapping of all ids to themselves (user_namespaces(7)).
fn all_ids(of: &Subject) -> Result<Vec<u8>> {
    of.process()?;
    Ok(line(format!("{:>10} {:>10} {:>10}", 0, 0, u32::MAX)))
}

/// proc_pid_io(5): what read(2) and write(2) and their kin moved.
fn io(of: &Subject) -> Result<Vec<u8>> {
    let process = of.inspected()?;
    let used = match &of.task {
        Some(task) => task.upgrade().ok_or(Errno::ESRCH)?.usage(),
        None => process.usage(),
    };
    let Transfers { read, written, reads, writes } = used.transfers;
    Ok(line(format!(
        "rchar: {read}\nwchar: {written}\nsyscr: {reads}\nsyscw: {writes}\n\
         read_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0"
    )))
}

/// proc_pid_schedstat(5): time on a processor, time waited for one (which is not kept), turns.
fn schedstat(of: &Subject) -> Result<Vec<u8>> {
    let used = of.task()?.map_or(Usage::default(), |task| task.usage());
    Ok(line(format!("{} 0 {}", used.total(), used.waits + used.preemptions)))
}

fn timer_slack(of: &Subject) -> Result<Vec<u8>> {
    let task = of.task()?.ok_or(Errno::ESRCH)?;
    Ok(line(task.timer_slack.now.load(Ordering::Relaxed)))
}

/// As PR_SET_TIMERSLACK does; other tasks' needs CAP_SYS_NICE (proc_pid_timerslack_ns(5)).
fn set_timer_slack(of: &Subject, written: &[u8]) -> Result<()> {
    let text = core::str::from_utf8(written).map_err(|_| Errno::EINVAL)?.trim();
    let value: u64 = text.parse().map_err(|_| Errno::EINVAL)?;
    let task = of.task()?.ok_or(Errno::ESRCH)?;
    let asking = task::try_current().ok_or(Errno::EPERM)?;
    if !Arc::ptr_eq(&asking, &task) && !asking.process.credentials().capable(CAP_SYS_NICE) {
        return Err(Errno::EPERM);
    }
    let slack = &task.timer_slack;
    let value = if value == 0 { slack.standard.load(Ordering::Relaxed) } else { value };
    slack.now.store(value, Ordering::Relaxed);
    Ok(())
}

fn personality(of: &Subject) -> Result<Vec<u8>> {
    Ok(line(format!("{:08x}", of.inspected()?.flags.personality.load(Ordering::Relaxed))))
}

fn oom_score_adj(of: &Subject) -> Result<Vec<u8>> {
    Ok(line(of.process()?.flags.oom_score_adj.load(Ordering::Relaxed)))
}

fn set_oom_score_adj(of: &Subject, written: &[u8]) -> Result<()> {
    let text = core::str::from_utf8(written).map_err(|_| Errno::EINVAL)?.trim();
    let value: i32 = text.parse().map_err(|_| Errno::EINVAL)?;
    if !(-1000..=1000).contains(&value) {
        return Err(Errno::EINVAL);
    }
    let process = of.process()?;
    let asking = task::try_current().ok_or(Errno::EACCES)?.process.credentials();
    let kept = &process.flags.oom_score_adj;
    if value < kept.load(Ordering::Relaxed).min(0) && !asking.capable(CAP_SYS_RESOURCE) {
        return Err(Errno::EACCES);
    }
    kept.store(value, Ordering::Relaxed);
    Ok(())
}

impl Entry {
    fn kind(&self) -> FileType {
        match self.content {
            Content::Text(_) | Content::Writable(..) | Content::File(_) => FileType::Regular,
            Content::Link(_) => FileType::Symlink,
            Content::Directory(_) => FileType::Directory,
        }
    }

    fn inode(&self, of: &Subject, place: u64) -> Arc<dyn Inode> {
        let identity = of.identity(place, self.permissions);
        let of = of.clone();
        match self.content {
            Content::Text(make) => PseudoFile::new(identity, Box::new(move || make(&of))),
            Content::Writable(make, accept) => {
                let writer = of.clone();
                let accept = Box::new(move |bytes: &[u8]| accept(&writer, bytes));
                PseudoFile::writable(identity, Box::new(move || make(&of)), accept)
            }
            Content::File(make) => make(&of, identity),
            Content::Link(target) => PseudoLink::new(identity, Box::new(move || target(&of))),
            Content::Directory(make) => PseudoDir::with_dynamic(identity, make(&of)),
        }
    }
}

impl DynamicDir for Subject {
    fn lookup(&self, name: &[u8]) -> Result<Arc<dyn Inode>> {
        let mut numbered = entries(self).iter().zip(1..);
        let (entry, place) = numbered.find(|(entry, _)| entry.name.as_bytes() == name).ok_or(Errno::ENOENT)?;
        self.process().map_err(|_| Errno::ENOENT)?;
        Ok(entry.inode(self, place))
    }

    fn list(&self, position: u64) -> Vec<DynamicEntry> {
        let numbered = entries(self).iter().zip(1..).skip(usize::try_from(position).unwrap_or(usize::MAX));
        let show = |(entry, place): (&Entry, u64)| DynamicEntry {
            name: entry.name.as_bytes().to_vec(),
            kind: entry.kind(),
            ino: self.number(place),
            position: place - 1,
        };
        numbered.map(show).collect()
    }
}

fn directory(of: Subject) -> Arc<PseudoDir> {
    let identity = of.identity(0, 0o555);
    PseudoDir::with_dynamic(identity, Box::new(of))
}

fn directory_entry(of: &Subject) -> DynamicEntry {
    let name = format!("{}", of.id).into_bytes();
    DynamicEntry { name, kind: FileType::Directory, ino: of.number(0), position: of.id as u64 }
}

/// The process whose directory in /proc the file is, or that it is gone.
pub fn of_directory(file: &OpenFile) -> Option<Result<Arc<Process>>> {
    let inode: &dyn core::any::Any = &**file.inode();
    let subject = inode.downcast_ref::<PseudoDir>()?.dynamic_as::<Subject>()?;
    subject.is_process().then(|| subject.process())
}

/// Living tasks; of a zombie the last one.
fn shown_tasks(process: &Process) -> Vec<Arc<Task>> {
    let mut tasks = process.tasks();
    if tasks.is_empty() {
        tasks.extend(process.last_task.lock().clone());
    }
    tasks
}

/// /proc/PID/task.
struct Tasks(Subject);

impl DynamicDir for Tasks {
    fn lookup(&self, name: &[u8]) -> Result<Arc<dyn Inode>> {
        let tid = parse_number(name)?;
        let tasks = shown_tasks(&*self.0.process().map_err(|_| Errno::ENOENT)?);
        let task = tasks.iter().find(|task| task.tid == tid).ok_or(Errno::ENOENT)?;
        Ok(directory(Subject::of_task(self.0.device, task)))
    }

    fn list(&self, position: u64) -> Vec<DynamicEntry> {
        let Ok(process) = self.0.process() else { return Vec::new() };
        let mut tasks = shown_tasks(&process);
        tasks.retain(|task| task.tid as u64 >= position);
        tasks.sort_by_key(|task| task.tid);
        tasks.iter().map(|task| directory_entry(&Subject::of_task(self.0.device, task))).collect()
    }
}

/// The processes in /proc.
struct Processes {
    device: u64,
}

/// What /proc has besides its fixed entries.
pub(super) fn processes(device: u64) -> Box<dyn DynamicDir> {
    Box::new(Processes { device })
}

impl DynamicDir for Processes {
    fn lookup(&self, name: &[u8]) -> Result<Arc<dyn Inode>> {
        // A task's id leads to it too, though it is not listed (proc(5)).
        let id = parse_number(name)?;
        let process = process::find(id).or_else(|| Some(process::find_task(id)?.process.clone()));
        Ok(directory(Subject::of_process(self.device, &process.ok_or(Errno::ENOENT)?)))
    }

    fn list(&self, position: u64) -> Vec<DynamicEntry> {
        let processes = process::all();
        let listed = processes.iter().filter(|process| process.pid as u64 >= position);
        listed.map(|process| directory_entry(&Subject::of_process(self.device, process))).collect()
    }
}

/// Adds /proc/self, /proc/thread-self and /proc/mounts.
pub(super) fn add_links(proc: &PseudoFs) {
    let root = proc.directory();
    let add = |name: &str, target: fn() -> Result<Vec<u8>>| {
        let target = Box::new(move || target().map(LinkTarget::Text));
        root.add(name, PseudoLink::new(Identity::new(proc.device(), 0o777), target));
    };
    add("self", || Ok(format!("{}", caller()?.process.pid).into_bytes()));
    add("thread-self", || {
        let task = caller()?;
        Ok(format!("{}/task/{}", task.process.pid, task.tid).into_bytes())
    });
    add("mounts", || Ok(b"self/mounts".to_vec()));
}

fn caller() -> Result<Arc<Task>> {
    task::try_current().ok_or(Errno::ENOENT)
}
