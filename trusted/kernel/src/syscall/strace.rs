//! `--strace`: every call in strace's own format, through the debug ring, if the manifest allows
//! it (`debug = true`).

use super::table::{self, Entry};
use super::{Answer, Call, Outcome};
use alloc::format;
use alloc::string::String;
use core::fmt::Write;
use core::sync::atomic::{AtomicBool, Ordering};
use rkt_sync::Mutex;
use rkt_user::{UserSlice, read_c_string};
use rkt_window::{ByteRing, Side, layout};

static ENABLED: AtomicBool = AtomicBool::new(false);
static RING: Mutex<Option<ByteRing>> = Mutex::new(None);
/// Bytes of a string that are shown (strace -s).
const SHOWN: usize = 32;

/// Opens the debug ring.
pub fn start(debug: bool) {
    if !debug {
        return;
    }
    let region = rkt_platform::window().sub(layout::DEBUG, ByteRing::region_len(layout::LOG_CAPACITY));
    let ring = region.ok().and_then(|region| ByteRing::open(region, Side::Producer).ok());
    ENABLED.store(ring.is_some(), Ordering::Relaxed);
    *RING.lock() = ring;
}

/// Whether calls are traced.
#[inline]
pub fn enabled() -> bool {
    ENABLED.load(Ordering::Relaxed)
}

fn entry(number: u64) -> Option<&'static Entry> {
    table::ENTRIES.iter().find(|entry| entry.number == number)
}

/// A line that waits for the call's result, one a task: calls that do not return (exit, a blocking
/// call in another task) still show.
pub fn before(call: &Call<'_>) {
    let number = call.registers.rax;
    if matches!(table::name(number), Some("exit" | "exit_group" | "execve" | "rt_sigreturn")) {
        let line = format!("{}{}\n", head(call, number), " = ?");
        put(&line);
    }
}

fn head(call: &Call<'_>, number: u64) -> String {
    let mut line = format!("[pid {:5}] ", call.task.tid);
    let Some(entry) = entry(number) else {
        let _ = write!(line, "syscall_{number:#x}({:#x?})", call.registers.args());
        return line;
    };
    let _ = write!(line, "{}(", entry.name);
    for (n, ((name, kind), value)) in entry.arguments.iter().zip(call.registers.args()).enumerate() {
        if n > 0 {
            line.push_str(", ");
        }
        argument(&mut line, name, kind, value);
    }
    line.push(')');
    line
}

fn argument(line: &mut String, name: &str, kind: &str, value: u64) {
    let _ = match kind {
        "PathPointer" => match read_c_string(value, 4095) {
            Ok(path) => write!(line, "\"{}\"", path.escape_ascii()),
            Err(_) => write!(line, "{value:#x}"),
        },
        "Fd" if value as i32 == -100 => write!(line, "AT_FDCWD"),
        "Fd" | "i32" => write!(line, "{}", value as i32),
        "i64" => write!(line, "{}", value as i64),
        "Flags" => write!(line, "{:#x}", value as u32),
        _ if kind.ends_with("Pointer") || name.ends_with("addr") => match value {
            0 => write!(line, "NULL"),
            value => write!(line, "{value:#x}"),
        },
        _ => write!(line, "{value}"),
    };
}

/// Prints the call with its result.
pub fn after(call: &Call<'_>, number: u64, answer: &Answer) {
    let mut line = head(call, number);
    if number == 1
        && let Ok(Outcome::Value(n)) = answer
    {
        show_bytes(&mut line, call.registers.rsi, *n as usize);
    }
    let _ = match answer {
        Ok(Outcome::Value(value)) if *value < 0x10_0000_0000 => write!(line, " = {value}"),
        Ok(Outcome::Value(value)) => write!(line, " = {value:#x}"),
        Ok(Outcome::Done) => return,
        Err(error) => write!(line, " = -1 {error}"),
    };
    line.push('\n');
    put(&line);
}

/// What was written, behind the call, as a comment.
fn show_bytes(line: &mut String, addr: u64, len: usize) {
    if let Ok(bytes) = UserSlice::new(addr, len.min(SHOWN)).and_then(|slice| slice.to_vec()) {
        let _ = write!(line, " /* \"{}\"{} */", bytes.escape_ascii(), if len > SHOWN { "..." } else { "" });
    }
}

/// Puts a line into the ring; waits a while for the supervisor to make room.
fn put(line: &str) {
    let mut bytes = line.as_bytes();
    for _ in 0..10_000 {
        let n = match RING.lock().as_mut().map(|ring| ring.put(bytes)) {
            Some(Ok(n)) => n,
            _ => return,
        };
        bytes = bytes.get(n..).unwrap_or(&[]);
        if bytes.is_empty() {
            break;
        }
        rkt_platform::ring_console();
        core::hint::spin_loop();
    }
    rkt_platform::ring_console();
}
