//! Names of local sockets: files, which the kernel keeps, and the abstract name space.

use super::UnixSocket;
use crate::address::UnixAddress;
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

/// The abstract name space.
pub(crate) struct Names {
    sockets: Mutex<HashMap<Vec<u8>, Weak<UnixSocket>>>,
}

impl Names {
    pub fn new() -> Arc<Self> {
        Arc::new(Self { sockets: Mutex::new(HashMap::new()) })
    }

    /// Binds; an unnamed address stands for a name of five random hexadecimal digits (unix(7)).
    ///
    /// # Errors
    /// `EADDRINUSE`, those of [`Hooks::bind_path`].
    pub fn bind(&self, hooks: &dyn Hooks, name: &UnixAddress, socket: &Weak<UnixSocket>) -> Result<UnixAddress> {
        match name {
            UnixAddress::Path(path) => {
                hooks.bind_path(path, Arc::new(UnixNode { socket: socket.clone() }))?;
                Ok(name.clone())
            }
            UnixAddress::Abstract(bytes) => {
                self.claim(bytes.clone(), socket)?;
                Ok(name.clone())
            }
            UnixAddress::Unnamed => {
                for _ in 0..AUTOBIND_ATTEMPTS {
                    let bytes = format!("{:05x}", random() & 0xf_ffff).into_bytes();
                    if self.claim(bytes.clone(), socket).is_ok() {
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

    fn claim(&self, name: Vec<u8>, socket: &Weak<UnixSocket>) -> Result<()> {
        let mut sockets = self.sockets.lock();
        if sockets.get(&name).is_some_and(|owner| owner.strong_count() > 0) {
            return Err(Errno::EADDRINUSE);
        }
        sockets.insert(name, socket.clone());
        Ok(())
    }

    /// Frees the name of a socket that is closing.
    pub fn release(&self, name: &UnixAddress) {
        if let UnixAddress::Abstract(name) = name {
            let mut sockets = self.sockets.lock();
            // Another one may have claimed it in between.
            if sockets.get(name).is_some_and(|owner| owner.strong_count() == 0) {
                sockets.remove(name);
            }
        }
    }

    /// The socket of this name.
    ///
    /// # Errors
    /// `ECONNREFUSED` if there is none, those of [`Hooks::find_path`].
    pub fn find(&self, hooks: &dyn Hooks, name: &UnixAddress) -> Result<Arc<UnixSocket>> {
        let socket = match name {
            UnixAddress::Path(path) => hooks.find_path(path)?.socket.upgrade(),
            UnixAddress::Abstract(name) => self.sockets.lock().get(name).and_then(Weak::upgrade),
            UnixAddress::Unnamed => return Err(Errno::EINVAL),
        };
        socket.ok_or(Errno::ECONNREFUSED)
    }
}
