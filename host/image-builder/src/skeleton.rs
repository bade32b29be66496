//! What every program expects of a file system beyond its own files.

use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::import::import;
use crate::tree::{Content, Kind, Node, Tree};

/// Links into `/usr`, or directories of their own.
const TOP: &[&str] = &["/bin", "/sbin", "/lib", "/lib64"];
/// Empty directories and their modes; file systems are mounted on some.
const DIRECTORIES: &[(&str, u32)] = &[
    ("/dev", 0o755),
    ("/etc", 0o755),
    ("/home", 0o755),
    ("/proc", 0o555),
    ("/root", 0o700),
    ("/run", 0o755),
    ("/sys", 0o555),
    ("/tmp", 0o1777),
    ("/var/tmp", 0o1777),
];
/// Files of the host that say nothing about it. The dynamic linker's cache names more
/// libraries than the image holds; the linker passes over them.
const COPIED: &[&str] = &["/etc/ld.so.cache", "/etc/protocols", "/etc/services"];
/// The locale that needs no choice.
const LOCALE: &str = "/usr/lib/locale/C.utf8";

const NSSWITCH: &str =
    "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\nprotocols: files\n";
const HOSTS: &str = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";
const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n";
const GROUP: &str = "root:x:0:\nnogroup:x:65534:\n";

/// Adds directories, links and the files of `/etc`. Users and groups are those that the
/// host's system has for its services, so that owners and `setuid` by name work.
pub(crate) fn add(tree: &mut Tree) -> Result<()> {
    for path in TOP.iter().chain(COPIED) {
        import(tree, Path::new(path))?;
    }
    for &(path, mode) in DIRECTORIES {
        if tree.get(Path::new(path)).is_none() {
            tree.insert(Path::new(path), Node::directory(mode))?;
        }
    }
    if Path::new(LOCALE).is_dir() {
        crate::import::import_all(tree, Path::new(LOCALE), &|_| false)?;
    }
    for (path, text) in [
        ("/etc/nsswitch.conf", NSSWITCH.to_owned()),
        ("/etc/hosts", HOSTS.to_owned()),
        ("/etc/resolv.conf", String::new()),
        ("/etc/passwd", system_accounts("/etc/passwd").unwrap_or_else(|| PASSWD.to_owned())),
        ("/etc/group", system_accounts("/etc/group").unwrap_or_else(|| GROUP.to_owned())),
    ] {
        tree.insert(Path::new(path), Node::new(0o644, Kind::File(Content::Bytes(text.into_bytes()))))?;
    }
    Ok(())
}

/// The lines of passwd(5) or group(5) whose third field is not the id of a person.
/// Members of groups are left out.
fn system_accounts(file: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    Some(filter_accounts(&text)).filter(|text| text.starts_with("root:"))
}

fn filter_accounts(text: &str) -> String {
    let mut kept = String::new();
    for line in text.lines() {
        let mut fields: Vec<&str> = line.split(':').collect();
        let id = fields.get(2).and_then(|id| id.parse::<u32>().ok());
        if !id.is_some_and(|id| id < 1000 || id == 65534) {
            continue;
        }
        // A password or its hash, in files older than shadow(5).
        fields[1] = "x";
        if let [_, _, _, members] = &mut fields[..] {
            *members = "";
        }
        kept.push_str(&fields.join(":"));
        kept.push('\n');
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_and_passwords_are_left_out() {
        let passwd = "root:$6$hash:0:0:root:/root:/bin/bash\nann:x:1000:1000:Ann:/home/ann:/bin/sh\nbroken\n\
                      nobody:x:65534:65534::/:/bin/false\n";
        let kept = "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534::/:/bin/false\n";
        assert_eq!(filter_accounts(passwd), kept);
        assert_eq!(filter_accounts("sudo:x:27:ann,bob\nusers:x:1000:\n"), "sudo:x:27:\n");
    }
}
