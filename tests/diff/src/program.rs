//! The C programs and the `// diff:` line that says how each is run.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use anyhow::{Context, Result, bail};

/// The C library a program is linked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Libc {
    /// The system's glibc, dynamic.
    Glibc,
    /// musl, static.
    Musl,
}

impl Libc {
    /// The name used in directives, file names and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Glibc => "glibc",
            Self::Musl => "musl",
        }
    }
}

/// How a program is run: the `// diff:` line, or the defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    /// Arguments after the program's name.
    pub args: Vec<String>,
    /// Bytes on standard input, which then ends.
    pub stdin: Vec<u8>,
    /// `K=V` pairs added to the environment.
    pub env: Vec<(String, String)>,
    /// The number of virtual CPUs of each enclave run.
    pub cpus: Vec<u32>,
    /// The C libraries the program is built with.
    pub libcs: Vec<Libc>,
    /// The watchdog of one run.
    pub timeout: Duration,
    /// Whether what it shows of files is true of ext4, too.
    pub disk: bool,
}

impl Default for Directive {
    fn default() -> Self {
        Self {
            args: Vec::new(),
            stdin: Vec::new(),
            env: Vec::new(),
            cpus: vec![1],
            libcs: vec![Libc::Glibc, Libc::Musl],
            timeout: Duration::from_secs(20),
            disk: true,
        }
    }
}

impl Directive {
    /// Reads the first `// diff:` line of a program's source.
    ///
    /// # Errors
    /// An unknown key, or a value that its key does not allow.
    pub fn parse(source: &str) -> Result<Self> {
        let mut directive = Self::default();
        let Some(line) = source.lines().find_map(|line| line.strip_prefix("// diff:")) else {
            return Ok(directive);
        };
        for setting in line.split(';').map(str::trim).filter(|setting| !setting.is_empty()) {
            let (key, value) = setting.split_once('=').with_context(|| format!("`{setting}` is not key=value"))?;
            directive.set(key, value)?;
        }
        Ok(directive)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<()> {
        let words = || value.split_whitespace();
        match key {
            "args" => self.args = words().map(str::to_owned).collect(),
            "stdin" => self.stdin = value.replace("\\n", "\n").into_bytes(),
            "env" => {
                for word in words() {
                    let (name, value) = word.split_once('=').with_context(|| format!("`{word}` is not K=V"))?;
                    self.env.push((name.to_owned(), value.to_owned()));
                }
            }
            "cpus" => match value.parse()? {
                1 => self.cpus = vec![1],
                more => self.cpus = vec![1, more],
            },
            "libc" => {
                self.libcs = match value {
                    "glibc" => vec![Libc::Glibc],
                    "musl" => vec![Libc::Musl],
                    "both" => vec![Libc::Glibc, Libc::Musl],
                    _ => bail!("libc is glibc, musl or both, not `{value}`"),
                }
            }
            "disk" => match value {
                "no" => self.disk = false,
                _ => bail!("disk is no, not `{value}`"),
            },
            "timeout" => self.timeout = Duration::from_secs(value.parse()?),
            _ => bail!("unknown key `{key}`"),
        }
        Ok(())
    }
}

/// One C program.
#[derive(Clone, Debug)]
pub struct Program {
    /// The path below `programs/`, without `.c`.
    pub name: String,
    /// The source file.
    pub path: PathBuf,
    /// The source text.
    pub source: String,
    /// How to run it.
    pub directive: Directive,
}

impl Program {
    /// Whether it is run on ext4, too: it uses files, and says nothing that only tmpfs does.
    pub fn uses_disk(&self) -> bool {
        self.directive.disk && ["t_scratch();", "f_scratch();"].iter().any(|start| self.source.contains(start))
    }
}

/// Finds every program below `root`, sorted by name.
///
/// # Errors
/// The directory or a file cannot be read, or a directive is wrong.
pub fn discover(root: &Path) -> Result<Vec<Program>> {
    files_below(root, "c")?.into_iter().map(|path| load(root, path)).collect()
}

/// The files below `root` whose names end so, sorted.
///
/// # Errors
/// A directory cannot be read.
pub fn files_below(root: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut dirs = vec![root.to_owned()];
    while let Some(dir) = dirs.pop() {
        let entries = fs::read_dir(&dir)
            .and_then(Iterator::collect::<io::Result<Vec<_>>>)
            .with_context(|| format!("reading {}", dir.display()))?;
        for path in entries.into_iter().map(|entry| entry.path()) {
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

fn load(root: &Path, path: PathBuf) -> Result<Program> {
    let source = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let directive = Directive::parse(&source).with_context(|| format!("in {}", path.display()))?;
    let name = path.strip_prefix(root)?.with_extension("").to_string_lossy().into_owned();
    Ok(Program { name, path, source, directive })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directive_sets_what_it_names() {
        let parsed =
            Directive::parse("int x;\n// diff: args=a b; stdin=one\\ntwo; cpus=2; libc=musl; timeout=3; disk=no\n")
                .unwrap();
        assert_eq!(parsed.args, ["a", "b"]);
        assert_eq!(parsed.stdin, b"one\ntwo");
        assert_eq!(parsed.cpus, [1, 2]);
        assert_eq!(parsed.libcs, [Libc::Musl]);
        assert_eq!(parsed.timeout, Duration::from_secs(3));
        assert!(!parsed.disk);
    }

    /// Also those in folders that are made later.
    #[test]
    fn every_program_is_found() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs");
        let found = discover(&root).unwrap();
        let is_in = |folder: &str| found.iter().any(|program| program.path.starts_with(root.join(folder)));
        for entry in fs::read_dir(&root).unwrap().map(|entry| entry.unwrap()) {
            let name = entry.file_name().into_string().unwrap();
            assert!(name == "t.h" || is_in(&name), "{name}");
        }
    }

    #[test]
    fn a_misspelt_directive_is_an_error() {
        for line in
            ["// diff: arg=a", "// diff: libc=uclibc", "// diff: cpus", "// diff: env=novalue", "// diff: disk=yes"]
        {
            assert!(Directive::parse(line).is_err(), "{line}");
        }
        assert_eq!(Directive::parse("no directive").unwrap(), Directive::default());
    }
}
