//! The shared libraries that a program loads, found as ld.so(8) finds them.

use std::collections::{HashMap, HashSet, VecDeque};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use rkt_elf::{Dynamic, HEADER_LEN, Header, Program};

use crate::import::import;
use crate::tree::Tree;

/// Where glibc of Debian and others looks last. On one of them most do not exist.
const GLIBC_DIRECTORIES: &[&str] =
    &["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib"];
/// Where musl looks without a path file.
const MUSL_DIRECTORIES: &[&str] = &["/lib", "/usr/local/lib", "/usr/lib"];
const MUSL_LOADER: &str = "/lib/ld-musl-x86_64.so.1";
/// What glibc opens by name on pthread_cancel(3) and pthread_exit(3).
const UNWINDER: &str = "libgcc_s.so.1";

/// Adds objects and the libraries that they need to a tree.
pub(crate) struct Libraries {
    cache: HashMap<Vec<u8>, PathBuf>,
    /// Objects whose libraries have been added, by path without links.
    done: HashSet<PathBuf>,
}

/// An object on the way to be loaded.
struct Object {
    real: PathBuf,
    /// Stands for `$ORIGIN`.
    directory: PathBuf,
    /// `DT_RPATH` of what loaded it, and of what loaded that.
    inherited: Vec<PathBuf>,
    musl: bool,
}

impl Libraries {
    pub(crate) fn new() -> Self {
        let cache = fs::read("/etc/ld.so.cache").map(|bytes| parse_cache(&bytes)).unwrap_or_default();
        Self { cache, done: HashSet::new() }
    }

    /// Adds the interpreter of a program, and all libraries; one that is missing is an error.
    pub(crate) fn add_program(&mut self, tree: &mut Tree, real: &Path) -> Result<()> {
        let file = read(real)?;
        let interpreter = interpreter(&file).with_context(|| real.display().to_string())?;
        if let Some(interpreter) = &interpreter
            && import(tree, interpreter)?.is_none()
        {
            bail!("{} needs the interpreter {}, which does not exist", real.display(), interpreter.display());
        }
        let musl = interpreter.is_some_and(|path| path == Path::new(MUSL_LOADER));
        match self.add(tree, real, musl)?.into_iter().next() {
            Some(missing) => Err(anyhow!(missing)),
            None => Ok(()),
        }
    }

    /// Adds the libraries of an object, if it is one, and theirs. Returns a sentence for
    /// each library that is missing.
    pub(crate) fn add_object(&mut self, tree: &mut Tree, real: &Path) -> Result<Vec<String>> {
        if is_object(real) { self.add(tree, real, false) } else { Ok(Vec::new()) }
    }

    fn add(&mut self, tree: &mut Tree, real: &Path, musl: bool) -> Result<Vec<String>> {
        let mut missing = Vec::new();
        let mut queue = VecDeque::from([Object {
            real: real.to_owned(),
            directory: real.parent().unwrap_or(Path::new("/")).to_owned(),
            inherited: Vec::new(),
            musl,
        }]);
        while let Some(object) = queue.pop_front() {
            if !self.done.insert(object.real.clone()) {
                continue;
            }
            let file = read(&object.real)?;
            let dynamic = Dynamic::parse(&file).with_context(|| object.real.display().to_string())?;
            let rpath = own_rpath(&dynamic, &object);
            for name in &dynamic.needed {
                let found = self.find(name, &dynamic, &rpath, &object);
                // glibc opens its unwinder by name, so nothing says that it is needed.
                let hidden = (*name == b"libc.so.6").then(|| self.cache.get(UNWINDER.as_bytes()).cloned()).flatten();
                if found.is_none() {
                    let name = String::from_utf8_lossy(name);
                    missing.push(format!("{} needs the library {name}, which is not found", object.real.display()));
                }
                for path in found.into_iter().chain(hidden) {
                    let real = import(tree, &path)?.with_context(|| format!("{} is gone", path.display()))?;
                    let directory = path.parent().unwrap_or(Path::new("/")).to_owned();
                    queue.push_back(Object { real, directory, inherited: rpath.clone(), musl });
                }
            }
        }
        Ok(missing)
    }

    /// The order of ld.so(8): `DT_RPATH`, `DT_RUNPATH`, the cache, the default directories.
    fn find(&self, name: &[u8], dynamic: &Dynamic<'_>, rpath: &[PathBuf], object: &Object) -> Option<PathBuf> {
        let name_path = Path::new(OsStr::from_bytes(name));
        if name.contains(&b'/') {
            return Some(name_path.to_owned()).filter(|path| path.is_absolute() && is_object(path));
        }
        if object.musl && name.starts_with(b"libc.") {
            return Some(PathBuf::from(MUSL_LOADER));
        }
        let runpath = dynamic.runpath.map(|list| directories(list, &object.directory)).unwrap_or_default();
        let first = rpath.iter().chain(&runpath).map(|directory| directory.join(name_path));
        let cached = self.cache.get(name).filter(|_| !object.musl && !dynamic.no_default_directories).cloned();
        let defaults = match (object.musl, dynamic.no_default_directories) {
            (true, _) => MUSL_DIRECTORIES,
            (false, true) => &[],
            (false, false) => GLIBC_DIRECTORIES,
        };
        let last = defaults.iter().map(|directory| Path::new(directory).join(name_path));
        first.chain(cached).chain(last).find(|path| is_object(path))
    }
}

/// `DT_RPATH` counts only without a `DT_RUNPATH`, and for what the object loads as well.
fn own_rpath(dynamic: &Dynamic<'_>, object: &Object) -> Vec<PathBuf> {
    let mut rpath = Vec::new();
    if let (Some(list), None) = (dynamic.rpath, dynamic.runpath) {
        rpath = directories(list, &object.directory);
    }
    if dynamic.runpath.is_none() {
        rpath.extend_from_slice(&object.inherited);
    }
    rpath
}

/// The absolute directories of a list separated by colons, `$ORIGIN` and `$LIB` replaced.
fn directories(list: &[u8], origin: &Path) -> Vec<PathBuf> {
    let list = String::from_utf8_lossy(list);
    let expand = |item: &str| {
        let mut item = item.to_owned();
        for (token, value) in [("ORIGIN", origin.to_string_lossy()), ("LIB", "lib/x86_64-linux-gnu".into())] {
            item = item.replace(&format!("${{{token}}}"), &value).replace(&format!("${token}"), &value);
        }
        PathBuf::from(item)
    };
    list.split(':').map(expand).filter(|path| path.is_absolute()).collect()
}

/// Whether a file is an ELF object that an x86-64 program can load.
pub(crate) fn is_object(path: &Path) -> bool {
    let mut head = [0; HEADER_LEN];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut head));
    read.is_ok() && Header::parse(&head).is_ok()
}

fn interpreter(file: &[u8]) -> Result<Option<PathBuf>> {
    let header = Header::parse(file)?;
    let headers = header.program_headers().of(file).context("file ends within the program headers")?;
    let Some(range) = Program::parse(&header, headers)?.interpreter else { return Ok(None) };
    let path = Program::interpreter_path(range.of(file).context("file ends within the interpreter's path")?)?;
    Ok(Some(PathBuf::from(OsStr::from_bytes(path))))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Reads a cache as ldconfig(8) writes it: a header of 48 bytes, entries of 24 bytes (flags,
/// offsets of name and path, OS version, hardware capabilities), strings. Libraries for
/// particular processors are passed over. Empty if the format is another one.
fn parse_cache(bytes: &[u8]) -> HashMap<Vec<u8>, PathBuf> {
    const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
    const HEADER: usize = 48;
    /// `FLAG_X8664_LIB64 | FLAG_ELF_LIBC6`
    const FLAGS: u32 = 0x0303;
    let word = |bytes: &[u8], at: usize| bytes.get(at..)?.first_chunk().map(|word| u32::from_le_bytes(*word));
    let string = |at: u32| bytes.get(at as usize..)?.split(|&byte| byte == 0).next();

    let mut libraries = HashMap::new();
    let Some(count) = word(bytes, MAGIC.len()).filter(|_| bytes.starts_with(MAGIC)) else { return libraries };
    for entry in bytes.get(HEADER..).unwrap_or_default().chunks_exact(24).take(count as usize) {
        let any_processor = entry[16..] == [0; 8];
        if word(entry, 0) == Some(FLAGS)
            && any_processor
            && let Some(name) = word(entry, 4).and_then(string)
            && let Some(path) = word(entry, 8).and_then(string)
        {
            libraries.entry(name.to_vec()).or_insert_with(|| PathBuf::from(OsStr::from_bytes(path)));
        }
    }
    libraries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_expanded() {
        let origin = Path::new("/opt/app/bin");
        let list = b"$ORIGIN/../lib:${ORIGIN}:/usr/$LIB:relative::";
        let expected = ["/opt/app/bin/../lib", "/opt/app/bin", "/usr/lib/x86_64-linux-gnu"];
        assert_eq!(directories(list, origin), expected.map(PathBuf::from));
    }

    fn cache(entries: &[(u32, &str, &str, u64)]) -> Vec<u8> {
        let mut bytes = b"glibc-ld.so.cache1.1".to_vec();
        bytes.extend((entries.len() as u32).to_le_bytes());
        bytes.resize(48, 0);
        let mut strings = Vec::new();
        let base = 48 + 24 * entries.len();
        for (flags, name, path, processor) in entries {
            let name_at = base + strings.len();
            strings.extend(name.bytes().chain([0]));
            let path_at = base + strings.len();
            strings.extend(path.bytes().chain([0]));
            for word in [*flags, name_at as u32, path_at as u32, 0] {
                bytes.extend(word.to_le_bytes());
            }
            bytes.extend(processor.to_le_bytes());
        }
        bytes.extend(strings);
        bytes
    }

    #[test]
    fn the_cache_is_read() {
        let bytes = cache(&[
            (0x0303, "libz.so.1", "/fast/libz.so.1", 1 << 62),
            (0x0003, "libz.so.1", "/i386/libz.so.1", 0),
            (0x0303, "libz.so.1", "/lib/libz.so.1", 0),
            (0x0303, "libz.so.1", "/later/libz.so.1", 0),
        ]);
        let libraries = parse_cache(&bytes);
        assert_eq!(libraries[&b"libz.so.1"[..]], Path::new("/lib/libz.so.1"));
        for length in 0..bytes.len() {
            parse_cache(&bytes[..length]);
        }
        assert!(parse_cache(b"ld.so-1.7.0").is_empty());
    }
}
