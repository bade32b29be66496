//! User and group ids of tasks, and how their capabilities follow them (credentials(7),
//! capabilities(7)). What file access is judged by, the file-system ids and the effective
//! capabilities, lies in the `Credentials` of the file-system context.

use crate::process::Process;
use crate::task::{self, Task};
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use rkt_linux_abi::general::{
    CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_FSETID, CAP_LINUX_IMMUTABLE, CAP_MAC_OVERRIDE,
    CAP_MKNOD, CAP_SETGID, CAP_SETUID, CAP_SYS_PTRACE, S_ISGID, S_ISUID, S_IXGRP,
};
use rkt_linux_abi::{Errno, Result};
use rkt_vfs::{Credentials, FsContext, OpenFile};

/// All capabilities that Linux 6 knows (CAP_LAST_CAP = 40).
pub const ALL_CAPABILITIES: u64 = (1 << 41) - 1;

/// Capabilities that come and go with a file-system user id of 0 (capabilities(7), "Effect of
/// user ID changes").
const FILE_CAPABILITIES: u64 = 1 << CAP_CHOWN
    | 1 << CAP_DAC_OVERRIDE
    | 1 << CAP_DAC_READ_SEARCH
    | 1 << CAP_FOWNER
    | 1 << CAP_FSETID
    | 1 << CAP_LINUX_IMMUTABLE
    | 1 << CAP_MAC_OVERRIDE
    | 1 << CAP_MKNOD;

/// Bits of PR_SET_SECUREBITS (linux/securebits.h): user 0 has no rights of its own in execve, none that
/// come and go with its ids; capabilities are kept when it is given up; none may be made ambient.
const SECURE_NO_ROOT: u32 = 1 << 0;
const SECURE_NO_SETUID_FIXUP: u32 = 1 << 2;
/// See [`SECURE_NO_ROOT`].
pub const SECURE_KEEP_CAPS: u32 = 1 << 4;
/// See [`SECURE_NO_ROOT`].
pub const SECURE_NO_AMBIENT_RAISE: u32 = 1 << 6;
/// Above each bit the one that keeps it as it is.
const SECURE_LOCKS: u32 = 0b1010_1010;
const SECURE_BITS: u32 = 0xff;

/// "Leave it as it is" in the arguments of setresuid(2) and its kin.
const KEEP: u32 = u32::MAX;

/// Real, effective and saved id, of users or of groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdSet {
    /// Who started the process.
    pub real: u32,
    /// Whose rights it has.
    pub effective: u32,
    /// Whose rights it may take back.
    pub saved: u32,
}

/// What a task may do.
#[derive(Clone)]
pub struct Rights {
    /// Its ids.
    pub ids: Ids,
    /// What file access is judged by.
    pub credentials: Arc<Credentials>,
}

/// User ids or group ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Users.
    User,
    /// Groups.
    Group,
}

/// The ids of a process.
#[derive(Clone, Copy, Debug)]
pub struct Ids {
    /// User ids.
    pub user: IdSet,
    /// Group ids.
    pub group: IdSet,
    /// Capabilities that may be made effective.
    pub permitted: u64,
    /// Capabilities that execve keeps for programs that inherit them.
    pub inheritable: u64,
    /// Capabilities that execve may give (PR_CAPBSET_DROP).
    pub bounding: u64,
    /// Capabilities that programs without any of their own keep over execve (PR_CAP_AMBIENT).
    pub ambient: u64,
    /// PR_SET_SECUREBITS: which of the rules of user 0 hold; PR_SET_KEEPCAPS is one of the bits.
    pub secure_bits: u32,
}

impl IdSet {
    fn all(id: u32) -> Self {
        Self { real: id, effective: id, saved: id }
    }

    fn contains(self, id: u32) -> bool {
        id == self.real || id == self.effective || id == self.saved
    }

    /// setuid(2), setgid(2).
    fn set(self, id: u32, privileged: bool) -> Result<Self> {
        match id {
            KEEP => Err(Errno::EINVAL),
            id if privileged => Ok(Self::all(id)),
            id if id == self.real || id == self.saved => Ok(Self { effective: id, ..self }),
            _ => Err(Errno::EPERM),
        }
    }

    /// setreuid(2), setregid(2).
    fn set_two(self, real: u32, effective: u32, privileged: bool) -> Result<Self> {
        let may_real = real == KEEP || real == self.real || real == self.effective;
        let may_effective = effective == KEEP || self.contains(effective);
        if !(privileged || may_real && may_effective) {
            return Err(Errno::EPERM);
        }
        let new = self.replaced(real, effective, KEEP);
        let follows = real != KEEP || effective != KEEP && effective != self.real;
        Ok(if follows { Self { saved: new.effective, ..new } } else { new })
    }

    /// setresuid(2), setresgid(2).
    fn set_three(self, ids: [u32; 3], privileged: bool) -> Result<Self> {
        if !privileged && !ids.iter().all(|&id| id == KEEP || self.contains(id)) {
            return Err(Errno::EPERM);
        }
        let [real, effective, saved] = ids;
        Ok(self.replaced(real, effective, saved))
    }

    fn replaced(self, real: u32, effective: u32, saved: u32) -> Self {
        let pick = |new, old| if new == KEEP { old } else { new };
        Self { real: pick(real, self.real), effective: pick(effective, self.effective), saved: pick(saved, self.saved) }
    }
}

/// A change that a system call asks for.
#[derive(Clone, Copy, Debug)]
pub enum Change {
    /// setuid(2), setgid(2).
    One(u32),
    /// setreuid(2), setregid(2): real and effective.
    Two(u32, u32),
    /// setresuid(2), setresgid(2): real, effective and saved.
    Three([u32; 3]),
}

impl Ids {
    /// Ids of a process that has these credentials from its start.
    pub fn of(credentials: &Credentials) -> Self {
        Self {
            user: IdSet::all(credentials.uid),
            group: IdSet::all(credentials.gid),
            permitted: credentials.capabilities & ALL_CAPABILITIES,
            inheritable: 0,
            bounding: ALL_CAPABILITIES,
            ambient: 0,
            secure_bits: 0,
        }
    }

    /// User or group ids.
    pub fn get(&self, kind: Kind) -> IdSet {
        match kind {
            Kind::User => self.user,
            Kind::Group => self.group,
        }
    }

    /// Whether a bit of PR_SET_SECUREBITS is set.
    pub fn secure(&self, bit: u32) -> bool {
        self.secure_bits & bit != 0
    }

    /// PR_SET_SECUREBITS; the caller may, or may not, change the rules of user 0.
    ///
    /// # Errors
    /// `EPERM` for unknown bits, and where a lock is or the right is not.
    pub fn set_secure_bits(&mut self, new: u32, may: bool) -> Result<()> {
        let old = self.secure_bits;
        let locked = (old & SECURE_LOCKS) >> 1 & (old ^ new) != 0 || old & SECURE_LOCKS & !new != 0;
        if locked || new & !SECURE_BITS != 0 || !may {
            return Err(Errno::EPERM);
        }
        self.secure_bits = new;
        Ok(())
    }

    /// Capabilities after the user ids changed from `before`; `effective` are those until now.
    fn follow_user(&mut self, before: IdSet, effective: u64) -> u64 {
        if self.secure(SECURE_NO_SETUID_FIXUP) {
            return effective;
        }
        if before.contains(0) && !self.user.contains(0) {
            self.ambient = 0;
            if !self.secure(SECURE_KEEP_CAPS) {
                self.permitted = 0;
            }
        }
        match (before.effective, self.user.effective) {
            (0, 0) => effective,
            (0, _) => 0,
            (_, 0) => self.permitted,
            _ => effective & self.permitted,
        }
    }
}

fn privilege(kind: Kind) -> u32 {
    match kind {
        Kind::User => CAP_SETUID,
        Kind::Group => CAP_SETGID,
    }
}

impl Process {
    /// Whether another process may look into this one (ptrace(2), "Ptrace access mode checking").
    pub fn may_be_inspected_by(&self, other: &Process) -> bool {
        if self.pid == other.pid || other.credentials().capable(CAP_SYS_PTRACE) {
            return true;
        }
        let (asking, ids) = (other.ids(), self.ids());
        let all = |set: IdSet, id| set == IdSet::all(id);
        let dumpable = self.flags.dumpable.load(Ordering::Relaxed) == 1;
        all(ids.user, asking.user.real) && all(ids.group, asking.group.real) && dumpable
    }

    /// What `read` sees of the caller's own rights, if the caller is a task of this process and its
    /// tasks have rights of their own.
    fn own<R>(&self, read: impl FnOnce(&mut Rights) -> R) -> Option<R> {
        if !self.divided.load(Ordering::Relaxed) {
            return None;
        }
        let read = |task: &Arc<Task>| {
            let here = core::ptr::eq(&*task.process, self);
            here.then(|| task.rights.lock().as_mut().map(read)).flatten()
        };
        task::with_current(|task, _| read(task)).flatten()
    }

    /// User and group ids: the caller's, if it is one of the tasks; else those of the first task.
    pub fn ids(&self) -> Ids {
        self.own(|own| own.ids).unwrap_or_else(|| *self.first_ids.lock())
    }

    /// Credentials, of whom [`Process::ids`] are.
    pub fn credentials(&self) -> Arc<Credentials> {
        self.own(|own| own.credentials.clone()).unwrap_or_else(|| self.fs.lock().credentials.clone())
    }

    /// Root, working directory, umask, and the credentials.
    pub fn context(&self) -> FsContext {
        let mut context = self.fs.lock().clone();
        if let Some(credentials) = self.own(|own| own.credentials.clone()) {
            context.credentials = credentials;
        }
        context
    }

    /// The rights of one of the tasks; without one those of the first.
    pub fn rights_of(&self, task: Option<&Arc<Task>>) -> Rights {
        let own = task.and_then(|task| task.rights.lock().clone());
        own.unwrap_or_else(|| Rights { ids: *self.first_ids.lock(), credentials: self.fs.lock().credentials.clone() })
    }

    /// Changes the rights of the calling task, and of no other one (credentials(7): a thread has
    /// its own; it is the C library that changes them all).
    pub fn change_rights<R>(&self, change: impl FnOnce(&mut Ids, &mut Credentials) -> Result<R>) -> Result<R> {
        self.divide();
        let (mut ids, mut credentials) = (self.ids(), (*self.credentials()).clone());
        let result = change(&mut ids, &mut credentials)?;
        let new = Rights { ids, credentials: Arc::new(credentials) };
        if self.own(|own| *own = new.clone()).is_none() {
            self.set_first_rights(new);
        }
        Ok(result)
    }

    fn set_first_rights(&self, rights: Rights) {
        *self.first_ids.lock() = rights.ids;
        self.fs.lock().credentials = rights.credentials;
    }

    /// From now on every task but the first has rights of its own.
    fn divide(&self) {
        let tasks = self.tasks.lock();
        if tasks.len() > 1 {
            self.divided.store(true, Ordering::Relaxed);
            tasks.iter().for_each(|task| self.share_rights(task));
        }
    }

    /// Gives a task its own copy of the rights, if the tasks have such and it has none yet: those of
    /// the caller if it is about to start, which nobody else sees yet.
    pub(crate) fn share_rights(&self, task: &Task) {
        if !self.divided.load(Ordering::Relaxed) || task.is_leader() || task.rights.lock().is_some() {
            return;
        }
        let new = task.thread().is_none_or(|thread| thread.last_cpu().is_none());
        let rights =
            if new { Rights { ids: self.ids(), credentials: self.credentials() } } else { self.rights_of(None) };
        *task.rights.lock() = Some(rights);
    }

    /// The credentials that access(2) judges by: those that a program without set-id bits, started
    /// by the same user, would have.
    pub fn real_credentials(&self) -> Arc<Credentials> {
        let ids = self.ids();
        let effective = self.credentials();
        let capabilities = match ids.user.real {
            _ if ids.secure(SECURE_NO_SETUID_FIXUP) => effective.capabilities,
            0 => ids.permitted,
            _ => 0,
        };
        Arc::new(Credentials {
            uid: ids.user.real,
            gid: ids.group.real,
            capabilities,
            groups: effective.groups.clone(),
        })
    }

    /// Changes user or group ids; the file-system id follows the effective one.
    ///
    /// # Errors
    /// `EPERM`, `EINVAL`.
    pub fn change_ids(&self, kind: Kind, change: Change) -> Result<()> {
        self.change_rights(|ids, credentials| {
            let before = ids.get(kind);
            let privileged = credentials.capable(privilege(kind));
            let after = match change {
                Change::One(id) => before.set(id, privileged)?,
                Change::Two(real, effective) => before.set_two(real, effective, privileged)?,
                Change::Three(three) => before.set_three(three, privileged)?,
            };
            match kind {
                Kind::Group => {
                    ids.group = after;
                    credentials.gid = after.effective;
                }
                Kind::User => {
                    ids.user = after;
                    credentials.uid = after.effective;
                    credentials.capabilities = ids.follow_user(before, credentials.capabilities);
                }
            }
            Ok(())
        })
    }

    /// setfsuid(2), setfsgid(2); gives the id until now. There are no errors.
    pub fn change_file_id(&self, kind: Kind, id: u32) -> u32 {
        let (ids, credentials) = (self.ids(), self.credentials());
        let before = if kind == Kind::User { credentials.uid } else { credentials.gid };
        let may = ids.get(kind).contains(id) || credentials.capable(privilege(kind));
        if id == KEEP || id == before || !may {
            return before;
        }
        let _ = self.change_rights(|ids, credentials| {
            match kind {
                Kind::Group => credentials.gid = id,
                Kind::User => {
                    credentials.uid = id;
                    if ids.secure(SECURE_NO_SETUID_FIXUP) {
                        return Ok(());
                    }
                    if before == 0 {
                        credentials.capabilities &= !FILE_CAPABILITIES;
                    } else if id == 0 {
                        credentials.capabilities |= ids.permitted & FILE_CAPABILITIES;
                    }
                }
            }
            Ok(())
        });
        before
    }

    /// What execve does to the ids: set-id bits of the program, and the capabilities of user 0.
    /// Says whether the program runs with more rights than its caller (AT_SECURE).
    pub fn ids_for_exec(&self, program: &OpenFile) -> bool {
        let (mut ids, mut credentials) = (self.ids(), (*self.credentials()).clone());
        let about = program.metadata();
        if !self.flags.no_new_privs.load(Ordering::Relaxed) {
            if about.mode & S_ISUID != 0 {
                ids.user.effective = about.uid;
            }
            if about.mode & (S_ISGID | S_IXGRP) == S_ISGID | S_IXGRP {
                ids.group.effective = about.gid;
            }
        }
        ids.user.saved = ids.user.effective;
        ids.group.saved = ids.group.effective;
        ids.secure_bits &= !SECURE_KEEP_CAPS;
        let set_id = ids.user.real != ids.user.effective || ids.group.real != ids.group.effective;
        if set_id {
            ids.ambient = 0;
        }
        let rules = !ids.secure(SECURE_NO_ROOT);
        let root = rules && (ids.user.effective == 0 || ids.user.real == 0);
        // Files carry no capabilities of their own here.
        ids.permitted = if root { ids.inheritable | ids.bounding } else { ids.ambient };
        let effective = if rules && ids.user.effective == 0 { ids.permitted } else { ids.ambient };
        credentials.uid = ids.user.effective;
        credentials.gid = ids.group.effective;
        credentials.capabilities = effective;
        // Whoever calls it is the only task, and the first from now on.
        self.set_first_rights(Rights { ids, credentials: Arc::new(credentials) });
        self.divided.store(false, Ordering::Relaxed);
        self.tasks.lock().iter().for_each(|task| *task.rights.lock() = None);
        set_id
    }
}
