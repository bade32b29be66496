//! seccomp(2): a task has its system calls judged, for itself and all that come of it.

use crate::process::Ended;
use crate::signal::{self, Info};
use crate::syscall::Call;
use crate::task::Task;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering};
use rkt_bpf::{Instruction, Packet, Program};
use rkt_linux_abi::general::SIGKILL;
use rkt_linux_abi::{Errno, Result};
use rkt_platform::Registers;
use rkt_sync::Mutex;

/// What is judged (linux/seccomp.h: SECCOMP_MODE_*).
pub const MODE_DISABLED: u32 = 0;
/// All but read, write, _exit and sigreturn kill the task.
pub const MODE_STRICT: u32 = 1;
/// Programs of classic BPF decide.
pub const MODE_FILTER: u32 = 2;

/// SECCOMP_RET_*: the upper half of what a filter returns.
const RET_KILL_PROCESS: u32 = 0x8000_0000;
const RET_KILL_THREAD: u32 = 0;
const RET_TRAP: u32 = 0x0003_0000;
const RET_ERRNO: u32 = 0x0005_0000;
const RET_USER_NOTIF: u32 = 0x7fc0_0000;
const RET_TRACE: u32 = 0x7ff0_0000;
const RET_LOG: u32 = 0x7ffc_0000;
const RET_ALLOW: u32 = 0x7fff_0000;
const RET_ACTION: u32 = 0xffff_0000;
const RET_DATA: u32 = 0x0000_ffff;

/// AUDIT_ARCH_X86_64 and AUDIT_ARCH_I386 (linux/audit.h).
const ARCH_X86_64: u32 = 0xc000_003e;
const ARCH_I386: u32 = 0x4000_0003;
/// read, write, exit and sigreturn of both.
const STRICT_X86_64: [u32; 4] = [0, 1, 60, 15];
const STRICT_I386: [u32; 4] = [3, 4, 1, 119];

/// Most instructions that a call may have to pass, each filter counted as four more (MAX_INSNS_PER_PATH).
const PATH_MAX: usize = 32768;
const PATH_PENALTY: usize = 4;
/// MAX_ERRNO of linux/err.h.
const ERRNO_MAX: u32 = 4095;

/// What a filter may say here. There is no tracer, and nobody who could be notified.
pub fn is_known_action(action: u32) -> bool {
    [RET_KILL_PROCESS, RET_KILL_THREAD, RET_TRAP, RET_ERRNO, RET_TRACE, RET_LOG, RET_ALLOW].contains(&action)
}

/// A filter, and those that were installed before it.
struct Filter {
    program: Program,
    /// Instructions of all of them, and how many they are.
    total: usize,
    count: u32,
    before: Option<Arc<Filter>>,
}

impl Drop for Filter {
    /// One after the other: the chain may be longer than the kernel's stack is deep.
    fn drop(&mut self) {
        let mut next = self.before.take();
        while let Some(mut filter) = next.and_then(Arc::into_inner) {
            next = filter.before.take();
        }
    }
}

/// What a task's calls are judged by.
#[derive(Default)]
pub struct Seccomp {
    mode: AtomicU32,
    filters: Mutex<Option<Arc<Filter>>>,
}

impl Seccomp {
    /// Whether calls are judged at all: every call asks.
    #[inline(always)]
    pub fn is_on(&self) -> bool {
        self.mode() != MODE_DISABLED
    }

    /// PR_GET_SECCOMP.
    pub fn mode(&self) -> u32 {
        self.mode.load(Ordering::Relaxed)
    }

    /// How many filters there are.
    pub fn count(&self) -> u32 {
        self.filters.lock().as_ref().map_or(0, |filter| filter.count)
    }

    /// Takes over what another task has: a child from its maker, a thread from one that synchronises it.
    pub fn inherit(&self, from: &Seccomp) {
        let filters = from.filters.lock().clone();
        drop(core::mem::replace(&mut *self.filters.lock(), filters));
        self.mode.store(from.mode(), Ordering::Release);
    }

    /// SECCOMP_SET_MODE_STRICT.
    ///
    /// # Errors
    /// `EINVAL` if there are filters.
    pub fn be_strict(&self) -> Result<()> {
        match self.mode() {
            MODE_FILTER => Err(Errno::EINVAL),
            _ => {
                self.mode.store(MODE_STRICT, Ordering::Release);
                Ok(())
            }
        }
    }

    /// SECCOMP_SET_MODE_FILTER: one more filter, which is asked first.
    ///
    /// # Errors
    /// `EINVAL` in strict mode, `ENOMEM` if they become too many.
    pub fn add(&self, program: Program) -> Result<()> {
        if self.mode() == MODE_STRICT {
            return Err(Errno::EINVAL);
        }
        let mut filters = self.filters.lock();
        let (before, count) = filters.as_ref().map_or((0, 0), |last| (last.total, last.count));
        let path = before.saturating_add(PATH_PENALTY * count as usize).saturating_add(program.instructions().len());
        if path > PATH_MAX {
            return Err(Errno::ENOMEM);
        }
        let total = before.saturating_add(program.instructions().len());
        *filters = Some(Arc::new(Filter { program, total, count: count.saturating_add(1), before: filters.take() }));
        self.mode.store(MODE_FILTER, Ordering::Release);
        Ok(())
    }

    /// Whether another task's filters are ours or older ones of ours, so that ours can replace them.
    pub fn descends_from(&self, other: &Seccomp) -> bool {
        match other.mode() {
            MODE_DISABLED => true,
            MODE_FILTER => {
                let wanted = other.filters.lock().clone();
                let mut next = self.filters.lock().clone();
                while let Some(filter) = next {
                    if wanted.as_ref().is_some_and(|wanted| Arc::ptr_eq(wanted, &filter)) {
                        return true;
                    }
                    next = filter.before.clone();
                }
                false
            }
            _ => false,
        }
    }

    /// The strictest answer of all filters: that of the newest among equals.
    fn ask(&self, facts: &[u8]) -> u32 {
        let strictness = |answer: u32| (answer & RET_ACTION) as i32;
        let mut strictest = RET_ALLOW;
        let first = self.filters.lock().clone();
        let mut next = first.as_deref();
        while let Some(filter) = next {
            let answer = filter.program.run(&Packet::plain(facts));
            if strictness(answer) < strictness(strictest) {
                strictest = answer;
            }
            next = filter.before.as_deref();
        }
        strictest
    }
}

/// A program of classic BPF for calls.
///
/// # Errors
/// `EINVAL`.
pub fn program(bytes: &[u8]) -> Result<Program> {
    let (instructions, _) = bytes.as_chunks();
    let instructions: Vec<Instruction> = instructions.iter().map(Instruction::parse).collect();
    Program::for_calls(instructions).map_err(|rkt_bpf::Invalid| Errno::EINVAL)
}

/// A call as it is judged.
#[derive(Clone, Copy)]
pub struct Judged {
    number: u32,
    arch: u32,
}

impl Judged {
    /// A call by `syscall`.
    pub fn native(number: u64) -> Self {
        Self { number: number as u32, arch: ARCH_X86_64 }
    }

    /// A call by `int 0x80`.
    pub fn ia32(number: u64) -> Self {
        Self { number: number as u32, arch: ARCH_I386 }
    }

    /// `struct seccomp_data`, each of its words as a filter for packets would load it: big-endian.
    fn facts(self, registers: &Registers) -> [u8; rkt_bpf::CALL_LEN] {
        let wide = [rkt_platform::own_text(registers.rip)].into_iter().chain(registers.args());
        let halves = wide.flat_map(|value| [value as u32, (value >> 32) as u32]);
        let mut facts = [0; rkt_bpf::CALL_LEN];
        let (words, _) = facts.as_chunks_mut();
        for (to, from) in words.iter_mut().zip([self.number, self.arch].into_iter().chain(halves)) {
            *to = from.to_be_bytes();
        }
        facts
    }
}

/// What a judgement comes to.
pub enum Verdict {
    /// The call is served.
    Serve,
    /// It is not, and returns this.
    Answer(u64),
    /// It is not; a signal follows, or the end.
    Nothing,
}

/// Judges a call of the running task.
#[cold]
pub fn judge(call: &mut Call<'_>, judged: Judged) -> Verdict {
    let task = call.task;
    if task.seccomp.mode() == MODE_STRICT {
        let allowed = if judged.arch == ARCH_I386 { STRICT_I386 } else { STRICT_X86_64 };
        if allowed.contains(&judged.number) {
            return Verdict::Serve;
        }
        end(task, Info::kernel(SIGKILL));
        return Verdict::Nothing;
    }
    let answer = task.seccomp.ask(&judged.facts(call.registers));
    let data = answer & RET_DATA;
    let forbidden = || Info::forbidden(data, rkt_platform::own_text(call.registers.rip), judged.number, judged.arch);
    match answer & RET_ACTION {
        RET_ALLOW | RET_LOG => return Verdict::Serve,
        RET_ERRNO => return Verdict::Answer((-i64::from(data.min(ERRNO_MAX))) as u64),
        RET_TRACE | RET_USER_NOTIF => return Verdict::Answer(Errno::ENOSYS.as_return() as u64),
        RET_TRAP => signal::force(task, forbidden()),
        RET_KILL_THREAD => end(task, forbidden()),
        _ => signal::force_default(task, forbidden()),
    }
    // The registers are those of before the call (Linux' syscall_rollback).
    call.registers.rax = u64::from(judged.number);
    call.registers.orig_rax = u64::MAX;
    Verdict::Nothing
}

/// Ends the running task, by a signal if it is the last one of its process.
fn end(task: &Arc<Task>, why: Info) {
    match task.process.task_count() {
        1 if why.signal == SIGKILL => task.process.end(Ended::Signal(SIGKILL as u8, false)),
        1 => signal::force_default(task, why),
        _ => task.kill(),
    }
}
