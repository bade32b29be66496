//! From the platform's hands to the first program.

use crate::exec::{self, Program};
use crate::files::FileTable;
use crate::mm::{Area, Backing, Mm};
use crate::process::Process;
use crate::task::{Task, TaskHandle};
use crate::tty::{self, console};
use crate::{log, rootfs, syscall};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use rkt_linux_abi::general::{O_RDONLY, O_RDWR, O_WRONLY};
use rkt_linux_abi::{Errno, Result};
use rkt_log::Event;
use rkt_manifest::{Interface, Ipv4, Ipv6, Manifest, RootIdentity};
use rkt_net::Configuration;
use rkt_platform::{Exit, Region, Registers, SpaceId, Upcalls};
use rkt_sched::{Poller, Thread};
use rkt_sync::OnceCell;
use rkt_user::UserPtr;
use rkt_vfs::tmpfs::TmpFs;
use rkt_vfs::{Credentials, FsContext, Path, Resolve};
use rkt_window::layout::{self, header};

/// Process id of the program that the manifest names.
pub const FIRST_PID: i32 = 1;

static MANIFEST: OnceCell<Manifest> = OnceCell::new();

/// The measured configuration.
///
/// # Panics
/// Before [`start`] has read it: a bug in the kernel.
pub fn manifest() -> &'static Manifest {
    match MANIFEST.get() {
        Some(manifest) => manifest,
        None => panic!("no manifest yet"),
    }
}

/// Bytes of memory that the manifest grants; without one, as in tests of parts of the kernel, any number.
pub fn memory() -> u64 {
    MANIFEST.get().map_or(u64::MAX, |manifest| manifest.memory)
}

/// Whether the host may have a second program started.
pub fn allows_exec() -> bool {
    MANIFEST.get().is_some_and(|manifest| manifest.allow_exec)
}

/// Whether a debugger of the host may be told where things lie.
pub fn allows_debugging() -> bool {
    MANIFEST.get().is_some_and(|manifest| manifest.debug)
}

/// Boots: reads the manifest, mounts the root, starts the first program and runs the idle loop.
pub fn start(image: Region) -> ! {
    if let Err((event, text)) = try_start(image) {
        log::refusal(event, &text);
        rkt_platform::exit(Exit::Failed);
    }
    rkt_sched::idle_loop()
}

type Refusal = (Event, String);

fn try_start(image: Region) -> core::result::Result<(), Refusal> {
    let manifest = read_manifest()?;
    let manifest = MANIFEST.get_or_init(|| manifest);
    console::start(manifest.stdio);
    syscall::strace::start(manifest.debug);
    let unpacked = match &manifest.root {
        RootIdentity::Image { digest } => {
            Some(rootfs::open(image, digest, manifest.memory).map_err(|event| (event, String::new()))?)
        }
        RootIdentity::Disk => None,
    };
    crate::devices::start(manifest)?;
    rkt_sched::set_poller(Poller {
        poll,
        has_work,
        deadline: crate::devices::deadline,
        parking: crate::devices::parking,
    });
    if rkt_platform::window().read_u32(header::POLL).unwrap_or(0) == 1 {
        rkt_sched::set_spin(u64::MAX);
    }
    rkt_user::set_prefault(crate::mm::prefault);
    rkt_vfs::ops::on_shortened(crate::mm::shortened);
    rkt_vfs::on_file_signal(crate::signal::tell_owner);
    rkt_vfs::on_current_credentials(|| Some(crate::task::try_current()?.process.credentials()));
    // In a thread: mounting a disk waits for it.
    let begin = Box::new(move || {
        let started = mount_root(manifest, unpacked).and_then(|root| start_program(manifest, &root));
        if let Err((event, text)) = started {
            log::refusal(event, &text);
            rkt_platform::exit(Exit::Failed);
        }
    });
    rkt_sched::spawn(SpaceId::FIRST, begin).ok_or((Event::NoMemory, String::new()))?;
    rkt_platform::start(Upcalls {
        syscall: syscall::enter,
        syscall32: syscall::enter32,
        fault: syscall::fault,
        tick: syscall::tick,
        reserve_near,
        patch,
        prove: crate::mm::prove,
        idle: || rkt_sched::idle_loop(),
    });
    Ok(())
}

/// Mounts the root, unpacked from an image or on a disk, with what a program finds there.
fn mount_root(manifest: &Manifest, unpacked: Option<Arc<TmpFs>>) -> core::result::Result<Path, Refusal> {
    let refuse = |what: &'static str| move |error: Errno| (Event::ImageMalformed, format!("{what}: {error}"));
    let root = match unpacked {
        Some(fs) => rootfs::mount(fs, 0, manifest.memory),
        None => {
            let (fs, flags) = crate::disks::root(manifest)?;
            rootfs::mount(fs, flags, manifest.memory)
        }
    };
    let root = root.map_err(refuse("mounting the root"))?;
    match rootfs::configure(&root, manifest) {
        // A root that is never written has its own names.
        Ok(()) | Err(Errno::EROFS) => {}
        Err(error) => return Err(refuse("writing /etc")(error)),
    }
    tty::mount(&root).map_err(refuse("mounting /dev/pts"))?;
    crate::procfs::mount(&root).map_err(refuse("mounting /proc"))?;
    Ok(root)
}

/// Mounts the disks and starts the first program.
fn start_program(manifest: &'static Manifest, root: &Path) -> core::result::Result<(), Refusal> {
    crate::disks::mount(manifest, root)?;
    let process = first_process(manifest, root)?;
    spawn_first(&process, manifest)
}

fn read_manifest() -> core::result::Result<Manifest, Refusal> {
    let window = rkt_platform::window();
    let bad = |text: &str| (Event::BadManifest, String::from(text));
    let len = window.read_u32(header::MANIFEST_LEN).map_err(|_| bad("no length"))? as usize;
    if len > layout::MANIFEST_MAX {
        return Err(bad("too long"));
    }
    let mut bytes = vec![0; len];
    window.read(layout::MANIFEST, &mut bytes).map_err(|_| bad("too long"))?;
    let manifest = Manifest::decode(&bytes).map_err(|error| bad(&format!("{error}")))?;
    let digest = rkt_manifest::digest(&bytes);
    let words: Vec<u64> =
        digest.chunks_exact(8).map(|b| b.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte))).collect();
    log::event(Event::Boot, &words);
    Ok(manifest)
}

/// What the manifest's user starts with.
pub fn context(root: Path) -> FsContext {
    let user = &manifest().user;
    let credentials = Credentials {
        uid: user.uid,
        gid: user.gid,
        groups: user.groups.clone(),
        capabilities: if user.uid == 0 { crate::identity::ALL_CAPABILITIES } else { 0 },
    };
    FsContext { cwd: root.clone(), root, umask: 0o022, credentials: Arc::new(credentials) }
}

fn first_process(manifest: &Manifest, root: &Path) -> core::result::Result<Arc<Process>, Refusal> {
    let mut context = context(root.clone());
    context.cwd = context
        .resolve(None, &manifest.workdir, Resolve { directory: true, ..Resolve::FOLLOW })
        .map_err(|error| (Event::NoWorkdir, format!("{}: {error}", String::from_utf8_lossy(&manifest.workdir))))?;
    let files = FileTable::new();
    open_stdio(&files, &context).map_err(|error| (Event::NoDevice, format!("standard streams: {error}")))?;
    let id = crate::process::allocate_id();
    let process = Process::alone(id, Mm::new(SpaceId::FIRST), files, context);
    if let Some(tty) = console::terminal() {
        tty.acquire(&process);
    }
    Ok(process)
}

fn open_stdio(files: &FileTable, context: &FsContext) -> Result<()> {
    for number in 0..3 {
        let (path, flags): (&[u8], u32) = match (console::is_open(number), number) {
            (false, 0) => (b"/dev/null", O_RDONLY),
            (false, _) => (b"/dev/null", O_WRONLY),
            (true, _) if console::is_terminal() => (b"/dev/console", O_RDWR),
            (true, 0) => (b"/dev/console", O_RDONLY),
            (true, _) => (b"/dev/console", O_WRONLY),
        };
        let root = FsContext { credentials: Arc::new(Credentials::root()), ..context.clone() };
        let at = root.resolve(None, path, Resolve::FOLLOW)?;
        let file = match console::open(at.clone(), number, flags, context).filter(|_| console::is_open(number)) {
            Some(file) => file,
            None => rkt_vfs::open_path(&root, at, flags, true)?,
        };
        files.insert(file, false, 0, u64::MAX)?;
    }
    Ok(())
}

fn spawn_first(process: &Arc<Process>, manifest: &'static Manifest) -> core::result::Result<(), Refusal> {
    let shown = |error: Errno| {
        let name = manifest.argv.first().map_or(String::new(), |name| String::from_utf8_lossy(name).into_owned());
        let event = match error {
            Errno::ENOENT | Errno::ENOTDIR => Event::ProgramNotFound,
            Errno::EACCES => Event::ProgramNotExecutable,
            Errno::ENOMEM => Event::NoMemory,
            _ => Event::ElfInvalid,
        };
        (event, format!("{name}: {error}"))
    };
    let name = manifest.argv.first().map(Vec::as_slice).unwrap_or_default();
    let (file, name) = exec::find_program(process, name, &manifest.env).map_err(shown)?;
    let program = Program { file, name, argv: manifest.argv.clone(), envp: manifest.env.clone() };
    let prepared = exec::prepare(process, program).map_err(|error| match error {
        Errno::ENOENT => (Event::InterpreterMissing, String::new()),
        error => shown(error),
    })?;
    let task = Task::new(process.pid, process.clone(), prepared.task_name());
    process.add_task(&task);
    let registers = prepared.load(process, &process.mm(), false).map_err(shown)?;
    start_when_configured(&task, &registers).map_err(shown)
}

/// How long the program waits for addresses that servers and routers give, in nanoseconds.
const CONFIGURATION_WAIT: u64 = 10_000_000_000;

/// Lets the first task run: at once if the network is as the manifest says, else when it has been configured.
/// From then on /etc/resolv.conf follows what servers and routers name.
fn start_when_configured(task: &Arc<Task>, registers: &Registers) -> Result<()> {
    let manifest = manifest();
    let asks = |interface: &Interface| interface.ipv4 == Ipv4::Dhcp || interface.ipv6 != Ipv6::None;
    let Some(net) = crate::devices::net().filter(|_| manifest.network.iter().any(asks)) else {
        return start_task(task, SpaceId::FIRST, registers, 0);
    };
    let (task, registers) = (task.clone(), *registers);
    let root = task.process.fs.lock().root.clone();
    let wait = move || {
        let deadline = rkt_platform::now().saturating_add(CONFIGURATION_WAIT);
        let mut now = net.configuration();
        while !now.complete && rkt_platform::now() < deadline {
            now = net.await_configuration(&now, Some(deadline));
        }
        follow_resolvers(&root, &now);
        if start_task(&task, SpaceId::FIRST, &registers, 0).is_err() {
            log::refusal(Event::NoMemory, "");
            rkt_platform::exit(Exit::Failed);
        }
        drop(task);
        loop {
            let next = net.await_configuration(&now, None);
            if next.resolvers != now.resolvers {
                follow_resolvers(&root, &next);
            }
            now = next;
        }
    };
    rkt_sched::spawn(SpaceId::FIRST, Box::new(wait)).map(drop).ok_or(Errno::EAGAIN)
}

fn follow_resolvers(root: &Path, now: &Configuration) {
    // A program may have removed /etc: then it has no use for the file.
    let _ = rootfs::write_resolvers(root, manifest(), &now.resolvers);
}

/// Makes the thread of a task and lets it run, with these registers and FS base.
///
/// # Errors
/// `EAGAIN` if there is no memory for it.
pub fn start_task(task: &Arc<Task>, space: SpaceId, registers: &Registers, fs_base: u64) -> Result<()> {
    let thread = prepare_task(task, space, 0, None)?;
    thread.prepare_user(registers, |state| state.fs_base = fs_base);
    thread.wake();
    Ok(())
}

/// Makes the thread of a task without letting it run. `word`: an address that the task writes its
/// number to first (CLONE_CHILD_SETTID), for Linux ignores errors; 0 = none. `copied`: the memory, if it
/// is a fresh copy of the parent's.
///
/// # Errors
/// `EAGAIN` if there is no memory for it.
pub fn prepare_task(task: &Arc<Task>, space: SpaceId, word: u64, copied: Option<Arc<Mm>>) -> Result<Arc<Thread>> {
    let handle = Arc::new(TaskHandle(task.clone()));
    let tid = task.tid;
    let entry = move || {
        if let Some(mm) = copied {
            mm.begin_child();
        }
        if word != 0 {
            let _ = UserPtr::<i32>::new(word).write(&tid);
        }
        rkt_platform::enter_user()
    };
    let thread = Thread::new(space, Some(handle), Box::new(entry)).ok_or(Errno::EAGAIN)?;
    task.set_thread(&thread);
    Ok(thread)
}

/// Looks after everything that can have moved outside: devices, streams, requests of the host.
pub fn poll() -> bool {
    let timers = rkt_sched::expire_timers();
    let host = crate::host_signals::poll();
    let streams = console::poll();
    let devices = crate::devices::poll();
    let sessions = crate::session::poll();
    let live = crate::live::poll();
    timers | host | streams | devices | sessions | live
}

fn has_work() -> bool {
    crate::host_signals::pending()
        || console::has_work()
        || crate::devices::has_work()
        || crate::session::has_work()
        || crate::live::pending()
}

/// Publishes what devices count.
pub fn publish_device_stats() {
    crate::devices::publish_stats();
}

/// Distance within which trampolines have to lie from the text that jumps to them.
const REACH: u64 = 1 << 30;

fn reserve_near(near: u64, len: u64) -> Option<u64> {
    let mm = crate::task::current().process.mm();
    let mut inner = mm.lock();
    let at = inner.place_near(near, len, REACH)?;
    inner.reserve(at, len);
    Some(at)
}

fn patch(page: u64, len: u64, apply: &mut dyn FnMut()) -> bool {
    let mm = crate::task::current().process.mm();
    let inner = mm.lock();
    // A restarted call traps at the `syscall` of its own trampoline: that is none of the program's.
    let is_text =
        |area: &Area| area.protection.execute && !area.protection.write && !matches!(area.backing, Backing::Reserved);
    let good = inner.is_covered(page, page + len) && inner.overlapping(page, page + len).all(is_text);
    if good {
        apply();
    }
    good
}
