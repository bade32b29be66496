//! What the tests of disk formats share: files as storage, reproducible noise, tools of others.
#![forbid(unsafe_code)]

pub mod guest;

use anyhow::{Context, Result, ensure};
use rkt_aes_xts::{Kernel, Sectors};
use rkt_luks::{Storage, StorageError, Xts};
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// A file as storage.
pub struct FileStorage(File);

impl FileStorage {
    /// Makes a sparse file of `len` bytes.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn create(path: &Path, len: u64) -> Result<Self> {
        let file = File::create(path)?;
        file.set_len(len)?;
        drop(file);
        Self::open(path)
    }

    /// Opens a file.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn open(path: &Path) -> Result<Self> {
        Ok(Self(File::options().read(true).write(true).open(path)?))
    }
}

impl Storage for FileStorage {
    fn read(&mut self, offset: u64, into: &mut [u8]) -> Result<(), StorageError> {
        self.0.read_exact_at(into, offset).map_err(|_| StorageError)
    }

    fn write(&mut self, offset: u64, from: &[u8]) -> Result<(), StorageError> {
        self.0.write_all_at(from, offset).map_err(|_| StorageError)
    }

    fn flush(&mut self) -> Result<(), StorageError> {
        self.0.sync_data().map_err(|_| StorageError)
    }
}

/// AES-XTS for key material.
pub struct FastXts;

const KEY_MATERIAL: Sectors = Sectors { first: 0, len: 512 };

impl Xts for FastXts {
    fn encrypt(&self, key: &[u8], data: &mut [u8]) -> bool {
        rkt_aes_xts::Xts::new(key, Kernel::detect()).and_then(|xts| xts.encrypt(KEY_MATERIAL, data)).is_ok()
    }

    fn decrypt(&self, key: &[u8], data: &mut [u8]) -> bool {
        rkt_aes_xts::Xts::new(key, Kernel::detect()).and_then(|xts| xts.decrypt(KEY_MATERIAL, data)).is_ok()
    }
}

/// A source of reproducible noise.
pub fn noise(seed: u64) -> impl FnMut(&mut [u8]) {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move |into| {
        for byte in into {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            *byte = (state >> 32) as u8;
        }
    }
}

/// Noise of a length.
pub fn bytes(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    noise(seed)(&mut bytes);
    bytes
}

/// Whether all these tools are there; says so if not.
pub fn installed(names: &[&str]) -> bool {
    let missing: Vec<_> = names.iter().filter(|name| run(name, &["--version"], b"").is_err()).collect();
    if !missing.is_empty() {
        eprintln!("skipped: not installed: {missing:?}");
    }
    missing.is_empty()
}

/// Runs a tool that must succeed, with `input` on its standard input, and gives what it prints.
///
/// # Errors
/// It is not installed, or fails.
pub fn tool(name: &str, args: &[&str], input: &[u8]) -> Result<String> {
    let output = run(name, args, input)?;
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{name} {args:?}: {}\n{out}{err}", output.status);
    Ok(out.into_owned())
}

/// Whether a tool refuses.
///
/// # Errors
/// It is not installed.
pub fn refuses(name: &str, args: &[&str], input: &[u8]) -> Result<bool> {
    Ok(!run(name, args, input)?.status.success())
}

fn run(name: &str, args: &[&str], input: &[u8]) -> Result<std::process::Output> {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new(name);
    command.args(args).env("PATH", path).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("starting {name}, which these tests need"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A tool may end before it has read all.
        let _ = stdin.write_all(input);
    }
    Ok(child.wait_with_output()?)
}
