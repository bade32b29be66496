//! The system-call table: number, name, arguments, handler, and how complete it is. The only
//! place that knows the numbers; docs/syscalls.md is generated from it.
//!
//! A line reads `number name(arguments) = handler, completeness;`. The type of an argument says
//! both how the handler gets it and how `--strace` prints it.

use super::{Answer, Argument, Call};
use rkt_linux_abi::Errno;

/// How complete a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completeness {
    /// Everything that the manual page says and that can exist here.
    Full,
    /// Some flags or cases answer with the error that Linux gives for unsupported ones.
    Partial,
}

/// What is known of a call.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Number on x86-64.
    pub number: u64,
    /// Name.
    pub name: &'static str,
    /// Names and types of its arguments.
    pub arguments: &'static [(&'static str, &'static str)],
    /// How complete it is.
    pub completeness: Completeness,
}

macro_rules! table {
    ($($number:literal $name:ident($($argument:ident: $type:ty),*) = $($handler:ident)::+, $how:ident;)*) => {
        /// Serves a call.
        pub fn dispatch(number: u64, call: &mut Call<'_>) -> Answer {
            match number {
                $($number => {
                    #[allow(unused_variables, unused_mut)]
                    let mut registers = call.registers.args().into_iter();
                    $(let $argument = <$type as Argument>::from_register(registers.next().unwrap_or(0));)*
                    super::$($handler)::+(call $(, $argument)*).map(Into::into)
                })*
                _ => Err(Errno::ENOSYS),
            }
        }

        /// All calls in order of their lines.
        pub const ENTRIES: &[Entry] = &[$(Entry {
            number: $number,
            name: stringify!($name),
            arguments: &[$((stringify!($argument), stringify!($type))),*],
            completeness: Completeness::$how,
        }),*];

        /// Name of a call; none if it does not exist here.
        pub fn name(number: u64) -> Option<&'static str> {
            match number {
                $($number => Some(stringify!($name)),)*
                _ => None,
            }
        }
    };
}

/// A user address that the handler reads or writes itself.
type Pointer = u64;
/// The address of a path.
type PathPointer = u64;
/// A descriptor.
type Fd = i32;
/// Flags, printed in hexadecimal.
type Flags = u32;

table! {
    0 read(fd: Fd, buf: Pointer, count: usize) = read_write::read, Full;
    1 write(fd: Fd, buf: Pointer, count: usize) = read_write::write, Full;
    9 mmap(addr: Pointer, length: u64, prot: Flags, flags: Flags, fd: Fd, offset: u64) = memory::mmap, Full;
    10 mprotect(addr: Pointer, len: u64, prot: Flags) = memory::mprotect, Full;
    11 munmap(addr: Pointer, len: u64) = memory::munmap, Full;
    12 brk(addr: Pointer) = memory::brk, Full;
    25 mremap(addr: Pointer, old_len: u64, new_len: u64, flags: Flags, new_addr: Pointer) = memory::mremap, Partial;
    28 madvise(addr: Pointer, len: u64, advice: u32) = memory::madvise, Partial;
    39 getpid() = identity::getpid, Full;
}

/// The number on x86-64 of a call of the 32-bit ABI whose arguments mean the same there.
pub fn from_ia32(number: u64) -> Option<u64> {
    Some(match number {
        1 => 60,   // exit
        3 => 0,    // read
        4 => 1,    // write
        5 => 2,    // open
        6 => 3,    // close
        19 => 8,   // lseek
        20 => 39,  // getpid
        24 => 102, // getuid
        33 => 21,  // access
        37 => 62,  // kill
        41 => 32,  // dup
        47 => 104, // getgid
        49 => 107, // geteuid
        50 => 108, // getegid
        64 => 110, // getppid
        63 => 33,  // dup2
        158 => 24, // sched_yield
        224 => 186, // gettid
        252 => 231, // exit_group
        _ => return None,
    })
}
