//! The names that uname(2) gives the system: at first what the manifest says, then what sethostname(2) and
//! setdomainname(2) make of them. What the network's devices told others at the start stays as it was.

use alloc::vec::Vec;
use rkt_linux_abi::{Errno, Result};
use rkt_sync::Mutex;

/// Most bytes of a name: __NEW_UTS_LEN of linux/utsname.h.
pub const NAME_MAX: usize = 64;

/// Which of the names.
#[derive(Clone, Copy, Debug)]
pub enum Name {
    /// sethostname(2).
    Host,
    /// setdomainname(2), the one of NIS.
    Domain,
}

/// Names that were set since the start.
static SET: [Mutex<Option<Vec<u8>>>; 2] = [Mutex::new(None), Mutex::new(None)];

impl Name {
    fn changed(self) -> &'static Mutex<Option<Vec<u8>>> {
        let [host, domain] = &SET;
        match self {
            Name::Host => host,
            Name::Domain => domain,
        }
    }

    /// The name.
    pub fn get(self) -> Vec<u8> {
        self.changed().lock().clone().unwrap_or_else(|| match self {
            Name::Host => crate::boot::manifest().hostname.clone(),
            Name::Domain => b"(none)".to_vec(),
        })
    }

    /// Gives it; the caller has checked who asks.
    ///
    /// # Errors
    /// `EINVAL` for more than [`NAME_MAX`] bytes.
    pub fn set(self, name: &[u8]) -> Result<()> {
        if name.len() > NAME_MAX {
            return Err(Errno::EINVAL);
        }
        *self.changed().lock() = Some(name.to_vec());
        Ok(())
    }

    /// As it stands in /proc/sys/kernel.
    pub fn shown(self) -> Vec<u8> {
        let name = self.get();
        let text = name.split(|&byte| byte == 0).next().unwrap_or_default();
        [text, b"\n"].concat()
    }

    /// A write to /proc/sys/kernel: the first line, cut where it is too long (proc_dostring of Linux).
    ///
    /// # Errors
    /// None.
    pub fn write(self, text: &[u8]) -> Result<()> {
        let line = text.split(|&byte| byte == b'\n' || byte == 0).next().unwrap_or_default();
        self.set(line.get(..NAME_MAX).unwrap_or(line))
    }
}
