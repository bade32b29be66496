//! Filters of sockets (socket(7), SO_ATTACH_FILTER).

use crate::options::{from_int, int};
use alloc::sync::Arc;
use alloc::vec::Vec;
use rkt_bpf::{INSTRUCTION_LEN, Instruction, Packet, Program};
use rkt_linux_abi::net::{SO_ATTACH_FILTER, SO_DETACH_FILTER, SO_LOCK_FILTER};
use rkt_linux_abi::{Errno, Result};

/// A socket's filter, if it has one.
#[derive(Clone, Default)]
pub(crate) struct Filter {
    program: Option<Arc<Program>>,
    /// SO_LOCK_FILTER: it stays as it is.
    locked: bool,
}

impl Filter {
    /// setsockopt(2), if the option is of filters.
    ///
    /// # Errors
    /// `EINVAL` for what is no program, `EPERM` if the filter is locked, `ENOENT` if there is none to detach.
    pub fn set(&mut self, name: u32, value: &[u8]) -> Option<Result<()>> {
        match name {
            SO_ATTACH_FILTER => Some(self.attach(value)),
            SO_DETACH_FILTER => Some(int(value).and_then(|_| self.detach())),
            SO_LOCK_FILTER => Some(int(value).and_then(|locked| self.lock(locked != 0))),
            _ => None,
        }
    }

    /// getsockopt(2), if the option is of filters: the instructions, or whether they are locked.
    pub fn get(&self, name: u32) -> Option<Vec<u8>> {
        match name {
            SO_ATTACH_FILTER => Some(self.encoded()),
            SO_LOCK_FILTER => Some(from_int(self.locked)),
            _ => None,
        }
    }

    /// The instructions, one behind the other.
    fn attach(&mut self, encoded: &[u8]) -> Result<()> {
        self.check_lock()?;
        let (instructions, rest) = encoded.as_chunks::<INSTRUCTION_LEN>();
        if !rest.is_empty() {
            return Err(Errno::EINVAL);
        }
        let program = Program::new(instructions.iter().map(Instruction::parse).collect()).map_err(|_| Errno::EINVAL)?;
        self.program = Some(Arc::new(program));
        Ok(())
    }

    fn detach(&mut self) -> Result<()> {
        self.check_lock()?;
        self.program.take().map(drop).ok_or(Errno::ENOENT)
    }

    /// It cannot be taken back.
    fn lock(&mut self, locked: bool) -> Result<()> {
        if self.locked && !locked {
            return Err(Errno::EPERM);
        }
        self.locked = locked;
        Ok(())
    }

    fn check_lock(&self) -> Result<()> {
        if self.locked { Err(Errno::EPERM) } else { Ok(()) }
    }

    fn encoded(&self) -> Vec<u8> {
        let instructions = self.program.as_ref().map(|program| program.instructions()).unwrap_or_default();
        instructions.iter().flat_map(Instruction::encode).collect()
    }

    /// Whether there is one.
    pub fn is_set(&self) -> bool {
        self.program.is_some()
    }

    /// How many of bytes of which nothing else is known come through; none: they are dropped.
    pub fn pass_plain(&self, bytes: &[u8]) -> Option<usize> {
        self.pass(&Packet::plain(bytes))
    }

    /// How many bytes of a packet come through; none: it is dropped.
    pub fn pass(&self, packet: &Packet<'_>) -> Option<usize> {
        match &self.program {
            None => Some(packet.bytes.len()),
            Some(program) => Some(program.run(packet) as usize).filter(|len| *len > 0),
        }
    }
}
