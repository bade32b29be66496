//! Programs that the tests build, natively, with whatever Debian has.

use crate::run::{finish, text};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A way to build a program of `programs/`.
#[derive(Clone, Copy, Debug)]
pub enum Toolchain {
    /// C.
    C(C),
    /// Go without C: static.
    GoStatic,
    /// Go with C: linked with the C library dynamically.
    GoDynamic,
    /// Rust with its standard library.
    Rust,
}

/// How to build a C program.
#[derive(Clone, Copy, Debug)]
pub enum C {
    /// GNU libc, dynamic.
    Glibc,
    /// musl, static.
    MuslStatic,
}

/// Builds `programs/NAME` and returns the executable. Tests may build the same one at a time: it is
/// made in a folder of its own and then moved into its place.
pub fn build(toolchain: Toolchain, name: &str) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs").join(name);
    let folder = env::current_exe().expect("own path").with_file_name("e2e-programs");
    fs::create_dir_all(&folder).expect("a folder for programs");
    let output = folder.join(format!("{}-{toolchain:?}", name.replace('.', "-")).replace(['(', ')'], "-"));
    let scratch = tempfile::tempdir_in(&folder).expect("a folder of its own");
    let fresh = scratch.path().join("program");
    let (source, target) = (text(&source), text(&fresh));
    let mut command = match toolchain {
        Toolchain::C(C::Glibc) => compiler("gcc", &["-O2", "-pthread", "-o", target, source]),
        Toolchain::C(C::MuslStatic) => compiler("musl-gcc", &["-O2", "-static", "-pthread", "-o", target, source]),
        Toolchain::GoStatic => go(target, source, "0", &folder),
        Toolchain::GoDynamic => go(target, source, "1", &folder),
        Toolchain::Rust => compiler("rustc", &["-O", "--edition=2024", "-o", target, source]),
    };
    finish(&mut command, b"").succeeded();
    fs::rename(fresh, &output).expect("a place in the same folder");
    output
}

fn compiler(name: &str, args: &[&str]) -> Command {
    let mut command = Command::new(name);
    command.args(args);
    command
}

/// Go without network: a single file of the standard library only.
fn go(target: &str, source: &str, cgo: &str, cache: &Path) -> Command {
    let mut command = compiler("go", &["build", "-o", target, source]);
    command.env("CGO_ENABLED", cgo).env("GOFLAGS", "-mod=mod").env("GOPROXY", "off").env("GO111MODULE", "off");
    command.env("GOCACHE", cache.join("go-cache")).env("GOTOOLCHAIN", "local");
    command
}
