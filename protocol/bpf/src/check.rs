//! What makes a program valid: Linux's `bpf_check_classic`, check by check.

use crate::code::*;
use crate::{AD_OFF, CALL_LEN, Fact, Instruction, Invalid, MAX_LEN, MEMORY};
use alloc::vec;

/// Numbers of facts that are no [`Fact`]: attributes of netlink, and A ^= X.
const NLATTR: u32 = 12;
const NLATTR_NEST: u32 = 16;
const ALU_XOR_X: u32 = 40;

/// Whether the code is one of Linux's list.
fn is_known(code: u16) -> bool {
    let operation = code & 0xf0;
    match code & 0x07 {
        LD => match code & 0xe0 {
            IMM | MEM | LEN => code & 0x18 == W,
            ABS | IND => matches!(code & 0x18, W | H | B),
            _ => false,
        },
        LDX => code == LDX | B | MSH || matches!(code & 0xe0, IMM | MEM | LEN) && code & 0x18 == W,
        ST | STX => code & 0xf8 == 0,
        ALU if operation == NEG => code & X == 0,
        ALU => matches!(operation, ADD | SUB | MUL | DIV | OR | AND | LSH | RSH | MOD | XOR),
        JMP if operation == JA => code & X == 0,
        JMP => matches!(operation, JEQ | JGT | JGE | JSET),
        RET => matches!(code & 0xf8, 0 | A),
        _ => matches!(code & 0xf8, TAX | TXA),
    }
}

/// Checks a program.
pub fn check(program: &[Instruction]) -> Result<(), Invalid> {
    if program.is_empty() || program.len() > MAX_LEN {
        return Err(Invalid);
    }
    for (at, instruction) in program.iter().enumerate() {
        check_one(instruction, program.len() - at - 1)?;
    }
    if program.last().is_none_or(|last| last.code & 0x07 != RET) {
        return Err(Invalid);
    }
    check_memory(program)
}

/// Checks an instruction behind which there are `rest`.
fn check_one(Instruction { code, jump_true, jump_false, k }: &Instruction, rest: usize) -> Result<(), Invalid> {
    let inside = |jump: usize| jump < rest;
    let good = is_known(*code)
        && match *code {
            c if c == ALU | DIV || c == ALU | MOD => *k != 0,
            c if c == ALU | LSH || c == ALU | RSH => *k < 32,
            c if c == LD | MEM || c == LDX | MEM || c == ST || c == STX => (*k as usize) < MEMORY,
            c if c == JMP | JA => inside(*k as usize),
            c if c & 0x07 == JMP => inside((*jump_true).into()) && inside((*jump_false).into()),
            // A load from where only facts are, of one that there is not.
            c if c & 0xe7 == LD | ABS => *k < AD_OFF || is_fact(k.wrapping_sub(AD_OFF)),
            _ => true,
        };
    if good { Ok(()) } else { Err(Invalid) }
}

fn is_fact(number: u32) -> bool {
    Fact::of(number).is_some() || matches!(number, NLATTR | NLATTR_NEST | ALU_XOR_X)
}

/// No word of memory is read on a path on which it was not written.
fn check_memory(program: &[Instruction]) -> Result<(), Invalid> {
    // The words that are written on every path to an instruction.
    let mut known = vec![u16::MAX; program.len()];
    let mut written = 0u16;
    for (at, instruction) in program.iter().enumerate() {
        written &= known.get(at).copied().unwrap_or(0);
        let bit = 1u16.checked_shl(instruction.k).unwrap_or(0);
        let mut reach = |jump: usize, written: u16| {
            if let Some(there) = known.get_mut(at.saturating_add(jump).saturating_add(1)) {
                *there &= written;
            }
        };
        match instruction.code {
            ST | STX => written |= bit,
            c if (c == LD | MEM || c == LDX | MEM) && written & bit == 0 => return Err(Invalid),
            c if c == JMP | JA => {
                reach(instruction.k as usize, written);
                written = u16::MAX;
            }
            c if c & 0x07 == JMP => {
                reach(instruction.jump_true.into(), written);
                reach(instruction.jump_false.into(), written);
                written = u16::MAX;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether a number of a fact stands for A ^= X.
pub fn is_xor(number: u32) -> bool {
    number == ALU_XOR_X
}

/// Whether Linux's `seccomp_check_filter` lets a known instruction pass.
pub fn is_for_calls(Instruction { code, k, .. }: &Instruction) -> bool {
    match (code & 0x07, code & 0xe0) {
        (LD, ABS) => code & 0x18 == W && (*k as usize) < CALL_LEN && k.is_multiple_of(4),
        (LD | LDX, mode) => matches!(mode, IMM | MEM | LEN),
        (ALU, _) => code & 0xf0 != MOD,
        _ => true,
    }
}
