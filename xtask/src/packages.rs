//! Debian packages that the tests and the demonstration need.

use crate::shell;
use anyhow::{Result, bail};
use rustix::process::geteuid;
use std::env;
use std::process::Command;

/// A program that must be found, and the package that has it.
pub type Need = (&'static str, &'static str);

/// What every suite together needs.
pub const TESTS: &[Need] = &[
    ("gcc", "gcc"),
    ("g++", "g++"),
    ("ld", "binutils"),
    ("musl-gcc", "musl-tools"),
    ("redis-server", "redis-server"),
    ("redis-cli", "redis-tools"),
    ("busybox", "busybox-static"),
    ("strace", "strace"),
    ("gdb", "gdb"),
    ("passt", "passt"),
    ("ip", "iproute2"),
    ("sqlite3", "sqlite3"),
    ("perl", "perl"),
    ("python3", "python3"),
    ("go", "golang-go"),
    ("zstd", "zstd"),
    ("mke2fs", "e2fsprogs"),
    ("cryptsetup", "cryptsetup-bin"),
    ("veritysetup", "cryptsetup-bin"),
    ("sgdisk", "gdisk"),
    ("sfdisk", "fdisk"),
    ("qemu-img", "qemu-utils"),
    ("qemu-storage-daemon", "qemu-utils"),
    ("fio", "fio"),
    ("rsync", "rsync"),
    ("mariadbd", "mariadb-server-core"),
    ("mariadb", "mariadb-client-core"),
    ("curl", "curl"),
    ("wget", "wget"),
    ("node", "nodejs"),
    ("nc", "netcat-openbsd"),
    ("dig", "bind9-dnsutils"),
    ("dnsmasq", "dnsmasq-base"),
    ("openssl", "openssl"),
    ("ssh", "openssh-client"),
    ("sshd", "openssh-server"),
    ("ping", "iputils-ping"),
    ("tcpdump", "tcpdump"),
    ("tshark", "tshark"),
    ("nginx", "nginx-light"),
    ("memcached", "memcached"),
    ("dpdk-testpmd", "dpdk-dev"),
    ("pg_lsclusters", "postgresql"),
    ("stress-ng", "stress-ng"),
    ("vim", "vim"),
    ("tmux", "tmux"),
    ("xz", "xz-utils"),
    ("make", "make"),
    ("git", "git"),
];

/// Installs what is missing, and says so first.
///
/// # Errors
/// If something is missing and this is not root on a Debian machine, or apt fails.
pub fn install(needs: &[Need]) -> Result<()> {
    let missing: Vec<&str> =
        needs.iter().filter(|(program, _)| find(program).is_none()).map(|(_, package)| *package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    if !geteuid().is_root() || find("apt-get").is_none() {
        bail!("these Debian packages are missing, and only root can install them: {list}");
    }
    println!("Installing with apt-get: {list}");
    shell::run(&mut apt(&["update", "-q"]))?;
    shell::run(apt(&["install", "-q", "-y", "--no-install-recommends"]).args(missing))
}

/// Where `program` is on the search path.
pub fn find(program: &str) -> Option<std::path::PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// An apt-get command that asks nothing.
pub fn apt(args: &[&str]) -> Command {
    let mut command = Command::new("apt-get");
    command.args(args).env("DEBIAN_FRONTEND", "noninteractive");
    command
}
