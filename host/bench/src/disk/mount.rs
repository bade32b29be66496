//! A file with an ext4, mounted natively where nobody else sees it: in a mount namespace that goes with us,
//! on a loop device that goes with the mount. Where there are no loop devices, a folder has to do.

use crate::namespace::{Kind, Namespace, mortal};
use crate::place::require;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// `$1` is the file, `$2` the folder to mount it at, `$3` whether the loop device does direct input and output.
/// The device is detached at once: the kernel keeps it as long as it is mounted.
const SCRIPT: &str = "\
device=$(losetup --find --show --direct-io=$3 \"$1\") || exit
mount -t ext4 \"$device\" \"$2\"
status=$?
losetup --detach \"$device\"
exit $status";

/// What a native program finds where the enclave has its disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Native {
    /// The file, mounted; the loop device does direct input and output.
    Direct,
    /// The file, mounted.
    Buffered,
    /// A folder of the file system that the file is on.
    Folder,
}

impl Native {
    /// The first that works here.
    pub fn find(file: &Path, point: &Path) -> Self {
        let works = |native: &Self| native.mount(file, point).and_then(Mounted::unmount).is_ok();
        [Self::Direct, Self::Buffered].into_iter().find(works).unwrap_or(Self::Folder)
    }

    /// In words.
    pub fn shown(self) -> &'static str {
        match self {
            Self::Direct => "Linux's ext4, not encrypted, over a loop device with direct I/O on a file",
            Self::Buffered => "Linux's ext4, not encrypted, over a loop device on a file",
            Self::Folder => "no loop device can be mounted on this machine: a folder, not encrypted,",
        }
    }

    /// Mounts `file` at `point`, a folder.
    ///
    /// # Errors
    /// Without the right to, or loop devices.
    pub fn mount(self, file: &Path, point: &Path) -> Result<Mounted> {
        let direct = match self {
            Self::Direct => "on",
            Self::Buffered => "off",
            Self::Folder => return Ok(Mounted(None)),
        };
        let namespace = Namespace::new(Kind::Mount).context("cannot make a mount namespace (are you root?)")?;
        let (shell, _, _) = (require("sh", "dash")?, require("losetup", "mount")?, require("mount", "mount")?);
        namespace.run(&shell, &["-c", SCRIPT, "mount", text(file)?, text(point)?, direct])?;
        Ok(Mounted(Some((namespace, point.into()))))
    }
}

/// A mounted file, or `None`: a folder.
pub struct Mounted(Option<(Namespace, PathBuf)>);

impl Mounted {
    /// The command, where the file is mounted.
    ///
    /// # Errors
    /// If a tool is missing.
    pub fn wrap(&self, command: &Command) -> Result<Command> {
        match &self.0 {
            Some((namespace, _)) => namespace.wrap(command),
            None => mortal(command),
        }
    }

    /// Unmounts: everything is in the file then.
    ///
    /// # Errors
    /// If that fails.
    pub fn unmount(self) -> Result<()> {
        match self.0 {
            Some((namespace, point)) => namespace.run(&require("umount", "mount")?, &[text(&point)?]),
            None => Ok(()),
        }
    }
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a path that is not UTF-8")
}
