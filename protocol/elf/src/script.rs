//! The first line of a script, `#!interpreter [argument]` (execve(2), "Interpreter scripts").

use core::fmt;

/// Bytes at the start of a file that decide, `BINPRM_BUF_SIZE` of Linux. The last one
/// is never part of the line, which leaves 255.
pub const SCRIPT_LEN: usize = 256;

/// Why a file that begins with `#!` is not run: `ENOEXEC` to a caller of execve(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScriptError {
    /// The line names no interpreter.
    NoInterpreter,
    /// The path of the interpreter does not end within [`SCRIPT_LEN`].
    TooLong,
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoInterpreter => "script: '#!' without an interpreter",
            Self::TooLong => "script: path of the interpreter too long",
        })
    }
}

impl core::error::Error for ScriptError {}

/// What runs a script: `interpreter [argument] script arguments…`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Script<'a> {
    /// Path of the interpreter, which may be a script again.
    pub interpreter: &'a [u8],
    /// All of the line behind it, as a single argument, blanks around it removed.
    pub argument: Option<&'a [u8]>,
}

impl<'a> Script<'a> {
    /// Reads the first line, given the first [`SCRIPT_LEN`] bytes of the file or all of a
    /// shorter one. `None`: not a script.
    pub fn parse(file: &'a [u8]) -> Result<Option<Self>, ScriptError> {
        let head = file.get(..SCRIPT_LEN).unwrap_or(file);
        let Some(text) = head.strip_prefix(b"#!") else { return Ok(None) };

        let first = text.split(|&byte| byte == b'\n' || byte == 0).next().unwrap_or_default();
        let line = match text.get(first.len()) {
            Some(b'\n') => trim_end(first),
            // To Linux the end of the file is a NUL, and blanks before a NUL stay.
            Some(_) => first,
            None if head.len() < SCRIPT_LEN => first,
            None => trim_end(cut_off(first)?),
        };
        let line = trim_start(line);
        let blank = line.iter().position(|&byte| is_blank(byte));
        let (interpreter, rest) = line.split_at(blank.unwrap_or(line.len()));
        if interpreter.is_empty() {
            return Err(ScriptError::NoInterpreter);
        }
        Ok(Some(Self { interpreter, argument: blank.map(|_| trim_start(rest)) }))
    }
}

/// What counts of a line that goes on behind the first [`SCRIPT_LEN`] bytes. The
/// argument may lose its end, the path may not: a blank must follow it.
fn cut_off(text: &[u8]) -> Result<&[u8], ScriptError> {
    if !trim_start(text).iter().any(|&byte| is_blank(byte)) {
        return Err(ScriptError::TooLong);
    }
    Ok(text.split_last().map_or(text, |(_, kept)| kept))
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

fn trim_start(line: &[u8]) -> &[u8] {
    line.iter().position(|&byte| !is_blank(byte)).map_or(&[], |start| line.split_at(start).1)
}

fn trim_end(line: &[u8]) -> &[u8] {
    line.iter().rposition(|&byte| !is_blank(byte)).map_or(&[], |last| line.split_at(last + 1).0)
}
