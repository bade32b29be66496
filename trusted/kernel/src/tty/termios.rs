//! Modes of a terminal (termios(3)) in the layout of the kernel's ABI.

use rkt_linux_abi::general::{
    B38400, CREAD, CS8, CSIZE, ECHO, ECHOCTL, ECHOE, ECHOK, ECHOKE, ICANON, ICRNL, IEXTEN, ISIG, IXON, ONLCR, OPOST,
    PARENB, VMIN, VTIME,
};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Number of control characters (NCCS of asm-generic/termbits.h).
const CONTROLS: usize = 19;

/// `struct termios`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Termios {
    /// Input modes.
    pub input: u32,
    /// Output modes.
    pub output: u32,
    /// Control modes.
    pub control: u32,
    /// Local modes.
    pub local: u32,
    /// Line discipline: only N_TTY (0) exists.
    pub discipline: u8,
    /// Control characters.
    pub characters: [u8; CONTROLS],
}

/// `struct termios2`: with speeds.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Termios2 {
    /// What [`Termios`] has.
    pub modes: Termios,
    /// Bits a second, in and out: without meaning here.
    pub speeds: [u32; 2],
}

/// Control characters of the older structure (NCC of asm-generic/termios.h).
const OLD_CONTROLS: usize = 8;

/// `struct termio` of System V: the lower halves of the modes.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Termio {
    /// Input, output, control and local modes.
    modes: [u16; 4],
    discipline: u8,
    characters: [u8; OLD_CONTROLS],
    padding: u8,
}

/// Speed of B38400.
const SPEED: u32 = 38_400;

impl Termios {
    /// Nothing is on.
    pub const NONE: Termios =
        Termios { input: 0, output: 0, control: 0, local: 0, discipline: 0, characters: [0; CONTROLS] };

    /// The modes of a fresh terminal (Linux' tty_std_termios, as a pseudo-terminal has it).
    pub const STANDARD: Termios = Termios {
        input: ICRNL | IXON,
        output: OPOST | ONLCR,
        control: B38400 | CS8 | CREAD,
        local: ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
        discipline: 0,
        // INTR ^C, QUIT ^\, ERASE DEL, KILL ^U, EOF ^D, TIME 0, MIN 1, SWTC 0, START ^Q, STOP ^S, SUSP ^Z,
        // EOL 0, REPRINT ^R, DISCARD ^O, WERASE ^W, LNEXT ^V, EOL2 0.
        characters: [3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0, 0, 0],
    };

    /// What the older structure shows of them.
    pub fn to_termio(self) -> Termio {
        let modes = [self.input, self.output, self.control, self.local].map(|modes| modes as u16);
        let mut characters = [0; OLD_CONTROLS];
        characters.iter_mut().zip(self.characters).for_each(|(to, from)| *to = from);
        Termio { modes, discipline: self.discipline, characters, padding: 0 }
    }

    /// These modes with what the older structure has; the rest stays.
    pub fn with_termio(self, old: Termio) -> Termios {
        let [input, output, control, local] = old.modes.map(u32::from);
        let lower = |modes: u32, new: u32| modes & !0xffff | new;
        let mut characters = self.characters;
        characters.iter_mut().zip(old.characters).for_each(|(to, from)| *to = from);
        Termios {
            input: lower(self.input, input),
            output: lower(self.output, output),
            control: lower(self.control, control),
            local: lower(self.local, local),
            discipline: old.discipline,
            characters,
        }
    }

    /// A control character (`VINTR` …); none if it is disabled (_POSIX_VDISABLE is 0).
    pub fn character(&self, which: u32) -> Option<u8> {
        self.characters.get(which as usize).copied().filter(|&character| character != 0)
    }

    /// A number among the control characters: `VMIN`, `VTIME`.
    pub fn number(&self, which: u32) -> u8 {
        self.characters.get(which as usize).copied().unwrap_or(0)
    }

    /// Whether an input mode is on.
    pub fn input_has(&self, flag: u32) -> bool {
        self.input & flag != 0
    }

    /// Whether an output mode is on.
    pub fn output_has(&self, flag: u32) -> bool {
        self.output & flag != 0
    }

    /// Whether a local mode is on.
    pub fn local_has(&self, flag: u32) -> bool {
        self.local & flag != 0
    }

    /// As it is kept: a line without wires has eight bits and no parity (Linux' pty_set_termios).
    #[must_use]
    pub fn settled(self) -> Self {
        Self { control: self.control & !(CSIZE | PARENB) | CS8 | CREAD, ..self }
    }

    /// These modes, but with the old ones where `locked` has a bit, or a character.
    #[must_use]
    pub fn with_locked(self, old: &Self, locked: &Self) -> Self {
        let kept = |new: u32, old: u32, mask: u32| new & !mask | old & mask;
        let kept_byte = |new: u8, old: u8, locked: u8| if locked == 0 { new } else { old };
        let mut characters = self.characters;
        characters
            .iter_mut()
            .zip(old.characters)
            .zip(locked.characters)
            .for_each(|((new, old), locked)| *new = kept_byte(*new, old, locked));
        Self {
            input: kept(self.input, old.input, locked.input),
            output: kept(self.output, old.output, locked.output),
            control: kept(self.control, old.control, locked.control),
            local: kept(self.local, old.local, locked.local),
            discipline: kept_byte(self.discipline, old.discipline, locked.discipline),
            characters,
        }
    }

    /// The same without any processing: bytes come and go as they are, one by one.
    #[must_use]
    pub fn raw(self) -> Self {
        let mut raw = Self { input: 0, output: 0, local: 0, ..self };
        for (which, number) in [(VMIN, 1), (VTIME, 0)] {
            if let Some(character) = raw.characters.get_mut(which as usize) {
                *character = number;
            }
        }
        raw
    }

    /// With speeds.
    pub fn with_speeds(self) -> Termios2 {
        Termios2 { modes: self, speeds: [SPEED; 2] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout() {
        assert_eq!(size_of::<Termios>(), 36);
        assert_eq!(size_of::<Termios2>(), 44);
        assert_eq!(size_of::<Termio>(), 18);
    }
}
