//! The seccomp filter: system calls of the application trap, the image's own text keeps a short
//! list of calls that do no I/O (DESIGN §3.4), everything else kills the process.

use crate::host::{self, HostError, nr};
use crate::shared_data::ImageRange;

/// `struct sock_filter`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Op {
    code: u16,
    jt: u8,
    jf: u8,
    k: u32,
}

/// `struct sock_fprog`.
#[repr(C)]
struct Program {
    len: u16,
    ops: *const Op,
}

// linux/bpf_common.h
const LD_W_ABS: u16 = 0x20;
const JEQ: u16 = 0x15;
const JGT: u16 = 0x25;
const JGE: u16 = 0x35;
const JSET: u16 = 0x45;
const RET: u16 = 0x06;

// linux/seccomp.h
const RET_KILL_PROCESS: u32 = 0x8000_0000;
const RET_TRAP: u32 = 0x0003_0000;
const RET_ALLOW: u32 = 0x7fff_0000;
const SECCOMP_SET_MODE_FILTER: usize = 1;

// struct seccomp_data
const DATA_NR: u32 = 0;
const DATA_ARCH: u32 = 4;
const DATA_IP: u32 = 8;
const fn arg_low(n: u32) -> u32 {
    16 + n * 8
}

const AUDIT_ARCH_X86_64: u32 = 0xc000_003e;
const PR_SET_NO_NEW_PRIVS: usize = 38;
const PR_SET_DUMPABLE: usize = 4;
/// All flags of clone that make a namespace (clone(2)), and CLONE_PTRACE.
const CLONE_FORBIDDEN: u32 = 0x7e02_2080;

/// A program under construction. Conditions on one call end in `allow` or `kill`; the labels
/// are resolved at the end, since BPF jumps only forward.
struct Builder {
    ops: [Op; 192],
    len: usize,
}

impl Builder {
    fn push(&mut self, code: u16, jt: u8, jf: u8, k: u32) {
        if let Some(op) = self.ops.get_mut(self.len) {
            *op = Op { code, jt, jf, k };
        }
        self.len += 1;
    }

    fn load(&mut self, offset: u32) {
        self.push(LD_W_ABS, 0, 0, offset);
    }

    fn ret(&mut self, what: u32) {
        self.push(RET, 0, 0, what);
    }

    /// Returns `what` if the 64-bit value at `offset` lies below `limit`.
    fn ret_if_below(&mut self, offset: u32, limit: usize, what: u32) {
        let (low, high) = (limit as u32, (limit >> 32) as u32);
        self.load(offset + 4);
        self.push(JGT, 4, 0, high); // above: next condition
        self.push(JEQ, 0, 2, high); // below: return
        self.load(offset);
        self.push(JGE, 1, 0, low);
        self.ret(what);
    }

    /// Returns `what` if the 64-bit value at `offset` is `limit` or above.
    fn ret_if_at_least(&mut self, offset: u32, limit: usize, what: u32) {
        let (low, high) = (limit as u32, (limit >> 32) as u32);
        self.load(offset + 4);
        self.push(JGT, 3, 0, high); // above: return
        self.push(JEQ, 0, 3, high); // below: next condition
        self.load(offset);
        self.push(JGE, 0, 1, low);
        self.ret(what);
    }

    /// A block for one call number: `body` ends in a return; other numbers skip it. The number
    /// is in the accumulator before and after.
    fn on(&mut self, number: usize, body: impl FnOnce(&mut Self)) {
        let at = self.len;
        self.push(JEQ, 0, 0, number as u32);
        body(self);
        let skip = (self.len - at - 1) as u8;
        if let Some(op) = self.ops.get_mut(at) {
            op.jf = skip;
        }
    }

    fn on_allow(&mut self, number: usize) {
        self.on(number, |b| b.ret(RET_ALLOW));
    }
}

/// The filter for an image whose text lies in `image`.
fn build(image: ImageRange) -> Builder {
    let mut b = Builder { ops: [Op { code: 0, jt: 0, jf: 0, k: 0 }; 192], len: 0 };
    // Whoever is not the image's text is the application: it traps, whatever it asks and by
    // whichever gate (`syscall`, `int 0x80`, the vsyscall page).
    b.ret_if_below(DATA_IP, image.text, RET_TRAP);
    b.ret_if_at_least(DATA_IP, image.text_end, RET_TRAP);
    b.load(DATA_ARCH);
    b.push(JEQ, 1, 0, AUDIT_ARCH_X86_64);
    b.ret(RET_KILL_PROCESS);
    b.load(DATA_NR);
    // futex: words in the kernel's part of the address space only.
    b.on(nr::FUTEX, |b| {
        b.ret_if_below(arg_low(0), rkt_platform::USER_END as usize, RET_KILL_PROCESS);
        b.ret(RET_ALLOW);
    });
    // mmap: never with a descriptor, never over the image's text.
    b.on(nr::MMAP, |b| {
        b.load(arg_low(4));
        b.push(JEQ, 1, 0, u32::MAX);
        b.ret(RET_KILL_PROCESS);
        not_text(b, image, 0);
    });
    for number in [nr::MPROTECT, nr::MUNMAP, nr::MADVISE] {
        b.on(number, |b| not_text(b, image, 0));
    }
    b.on(nr::MREMAP, |b| not_text(b, image, 4));
    b.on(nr::CLONE, |b| {
        b.load(arg_low(0));
        b.push(JSET, 0, 1, CLONE_FORBIDDEN);
        b.ret(RET_KILL_PROCESS);
        b.ret(RET_ALLOW);
    });
    for number in [
        nr::RT_SIGRETURN,
        nr::RESTART_SYSCALL,
        nr::SIGALTSTACK,
        nr::RT_SIGPROCMASK,
        nr::TIMER_CREATE,
        nr::TIMER_SETTIME,
        nr::TIMER_GETTIME,
        nr::TIMER_GETOVERRUN,
        nr::TIMER_DELETE,
        nr::EXIT,
        nr::EXIT_GROUP,
    ] {
        b.on_allow(number);
    }
    b.ret(RET_KILL_PROCESS);
    b
}

/// Kills if the address in argument `n` lies in the image's text, else allows. Both halves of the
/// address are compared: the text may lie across a border of 4 GiB, with other mappings beside it.
fn not_text(b: &mut Builder, image: ImageRange, n: u32) {
    b.ret_if_below(arg_low(n), image.text, RET_ALLOW);
    b.ret_if_at_least(arg_low(n), image.text_end, RET_ALLOW);
    b.ret(RET_KILL_PROCESS);
}

/// Gives up every right that the enclave does not need: descriptors, dumps, privileges, calls.
///
/// # Errors
/// What the host said: no lockdown, no boot.
///
/// # Safety
/// To be called once at boot; afterwards the calls of `host` that are not on the list kill.
pub unsafe fn lock_down(image: ImageRange) -> Result<(), HostError> {
    // SAFETY: none of these touches memory.
    unsafe {
        host::call(nr::CLOSE_RANGE, [0, u32::MAX as usize, 0, 0, 0, 0])?;
        host::call(nr::PRCTL, [PR_SET_DUMPABLE, 0, 0, 0, 0, 0])?;
        host::call(nr::PRCTL, [PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0])?;
    }
    let filter = build(image);
    if filter.len > filter.ops.len() {
        return Err(HostError(7));
    }
    let program = Program { len: filter.len as u16, ops: filter.ops.as_ptr() };
    // SAFETY: the program outlives the call, which copies it.
    unsafe { host::call(nr::SECCOMP, [SECCOMP_SET_MODE_FILTER, 0, &raw const program as usize, 0, 0, 0])? };
    Ok(())
}
