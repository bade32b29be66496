//! From a request of the host to a program that runs.

use super::request::Request;
use super::{Place, Session, answer, place, pump, set, size};
use crate::boot;
use crate::exec::{self, Program};
use crate::files::FileTable;
use crate::mm::{Mm, copy_space, end_space};
use crate::process::{self, Process};
use crate::task::Task;
use crate::tty::{self, Master, Places, Streams, TtyFile};
use alloc::sync::Arc;
use alloc::vec::Vec;
use rkt_linux_abi::general::{O_RDONLY, O_RDWR, O_WRONLY};
use rkt_linux_abi::{Errno, Result};
use rkt_platform::{Registers, SpaceId};
use rkt_vfs::{FsContext, OpenFile, Resolve};
use rkt_window::layout::{session, session_state};
use rkt_window::{ByteRing, Region};

/// Starts what place `number` asks for. Runs in the first process's address space, and leaves it.
///
/// # Errors
/// As execve(2), and what the request itself lacks; nothing is left of the attempt.
pub fn program(number: usize) -> Result<()> {
    let place = place(number).ok_or(Errno::EINVAL)?;
    let request = Request::read(&place)?;
    let first = process::find(boot::FIRST_PID).ok_or(Errno::ESRCH)?;
    let mut context = boot::context(first.fs.lock().root.clone());
    let workdir = if request.workdir.is_empty() { &boot::manifest().workdir } else { &request.workdir };
    context.cwd = context.resolve(None, workdir, Resolve { directory: true, ..Resolve::FOLLOW })?;
    let streams = open_streams(&place, number, &request);
    let terminal = if request.terminal { Some(Master::new(pump)?) } else { None };
    let files = open_files(&context, &streams, terminal.as_deref())?;
    let process = Process::alone(process::allocate_id(), copy_memory(&first)?, files, context);
    let started = load(&process, request).and_then(|(task, registers)| {
        if let Some(master) = &terminal {
            master.tty.set_size(size(&place));
            master.tty.acquire(&process);
        }
        let running = Session { pid: process.pid, place, streams: streams.clone(), terminal: terminal.clone() };
        set(number, Place::Runs(Arc::new(running)));
        answer(number, session_state::RUNNING, 0);
        boot::start_task(&task, process.mm().space(), &registers, 0)
    });
    let started = started.inspect_err(|_| abandon(&process, &streams));
    // From now on the address space is the program's, or nobody's.
    rkt_sched::current().set_space(SpaceId::NONE);
    started
}

fn open_streams(place: &Region, number: usize, request: &Request) -> Arc<Streams> {
    let ring = |offset: usize| place.sub(offset, ByteRing::region_len(session::CAPACITY)).ok();
    let input = if request.input { ring(session::STDIN) } else { None };
    let places = Places { input, output: [ring(session::STDOUT), ring(session::STDERR)] };
    // The log counts the streams of the first program from 0, and those of place 0 from 3.
    let first = (number as u64).saturating_add(1).saturating_mul(3);
    Streams::open(places, first, rkt_platform::ring_session, number)
}

fn open_files(context: &FsContext, streams: &Arc<Streams>, terminal: Option<&Master>) -> Result<FileTable> {
    let files = FileTable::new();
    for (number, flags) in [O_RDONLY, O_WRONLY, O_WRONLY].into_iter().enumerate() {
        let file = match terminal {
            Some(master) => {
                let at = tty::path(master.number)?;
                OpenFile::new(at, TtyFile::new(&master.tty), O_RDWR, context.credentials.clone())
            }
            None => streams.file(number, flags, context),
        };
        files.insert(file, false, 0, u64::MAX)?;
    }
    Ok(files)
}

/// An address space is only ever made as a copy of another: that of the first process, in which the
/// running thread goes on.
fn copy_memory(first: &Process) -> Result<Mm> {
    let memory = first.mm();
    if !memory.users.try_join() {
        return Err(Errno::ESRCH);
    }
    rkt_sched::move_to(memory.space());
    let copy = memory.fork(copy_space);
    if let Ok(copy) = &copy {
        rkt_sched::move_to(copy.space());
    }
    if memory.users.leave() {
        end_space(memory.space());
    }
    copy
}

/// Maps the program where the copy was.
fn load(process: &Arc<Process>, request: Request) -> Result<(Arc<Task>, Registers)> {
    let Request { argv, env, .. } = request;
    let envp = merged(&boot::manifest().env, env);
    let name = argv.first().ok_or(Errno::EINVAL)?;
    let (file, name) = exec::find_program(process, name, &envp)?;
    let prepared = exec::prepare(process, Program { file, name, argv, envp })?;
    let task = Task::new(process.pid, process.clone(), prepared.task_name());
    process.mm().clear();
    rkt_platform::reset_space();
    process.set_mm(Mm::new(process.mm().space()));
    let registers = prepared.load(process, &process.mm(), false)?;
    process.add_task(&task);
    Ok((task, registers))
}

/// Variables, the given ones over those that there are.
fn merged(base: &[Vec<u8>], given: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let key = |variable: &[u8]| variable.split(|&byte| byte == b'=').next().unwrap_or(&[]).to_vec();
    let kept = base.iter().filter(|old| !given.iter().any(|new| key(new) == key(old))).cloned();
    kept.chain(given.iter().cloned()).collect()
}

/// Takes back a process that never ran.
fn abandon(process: &Arc<Process>, streams: &Streams) {
    for task in process.tasks() {
        drop(task.release_thread());
        process.remove_task(task.tid);
    }
    drop(process.files().close_all());
    streams.close();
    process::forget(process.pid);
    let mm = process.mm();
    if mm.users.leave() {
        // As at the end of a process: the aliases of shared folios go before the folios can.
        mm.clear();
        end_space(mm.space());
    }
}
