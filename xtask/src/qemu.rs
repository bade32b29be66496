//! QEMU, whose device models judge our drivers.

use crate::packages::{Need, apt, find, install};
use crate::shell;
use anyhow::{Context, Result, bail};
use rustix::process::geteuid;
use std::fs;
use std::path::Path;

const NEEDS: &[Need] = &[("qemu-system-x86_64", "qemu-system-x86"), ("qemu-img", "qemu-utils")];
/// The release whose own QEMU is too old (7.2: no igb), and where the newer one comes from.
const OLD: &str = "bookworm";
const BACKPORTS: &str = "bookworm-backports";
const SOURCES: &str = "/etc/apt/sources.list.d/debian.sources";

/// Installs QEMU 10 if there is none, from the mirror that the machine is configured for.
///
/// # Errors
/// If this is not root on a Debian machine, or apt fails.
pub fn install_qemu() -> Result<()> {
    if NEEDS.iter().all(|(program, _)| find(program).is_some()) {
        return Ok(());
    }
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    if !release.lines().any(|line| line == format!("VERSION_CODENAME={OLD}")) {
        return install(NEEDS);
    }
    if !geteuid().is_root() {
        bail!("QEMU 10 is missing, and only root can install it: qemu-system-x86 and qemu-utils of {BACKPORTS}");
    }
    println!("Installing QEMU from {BACKPORTS}");
    // A list of sources of its own: that of the machine stays as it is.
    let folder = shell::target().join("apt");
    fs::create_dir_all(folder.join("lists/partial"))?;
    let list = folder.join("backports.sources");
    fs::write(&list, backports(&fs::read_to_string(SOURCES).context(SOURCES)?)?)?;
    let option = |name: &str, path: &Path| ["-o".into(), format!("{name}={}", path.display())];
    let options = [
        option("Dir::Etc::sourcelist", &list),
        option("Dir::Etc::sourceparts", Path::new("/dev/null")),
        option("Dir::State::lists", &folder.join("lists")),
        // The target folder need not be open to apt's own user.
        ["-o".into(), "APT::Sandbox::User=root".into()],
    ]
    .concat();
    shell::run(apt(&["update", "-q"]).args(&options))?;
    let packages = NEEDS.iter().map(|(_, package)| *package);
    let wanted = ["install", "-q", "-y", "--no-install-recommends", "-t", BACKPORTS];
    shell::run(apt(&wanted).args(&options).args(packages))
}

/// The machine's own source (deb822: the first stanza) with the suite of newer packages.
fn backports(sources: &str) -> Result<String> {
    let stanza = sources.split("\n\n").next().unwrap_or_default();
    let field = |name: &str| stanza.lines().find(|line| line.starts_with(name));
    let (uris, signed) = (field("URIs:").context("no URIs in the sources")?, field("Signed-By:").unwrap_or_default());
    Ok(format!("Types: deb\n{uris}\nSuites: {OLD} {OLD}-updates {BACKPORTS}\nComponents: main\n{signed}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_of_the_machine_is_kept() {
        let sources =
            "Types: deb\n# a comment\nURIs: http://mirror/debian\nSuites: bookworm\nSigned-By: /key\n\nTypes: deb";
        let found = backports(sources).unwrap();
        assert!(found.contains("\nURIs: http://mirror/debian\n") && found.contains("Signed-By: /key\n"), "{found}");
        assert!(backports("").is_err());
    }
}
