//! The enclave as the host sees it: its process, descriptors, calls, and the window.

use crate::run::{Running, text, until};
use rustix::process::Pid;
use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The enclave's first process, below the supervisor's.
pub fn enclave_of(supervisor: Pid) -> Pid {
    until("the enclave's process appears", || descendants(supervisor).into_iter().find(|pid| is_locked_down(*pid)))
}

/// How many host processes the enclave has: one for each address space that lives. What has ended goes a
/// little later than the program in it.
pub fn enclave_processes(supervisor: Pid) -> usize {
    let count = || descendants(supervisor).into_iter().filter(|pid| is_locked_down(*pid)).count();
    let start = std::time::Instant::now();
    loop {
        let found = count();
        if found <= 1 || start.elapsed() > SETTLED {
            return found;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

/// Long enough for the host to end processes, however busy it is.
const SETTLED: std::time::Duration = std::time::Duration::from_secs(30);

/// An enclave behind its lockdown: seccomp filters calls (proc_pid_status(5): mode 2).
fn is_locked_down(pid: Pid) -> bool {
    let status = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).unwrap_or_default();
    status.contains("rkt-enclave") && status.contains("\nSeccomp:\t2")
}

fn descendants(pid: Pid) -> Vec<Pid> {
    let tasks = fs::read_dir(format!("/proc/{}/task", pid.as_raw_nonzero())).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    let words: Vec<String> =
        lists.flat_map(|list| list.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect();
    let children = words.iter().filter_map(|word| Pid::from_raw(word.parse().ok()?));
    children.flat_map(|child| [vec![child], descendants(child)].concat()).collect()
}

/// What the descriptors of a process lead to.
pub fn descriptors(pid: Pid) -> Vec<PathBuf> {
    let folder = fs::read_dir(format!("/proc/{}/fd", pid.as_raw_nonzero())).expect("a process of ours");
    folder.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok()).collect()
}

/// The bytes of the DMA window, through the supervisor's descriptor.
pub fn window_of(supervisor: Pid) -> Vec<u8> {
    let folder = fs::read_dir(format!("/proc/{}/fd", supervisor.as_raw_nonzero())).expect("a process of ours");
    let mut paths = folder.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let is_window = |path: &PathBuf| fs::read_link(path).is_ok_and(|to| text(&to).starts_with("/memfd:rkt-window"));
    fs::read(paths.find(is_window).expect("the supervisor holds the window")).expect("the window can be read")
}

/// The calls that the image's own text may make once it runs (DESIGN §3.4). `restart_syscall` is
/// the host's way to go on with a `futex` wait after a stop (restart_syscall(2)).
pub const MAY_CALL: [&str; 18] = [
    "futex",
    "mmap",
    "munmap",
    "mremap",
    "mprotect",
    "madvise",
    "clone",
    "rt_sigreturn",
    "sigaltstack",
    "rt_sigprocmask",
    "timer_create",
    "timer_settime",
    "timer_gettime",
    "timer_getoverrun",
    "timer_delete",
    "exit",
    "exit_group",
    "restart_syscall",
];

/// A system call in a trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// How often it was carried out.
    pub made: usize,
    /// How often it was answered by SIGSYS instead: a call of the application on its way into
    /// the enclave's kernel.
    pub trapped: usize,
}

/// Calls by name.
pub type Traced = HashMap<String, Call>;

/// Traces the threads of `pid` while `work` runs.
pub fn trace(pid: Pid, work: impl FnOnce()) -> Traced {
    let log = tempfile::NamedTempFile::new().expect("a file for the trace");
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-s", "0", "-o", text(log.path()), "-p", &pid.as_raw_nonzero().to_string()]);
    let mut strace = Running::start(command.stdout(Stdio::null()).stderr(Stdio::null()));
    let traced = || {
        let status = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).ok()?;
        status.lines().find_map(|line| line.strip_prefix("TracerPid:\t")).filter(|tracer| *tracer != "0").map(drop)
    };
    until("strace attaches", traced);
    work();
    strace.signal(rustix::process::Signal::INT);
    strace.wait();
    count(&fs::read_to_string(log.path()).expect("the trace"))
}

/// Counts by name. A line is `TID call(…`, `TID <... call resumed>…` or `TID --- SIGNAL {…} ---`.
fn count(log: &str) -> Traced {
    let mut calls = Traced::new();
    let mut last: HashMap<&str, &str> = HashMap::new();
    for line in log.lines() {
        let Some((task, what)) = line.split_once(char::is_whitespace) else { continue };
        let what = what.trim_start();
        if what.starts_with("--- SIGSYS") {
            if let Some(call) = last.remove(task).and_then(|name| calls.get_mut(name)) {
                call.made -= 1;
                call.trapped += 1;
            }
        } else if let Some((name, _)) = what.split_once('(').filter(|_| !what.starts_with(['<', '-', '+'])) {
            calls.entry(name.to_owned()).or_default().made += 1;
            last.insert(task, name);
        }
    }
    calls
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trapped_calls_are_told_from_made_ones() {
        let log = "10 futex(0x1, FUTEX_WAIT, 1, NULL <unfinished ...>\n\
                   11 read(3, \"\"..., 5)     = 0\n\
                   11 --- SIGSYS {si_signo=SIGSYS, si_code=SYS_SECCOMP} ---\n\
                   11 rt_sigreturn({mask=[]}) = 0\n\
                   10 <... futex resumed>) = 0\n\
                   11 +++ exited with 0 +++\n";
        let calls = count(log);
        assert_eq!(calls["futex"], Call { made: 1, trapped: 0 });
        assert_eq!(calls["read"], Call { made: 0, trapped: 1 });
        assert_eq!(calls["rt_sigreturn"], Call { made: 1, trapped: 0 });
        assert_eq!(calls.len(), 3);
    }
}
