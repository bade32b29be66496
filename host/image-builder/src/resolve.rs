//! Paths through the symbolic links of a tree.

use anyhow::{Result, bail};

/// Most symbolic links followed in a path, as in Linux (path_resolution(7)).
pub(crate) const LINKS_MAX: usize = 40;

/// What is at a path, as far as path resolution minds.
pub(crate) enum Step<'t> {
    Directory,
    /// A symbolic link with this target.
    Link(&'t [u8]),
    Other,
}

/// The path free of links and of `.` and `..`, without a leading slash: where `path` leads in the
/// tree in which `look` finds what is at such a path. The root is its own parent, so nothing leads
/// out. What does not exist is taken as it is named.
pub(crate) fn resolve<'t>(
    path: &'t [u8],
    follow_last: bool,
    look: impl Fn(&[u8]) -> Option<Step<'t>>,
) -> Result<Vec<u8>> {
    let mut links = 0;
    let mut at: Vec<u8> = Vec::new();
    // The components still to go, the next one last.
    let mut rest: Vec<&[u8]> = path.rsplit(|byte| *byte == b'/').collect();
    while let Some(component) = rest.pop() {
        match component {
            b"" | b"." => continue,
            b".." => at.truncate(at.iter().rposition(|byte| *byte == b'/').unwrap_or(0)),
            name => {
                let parent = at.len();
                if !at.is_empty() {
                    at.push(b'/');
                }
                at.extend_from_slice(name);
                match look(&at) {
                    Some(Step::Link(target)) if follow_last || has_more(&rest) => {
                        links += 1;
                        if links > LINKS_MAX {
                            bail!("/{}: too many symbolic links", path.escape_ascii());
                        }
                        at.truncate(if target.starts_with(b"/") { 0 } else { parent });
                        rest.extend(target.rsplit(|byte| *byte == b'/'));
                    }
                    Some(Step::Directory) | None => {}
                    Some(_) if !has_more(&rest) => {}
                    Some(_) => bail!("/{} is not a directory", at.escape_ascii()),
                }
            }
        }
    }
    Ok(at)
}

fn has_more(rest: &[&[u8]]) -> bool {
    rest.iter().any(|component| !matches!(*component, b"" | b"."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(path: &str, follow_last: bool) -> Result<String> {
        let look = |at: &[u8]| match at {
            b"usr" | b"usr/bin" | b"tmp" => Some(Step::Directory),
            b"bin" => Some(Step::Link(b"usr/bin")),
            b"usr/bin/up" => Some(Step::Link(b"../../../../tmp")),
            b"usr/bin/abs" => Some(Step::Link(b"/bin/new")),
            b"loop" => Some(Step::Link(b"loop")),
            b"file" => Some(Step::Other),
            _ => None,
        };
        resolve(path.as_bytes(), follow_last, look).map(|path| String::from_utf8(path).unwrap())
    }

    #[test]
    fn links_are_followed_inside_the_tree() {
        for (path, to) in [
            ("/bin/sh", "usr/bin/sh"),
            ("bin/../x", "usr/x"),
            ("/bin/up/x", "tmp/x"),
            ("/bin/abs", "usr/bin/new"),
            ("/../../file", "file"),
            ("/", ""),
        ] {
            assert_eq!(resolved(path, true).unwrap(), to, "{path}");
        }
        assert_eq!(resolved("/bin/up", false).unwrap(), "usr/bin/up");
        assert_eq!(resolved("/bin", false).unwrap(), "bin");
        assert!(resolved("/loop/x", false).is_err() && resolved("/file/x", true).is_err());
        assert_eq!(resolved("/loop", false).unwrap(), "loop");
    }
}
