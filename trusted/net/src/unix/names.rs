//! Names of local sockets: files, which the kernel keeps, and the abstract name space.

use super::UnixSocket;
use crate::address::UnixAddress;
use crate::options::Kind;
use crate::ports::random;
use crate::socket::Hooks;
use alloc::format;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use hashbrown::HashMap;
use rkt_linux_abi::{Errno, Result};
use rkt_sync::Mutex;

/// Attempts to find a free name before giving up; a million of them exist.
const AUTOBIND_ATTEMPTS: usize = 64;

/// What a socket file leads to: the socket that was bound to it, as long as that exists.
pub struct UnixNode {
    socket: Weak<UnixSocket>,
}

/// A socket's own name, which its peers and who reads what it sent see as it is then.
#[derive(Clone, Default)]
pub(super) struct Name(Arc<Mutex<Option<UnixAddress>>>);

impl Name {
    pub fn get(&self) -> UnixAddress {
        self.0.lock().clone().unwrap_or(UnixAddress::Unnamed)
    }

    pub fn set(&self, name: UnixAddress) {
        *self.0.lock() = Some(name);
    }

    pub fn is_unnamed(&self) -> bool {
        self.get() == UnixAddress::Unnamed
    }
}

/// Sockets by type and name.
type Owners = HashMap<(u8, Vec<u8>), Weak<UnixSocket>>;

/// The abstract name space: each type of socket has its own.
pub(crate) struct Names {
    sockets: Mutex<Owners>,
}

impl Names {
    pub fn new() -> Arc<Self> {
        Arc::new(Self { sockets: Mutex::new(HashMap::new()) })
    }

    /// Binds; an unnamed address stands for a name of five random hexadecimal digits (unix(7)).
    ///
    /// # Errors
    /// `EADDRINUSE`, those of [`Hooks::bind_path`].
    pub fn bind(
        &self,
        hooks: &dyn Hooks,
        name: &UnixAddress,
        kind: Kind,
        socket: &Weak<UnixSocket>,
    ) -> Result<UnixAddress> {
        match name {
            UnixAddress::Path(path) => {
                hooks.bind_path(path, Arc::new(UnixNode { socket: socket.clone() }))?;
                Ok(name.clone())
            }
            UnixAddress::Abstract(bytes) => {
                self.claim(kind, bytes.clone(), socket)?;
                Ok(name.clone())
            }
            UnixAddress::Unnamed => {
                for _ in 0..AUTOBIND_ATTEMPTS {
                    let bytes = format!("{:05x}", random() & 0xf_ffff).into_bytes();
                    if self.claim(kind, bytes.clone(), socket).is_ok() {
                        return Ok(UnixAddress::Abstract(bytes));
                    }
                }
                Err(Errno::ENOSPC)
            }
        }
    }

    /// Why a socket that has a name gets no other: Linux makes the file first, and so finds one that is there.
    pub fn refusal(&self, hooks: &dyn Hooks, name: &UnixAddress) -> Errno {
        let UnixAddress::Path(path) = name else { return Errno::EINVAL };
        match hooks.find_path(path) {
            Ok(_) | Err(Errno::ECONNREFUSED) => Errno::EADDRINUSE,
            Err(_) => Errno::EINVAL,
        }
    }

    fn claim(&self, kind: Kind, name: Vec<u8>, socket: &Weak<UnixSocket>) -> Result<()> {
        let mut sockets = self.sockets.lock();
        let name = (kind as u8, name);
        if sockets.get(&name).is_some_and(|owner| owner.strong_count() > 0) {
            return Err(Errno::EADDRINUSE);
        }
        sockets.insert(name, socket.clone());
        Ok(())
    }

    /// Frees the name of a socket that is closing.
    pub fn release(&self, name: &UnixAddress, kind: Kind) {
        if let UnixAddress::Abstract(name) = name {
            let mut sockets = self.sockets.lock();
            // Another one may have claimed it in between.
            let name = (kind as u8, name.clone());
            if sockets.get(&name).is_some_and(|owner| owner.strong_count() == 0) {
                sockets.remove(&name);
            }
        }
    }

    /// The socket of this name and type.
    ///
    /// # Errors
    /// `ECONNREFUSED` if there is none, `EPROTOTYPE` if it is of another type, those of [`Hooks::find_path`].
    pub fn find(&self, hooks: &dyn Hooks, name: &UnixAddress, kind: Kind) -> Result<Arc<UnixSocket>> {
        let socket = match name {
            UnixAddress::Path(path) => hooks.find_path(path)?.socket.upgrade(),
            UnixAddress::Abstract(name) => self.sockets.lock().get(&(kind as u8, name.clone())).and_then(Weak::upgrade),
            UnixAddress::Unnamed => return Err(Errno::EINVAL),
        };
        let socket = socket.ok_or(Errno::ECONNREFUSED)?;
        if socket.kind == kind { Ok(socket) } else { Err(Errno::EPROTOTYPE) }
    }
}
