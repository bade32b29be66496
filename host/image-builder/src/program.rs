//! The image of a program of the host: its files, its libraries, its interpreter.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{Read, Seek, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rkt_elf::{SCRIPT_LEN, Script};
use rustix::fs::{Access, access};

use crate::dpkg::Packages;
use crate::folder::add_folder;
use crate::import::{children, import, node_of};
use crate::libraries::Libraries;
use crate::tree::{Content, Kind, Node, Tree};
use crate::write::{Built, Options};
use crate::{prefix, skeleton};

/// Most scripts that interpret scripts, as in Linux (execve(2)).
const SCRIPTS_MAX: usize = 4;
/// What system(3) and popen(3) of libc run.
const SHELL: &str = "/bin/sh";
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What a program does not need to run: documentation, translations, files for building
/// software and for the host's own services.
const LEFT_OUT: &[&str] = &[
    "/etc/apparmor.d",
    "/etc/cron.d",
    "/etc/cron.daily",
    "/etc/cron.weekly",
    "/etc/init.d",
    "/etc/logrotate.d",
    "/lib/systemd",
    "/lib/udev",
    "/usr/include",
    "/usr/lib/systemd",
    "/usr/lib/udev",
    "/usr/share/applications",
    "/usr/share/apport",
    "/usr/share/bash-completion",
    "/usr/share/bug",
    "/usr/share/doc",
    "/usr/share/doc-base",
    "/usr/share/icons",
    "/usr/share/info",
    "/usr/share/lintian",
    "/usr/share/locale",
    "/usr/share/man",
    "/usr/share/menu",
    "/usr/share/pixmaps",
    "/usr/src",
];

/// What is to go into the image of a program.
#[derive(Clone, Debug)]
pub struct ProgramImage {
    program: PathBuf,
    others: Vec<PathBuf>,
    search_path: OsString,
    workdir: PathBuf,
    directories: Vec<PathBuf>,
    copies: Vec<(PathBuf, PathBuf)>,
}

/// A tree that is ready to be written, and how to start the program in it.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The tree.
    pub tree: Tree,
    /// The program, an absolute path within the tree. It is not always the one asked for: a
    /// shim of pyenv is replaced by the program that it starts.
    pub program: PathBuf,
    /// Sentences about what is not in the image, such as the library of an optional module.
    pub warnings: Vec<String>,
}

impl ProgramImage {
    /// The image of a program, given by its path or, without a slash, by its name on `PATH`.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            others: Vec::new(),
            search_path: std::env::var_os("PATH").unwrap_or_else(|| DEFAULT_PATH.into()),
            workdir: PathBuf::from("/"),
            directories: Vec::new(),
            copies: Vec::new(),
        }
    }

    /// Adds one more program, named like the first.
    pub fn also(mut self, program: impl Into<PathBuf>) -> Self {
        self.others.push(program.into());
        self
    }

    /// Looks for programs in these directories, separated by colons, instead of `PATH`'s.
    pub fn search_path(mut self, path: impl Into<OsString>) -> Self {
        self.search_path = path.into();
        self
    }

    /// Makes a directory for the program to start in, as [`Self::directory`] does.
    pub fn workdir(mut self, path: impl Into<PathBuf>) -> Self {
        self.workdir = path.into();
        self
    }

    /// Makes an empty directory at an absolute path, unless there is one.
    pub fn directory(mut self, path: impl Into<PathBuf>) -> Self {
        self.directories.push(path.into());
        self
    }

    /// Copies a file of the host, or a directory with all it holds, to the absolute path `guest`.
    pub fn copy(mut self, host: impl Into<PathBuf>, guest: impl Into<PathBuf>) -> Self {
        self.copies.push((host.into(), guest.into()));
        self
    }

    /// Collects the files. Fails if there is no such program, if it is not for this
    /// machine, or if its interpreter or one of its libraries is missing.
    pub fn plan(&self) -> Result<Plan> {
        let mut collector = Collector {
            search_path: &self.search_path,
            tree: Tree::new(),
            libraries: Libraries::new(),
            programs: BTreeSet::new(),
            warnings: Vec::new(),
        };
        let found = self.find(&self.program)?;
        collector.add_program(&found, SCRIPTS_MAX)?;
        for other in &self.others {
            collector.add_program(&self.find(other)?, SCRIPTS_MAX)?;
        }
        if Path::new(SHELL).exists() {
            collector.add_program(Path::new(SHELL), SCRIPTS_MAX)?;
        }
        collector.add_packages()?;
        skeleton::add(&mut collector.tree)?;
        for (host, guest) in &self.copies {
            collector.tree.copy_in(host, guest)?;
        }
        collector.add_modules()?;
        let Collector { mut tree, warnings, .. } = collector;
        for directory in self.directories.iter().chain([&self.workdir]) {
            tree.make_directory(directory)?;
        }
        Ok(Plan { tree, program: found, warnings })
    }

    /// Collects the files and writes the image.
    pub fn build(&self, out: &mut (impl Write + Seek), options: &Options) -> Result<Built> {
        self.plan()?.tree.write(out, options)
    }

    /// The absolute path of a program.
    fn find(&self, program: &Path) -> Result<PathBuf> {
        let found = find_program(program, &self.search_path)?;
        Ok(prefix::behind_shim(&found).unwrap_or(found))
    }
}

/// Looks for a program as a shell does.
fn find_program(program: &Path, search_path: &OsString) -> Result<PathBuf> {
    let name = program.as_os_str();
    if name.as_bytes().contains(&b'/') {
        if !program.exists() {
            bail!("{}: no such file", program.display());
        }
        return std::path::absolute(program).with_context(|| program.display().to_string());
    }
    let runs = |path: &PathBuf| fs::metadata(path).is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0);
    let found = std::env::split_paths(search_path).map(|directory| directory.join(name)).find(runs);
    let found = found.with_context(|| format!("{}: no such program on PATH", program.display()))?;
    std::path::absolute(&found).with_context(|| found.display().to_string())
}

/// The tree on its way.
struct Collector<'p> {
    search_path: &'p OsString,
    tree: Tree,
    libraries: Libraries,
    /// Every path by which a program goes, links included.
    programs: BTreeSet<PathBuf>,
    warnings: Vec<String>,
}

impl Collector<'_> {
    /// Adds a program with its interpreter, which for a script is a program itself.
    fn add_program(&mut self, path: &Path, scripts: usize) -> Result<()> {
        let real = import(&mut self.tree, path)?.with_context(|| format!("{}: no such file", path.display()))?;
        if !fs::metadata(&real).is_ok_and(|it| it.is_file()) {
            bail!("{} is not a file", path.display());
        }
        let mut name = path.to_owned();
        while self.programs.insert(name.clone()) {
            let Ok(target) = fs::read_link(&name) else { break };
            name = name.parent().unwrap_or(Path::new("/")).join(target);
        }
        self.programs.insert(real.clone());

        let mut head = Vec::new();
        let file = File::open(&real).with_context(|| format!("cannot read {}", real.display()))?;
        file.take(SCRIPT_LEN as u64).read_to_end(&mut head)?;
        let script = Script::parse(&head).with_context(|| path.display().to_string())?;
        let Some(script) = script else {
            return self.libraries.add_program(&mut self.tree, &real);
        };
        if scripts == 0 {
            bail!("{}: too many scripts that interpret scripts", path.display());
        }
        self.add_interpreters(&script, scripts - 1).with_context(|| format!("{} is a script", path.display()))
    }

    fn add_interpreters(&mut self, script: &Script<'_>, scripts: usize) -> Result<()> {
        let interpreter = Path::new(OsStr::from_bytes(script.interpreter));
        if !interpreter.is_absolute() {
            bail!("its interpreter {} is not an absolute path", interpreter.display());
        }
        self.add_program(interpreter, scripts)?;
        if !interpreter.ends_with("env") {
            return Ok(());
        }
        // env(1): options and assignments, then the program.
        let words = script.argument.unwrap_or_default().split(|&byte| byte == b' ' || byte == b'\t');
        let is_program = |word: &&[u8]| !word.is_empty() && !word.starts_with(b"-") && !word.contains(&b'=');
        let Some(word) = words.into_iter().find(is_program) else { return Ok(()) };
        let found = find_program(Path::new(OsStr::from_bytes(word)), self.search_path)?;
        self.add_program(&prefix::behind_shim(&found).unwrap_or(found), scripts)
    }

    /// Adds the files of the packages that the programs belong to. For a program of no
    /// package, adds what lies beside it.
    fn add_packages(&mut self) -> Result<()> {
        let packages = Packages::read();
        let owners = packages.owners(&self.programs);
        for program in self.programs.iter().filter(|path| !owners.contains_key(*path)) {
            prefix::add_private_files(&mut self.tree, program)?;
        }
        let mut python = BTreeSet::new();
        let owners: Vec<&str> = owners.values().map(String::as_str).collect();
        for package in packages.closure(&owners) {
            let collection = packages.is_essential(&package);
            for path in packages.files(&package) {
                // Of a collection of tools only the one that was asked for, which is there already.
                if !(collection && path.parent().is_some_and(|it| it.ends_with("bin") || it.ends_with("sbin"))) {
                    self.add_package_file(&path)?;
                }
                if path.extension().is_some_and(|extension| extension == "py") {
                    python.extend(path.parent().map(Path::to_owned));
                }
            }
        }
        python.iter().try_for_each(|directory| self.add_compiled(directory))
    }

    fn add_package_file(&mut self, path: &Path) -> Result<()> {
        let to_build = path.extension().is_some_and(|extension| extension == "a" || extension == "h");
        if to_build || LEFT_OUT.iter().any(|directory| path.starts_with(directory)) {
            return Ok(());
        }
        match access(path, Access::READ_OK) {
            Ok(()) => drop(import(&mut self.tree, path)?),
            Err(rustix::io::Errno::ACCESS) => self.warnings.push(format!("{} is not readable", path.display())),
            // Removed by the administrator, or diverted by another package.
            Err(_) => {}
        }
        Ok(())
    }

    /// Adds the compiled forms of the Python modules in a directory: made when a package
    /// was installed, they belong to none.
    fn add_compiled(&mut self, directory: &Path) -> Result<()> {
        let compiled = directory.join("__pycache__");
        if !compiled.is_dir() {
            return Ok(());
        }
        for path in children(&compiled)? {
            // NAME.cpython-311.pyc
            let name = path.file_name().map(|name| name.as_bytes()).unwrap_or_default();
            let stem = name.split(|&byte| byte == b'.').next().unwrap_or_default();
            let source = directory.join(OsStr::from_bytes(&[stem, b".py"].concat()));
            if self.tree.get(&source).is_some() {
                import(&mut self.tree, &path)?;
            }
        }
        Ok(())
    }

    /// Adds the libraries of everything in the tree that may be loaded later. A program
    /// may do without its modules, so what they miss is but a warning.
    fn add_modules(&mut self) -> Result<()> {
        let may_be_object = |path: &[u8], node: &Node| match &node.kind {
            Kind::File(Content::Host { path: host, .. })
                if node.mode & 0o111 != 0 || path.windows(3).any(|part| part == b".so") =>
            {
                Some(host.clone())
            }
            _ => None,
        };
        let objects: Vec<PathBuf> = self.tree.nodes().filter_map(|(path, node)| may_be_object(path, node)).collect();
        for object in objects {
            let missing = self.libraries.add_object(&mut self.tree, &object)?;
            self.warnings.extend(missing);
        }
        Ok(())
    }
}

impl Tree {
    /// Copies a file of the host, or a directory with all it holds, to the absolute path `guest`; links
    /// in `host` itself are followed.
    ///
    /// # Errors
    /// If it cannot be looked at, or `guest` is taken by something of another kind.
    pub fn copy_in(&mut self, host: &Path, guest: &Path) -> Result<()> {
        self.copy(host, guest)
            .with_context(|| format!("cannot copy {} to {} of the image", host.display(), guest.display()))
    }

    fn copy(&mut self, host: &Path, guest: &Path) -> Result<()> {
        let metadata = fs::metadata(host)?;
        if metadata.is_dir() {
            return add_folder(self, host, guest);
        }
        let node = node_of(host, &metadata)?.context("a socket cannot be copied")?;
        self.insert(guest, node)
    }
}
