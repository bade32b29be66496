//! Output processing (termios(3), `c_oflag`): from what the program writes to what is shown.

use super::termios::Termios;
use alloc::collections::VecDeque;
use rkt_linux_abi::general::{IUTF8, OCRNL, OLCUC, ONLCR, ONLRET, ONOCR, OPOST, TABDLY, XTABS};

/// Columns between tab stops.
const TAB: usize = 8;

/// Where the cursor is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Output {
    column: usize,
    /// Column at which the line that is being typed began.
    pub line_start: usize,
}

/// Whether a byte continues a character of UTF-8 that began before.
pub fn continues(byte: u8, modes: &Termios) -> bool {
    modes.input_has(IUTF8) && byte & 0xc0 == 0x80
}

impl Output {
    /// Processes one byte.
    pub fn put(&mut self, byte: u8, modes: &Termios, to: &mut VecDeque<u8>) {
        if !modes.output_has(OPOST) {
            to.push_back(byte);
            return;
        }
        let mut shown = byte;
        match byte {
            b'\n' if modes.output_has(ONLCR) => {
                self.column = 0;
                self.line_start = 0;
                to.push_back(b'\r');
            }
            b'\n' => {
                if modes.output_has(ONLRET) {
                    self.column = 0;
                }
                self.line_start = self.column;
            }
            b'\r' if modes.output_has(ONOCR) && self.column == 0 => return,
            b'\r' if modes.output_has(OCRNL) => {
                shown = b'\n';
                if modes.output_has(ONLRET) {
                    self.column = 0;
                    self.line_start = 0;
                }
            }
            b'\r' => {
                self.column = 0;
                self.line_start = 0;
            }
            b'\t' => {
                let spaces = TAB - self.column % TAB;
                self.column += spaces;
                if modes.output & TABDLY == XTABS {
                    to.extend(core::iter::repeat_n(b' ', spaces));
                    return;
                }
            }
            8 => self.column = self.column.saturating_sub(1),
            byte if !byte.is_ascii_control() => {
                if modes.output_has(OLCUC) {
                    shown = byte.to_ascii_uppercase();
                }
                if !continues(byte, modes) {
                    self.column = self.column.saturating_add(1);
                }
            }
            _ => {}
        }
        to.push_back(shown);
    }

    /// Shows a typed character: control characters as "^X" with `caret` (ECHOCTL).
    pub fn echo(&mut self, byte: u8, caret: bool, modes: &Termios, to: &mut VecDeque<u8>) {
        if caret && byte.is_ascii_control() && byte != b'\t' {
            to.extend([b'^', byte ^ 0x40]);
            self.column = self.column.saturating_add(2);
        } else {
            self.put(byte, modes, to);
        }
    }

    /// Takes back the last shown character.
    pub fn erase(&mut self, to: &mut VecDeque<u8>) {
        self.back(to);
        to.extend([b' ', 8]);
    }

    /// Moves back over one column.
    pub fn back(&mut self, to: &mut VecDeque<u8>) {
        to.push_back(8);
        self.column = self.column.saturating_sub(1);
    }

    /// Takes back a tab that `columns` columns of the same line stand before, since the line's start or
    /// the tab before it (`after_tab`).
    pub fn erase_tab(&mut self, columns: usize, after_tab: bool, to: &mut VecDeque<u8>) {
        let before = if after_tab { columns } else { columns + self.line_start };
        for _ in 0..TAB - before % TAB {
            self.back(to);
        }
    }

    /// A line begins to be typed here.
    pub fn begin_line(&mut self) {
        self.line_start = self.column;
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::String;
    use std::vec::Vec;

    fn shown(text: &str, output: u32) -> String {
        let modes = Termios { output, ..Termios::STANDARD };
        let (mut state, mut to) = (Output::default(), VecDeque::new());
        text.bytes().for_each(|byte| state.put(byte, &modes, &mut to));
        String::from_utf8(to.into_iter().collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn newlines() {
        assert_eq!(shown("a\nb", OPOST | ONLCR), "a\r\nb");
        assert_eq!(shown("a\nb", ONLCR), "a\nb");
        assert_eq!(shown("\ra\r", OPOST | ONOCR), "a\r");
        assert_eq!(shown("a\r", OPOST | OCRNL), "a\n");
    }

    #[test]
    fn tabs_and_letters() {
        assert_eq!(shown("ab\tc", OPOST | XTABS), "ab      c");
        assert_eq!(shown("ab\tc", OPOST | OLCUC), "AB\tC");
    }
}
