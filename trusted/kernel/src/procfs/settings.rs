//! /proc/sys (proc_sys(5)): the settings that programs ask for, with the values that hold here.

use super::line;
use crate::core_dump;
use crate::ipc::message::{MSGMAX, MSGMNB};
use crate::ipc::posix_queue::{self, Setting};
use crate::ipc::registry::MOST;
use crate::ipc::semaphore::{SEMMSL, SEMOPM};
use crate::ipc::shared::SHMMAX;
use crate::node_name::Name;
use crate::syscall::system::RELEASE;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use core::sync::atomic::Ordering;
use rkt_linux_abi::{Errno, Result};
use rkt_vfs::FileSystem;
use rkt_vfs::pipe::MAX_CAPACITY;
use rkt_vfs::pseudo::{Identity, PseudoFile, PseudoFs};

/// Settings that are what they are.
const FIXED: &[(&str, &str)] = &[
    ("fs/aio-max-nr", "65536"),
    ("fs/file-max", "9223372036854775807"),
    ("fs/inotify/max_queued_events", "16384"),
    ("fs/inotify/max_user_instances", "128"),
    ("fs/inotify/max_user_watches", "65536"),
    ("fs/lease-break-time", "45"),
    ("fs/leases-enable", "1"),
    ("fs/nr_open", "1048576"),
    ("fs/overflowgid", "65534"),
    ("fs/overflowuid", "65534"),
    ("fs/protected_fifos", "0"),
    ("fs/protected_hardlinks", "1"),
    ("fs/protected_regular", "0"),
    ("fs/protected_symlinks", "0"),
    ("fs/suid_dumpable", "0"),
    ("kernel/cap_last_cap", "40"),
    // io_uring_setup(2) answers EPERM to everybody.
    ("kernel/io_uring_disabled", "2"),
    ("kernel/ngroups_max", "65536"),
    ("kernel/osrelease", RELEASE),
    ("kernel/ostype", "Linux"),
    ("kernel/overflowgid", "65534"),
    ("kernel/overflowuid", "65534"),
    ("kernel/pid_max", "4194304"),
    ("kernel/randomize_va_space", "2"),
    // The pool of random(4) is always full.
    ("kernel/random/entropy_avail", "256"),
    ("kernel/random/poolsize", "256"),
    ("kernel/sched_rr_timeslice_ms", "100"),
    ("kernel/sched_rt_period_us", "1000000"),
    ("kernel/sched_rt_runtime_us", "950000"),
    ("kernel/shm_rmid_forced", "0"),
    ("kernel/tainted", "0"),
    ("kernel/threads-max", "95000"),
    ("kernel/version", "#1 SMP rkt-io"),
    ("vm/legacy_va_layout", "0"),
    ("vm/max_map_count", "57344"),
    ("vm/memfd_noexec", "0"),
    ("vm/mmap_min_addr", "65536"),
    // There are no huge pages to be had.
    ("vm/nr_hugepages", "0"),
    ("vm/nr_overcommit_hugepages", "0"),
    // Mappings are never refused for what might be needed later: the host gives memory page by page.
    ("vm/overcommit_memory", "1"),
    ("vm/overcommit_ratio", "50"),
    ("vm/panic_on_oom", "0"),
    ("vm/swappiness", "0"),
];

/// Limits of System V IPC (sysvipc(7)).
fn ipc() -> [(&'static str, String); 7] {
    [
        ("kernel/msgmax", format!("{MSGMAX}")),
        ("kernel/msgmnb", format!("{MSGMNB}")),
        ("kernel/msgmni", format!("{MOST}")),
        ("kernel/sem", format!("{SEMMSL}\t{}\t{SEMOPM}\t{MOST}", SEMMSL * MOST)),
        ("kernel/shmall", format!("{SHMMAX}")),
        ("kernel/shmmax", format!("{SHMMAX}")),
        ("kernel/shmmni", format!("{MOST}")),
    ]
}

/// A random UUID (RFC 9562 §5.4).
fn uuid() -> String {
    let mut bytes = [0; 16];
    rkt_platform::random(&mut bytes);
    let random = u128::from_be_bytes(bytes);
    let versioned = random & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let hex = format!("{versioned:032x}");
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or("");
    format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
}

/// Fills /proc/sys.
pub(super) fn fill(fs: &PseudoFs) -> Result<()> {
    let sys = fs.directory().directory("sys")?;
    let boot = uuid();
    sys.add_text("kernel/random/boot_id", move || Ok(line(&boot)))?;
    sys.add_text("kernel/random/uuid", || Ok(line(uuid())))?;
    sys.add_text("fs/pipe-max-size", || Ok(line(MAX_CAPACITY)))?;
    for (name, value) in FIXED {
        sys.add_text(name, move || Ok(line(value)))?;
    }
    for (name, value) in ipc() {
        sys.add_text(name, move || Ok(line(&value)))?;
    }
    let read = Box::new(|| Ok([core_dump::pattern(), b"\n".to_vec()].concat()));
    let pattern = PseudoFile::writable(Identity::new(fs.device(), 0o644), read, Box::new(core_dump::set_pattern));
    let kernel = sys.directory("kernel")?;
    kernel.add("core_pattern", pattern);
    for (file, name) in [("hostname", Name::Host), ("domainname", Name::Domain)] {
        let identity = Identity::new(fs.device(), 0o644);
        let write = Box::new(move |text: &[u8]| name.write(text));
        kernel.add(file, PseudoFile::writable(identity, Box::new(move || Ok(name.shown())), write));
    }
    let queues = sys.directory("fs")?.directory("mqueue")?;
    for setting in posix_queue::SETTINGS {
        let identity = Identity::new(fs.device(), 0o644);
        let read = Box::new(move || Ok(line(setting.value.load(Ordering::Relaxed))));
        queues.add(setting.name, PseudoFile::writable(identity, read, Box::new(move |text| set(setting, text))));
    }
    Ok(())
}

/// Takes the number that is written to a setting.
fn set(setting: &Setting, text: &[u8]) -> Result<()> {
    let text = core::str::from_utf8(text).map_err(|_| Errno::EINVAL)?;
    let value = text.trim().parse::<u64>().ok().filter(|value| setting.range.contains(value)).ok_or(Errno::EINVAL)?;
    setting.value.store(value, Ordering::Relaxed);
    Ok(())
}
