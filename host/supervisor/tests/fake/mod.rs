//! An enclave's side of the window, without an enclave.

use rkt_log::{Encoded, Event, Stat};
use rkt_window::layout::{self, exit_state, header};
use rkt_window::{ByteRing, Doorbell, Region, Side};
use std::os::fd::BorrowedFd;
use std::sync::atomic::Ordering;

/// Bytes that `flood` writes: several times the ring.
pub const FLOOD: usize = 3_000_000;

struct Fake {
    window: Region,
}

pub fn main() -> ! {
    // SAFETY: the supervisor's contract: descriptor 3 is the window.
    let window = unsafe { BorrowedFd::borrow_raw(3) };
    let len = rustix::fs::fstat(window).unwrap().st_size as usize;
    let (protection, flags) =
        (rustix::mm::ProtFlags::READ | rustix::mm::ProtFlags::WRITE, rustix::mm::MapFlags::SHARED);
    // SAFETY: a fresh mapping that stays to the end of the process.
    let window = unsafe {
        let base = rustix::mm::mmap(std::ptr::null_mut(), len, protection, flags, window, 0).unwrap();
        Region::from_raw(base.cast(), len)
    };
    assert_eq!(window.read_u64(header::MAGIC).unwrap(), layout::MAGIC);
    assert_eq!(window.read_u64(header::LEN).unwrap(), len as u64);
    assert!(window.read_u64(header::TSC_HZ).unwrap() > 100_000_000);
    let mut manifest = vec![0; window.read_u32(header::MANIFEST_LEN).unwrap() as usize];
    window.read(layout::MANIFEST, &mut manifest).unwrap();
    Fake { window }.behave(std::str::from_utf8(&manifest).unwrap())
}

impl Fake {
    fn ring(&self, offset: usize, capacity: usize, side: Side) -> ByteRing {
        ByteRing::open(self.window.sub(offset, ByteRing::region_len(capacity)).unwrap(), side).unwrap()
    }

    fn stdout(&self) -> ByteRing {
        self.ring(layout::STDOUT, layout::STDIO_CAPACITY, Side::Producer)
    }

    /// Tells the console thread that there is something to do.
    fn kick(&self) {
        let bell = Doorbell::at(&self.window, layout::CONSOLE_DOORBELL).unwrap();
        if bell.ring() {
            rustix::thread::futex::wake(bell.word(), rustix::thread::futex::Flags::empty(), 1).unwrap();
        }
    }

    /// Sleeps on vCPU 0's doorbell until `ready` has an answer.
    fn wait<T>(&self, mut ready: impl FnMut() -> Option<T>) -> T {
        let bell = Doorbell::at(&self.window, layout::VCPU_DOORBELLS).unwrap();
        loop {
            let seen = bell.arm();
            if let Some(answer) = ready() {
                bell.disarm();
                return answer;
            }
            let _ = rustix::thread::futex::wait(bell.word(), rustix::thread::futex::Flags::empty(), seen, None);
            bell.disarm();
        }
    }

    fn write(&self, ring: &mut ByteRing, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let n = self.wait(|| Some(ring.put(bytes).unwrap()).filter(|n| *n > 0));
            bytes = &bytes[n..];
            self.kick();
        }
    }

    fn log(&self, record: &Encoded) {
        self.ring(layout::LOG, layout::LOG_CAPACITY, Side::Producer).put(record.as_bytes()).unwrap();
        self.kick();
    }

    fn exit(&self, state: u32, code: u32) -> ! {
        self.window.write_u32(header::EXIT_CODE, code).unwrap();
        self.window.write_u32(header::EXIT_STATE, state).unwrap();
        std::process::exit(code as i32)
    }

    fn behave(&self, behaviour: &str) -> ! {
        match behaviour {
            "hello" => {
                self.window.write_u64(Stat::Syscalls.offset(), 42).unwrap();
                self.write(&mut self.stdout(), b"hello\n");
                self.exit(exit_state::EXITED, 3)
            }
            "flood" => {
                let bytes: Vec<u8> = (0..FLOOD).map(|n| (n % 251) as u8).collect();
                self.write(&mut self.stdout(), &bytes);
            }
            "echo" => self.echo(),
            "signalled" => self.exit(exit_state::SIGNALLED, 15),
            "crash" => std::process::abort(),
            "vanish" => std::process::exit(0),
            "refuse" => {
                self.log(&Encoded::text(Event::ProgramNotFound, "/bin/nothing"));
                self.exit(exit_state::FAILED, 0)
            }
            "warn" => self.log(&Encoded::integers(Event::DeviceSilent, &[2, 900])),
            "until-closed" => {
                let mut stdout = self.stdout();
                self.write(&mut stdout, b"anybody there?");
                self.wait(|| stdout.peer_shut().then_some(()));
            }
            "break-ring" => {
                self.window.write_u32(layout::STDOUT, u32::MAX).unwrap();
                self.kick();
            }
            "no-echo" => {
                // c_lflag is the fourth word of `struct termios`; ECHO is bit 3 of it.
                let flags = header::TERMIOS + 12;
                self.window.write_u32(flags, self.window.read_u32(flags).unwrap() & !8).unwrap();
                self.window.atomic_u32(header::TERMIOS_SEQ).unwrap().fetch_add(1, Ordering::Release);
                self.kick();
                self.echo();
            }
            "size" => {
                let size = self.window.read_u32(header::WINSIZE).unwrap();
                self.write(&mut self.stdout(), format!("{} rows, {} columns", size & 0xffff, size >> 16).as_bytes());
            }
            "until-killed" => {
                self.write(&mut self.stdout(), b"r");
                self.wait(|| None)
            }
            "self" => self.describe(),
            "fork" => self.fork(),
            "lose-a-fork" => self.lose_a_fork(),
            "until-signal" => {
                let signals = self.window.atomic_u32(header::SIGNALS).unwrap();
                let asked = self.wait(|| Some(signals.swap(0, Ordering::Acquire)).filter(|bits| *bits != 0));
                self.exit(exit_state::SIGNALLED, asked.trailing_zeros() + 1)
            }
            "until-heartbeat" => {
                let beats = self.window.atomic_u64(header::HEARTBEAT).unwrap();
                while beats.load(Ordering::Relaxed) < 3 {
                    std::thread::yield_now();
                }
            }
            other => panic!("unknown behaviour {other}"),
        }
        self.exit(exit_state::EXITED, 0)
    }

    fn echo(&self) {
        let mut stdin = self.ring(layout::STDIN, layout::STDIO_CAPACITY, Side::Consumer);
        let mut stdout = self.stdout();
        let mut buffer = vec![0; 50_000];
        loop {
            let n = self.wait(|| {
                // Whether it has ended is read before the bytes: the end comes after them.
                let ended = stdin.peer_shut();
                let n = stdin.take(&mut buffer).unwrap();
                (n > 0 || ended).then_some(n)
            });
            if n == 0 {
                return;
            }
            self.kick();
            self.write(&mut stdout, &buffer[..n]);
        }
    }

    /// Tells what the process has: descriptors, environment, signal mask.
    fn describe(&self) {
        let mut descriptors: Vec<_> = std::fs::read_dir("/proc/self/fd").unwrap().map(|e| e.unwrap().path()).collect();
        descriptors.sort();
        // The last one is the folder that is being read.
        descriptors.pop();
        let targets: Vec<_> =
            descriptors.iter().map(|fd| std::fs::read_link(fd).unwrap().display().to_string()).collect();
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let mask = |name: &str| {
            let hex = status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim();
            u64::from_str_radix(hex, 16).unwrap()
        };
        // Rust's own start-up ignores SIGPIPE (bit 12).
        let ignored = mask("SigIgn:") & !(1 << 12);
        let text = format!(
            "{} | environment {} | blocked {} | ignored {ignored}",
            targets.join(" "),
            std::env::vars_os().count(),
            mask("SigBlk:")
        );
        self.write(&mut self.stdout(), text.as_bytes());
    }

    /// Forks as the enclave does and waits for ever, while the copy is killed as if from outside.
    fn lose_a_fork(&self) -> ! {
        const CLONE_PARENT: i32 = 0x8000;
        // SAFETY: as in `fork`.
        if unsafe { libc::syscall(libc::SYS_clone, CLONE_PARENT | libc::SIGCHLD, 0, 0, 0, 0) } == 0 {
            // SAFETY: no memory is involved.
            unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
        }
        loop {
            std::thread::park();
        }
    }

    /// Forks as the enclave does and ends while the copy would run for ever.
    fn fork(&self) {
        const CLONE_PARENT: i32 = 0x8000;
        // SAFETY: fork(2) by another name; this process has one thread.
        match unsafe { libc::syscall(libc::SYS_clone, CLONE_PARENT | libc::SIGCHLD, 0, 0, 0, 0) } {
            0 => {
                self.write(&mut self.stdout(), b"forked\n");
                self.window.write_u32(layout::DMA, 1).unwrap();
                loop {
                    std::thread::park();
                }
            }
            -1 => panic!("CLONE_PARENT: {}", std::io::Error::last_os_error()),
            _ => {
                while self.window.read_u32(layout::DMA).unwrap() == 0 {
                    std::thread::yield_now();
                }
            }
        }
    }
}
