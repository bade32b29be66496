//! Processes: what tasks share, and the tree of parents and children.

use crate::files::FileTable;
use crate::identity::Ids;
use crate::ipc::semaphore::Undo;
use crate::mm::{Limits, Mm};
use crate::signal::ProcessSignals;
use crate::task::Task;
use crate::tty::Tty;
use crate::usage::Usage;
use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, Ordering};
use rkt_linux_abi::general::{POLLHUP, POLLIN, SIGCHLD};
use rkt_sched::WaitQueue;
use rkt_sync::{Mutex, RwLock};
use rkt_vfs::{FsContext, OpenFile, Path};

/// How a process ended, in the shape of wait(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// exit or exit_group with this status.
    Code(u8),
    /// Killed by this signal; whether a core dump would have been written.
    Signal(u8, bool),
}

impl Ended {
    /// The status word of wait(2).
    pub fn wait_status(self) -> u32 {
        match self {
            Self::Code(code) => u32::from(code) << 8,
            Self::Signal(signal, core) => u32::from(signal) | if core { 0x80 } else { 0 },
        }
    }
}

/// A process.
pub struct Process {
    /// Process id.
    pub pid: i32,
    /// Process group.
    pub group: AtomicI32,
    /// Session.
    pub session: AtomicI32,
    parent: Mutex<Weak<Process>>,
    /// Children, dead ones until they are waited for.
    pub children: Mutex<Vec<Arc<Process>>>,
    /// Those who wait for a child of this process to change.
    pub child_changed: Arc<WaitQueue>,
    pub(crate) tasks: Mutex<Vec<Arc<Task>>>,
    /// The last task, of a zombie: what /proc still shows.
    pub last_task: Mutex<Option<Arc<Task>>>,
    mm: RwLock<Arc<Mm>>,
    /// Open files.
    pub files: RwLock<Arc<FileTable>>,
    /// Root, working directory, umask and credentials.
    pub fs: Mutex<FsContext>,
    /// User and group ids of its first task; see [`Process::ids`]. Locked before `fs`.
    pub(crate) first_ids: Mutex<Ids>,
    /// Whether its tasks have ids of their own.
    pub(crate) divided: AtomicBool,
    /// Signal actions and signals for the process as a whole.
    pub signals: ProcessSignals,
    /// The program.
    pub exe: Mutex<Option<Path>>,
    /// Arguments, for /proc/PID/cmdline.
    pub command_line: Mutex<Vec<u8>>,
    /// Environment at the start, for /proc/PID/environ.
    pub environment: Mutex<Vec<u8>>,
    /// What the program got as its auxiliary vector.
    pub auxiliary_vector: Mutex<Vec<u8>>,
    /// Resource limits: soft and hard, by RLIMIT_ number.
    pub limits: Mutex<[(u64, u64); 16]>,
    /// Set by the first task that ends the whole process.
    pub ended: Mutex<Option<Ended>>,
    /// All tasks have ended; the parent may collect the status.
    pub zombie: AtomicBool,
    /// Signal that the parent gets at the end (clone(2)); 0 = none.
    pub exit_signal: AtomicU32,
    /// The parent has the status: the process is no more.
    pub collected: AtomicBool,
    /// execve was called.
    pub executed: AtomicBool,
    /// A task writes a core, and ends the process then.
    dumping: AtomicBool,
    /// A task ends all others, in order to run another program.
    replacing: AtomicBool,
    /// Processes with the same number share root, working directory and umask (CLONE_FS); 0 = alone.
    place: AtomicI32,
    /// What ended tasks had used.
    pub ended_usage: Mutex<Usage>,
    /// The same of children that were waited for, and the most memory that one of them had.
    pub children_usage: Mutex<(Usage, u64)>,
    /// The most memory that the programs had that it ran before this one.
    pub earlier_peak: AtomicU64,
    /// Those who wait for the process to end or to release its parent (vfork, pidfd).
    pub changed: Arc<WaitQueue>,
    /// PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS, PR_SET_CHILD_SUBREAPER, PR_SET_PDEATHSIG.
    pub flags: ProcessFlags,
    /// Contexts of io_setup(2), by their ids.
    pub aio: Mutex<BTreeMap<u64, Arc<crate::aio::Context>>>,
    /// What SEM_UNDO takes back at the end.
    pub semaphore_undo: Mutex<Undo>,
    /// Controlling terminal.
    pub tty: Mutex<Option<Arc<Tty>>>,
    /// Of a session's leader whose terminal hung up: the group that was in the foreground; 0 = none.
    pub old_foreground: AtomicI32,
    /// alarm(2) and setitimer(2) ITIMER_REAL.
    pub real_timer: Mutex<Option<crate::signal::RealTimer>>,
}

/// Settings of prctl(2).
pub struct ProcessFlags {
    /// PR_SET_DUMPABLE.
    pub dumpable: AtomicU32,
    /// PR_SET_NO_NEW_PRIVS.
    pub no_new_privs: AtomicBool,
    /// PR_SET_CHILD_SUBREAPER.
    pub subreaper: AtomicBool,
    /// PR_SET_PDEATHSIG.
    pub parent_death_signal: AtomicU32,
    /// PR_SET_THP_DISABLE.
    pub thp_disable: AtomicBool,
    /// personality(2).
    pub personality: AtomicU32,
    /// /proc/PID/oom_score_adj: kept, nothing is killed for memory here.
    pub oom_score_adj: AtomicI32,
}

struct Registry {
    processes: BTreeMap<i32, Arc<Process>>,
    tasks: BTreeMap<i32, Weak<Task>>,
    next: i32,
}

static REGISTRY: Mutex<Registry> = Mutex::new(Registry { processes: BTreeMap::new(), tasks: BTreeMap::new(), next: 1 });

/// Largest process id (kernel.pid_max).
pub const PID_MAX: i32 = 4_194_304;

/// A process or task id that is not in use.
pub fn allocate_id() -> i32 {
    let mut registry = REGISTRY.lock();
    loop {
        let id = registry.next;
        registry.next = if id + 1 >= PID_MAX { 300 } else { id + 1 };
        if !registry.processes.contains_key(&id) && !registry.tasks.contains_key(&id) {
            return id;
        }
    }
}

/// The process with this id.
pub fn find(pid: i32) -> Option<Arc<Process>> {
    REGISTRY.lock().processes.get(&pid).cloned()
}

/// All processes.
pub fn all() -> Vec<Arc<Process>> {
    REGISTRY.lock().processes.values().cloned().collect()
}

/// The task with this id, in whatever process.
pub fn find_task(tid: i32) -> Option<Arc<Task>> {
    REGISTRY.lock().tasks.get(&tid)?.upgrade()
}

/// Whether no process, task or group has this id.
pub fn is_free(id: i32) -> bool {
    let registry = REGISTRY.lock();
    id < PID_MAX && !registry.processes.contains_key(&id) && !registry.tasks.contains_key(&id)
}

/// Takes an ended and collected process off the books.
pub fn forget(pid: i32) {
    let gone = REGISTRY.lock().processes.remove(&pid);
    if let Some(gone) = gone {
        gone.collected.store(true, Ordering::SeqCst);
        drop(gone.last_task.lock().take());
        gone.changed.wake_all(POLLIN | POLLHUP);
    }
}

/// A process that is about to be made, but for what it always has from its maker.
pub struct Birth {
    /// Process id.
    pub pid: i32,
    /// The parent: the maker, or the maker's (CLONE_PARENT).
    pub parent: Arc<Process>,
    /// Memory: a copy, or the maker's own (CLONE_VM), counted.
    pub mm: Arc<Mm>,
    /// Open files: a copy, or the maker's own (CLONE_FILES), counted.
    pub files: Arc<FileTable>,
    /// Signal actions.
    pub signals: ProcessSignals,
    /// Signal that the parent gets at the end; 0 = none.
    pub exit_signal: u32,
    /// Shares root, working directory and umask (CLONE_FS).
    pub shares_place: bool,
}

const RLIMIT_DATA: u32 = 2;
const RLIMIT_STACK: u32 = 3;
const RLIMIT_AS: u32 = 9;

/// Limits of a fresh system (getrlimit(2)), by RLIMIT_ number.
fn default_limits() -> [(u64, u64); 16] {
    const INFINITY: u64 = u64::MAX;
    let mut limits = [(INFINITY, INFINITY); 16];
    limits[3] = (8 << 20, INFINITY); // RLIMIT_STACK
    limits[4] = (0, INFINITY); // RLIMIT_CORE
    limits[6] = (95_000, 95_000); // RLIMIT_NPROC
    limits[7] = (1024, 1 << 20); // RLIMIT_NOFILE
    limits[8] = (8 << 20, 8 << 20); // RLIMIT_MEMLOCK
    limits[11] = (95_000, 95_000); // RLIMIT_SIGPENDING
    limits[12] = (819_200, 819_200); // RLIMIT_MSGQUEUE
    limits[13] = (0, 0); // RLIMIT_NICE
    limits[14] = (0, 0); // RLIMIT_RTPRIO
    limits
}

impl Process {
    /// A process that is nobody's child and leads a session: the first one, and those that the host asks for.
    pub fn alone(pid: i32, mm: Mm, files: FileTable, fs: FsContext) -> Arc<Process> {
        let process = Self::build(pid, Weak::new(), Arc::new(mm), Arc::new(files), fs, ProcessSignals::default());
        process.group.store(pid, Ordering::Relaxed);
        process.session.store(pid, Ordering::Relaxed);
        process
    }

    /// A child with what fork(2) passes on from `maker`.
    pub fn child(maker: &Arc<Process>, birth: Birth) -> Arc<Process> {
        let Birth { pid, parent, mm, files, signals, exit_signal, shares_place } = birth;
        let fs = maker.context();
        let child = Self::build(pid, Arc::downgrade(&parent), mm, files, fs, signals);
        let pass = |from: &AtomicI32, to: &AtomicI32| to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
        pass(&maker.group, &child.group);
        pass(&maker.session, &child.session);
        pass(&maker.flags.oom_score_adj, &child.flags.oom_score_adj);
        child.flags.personality.store(maker.flags.personality.load(Ordering::Relaxed), Ordering::Relaxed);
        child.exit_signal.store(exit_signal, Ordering::Relaxed);
        *child.first_ids.lock() = maker.ids();
        *child.tty.lock() = maker.tty.lock().clone();
        *child.limits.lock() = *maker.limits.lock();
        *child.exe.lock() = maker.exe.lock().clone();
        *child.command_line.lock() = maker.command_line.lock().clone();
        *child.environment.lock() = maker.environment.lock().clone();
        *child.auxiliary_vector.lock() = maker.auxiliary_vector.lock().clone();
        let pass = |from: &AtomicBool, to: &AtomicBool| to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
        pass(&maker.flags.no_new_privs, &child.flags.no_new_privs);
        pass(&maker.flags.thp_disable, &child.flags.thp_disable);
        child.flags.dumpable.store(maker.flags.dumpable.load(Ordering::Relaxed), Ordering::Relaxed);
        if shares_place {
            let _ = maker.place.compare_exchange(0, maker.pid, Ordering::Relaxed, Ordering::Relaxed);
            child.place.store(maker.place.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        parent.children.lock().push(child.clone());
        child
    }

    /// Changes root, working directory or umask, of all processes that share them.
    pub fn change_place(&self, change: impl Fn(&mut FsContext)) {
        change(&mut self.fs.lock());
        let place = self.place.load(Ordering::Relaxed);
        if place != 0 {
            let shares = |other: &Arc<Process>| other.pid != self.pid && other.place.load(Ordering::Relaxed) == place;
            all().into_iter().filter(shares).for_each(|other| change(&mut other.fs.lock()));
        }
    }

    /// Whether both share root, working directory and umask.
    pub fn shares_place_with(&self, other: &Process) -> bool {
        let place = self.place.load(Ordering::Relaxed);
        self.pid == other.pid || place != 0 && place == other.place.load(Ordering::Relaxed)
    }

    /// Has root, working directory and umask of its own from now on.
    pub fn unshare_place(&self) {
        self.place.store(0, Ordering::Relaxed);
    }

    /// Has a table of open files of its own from now on.
    pub fn unshare_files(&self) {
        let mut files = self.files.write();
        if files.users.alone() {
            return;
        }
        let own = Arc::new(files.fork());
        let shared = core::mem::replace(&mut *files, own);
        drop(files);
        if shared.users.leave() {
            drop(shared.close_all());
        }
    }

    /// Claims the right to write the core: one task of a process does, and the others stand still.
    pub fn begin_dump(&self) -> bool {
        !self.dumping.swap(true, Ordering::SeqCst)
    }

    /// Whether a task writes a core.
    pub fn is_dumping(&self) -> bool {
        self.dumping.load(Ordering::SeqCst)
    }

    /// Claims the right to run another program: one task of a process at a time may end all others.
    pub fn begin_replacing(&self) -> bool {
        !self.replacing.swap(true, Ordering::SeqCst)
    }

    /// The other tasks have ended.
    pub fn end_replacing(&self) {
        self.replacing.store(false, Ordering::SeqCst);
    }

    /// Whether a task ends all others.
    pub fn is_replacing(&self) -> bool {
        self.replacing.load(Ordering::SeqCst)
    }

    fn build(
        pid: i32,
        parent: Weak<Process>,
        mm: Arc<Mm>,
        files: Arc<FileTable>,
        fs: FsContext,
        signals: ProcessSignals,
    ) -> Arc<Process> {
        let process = Arc::new(Process {
            pid,
            group: AtomicI32::new(0),
            session: AtomicI32::new(0),
            parent: Mutex::new(parent),
            children: Mutex::new(Vec::new()),
            child_changed: Arc::new(WaitQueue::new()),
            tasks: Mutex::new(Vec::new()),
            last_task: Mutex::new(None),
            mm: RwLock::new(mm),
            files: RwLock::new(files),
            first_ids: Mutex::new(Ids::of(&fs.credentials)),
            divided: AtomicBool::new(false),
            fs: Mutex::new(fs),
            signals,
            exe: Mutex::new(None),
            command_line: Mutex::new(Vec::new()),
            environment: Mutex::new(Vec::new()),
            auxiliary_vector: Mutex::new(Vec::new()),
            limits: Mutex::new(default_limits()),
            ended: Mutex::new(None),
            zombie: AtomicBool::new(false),
            exit_signal: AtomicU32::new(SIGCHLD),
            collected: AtomicBool::new(false),
            executed: AtomicBool::new(false),
            dumping: AtomicBool::new(false),
            replacing: AtomicBool::new(false),
            place: AtomicI32::new(0),
            ended_usage: Mutex::default(),
            children_usage: Mutex::default(),
            earlier_peak: AtomicU64::new(0),
            changed: Arc::new(WaitQueue::new()),
            flags: ProcessFlags {
                dumpable: AtomicU32::new(1),
                personality: AtomicU32::new(0),
                no_new_privs: AtomicBool::new(false),
                subreaper: AtomicBool::new(false),
                parent_death_signal: AtomicU32::new(0),
                thp_disable: AtomicBool::new(false),
                oom_score_adj: AtomicI32::new(0),
            },
            aio: Mutex::default(),
            semaphore_undo: Mutex::new(Undo::new()),
            tty: Mutex::new(None),
            old_foreground: AtomicI32::new(0),
            real_timer: Mutex::new(None),
        });
        REGISTRY.lock().processes.insert(pid, process.clone());
        process
    }

    /// Parent process id; 0 if it has none.
    pub fn parent_id(&self) -> i32 {
        self.parent().map_or(0, |parent| parent.pid)
    }

    /// The parent; none for the first process and those that the host asked for.
    pub fn parent(&self) -> Option<Arc<Process>> {
        self.parent.lock().upgrade()
    }

    /// Gives the process a new parent.
    pub fn set_parent(&self, parent: &Arc<Process>) {
        *self.parent.lock() = Arc::downgrade(parent);
    }

    /// Memory.
    pub fn mm(&self) -> Arc<Mm> {
        self.mm.read().clone()
    }

    /// The limits of its memory.
    pub fn memory_limits(&self) -> Limits {
        let [space, data, stack] = [RLIMIT_AS, RLIMIT_DATA, RLIMIT_STACK].map(|resource| self.limit(resource));
        Limits { space, data, stack }
    }

    /// Replaces the memory: execve.
    pub fn set_mm(&self, mm: Mm) {
        self.earlier_peak.fetch_max(self.mm().peak(), Ordering::Relaxed);
        mm.set_limits(self.memory_limits());
        *self.mm.write() = Arc::new(mm);
    }

    /// The table of open files.
    pub fn files(&self) -> Arc<FileTable> {
        self.files.read().clone()
    }

    /// An entry of the program's auxiliary vector (getauxval(3)); 0 if there is none.
    pub fn auxiliary(&self, kind: u64) -> u64 {
        let vector = self.auxiliary_vector.lock();
        let (words, _) = vector.as_chunks();
        let mut words = words.iter().map(|word| u64::from_le_bytes(*word));
        while let (Some(found), Some(value)) = (words.next(), words.next()) {
            if found == kind {
                return value;
            }
        }
        0
    }

    /// The open file with this number.
    ///
    /// # Errors
    /// `EBADF`.
    pub fn file(&self, fd: i32) -> rkt_linux_abi::Result<Arc<OpenFile>> {
        self.files.read().get(fd)
    }

    /// Adds a task.
    pub fn add_task(&self, task: &Arc<Task>) {
        let mut tasks = self.tasks.lock();
        self.share_rights(task);
        tasks.push(task.clone());
        drop(tasks);
        REGISTRY.lock().tasks.insert(task.tid, Arc::downgrade(task));
    }

    /// Removes a task; gives the number that remain.
    pub fn remove_task(&self, tid: i32) -> usize {
        // Off the books first: execve gives the number away as soon as the list is short enough.
        REGISTRY.lock().tasks.remove(&tid);
        let mut tasks = self.tasks.lock();
        tasks.retain(|task| task.tid != tid);
        tasks.len()
    }

    /// Living tasks.
    pub fn tasks(&self) -> Vec<Arc<Task>> {
        self.tasks.lock().clone()
    }

    /// Number of living tasks.
    pub fn task_count(&self) -> usize {
        self.tasks.lock().len()
    }

    /// Orders every task to end, with this result unless one was set before.
    pub fn end(&self, how: Ended) {
        self.ended.lock().get_or_insert(how);
        for task in self.tasks() {
            task.kill();
        }
    }

    /// Soft limit of a resource (RLIMIT_ number).
    pub fn limit(&self, resource: u32) -> u64 {
        self.limits.lock().get(resource as usize).map_or(u64::MAX, |limit| limit.0)
    }
}
