use super::*;
use alloc::vec;

const fn op(code: u16, jump_true: u8, jump_false: u8, k: u32) -> Instruction {
    Instruction { code, jump_true, jump_false, k }
}

fn outcome(program: &[Instruction], bytes: &[u8]) -> u32 {
    Program::new(program.to_vec()).unwrap().run(&Packet::plain(bytes))
}

#[test]
fn what_tcpdump_makes_of_udp_port_53() {
    // "udp port 53" over IPv4, as `tcpdump -d` shows it.
    let program = [
        op(0x28, 0, 0, 12),
        op(0x15, 0, 10, 0x800),
        op(0x30, 0, 0, 23),
        op(0x15, 0, 8, 17),
        op(0x28, 0, 0, 20),
        op(0x45, 6, 0, 0x1fff),
        op(0xb1, 0, 0, 14),
        op(0x48, 0, 0, 14),
        op(0x15, 2, 0, 53),
        op(0x48, 0, 0, 16),
        op(0x15, 0, 1, 53),
        op(0x06, 0, 0, 0x40000),
        op(0x06, 0, 0, 0),
    ];
    let mut frame = [0u8; 60];
    frame[12..14].copy_from_slice(&[8, 0]);
    frame[14] = 0x45;
    frame[23] = 17;
    frame[36..38].copy_from_slice(&53u16.to_be_bytes());
    assert_eq!(outcome(&program, &frame), 0x40000);
    frame[37] = 54;
    assert_eq!(outcome(&program, &frame), 0);
    assert_eq!(outcome(&program, &frame[..20]), 0);
}

#[test]
fn arithmetic_and_memory() {
    let returns_a = op(0x16, 0, 0, 0);
    for (code, k, expected) in [
        (0x04, 5, 12),
        (0x14, 5, 2),
        (0x24, 5, 35),
        (0x34, 2, 3),
        (0x94, 4, 3),
        (0x44, 8, 15),
        (0x54, 6, 6),
        (0xa4, 1, 6),
        (0x64, 31, 0x8000_0000),
        (0x74, 1, 3),
        (0x84, 0, -7i32 as u32),
    ] {
        assert_eq!(outcome(&[op(0x00, 0, 0, 7), op(code, 0, 0, k), returns_a], &[]), expected, "{code:#x}");
    }
    let through_memory =
        [op(0x00, 0, 0, 9), op(0x02, 0, 0, 15), op(0x61, 0, 0, 15), op(0x00, 0, 0, 1), op(0x0c, 0, 0, 0), returns_a];
    assert_eq!(outcome(&through_memory, &[]), 10);
    // X is 0: the division ends the program.
    assert_eq!(outcome(&[op(0x00, 0, 0, 9), op(0x3c, 0, 0, 0), op(0x06, 0, 0, 1)], &[]), 0);
}

#[test]
fn facts_and_headers_are_read_by_negative_offsets() {
    let fact = |fact| if fact == Fact::PacketType { 4 } else { 77 };
    let packet = Packet { bytes: &[1, 2, 3, 4, 5, 6], network: 2, fact: &fact };
    let read = |code, k: i32| {
        let program = vec![op(code, 0, 0, k as u32), op(0x16, 0, 0, 0)];
        Program::new(program).map(|program| program.run(&packet))
    };
    assert_eq!(read(0x20, -0x1000 + 4), Ok(4));
    assert_eq!(read(0x28, -0x10_0000), Ok(0x304));
    assert_eq!(read(0x30, -0x20_0000 + 5), Ok(6));
    assert_eq!(read(0x30, -0x20_0000 + 6), Ok(0));
    assert_eq!(read(0x20, -0x1000 + 64), Err(Invalid));
}

#[test]
fn invalid_programs_are_refused() {
    let end = op(0x06, 0, 0, 0);
    for program in [
        vec![],
        vec![op(0x00, 0, 0, 0)],                                            // does not return
        vec![end; MAX_LEN + 1],                                             // too long
        vec![op(0x05, 0, 0, 1), end],                                       // jumps behind the end
        vec![op(0x15, 0, 1, 0), end],                                       // the same under a condition
        vec![op(0x34, 0, 0, 0), end],                                       // divides by zero
        vec![op(0x64, 0, 0, 32), end],                                      // shifts too far
        vec![op(0x02, 0, 0, 16), end],                                      // writes outside of the memory
        vec![op(0x60, 0, 0, 3), end],                                       // reads what was not written
        vec![op(0x15, 0, 1, 0), op(0x02, 0, 0, 3), op(0x60, 0, 0, 3), end], // on one of two paths
        vec![op(0x0e, 0, 0, 0)],                                            // returns X
        vec![op(0xff, 0, 0, 0), end],
    ] {
        assert_eq!(Program::new(program.clone()), Err(Invalid), "{program:?}");
    }
    assert!(Program::new(vec![op(0x05, 0, 0, 0), end]).is_ok());
}

#[test]
fn calls_are_judged_by_whole_words() {
    let program =
        |code, k| Program::for_calls(vec![Instruction { code, k, ..Default::default() }, RETURN_ZERO]).is_ok();
    const RETURN_ZERO: Instruction = Instruction { code: code::RET, jump_true: 0, jump_false: 0, k: 0 };
    use crate::code::*;
    assert!(program(LD | W | ABS, 60) && program(LD | W | LEN, 0) && program(LDX | W | IMM, 7));
    // Unaligned, behind the end, half a word, relative to X, the length of a header, a remainder.
    for (code, k) in [(LD | W | ABS, 2), (LD | W | ABS, 64), (LD | H | ABS, 0), (LD | W | IND, 0), (LDX | B | MSH, 0)] {
        assert!(!program(code, k), "{code:#x} {k}");
    }
    assert!(!program(ALU | MOD, 3) && program(ALU | DIV, 3));
}
