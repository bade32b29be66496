//! Objects that are made to be waited for: pipes, eventfd, epoll, timerfd, inotify, memfd.

use super::Call;
use super::abi::{Itimerspec, Timespec};
use super::fd::usable;
use super::path::{Place, install};
use crate::signal::{self, SigSet};
use alloc::sync::Arc;
use rkt_linux_abi::general::{
    AT_FDCWD, CAP_WAKE_ALARM, CLOCK_BOOTTIME_ALARM, CLOCK_REALTIME_ALARM, EFD_CLOEXEC, EFD_NONBLOCK, EFD_SEMAPHORE,
    EPOLL_CLOEXEC, EPOLL_CTL_DEL, IN_ALL_EVENTS, IN_CLOEXEC, IN_DONT_FOLLOW, IN_EXCL_UNLINK, IN_IGNORED, IN_ISDIR,
    IN_MASK_ADD, IN_MASK_CREATE, IN_NONBLOCK, IN_ONESHOT, IN_ONLYDIR, IN_Q_OVERFLOW, IN_UNMOUNT, MFD_CLOEXEC,
    O_CLOEXEC, O_DIRECT, O_NONBLOCK, TFD_CLOEXEC, TFD_NONBLOCK,
};
use rkt_linux_abi::{Errno, Result};
use rkt_user::{UserPtr, UserSlice, read_c_string};
use rkt_vfs::epoll::Epoll;
use rkt_vfs::eventfd::EventFd;
use rkt_vfs::pipe::Pipe;
use rkt_vfs::timerfd::{TimerFd, TimerSetting};
use rkt_vfs::{Inotify, MAY_READ, OpenFile, Resolve, tmpfs};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// pipe2(2).
pub fn pipe2(call: &mut Call<'_>, to: u64, flags: u32) -> Result<u64> {
    if flags & !(O_CLOEXEC | O_NONBLOCK | O_DIRECT) != 0 {
        return Err(Errno::EINVAL);
    }
    let credentials = call.task.process.credentials();
    let (read, write) = Pipe::pair(credentials.uid, credentials.gid, flags & !O_CLOEXEC);
    install_pair(call, [read, write], flags & O_CLOEXEC != 0, to)
}

/// Gives two files numbers and stores these; on a failure there are none.
pub(super) fn install_pair(call: &Call<'_>, pair: [Arc<OpenFile>; 2], close_on_exec: bool, to: u64) -> Result<u64> {
    let [first, second] = pair;
    let files = call.task.process.files();
    let first = install(call, first, close_on_exec)? as i32;
    let result = install(call, second, close_on_exec).and_then(|second| {
        let second = second as i32;
        let stored = UserPtr::<i32>::new(to).write_array(&[first, second]);
        stored.inspect_err(|_| drop(files.remove(second)))
    });
    if result.is_err() {
        drop(files.remove(first));
    }
    result.map(|()| 0)
}

/// pipe(2).
pub fn pipe(call: &mut Call<'_>, to: u64) -> Result<u64> {
    pipe2(call, to, 0)
}

/// eventfd2(2).
pub fn eventfd2(call: &mut Call<'_>, count: u32, flags: u32) -> Result<u64> {
    if flags & !(EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE) != 0 {
        return Err(Errno::EINVAL);
    }
    install(call, EventFd::create(count, flags), flags & EFD_CLOEXEC != 0)
}

/// eventfd(2).
pub fn eventfd(call: &mut Call<'_>, count: u32) -> Result<u64> {
    eventfd2(call, count, 0)
}

/// epoll_create1(2).
pub fn epoll_create1(call: &mut Call<'_>, flags: u32) -> Result<u64> {
    if flags & !EPOLL_CLOEXEC != 0 {
        return Err(Errno::EINVAL);
    }
    install(call, Epoll::create(), flags & EPOLL_CLOEXEC != 0)
}

/// epoll_create(2).
pub fn epoll_create(call: &mut Call<'_>, size: i32) -> Result<u64> {
    if size <= 0 { Err(Errno::EINVAL) } else { epoll_create1(call, 0) }
}

/// `struct epoll_event` of x86-64, which is packed: the data's two halves stand for it.
#[repr(C)]
#[derive(FromBytes, IntoBytes, Immutable)]
struct EpollEvent {
    events: u32,
    data: [u32; 2],
}

impl EpollEvent {
    fn data(&self) -> u64 {
        let [low, high] = self.data;
        u64::from(high) << 32 | u64::from(low)
    }
}

/// epoll_ctl(2).
pub fn epoll_ctl(call: &mut Call<'_>, epfd: i32, operation: u32, fd: i32, event: u64) -> Result<u64> {
    let event = if operation == EPOLL_CTL_DEL {
        EpollEvent { events: 0, data: [0; 2] }
    } else {
        UserPtr::<EpollEvent>::new(event).read()?
    };
    let epoll = usable(call, epfd)?;
    let file = usable(call, fd)?;
    if !file.ops().pollable() {
        return Err(Errno::EPERM);
    }
    Epoll::of(&epoll)?.control(operation, fd, &file, event.events, event.data())?;
    Ok(0)
}

/// Most events that one call can give: EP_MAX_EVENTS.
const MAX_EVENTS: usize = i32::MAX as usize / size_of::<EpollEvent>();

fn wait_for_events(call: &Call<'_>, epfd: i32, to: u64, max: i32, deadline: Option<u64>) -> Result<u64> {
    let max = usize::try_from(max).ok().filter(|max| (1..=MAX_EVENTS).contains(max)).ok_or(Errno::EINVAL)?;
    let mut room = UserSlice::new(to, max * size_of::<EpollEvent>())?;
    let file = usable(call, epfd)?;
    let found = Epoll::of(&file)?.wait(max, deadline, &mut |events, data| {
        let event = EpollEvent { events, data: [data as u32, (data >> 32) as u32] };
        room.limit(size_of::<EpollEvent>()).write_all(event.as_bytes())?;
        room = room.skip(size_of::<EpollEvent>());
        Ok(())
    })?;
    Ok(found as u64)
}

/// When a timeout in milliseconds is over; a negative one never is.
pub(super) fn deadline_ms(timeout: i32) -> Option<u64> {
    match u64::try_from(timeout) {
        Err(_) => None,
        Ok(0) => Some(0),
        Ok(ms) => Some(rkt_platform::now().saturating_add(ms * 1_000_000)),
    }
}

/// When a timeout that may be null (never) is over.
pub(super) fn deadline_ns(timeout: Option<Timespec>) -> Result<Option<u64>> {
    let Some(timeout) = timeout else { return Ok(None) };
    Ok(Some(match timeout.to_ns()? {
        0 => 0,
        ns => rkt_platform::now().saturating_add(ns),
    }))
}

/// The signal mask for the time of a wait: none if the pointer is null.
pub(super) fn temporary_mask(address: u64, size: usize) -> Result<Option<SigSet>> {
    let Some(pointer) = UserPtr::<u64>::new(address).nullable() else { return Ok(None) };
    if size != 8 {
        return Err(Errno::EINVAL);
    }
    Ok(Some(SigSet(pointer.read()?)))
}

/// epoll_wait(2).
pub fn epoll_wait(call: &mut Call<'_>, epfd: i32, events: u64, max: i32, timeout: i32) -> Result<u64> {
    wait_for_events(call, epfd, events, max, deadline_ms(timeout))
}

/// epoll_pwait(2).
pub fn epoll_pwait(
    call: &mut Call<'_>,
    epfd: i32,
    events: u64,
    max: i32,
    timeout: i32,
    mask: u64,
    size: usize,
) -> Result<u64> {
    let mask = temporary_mask(mask, size)?;
    let deadline = deadline_ms(timeout);
    signal::with_mask(call.task, mask, || wait_for_events(call, epfd, events, max, deadline))
}

/// epoll_pwait2(2).
pub fn epoll_pwait2(
    call: &mut Call<'_>,
    epfd: i32,
    events: u64,
    max: i32,
    timeout: u64,
    mask: u64,
    size: usize,
) -> Result<u64> {
    let timeout = UserPtr::<Timespec>::new(timeout).nullable().map(|pointer| pointer.read()).transpose()?;
    let mask = temporary_mask(mask, size)?;
    let deadline = deadline_ns(timeout)?;
    signal::with_mask(call.task, mask, || wait_for_events(call, epfd, events, max, deadline))
}

/// timerfd_create(2).
pub fn timerfd_create(call: &mut Call<'_>, clock: u32, flags: u32) -> Result<u64> {
    if flags & !(TFD_CLOEXEC | TFD_NONBLOCK) != 0 {
        return Err(Errno::EINVAL);
    }
    let wakes = matches!(clock, CLOCK_REALTIME_ALARM | CLOCK_BOOTTIME_ALARM);
    if wakes && !call.task.process.credentials().capable(CAP_WAKE_ALARM) {
        return Err(Errno::EPERM);
    }
    install(call, TimerFd::create(clock, flags & TFD_NONBLOCK)?, flags & TFD_CLOEXEC != 0)
}

fn put_setting(to: u64, setting: TimerSetting) -> Result<()> {
    let spec = Itimerspec { interval: Timespec::from_ns(setting.interval), value: Timespec::from_ns(setting.value) };
    UserPtr::new(to).write_nullable(&spec)
}

/// timerfd_settime(2).
pub fn timerfd_settime(call: &mut Call<'_>, fd: i32, flags: u32, new: u64, old: u64) -> Result<u64> {
    let spec = UserPtr::<Itimerspec>::new(new).read()?;
    let setting = TimerSetting { value: spec.value.to_ns()?, interval: spec.interval.to_ns()? };
    let file = usable(call, fd)?;
    let before = TimerFd::of(&file)?.set(flags, setting)?;
    put_setting(old, before)?;
    Ok(0)
}

/// timerfd_gettime(2).
pub fn timerfd_gettime(call: &mut Call<'_>, fd: i32, to: u64) -> Result<u64> {
    let file = usable(call, fd)?;
    let setting = TimerFd::of(&file)?.get();
    UserSlice::new(to, size_of::<Itimerspec>())?;
    if to == 0 {
        return Err(Errno::EFAULT);
    }
    put_setting(to, setting)?;
    Ok(0)
}

/// memfd_create(2).
pub fn memfd_create(call: &mut Call<'_>, name: u64, flags: u32) -> Result<u64> {
    const NAME_MAX: usize = 249;
    let name = read_c_string(name, NAME_MAX).map_err(|error| match error {
        Errno::ENAMETOOLONG => Errno::EINVAL,
        error => error,
    })?;
    let file = tmpfs::memfd(&name, flags, call.task.process.credentials())?;
    install(call, file, flags & MFD_CLOEXEC != 0)
}

/// inotify_init1(2).
pub fn inotify_init1(call: &mut Call<'_>, flags: u32) -> Result<u64> {
    if flags & !(IN_CLOEXEC | IN_NONBLOCK) != 0 {
        return Err(Errno::EINVAL);
    }
    install(call, Inotify::create(flags & IN_NONBLOCK), flags & IN_CLOEXEC != 0)
}

/// inotify_init(2).
pub fn inotify_init(call: &mut Call<'_>) -> Result<u64> {
    inotify_init1(call, 0)
}

/// All bits that the mask of a watch may have: events may be asked for that are told in any case.
const WATCH_BITS: u32 = IN_ALL_EVENTS
    | IN_UNMOUNT
    | IN_Q_OVERFLOW
    | IN_IGNORED
    | IN_ONLYDIR
    | IN_DONT_FOLLOW
    | IN_EXCL_UNLINK
    | IN_MASK_CREATE
    | IN_MASK_ADD
    | IN_ISDIR
    | IN_ONESHOT;

/// inotify_add_watch(2).
pub fn inotify_add_watch(call: &mut Call<'_>, fd: i32, path: u64, mask: u32) -> Result<u64> {
    if mask & !WATCH_BITS != 0 || mask == 0 {
        return Err(Errno::EINVAL);
    }
    let file = usable(call, fd)?;
    if mask & IN_MASK_ADD != 0 && mask & IN_MASK_CREATE != 0 {
        return Err(Errno::EINVAL);
    }
    let instance = Inotify::of(&file)?;
    let place = Place::new(call, AT_FDCWD, path)?;
    let how = Resolve { follow: mask & IN_DONT_FOLLOW == 0, directory: mask & IN_ONLYDIR != 0, ..Resolve::FOLLOW };
    let at = place.resolve(how)?;
    place.context.credentials.check(&at.inode().access(), MAY_READ)?;
    Ok(instance.add_watch(&at, mask)? as u64)
}

/// inotify_rm_watch(2).
pub fn inotify_rm_watch(call: &mut Call<'_>, fd: i32, watch: i32) -> Result<u64> {
    let file = usable(call, fd)?;
    Inotify::of(&file)?.remove_watch(watch)?;
    Ok(0)
}
