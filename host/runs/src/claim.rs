//! The supervisor's own record.

use crate::log::LogWriter;
use crate::record::{Ended, Record};
use crate::state::{CONTROL, Run, State, open_lock};
use anyhow::{Context, Result, bail};
use rustix::fs::{FlockOperation, flock};
use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// A name that is this process's until it ends. When a foreground run ends, its record goes.
pub struct Claim {
    record: Record,
    folder: PathBuf,
    /// Held open: the lock lasts as long.
    _lock: File,
}

impl State {
    /// Claims the record's name, or `rkt-PID` if it has none, among this user's runs.
    ///
    /// # Errors
    /// If a run that lives has the name, or it is no possible name.
    pub fn claim(&self, mut record: Record) -> Result<Claim> {
        if record.name.is_empty() {
            record.name = format!("rkt-{}", record.pid);
        }
        let folder = self.folder_of(&record.name)?;
        let _lock = self.lock()?;
        if let Some(Run { alive: true, record, .. }) = self.tidy()?.into_iter().find(|run| run.folder() == folder) {
            bail!(
                "the name {:?} is taken by an enclave that runs: `rkt-io stop {}` ends it, or choose another",
                record.name,
                record.name
            );
        }
        let context = || format!("cannot write {}", folder.display());
        if folder.exists() {
            std::fs::remove_dir_all(&folder).with_context(context)?;
        }
        DirBuilder::new().mode(0o700).create(&folder).with_context(context)?;
        let lock = open_lock(&folder.join("lock"))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).with_context(context)?;
        let claim = Claim { record, folder, _lock: lock };
        claim.write().context("cannot write the record")?;
        Ok(claim)
    }
}

impl Claim {
    /// The name.
    pub fn name(&self) -> &str {
        &self.record.name
    }

    /// Where who runs it tells its counters.
    pub fn control(&self) -> PathBuf {
        self.folder.join(CONTROL)
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A new log.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn log(&self) -> Result<LogWriter> {
        LogWriter::create(&self.folder)
    }

    /// Writes down what turned out after the name was claimed.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn update(&mut self, command: Vec<String>, stop_signal: i32) -> Result<()> {
        // A file system may bring what replaces a file to the disk at once: milliseconds.
        if (&self.record.command, self.record.stop_signal) == (&command, stop_signal) {
            return Ok(());
        }
        (self.record.command, self.record.stop_signal) = (command, stop_signal);
        self.write()
    }

    /// Writes down how a detached run ended.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn end(&mut self, status: u8) -> Result<()> {
        self.record.ended = Some(Ended { status });
        self.write()
    }

    /// Replaced as a whole, since others read it at any time.
    fn write(&self) -> Result<()> {
        let fresh = self.folder.join("record.new");
        std::fs::write(&fresh, serde_json::to_vec(&self.record)?)?;
        Ok(std::fs::rename(fresh, self.folder.join("record.json"))?)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if !self.record.detached {
            // What stays is removed by the next who looks.
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}
