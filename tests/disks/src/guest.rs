//! A Linux kernel as judge: a small guest in QEMU, without KVM, with disks and programs of this machine.

use anyhow::{Context, Result, ensure};
use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Names the folder into which a `linux-image-…-amd64` package was unpacked (`dpkg -x`).
const KERNEL: &str = "RKT_GUEST_KERNEL";
/// Printed by the guest when its script has succeeded.
const DONE: &str = "GUEST-DONE";
/// Seconds that a guest may take on a machine that has other things to do.
const PATIENCE: &str = "400";

/// What a guest is to be.
pub struct Guest<'a> {
    /// Kernel modules, which are loaded with those that they need.
    pub modules: &'a [&'a str],
    /// Programs, which come with their libraries.
    pub programs: &'a [&'a str],
    /// Images: `/dev/vda`, `/dev/vdb`, …
    pub disks: &'a [&'a Path],
    /// What it does, for busybox's shell; it ends at the first command that fails.
    pub script: &'a str,
}

impl Guest<'_> {
    /// Where the kernel is. Says so if there is none.
    pub fn kernel() -> Option<PathBuf> {
        let kernel = env::var_os(KERNEL).map(PathBuf::from);
        if kernel.is_none() {
            eprintln!("skipped: {KERNEL} names no unpacked linux-image package");
        }
        kernel
    }

    /// Runs the guest to its end and gives what it printed.
    ///
    /// # Errors
    /// Something is missing, or the script fails.
    pub fn run(&self, kernel: &Path) -> Result<String> {
        let folder = tempfile::tempdir()?;
        let root = folder.path().join("root");
        let order = self.fill(kernel, &root)?;
        let init = root.join("init");
        fs::write(&init, self.init(&order))?;
        fs::set_permissions(&init, fs::Permissions::from_mode(0o755))?;
        let initrd = folder.path().join("initrd");
        let pack = format!("cd {} && find . | busybox cpio -o -H newc > {}", root.display(), initrd.display());
        ensure!(
            Command::new("sh").args(["-c", &pack]).stderr(Stdio::null()).status()?.success(),
            "busybox cpio failed"
        );

        let mut command = Command::new("timeout");
        command.args([PATIENCE, "qemu-system-x86_64", "-machine", "q35", "-accel", "tcg", "-cpu", "max", "-m", "512"]);
        command.args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio"]);
        command
            .args(["-append", "console=ttyS0 quiet panic=-1", "-kernel"])
            .arg(file(&kernel.join("boot"), "vmlinuz-")?);
        command.arg("-initrd").arg(initrd).stdin(Stdio::null());
        for (number, disk) in self.disks.iter().enumerate() {
            command.arg("-drive").arg(format!("file={},if=none,id=d{number},format=raw", disk.display()));
            command.arg("-device").arg(format!("virtio-blk-pci,drive=d{number}"));
        }
        let output = command.output().context("starting qemu-system-x86_64")?;
        let said = String::from_utf8_lossy(&output.stdout).replace('\r', "");
        ensure!(said.contains(DONE), "the guest failed:\n{said}\n{}", String::from_utf8_lossy(&output.stderr));
        Ok(said)
    }

    fn init(&self, modules: &[String]) -> String {
        let load: String = modules.iter().map(|name| format!("insmod /modules/{name}\n")).collect();
        format!(
            "#!/bin/busybox sh\n/bin/busybox --install -s /bin\nexport PATH=/bin DM_DISABLE_UDEV=1\n\
             mount -t proc p /proc\nmount -t sysfs s /sys\nmount -t devtmpfs d /dev\nmount -t tmpfs t /run\n{load}\
             (set -e\n{}\necho {DONE})\npoweroff -f\n",
            self.script
        )
    }

    /// Fills the root of the guest and gives the order in which modules are to be loaded.
    fn fill(&self, kernel: &Path, root: &Path) -> Result<Vec<String>> {
        for folder in ["bin", "modules", "proc", "sys", "dev", "run", "tmp"] {
            fs::create_dir_all(root.join(folder))?;
        }
        for program in [&["busybox"], self.programs].concat() {
            let found = crate::run("sh", &["-c", &format!("command -v {program}")], b"")?.stdout;
            let path = String::from_utf8(found)?.trim().to_owned();
            ensure!(!path.is_empty(), "{program} is not installed");
            fs::copy(&path, root.join("bin").join(program))?;
            let needs = String::from_utf8(crate::run("ldd", &[&path], b"")?.stdout)?;
            for library in needs.split_whitespace().filter(|word| word.starts_with('/')) {
                let to = root.join(library.trim_start_matches('/'));
                fs::create_dir_all(to.parent().context("a library at the root")?)?;
                fs::copy(library, to)?;
            }
        }
        let all = walk(&kernel.join("lib/modules"))?;
        let (mut order, mut seen) = (Vec::new(), BTreeSet::new());
        for module in self.modules {
            load_order(&all, module, root, &mut seen, &mut order)?;
        }
        Ok(order)
    }
}

/// Files below a folder.
fn walk(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            files.extend(walk(&entry.path())?);
        } else {
            files.push(entry.path());
        }
    }
    Ok(files)
}

/// The file in a folder whose name starts like this.
fn file(folder: &Path, start: &str) -> Result<PathBuf> {
    let name = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(start));
    walk(folder)?.into_iter().find(name).with_context(|| format!("no {start}… in {}", folder.display()))
}

/// Copies a module after those that its `depends` names. What is not a module is built into the kernel.
fn load_order(
    all: &[PathBuf],
    module: &str,
    root: &Path,
    seen: &mut BTreeSet<String>,
    order: &mut Vec<String>,
) -> Result<()> {
    let name = module.replace('-', "_");
    if !seen.insert(name.clone()) {
        return Ok(());
    }
    let is_it = |path: &&PathBuf| path.file_stem().is_some_and(|stem| stem.to_string_lossy().replace('-', "_") == name);
    let Some(path) = all.iter().find(is_it) else { return Ok(()) };
    let bytes = fs::read(path)?;
    let key = b"\0depends=";
    if let Some(at) = bytes.windows(key.len()).position(|window| window == key) {
        let value = bytes[at + key.len()..].split(|byte| *byte == 0).next().unwrap_or_default();
        for other in String::from_utf8_lossy(value).split(',').filter(|other| !other.is_empty()) {
            load_order(all, other, root, seen, order)?;
        }
    }
    let file = format!("{name}.ko");
    fs::write(root.join("modules").join(&file), bytes)?;
    order.push(file);
    Ok(())
}
