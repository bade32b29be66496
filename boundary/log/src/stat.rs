//! The counters of `--stats`: one u64 each in the window's header, only ever written by the
//! enclave. Hints for people, never read back.

use rkt_window::layout::{self, header};

macro_rules! stats {
    ($($(#[$doc:meta])* $variant:ident = $index:literal, $name:literal;)*) => {
        /// A counter.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(usize)]
        pub enum Stat {
            $($(#[$doc])* $variant = $index,)*
        }

        impl Stat {
            /// Every counter.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Its name in tables and JSON.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }

        $(const _: () = assert!($index < layout::STATS);)*
    };
}

stats! {
    /// System calls served, however they were entered.
    Syscalls = 0, "syscalls";
    /// System calls that came as SIGSYS.
    Traps = 1, "traps";
    /// `syscall` instructions rewritten.
    PatchedSites = 2, "patched_sites";
    /// Calls answered ENOSYS.
    UnknownSyscalls = 3, "unknown_syscalls";
    /// Switches from one task to another.
    ContextSwitches = 4, "context_switches";
    /// Timer ticks taken.
    Ticks = 5, "ticks";
    /// Times a vCPU went to sleep.
    Parks = 6, "parks";
    /// Futex wakes sent to devices.
    Kicks = 7, "kicks";
    /// Page faults served.
    PageFaults = 8, "page_faults";
    /// Signals delivered to tasks.
    Signals = 9, "signals";
    /// Tasks ever made.
    Tasks = 10, "tasks";
    /// Address spaces ever made by fork.
    Forks = 11, "forks";
    /// Frames received.
    RxPackets = 16, "rx_packets";
    /// Bytes received.
    RxBytes = 17, "rx_bytes";
    /// Frames received and thrown away.
    RxDropped = 18, "rx_dropped";
    /// Frames sent.
    TxPackets = 19, "tx_packets";
    /// Bytes sent.
    TxBytes = 20, "tx_bytes";
    /// Frames that could not be sent.
    TxDropped = 21, "tx_dropped";
    /// Block requests that read.
    DiskReads = 24, "disk_reads";
    /// Bytes read from disks.
    DiskReadBytes = 25, "disk_read_bytes";
    /// Block requests that wrote.
    DiskWrites = 26, "disk_writes";
    /// Bytes written to disks.
    DiskWriteBytes = 27, "disk_write_bytes";
    /// Flushes sent to disks.
    DiskFlushes = 28, "disk_flushes";
    /// Bytes of trusted memory in use at the end.
    MemoryUsed = 32, "memory_used";
    /// Most bytes of trusted memory ever in use.
    MemoryPeak = 33, "memory_peak";
    /// Microseconds from the enclave's first instruction to the program's.
    BootMicroseconds = 34, "boot_us";
}

impl Stat {
    /// Where the counter lies in the window.
    pub const fn offset(self) -> usize {
        header::STATS + 8 * self as usize
    }
}
