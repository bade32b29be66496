//! From the supervisor to the enclave's first instruction: namespaces, descriptors, signals.
//!
//! Three processes are made. The *launcher* borrows our memory like vfork(2), makes a PID
//! namespace for its children and is gone before [`launch`] returns. The *init* is the
//! namespace's first process and only waits for its death, with which the kernel kills all
//! others. The *enclave* is the second, because the first one may not be cloned with
//! CLONE_PARENT (clone(2)), which is how the enclave forks. Both are our own children, so we
//! reap all and PR_SET_PDEATHSIG ties them to us. Where namespaces are denied there is no init.

use rustix::fd::{AsRawFd, BorrowedFd};
use std::ffi::{CStr, c_int, c_void};
use std::io;
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};

/// What the enclave process is made from. All descriptors are close-on-exec.
pub(crate) struct Handover<'a> {
    /// The `rkt-enclave` binary.
    pub program: &'a CStr,
    /// Becomes descriptor 3.
    pub window: BorrowedFd<'a>,
    /// Becomes descriptor 4.
    pub image: BorrowedFd<'a>,
    /// `/dev/null`, which becomes 0, 1 and 2.
    pub null: BorrowedFd<'a>,
    /// A pidfd of this process, by which children see that it is still there.
    pub supervisor: BorrowedFd<'a>,
    /// Takes the errno of a failed exec, as a native-endian i32.
    pub report: BorrowedFd<'a>,
}

/// The processes that [`launch`] made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Enclave {
    /// The enclave's first process, leader of a process group of its own.
    pub main: i32,
    /// The init of its PID namespace.
    pub init: Option<i32>,
}

struct Launcher<'a> {
    handover: &'a Handover<'a>,
    own_namespace: bool,
    init: AtomicI32,
    main: AtomicI32,
    errno: AtomicI32,
}

/// Stack of the launcher, which calls nothing deep.
const STACK: usize = 64 << 10;
/// Where the enclave's descriptors are parked while 0 to 4 are filled.
const PARKED: c_int = 16;

/// Makes the enclave's processes. The calling thread has to live as long as they shall, as
/// PR_SET_PDEATHSIG watches the thread.
pub(crate) fn launch(handover: &Handover<'_>) -> io::Result<Enclave> {
    // With the right to make a PID namespace; with a user namespace that gives it; without.
    let ways = [(0, true), (libc::CLONE_NEWUSER, true), (0, false)];
    let mut last = io::Error::from_raw_os_error(libc::EPERM);
    for (flags, own_namespace) in ways {
        match attempt(handover, flags, own_namespace) {
            Ok(enclave) => return Ok(enclave),
            Err(e) => last = e,
        }
    }
    Err(last)
}

fn attempt(handover: &Handover<'_>, flags: c_int, own_namespace: bool) -> io::Result<Enclave> {
    let launcher = Launcher {
        handover,
        own_namespace,
        init: AtomicI32::new(0),
        main: AtomicI32::new(0),
        errno: AtomicI32::new(0),
    };
    let mut stack = vec![0u128; STACK / size_of::<u128>()];
    let top = stack.as_mut_ptr_range().end.cast::<c_void>();
    let arg = (&raw const launcher).cast_mut().cast::<c_void>();
    let flags = flags | libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: CLONE_VFORK stops this thread until the launcher has exited, so that stack and
    // argument outlive it; the launcher makes system calls only.
    let pid = unsafe { libc::clone(launcher_main, top, flags, arg) };
    if pid < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: our own dead child, whose status says no more than `errno` does.
    while unsafe { libc::waitpid(pid, ptr::null_mut(), 0) } < 0
        && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
    {}
    let init = launcher.init.into_inner();
    let main = launcher.main.into_inner();
    if main > 0 {
        return Ok(Enclave { main, init: (init > 0).then_some(init) });
    }
    if init > 0 {
        kill_and_reap(init);
    }
    Err(io::Error::from_raw_os_error(launcher.errno.into_inner()))
}

/// Kills a child that is alone in its namespace.
fn kill_and_reap(pid: i32) {
    // SAFETY: no pointers but null; the child is ours and not reaped yet.
    unsafe {
        libc::kill(pid, libc::SIGKILL);
        libc::waitpid(pid, ptr::null_mut(), 0);
    }
}

fn errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)
}

/// A copy of the calling process that has the same parent; 0 in the copy.
fn fork_sibling() -> i32 {
    // SAFETY: without CLONE_VM and without a stack this is fork(2): the copy goes on with a
    // copy of everything. It calls only what signal-safety(7) allows.
    let pid = unsafe { libc::syscall(libc::SYS_clone, libc::CLONE_PARENT | libc::SIGCHLD, 0, 0, 0, 0) };
    pid as i32
}

extern "C" fn launcher_main(arg: *mut c_void) -> c_int {
    // SAFETY: `attempt` passes a `Launcher` that outlives this process.
    let launcher = unsafe { &*arg.cast::<Launcher<'_>>() };
    // SAFETY: no pointers.
    if launcher.own_namespace && unsafe { libc::unshare(libc::CLONE_NEWPID) } != 0 {
        launcher.errno.store(errno(), Ordering::Relaxed);
        return 1;
    }
    if launcher.own_namespace {
        match fork_sibling() {
            0 => init_main(launcher.handover),
            pid => launcher.init.store(pid, Ordering::Relaxed),
        }
    }
    match fork_sibling() {
        0 => enclave_main(launcher.handover),
        pid => launcher.main.store(pid, Ordering::Relaxed),
    }
    launcher.errno.store(errno(), Ordering::Relaxed);
    0
}

fn exit_now(status: c_int) -> ! {
    // SAFETY: ends this process without running anything of its original.
    unsafe { libc::_exit(status) }
}

/// Asks to die with the supervisor, and does so at once if that is dead already.
fn die_with(supervisor: BorrowedFd<'_>) {
    let mut poll = libc::pollfd { fd: supervisor.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: the array of one outlives the call.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        if libc::poll(&raw mut poll, 1, 0) != 0 {
            exit_now(1);
        }
    }
}

fn init_main(handover: &Handover<'_>) -> ! {
    die_with(handover.supervisor);
    // SAFETY: no pointers but a static string.
    unsafe {
        libc::prctl(libc::PR_SET_NAME, c"rkt-init".as_ptr());
        libc::setsid();
        libc::syscall(libc::SYS_close_range, 0, libc::c_uint::MAX, 0);
        loop {
            libc::pause();
        }
    }
}

fn enclave_main(handover: &Handover<'_>) -> ! {
    die_with(handover.supervisor);
    // SAFETY: all pointers are to objects that live until the exec; none of the calls touches
    // memory that another process of ours uses.
    unsafe {
        libc::setsid();
        // The call itself, since libc keeps signals 32 and 33 from its users; all zeroes is SIG_DFL.
        let default = [0usize; 4];
        for signal in 1..=libc::SIGRTMAX() {
            libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), 0, 8);
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut());

        let park = |fd: BorrowedFd<'_>| libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, PARKED);
        let (window, image, null, report) =
            (park(handover.window), park(handover.image), park(handover.null), park(handover.report));
        for (from, to) in [(null, 0), (null, 1), (null, 2), (window, 3), (image, 4)] {
            if libc::dup2(from, to) < 0 {
                fail(report);
            }
        }
        // Whatever another thread opened without close-on-exec ends here too.
        libc::syscall(libc::SYS_close_range, 5, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC);

        let argv = [c"rkt-enclave".as_ptr(), ptr::null()];
        let envp = [ptr::null()];
        libc::execve(handover.program.as_ptr(), argv.as_ptr(), envp.as_ptr());
        fail(report)
    }
}

fn fail(report: c_int) -> ! {
    let errno = errno();
    // SAFETY: four bytes of the local are read. If the pipe is gone, so is the supervisor.
    unsafe { libc::write(report, (&raw const errno).cast(), size_of::<i32>()) };
    exit_now(127)
}
