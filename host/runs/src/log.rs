//! The output of a detached run: frames of a 16-byte header (stream, three bytes of zero, the
//! length as 32 bits, nanoseconds since 1970 as 64 bits, little-endian) and the bytes.

use crate::state::Run;
use anyhow::{Context, Result, ensure};
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Bytes after which a log becomes `log.1`, whose predecessor goes: twice this is the most there is.
const FILE_MAX: u64 = 8 << 20;
/// Most bytes of output in a frame.
const FRAME_MAX: usize = 64 << 10;
const HEADER_LEN: usize = 16;

/// A standard stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A piece of output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Where it was written.
    pub stream: Stream,
    /// When, nanoseconds since 1970.
    pub time: u64,
    /// What.
    pub bytes: Vec<u8>,
}

impl Frame {
    fn encode(&self) -> Vec<u8> {
        let mut encoded = vec![u8::from(self.stream == Stream::Stderr), 0, 0, 0];
        encoded.extend((self.bytes.len() as u32).to_le_bytes());
        encoded.extend(self.time.to_le_bytes());
        encoded.extend(&self.bytes);
        encoded
    }

    /// Takes the first frame off, if it is all there.
    fn take(buffer: &mut Vec<u8>) -> Result<Option<Self>> {
        let Some((&[stream, _, _, _, l0, l1, l2, l3, ref time @ ..], rest)) = buffer.split_first_chunk::<HEADER_LEN>()
        else {
            return Ok(None);
        };
        let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        ensure!(stream <= 1 && length <= FRAME_MAX, "the log is damaged");
        let Some(bytes) = rest.get(..length) else { return Ok(None) };
        let stream = if stream == 0 { Stream::Stdout } else { Stream::Stderr };
        let frame = Self { stream, time: u64::from_le_bytes(*time), bytes: bytes.to_vec() };
        buffer.drain(..HEADER_LEN + length);
        Ok(Some(frame))
    }
}

/// Writes a log of bounded size.
pub struct LogWriter {
    folder: PathBuf,
    file: File,
    length: u64,
}

impl LogWriter {
    pub(crate) fn create(folder: &Path) -> Result<Self> {
        let path = folder.join("log");
        let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { folder: folder.into(), file, length: 0 })
    }

    /// Appends output.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn append(&mut self, stream: Stream, bytes: &[u8]) -> Result<()> {
        let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos() as u64);
        for piece in bytes.chunks(FRAME_MAX) {
            if self.length >= FILE_MAX {
                std::fs::rename(self.folder.join("log"), self.folder.join("log.1"))?;
                *self = Self::create(&self.folder)?;
            }
            let encoded = Frame { stream, time, bytes: piece.to_vec() }.encode();
            self.file.write_all(&encoded)?;
            self.length += encoded.len() as u64;
        }
        Ok(())
    }
}

/// Reads a log from its beginning, also while it is written.
pub struct LogReader {
    folder: PathBuf,
    /// The files still to be read, the next one last.
    files: Vec<File>,
    current: u64,
    buffer: Vec<u8>,
}

impl Run {
    /// Its log.
    ///
    /// # Errors
    /// If it has none, being a foreground run.
    pub fn log(&self) -> Result<LogReader> {
        let name = &self.record.name;
        ensure!(self.record.detached, "{name} runs in the foreground: its output goes where it was started");
        let folder = self.folder().to_owned();
        let newest = File::open(folder.join("log")).with_context(|| format!("cannot read the log of {name}"))?;
        let current = newest.metadata()?.ino();
        let older = File::open(folder.join("log.1")).ok();
        Ok(LogReader { folder, files: [newest].into_iter().chain(older).collect(), current, buffer: Vec::new() })
    }
}

impl LogReader {
    /// The next frame; `None` if there is no more now.
    ///
    /// # Errors
    /// If the log is damaged or cannot be read.
    pub fn next_frame(&mut self) -> Result<Option<Frame>> {
        loop {
            if let Some(frame) = Frame::take(&mut self.buffer)? {
                return Ok(Some(frame));
            }
            let Some(file) = self.files.last_mut() else { return Ok(None) };
            let before = self.buffer.len();
            file.take(FRAME_MAX as u64).read_to_end(&mut self.buffer)?;
            if self.buffer.len() == before && !self.turn_over()? {
                return Ok(None);
            }
        }
    }

    /// Goes on to the next file, if there is one: the last one's successor after it was renamed.
    fn turn_over(&mut self) -> Result<bool> {
        if self.files.len() > 1 {
            self.files.pop();
            // A frame never lies in two files.
            self.buffer.clear();
            return Ok(true);
        }
        let newest = match File::open(self.folder.join("log")) {
            // Between two names, or removed with its run.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            opened => opened?,
        };
        let inode = newest.metadata()?.ino();
        if inode == self.current {
            return Ok(false);
        }
        // What was written to the old file before it was renamed is read first.
        self.files.insert(0, newest);
        self.current = inode;
        Ok(true)
    }
}
