//! Classic BPF (McCanne and Jacobson, "The BSD Packet Filter", 1993; Documentation/networking/filter.rst of Linux):
//! an accumulator A, an index X, sixteen words of memory M, and jumps that only go forward.
//!
//! [`Program::new`] checks what Linux checks when a filter is attached; [`Program::run`] then cannot fail, loop or
//! leave its bounds.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod check;
mod run;

use alloc::vec::Vec;
use core::fmt;

/// Bytes of an encoded instruction (`struct sock_filter`).
pub const INSTRUCTION_LEN: usize = 8;
/// Most instructions of a program (BPF_MAXINSNS).
pub const MAX_LEN: usize = 4096;
/// Words of memory (BPF_MEMWORDS).
const MEMORY: usize = 16;
/// Bytes of what a filter of system calls looks at (`struct seccomp_data` of linux/seccomp.h).
pub const CALL_LEN: usize = 64;

/// Offsets that are not of the packet (linux/filter.h): facts beside it, the network's header, the link's header.
const AD_OFF: u32 = -0x1000i32 as u32;
const NET_OFF: u32 = -0x10_0000i32 as u32;
const LINK_OFF: u32 = -0x20_0000i32 as u32;

/// The classes, sizes, modes and operations of an instruction's code (linux/bpf_common.h).
mod code {
    pub const LD: u16 = 0;
    pub const LDX: u16 = 1;
    pub const ST: u16 = 2;
    pub const STX: u16 = 3;
    pub const ALU: u16 = 4;
    pub const JMP: u16 = 5;
    pub const RET: u16 = 6;
    // The eighth class is MISC: TAX and TXA.

    pub const W: u16 = 0x00;
    pub const H: u16 = 0x08;
    pub const B: u16 = 0x10;

    pub const IMM: u16 = 0x00;
    pub const ABS: u16 = 0x20;
    pub const IND: u16 = 0x40;
    pub const MEM: u16 = 0x60;
    pub const LEN: u16 = 0x80;
    pub const MSH: u16 = 0xa0;

    pub const ADD: u16 = 0x00;
    pub const SUB: u16 = 0x10;
    pub const MUL: u16 = 0x20;
    pub const DIV: u16 = 0x30;
    pub const OR: u16 = 0x40;
    pub const AND: u16 = 0x50;
    pub const LSH: u16 = 0x60;
    pub const RSH: u16 = 0x70;
    pub const NEG: u16 = 0x80;
    pub const MOD: u16 = 0x90;
    pub const XOR: u16 = 0xa0;

    pub const JA: u16 = 0x00;
    pub const JEQ: u16 = 0x10;
    pub const JGT: u16 = 0x20;
    pub const JGE: u16 = 0x30;
    pub const JSET: u16 = 0x40;

    /// The operand is X instead of the constant.
    pub const X: u16 = 0x08;
    /// RET of A.
    pub const A: u16 = 0x10;
    pub const TAX: u16 = 0x00;
    pub const TXA: u16 = 0x80;
}

/// An instruction (`struct sock_filter`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Instruction {
    /// What is done.
    pub code: u16,
    /// Instructions that a jump passes over if its condition holds.
    pub jump_true: u8,
    /// And if it does not.
    pub jump_false: u8,
    /// The constant.
    pub k: u32,
}

impl Instruction {
    /// From its encoding.
    pub fn parse(bytes: &[u8; INSTRUCTION_LEN]) -> Self {
        let [c0, c1, jump_true, jump_false, k0, k1, k2, k3] = *bytes;
        let (code, k) = (u16::from_ne_bytes([c0, c1]), u32::from_ne_bytes([k0, k1, k2, k3]));
        Self { code, jump_true, jump_false, k }
    }

    /// Its encoding.
    pub fn encode(&self) -> [u8; INSTRUCTION_LEN] {
        let ([c0, c1], [k0, k1, k2, k3]) = (self.code.to_ne_bytes(), self.k.to_ne_bytes());
        [c0, c1, self.jump_true, self.jump_false, k0, k1, k2, k3]
    }
}

/// Why a program is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalid;

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a valid program of classic BPF")
    }
}

impl core::error::Error for Invalid {}

/// A fact beside the packet, by its number (SKF_AD_* of linux/filter.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// The Ethernet type.
    Protocol = 0,
    /// For whom it is (PACKET_HOST and its like).
    PacketType = 4,
    /// The interface.
    Interface = 8,
    /// SO_MARK.
    Mark = 20,
    /// The card's queue.
    Queue = 24,
    /// The interface's hardware type.
    Hardware = 28,
    /// The flow's hash.
    Hash = 32,
    /// The processor.
    Cpu = 36,
    /// The VLAN tag.
    VlanTag = 44,
    /// Whether there is one.
    VlanTagPresent = 48,
    /// Where the payload of the transport starts.
    PayloadOffset = 52,
    /// A random number.
    Random = 56,
    /// The VLAN's Ethernet type.
    VlanProtocol = 60,
}

impl Fact {
    fn of(number: u32) -> Option<Self> {
        const ALL: [Fact; 13] = [
            Fact::Protocol,
            Fact::PacketType,
            Fact::Interface,
            Fact::Mark,
            Fact::Queue,
            Fact::Hardware,
            Fact::Hash,
            Fact::Cpu,
            Fact::VlanTag,
            Fact::VlanTagPresent,
            Fact::PayloadOffset,
            Fact::Random,
            Fact::VlanProtocol,
        ];
        ALL.into_iter().find(|fact| *fact as u32 == number)
    }
}

/// What a program looks at.
pub struct Packet<'a> {
    /// The bytes, from where offset 0 is.
    pub bytes: &'a [u8],
    /// Where in the bytes the network's header starts.
    pub network: usize,
    /// What is known beside the bytes.
    pub fact: &'a dyn Fn(Fact) -> u32,
}

impl<'a> Packet<'a> {
    /// Bytes of which nothing else is known.
    pub fn plain(bytes: &'a [u8]) -> Self {
        Self { bytes, network: 0, fact: &|_| 0 }
    }
}

/// A program that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    instructions: Vec<Instruction>,
}

impl Program {
    /// Checks a program.
    ///
    /// # Errors
    /// See [`Invalid`].
    pub fn new(instructions: Vec<Instruction>) -> Result<Self, Invalid> {
        check::check(&instructions)?;
        Ok(Self { instructions })
    }

    /// Checks a program that judges system calls (seccomp(2)): it has only whole words to look at, and no
    /// remainders.
    ///
    /// # Errors
    /// See [`Invalid`].
    pub fn for_calls(instructions: Vec<Instruction>) -> Result<Self, Invalid> {
        let program = Self::new(instructions)?;
        if program.instructions.iter().all(check::is_for_calls) { Ok(program) } else { Err(Invalid) }
    }

    /// Its instructions.
    pub fn instructions(&self) -> &[Instruction] {
        &self.instructions
    }

    /// How many bytes of a packet are let through; 0: it is dropped.
    pub fn run(&self, packet: &Packet<'_>) -> u32 {
        run::run(&self.instructions, packet)
    }
}

#[cfg(test)]
mod tests;
