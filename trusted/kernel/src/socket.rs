//! Sockets as files, and what the network needs of the rest of the kernel.

use crate::task;
use alloc::format;
use alloc::sync::{Arc, Weak};
use core::any::Any;
use hashbrown::HashMap;
use rkt_linux_abi::general::{O_NONBLOCK, O_RDWR, S_IFSOCK};
use rkt_linux_abi::ioctl::{FIONREAD, SIOCATMARK, SIOCGIFCONF, TIOCOUTQ};
use rkt_linux_abi::{Errno, Result};
use rkt_net::{Credentials, Hooks, Outgoing, Ring, Socket, UnixNode, ioctl_if};
use rkt_sync::Mutex;
use rkt_user::{IoSink, IoSource, UserPtr, UserSlice};
use rkt_vfs::{
    AnonInode, FileOps, FileType, FsContext, Inode, MAY_WRITE, Mappable, MappedFolio, OpenFile, PollTable, Resolve, ops,
};

/// A socket that is open.
pub struct SocketFile {
    socket: Arc<dyn Socket>,
    /// Number of the inode, by which the network lists it.
    inode: u64,
}

impl SocketFile {
    /// Opens a socket; `flags` is `O_NONBLOCK` or nothing.
    pub fn open(socket: Arc<dyn Socket>, flags: u32) -> Arc<OpenFile> {
        let inode = Arc::new(AnonInode::new(S_IFSOCK | 0o777));
        let number = inode.number();
        let name = format!("socket:[{number}]");
        if let Some(net) = crate::devices::net() {
            net.enrol(&socket, number, NetHooks.credentials().uid);
        }
        let file = Arc::new(Self { socket, inode: number });
        OpenFile::anonymous(inode, name.as_bytes(), file, O_RDWR | flags & O_NONBLOCK)
    }

    /// The socket behind an open file.
    ///
    /// # Errors
    /// `ENOTSOCK`.
    pub fn of(file: &OpenFile) -> Result<&Arc<dyn Socket>> {
        file.ops_as::<Self>().map(|file| &file.socket).ok_or(Errno::ENOTSOCK)
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Some(net) = crate::devices::net() {
            net.strike(self.inode);
        }
    }
}

impl FileOps for SocketFile {
    fn read(&self, file: &OpenFile, _: &mut u64, into: &mut IoSink<'_>) -> Result<usize> {
        if into.remaining() == 0 {
            return Ok(0);
        }
        Ok(self.socket.receive(into, 0, file.nonblocking())?.len)
    }

    fn write(&self, file: &OpenFile, _: &mut u64, from: &mut IoSource<'_>) -> Result<usize> {
        self.socket.send(from, &mut Outgoing { nonblocking: file.nonblocking(), ..Outgoing::default() })
    }

    fn map(&self, _: &OpenFile) -> Result<Arc<dyn Mappable>> {
        Ok(Arc::new(RingPages(rkt_net::ring_of(&*self.socket)?)))
    }

    fn pollable(&self) -> bool {
        true
    }

    fn poll(&self, _: &OpenFile, table: Option<&mut PollTable>) -> u32 {
        if let Some(table) = table {
            table.watch(self.socket.wait_queue());
        }
        self.socket.poll()
    }

    fn ioctl(&self, _: &OpenFile, command: u32, argument: u64) -> Result<i64> {
        let count = |n: usize| UserPtr::<i32>::new(argument).write(&i32::try_from(n).unwrap_or(i32::MAX));
        match command {
            FIONREAD => count(self.socket.queued_input()?)?,
            TIOCOUTQ => count(self.socket.queued_output()?)?,
            SIOCATMARK => count(self.socket.at_mark()?.into())?,
            SIOCGIFCONF => list_interfaces(argument)?,
            _ => ask_interface(command, argument)?,
        }
        Ok(0)
    }
}

/// The ring of a packet socket, as mmap(2) maps it (packet(7), PACKET_RX_RING).
struct RingPages(Arc<Ring>);

impl Mappable for RingPages {
    fn folio(&self, offset: u64) -> Result<MappedFolio> {
        self.0.block(offset).map(|(folio, start)| MappedFolio { folio, start }).ok_or(Errno::EFAULT)
    }

    fn folio_at_hand(&self, offset: u64) -> Result<Option<MappedFolio>> {
        self.folio(offset).map(Some)
    }

    fn len(&self) -> u64 {
        self.0.size()
    }

    fn map_writable(&self, _: bool) -> Result<()> {
        Ok(())
    }

    fn written(&self) {}
}

/// Bytes of `struct ifreq`.
const IFREQ_LEN: usize = 40;

/// SIOCGIFCONF (netdevice(7)): `struct ifconf` is a length and, behind four bytes, an address.
fn list_interfaces(argument: u64) -> Result<()> {
    let interfaces = crate::devices::net().ok_or(Errno::ENODEV)?.interfaces();
    let len = UserPtr::<i32>::new(argument);
    let to = UserPtr::<u64>::new(argument).nth(1)?.read()?;
    let room = usize::try_from(len.read()?).map_err(|_| Errno::EINVAL)?;
    let fits = if to == 0 { usize::MAX } else { room / IFREQ_LEN };
    let mut stored = 0;
    for interface in interfaces.iter().take(fits) {
        if to != 0 {
            UserSlice::new(to + stored as u64, IFREQ_LEN)?.write_all(&interface.request())?;
        }
        stored += IFREQ_LEN;
    }
    len.write(&(stored as i32))
}

/// What netdevice(7) lets one ask about one interface.
fn ask_interface(command: u32, argument: u64) -> Result<()> {
    const SIOC: u32 = 0x89;
    if command >> 8 != SIOC {
        return Err(Errno::ENOTTY);
    }
    let interfaces = crate::devices::net().ok_or(Errno::ENODEV)?.interfaces();
    let user = UserSlice::new(argument, IFREQ_LEN)?;
    let mut request = [0; IFREQ_LEN];
    if user.read(&mut request) < IFREQ_LEN {
        return Err(Errno::EFAULT);
    }
    ioctl_if(&interfaces, command, &mut request)?;
    user.write_all(&request)
}

/// Sockets by the inode of their name, whose address the weak reference keeps taken.
type Names = HashMap<usize, (Weak<dyn Inode>, Arc<UnixNode>)>;

struct Registry {
    names: Option<Names>,
    /// Number of names at which those whose inode has gone are dropped.
    prune_at: usize,
}

const PRUNE_AT: usize = 64;

static REGISTRY: Mutex<Registry> = Mutex::new(Registry { names: None, prune_at: PRUNE_AT });

fn address(inode: &Arc<dyn Inode>) -> usize {
    Arc::as_ptr(inode).cast::<()>().addr()
}

impl Registry {
    fn insert(&mut self, inode: &Arc<dyn Inode>, node: Arc<UnixNode>) {
        let names = self.names.get_or_insert_default();
        if names.len() >= self.prune_at {
            names.retain(|_, (inode, _)| inode.strong_count() > 0);
            self.prune_at = PRUNE_AT.max(names.len() * 2);
        }
        names.insert(address(inode), (Arc::downgrade(inode), node));
    }

    fn find(&self, inode: &Arc<dyn Inode>) -> Option<Arc<UnixNode>> {
        Some(self.names.as_ref()?.get(&address(inode))?.1.clone())
    }
}

/// The kernel, as the network sees it.
pub struct NetHooks;

fn context() -> Result<FsContext> {
    Ok(task::try_current().ok_or(Errno::EPERM)?.process.context())
}

impl Hooks for NetHooks {
    fn credentials(&self) -> Credentials {
        let Some(task) = task::try_current() else { return Credentials::default() };
        let of = task.process.credentials();
        Credentials { pid: task.process.pid as u32, uid: of.uid, gid: of.gid }
    }

    fn capable(&self, capability: u32) -> bool {
        task::try_current().is_some_and(|task| task.process.credentials().capable(capability))
    }

    fn memory(&self) -> usize {
        rkt_heap::REGION.stats().total.saturating_mul(rkt_heap::PAGE)
    }

    fn bind_path(&self, path: &[u8], node: Arc<UnixNode>) -> Result<()> {
        let context = context()?;
        ops::mknod(&context, None, path, S_IFSOCK | 0o777, 0).map_err(|error| match error {
            Errno::EEXIST => Errno::EADDRINUSE,
            error => error,
        })?;
        let at = context.resolve(None, path, Resolve::NO_FOLLOW)?;
        REGISTRY.lock().insert(at.inode(), node);
        Ok(())
    }

    fn find_path(&self, path: &[u8]) -> Result<Arc<UnixNode>> {
        let context = context()?;
        let at = context.resolve(None, path, Resolve::FOLLOW)?;
        context.credentials.check(&at.inode().access(), MAY_WRITE)?;
        if at.inode().kind() != FileType::Socket {
            return Err(Errno::ECONNREFUSED);
        }
        REGISTRY.lock().find(at.inode()).ok_or(Errno::ECONNREFUSED)
    }
}

/// An open file as it travels in SCM_RIGHTS.
pub fn to_right(file: Arc<OpenFile>) -> Arc<dyn Any + Send + Sync> {
    file
}

/// The open file that travelled.
pub fn from_right(right: Arc<dyn Any + Send + Sync>) -> Option<Arc<OpenFile>> {
    right.downcast().ok()
}
