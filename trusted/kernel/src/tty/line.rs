//! The line discipline N_TTY: from typed characters to what the program reads (termios(3), POSIX 2017
//! XBD §11). Pure: what it wants done is in what it returns.

use super::output::{Output, continues};
use super::termios::Termios;
use alloc::collections::VecDeque;
use rkt_linux_abi::general::{
    ECHO, ECHOCTL, ECHOE, ECHOK, ECHOKE, ECHONL, ECHOPRT, ICANON, ICRNL, IEXTEN, IGNCR, IMAXBEL, INLCR, ISIG, ISTRIP,
    IUCLC, IXANY, IXON, NOFLSH, PARMRK, SIGINT, SIGQUIT, SIGTSTP, VEOF, VEOL, VEOL2, VERASE, VINTR, VKILL, VLNEXT,
    VMIN, VQUIT, VREPRINT, VSTART, VSTOP, VSUSP, VTIME, VWERASE,
};

/// Most bytes that wait to be read (N_TTY_BUF_SIZE): a typed line is no longer either.
pub const CAPACITY: usize = 4096;

/// A byte that was typed, and whether a line ends with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Typed {
    Byte(u8),
    LineEnd(u8),
    /// End of file: a line that ends without a character.
    Eof,
}

/// What a typed character wants done besides being kept and echoed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Signal for the foreground group.
    pub signal: Option<u32>,
    /// Input and output that wait are thrown away.
    pub flush: bool,
    /// Output stops (false) or goes on (true).
    pub flow: Option<bool>,
    /// There is something to read now.
    pub readable: bool,
}

/// What was typed and not read yet.
#[derive(Debug, Default)]
pub struct Line {
    typed: VecDeque<Typed>,
    /// Number of bytes at the front that belong to finished lines.
    finished: usize,
    /// The next character is taken as it is (LNEXT).
    literal: bool,
    /// Between "\" and "/" of ECHOPRT.
    erasing: bool,
    /// Cursor, for echoes and what the program writes.
    pub output: Output,
}

impl Line {
    /// Whether a character can be taken now. A line that is too long takes on, and forgets.
    pub fn has_room(&self, modes: &Termios) -> bool {
        self.typed.len() < CAPACITY - 1 || modes.local_has(ICANON) && self.finished == 0
    }

    /// Bytes that can be read: FIONREAD. In canonical mode those of finished lines.
    pub fn readable(&self, modes: &Termios) -> usize {
        let n = if modes.local_has(ICANON) { self.finished } else { self.typed.len() };
        self.typed.iter().take(n).filter(|typed| **typed != Typed::Eof).count()
    }

    /// Whether read(2) has an answer: poll(2) with `patient` counts VMIN.
    pub fn has_input(&self, modes: &Termios, patient: bool) -> bool {
        if modes.local_has(ICANON) {
            return self.finished > 0;
        }
        let least = if patient && modes.number(VTIME) == 0 { modes.number(VMIN).max(1) } else { 1 };
        self.typed.len() >= usize::from(least)
    }

    /// Forgets all input.
    pub fn flush(&mut self) {
        self.typed.clear();
        self.finished = 0;
        self.literal = false;
        self.erasing = false;
    }

    /// The modes changed: what waits is a line from now on, or is none any more (Linux'
    /// n_tty_set_termios).
    pub fn change_modes(&mut self, before: &Termios, after: &Termios) {
        if (before.local ^ after.local) & ICANON == 0 {
            return;
        }
        for typed in &mut self.typed {
            *typed = match *typed {
                Typed::Byte(byte) | Typed::LineEnd(byte) => Typed::Byte(byte),
                Typed::Eof => Typed::Byte(0),
            };
        }
        self.finished = 0;
        if after.local_has(ICANON)
            && let Some(Typed::Byte(byte)) = self.typed.pop_back()
        {
            self.typed.push_back(Typed::LineEnd(byte));
            self.finished = self.typed.len();
        }
        self.literal = false;
        self.erasing = false;
    }

    /// Takes up to `into.len()` bytes for read(2): in canonical mode up to the end of a line.
    pub fn read(&mut self, modes: &Termios, into: &mut [u8]) -> usize {
        let canonical = modes.local_has(ICANON);
        let mut n = 0;
        while !canonical || self.finished > 0 {
            // An end of file directly behind what was asked for goes with it.
            if n == into.len() && self.typed.front() != Some(&Typed::Eof) {
                break;
            }
            let Some(typed) = self.typed.pop_front() else { break };
            self.finished = self.finished.saturating_sub(1);
            let (byte, end) = match typed {
                Typed::Byte(byte) => (byte, false),
                Typed::LineEnd(byte) => (byte, canonical),
                Typed::Eof => break,
            };
            if let Some(to) = into.get_mut(n) {
                *to = byte;
            }
            n += 1;
            if end {
                break;
            }
        }
        n
    }

    /// Takes a typed character; echoes go to `to`, and a signal forgets those that are there.
    /// `stopped`: output is stopped.
    pub fn receive(&mut self, byte: u8, stopped: bool, modes: &Termios, to: &mut VecDeque<u8>) -> Wanted {
        let mut byte = if modes.input_has(ISTRIP) { byte & 0x7f } else { byte };
        if modes.input_has(IUCLC) && modes.local_has(IEXTEN) {
            byte = byte.to_ascii_lowercase();
        }
        if core::mem::take(&mut self.literal) {
            return self.keep_plain(byte, modes, to);
        }
        let is = |which| modes.character(which) == Some(byte);
        if modes.input_has(IXON) {
            if is(VSTART) {
                return Wanted { flow: Some(true), ..Wanted::default() };
            }
            if is(VSTOP) {
                return Wanted { flow: Some(false), ..Wanted::default() };
            }
        }
        if modes.local_has(ISIG) {
            let signals = [(VINTR, SIGINT), (VQUIT, SIGQUIT), (VSUSP, SIGTSTP)];
            if let Some((_, signal)) = signals.into_iter().find(|&(which, _)| is(which)) {
                return self.signal(byte, signal, modes, to);
            }
        }
        let flow = (stopped && modes.input_has(IXON) && modes.input_has(IXANY)).then_some(true);
        let wanted = match byte {
            b'\r' if modes.input_has(IGNCR) => Wanted::default(),
            b'\r' if modes.input_has(ICRNL) && modes.local_has(ICANON) => self.keep(b'\n', modes, to),
            b'\r' if modes.input_has(ICRNL) => {
                if modes.local_has(ECHO) {
                    self.output.put(b'\n', modes, to);
                }
                self.store(b'\n', modes, to)
            }
            b'\n' if modes.input_has(INLCR) => self.keep(b'\r', modes, to),
            _ => self.keep(byte, modes, to),
        };
        Wanted { flow, ..wanted }
    }

    fn signal(&mut self, byte: u8, signal: u32, modes: &Termios, to: &mut VecDeque<u8>) -> Wanted {
        let flush = !modes.local_has(NOFLSH);
        if flush {
            self.flush();
            to.clear();
        }
        if modes.local_has(ECHO) {
            self.echo(byte, modes, to);
        }
        let flow = modes.input_has(IXON).then_some(true);
        Wanted { signal: Some(signal), flush, flow, readable: false }
    }

    /// A character behind all translation.
    fn keep(&mut self, byte: u8, modes: &Termios, to: &mut VecDeque<u8>) -> Wanted {
        if !modes.local_has(ICANON) {
            return self.keep_plain(byte, modes, to);
        }
        let is = |which| modes.character(which) == Some(byte);
        let extended = modes.local_has(IEXTEN);
        let echo = modes.local_has(ECHO);
        if is(VERASE) || is(VKILL) || extended && is(VWERASE) {
            self.erase(byte, modes, to);
            Wanted::default()
        } else if extended && is(VLNEXT) {
            self.literal = true;
            if echo {
                self.finish_erasing(modes, to);
                if modes.local_has(ECHOCTL) {
                    to.extend([b'^', 8]);
                }
            }
            Wanted::default()
        } else if extended && echo && is(VREPRINT) {
            self.reprint(byte, modes, to);
            Wanted::default()
        } else if byte == b'\n' {
            if echo || modes.local_has(ECHONL) {
                self.output.put(byte, modes, to);
            }
            self.finish_line(Typed::LineEnd(byte), modes, to)
        } else if is(VEOF) {
            self.finish_line(Typed::Eof, modes, to)
        } else if is(VEOL) || extended && is(VEOL2) {
            if echo {
                self.echo_first(byte, modes, to);
            }
            self.finish_line(Typed::LineEnd(byte), modes, to)
        } else {
            self.keep_plain(byte, modes, to)
        }
    }

    fn finish_line(&mut self, end: Typed, modes: &Termios, to: &mut VecDeque<u8>) -> Wanted {
        if self.typed.len() >= CAPACITY {
            return self.refuse(modes, to);
        }
        self.typed.push_back(end);
        self.finished = self.typed.len();
        Wanted { readable: true, ..Wanted::default() }
    }

    fn keep_plain(&mut self, byte: u8, modes: &Termios, to: &mut VecDeque<u8>) -> Wanted {
        if modes.local_has(ECHO) && self.typed.len() < CAPACITY - 1 {
            self.finish_erasing(modes, to);
            self.echo_first(byte, modes, to);
        }
        self.store(byte, modes, to)
    }

    fn store(&mut self, byte: u8, modes: &Termios, to: &mut VecDeque<u8>) -> Wanted {
        if self.typed.len() >= CAPACITY - 1 {
            return self.refuse(modes, to);
        }
        // A marked 255 can be told from the mark of an error (PARMRK).
        if byte == 0xff && modes.input_has(PARMRK) {
            self.typed.push_back(Typed::Byte(byte));
        }
        self.typed.push_back(Typed::Byte(byte));
        Wanted { readable: !modes.local_has(ICANON), ..Wanted::default() }
    }

    /// A line that is too long.
    fn refuse(&mut self, modes: &Termios, to: &mut VecDeque<u8>) -> Wanted {
        if modes.input_has(IMAXBEL) {
            to.push_back(7);
        }
        Wanted::default()
    }

    fn echo(&mut self, byte: u8, modes: &Termios, to: &mut VecDeque<u8>) {
        self.output.echo(byte, modes.local_has(ECHOCTL), modes, to);
    }

    fn echo_first(&mut self, byte: u8, modes: &Termios, to: &mut VecDeque<u8>) {
        if self.typed.len() == self.finished {
            self.output.begin_line();
        }
        self.echo(byte, modes, to);
    }

    fn finish_erasing(&mut self, modes: &Termios, to: &mut VecDeque<u8>) {
        if core::mem::take(&mut self.erasing) {
            self.output.put(b'/', modes, to);
        }
    }

    fn reprint(&mut self, byte: u8, modes: &Termios, to: &mut VecDeque<u8>) {
        self.finish_erasing(modes, to);
        self.echo(byte, modes, to);
        self.output.put(b'\n', modes, to);
        for at in self.finished..self.typed.len() {
            if let Some(byte) = self.byte_at(at) {
                self.echo(byte, modes, to);
            }
        }
    }

    fn byte_at(&self, at: usize) -> Option<u8> {
        match self.typed.get(at)? {
            Typed::Byte(byte) | Typed::LineEnd(byte) => Some(*byte),
            Typed::Eof => None,
        }
    }

    /// ERASE, WERASE and KILL: within the line that is being typed.
    fn erase(&mut self, by: u8, modes: &Termios, to: &mut VecDeque<u8>) {
        let has = |flag| modes.local_has(flag);
        let one = modes.character(VERASE) == Some(by);
        let word = !one && modes.character(VWERASE) == Some(by);
        let whole = !one && !word;
        if self.typed.len() == self.finished {
            return;
        }
        let visibly = has(ECHO) && has(ECHOK) && has(ECHOKE) && has(ECHOE);
        if whole && !visibly {
            self.typed.truncate(self.finished);
            if has(ECHO) {
                self.finish_erasing(modes, to);
                self.echo(by, modes, to);
                if has(ECHOK) {
                    self.output.put(b'\n', modes, to);
                }
            }
            return;
        }
        let mut seen = false;
        while let Some((at, first)) = self.last_character(modes) {
            let letter = first.is_ascii_alphanumeric() || first == b'_' || first >= 0x80;
            if word {
                if !letter && seen {
                    break;
                }
                seen |= letter;
            }
            self.take_back(at, first, one.then_some(by), modes, to);
            if one {
                break;
            }
        }
        if self.typed.len() == self.finished && has(ECHO) {
            self.finish_erasing(modes, to);
        }
    }

    /// Where the last character of the line begins, and its first byte.
    fn last_character(&self, modes: &Termios) -> Option<(usize, u8)> {
        let mut at = self.typed.len();
        while at > self.finished {
            at -= 1;
            let byte = self.byte_at(at)?;
            if !continues(byte, modes) {
                return Some((at, byte));
            }
        }
        None
    }

    fn take_back(&mut self, at: usize, first: u8, by: Option<u8>, modes: &Termios, to: &mut VecDeque<u8>) {
        let has = |flag| modes.local_has(flag);
        let gone = self.typed.split_off(at);
        if !has(ECHO) {
            return;
        }
        if has(ECHOPRT) {
            if !core::mem::replace(&mut self.erasing, true) {
                self.output.put(b'\\', modes, to);
            }
            self.echo(first, modes, to);
            for typed in gone.iter().skip(1) {
                if let Typed::Byte(byte) = typed {
                    self.output.put(*byte, modes, to);
                    self.output.back(to);
                }
            }
        } else if let Some(by) = by.filter(|_| !has(ECHOE)) {
            self.echo(by, modes, to);
        } else if first == b'\t' {
            let (columns, after_tab) = self.columns_before(modes);
            self.output.erase_tab(columns, after_tab, to);
        } else {
            let control = first.is_ascii_control();
            if control && has(ECHOCTL) {
                self.output.erase(to);
            }
            if !control || has(ECHOCTL) {
                self.output.erase(to);
            }
        }
    }

    /// Columns that the line takes up to its end, from its start or its last tab, and which of both.
    fn columns_before(&self, modes: &Termios) -> (usize, bool) {
        let mut columns = 0;
        for at in (self.finished..self.typed.len()).rev() {
            match self.byte_at(at) {
                Some(b'\t') => return (columns, true),
                Some(byte) if byte.is_ascii_control() => columns += if modes.local_has(ECHOCTL) { 2 } else { 0 },
                Some(byte) if continues(byte, modes) => {}
                _ => columns += 1,
            }
        }
        (columns, false)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::String;
    use std::vec;
    use std::vec::Vec;

    struct Typist {
        line: Line,
        modes: Termios,
        shown: VecDeque<u8>,
    }

    impl Typist {
        fn new(modes: Termios) -> Self {
            Self { line: Line::default(), modes, shown: VecDeque::new() }
        }

        fn types(&mut self, text: &str) -> Vec<Wanted> {
            text.bytes().map(|byte| self.line.receive(byte, false, &self.modes, &mut self.shown)).collect()
        }

        fn shown(&mut self) -> String {
            String::from_utf8(self.shown.drain(..).collect::<Vec<_>>()).unwrap()
        }

        fn reads(&mut self, len: usize) -> String {
            let mut into = vec![0; len];
            let n = self.line.read(&self.modes, &mut into);
            into.truncate(n);
            String::from_utf8(into).unwrap()
        }
    }

    fn canonical() -> Typist {
        Typist::new(Termios::STANDARD)
    }

    #[test]
    fn lines_come_one_by_one_and_in_parts() {
        let mut typist = canonical();
        assert!(!typist.line.has_input(&typist.modes, true));
        typist.types("one\rtwo\n");
        assert_eq!(typist.shown(), "one\r\ntwo\r\n");
        assert_eq!(typist.line.readable(&typist.modes), 8);
        assert_eq!([typist.reads(2), typist.reads(99), typist.reads(99), typist.reads(99)], ["on", "e\n", "two\n", ""]);
    }

    #[test]
    fn editing() {
        let mut typist = canonical();
        typist.types("ab\x7fc\n");
        assert_eq!(typist.shown(), "ab\x08 \x08c\r\n");
        assert_eq!(typist.reads(99), "ac\n");
        typist.types("one two  \x17x\x15y\n");
        assert_eq!(typist.reads(99), "y\n");
        typist.shown();
        typist.types("a\tb\x7f\x7f\x7f\n");
        assert_eq!(typist.shown(), "a\tb\x08 \x08\x08\x08\x08\x08\x08\x08\x08\x08 \x08\r\n");
        assert_eq!(typist.reads(99), "\n");
    }

    #[test]
    fn the_end_of_file() {
        let mut typist = canonical();
        typist.types("ab\x04\x04cd\n");
        assert_eq!(typist.reads(2), "ab"); // and the end of file behind it
        assert_eq!(typist.reads(9), "");
        assert_eq!(typist.reads(9), "cd\n");
    }

    #[test]
    fn signals_flush() {
        let mut typist = canonical();
        let wanted = typist.types("ab\x03");
        assert_eq!(wanted[2], Wanted { signal: Some(SIGINT), flush: true, flow: Some(true), readable: false });
        assert_eq!(typist.shown(), "^C");
        typist.types("x\n");
        assert_eq!(typist.reads(9), "x\n");
        typist.types("\x16\x03\n");
        assert_eq!(typist.reads(9), "\x03\n");
    }

    #[test]
    fn raw() {
        let mut modes = Termios { input: 0, local: 0, output: 0, ..Termios::STANDARD };
        modes.characters[VMIN as usize] = 3;
        let mut typist = Typist::new(modes);
        typist.types("\x03\r");
        assert!(typist.line.has_input(&modes, false) && !typist.line.has_input(&modes, true));
        typist.types("\x7f");
        assert!(typist.line.has_input(&modes, true));
        assert_eq!((typist.shown(), typist.reads(99)), (String::new(), "\x03\r\x7f".into()));
    }

    #[test]
    fn changing_modes_makes_a_line_of_what_waits() {
        let mut typist = Typist::new(Termios { local: 0, ..Termios::STANDARD });
        typist.types("ab\rc");
        let after = Termios::STANDARD;
        typist.line.change_modes(&typist.modes, &after);
        typist.modes = after;
        assert_eq!(typist.reads(99), "ab\nc");
    }

    #[test]
    fn too_long_a_line_is_cut_and_ends() {
        let mut typist = canonical();
        for _ in 0..CAPACITY + 100 {
            typist.types("x");
        }
        typist.types("\n");
        let read = typist.reads(CAPACITY * 2);
        assert_eq!((read.len(), read.ends_with("x\n")), (CAPACITY, true));
    }
}
