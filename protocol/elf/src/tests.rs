use std::vec;
use std::vec::Vec;

use zerocopy::IntoBytes;

use crate::raw::{self, FileHeader, PROGRAM_HEADER_LEN, ProgramHeader};
use crate::*;

fn file_header(kind: u16, count: u16) -> FileHeader {
    FileHeader {
        magic: raw::MAGIC,
        class_data_version: raw::CLASS_DATA_VERSION,
        abi: [0; 9],
        kind: kind.into(),
        machine: raw::EM_X86_64.into(),
        version: 1.into(),
        entry: 0x1000.into(),
        phoff: (HEADER_LEN as u64).into(),
        shoff: 0.into(),
        flags: 0.into(),
        ehsize: (HEADER_LEN as u16).into(),
        phentsize: (PROGRAM_HEADER_LEN as u16).into(),
        phnum: count.into(),
        shentsize: 0.into(),
        shnum: 0.into(),
        shstrndx: 0.into(),
    }
}

fn program_header(kind: u32, vaddr: u64, offset: u64, filesz: u64, memsz: u64) -> ProgramHeader {
    ProgramHeader {
        kind: kind.into(),
        flags: (raw::PF_R | raw::PF_X).into(),
        offset: offset.into(),
        vaddr: vaddr.into(),
        paddr: 0.into(),
        filesz: filesz.into(),
        memsz: memsz.into(),
        align: 0x1000.into(),
    }
}

fn elf(kind: u16, headers: &[ProgramHeader]) -> Vec<u8> {
    let mut file = file_header(kind, headers.len() as u16).as_bytes().to_vec();
    headers.iter().for_each(|header| file.extend(header.as_bytes()));
    file
}

fn parse(file: &[u8]) -> Result<Program, ElfError> {
    let header = Header::parse(file)?;
    let headers = header.program_headers().of(file).ok_or(ElfError::Truncated("program headers"))?;
    Program::parse(&header, headers)
}

fn load(vaddr: u64, offset: u64, filesz: u64, memsz: u64) -> ProgramHeader {
    program_header(raw::PT_LOAD, vaddr, offset, filesz, memsz)
}

#[test]
fn the_test_itself_is_a_program() {
    let file = std::fs::read("/proc/self/exe").unwrap();
    let program = parse(&file).unwrap();
    assert_eq!(program.kind, Kind::Relocatable);
    assert_eq!(program.executable_stack, Some(false));
    assert!(program.segments.iter().any(|segment| segment.protection.execute && !segment.protection.write));
    let path = program.interpreter.unwrap().of(&file).unwrap();
    assert_eq!(Program::interpreter_path(path), Ok(&b"/lib64/ld-linux-x86-64.so.2"[..]));
    let dynamic = Dynamic::parse(&file).unwrap();
    assert!(dynamic.needed.contains(&&b"libc.so.6"[..]), "{:?}", dynamic.needed);
}

#[test]
fn segments_are_described() {
    let mut big = load(0x20_2f00, 0x1f00, 0x50, 0x3000);
    big.align = 0x20_0000.into();
    big.flags = (raw::PF_R | raw::PF_W).into();
    let mut stack = program_header(raw::PT_GNU_STACK, 0, 0, 0, 0);
    stack.flags = (raw::PF_R | raw::PF_W).into();
    let tls = program_header(7, u64::MAX, u64::MAX, u64::MAX, u64::MAX);
    let program = parse(&elf(raw::ET_DYN, &[load(0x1000, 0, 0x800, 0x800), big, stack, tls])).unwrap();
    assert_eq!(program.segments.len(), 2);
    assert_eq!(program.header_address, Some(0x1040));
    assert_eq!(program.header_count, 4);
    assert_eq!(program.alignment, 0x20_0000);
    assert_eq!(program.executable_stack, Some(false));
    assert_eq!(program.span(), (0x1000, 0x20_5000));
    assert_eq!((program.segments[1].first_page(), program.segments[1].end_page()), (0x20_2000, 0x20_6000));
    assert!(program.segments[1].protection.write && !program.segments[1].protection.execute);
    assert_eq!(program.file_range(0x20_2f10, 0x40).unwrap().offset, 0x1f10);
    assert_eq!(program.file_range(0x20_2f10, 0x41), None);
}

#[test]
fn foreign_files_are_told_apart() {
    let good = elf(raw::ET_EXEC, &[load(0x1000, 0, 1, 1)]);
    assert_eq!(parse(&good).unwrap().kind, Kind::Fixed);
    let with = |position: usize, value: u8| {
        let mut file = good.clone();
        file[position] = value;
        parse(&file).unwrap_err()
    };
    assert_eq!(with(0, 0), ElfError::NotElf);
    assert_eq!(with(4, 1), ElfError::WrongClass);
    assert_eq!(with(5, 2), ElfError::WrongClass);
    assert_eq!(with(16, 1), ElfError::NotExecutable(1));
    assert_eq!(with(18, 183), ElfError::WrongMachine(183));
    assert_eq!(with(54, 32), ElfError::ProgramHeaders);
    assert_eq!(with(56, 0), ElfError::ProgramHeaders);
    assert_eq!(with(57, 0xff), ElfError::ProgramHeaders);
    assert_eq!(with(39, 0xff), ElfError::ProgramHeaders);
    assert_eq!(with(56, 2), ElfError::Truncated("program headers"));
    assert_eq!(parse(b"#!/bin/sh\n"), Err(ElfError::NotElf));
}

#[test]
fn impossible_segments_are_refused() {
    let bad = |header| parse(&elf(raw::ET_DYN, &[load(0, 0, 1, 1), header])).unwrap_err();
    assert_eq!(bad(load(0x1001, 0x1000, 1, 1)), ElfError::Segment(1));
    assert_eq!(bad(load(0x1000, 0x1000, 2, 1)), ElfError::Segment(1));
    assert_eq!(bad(load(ADDRESS_LIMIT, 0, 0, 1)), ElfError::Segment(1));
    assert_eq!(bad(load(0x1000, 0, 0, u64::MAX)), ElfError::Segment(1));
    assert_eq!(bad(load(0x1000, i64::MAX as u64 & !0xfff, 0x1000, 0x1000)), ElfError::Segment(1));
    assert_eq!(bad(load(0x800, 0x800, 1, 1)), ElfError::Overlap(1));
    assert!(parse(&elf(raw::ET_DYN, &[load(0, 0, 1, 1), load(ADDRESS_LIMIT - 1, 0xfff, 0, 1)])).is_ok());
    assert_eq!(parse(&elf(raw::ET_DYN, &[load(0, 0, 0, 0)])), Err(ElfError::NoSegments));
    let interpreter = program_header(raw::PT_INTERP, 0, 0, 1, 1);
    assert_eq!(bad(interpreter), ElfError::Interpreter);
}

#[test]
fn interpreter_paths_are_terminated() {
    assert_eq!(Program::interpreter_path(b"/lib/ld.so\0"), Ok(&b"/lib/ld.so"[..]));
    assert_eq!(Program::interpreter_path(b"/lib\0junk\0"), Ok(&b"/lib"[..]));
    for bad in [&b""[..], b"/lib/ld.so", b"\0", b"\0x\0"] {
        assert_eq!(Program::interpreter_path(bad), Err(ElfError::Interpreter));
    }
}

/// A shared object with a dynamic section of these entries; its strings begin at offset 0x800.
fn shared_object(entries: &[[u64; 2]]) -> Vec<u8> {
    let size = 0x900;
    let dynamic = program_header(raw::PT_DYNAMIC, 0x10400, 0x400, entries.len() as u64 * 16, 0);
    let mut file = elf(raw::ET_DYN, &[load(0x10000, 0, size, size), dynamic]);
    file.resize(0x400, 0);
    file.extend(entries.iter().flatten().flat_map(|value| value.to_le_bytes()));
    file.resize(0x800, 0);
    file.extend(b"\0libm.so.6\0$ORIGIN/lib:/opt\0libx.so\0");
    file.resize(size as usize, 0);
    file
}

#[test]
fn needed_libraries_are_found() {
    let strings = [[raw::DT_STRTAB, 0x10800], [raw::DT_STRSZ, 0x100]];
    let entries = [[raw::DT_NEEDED, 1], [raw::DT_NEEDED, 28], [raw::DT_RUNPATH, 11], [raw::DT_FLAGS_1, 0x800]];
    let rest = [strings[0], strings[1], [raw::DT_NULL, 0], [raw::DT_NEEDED, 0x1000]];
    let file = shared_object(&[&entries[..], &rest].concat());
    let dynamic = Dynamic::parse(&file).unwrap();
    assert_eq!(dynamic.needed, [&b"libm.so.6"[..], b"libx.so"]);
    assert_eq!(dynamic.runpath, Some(&b"$ORIGIN/lib:/opt"[..]));
    assert_eq!((dynamic.rpath, dynamic.soname), (None, None));
    assert!(dynamic.no_default_directories);

    let outside = shared_object(&[strings[0], strings[1], [raw::DT_NEEDED, 0x100]]);
    assert_eq!(Dynamic::parse(&outside), Err(ElfError::Dynamic("DT_NEEDED")));
    let outside = shared_object(&[[raw::DT_STRTAB, 0x10800], [raw::DT_STRSZ, 0x101]]);
    assert_eq!(Dynamic::parse(&outside), Err(ElfError::Dynamic("DT_STRTAB")));
    let cut = shared_object(&[[raw::DT_STRTAB, 0x10800], [raw::DT_STRSZ, 0x100]]);
    assert_eq!(Dynamic::parse(&cut[..0x880]), Err(ElfError::Truncated("dynamic strings")));
}

#[test]
fn damage_is_survived() {
    let strings = [[raw::DT_STRTAB, 0x10800], [raw::DT_STRSZ, 0x100], [raw::DT_NEEDED, 1], [raw::DT_RPATH, 1]];
    let file = shared_object(&strings);
    for position in (0..0x0b0).chain(0x400..0x440) {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut damaged = file.clone();
            damaged[position] = value;
            let _ = Dynamic::parse(&damaged);
            damaged.truncate(position);
            assert!(Dynamic::parse(&damaged).is_err());
        }
    }
}

fn script(text: &str) -> Result<Option<(&str, Option<&str>)>, ScriptError> {
    let text_of = |bytes| core::str::from_utf8(bytes).unwrap();
    let script = Script::parse(text.as_bytes())?;
    Ok(script.map(|script| (text_of(script.interpreter), script.argument.map(text_of))))
}

#[test]
fn script_lines_are_read_as_linux_does() {
    assert_eq!(script(""), Ok(None));
    assert_eq!(script("# !/bin/sh\n"), Ok(None));
    assert_eq!(script("#!/bin/sh\nexit"), Ok(Some(("/bin/sh", None))));
    assert_eq!(script("#!/bin/sh"), Ok(Some(("/bin/sh", None))));
    assert_eq!(script("#! \t/bin/sh \t\n"), Ok(Some(("/bin/sh", None))));
    assert_eq!(script("#!/bin/env  a\tb c \n"), Ok(Some(("/bin/env", Some("a\tb c")))));
    assert_eq!(script("#!/bin/sh\0 -x\n"), Ok(Some(("/bin/sh", None))));
    assert_eq!(script("#!/bin/sh -x "), Ok(Some(("/bin/sh", Some("-x ")))));
    for empty in ["#!", "#!\n", "#!  \t\n/bin/sh", "#!\0"] {
        assert_eq!(script(empty), Err(ScriptError::NoInterpreter));
    }
}

#[test]
fn script_lines_end_at_256_bytes() {
    let line = |path: usize, tail: &[u8]| [b"#!", &vec![b'p'; path][..], tail].concat();
    let path = |text: &[u8]| Script::parse(text).map(|script| script.unwrap().interpreter.len());
    assert_eq!(path(&line(253, b"\n")), Ok(253));
    assert_eq!(path(&line(253, b" argument\n")), Ok(253));
    assert_eq!(path(&line(253, b"\0")), Ok(253));
    assert_eq!(path(&line(254, b"\n")), Err(ScriptError::TooLong));
    assert_eq!(path(&line(253, b"")), Ok(253));
    let long = line(200, &[b" ", &vec![b'a'; 100][..], b"\n"].concat());
    assert_eq!(Script::parse(&long).unwrap().unwrap().argument.unwrap().len(), 255 - 2 - 200 - 1);
}
