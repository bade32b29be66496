//! Building the programs, each once for its content.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::{fs, io};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::program::{Libc, Program, files_below};

/// All warnings, but for those that object to what the programs do on purpose: wrong pointers, wrong sizes, endless recursion, results unused.
const FLAGS: [&str; 12] = [
    "-std=gnu11",
    "-O1",
    "-Wall",
    "-Werror",
    "-Wno-nonnull",
    "-Wno-unused-result",
    "-Wno-stringop-overflow",
    "-Wno-stringop-overread",
    "-Wno-array-bounds",
    "-Wno-infinite-recursion",
    "-pthread",
    "-fno-strict-aliasing",
];

/// Builds programs into a cache directory.
#[derive(Debug)]
pub struct Compiler {
    cache: PathBuf,
    include: PathBuf,
    headers: Vec<u8>,
}

impl Compiler {
    /// A compiler that keeps its results in `cache` and finds headers in `programs`.
    ///
    /// # Errors
    /// The cache cannot be made or a header cannot be read.
    pub fn new(cache: &Path, programs: &Path) -> Result<Self> {
        fs::create_dir_all(cache).with_context(|| format!("making {}", cache.display()))?;
        let mut headers = Vec::new();
        for header in files_below(programs, "h")? {
            headers.extend(fs::read(&header).with_context(|| format!("reading {}", header.display()))?);
        }
        Ok(Self { cache: cache.to_owned(), include: programs.to_owned(), headers })
    }

    /// The executable of `program` for `libc`, built unless the cache has it.
    ///
    /// # Errors
    /// The compiler is missing, or rejects the program: its messages are in the error.
    pub fn build(&self, program: &Program, libc: Libc) -> Result<PathBuf> {
        let output = self.cache.join(self.file_name(program, libc));
        if output.exists() {
            return Ok(output);
        }
        let (compiler, link): (_, &[&str]) = match libc {
            Libc::Glibc => ("gcc", &[]),
            Libc::Musl => ("musl-gcc", &["-static"]),
        };
        // Built beside its final name and renamed, so that an interrupted build leaves nothing that looks finished; under a
        // name of its own, as two runs may want the same program at once.
        static BUILDS: AtomicU64 = AtomicU64::new(0);
        let number = BUILDS.fetch_add(1, Ordering::Relaxed);
        let unfinished = output.with_extension(format!("{}-{number}.tmp", std::process::id()));
        let result = Command::new(compiler)
            .args(FLAGS)
            .args(link)
            .arg("-I")
            .arg(&self.include)
            .arg("-o")
            .args([&unfinished, &program.path])
            .output();
        let result = match result {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                bail!("{compiler} is not installed (Debian packages: gcc, libc6-dev, musl-tools)")
            }
            other => other.with_context(|| format!("running {compiler}"))?,
        };
        if !result.status.success() {
            bail!("{compiler} {}:\n{}", program.path.display(), String::from_utf8_lossy(&result.stderr));
        }
        fs::rename(&unfinished, &output)?;
        Ok(output)
    }

    fn file_name(&self, program: &Program, libc: Libc) -> String {
        let mut hash = Sha256::new();
        hash.update(FLAGS.join(" "));
        hash.update(&self.headers);
        hash.update(&program.source);
        let digest = hash.finalize();
        let short: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        format!("{}-{}-{short}", program.name.replace('/', "-"), libc.name())
    }
}
