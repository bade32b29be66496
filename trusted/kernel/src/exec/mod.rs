//! execve(2): from a path to a program that is ready to run.

mod load;
mod stack;
mod vdso;

use crate::mm::{Layout, Mm, copy_space, end_space, spare_space};
use crate::process::Process;
use crate::task::Task;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use rkt_elf::{ElfError, SCRIPT_LEN, Script};
use rkt_linux_abi::general::{O_RDONLY, POLLIN, SIGCHLD};
use rkt_linux_abi::{Errno, Result};
use rkt_platform::Registers;
use rkt_user::IoSink;
use rkt_vfs::{FileType, FsContext, MAY_EXEC, MAY_READ, OpenFile, Path, Resolve};

/// Most interpreters in a row (execve(2)).
const MAX_DEPTH: usize = 5;
/// Most bytes of arguments and environment together: a quarter of the stack's limit.
pub const ARGUMENTS_MAX: usize = 2 << 20;
/// Most bytes of one string (MAX_ARG_STRLEN).
pub const STRING_MAX: usize = 32 * 4096;

/// What to run.
pub struct Program {
    /// The file.
    pub file: Arc<OpenFile>,
    /// The path as it was given: AT_EXECFN.
    pub name: Vec<u8>,
    /// Arguments.
    pub argv: Vec<Vec<u8>>,
    /// Environment.
    pub envp: Vec<Vec<u8>>,
}

/// A program that can be loaded: nothing can fail any more but for want of memory.
pub struct Prepared {
    program: Program,
    image: load::Image,
    interpreter: Option<load::Image>,
}

/// Why a program is not run, as execve(2) says it.
pub fn elf_errno(error: ElfError) -> Errno {
    match error {
        ElfError::Segment(_) | ElfError::Overlap(_) => Errno::EINVAL,
        _ => Errno::ENOEXEC,
    }
}

/// Opens a file for execution.
///
/// # Errors
/// `ENOENT`, `EACCES`, and the rest of execve(2).
pub fn open(process: &Process, base: Option<&Path>, path: &[u8], how: Resolve) -> Result<Arc<OpenFile>> {
    let (context, at) = find(process, base, path, how)?;
    rkt_vfs::open_program(&context, at)
}

/// Looks a program up as a shell does, with `PATH` of an environment; gives the path that was found.
///
/// # Errors
/// As [`open`].
pub fn find_program(process: &Process, name: &[u8], env: &[Vec<u8>]) -> Result<(Arc<OpenFile>, Vec<u8>)> {
    if name.contains(&b'/') {
        return Ok((open(process, None, name, Resolve::FOLLOW)?, name.to_vec()));
    }
    let path = env.iter().find_map(|entry| entry.strip_prefix(b"PATH=")).unwrap_or(b"/usr/bin:/bin");
    let mut denied = Errno::ENOENT;
    for directory in path.split(|&byte| byte == b':') {
        let candidate = [directory, name].join(&b'/');
        match open(process, None, &candidate, Resolve::FOLLOW) {
            Ok(file) => return Ok((file, candidate)),
            Err(Errno::ENOENT | Errno::ENOTDIR) => {}
            Err(error) => denied = error,
        }
    }
    Err(denied)
}

/// Opens the interpreter of a program: it may be written while it runs, as any library.
fn open_interpreter(process: &Process, path: &[u8]) -> Result<Arc<OpenFile>> {
    let (context, at) = find(process, None, path, Resolve::FOLLOW)?;
    // The file is read on behalf of the kernel: execute permission is enough.
    rkt_vfs::open_path(&context, at, O_RDONLY, true)
}

fn find(process: &Process, base: Option<&Path>, path: &[u8], how: Resolve) -> Result<(FsContext, Path)> {
    let context = process.context();
    let at = context.resolve(base, path, how)?;
    if at.inode().kind() == FileType::Symlink {
        return Err(Errno::ELOOP);
    }
    if at.inode().kind() != FileType::Regular {
        return Err(Errno::EACCES);
    }
    rkt_vfs::ops::access(&context, &at, MAY_EXEC)?;
    Ok((context, at))
}

/// Looks at the file, follows `#!` lines and finds the interpreter.
///
/// # Errors
/// As execve(2).
pub fn prepare(process: &Process, mut program: Program) -> Result<Prepared> {
    for _ in 0..MAX_DEPTH {
        let head = load::read_head(&program.file)?;
        let line = head.get(..SCRIPT_LEN.min(head.len())).unwrap_or(&[]);
        let Some(script) = Script::parse(line).map_err(|_| Errno::ENOEXEC)? else {
            return prepare_elf(process, program, &head);
        };
        let interpreter = script.interpreter.to_vec();
        let mut argv = Vec::with_capacity(program.argv.len() + 2);
        argv.push(interpreter.clone());
        argv.extend(script.argument.map(<[u8]>::to_vec));
        argv.push(program.name.clone());
        argv.extend(program.argv.drain(..).skip(1));
        program.argv = argv;
        program.file = open(process, None, &interpreter, Resolve::FOLLOW)?;
    }
    Err(Errno::ELOOP)
}

fn prepare_elf(process: &Process, program: Program, head: &[u8]) -> Result<Prepared> {
    let image = load::Image::parse(&program.file, head)?;
    let interpreter = match image.interpreter_path()? {
        None => None,
        Some(path) => {
            let file = open_interpreter(process, &path)?;
            let head = load::read_head(&file)?;
            Some(load::Image::parse(&file, &head).map_err(|_| Errno::ELIBBAD)?)
        }
    };
    Ok(Prepared { program, image, interpreter })
}

impl Prepared {
    /// Maps the program into an empty address space and gives the registers to start with.
    /// Runs in that address space. `secure`: the program has more rights than its caller.
    ///
    /// # Errors
    /// `ENOMEM` and other failures of mapping; the address space is then useless.
    pub fn load(self, process: &Process, mm: &Mm, secure: bool) -> Result<Registers> {
        let main = self.image.map(mm, load::PROGRAM_BASE)?;
        let entry = match &self.interpreter {
            None => main,
            Some(interpreter) => interpreter.map(mm, 0)?,
        };
        let base = if self.interpreter.is_some() { entry.bias } else { 0 };
        {
            let mut inner = mm.lock();
            let brk = main.end;
            inner.layout = Layout { brk_start: brk, brk, code: main.code, ..Layout::default() };
        }
        let vdso = vdso::map(mm)?;
        let sp = stack::build(process, mm, &self.program, &main, stack::Start { interpreter: base, vdso, secure })?;
        *process.exe.lock() = Some(self.program.file.path().clone());
        let joined =
            |strings: &[Vec<u8>]| strings.iter().flat_map(|string| string.iter().copied().chain([0])).collect();
        *process.command_line.lock() = joined(&self.program.argv);
        *process.environment.lock() = joined(&self.program.envp);
        // Flags as after a fresh execve: interrupts on, the reserved bit.
        Ok(Registers { rip: entry.entry, rsp: sp, rflags: 0x202, full: 1, orig_rax: u64::MAX, ..Registers::default() })
    }

    /// The last component of the program's name, for the task.
    pub fn task_name(&self) -> [u8; 16] {
        let last = self.program.name.rsplit(|&byte| byte == b'/').next().unwrap_or(&[]);
        let mut name = [0; 16];
        for (to, from) in name.iter_mut().take(15).zip(last) {
            *to = *from;
        }
        name
    }
}

/// Reads up to `into.len()` bytes at an offset, for the kernel.
pub(crate) fn read_at(file: &OpenFile, offset: u64, into: &mut [u8]) -> Result<usize> {
    let offset = i64::try_from(offset).map_err(|_| Errno::ENOEXEC)?;
    let mut sink = IoSink::kernel(into);
    let mut done = 0;
    while sink.remaining() > 0 {
        let n = file.read_at(offset + done as i64, &mut sink)?;
        if n == 0 {
            break;
        }
        done += n;
    }
    Ok(done)
}

/// Leaves memory that is shared with other processes (CLONE_VM) to them: the running process goes
/// on in an empty address space, or in a copy, which the new program is going to replace.
fn move_out(process: &Process) -> Result<()> {
    let shared = process.mm();
    if shared.users.alone() {
        return Ok(());
    }
    let copy = match spare_space() {
        Some(space) => Mm::new(space),
        None => shared.fork(copy_space)?,
    };
    let space = copy.space();
    process.set_mm(copy);
    let last = shared.users.leave();
    if last {
        shared.clear(); // the others ended meanwhile
    }
    rkt_sched::move_to(space);
    if last {
        end_space(shared.space());
    }
    Ok(())
}

/// Replaces the program of the running process, whose other tasks have ended. On success the
/// registers are those of the new program.
///
/// # Errors
/// As execve(2); after the point of no return the process is killed instead.
pub fn replace(task: &Arc<Task>, prepared: Prepared, registers: &mut Registers) -> Result<()> {
    let process = &task.process;
    let name = prepared.task_name();
    crate::exit::release_user_words(task);
    move_out(process)?;
    crate::aio::end_all(process);
    // Who may not read a program may not read its memory either (PR_SET_DUMPABLE in prctl(2)).
    let readable = process.credentials().check(&prepared.program.file.inode().access(), MAY_READ).is_ok();
    let secure = process.ids_for_exec(&prepared.program.file);
    process.mm().clear();
    rkt_platform::reset_space();
    process.set_mm(Mm::new(process.mm().space()));
    process.unshare_files();
    for file in process.files().close_for_exec() {
        crate::syscall::fd::closed(process, &file);
    }
    process.signals.reset_for_exec();
    task.signals.reset_for_exec();
    task.robust_list.store(0, Ordering::Relaxed);
    process.exit_signal.store(SIGCHLD, Ordering::Relaxed);
    process.flags.dumpable.store(u32::from(!secure && readable), Ordering::Relaxed);
    if secure {
        process.flags.parent_death_signal.store(0, Ordering::Relaxed);
    }
    process.executed.store(true, Ordering::SeqCst);
    process.changed.wake_all(POLLIN);
    *task.name.lock() = name;
    match prepared.load(process, &process.mm(), secure) {
        Ok(fresh) => {
            task.show_to_debugger();
            rkt_sched::current().with_user(|state| {
                rkt_platform::complete(state);
                let clean = rkt_platform::UserState::new();
                state.xsave = clean.xsave;
                state.fs_base = 0;
                state.gs_base = 0;
            });
            rkt_platform::set_fs_base(0);
            *registers = fresh;
            Ok(())
        }
        Err(_) => {
            process.end(crate::process::Ended::Signal(rkt_linux_abi::general::SIGKILL as u8, false));
            Ok(())
        }
    }
}
