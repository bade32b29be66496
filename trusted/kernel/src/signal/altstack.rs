//! The alternate signal stack (sigaltstack(2)).

use crate::syscall::abi::Stack;
use rkt_linux_abi::general::{MINSIGSTKSZ, SS_AUTODISARM, SS_DISABLE, SS_ONSTACK};
use rkt_linux_abi::{Errno, Result};

/// No alternate stack, as a program starts.
pub const NO_STACK: Stack = Stack { sp: 0, flags: 0, pad: 0, size: 0 };
/// No alternate stack any more; frames of signals show the difference.
pub const DISABLED: Stack = Stack { flags: SS_DISABLE, ..NO_STACK };

impl Stack {
    /// Whether the stack pointer lies on this stack.
    pub fn contains(&self, sp: u64) -> bool {
        sp > self.sp && sp - self.sp <= self.size
    }

    /// Whether a handler runs on it: never known of a stack that disarms itself.
    pub fn is_in_use(&self, sp: u64) -> bool {
        self.flags & SS_AUTODISARM == 0 && self.contains(sp)
    }

    /// Whether a handler with SA_ONSTACK is to go there.
    pub fn is_wanted(&self, sp: u64) -> bool {
        self.size != 0 && !self.is_in_use(sp)
    }

    /// As sigaltstack(2) shows it to a task with this stack pointer.
    #[must_use]
    pub fn shown(&self, sp: u64) -> Stack {
        let state = match self.size {
            0 => SS_DISABLE,
            _ if self.is_in_use(sp) => SS_ONSTACK,
            _ => 0,
        };
        Stack { flags: state | self.flags & SS_AUTODISARM, pad: 0, ..*self }
    }

    /// Becomes what the application asked for.
    ///
    /// # Errors
    /// `EPERM` if a handler runs on it, `EINVAL` for unknown flags, `ENOMEM` if too small.
    pub fn replace(&mut self, new: Stack, sp: u64) -> Result<()> {
        if self.is_in_use(sp) {
            return Err(Errno::EPERM);
        }
        match new.flags & !SS_AUTODISARM {
            SS_DISABLE => *self = Stack { flags: new.flags, ..NO_STACK },
            0 | SS_ONSTACK if new.size < u64::from(MINSIGSTKSZ) => return Err(Errno::ENOMEM),
            0 | SS_ONSTACK => *self = Stack { pad: 0, ..new },
            _ => return Err(Errno::EINVAL),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STACK: Stack = Stack { sp: 0x1000, flags: 0, pad: 0, size: 0x2000 };

    #[test]
    fn the_edges() {
        assert!(!STACK.contains(0x1000) && STACK.contains(0x1001) && STACK.contains(0x3000) && !STACK.contains(0x3001));
        assert!(!NO_STACK.contains(0) && !NO_STACK.is_wanted(0x5000));
    }

    #[test]
    fn changing() {
        let mut stack = NO_STACK;
        assert_eq!(stack.replace(Stack { size: 2047, ..STACK }, 0), Err(Errno::ENOMEM));
        assert_eq!(stack.replace(Stack { flags: 8, ..STACK }, 0), Err(Errno::EINVAL));
        stack.replace(STACK, 0).unwrap();
        assert_eq!(stack.shown(0x1800).flags, SS_ONSTACK);
        assert_eq!(stack.replace(DISABLED, 0x1800), Err(Errno::EPERM));
        stack.replace(Stack { flags: SS_AUTODISARM, ..STACK }, 0x5000).unwrap();
        assert_eq!(stack.shown(0x1800).flags, SS_AUTODISARM);
        stack.replace(DISABLED, 0x1800).unwrap();
        assert_eq!(stack.shown(0), DISABLED);
    }
}
