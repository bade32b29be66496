//! The notes of a core: registers, signal, files (elfcore.h of Linux, elf(5)).

use crate::process::Process;
use crate::signal::Info;
use crate::task::Task;
use crate::tty::session_of;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use rkt_linux_abi::PAGE_SIZE;
use rkt_platform::{Registers, UserState};
use rkt_sched::CurrentThread;

/// Types of notes (linux/elf.h).
const NT_PRSTATUS: u32 = 1;
const NT_FPREGSET: u32 = 2;
const NT_PRPSINFO: u32 = 3;
const NT_AUXV: u32 = 6;
const NT_SIGINFO: u32 = 0x5349_4749;
const NT_FILE: u32 = 0x4649_4c45;
const NT_X86_XSTATE: u32 = 0x202;
/// Selectors of 64-bit programs (Linux' asm/segment.h: __USER_CS, __USER_DS).
const USER_CS: u64 = 0x33;
const USER_SS: u64 = 0x2b;
/// Bytes of FXSAVE, and where in its unused end the components of XSAVE are told.
const FXSAVE_LEN: usize = 512;
const XSAVE_MASK: usize = 464;
/// Bytes of arguments in `struct elf_prpsinfo`.
const ARGUMENTS_LEN: usize = 80;

/// A note.
fn note(to: &mut Vec<u8>, owner: &[u8], kind: u32, content: &[u8]) {
    for word in [owner.len() as u32 + 1, content.len() as u32, kind] {
        to.extend(word.to_le_bytes());
    }
    for part in [[owner, &[0]].concat().as_slice(), content] {
        to.extend(part);
        to.resize(to.len().next_multiple_of(4), 0);
    }
}

/// All notes: of the running task, of the process, then of the other tasks.
pub fn all(
    task: &Arc<Task>,
    thread: &CurrentThread,
    registers: &Registers,
    info: &Info,
    others: &[Arc<Task>],
) -> Vec<u8> {
    let process = &task.process;
    let mut notes = Vec::new();
    let (state, bases) = thread.with_user(|state| {
        rkt_platform::complete(state);
        (state.xsave, [rkt_platform::fs_base(), state.gs_base])
    });
    note(&mut notes, b"CORE", NT_PRSTATUS, &status(task, info, registers, bases));
    note(&mut notes, b"CORE", NT_PRPSINFO, &process_info(process, task));
    note(&mut notes, b"CORE", NT_SIGINFO, &info.to_bytes());
    note(&mut notes, b"CORE", NT_AUXV, &process.auxiliary_vector.lock().clone());
    note(&mut notes, b"CORE", NT_FILE, &files(process));
    vectors(&mut notes, &state);
    for other in others {
        let Some(thread) = other.thread().filter(|thread| thread.parked()) else { continue };
        let (registers, fs_base) = thread.registers_at_entry();
        note(&mut notes, b"CORE", NT_PRSTATUS, &status(other, info, &registers, [fs_base, 0]));
    }
    notes
}

fn vectors(notes: &mut Vec<u8>, state: &[u8; UserState::XSAVE_MAX]) {
    let (len, mask) = rkt_platform::xsave_size();
    note(notes, b"CORE", NT_FPREGSET, state.get(..FXSAVE_LEN).unwrap_or(&[]));
    let mut whole = state.get(..len.min(state.len())).unwrap_or(&[]).to_vec();
    if let Some(place) = whole.get_mut(XSAVE_MASK..XSAVE_MASK + 8) {
        place.copy_from_slice(&mask.to_le_bytes());
        note(notes, b"LINUX", NT_X86_XSTATE, &whole);
    }
}

/// `struct elf_prstatus`.
fn status(task: &Task, info: &Info, registers: &Registers, bases: [u64; 2]) -> Vec<u8> {
    let process = &task.process;
    let mut bytes = Vec::new();
    for word in [info.signal as i32, info.code, info.errno, info.signal as i32] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend(task.signals.pending().0.to_le_bytes());
    bytes.extend(task.signals.blocked().0.to_le_bytes());
    bytes.extend([task.tid].into_iter().chain(relations(process)).flat_map(i32::to_le_bytes));
    let used = task.usage();
    for ns in [used.user, used.system, 0, 0] {
        bytes.extend((ns / 1_000_000_000).to_le_bytes());
        bytes.extend((ns % 1_000_000_000 / 1000).to_le_bytes());
    }
    let r = registers;
    let [fs_base, gs_base] = bases;
    // `struct user_regs_struct` of sys/user.h.
    let all = [
        r.r15, r.r14, r.r13, r.r12, r.rbp, r.rbx, r.r11, r.r10, r.r9, r.r8, r.rax, r.rcx, r.rdx, r.rsi, r.rdi,
        r.orig_rax, r.rip, USER_CS, r.rflags, r.rsp, USER_SS, fs_base, gs_base, 0, 0, 0, 0,
    ];
    bytes.extend(all.iter().flat_map(|word| word.to_le_bytes()));
    bytes.extend([1, 0, 0, 0, 0, 0, 0, 0]); // the floating-point state is valid
    bytes
}

/// Parent, group and session.
fn relations(process: &Process) -> [i32; 3] {
    [process.parent_id(), process.group.load(Ordering::Relaxed), session_of(process)]
}

/// `struct elf_prpsinfo`.
fn process_info(process: &Process, task: &Task) -> Vec<u8> {
    let ids = process.ids();
    let mut bytes = b"\0R\0\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec();
    for word in [ids.user.real, ids.group.real] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend([process.pid].into_iter().chain(relations(process)).flat_map(i32::to_le_bytes));
    bytes.extend(*task.name.lock());
    let line = process.command_line.lock().clone();
    let line = line.strip_suffix(&[0]).unwrap_or(&line);
    let mut shown: Vec<u8> = line.iter().map(|&byte| if byte == 0 { b' ' } else { byte }).collect();
    shown.resize(ARGUMENTS_LEN - 1, 0);
    shown.push(0);
    bytes.extend(shown);
    bytes
}

/// NT_FILE: how many, the size of a page, where each lies and from where in its file it is, and the names.
fn files(process: &Process) -> Vec<u8> {
    let root = process.fs.lock().root.clone();
    let (mut places, mut names) = (Vec::new(), Vec::new());
    let mut count = 0u64;
    for area in process.mm().lock().iter() {
        let Some((file, offset)) = area.file() else { continue };
        for word in [area.start, area.end, offset / PAGE_SIZE as u64] {
            places.extend(word.to_le_bytes());
        }
        names.extend(file.path().to_bytes(&root));
        names.push(0);
        count = count.saturating_add(1);
    }
    let head = [count.to_le_bytes(), (PAGE_SIZE as u64).to_le_bytes()].concat();
    [head, places, names].concat()
}
