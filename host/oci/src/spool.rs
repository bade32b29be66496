//! Where contents of files wait until the image is written.

use crate::Limits;
use anyhow::{Context, Result, ensure};
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::sync::Arc;

/// A part of a spool, or of any other file.
#[derive(Clone, Debug)]
pub struct Part {
    /// The file.
    pub file: Arc<File>,
    /// First byte.
    pub offset: u64,
    /// Number of bytes.
    pub length: u64,
}

/// An unnamed file of the host, gone with its last [`Part`], and what is left of the [`Limits`].
#[derive(Debug)]
pub struct Spool {
    file: Arc<File>,
    length: u64,
    pub(crate) left: Limits,
}

impl Spool {
    /// An empty one in the folder for temporary files.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn new(limits: &Limits) -> Result<Self> {
        let file = tempfile::tempfile().context("cannot make a temporary file")?;
        Ok(Self { file: Arc::new(file), length: 0, left: *limits })
    }

    /// The file, if no part of it was given out.
    pub(crate) fn into_file(self) -> Result<File> {
        Arc::into_inner(self.file).context("the temporary file is in use")
    }

    /// Appends exactly `length` bytes.
    pub(crate) fn append(&mut self, from: &mut dyn Read, length: u64) -> Result<Part> {
        let (offset, mut file) = (self.length, &*self.file);
        file.seek(io::SeekFrom::Start(offset))?;
        let copied = io::copy(&mut from.take(length), &mut file).context("while unpacking")?;
        file.flush()?;
        ensure!(copied == length, "the contents of a file are cut off");
        self.length += length;
        Ok(Part { file: Arc::clone(&self.file), offset, length })
    }

    /// Takes an entry with this many bytes of names off what is left.
    pub(crate) fn count(&mut self, names: usize) -> Result<()> {
        self.left.entries = self.left.entries.checked_sub(1).context("the image has too many files")?;
        self.left.names = self.left.names.checked_sub(names).context("the image has too many or too long names")?;
        Ok(())
    }
}
