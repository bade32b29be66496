//! Where things lie in the window. Fixed offsets: nothing here is negotiated, so there is
//! nothing to validate but the magic, the version and the length.

use crate::{ByteRing, Doorbell};

/// First word of the window ("RKTWIN" and the layout's version).
pub const MAGIC: u64 = u64::from_le_bytes(*b"RKTWIN\x01\0");

/// Header fields, offsets from the start of the window.
pub mod header {
    /// u64: [`super::MAGIC`].
    pub const MAGIC: usize = 0;
    /// u64: length of the whole window in bytes.
    pub const LEN: usize = 8;
    /// u64: grows by one at least four times a second while the supervisor lives.
    pub const HEARTBEAT: usize = 16;
    /// u32: number of vCPUs, 1 to [`super::MAX_VCPUS`].
    pub const VCPUS: usize = 24;
    /// u64: bytes of trusted memory (`--memory`).
    pub const MEMORY: usize = 32;
    /// u32: how the enclave ended, one of [`super::exit_state`].
    pub const EXIT_STATE: usize = 40;
    /// u32: exit code or signal number.
    pub const EXIT_CODE: usize = 44;
    /// u64: time-stamp counter at the moment [`WALL_NS`] was read.
    pub const TSC: usize = 48;
    /// u64: nanoseconds since the Unix epoch.
    pub const WALL_NS: usize = 56;
    /// u64: time-stamp counter ticks a second, as the host measured them.
    pub const TSC_HZ: usize = 64;
    /// u32: bit n-1 set = the host asks for signal n. The enclave swaps it with 0.
    pub const SIGNALS: usize = 72;
    /// u32: bit 0, 1, 2 set = that standard stream is a terminal.
    pub const TTYS: usize = 76;
    /// u32: rows in the low 16 bits, columns in the high 16 bits.
    pub const WINSIZE: usize = 80;
    /// u32: the enclave adds one after it changed [`TERMIOS`]; the supervisor applies it.
    pub const TERMIOS_SEQ: usize = 84;
    /// u32: length of the manifest at [`super::MANIFEST`].
    pub const MANIFEST_LEN: usize = 88;
    /// u32: doorbell of the supervisor's console thread lies at [`super::CONSOLE_DOORBELL`]; this
    /// word is 1 once that thread runs.
    pub const CONSOLE_READY: usize = 92;
    /// u32: `--poll`: 0 adaptive, 1 busy.
    pub const POLL: usize = 96;
    /// u32: number of device slots in use.
    pub const DEVICES: usize = 100;
    /// u32: `--without`: bits of [`super::without`].
    pub const WITHOUT: usize = 104;
    /// u32: 1 = the host has large pages for those who ask. Without, a fork would copy more entries of the
    /// page table of text in private memory than it saves faults.
    pub const LARGE_PAGES: usize = 108;
    /// u32: the host changes it when it wants [`super::LIVE`] written anew.
    pub const LIVE_ASKED: usize = 112;
    /// u32: 1 = the host wants [`super::CAPTURE`]. It gets it only if the manifest says `debug`.
    pub const CAPTURE_ASKED: usize = 116;
    /// 36 bytes + pad: `struct termios` of the kernel ABI.
    pub const TERMIOS: usize = 128;
    /// u64 each: host-visible counters for `--stats`, [`super::STATS`] of them.
    pub const STATS: usize = 256;
}

/// Number of counters at [`header::STATS`].
pub const STATS: usize = 64;

/// Values of [`header::EXIT_STATE`].
pub mod exit_state {
    /// Still running.
    pub const RUNNING: u32 = 0;
    /// The program called exit: the code is its exit status.
    pub const EXITED: u32 = 1;
    /// The program died of a signal: the code is the signal number.
    pub const SIGNALLED: u32 = 2;
    /// The enclave refused to start or gave up: the reason is in the log ring.
    pub const FAILED: u32 = 3;
}

/// Bits of [`header::WITHOUT`]: what the enclave is not to use though it could, to measure what that is
/// worth. They change how fast it is and nothing else, so the host may choose.
pub mod without {
    /// Checksum and segmentation offload of network cards.
    pub const OFFLOADS: u32 = 1;
    /// Copies straight between the window and where the bytes of a frame belong.
    pub const DIRECT_COPY: u32 = 2;
    /// Instructions of the processor for AES.
    pub const AES: u32 = 4;
}

/// Most vCPUs.
pub const MAX_VCPUS: usize = 64;
/// Most device slots.
pub const MAX_DEVICES: usize = 16;
/// Most bytes of manifest.
pub const MANIFEST_MAX: usize = 64 << 10;

/// One [`Doorbell`] a vCPU.
pub const VCPU_DOORBELLS: usize = 4096;
/// One [`Doorbell`] a device thread: the device of slot n waits on doorbell n.
pub const DEVICE_DOORBELLS: usize = VCPU_DOORBELLS + MAX_VCPUS * Doorbell::SIZE;
/// Doorbell of the thread that serves stdio, log and terminal.
pub const CONSOLE_DOORBELL: usize = DEVICE_DOORBELLS + MAX_DEVICES * Doorbell::SIZE;

/// The canonical manifest.
pub const MANIFEST: usize = 16 << 10;
/// One page of transport registers a device (crate `rkt-virtio-transport`).
pub const DEVICE_SLOTS: usize = MANIFEST + MANIFEST_MAX;
/// Bytes a device slot.
pub const DEVICE_SLOT_LEN: usize = 4096;

/// Keys that the host gives, one place a device slot: a length (u32) and that many bytes. The enclave
/// clears a key when it has read it.
pub const KEYS: usize = DEVICE_SLOTS + MAX_DEVICES * DEVICE_SLOT_LEN;
/// Bytes a key's place.
pub const KEY_LEN: usize = 4096;

/// Data bytes of each standard stream's ring.
pub const STDIO_CAPACITY: usize = 256 << 10;
/// Data bytes of the log ring and of the debug-text (strace) ring.
pub const LOG_CAPACITY: usize = 1 << 20;

/// Ring: host → enclave, standard input.
pub const STDIN: usize = 256 << 10;
/// Ring: enclave → host, standard output.
pub const STDOUT: usize = STDIN + ring(STDIO_CAPACITY);
/// Ring: enclave → host, standard error.
pub const STDERR: usize = STDOUT + ring(STDIO_CAPACITY);
/// Ring: enclave → host, log records.
pub const LOG: usize = STDERR + ring(STDIO_CAPACITY);
/// Ring: enclave → host, text that only exists with `debug = true` (strace).
pub const DEBUG: usize = LOG + ring(LOG_CAPACITY);
/// Most programs at a time that run beside the first one because the host asked for them.
pub const MAX_SESSIONS: usize = 4;
/// One place a such program: [`session`].
pub const SESSIONS: usize = DEBUG + ring(LOG_CAPACITY);

/// A program that the host asks for (`rkt-io exec`), offsets from the start of its place. The host fills a
/// place of zeroes and sets [`session::STATE`] to ASKED. An enclave whose manifest allows it says RUNNING
/// and then ENDED, or REFUSED; another one never looks. The host empties the rings, clears the place and
/// sets it FREE.
pub mod session {
    use super::ring;
    use crate::Doorbell;

    /// u32: one of [`super::session_state`].
    pub const STATE: usize = 0;
    /// u32: with ENDED the status word of wait(2), with REFUSED the errno.
    pub const STATUS: usize = 4;
    /// u32: bit n-1 set = the host asks for signal n. The enclave swaps it with 0.
    pub const SIGNALS: usize = 8;
    /// u32: size of the terminal, as [`super::header::WINSIZE`].
    pub const WINSIZE: usize = 12;
    /// u32: [`TERMINAL`] and [`INPUT`].
    pub const FLAGS: usize = 16;
    /// u32: number of arguments.
    pub const ARGUMENTS: usize = 20;
    /// u32: bytes at [`TEXT`].
    pub const TEXT_LEN: usize = 24;
    /// The [`Doorbell`] of the thread that serves the program.
    pub const DOORBELL: usize = 64;
    /// Folder, arguments and variables, each with a zero behind it.
    pub const TEXT: usize = 4096;
    /// Most bytes of text.
    pub const TEXT_MAX: usize = 28 << 10;
    /// Data bytes of each of its rings.
    pub const CAPACITY: usize = 64 << 10;
    /// Ring: host → enclave, standard input.
    pub const STDIN: usize = TEXT + TEXT_MAX;
    /// Ring: enclave → host, standard output, or what the terminal shows.
    pub const STDOUT: usize = STDIN + ring(CAPACITY);
    /// Ring: enclave → host, standard error.
    pub const STDERR: usize = STDOUT + ring(CAPACITY);
    /// Bytes of a place.
    pub const LEN: usize = STDERR + ring(CAPACITY);

    /// Bit of [`FLAGS`]: the program runs on a terminal.
    pub const TERMINAL: u32 = 1;
    /// Bit of [`FLAGS`]: there is standard input.
    pub const INPUT: u32 = 2;

    const _: () = assert!(DOORBELL + Doorbell::SIZE <= TEXT);
}

/// Values of [`session::STATE`].
pub mod session_state {
    /// Nobody uses the place.
    pub const FREE: u32 = 0;
    /// The host asks for a program.
    pub const ASKED: u32 = 1;
    /// The program runs.
    pub const RUNNING: u32 = 2;
    /// It has ended, and all of its output is in the rings.
    pub const ENDED: u32 = 3;
    /// It could not be started.
    pub const REFUSED: u32 = 4;
}

/// Ring: enclave → host, a file of packets that only exists with `debug = true` (pcapng).
pub const CAPTURE: usize = SESSIONS + MAX_SESSIONS * session::LEN;
/// Data bytes of the capture's ring.
pub const CAPTURE_CAPACITY: usize = 512 << 10;
/// What the enclave's network counts, for `--stats` and `top`: text, a line a queue and a line a socket.
pub const LIVE: usize = CAPTURE + ring(CAPTURE_CAPACITY);
/// Bytes at [`LIVE`].
pub const LIVE_LEN: usize = 128 << 10;
/// What lies there.
pub mod live {
    /// u32: the value of [`super::header::LIVE_ASKED`] that this answers, stored last.
    pub const ANSWERED: usize = 0;
    /// u32: bytes of text.
    pub const LEN: usize = 4;
    /// The text.
    pub const TEXT: usize = 8;
}
/// Start of the area that the enclave's DMA allocator hands to drivers.
pub const DMA: usize = 6 << 20;

/// Smallest window: the fixed part and 4 MiB of DMA area.
pub const MIN_LEN: usize = DMA + (4 << 20);

const fn ring(capacity: usize) -> usize {
    (ByteRing::region_len(capacity)).next_multiple_of(4096)
}

const _: () = assert!(CONSOLE_DOORBELL + Doorbell::SIZE <= MANIFEST);
const _: () = assert!(KEYS + MAX_DEVICES * KEY_LEN <= STDIN);
const _: () = assert!(LIVE + LIVE_LEN <= DMA);
const _: () = assert!(header::STATS + STATS * 8 <= VCPU_DOORBELLS);
