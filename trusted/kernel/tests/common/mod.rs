//! Programs of closures on the simulated platform: the kernel's own entry points serve them.
#![allow(dead_code)]

use rkt_kernel::files::FileTable;
use rkt_kernel::mm::{Area, Backing, Marks, Mm};
use rkt_kernel::process::{self, Process};
use rkt_kernel::syscall;
use rkt_kernel::task::Task;
use rkt_platform::{Protection, Registers, SpaceId};
use rkt_platform_mock::{Config, UserContext, set_application};
use rkt_vfs::tmpfs::TmpFs;
use rkt_vfs::{Credentials, FsContext, Mount};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Memory that all programs have.
pub const MEMORY: u64 = 0x1000_0000;
const MEMORY_LEN: u64 = 1 << 20;
const RW: Protection = Protection { read: true, write: true, execute: false };
/// The top of the stack of the first task; each further one has its own 32 KiB below.
const STACK: u64 = MEMORY + MEMORY_LEN;
/// Where a program "is" when it calls, and where handlers begin and return to.
const CODE: u64 = 0x4000_0000;
pub const HANDLER: u64 = 0x5000_0000;
const RESTORER: u64 = 0x6000_0000;

pub const SA_RESTORER: u64 = 0x0400_0000;

/// Runs the processes, each with so many tasks that all run `program`, which is told the numbers
/// of its process and task, until all have ended.
pub fn run(seed: u64, processes: &[usize], program: impl Fn(&mut Program<'_>) + Send + Sync + 'static) {
    let mut config = Config::new(seed);
    config.upcalls.syscall = syscall::enter;
    config.upcalls.fault = syscall::fault;
    let processes = processes.to_vec();
    config.run(move || {
        set_application(SpaceId::FIRST, move |user| {
            let start = user.registers().rip as usize;
            let mut program_context = Program { user, process: start >> 8, task: start & 255, handled: Vec::new() };
            program(&mut program_context);
            program_context.user.syscall(60, [0; 6]);
        });
        // Several processes have the same memory here, which none may take away at its end: they do not
        // know of it.
        rkt_platform::map_anon(MEMORY, MEMORY_LEN, RW).unwrap();
        let all: Vec<_> =
            processes.iter().enumerate().map(|(n, &tasks)| start(n, tasks, processes.len() == 1)).collect();
        for process in &all {
            let threads: Vec<_> = process.tasks().iter().filter_map(|task| task.thread()).collect();
            threads.iter().for_each(|thread| thread.wake());
        }
        for process in all {
            process.changed.wait_uninterruptible(|| process.zombie.load(Ordering::SeqCst).then_some(()));
            process::forget(process.pid);
        }
    });
}

fn start(number: usize, tasks: usize, owns_memory: bool) -> Arc<Process> {
    let root = Mount::new_root(TmpFs::new(1 << 20, 100, 0o755).unwrap(), "none", 0).root();
    let fs = FsContext { cwd: root.clone(), root, umask: 0o022, credentials: Arc::new(Credentials::root()) };
    let mm = Mm::new(SpaceId::FIRST);
    if owns_memory {
        mm.lock()
            .insert(Area {
                start: MEMORY,
                end: MEMORY + MEMORY_LEN,
                protection: RW,
                backing: Backing::Anonymous,
                name: None,
                shared: false,
                marks: Marks::default(),
            })
            .unwrap();
    }
    // The first id is that of the program's first process, with which everything would end.
    let pid = process::allocate_id().max(2);
    let process = Process::alone(pid, mm, FileTable::new(), fs);
    for n in 0..tasks {
        let tid = if n == 0 { pid } else { process::allocate_id() };
        let task = Task::new(tid, process.clone(), [0; 16]);
        let thread = rkt_kernel::boot::prepare_task(&task, SpaceId::FIRST, 0, None).unwrap();
        let rsp = STACK - ((number * 8 + n) as u64) * 0x8000;
        let rip = (number << 8 | n) as u64;
        thread.prepare_user(&Registers { rip, rsp, rflags: 0x202, ..Registers::default() }, |_| {});
        process.add_task(&task);
        // The thread is kept alive by what it is woken with.
        core::mem::forget(thread);
    }
    process
}

/// A task of a program.
pub struct Program<'a> {
    pub user: &'a mut UserContext,
    pub process: usize,
    pub task: usize,
    /// Signals whose handlers ran, with `si_value`.
    pub handled: Vec<(u64, u64)>,
}

impl Program<'_> {
    /// Makes a system call; runs handlers, and calls again where the kernel says so.
    pub fn call(&mut self, number: u64, args: &[u64]) -> i64 {
        let mut six = [0; 6];
        six[..args.len()].copy_from_slice(args);
        loop {
            self.user.registers().rip = CODE;
            self.user.syscall(number, six);
            while self.user.registers().rip == HANDLER {
                self.handler();
            }
            match self.user.registers().rip {
                CODE => return self.user.registers().rax as i64,
                rip => assert_eq!((rip, self.user.registers().rax), (CODE - 2, number), "a restart"),
            }
        }
    }

    fn handler(&mut self) {
        let registers = *self.user.registers();
        assert_eq!(registers.rsp % 16, 8, "the stack is aligned as after a call");
        assert_eq!(self.load(registers.rsp), RESTORER);
        assert_eq!(self.load(registers.rsi) as u32 as u64, registers.rdi, "si_signo");
        let value = self.load(registers.rsi + 24);
        self.handled.push((registers.rdi, value));
        self.user.set_vector([0xcc; 832]);
        self.user.registers().rsp += 8;
        self.user.syscall(15, [0; 6]);
    }

    /// Installs the handler.
    pub fn handle(&mut self, signal: u64, flags: u64, mask: u64) {
        let at = self.scratch();
        for (n, word) in [HANDLER, flags | SA_RESTORER, RESTORER, mask].into_iter().enumerate() {
            self.store(at + n as u64 * 8, word);
        }
        assert_eq!(self.call(13, &[signal, at, 0, 8]), 0);
    }

    /// Some bytes of the task's own, below its stack.
    pub fn scratch(&mut self) -> u64 {
        STACK - ((self.process * 8 + self.task) as u64) * 0x8000 - 0x7f00
    }

    pub fn load(&self, addr: u64) -> u64 {
        let mut bytes = [0; 8];
        self.user.read(addr, &mut bytes).unwrap();
        u64::from_le_bytes(bytes)
    }

    pub fn store(&self, addr: u64, word: u64) {
        self.user.write(addr, &word.to_le_bytes()).unwrap();
    }

    pub fn load32(&self, addr: u64) -> u32 {
        rkt_platform::load_user(addr).unwrap()
    }

    /// Compares and exchanges as the processor does; gives what was there.
    pub fn exchange(&self, addr: u64, old: u32, new: u32) -> u32 {
        rkt_platform::compare_exchange_user(addr, old, new).unwrap()
    }

    /// Changes a word as the processor does; gives what was there.
    pub fn update(&self, addr: u64, change: impl Fn(u32) -> u32) -> u32 {
        loop {
            let old = self.load32(addr);
            if self.exchange(addr, old, change(old)) == old {
                return old;
            }
        }
    }
}
