//! /proc/sys/kernel/core_pattern (core(5), "Naming of core dump files").

use crate::process::Process;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;
use rkt_linux_abi::{Errno, Result};
use rkt_sync::Mutex;

/// Most bytes of a pattern (CORENAME_MAX_SIZE and its zero).
pub const PATTERN_MAX: usize = 127;
/// What /proc/PID/comm cuts a name to, and the slashes in a path become.
const SLASH: u8 = b'!';

/// Empty: "core".
static PATTERN: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// The pattern.
pub fn pattern() -> Vec<u8> {
    let pattern = PATTERN.lock();
    if pattern.is_empty() { b"core".to_vec() } else { pattern.clone() }
}

/// Sets the pattern. A program that takes cores (a pattern with `|`) there is not.
///
/// # Errors
/// `EINVAL`.
pub fn set_pattern(text: &[u8]) -> Result<()> {
    let line = text.split(|&byte| byte == b'\n').next().unwrap_or(&[]);
    if line.is_empty() || line.starts_with(b"|") {
        return Err(Errno::EINVAL);
    }
    *PATTERN.lock() = line.get(..line.len().min(PATTERN_MAX)).unwrap_or(&[]).to_vec();
    Ok(())
}

/// The path of the core of a process that a signal killed.
///
/// # Errors
/// `ENAMETOOLONG`.
pub fn path(process: &Process, signal: u32) -> Result<Vec<u8>> {
    let mut path = Vec::new();
    let pattern = pattern();
    let mut letters = pattern.iter().copied();
    while let Some(letter) = letters.next() {
        if letter != b'%' {
            path.push(letter);
            continue;
        }
        // A single % at the end is dropped, and so is an unknown letter.
        let Some(what) = letters.next() else { break };
        path.extend(value(process, signal, what));
    }
    if path.len() > 4095 { Err(Errno::ENAMETOOLONG) } else { Ok(path) }
}

fn value(process: &Process, signal: u32, what: u8) -> Vec<u8> {
    let ids = process.ids();
    let number = |number: u64| number.to_string().into_bytes();
    let flat = |name: &[u8]| name.iter().map(|&byte| if byte == b'/' { SLASH } else { byte }).collect::<Vec<u8>>();
    match what {
        b'%' => b"%".to_vec(),
        b'p' | b'P' | b'i' | b'I' => number(process.pid as u64),
        b'u' => number(ids.user.real.into()),
        b'g' => number(ids.group.real.into()),
        b'd' => number(1),
        b's' => number(signal.into()),
        b't' => number(rkt_platform::wall() / 1_000_000_000),
        b'c' => number(process.limit(super::RLIMIT_CORE)),
        b'h' => crate::node_name::Name::Host.get(),
        b'e' => flat(name(process).split(|&byte| byte == 0).next().unwrap_or(&[])),
        b'E' => {
            let root = process.fs.lock().root.clone();
            let exe = process.exe.lock().as_ref().map(|path| path.to_bytes(&root));
            exe.map_or_else(|| format!("pid-{}", process.pid).into_bytes(), |path| flat(&path))
        }
        _ => Vec::new(),
    }
}

fn name(process: &Process) -> [u8; 16] {
    process.tasks().first().map_or([0; 16], |task| *task.name.lock())
}
