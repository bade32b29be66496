//! The qtest protocol: a line of text a request, a line an answer.

use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// How long an answer may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection to QEMU's qtest server.
pub struct Qtest {
    to: UnixStream,
    from: BufReader<UnixStream>,
}

impl Qtest {
    /// Takes a connected socket.
    ///
    /// # Errors
    /// Those of the socket.
    pub fn new(socket: UnixStream) -> Result<Self> {
        socket.set_read_timeout(Some(PATIENCE))?;
        let from = BufReader::new(socket.try_clone()?);
        Ok(Self { to: socket, from })
    }

    /// Sends a request and returns what follows `OK` in the answer.
    ///
    /// # Errors
    /// QEMU is gone, or refuses.
    pub fn ask(&mut self, request: &str) -> Result<String> {
        self.to.write_all(format!("{request}\n").as_bytes()).context("QEMU is gone")?;
        loop {
            let mut line = String::new();
            let len = self.from.read_line(&mut line).with_context(|| format!("no answer to {request}"))?;
            match line.trim_end().split_once(' ').unwrap_or((line.trim_end(), "")) {
                ("OK", value) => return Ok(value.to_owned()),
                // Interrupts are announced between answers.
                ("IRQ", _) => {}
                _ if len == 0 => bail!("QEMU is gone"),
                _ => bail!("{request}: {line}"),
            }
        }
    }

    fn number(&mut self, request: &str) -> Result<u64> {
        let answer = self.ask(request)?;
        let digits = answer.strip_prefix("0x").unwrap_or(&answer);
        u64::from_str_radix(digits, 16).with_context(|| format!("{request}: {answer}"))
    }

    /// Reads four bytes of I/O space.
    ///
    /// # Errors
    /// As [`Qtest::ask`], and so for all that follow.
    pub fn inl(&mut self, port: u16) -> Result<u32> {
        Ok(self.number(&format!("inl {port:#x}"))? as u32)
    }

    /// Writes four bytes of I/O space.
    ///
    /// # Errors
    /// As above.
    pub fn outl(&mut self, port: u16, value: u32) -> Result<()> {
        self.ask(&format!("outl {port:#x} {value:#x}")).map(drop)
    }

    /// Reads a byte of memory.
    ///
    /// # Errors
    /// As above.
    pub fn readb(&mut self, at: u64) -> Result<u8> {
        Ok(self.number(&format!("readb {at:#x}"))? as u8)
    }

    /// Reads two bytes of memory.
    ///
    /// # Errors
    /// As above.
    pub fn readw(&mut self, at: u64) -> Result<u16> {
        Ok(self.number(&format!("readw {at:#x}"))? as u16)
    }

    /// Reads four bytes of memory.
    ///
    /// # Errors
    /// As above.
    pub fn readl(&mut self, at: u64) -> Result<u32> {
        Ok(self.number(&format!("readl {at:#x}"))? as u32)
    }

    /// Reads eight bytes of memory.
    ///
    /// # Errors
    /// As above.
    pub fn readq(&mut self, at: u64) -> Result<u64> {
        self.number(&format!("readq {at:#x}"))
    }

    /// Writes a byte of memory.
    ///
    /// # Errors
    /// As above.
    pub fn writeb(&mut self, at: u64, value: u8) -> Result<()> {
        self.ask(&format!("writeb {at:#x} {value:#x}")).map(drop)
    }

    /// Writes two bytes of memory.
    ///
    /// # Errors
    /// As above.
    pub fn writew(&mut self, at: u64, value: u16) -> Result<()> {
        self.ask(&format!("writew {at:#x} {value:#x}")).map(drop)
    }

    /// Writes four bytes of memory.
    ///
    /// # Errors
    /// As above.
    pub fn writel(&mut self, at: u64, value: u32) -> Result<()> {
        self.ask(&format!("writel {at:#x} {value:#x}")).map(drop)
    }

    /// Writes eight bytes of memory.
    ///
    /// # Errors
    /// As above.
    pub fn writeq(&mut self, at: u64, value: u64) -> Result<()> {
        self.ask(&format!("writeq {at:#x} {value:#x}")).map(drop)
    }
}
