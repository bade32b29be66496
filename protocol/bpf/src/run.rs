//! The machine.

use crate::code::*;
use crate::{AD_OFF, Fact, Instruction, LINK_OFF, MEMORY, NET_OFF, Packet, check};

/// Big-endian bytes of the packet at an offset; offsets below 0 count from the network's or the link's header.
fn load(packet: &Packet<'_>, offset: u32, size: usize) -> Option<u32> {
    let at = match offset {
        0..=0x7fff_ffff => offset as usize,
        NET_OFF.. => packet.network.checked_add(offset.wrapping_sub(NET_OFF) as usize)?,
        LINK_OFF.. => offset.wrapping_sub(LINK_OFF) as usize,
        _ => return None,
    };
    let bytes = packet.bytes.get(at..at.checked_add(size)?)?;
    Some(bytes.iter().fold(0, |value, byte| value << 8 | u32::from(*byte)))
}

/// Runs a program that was checked; a load from outside of the packet ends it with 0.
pub fn run(program: &[Instruction], packet: &Packet<'_>) -> u32 {
    execute(program, packet).unwrap_or(0)
}

fn execute(program: &[Instruction], packet: &Packet<'_>) -> Option<u32> {
    let (mut a, mut x) = (0u32, 0u32);
    let mut memory = [0u32; MEMORY];
    let mut at = 0usize;
    // Jumps only go forward, so this ends.
    loop {
        let Instruction { code, jump_true, jump_false, k } = *program.get(at)?;
        at += 1;
        let operand = if code & X != 0 { x } else { k };
        match code & 0x07 {
            LD => a = load_a(code, k, packet, (a, x), &memory)?,
            LDX => {
                x = match code & 0xe0 {
                    IMM => k,
                    MEM => *memory.get(k as usize)?,
                    LEN => packet.bytes.len() as u32,
                    // The length of a header of IPv4.
                    _ => (load(packet, k, 1)? & 0xf) << 2,
                }
            }
            ST => *memory.get_mut(k as usize)? = a,
            STX => *memory.get_mut(k as usize)? = x,
            ALU => a = compute(code & 0xf0, a, operand)?,
            JMP if code & 0xf0 == JA => at = at.checked_add(k as usize)?,
            JMP => {
                let holds = match code & 0xf0 {
                    JEQ => a == operand,
                    JGT => a > operand,
                    JGE => a >= operand,
                    _ => a & operand != 0,
                };
                at = at.checked_add(usize::from(if holds { jump_true } else { jump_false }))?;
            }
            RET => return Some(if code & 0xf8 == A { a } else { k }),
            _ if code & 0xf8 == TAX => x = a,
            _ => a = x,
        }
    }
}

fn load_a(code: u16, k: u32, packet: &Packet<'_>, (a, x): (u32, u32), memory: &[u32; MEMORY]) -> Option<u32> {
    let size = match code & 0x18 {
        W => 4,
        H => 2,
        _ => 1,
    };
    match code & 0xe0 {
        IMM => Some(k),
        MEM => memory.get(k as usize).copied(),
        LEN => Some(packet.bytes.len() as u32),
        ABS if k >= AD_OFF => {
            let number = k.wrapping_sub(AD_OFF);
            match Fact::of(number) {
                Some(fact) => Some((packet.fact)(fact)),
                None if check::is_xor(number) => Some(a ^ x),
                // Attributes of netlink are found in netlink's messages only.
                None => Some(0),
            }
        }
        ABS => load(packet, k, size),
        _ => load(packet, x.wrapping_add(k), size),
    }
}

/// None for a division by a zero in X, which ends the program.
fn compute(operation: u16, a: u32, operand: u32) -> Option<u32> {
    Some(match operation {
        ADD => a.wrapping_add(operand),
        SUB => a.wrapping_sub(operand),
        MUL => a.wrapping_mul(operand),
        DIV => a.checked_div(operand)?,
        MOD => a.checked_rem(operand)?,
        OR => a | operand,
        AND => a & operand,
        XOR => a ^ operand,
        // The processor's shifts, which take the count modulo 32.
        LSH => a.wrapping_shl(operand),
        RSH => a.wrapping_shr(operand),
        _ => a.wrapping_neg(),
    })
}
