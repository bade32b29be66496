//! Named volumes: LUKS2 containers in the user's data folder, each with its key beside it. The enclave makes
//! the container and the file system in it, at the first use.

use crate::values::{Disk, Protection, Volume};
use anyhow::{Context, Result};
use rkt_manifest::Changes;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;

/// Bytes of a new volume. Its file is sparse: it takes what is written to it.
const SIZE: u64 = 16 << 30;
/// Bytes of a key.
const KEY_LEN: usize = 32;

/// Where volumes lie (XDG Base Directory Specification).
fn folder() -> Result<PathBuf> {
    let data = std::env::var_os("XDG_DATA_HOME").filter(|path| !path.is_empty()).map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/share"));
    let data = data.or_else(home).context("there is no place for volumes: neither XDG_DATA_HOME nor HOME is set")?;
    Ok(data.join("rkt-io/volumes"))
}

/// A volume as a disk.
///
/// # Errors
/// If there is no place for volumes.
pub fn disk(volume: &Volume) -> Result<Disk> {
    let folder = folder()?;
    let key = folder.join(format!("{}.key", volume.name));
    Ok(Disk {
        file: folder.join(format!("{}.luks", volume.name)),
        mount: Some(volume.mount.clone()),
        changes: Changes::Kept,
        protection: Protection::LuksOrNew(key),
    })
}

/// Makes the files of a volume that is used for the first time. Gives what the user should know then.
///
/// # Errors
/// If they cannot be made.
pub fn make(volume: &Volume) -> Result<Option<String>> {
    let folder = folder()?;
    let context = |path: &PathBuf| format!("cannot make the volume {}: {}", volume.name, path.display());
    DirBuilder::new().recursive(true).mode(0o700).create(&folder).with_context(|| context(&folder))?;
    let key = folder.join(format!("{}.key", volume.name));
    let file = folder.join(format!("{}.luks", volume.name));
    let fresh = |path: &PathBuf| OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match fresh(&key) {
        Ok(mut to) => {
            let mut bytes = [0; KEY_LEN];
            File::open("/dev/urandom").and_then(|mut from| from.read_exact(&mut bytes)).context("/dev/urandom")?;
            to.write_all(&bytes).and_then(|()| to.sync_all()).with_context(|| context(&key))?;
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error).with_context(|| context(&key)),
    }
    match fresh(&file) {
        Ok(made) => {
            made.set_len(SIZE).with_context(|| context(&file))?;
            let (name, file, key) = (&volume.name, file.display(), key.display());
            Ok(Some(format!("new volume {name}: {file}; its key is {key}, and who has both reads it")))
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(None),
        Err(error) => Err(error).with_context(|| context(&file)),
    }
}
