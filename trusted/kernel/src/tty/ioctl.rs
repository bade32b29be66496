//! ioctl_tty(2).

use super::pty::Master;
use super::termios::{Termio, Termios, Termios2};
use super::{State, Tty, TtyFile, give_up, session_of};
use crate::jobs;
use crate::process;
use crate::task::{self, Task};
use alloc::sync::Arc;
use rkt_linux_abi::general::{
    CAP_SYS_ADMIN, CLOCAL, O_ACCMODE, O_CLOEXEC, O_NOCTTY, O_NONBLOCK, SIGINT, SIGQUIT, SIGTSTP, SIGTTOU, TCIFLUSH,
    TCIOFF, TCIOFLUSH, TCION, TCOFLUSH, TCOOFF, TCOON, VSTART, VSTOP,
};
use rkt_linux_abi::ioctl::{
    FIONREAD, TCFLSH, TCGETA, TCGETS, TCGETS2, TCSBRK, TCSBRKP, TCSETA, TCSETAF, TCSETAW, TCSETS, TCSETS2, TCSETSF,
    TCSETSF2, TCSETSW, TCSETSW2, TCXONC, TIOCCBRK, TIOCEXCL, TIOCGDEV, TIOCGETD, TIOCGEXCL, TIOCGLCKTRMIOS, TIOCGPGRP,
    TIOCGPKT, TIOCGPTLCK, TIOCGPTN, TIOCGPTPEER, TIOCGSID, TIOCGSOFTCAR, TIOCGWINSZ, TIOCNOTTY, TIOCNXCL, TIOCOUTQ,
    TIOCPKT, TIOCSBRK, TIOCSCTTY, TIOCSETD, TIOCSIG, TIOCSLCKTRMIOS, TIOCSPGRP, TIOCSPTLCK, TIOCSSOFTCAR, TIOCSTI,
    TIOCSWINSZ, TIOCVHANGUP,
};
use rkt_linux_abi::{Errno, Result};
use rkt_user::UserPtr;
use rkt_vfs::OpenFile;

fn put(argument: u64, value: i32) -> Result<i64> {
    UserPtr::<i32>::new(argument).write(&value).map(|()| 0)
}

fn put_flag(argument: u64, tty: &Tty, flag: impl Fn(&State) -> bool) -> Result<i64> {
    let on = flag(&tty.state.lock());
    put(argument, on.into())
}

fn get(argument: u64) -> Result<i32> {
    UserPtr::<i32>::new(argument).read()
}

/// On the program's end.
pub fn of_program(end: &TtyFile, file: &OpenFile, command: u32, argument: u64) -> Result<i64> {
    let (tty, task) = (end.tty(), task::current());
    let process = &task.process;
    match command {
        TIOCSCTTY => tty.claim(process, argument == 1 || !file.readable())?,
        TIOCNOTTY if !tty.controls(process) => return Err(Errno::ENOTTY),
        TIOCNOTTY => give_up(process, false),
        TIOCGPGRP | TIOCGSID if !tty.controls(process) => return Err(Errno::ENOTTY),
        TIOCVHANGUP if !process.credentials().capable(CAP_SYS_ADMIN) => return Err(Errno::EPERM),
        TIOCVHANGUP => tty.hang_up(),
        FIONREAD => {
            let waiting = tty.readable();
            return put(argument, waiting as i32);
        }
        TIOCOUTQ => return put(argument, 0), // what is written is with the other end at once
        _ => return of_either(tty, &task, command, argument),
    }
    Ok(0)
}

/// On the master of a pseudo-terminal.
pub fn of_master(master: &Master, command: u32, argument: u64) -> Result<i64> {
    let tty = &master.tty;
    match command {
        TIOCGPTN => return put(argument, master.number as i32),
        TIOCSPTLCK => {
            let unlock = get(argument)? == 0;
            tty.state.lock().unlocked = unlock;
        }
        TIOCGPTLCK => return put_flag(argument, tty, |state| !state.unlocked),
        TIOCGPTPEER => return open_peer(master, argument as u32),
        TIOCPKT => {
            let on = get(argument)? != 0;
            let mut state = tty.state.lock();
            if on && !state.packets {
                state.status = 0;
            }
            state.packets = on;
        }
        TIOCGPKT => return put_flag(argument, tty, |state| state.packets),
        TIOCSIG => {
            let number = argument as u32;
            if !matches!(number, SIGINT | SIGQUIT | SIGTSTP) {
                return Err(Errno::EINVAL);
            }
            tty.signal_foreground(number);
        }
        FIONREAD => {
            let waiting = tty.leaving();
            return put(argument, waiting as i32);
        }
        TIOCOUTQ => return put(argument, 0),
        TIOCSCTTY | TIOCNOTTY | TIOCVHANGUP => return Err(Errno::ENOTTY),
        _ => return of_either(tty, &task::current(), command, argument),
    }
    Ok(0)
}

/// TIOCGPTPEER: opens the program's end without its name.
fn open_peer(master: &Master, flags: u32) -> Result<i64> {
    let task = task::current();
    let end = super::devpts::open(&master.tty, flags & O_NOCTTY != 0)?;
    let path = super::devpts::path(master.number)?;
    let opened = OpenFile::new(path, end, flags & (O_ACCMODE | O_NONBLOCK), task.process.credentials());
    let limit = task.process.limit(crate::syscall::fd::RLIMIT_NOFILE);
    Ok(task.process.files().insert(opened, flags & O_CLOEXEC != 0, 0, limit)?.into())
}

/// What does the same at both ends.
fn of_either(tty: &Arc<Tty>, task: &Task, command: u32, argument: u64) -> Result<i64> {
    let modes = UserPtr::<Termios>::new(argument);
    match command {
        TCGETS => {
            let shown = tty.modes();
            modes.write(&shown)?;
        }
        TCGETS2 => {
            let shown = tty.modes().with_speeds();
            UserPtr::<Termios2>::new(argument).write(&shown)?;
        }
        TCSETS | TCSETSW | TCSETSF => set_modes(tty, task, modes.read()?, command == TCSETSF)?,
        TCSETS2 | TCSETSW2 | TCSETSF2 => set_modes(tty, task, modes.read()?, command == TCSETSF2)?,
        TCGETA => {
            let shown = tty.modes().to_termio();
            UserPtr::<Termio>::new(argument).write(&shown)?;
        }
        TCSETA | TCSETAW | TCSETAF => {
            let changed = UserPtr::<Termio>::new(argument).read()?;
            set_modes(tty, task, tty.modes().with_termio(changed), command == TCSETAF)?;
        }
        TIOCGWINSZ => {
            let size = tty.state.lock().size;
            UserPtr::<u16>::new(argument).write_array(&size)?;
        }
        TIOCSWINSZ => {
            let size = UserPtr::<u16>::new(argument).read_array(4)?;
            tty.set_size(size.try_into().map_err(|_| Errno::EFAULT)?);
        }
        TIOCGDEV => return put(argument, tty.device() as i32),
        TIOCGPGRP => return put(argument, tty.foreground()),
        TIOCSPGRP => set_foreground(tty, task, argument)?,
        TIOCGSID => match tty.session() {
            0 => return Err(Errno::ENOTTY),
            session => return put(argument, session),
        },
        TCFLSH | TCXONC | TCSBRK | TCSBRKP | TIOCSBRK | TIOCCBRK => {
            tty.check_foreground(task, SIGTTOU)?;
            control(tty, command, argument as u32)?;
        }
        TIOCEXCL | TIOCNXCL => tty.state.lock().exclusive = command == TIOCEXCL,
        TIOCGEXCL => return put_flag(argument, tty, |state| state.exclusive),
        TIOCGETD => return put(argument, 0),
        TIOCSETD => return if get(argument)? == 0 { Ok(0) } else { Err(Errno::EINVAL) },
        TIOCGSOFTCAR => return put_flag(argument, tty, |state| state.modes.control & CLOCAL != 0),
        TIOCSSOFTCAR => {
            let on = get(argument)? != 0;
            let mut state = tty.state.lock();
            let control = state.modes.control & !CLOCAL | if on { CLOCAL } else { 0 };
            let modes = Termios { control, ..state.modes };
            state.set_modes(modes);
        }
        TIOCGLCKTRMIOS => {
            let locked = tty.state.lock().locked;
            modes.write(&locked)?;
        }
        TIOCSLCKTRMIOS if !task.process.credentials().capable(CAP_SYS_ADMIN) => return Err(Errno::EPERM),
        TIOCSLCKTRMIOS => {
            let locked = modes.read()?;
            tty.state.lock().locked = locked;
        }
        TIOCSTI => return Err(Errno::EIO), // as with dev.tty.legacy_tiocsti = 0
        _ => return Err(Errno::ENOTTY),
    }
    Ok(0)
}

fn set_modes(tty: &Arc<Tty>, task: &Task, modes: Termios, flush: bool) -> Result<()> {
    tty.check_foreground(task, SIGTTOU)?;
    let mut state = tty.state.lock();
    if flush {
        state.flush_input();
    }
    state.set_modes(modes);
    drop(state);
    tty.digest();
    tty.notify();
    Ok(())
}

fn set_foreground(tty: &Arc<Tty>, task: &Task, argument: u64) -> Result<()> {
    match tty.check_foreground(task, SIGTTOU) {
        Err(Errno::EIO) => return Err(Errno::ENOTTY),
        other => other?,
    }
    let process = &task.process;
    let session = session_of(process);
    if !tty.controls(process) || tty.session() != session {
        return Err(Errno::ENOTTY);
    }
    let group = get(argument)?;
    if group < 0 {
        return Err(Errno::EINVAL);
    }
    let named = process::find(group);
    let named_here = named.as_deref().is_some_and(|named| session_of(named) == session);
    if !named_here && !jobs::has_group(session, group) {
        let exists = named.is_some() || !jobs::members(group).is_empty();
        return Err(if exists { Errno::EPERM } else { Errno::ESRCH });
    }
    tty.set_foreground(group);
    Ok(())
}

/// tcflush(3), tcflow(3); breaks mean nothing on a line without wires.
fn control(tty: &Arc<Tty>, command: u32, argument: u32) -> Result<()> {
    let mut state = tty.state.lock();
    match (command, argument) {
        (TCFLSH, TCIFLUSH) => state.flush_input(),
        (TCFLSH, TCOFLUSH) => state.flush_output(),
        (TCFLSH, TCIOFLUSH) => {
            state.flush_input();
            state.flush_output();
        }
        (TCXONC, TCOOFF) => state.set_flow(false),
        (TCXONC, TCOON) => state.set_flow(true),
        (TCXONC, TCIOFF | TCION) => {
            let which = if argument == TCIOFF { VSTOP } else { VSTART };
            let character = state.modes.character(which);
            state.leaving.extend(character);
        }
        (TCFLSH | TCXONC, _) => return Err(Errno::EINVAL),
        _ => {}
    }
    drop(state);
    tty.notify();
    Ok(())
}

/// Number of a process's terminal in /proc/PID/stat (proc_pid_stat(5)), and the group in its
/// foreground; 0 and -1 without one.
pub fn shown(process: &process::Process) -> (i64, i64) {
    match &*process.tty.lock() {
        Some(tty) => (tty.device() as i64, tty.foreground().into()),
        None => (0, -1),
    }
}
