//! What Debian's package manager knows: which package a file belongs to, what else
//! belongs to it, and what it depends on. Read from dpkg's own files (dpkg(1), "FILES").

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

const STATUS: &str = "/var/lib/dpkg/status";
const INFO: &str = "/var/lib/dpkg/info";

/// Packages that are parts of another one rather than something of their own.
const PART_SUFFIXES: &[&str] = &["-minimal", "-stdlib", "-common", "-data"];
/// Suffixes of a package that is a smaller cut of the one without it.
const CUT_SUFFIXES: &[&str] = &["-minimal", "-base"];
/// Directories at the root that are links into `/usr` where it has been merged.
const MERGED: &[&str] = &["bin", "sbin", "lib", "lib32", "lib64", "libx32"];

#[derive(Debug, Default, PartialEq, Eq)]
struct Package {
    architecture: String,
    source: String,
    /// On every system, as `coreutils`.
    essential: bool,
    /// Alternatives of each dependency.
    depends: Vec<Vec<String>>,
}

/// The installed packages; none where there is no dpkg.
#[derive(Debug, Default)]
pub(crate) struct Packages(BTreeMap<String, Package>);

impl Packages {
    pub(crate) fn read() -> Self {
        Self::parse(&fs::read_to_string(STATUS).unwrap_or_default())
    }

    fn parse(status: &str) -> Self {
        let mut packages = BTreeMap::new();
        for paragraph in status.split("\n\n") {
            let fields: HashMap<&str, &str> = paragraph
                .lines()
                .filter(|line| !line.starts_with(' '))
                .filter_map(|line| line.split_once(": "))
                .collect();
            let field = |name| fields.get(name).copied().unwrap_or_default();
            let architecture = field("Architecture");
            if !field("Status").ends_with(" installed") || !matches!(architecture, "amd64" | "all") {
                continue;
            }
            let name = field("Package");
            // "Source: name (version)", and no field where the names are the same.
            let source = field("Source").split(' ').next().filter(|source| !source.is_empty()).unwrap_or(name);
            let depends = ["Pre-Depends", "Depends"].iter().flat_map(|kind| parse_depends(field(kind))).collect();
            let essential = field("Essential") == "yes";
            let package = Package { architecture: architecture.into(), source: source.into(), essential, depends };
            packages.insert(name.to_owned(), package);
        }
        Self(packages)
    }

    /// The package to which each of these paths belongs, if it belongs to any.
    pub(crate) fn owners<'p>(&self, paths: &'p BTreeSet<PathBuf>) -> BTreeMap<PathBuf, String> {
        let aliases = |path: &'p PathBuf| aliases(path).into_iter().map(move |alias| (OsString::from(alias), path));
        let wanted: HashMap<OsString, &'p PathBuf> = paths.iter().flat_map(aliases).collect();
        // Nearly every line of the lists, a hundred thousand of them, ends here already.
        let lengths: BTreeSet<usize> = wanted.keys().map(|path| path.len()).collect();
        let mut owners = BTreeMap::new();
        for name in self.0.keys() {
            let list = self.list(name);
            let candidates = list.lines().filter(|line| lengths.contains(&line.len()));
            for path in candidates.filter_map(|line| wanted.get(OsStr::new(line))) {
                owners.insert((*path).clone(), name.clone());
            }
        }
        owners
    }

    /// The packages that make a program of these packages work, beyond libraries: for a
    /// smaller cut the whole (perl for perl-base), and then, again and again, what they
    /// depend on, where it is of the same source or by its name a part of something.
    pub(crate) fn closure<'a>(&'a self, roots: &[&'a str]) -> BTreeSet<String> {
        let source = |name: &str| self.0.get(name).map(|package| package.source.as_str());
        let whole = |name: &'a str| {
            let whole = CUT_SUFFIXES.iter().find_map(|suffix| name.strip_suffix(suffix))?;
            (source(whole).is_some() && source(whole) == source(name)).then_some(whole)
        };
        let mut queue: Vec<&str> = roots.iter().copied().chain(roots.iter().copied().filter_map(whole)).collect();
        let mut closure = BTreeSet::new();
        while let Some(name) = queue.pop() {
            let Some(package) = self.0.get(name) else { continue };
            if !closure.insert(name.to_owned()) {
                continue;
            }
            for alternatives in &package.depends {
                let Some(installed) = alternatives.iter().find(|name| self.0.contains_key(*name)) else { continue };
                let part = PART_SUFFIXES.iter().any(|suffix| installed.ends_with(suffix));
                if part || source(installed) == Some(&package.source) {
                    queue.push(installed);
                }
            }
        }
        closure
    }

    /// Whether every system has this package. Its programs have nothing to do with each other.
    pub(crate) fn is_essential(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|package| package.essential)
    }

    /// The paths of a package, directories included.
    pub(crate) fn files(&self, name: &str) -> Vec<PathBuf> {
        self.list(name).lines().map(PathBuf::from).collect()
    }

    fn list(&self, name: &str) -> String {
        let Some(package) = self.0.get(name) else { return String::new() };
        fs::read_to_string(format!("{INFO}/{name}.list"))
            .or_else(|_| fs::read_to_string(format!("{INFO}/{name}:{}.list", package.architecture)))
            .unwrap_or_default()
    }
}

/// "a (>= 1) | b:any, c": the names of the alternatives of each dependency.
fn parse_depends(field: &str) -> Vec<Vec<String>> {
    let name = |text: &str| text.trim().split([' ', '(', ':', '[']).next().unwrap_or_default().to_owned();
    field.split(',').filter(|text| !text.is_empty()).map(|text| text.split('|').map(name).collect()).collect()
}

/// A path as it is, and as a package may have it that was made before `/usr` was merged.
fn aliases(path: &Path) -> Vec<PathBuf> {
    let mut aliases = vec![path.to_owned()];
    if let Ok(below) = path.strip_prefix("/usr")
        && MERGED.iter().any(|directory| below.starts_with(directory))
    {
        aliases.push(Path::new("/").join(below));
    }
    aliases
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "\
Package: tool-base
Status: install ok installed
Architecture: amd64
Source: tool (1.2)
Pre-Depends: libc6 (>= 2.36)

Package: tool
Status: install ok installed
Architecture: amd64
Depends: tool-base (= 1.2), tool-modules:any | other, media-common, libx1, gone-common
Description: many
 lines: of text

Package: tool-modules
Status: install ok installed
Architecture: all
Source: tool

Package: tool-doc
Status: install ok installed
Architecture: all
Source: tool

Package: media-common
Status: install ok installed
Architecture: all

Package: libx1
Status: install ok installed
Architecture: amd64

Package: gone-common
Status: deinstall ok config-files
Architecture: all

Package: libc6
Status: install ok installed
Architecture: amd64
";

    #[test]
    fn the_closure_keeps_to_a_program_and_its_parts() {
        let packages = Packages::parse(STATUS);
        let closure = packages.closure(&["tool-base"]);
        let expected = ["media-common", "tool", "tool-base", "tool-modules"];
        assert!(closure.iter().eq(expected), "{closure:?}");
        assert!(packages.closure(&["libx1"]).iter().eq(["libx1"]));
    }

    #[test]
    fn merged_directories_have_two_names() {
        let names = |path| aliases(Path::new(path));
        assert_eq!(names("/usr/bin/sh"), [Path::new("/usr/bin/sh"), Path::new("/bin/sh")]);
        assert_eq!(names("/usr/share/x"), [Path::new("/usr/share/x")]);
        assert_eq!(names("/bin/sh"), [Path::new("/bin/sh")]);
    }
}
