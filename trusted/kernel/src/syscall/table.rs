//! The system-call table: number, name, arguments, handler, and how complete it is. The only
//! place that knows the numbers; docs/syscalls.md is generated from it.
//!
//! A line reads `number name(arguments) = handler, completeness;`. The type of an argument says
//! both how the handler gets it and how `--strace` prints it.

use super::{Answer, Argument, Call, abi};
use rkt_linux_abi::Errno;
use rkt_user::UserPtr;

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
/// Addresses of structures and words.
type TimespecPointer = UserPtr<abi::Timespec>;
type TimevalPointer = UserPtr<abi::Timeval>;
type ZonePointer = UserPtr<[i32; 2]>;
type ItimervalPointer = UserPtr<abi::Itimerval>;
type ItimerspecPointer = UserPtr<abi::Itimerspec>;
type SigeventPointer = UserPtr<abi::Sigevent>;
type RusagePointer = UserPtr<abi::Rusage>;
type TimexPointer = UserPtr<super::adjust::Timex>;
type TmsPointer = UserPtr<abi::Tms>;
type LongPointer = UserPtr<i64>;
type IntPointer = UserPtr<i32>;
type WordPointer = UserPtr<u64>;

table! {
    0 read(fd: Fd, buf: Pointer, count: usize) = read_write::read, Full;
    1 write(fd: Fd, buf: Pointer, count: usize) = read_write::write, Full;
    2 open(pathname: PathPointer, flags: Flags, mode: u32) = path::open, Full;
    3 close(fd: Fd) = fd::close, Full;
    4 stat(pathname: PathPointer, statbuf: Pointer) = stat::stat, Full;
    5 fstat(fd: Fd, statbuf: Pointer) = stat::fstat, Full;
    6 lstat(pathname: PathPointer, statbuf: Pointer) = stat::lstat, Full;
    7 poll(fds: Pointer, nfds: u32, timeout: i32) = poll::poll, Full;
    8 lseek(fd: Fd, offset: i64, whence: u32) = read_write::lseek, Full;
    9 mmap(addr: Pointer, length: u64, prot: Flags, flags: Flags, fd: Fd, offset: u64) = memory::mmap, Full;
    10 mprotect(addr: Pointer, len: u64, prot: Flags) = memory::mprotect, Full;
    11 munmap(addr: Pointer, len: u64) = memory::munmap, Full;
    12 brk(addr: Pointer) = memory::brk, Full;
    13 rt_sigaction(signum: u32, act: Pointer, oldact: Pointer, sigsetsize: usize) = signal::rt_sigaction, Full;
    14 rt_sigprocmask(how: u32, set: Pointer, oldset: Pointer, sigsetsize: usize) = signal::rt_sigprocmask, Full;
    15 rt_sigreturn() = signal::rt_sigreturn, Full;
    16 ioctl(fd: Fd, request: Flags, argp: Pointer) = ioctl::ioctl, Partial;
    17 pread64(fd: Fd, buf: Pointer, count: usize, offset: i64) = read_write::pread64, Full;
    18 pwrite64(fd: Fd, buf: Pointer, count: usize, offset: i64) = read_write::pwrite64, Full;
    19 readv(fd: Fd, iov: Pointer, iovcnt: usize) = read_write::readv, Full;
    20 writev(fd: Fd, iov: Pointer, iovcnt: usize) = read_write::writev, Full;
    21 access(pathname: PathPointer, mode: u32) = attributes::access, Full;
    22 pipe(pipefd: Pointer) = events::pipe, Full;
    23 select(nfds: i32, readfds: Pointer, writefds: Pointer, exceptfds: Pointer, timeout: Pointer) = poll::select, Full;
    24 sched_yield() = sched::sched_yield, Full;
    25 mremap(addr: Pointer, old_len: u64, new_len: u64, flags: Flags, new_addr: Pointer) = memory::mremap, Full;
    26 msync(addr: Pointer, length: u64, flags: Flags) = memory::msync, Full;
    27 mincore(addr: Pointer, length: u64, vec: Pointer) = memory::mincore, Full;
    28 madvise(addr: Pointer, len: u64, advice: u32) = memory::madvise, Partial;
    29 shmget(key: i32, size: u64, shmflg: Flags) = ipc::shmget, Full;
    30 shmat(shmid: i32, shmaddr: Pointer, shmflg: Flags) = ipc::shmat, Full;
    31 shmctl(shmid: i32, op: u32, buf: Pointer) = ipc::shmctl, Full;
    32 dup(oldfd: Fd) = fd::dup, Full;
    33 dup2(oldfd: Fd, newfd: Fd) = fd::dup2, Full;
    34 pause() = signal::pause, Full;
    35 nanosleep(rqtp: TimespecPointer, rmtp: TimespecPointer) = time::nanosleep, Full;
    36 getitimer(which: u32, value: ItimervalPointer) = timer::getitimer, Full;
    37 alarm(seconds: u32) = timer::alarm, Full;
    38 setitimer(which: u32, value: ItimervalPointer, ovalue: ItimervalPointer) = timer::setitimer, Full;
    39 getpid() = identity::getpid, Full;
    40 sendfile(out_fd: Fd, in_fd: Fd, offset: Pointer, count: usize) = transfer::sendfile, Full;
    41 socket(domain: u32, type_: Flags, protocol: u32) = socket::socket, Partial;
    42 connect(sockfd: Fd, addr: Pointer, addrlen: i32) = socket::connect, Full;
    43 accept(sockfd: Fd, addr: Pointer, addrlen: Pointer) = socket::accept, Full;
    44 sendto(sockfd: Fd, buf: Pointer, len: usize, flags: Flags, dest_addr: Pointer, addrlen: i32) = socket::sendto, Full;
    45 recvfrom(sockfd: Fd, buf: Pointer, len: usize, flags: Flags, src_addr: Pointer, addrlen: Pointer) = socket::recvfrom, Full;
    46 sendmsg(sockfd: Fd, msg: Pointer, flags: Flags) = message::sendmsg, Partial;
    47 recvmsg(sockfd: Fd, msg: Pointer, flags: Flags) = message::recvmsg, Partial;
    48 shutdown(sockfd: Fd, how: u32) = socket::shutdown, Full;
    49 bind(sockfd: Fd, addr: Pointer, addrlen: i32) = socket::bind, Full;
    50 listen(sockfd: Fd, backlog: i32) = socket::listen, Full;
    51 getsockname(sockfd: Fd, addr: Pointer, addrlen: Pointer) = socket::getsockname, Full;
    52 getpeername(sockfd: Fd, addr: Pointer, addrlen: Pointer) = socket::getpeername, Full;
    53 socketpair(domain: u32, type_: Flags, protocol: u32, sv: Pointer) = socket::socketpair, Full;
    54 setsockopt(sockfd: Fd, level: u32, optname: u32, optval: Pointer, optlen: i32) = socket::setsockopt, Partial;
    55 getsockopt(sockfd: Fd, level: u32, optname: u32, optval: Pointer, optlen: Pointer) = socket::getsockopt, Partial;
    56 clone(flags: u64, stack: Pointer, parent_tid: Pointer, child_tid: Pointer, tls: Pointer) = clone::clone, Partial;
    57 fork() = clone::fork, Full;
    58 vfork() = clone::vfork, Full;
    59 execve(pathname: PathPointer, argv: Pointer, envp: Pointer) = exec::execve, Full;
    60 exit(status: i32) = process::exit, Full;
    61 wait4(pid: i32, wstatus: Pointer, options: Flags, rusage: Pointer) = wait::wait4, Full;
    62 kill(pid: i32, sig: u32) = signal::kill, Full;
    63 uname(buf: Pointer) = system::uname, Full;
    64 semget(key: i32, nsems: i32, semflg: Flags) = ipc::semget, Full;
    65 semop(semid: i32, sops: Pointer, nsops: usize) = ipc::semop, Full;
    66 semctl(semid: i32, semnum: i32, op: u32, arg: u64) = ipc::semctl, Full;
    67 shmdt(shmaddr: Pointer) = ipc::shmdt, Full;
    68 msgget(key: i32, msgflg: Flags) = ipc::msgget, Full;
    69 msgsnd(msqid: i32, msgp: Pointer, msgsz: usize, msgflg: Flags) = ipc::msgsnd, Full;
    70 msgrcv(msqid: i32, msgp: Pointer, msgsz: usize, msgtyp: i64, msgflg: Flags) = ipc::msgrcv, Partial;
    71 msgctl(msqid: i32, op: u32, buf: Pointer) = ipc::msgctl, Full;
    72 fcntl(fd: Fd, op: u32, arg: u64) = fd::fcntl, Partial;
    73 flock(fd: Fd, op: Flags) = lock::flock, Full;
    74 fsync(fd: Fd) = fd::fsync, Full;
    75 fdatasync(fd: Fd) = fd::fdatasync, Full;
    76 truncate(path: PathPointer, length: i64) = attributes::truncate, Full;
    77 ftruncate(fd: Fd, length: i64) = attributes::ftruncate, Full;
    78 getdents(fd: Fd, dirp: Pointer, count: u32) = directory::getdents, Full;
    79 getcwd(buf: Pointer, size: usize) = path::getcwd, Full;
    80 chdir(path: PathPointer) = path::chdir, Full;
    81 fchdir(fd: Fd) = path::fchdir, Full;
    82 rename(oldpath: PathPointer, newpath: PathPointer) = names::rename, Full;
    83 mkdir(pathname: PathPointer, mode: u32) = names::mkdir, Full;
    84 rmdir(pathname: PathPointer) = names::rmdir, Full;
    85 creat(pathname: PathPointer, mode: u32) = path::creat, Full;
    86 link(oldpath: PathPointer, newpath: PathPointer) = names::link, Full;
    87 unlink(pathname: PathPointer) = names::unlink, Full;
    88 symlink(target: PathPointer, linkpath: PathPointer) = names::symlink, Full;
    89 readlink(pathname: PathPointer, buf: Pointer, bufsiz: i32) = names::readlink, Full;
    90 chmod(pathname: PathPointer, mode: u32) = attributes::chmod, Full;
    91 fchmod(fd: Fd, mode: u32) = attributes::fchmod, Full;
    92 chown(pathname: PathPointer, owner: u32, group: u32) = attributes::chown, Full;
    93 fchown(fd: Fd, owner: u32, group: u32) = attributes::fchown, Full;
    94 lchown(pathname: PathPointer, owner: u32, group: u32) = attributes::lchown, Full;
    95 umask(mask: u32) = path::umask, Full;
    96 gettimeofday(tv: TimevalPointer, tz: ZonePointer) = time::gettimeofday, Full;
    97 getrlimit(resource: u32, rlim: Pointer) = resource::getrlimit, Full;
    98 getrusage(who: i32, usage: RusagePointer) = time::getrusage, Partial;
    99 sysinfo(info: Pointer) = system::sysinfo, Full;
    100 times(buf: TmsPointer) = time::times, Full;
    101 ptrace() = refused::not_permitted, Full;
    102 getuid() = identity::getuid, Full;
    103 syslog(type_: u32, bufp: Pointer, len: i32) = system::syslog, Partial;
    104 getgid() = identity::getgid, Full;
    105 setuid(uid: u32) = identity::setuid, Full;
    106 setgid(gid: u32) = identity::setgid, Full;
    107 geteuid() = identity::geteuid, Full;
    108 getegid() = identity::getegid, Full;
    109 setpgid(pid: i32, pgid: i32) = identity::setpgid, Full;
    110 getppid() = identity::getppid, Full;
    111 getpgrp() = identity::getpgrp, Full;
    112 setsid() = identity::setsid, Full;
    113 setreuid(ruid: u32, euid: u32) = identity::setreuid, Full;
    114 setregid(rgid: u32, egid: u32) = identity::setregid, Full;
    115 getgroups(size: i32, list: Pointer) = identity::getgroups, Full;
    116 setgroups(size: usize, list: Pointer) = identity::setgroups, Full;
    117 setresuid(ruid: u32, euid: u32, suid: u32) = identity::setresuid, Full;
    118 getresuid(ruid: Pointer, euid: Pointer, suid: Pointer) = identity::getresuid, Full;
    119 setresgid(rgid: u32, egid: u32, sgid: u32) = identity::setresgid, Full;
    120 getresgid(rgid: Pointer, egid: Pointer, sgid: Pointer) = identity::getresgid, Full;
    121 getpgid(pid: i32) = identity::getpgid, Full;
    122 setfsuid(fsuid: u32) = identity::setfsuid, Full;
    123 setfsgid(fsgid: u32) = identity::setfsgid, Full;
    124 getsid(pid: i32) = identity::getsid, Full;
    125 capget(hdrp: Pointer, datap: Pointer) = identity::capget, Full;
    126 capset(hdrp: Pointer, datap: Pointer) = identity::capset, Full;
    127 rt_sigpending(set: Pointer, sigsetsize: usize) = signal::rt_sigpending, Full;
    128 rt_sigtimedwait(set: Pointer, info: Pointer, timeout: Pointer, sigsetsize: usize) = signal::rt_sigtimedwait, Full;
    129 rt_sigqueueinfo(pid: i32, sig: u32, info: Pointer) = signal::rt_sigqueueinfo, Full;
    130 rt_sigsuspend(mask: Pointer, sigsetsize: usize) = signal::rt_sigsuspend, Full;
    131 sigaltstack(ss: Pointer, old_ss: Pointer) = signal::sigaltstack, Full;
    132 utime(filename: PathPointer, times: Pointer) = attributes::utime, Full;
    133 mknod(pathname: PathPointer, mode: u32, dev: u32) = names::mknod, Full;
    135 personality(persona: Flags) = system::personality, Full;
    137 statfs(path: PathPointer, buf: Pointer) = stat::statfs, Full;
    138 fstatfs(fd: Fd, buf: Pointer) = stat::fstatfs, Full;
    140 getpriority(which: u32, who: i32) = priority::getpriority, Full;
    141 setpriority(which: u32, who: i32, prio: i32) = priority::setpriority, Full;
    142 sched_setparam(pid: i32, param: Pointer) = sched::sched_setparam, Full;
    143 sched_getparam(pid: i32, param: Pointer) = sched::sched_getparam, Full;
    144 sched_setscheduler(pid: i32, policy: i32, param: Pointer) = sched::sched_setscheduler, Full;
    145 sched_getscheduler(pid: i32) = sched::sched_getscheduler, Full;
    146 sched_get_priority_max(policy: u32) = sched::sched_get_priority_max, Full;
    147 sched_get_priority_min(policy: u32) = sched::sched_get_priority_min, Full;
    148 sched_rr_get_interval(pid: i32, tp: TimespecPointer) = sched::sched_rr_get_interval, Full;
    149 mlock(addr: Pointer, len: u64) = memory::mlock, Full;
    150 munlock(addr: Pointer, len: u64) = memory::munlock, Full;
    151 mlockall(flags: Flags) = memory::mlockall, Full;
    152 munlockall() = memory::munlockall, Full;
    153 vhangup() = refused::not_permitted, Full;
    155 pivot_root(new_root: PathPointer, put_old: PathPointer) = mount::pivot_root, Full;
    157 prctl(op: u32, arg2: u64, arg3: u64, arg4: u64, arg5: u64) = prctl::prctl, Partial;
    158 arch_prctl(op: Flags, addr: Pointer) = system::arch_prctl, Partial;
    159 adjtimex(buf: TimexPointer) = adjust::adjtimex, Partial;
    160 setrlimit(resource: u32, rlim: Pointer) = resource::setrlimit, Full;
    161 chroot(path: PathPointer) = path::chroot, Full;
    162 sync() = fd::sync, Full;
    163 acct() = refused::not_permitted, Full;
    164 settimeofday(tv: TimevalPointer, tz: ZonePointer) = time::settimeofday, Partial;
    165 mount(source: PathPointer, target: PathPointer, fstype: PathPointer, flags: Flags, data: Pointer) = mount::mount, Partial;
    166 umount2(target: PathPointer, flags: Flags) = mount::umount2, Full;
    167 swapon() = refused::not_permitted, Full;
    168 swapoff() = refused::not_permitted, Full;
    169 reboot() = refused::not_permitted, Full;
    170 sethostname(name: Pointer, len: i32) = system::sethostname, Full;
    171 setdomainname(name: Pointer, len: i32) = system::setdomainname, Full;
    186 gettid() = identity::gettid, Full;
    187 readahead(fd: Fd, offset: i64, count: usize) = read_write::readahead, Full;
    188 setxattr(path: PathPointer, name: PathPointer, value: Pointer, size: usize, flags: Flags) = xattr::setxattr, Full;
    189 lsetxattr(path: PathPointer, name: PathPointer, value: Pointer, size: usize, flags: Flags) = xattr::lsetxattr, Full;
    190 fsetxattr(fd: Fd, name: PathPointer, value: Pointer, size: usize, flags: Flags) = xattr::fsetxattr, Full;
    191 getxattr(path: PathPointer, name: PathPointer, value: Pointer, size: usize) = xattr::getxattr, Full;
    192 lgetxattr(path: PathPointer, name: PathPointer, value: Pointer, size: usize) = xattr::lgetxattr, Full;
    193 fgetxattr(fd: Fd, name: PathPointer, value: Pointer, size: usize) = xattr::fgetxattr, Full;
    194 listxattr(path: PathPointer, list: Pointer, size: usize) = xattr::listxattr, Full;
    195 llistxattr(path: PathPointer, list: Pointer, size: usize) = xattr::llistxattr, Full;
    196 flistxattr(fd: Fd, list: Pointer, size: usize) = xattr::flistxattr, Full;
    197 removexattr(path: PathPointer, name: PathPointer) = xattr::removexattr, Full;
    198 lremovexattr(path: PathPointer, name: PathPointer) = xattr::lremovexattr, Full;
    199 fremovexattr(fd: Fd, name: PathPointer) = xattr::fremovexattr, Full;
    200 tkill(tid: i32, sig: u32) = signal::tkill, Full;
    201 time(tloc: LongPointer) = time::time, Full;
    202 futex(uaddr: Pointer, op: Flags, val: u32, timeout: Pointer, uaddr2: Pointer, val3: u32) = futex::futex, Full;
    203 sched_setaffinity(pid: i32, cpusetsize: usize, mask: Pointer) = sched::sched_setaffinity, Full;
    204 sched_getaffinity(pid: i32, cpusetsize: usize, mask: Pointer) = sched::sched_getaffinity, Full;
    206 io_setup(nr_events: u32, ctxp: WordPointer) = aio::io_setup, Full;
    207 io_destroy(ctx: u64) = aio::io_destroy, Full;
    208 io_getevents(ctx: u64, min_nr: i64, nr: i64, events: Pointer, timeout: TimespecPointer) = aio::io_getevents, Full;
    209 io_submit(ctx: u64, nr: i64, iocbpp: WordPointer) = aio::io_submit, Partial;
    210 io_cancel(ctx: u64, iocb: Pointer, result: Pointer) = aio::io_cancel, Full;
    213 epoll_create(size: i32) = events::epoll_create, Full;
    216 remap_file_pages(addr: Pointer, size: u64, prot: Flags, pgoff: u64, flags: Flags) = memory::remap_file_pages, Full;
    217 getdents64(fd: Fd, dirp: Pointer, count: u32) = directory::getdents64, Full;
    218 set_tid_address(tidptr: Pointer) = process::set_tid_address, Full;
    219 restart_syscall() = system::restart_syscall, Full;
    220 semtimedop(semid: i32, sops: Pointer, nsops: usize, timeout: Pointer) = ipc::semtimedop, Full;
    221 fadvise64(fd: Fd, offset: i64, len: i64, advice: u32) = read_write::fadvise64, Full;
    222 timer_create(clockid: i32, sevp: SigeventPointer, timerid: IntPointer) = timer::timer_create, Full;
    223 timer_settime(timerid: i32, flags: Flags, new: ItimerspecPointer, old: ItimerspecPointer) = timer::timer_settime, Full;
    224 timer_gettime(timerid: i32, value: ItimerspecPointer) = timer::timer_gettime, Full;
    225 timer_getoverrun(timerid: i32) = timer::timer_getoverrun, Full;
    226 timer_delete(timerid: i32) = timer::timer_delete, Full;
    227 clock_settime(clockid: i32, tp: TimespecPointer) = time::clock_settime, Partial;
    228 clock_gettime(clockid: i32, tp: TimespecPointer) = time::clock_gettime, Full;
    229 clock_getres(clockid: i32, res: TimespecPointer) = time::clock_getres, Full;
    230 clock_nanosleep(clockid: i32, flags: Flags, rqtp: TimespecPointer, rmtp: TimespecPointer) = time::clock_nanosleep, Partial;
    231 exit_group(status: i32) = process::exit_group, Full;
    232 epoll_wait(epfd: Fd, events: Pointer, maxevents: i32, timeout: i32) = events::epoll_wait, Full;
    233 epoll_ctl(epfd: Fd, op: u32, fd: Fd, event: Pointer) = events::epoll_ctl, Full;
    234 tgkill(tgid: i32, tid: i32, sig: u32) = signal::tgkill, Full;
    235 utimes(filename: PathPointer, times: Pointer) = attributes::utimes, Full;
    237 mbind(addr: Pointer, len: u64, mode: Flags, nodemask: Pointer, maxnode: u64, flags: Flags) = memory_policy::mbind, Full;
    238 set_mempolicy(mode: Flags, nodemask: Pointer, maxnode: u64) = memory_policy::set_mempolicy, Full;
    239 get_mempolicy(mode: Pointer, nodemask: Pointer, maxnode: u64, addr: Pointer, flags: u64) = memory_policy::get_mempolicy, Full;
    240 mq_open(name: PathPointer, oflag: Flags, mode: u32, attr: Pointer) = mq::mq_open, Full;
    241 mq_unlink(name: PathPointer) = mq::mq_unlink, Full;
    242 mq_timedsend(mqdes: Fd, msg_ptr: Pointer, msg_len: usize, msg_prio: u32, abs_timeout: Pointer) = mq::mq_timedsend, Full;
    243 mq_timedreceive(mqdes: Fd, msg_ptr: Pointer, msg_len: usize, msg_prio: Pointer, abs_timeout: Pointer) = mq::mq_timedreceive, Full;
    244 mq_notify(mqdes: Fd, sevp: SigeventPointer) = mq::mq_notify, Full;
    245 mq_getsetattr(mqdes: Fd, newattr: Pointer, oldattr: Pointer) = mq::mq_getsetattr, Full;
    247 waitid(idtype: u32, id: i32, infop: Pointer, options: Flags, rusage: Pointer) = wait::waitid, Full;
    251 ioprio_set(which: u32, who: i32, ioprio: u32) = priority::ioprio_set, Full;
    252 ioprio_get(which: u32, who: i32) = priority::ioprio_get, Full;
    253 inotify_init() = events::inotify_init, Full;
    254 inotify_add_watch(fd: Fd, pathname: PathPointer, mask: Flags) = events::inotify_add_watch, Full;
    255 inotify_rm_watch(fd: Fd, wd: i32) = events::inotify_rm_watch, Full;
    256 migrate_pages(pid: i32, maxnode: u64, old_nodes: Pointer, new_nodes: Pointer) = memory_policy::migrate_pages, Full;
    257 openat(dirfd: Fd, pathname: PathPointer, flags: Flags, mode: u32) = path::openat, Full;
    258 mkdirat(dirfd: Fd, pathname: PathPointer, mode: u32) = names::mkdirat, Full;
    259 mknodat(dirfd: Fd, pathname: PathPointer, mode: u32, dev: u32) = names::mknodat, Full;
    260 fchownat(dirfd: Fd, pathname: PathPointer, owner: u32, group: u32, flags: Flags) = attributes::fchownat, Full;
    261 futimesat(dirfd: Fd, pathname: PathPointer, times: Pointer) = attributes::futimesat, Full;
    262 newfstatat(dirfd: Fd, pathname: PathPointer, statbuf: Pointer, flags: Flags) = stat::newfstatat, Full;
    263 unlinkat(dirfd: Fd, pathname: PathPointer, flags: Flags) = names::unlinkat, Full;
    264 renameat(olddirfd: Fd, oldpath: PathPointer, newdirfd: Fd, newpath: PathPointer) = names::renameat, Full;
    265 linkat(olddirfd: Fd, oldpath: PathPointer, newdirfd: Fd, newpath: PathPointer, flags: Flags) = names::linkat, Full;
    266 symlinkat(target: PathPointer, newdirfd: Fd, linkpath: PathPointer) = names::symlinkat, Full;
    267 readlinkat(dirfd: Fd, pathname: PathPointer, buf: Pointer, bufsiz: i32) = names::readlinkat, Full;
    268 fchmodat(dirfd: Fd, pathname: PathPointer, mode: u32) = attributes::fchmodat, Full;
    269 faccessat(dirfd: Fd, pathname: PathPointer, mode: u32) = attributes::faccessat, Full;
    270 pselect6(nfds: i32, readfds: Pointer, writefds: Pointer, exceptfds: Pointer, timeout: Pointer, sigmask: Pointer) = poll::pselect6, Full;
    271 ppoll(fds: Pointer, nfds: u32, tmo_p: Pointer, sigmask: Pointer, sigsetsize: usize) = poll::ppoll, Full;
    272 unshare(flags: Flags) = process::unshare, Partial;
    273 set_robust_list(head: Pointer, len: usize) = futex::set_robust_list, Full;
    274 get_robust_list(pid: i32, head: Pointer, len: Pointer) = futex::get_robust_list, Full;
    275 splice(fd_in: Fd, off_in: Pointer, fd_out: Fd, off_out: Pointer, size: usize, flags: Flags) = transfer::splice, Partial;
    276 tee(fd_in: Fd, fd_out: Fd, size: usize, flags: Flags) = transfer::tee, Full;
    277 sync_file_range(fd: Fd, offset: i64, nbytes: i64, flags: Flags) = fd::sync_file_range, Full;
    278 vmsplice(fd: Fd, iov: Pointer, nr_segs: usize, flags: Flags) = transfer::vmsplice, Full;
    280 utimensat(dirfd: Fd, pathname: PathPointer, times: Pointer, flags: Flags) = attributes::utimensat, Full;
    281 epoll_pwait(epfd: Fd, events: Pointer, maxevents: i32, timeout: i32, sigmask: Pointer, sigsetsize: usize) = events::epoll_pwait, Full;
    282 signalfd(fd: Fd, mask: Pointer, sizemask: usize) = signal::signalfd, Full;
    283 timerfd_create(clockid: u32, flags: Flags) = events::timerfd_create, Full;
    284 eventfd(initval: u32) = events::eventfd, Full;
    285 fallocate(fd: Fd, mode: Flags, offset: i64, size: i64) = fd::fallocate, Partial;
    286 timerfd_settime(fd: Fd, flags: Flags, new_value: Pointer, old_value: Pointer) = events::timerfd_settime, Partial;
    287 timerfd_gettime(fd: Fd, curr_value: Pointer) = events::timerfd_gettime, Full;
    288 accept4(sockfd: Fd, addr: Pointer, addrlen: Pointer, flags: Flags) = socket::accept4, Full;
    289 signalfd4(fd: Fd, mask: Pointer, sizemask: usize, flags: Flags) = signal::signalfd4, Full;
    290 eventfd2(initval: u32, flags: Flags) = events::eventfd2, Full;
    291 epoll_create1(flags: Flags) = events::epoll_create1, Full;
    292 dup3(oldfd: Fd, newfd: Fd, flags: Flags) = fd::dup3, Full;
    293 pipe2(pipefd: Pointer, flags: Flags) = events::pipe2, Full;
    294 inotify_init1(flags: Flags) = events::inotify_init1, Full;
    295 preadv(fd: Fd, iov: Pointer, iovcnt: usize, offset: i64) = read_write::preadv, Full;
    296 pwritev(fd: Fd, iov: Pointer, iovcnt: usize, offset: i64) = read_write::pwritev, Full;
    297 rt_tgsigqueueinfo(tgid: i32, tid: i32, sig: u32, info: Pointer) = signal::rt_tgsigqueueinfo, Full;
    299 recvmmsg(sockfd: Fd, msgvec: Pointer, vlen: u32, flags: Flags, timeout: Pointer) = message::recvmmsg, Partial;
    302 prlimit64(pid: i32, resource: u32, new_limit: Pointer, old_limit: Pointer) = resource::prlimit64, Full;
    303 name_to_handle_at(dirfd: Fd, pathname: PathPointer, handle: Pointer, mount_id: Pointer, flags: Flags) = handle::name_to_handle_at, Partial;
    304 open_by_handle_at(mount_fd: Fd, handle: Pointer, flags: Flags) = handle::open_by_handle_at, Full;
    305 clock_adjtime(clk_id: i32, buf: TimexPointer) = adjust::clock_adjtime, Partial;
    306 syncfs(fd: Fd) = fd::syncfs, Full;
    307 sendmmsg(sockfd: Fd, msgvec: Pointer, vlen: u32, flags: Flags) = message::sendmmsg, Partial;
    309 getcpu(cpu: Pointer, node: Pointer, tcache: Pointer) = sched::getcpu, Full;
    310 process_vm_readv(pid: i32, local_iov: Pointer, liovcnt: usize, remote_iov: Pointer, riovcnt: usize, flags: u64) = other_process::process_vm_readv, Full;
    311 process_vm_writev(pid: i32, local_iov: Pointer, liovcnt: usize, remote_iov: Pointer, riovcnt: usize, flags: u64) = other_process::process_vm_writev, Full;
    312 kcmp(pid1: i32, pid2: i32, type_: i32, idx1: u64, idx2: u64) = other_process::kcmp, Partial;
    314 sched_setattr(pid: i32, attr: Pointer, flags: Flags) = sched::sched_setattr, Partial;
    315 sched_getattr(pid: i32, attr: Pointer, size: u32, flags: Flags) = sched::sched_getattr, Partial;
    316 renameat2(olddirfd: Fd, oldpath: PathPointer, newdirfd: Fd, newpath: PathPointer, flags: Flags) = names::renameat2, Partial;
    317 seccomp(op: u32, flags: Flags, args: Pointer) = seccomp::seccomp, Partial;
    318 getrandom(buf: Pointer, buflen: usize, flags: Flags) = system::getrandom, Full;
    319 memfd_create(name: PathPointer, flags: Flags) = events::memfd_create, Partial;
    322 execveat(dirfd: Fd, pathname: PathPointer, argv: Pointer, envp: Pointer, flags: Flags) = exec::execveat, Full;
    324 membarrier(cmd: u32, flags: Flags, cpu_id: i32) = barrier::membarrier, Partial;
    325 mlock2(addr: Pointer, len: u64, flags: Flags) = memory::mlock2, Full;
    326 copy_file_range(fd_in: Fd, off_in: Pointer, fd_out: Fd, off_out: Pointer, size: usize, flags: Flags) = transfer::copy_file_range, Full;
    327 preadv2(fd: Fd, iov: Pointer, iovcnt: usize, offset: i64, offset_high: u64, flags: Flags) = read_write::preadv2, Partial;
    328 pwritev2(fd: Fd, iov: Pointer, iovcnt: usize, offset: i64, offset_high: u64, flags: Flags) = read_write::pwritev2, Partial;
    329 pkey_mprotect(addr: Pointer, len: u64, prot: Flags, pkey: i32) = memory::pkey_mprotect, Full;
    330 pkey_alloc(flags: u64, access_rights: u64) = memory::pkey_alloc, Full;
    331 pkey_free(pkey: i32) = memory::pkey_free, Full;
    332 statx(dirfd: Fd, pathname: PathPointer, flags: Flags, mask: Flags, statxbuf: Pointer) = stat::statx, Full;
    333 io_pgetevents(ctx: u64, min_nr: i64, nr: i64, events: Pointer, timeout: TimespecPointer, usig: WordPointer) = aio::io_pgetevents, Full;
    424 pidfd_send_signal(pidfd: Fd, sig: u32, info: Pointer, flags: Flags) = pidfd::pidfd_send_signal, Full;
    425 io_uring_setup() = refused::not_permitted, Full;
    434 pidfd_open(pid: i32, flags: Flags) = pidfd::pidfd_open, Full;
    435 clone3(cl_args: Pointer, size: usize) = clone::clone3, Partial;
    436 close_range(first: u32, last: u32, flags: Flags) = fd::close_range, Full;
    437 openat2(dirfd: Fd, pathname: PathPointer, how: Pointer, size: usize) = path::openat2, Full;
    438 pidfd_getfd(pidfd: Fd, targetfd: Fd, flags: Flags) = pidfd::pidfd_getfd, Full;
    439 faccessat2(dirfd: Fd, pathname: PathPointer, mode: u32, flags: Flags) = attributes::faccessat2, Full;
    440 process_madvise(pidfd: Fd, vec: Pointer, vlen: usize, advice: u32, flags: Flags) = other_process::process_madvise, Full;
    441 epoll_pwait2(epfd: Fd, events: Pointer, maxevents: i32, timeout: Pointer, sigmask: Pointer, sigsetsize: usize) = events::epoll_pwait2, Full;
    449 futex_waitv(waiters: Pointer, nr_futexes: u32, flags: Flags, timeout: Pointer, clockid: i32) = futex::futex_waitv, Full;
    452 fchmodat2(dirfd: Fd, pathname: PathPointer, mode: u32, flags: Flags) = attributes::fchmodat2, Full;
}

/// The number on x86-64 of a call of the 32-bit ABI (Linux' syscall_32.tbl) whose arguments mean
/// the same there.
pub fn from_ia32(number: u64) -> Option<u64> {
    Some(match number {
        1 => 60,         // exit
        3 => 0,          // read
        4 => 1,          // write
        5 => 2,          // open
        6 => 3,          // close
        8 => 85,         // creat
        9 => 86,         // link
        10 => 87,        // unlink
        12 => 80,        // chdir
        15 => 90,        // chmod
        20 => 39,        // getpid
        24 | 199 => 102, // getuid, getuid32
        33 => 21,        // access
        36 => 162,       // sync
        37 => 62,        // kill
        38 => 82,        // rename
        39 => 83,        // mkdir
        40 => 84,        // rmdir
        41 => 32,        // dup
        42 => 22,        // pipe
        47 | 200 => 104, // getgid, getgid32
        49 | 201 => 107, // geteuid, geteuid32
        50 | 202 => 108, // getegid, getegid32
        57 => 109,       // setpgid
        60 => 95,        // umask
        63 => 33,        // dup2
        64 => 110,       // getppid
        65 => 111,       // getpgrp
        66 => 112,       // setsid
        83 => 88,        // symlink
        85 => 89,        // readlink
        118 => 74,       // fsync
        132 => 121,      // getpgid
        133 => 81,       // fchdir
        147 => 124,      // getsid
        148 => 75,       // fdatasync
        158 => 24,       // sched_yield
        183 => 79,       // getcwd
        224 => 186,      // gettid
        238 => 200,      // tkill
        252 => 231,      // exit_group
        270 => 234,      // tgkill
        328 => 290,      // eventfd2
        330 => 292,      // dup3
        331 => 293,      // pipe2
        355 => 318,      // getrandom
        _ => return None,
    })
}
