//! One enclave from its first process to its last.

use crate::bell::Bell;
use crate::clock::Reading;
use crate::console::{Console, Output, ring};
use crate::live::{self, Live};
use crate::outcome::{Death, Outcome};
use crate::sessions::Sessions;
use crate::stats::Stats;
use crate::sys::{self, Enclave, Handover};
use crate::terminal::Terminal;
use crate::window::{Header, SharedWindow};
use anyhow::{Context, Result, anyhow};
use rkt_virtio_device::Company;
use rkt_window::{Region, Side, layout, layout::header};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitOptions};
use std::ffi::CString;
use std::fs::File;
use std::io::{PipeReader, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often the enclave sees that we live.
const HEARTBEAT: Duration = Duration::from_millis(200);
/// Signals that are passed on to the program (DESIGN §3.7).
const FORWARDED: [i32; 6] = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGWINCH, libc::SIGCONT, libc::SIGTSTP];
/// Signals that are taken from the queue. SIGQUIT ends the run at once, as the way out when the
/// program does not react; taken here so that the terminal is restored.
const HANDLED: [i32; 8] = {
    let [a, b, c, d, e, f] = FORWARDED;
    [a, b, c, d, e, f, libc::SIGCHLD, libc::SIGQUIT]
};

/// What one run needs besides the window.
pub struct Launch<'a> {
    /// The `rkt-enclave` binary.
    pub enclave: &'a Path,
    /// The root image.
    pub image: OwnedFd,
    /// What the window's header says.
    pub header: Header<'a>,
    /// Standard input; `None` gives the program an empty one.
    pub stdin: Option<File>,
    /// The terminal of `-t`.
    pub terminal: Option<File>,
    /// Where output goes.
    pub output: Output,
    /// Where programs are asked for that are to run beside the first one.
    pub exec: Option<UnixListener>,
    /// A reading of the clock from when the command started.
    pub started: Reading,
    /// The report shall tell queues and sockets.
    pub live: bool,
}

/// What is known after a run.
#[derive(Debug)]
pub struct Report {
    /// How it ended.
    pub outcome: Outcome,
    /// The counters.
    pub stats: Stats,
    /// Queues and sockets, as the enclave told them last.
    pub live: Live,
}

/// Looks at an enclave that runs, from other threads.
#[derive(Clone, Copy)]
pub struct Observer {
    window: Region,
}

impl Observer {
    /// The counters now. Queues and sockets are those of a moment ago, if the enclave does not answer.
    ///
    /// # Errors
    /// If the window is none.
    pub fn look(&self) -> Result<(Stats, Live)> {
        /// Times that an answer is waited for, and how long each.
        const PATIENCE: (u32, Duration) = (100, Duration::from_millis(2));
        live::ask(&self.window)?;
        Bell::vcpu0(&self.window)?.ring();
        for _ in 0..PATIENCE.0 {
            if live::is_answered(&self.window)? {
                break;
            }
            std::thread::sleep(PATIENCE.1);
        }
        Ok((Stats::read(&self.window)?, live::read(&self.window)?))
    }
}

/// A window and the right to the signals of this process.
pub struct Supervisor {
    window: SharedWindow,
    company: Company,
}

impl Supervisor {
    /// Makes the window. From now on the calling thread and those that it starts leave the
    /// forwarded signals to [`Supervisor::run`]: call it before any device thread is started.
    ///
    /// # Errors
    /// If the host refuses the window.
    pub fn new(window_len: usize) -> Result<Self> {
        sys::block(&HANDLED);
        // A process in the background, too, may restore its terminal.
        sys::block(&[libc::SIGTTOU]);
        Ok(Self { window: SharedWindow::create(window_len)?, company: Company::default() })
    }

    /// The window, for devices.
    pub fn window(&self) -> Region {
        self.window.region()
    }

    /// The enclave's processes, for devices' threads that may share a processor with them.
    pub fn company(&self) -> Company {
        self.company.clone()
    }

    /// Who looks at the enclave while it runs.
    pub fn observer(&self) -> Observer {
        Observer { window: self.window.region() }
    }

    /// A descriptor of the window, for devices in other processes.
    ///
    /// # Errors
    /// If there are no more descriptors.
    pub fn window_descriptor(&self) -> std::io::Result<OwnedFd> {
        self.window.descriptor().try_clone_to_owned()
    }

    /// Starts the enclave, serves it and returns when it has ended and all of its output is
    /// written. Its processes end with the calling thread, at the latest.
    ///
    /// # Errors
    /// If it cannot be started, or the host refuses what serving it needs.
    pub fn run(self, launch: Launch<'_>) -> Result<Report> {
        let window = self.window.region();
        let terminal = launch.terminal.map(Terminal::new).transpose().context("-t needs a terminal")?;
        let _restored_at_the_end = terminal.as_ref().map(Terminal::guard);
        if let Some(terminal) = &terminal {
            terminal.publish(&window)?;
        }
        self.window.fill(&launch.header, launch.started.finish())?;
        self.window.region().write_u32(header::CAPTURE_ASKED, launch.output.capture.is_some().into())?;

        let (report, enclave) = self.start(launch.enclave, &launch.image)?;
        if launch.header.vcpus == 1 {
            self.company.started(enclave.main);
        }
        let mut processes = Processes { enclave, death: None };

        let (ended, drained) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let feeder = feeder(&window, launch.stdin)?;
        let console = Console::new(window, launch.output, terminal.clone(), Arc::clone(&ended))?;
        let done = Arc::clone(&drained);
        let console = std::thread::Builder::new().name("rkt-console".into()).spawn(move || {
            let result = console.run(feeder.as_ref());
            done.store(true, Ordering::Release);
            // Wakes the main thread, which waits for signals.
            let _ = rustix::process::kill_process(rustix::process::getpid(), Signal::CHILD);
            result
        })?;

        let sessions = Sessions::new(window, Arc::clone(&ended));
        launch.exec.map_or(Ok(()), |listener| sessions.listen(listener))?;
        let (vcpu, bell) = (Bell::vcpu0(&window)?, Bell::console(&window)?);
        let mut heart = Heart { window, next: Instant::now(), live: launch.live };
        let death = loop {
            heart.beat()?;
            let signal = sys::wait_for_signal(&HANDLED, heart.next.saturating_duration_since(Instant::now()));
            if let Some(signal) = signal {
                // When the program is gone, whoever ends us does not read its last words.
                let ends = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP].contains(&signal);
                if signal == libc::SIGQUIT || ends && processes.death.is_some() {
                    let outcome = Outcome::Signalled(signal as u8);
                    return Ok(Report { outcome, stats: Stats::read(&window)?, live: live::read(&window)? });
                }
                forward(&window, signal, terminal.as_ref())?;
                vcpu.ring();
            }
            if let Some(death) = processes.reap()? {
                ended.store(true, Ordering::Release);
                bell.ring();
                sessions.wake_all();
                if drained.load(Ordering::Acquire) {
                    break death;
                }
            }
        };
        let failure = console.join().map_err(|_| anyhow!("the console thread failed"))??;
        let outcome = Outcome::new(
            death,
            window.read_u32(header::EXIT_STATE)?,
            window.read_u32(header::EXIT_CODE)?,
            failure,
            exec_error(report),
        );
        Ok(Report { outcome, stats: Stats::read(&window)?, live: live::read(&window)? })
    }

    fn start(&self, enclave: &Path, image: &OwnedFd) -> Result<(PipeReader, Enclave)> {
        let program = CString::new(enclave.as_os_str().as_bytes()).context("path of the enclave binary")?;
        let null = File::options().read(true).write(true).open("/dev/null").context("cannot open /dev/null")?;
        let supervisor = rustix::process::pidfd_open(rustix::process::getpid(), PidfdFlags::empty())
            .context("cannot open a pidfd (Linux 5.9 or newer is needed)")?;
        let (read, write) = std::io::pipe().context("cannot make a pipe")?;
        let enclave = sys::launch(&Handover {
            program: &program,
            window: self.window.descriptor(),
            image: image.as_fd(),
            null: null.as_fd(),
            supervisor: supervisor.as_fd(),
            report: write.as_fd(),
        })
        .context("cannot make the enclave's process")?;
        Ok((read, enclave))
    }
}

/// Passes a signal on to the program, if it is one of those.
fn forward(window: &Region, signal: i32, terminal: Option<&Terminal>) -> Result<()> {
    if let Some(terminal) = terminal.filter(|_| signal == libc::SIGWINCH) {
        terminal.publish_size(window)?;
    }
    if FORWARDED.contains(&signal) {
        window.atomic_u32(header::SIGNALS)?.fetch_or(1 << (signal - 1), Ordering::Release);
    }
    Ok(())
}

/// The errno of a failed exec. The pipe's other end is closed: every holder is dead or has
/// executed something else.
fn exec_error(mut report: PipeReader) -> Option<i32> {
    let mut errno = [0; size_of::<i32>()];
    report.read_exact(&mut errno).ok().map(|()| i32::from_ne_bytes(errno))
}

/// Starts the thread that reads standard input, or ends the input at once.
fn feeder(window: &Region, stdin: Option<File>) -> Result<Option<std::thread::Thread>> {
    let ring = ring(window, layout::STDIN, layout::STDIO_CAPACITY, Side::Producer)?;
    let vcpu = Bell::vcpu0(window)?;
    let Some(from) = stdin else {
        // The enclave runs already and may be asleep waiting for input.
        ring.shut();
        vcpu.ring();
        return Ok(None);
    };
    let thread =
        std::thread::Builder::new().name("rkt-stdin".into()).spawn(move || crate::pump::feed(from, ring, vcpu))?;
    Ok(Some(thread.thread().clone()))
}

struct Heart {
    window: Region,
    next: Instant,
    /// The enclave is asked for its counters at each beat.
    live: bool,
}

impl Heart {
    fn beat(&mut self) -> Result<()> {
        let now = Instant::now();
        if now >= self.next {
            self.window.atomic_u64(header::HEARTBEAT)?.fetch_add(1, Ordering::Relaxed);
            self.next = now + HEARTBEAT;
            if self.live {
                live::ask(&self.window)?;
            }
        }
        Ok(())
    }
}

/// The enclave's processes. None outlives this value.
struct Processes {
    enclave: Enclave,
    death: Option<Death>,
}

impl Processes {
    fn main(&self) -> Option<Pid> {
        Pid::from_raw(self.enclave.main)
    }

    /// Reaps what has died; how the first process died, once it has. With it go all others.
    fn reap(&mut self) -> Result<Option<Death>> {
        let Some(main) = self.main().filter(|_| self.death.is_none()) else { return Ok(self.death) };
        // Looked at, but not reaped, so that its number still names its group.
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        if let Some(status) = rustix::process::waitid(WaitId::Pid(main), options).context("waitid")? {
            self.death = Some(match (status.exit_status(), status.terminating_signal()) {
                (Some(code), _) => Death::Exit(code as u8),
                (None, signal) => Death::Signal(signal.unwrap_or(libc::SIGKILL) as u8),
            });
            self.kill_all();
        } else {
            // Forked processes; the first one only if it died this very moment.
            self.reap_group(main, WaitOptions::NOHANG);
            if self.death.is_some() {
                self.kill_all();
            }
        }
        Ok(self.death)
    }

    fn reap_group(&mut self, main: Pid, options: WaitOptions) {
        loop {
            match rustix::process::waitpgid(main, options) {
                // A forked process ends with status 0, when its address space does. Any other end came from
                // outside: it may have held a lock of the kernel's or a vCPU, and the rest would wait for ever.
                Ok(Some((pid, status))) if pid == main || status.exit_status() != Some(0) => {
                    self.death.get_or_insert(match status.exit_status() {
                        Some(code) => Death::Exit(code as u8),
                        None => Death::Signal(status.terminating_signal().unwrap_or(libc::SIGKILL) as u8),
                    });
                }
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Ok(None) | Err(_) => return,
            }
        }
    }

    /// Ends and reaps every process. An init is only gone once all others of its namespace are
    /// reaped (pid_namespaces(7)), so it is waited for last.
    fn kill_all(&mut self) {
        let init = self.enclave.init.take().and_then(Pid::from_raw);
        for pid in self.main().into_iter().chain(init) {
            let _ = rustix::process::kill_process(pid, Signal::KILL);
        }
        if let Some(main) = self.main() {
            let _ = rustix::process::kill_process_group(main, Signal::KILL);
            self.reap_group(main, WaitOptions::empty());
            // Still there only if it died before it led a group.
            let _ = rustix::process::waitpid(Some(main), WaitOptions::empty());
        }
        if let Some(init) = init {
            let _ = rustix::process::waitpid(Some(init), WaitOptions::empty());
        }
        self.enclave.main = 0;
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        self.kill_all();
    }
}
