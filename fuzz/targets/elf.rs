//! What the loader and the image builder believe of an executable.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rkt_elf::{ADDRESS_LIMIT, Dynamic, Header, Program};

fuzz_target!(|data: &[u8]| {
    let _libraries = Dynamic::parse(data);
    let Ok(header) = Header::parse(data) else { return };
    let Some(table) = header.program_headers().of(data) else { return };
    let Ok(program) = Program::parse(&header, table) else { return };
    let (start, end) = program.span();
    assert!(start <= end && end <= ADDRESS_LIMIT);
});
