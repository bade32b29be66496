//! A small tree to work in.
#![allow(dead_code)]

use rkt_linux_abi::general::{O_CREAT, O_RDONLY, O_RDWR};
use rkt_linux_abi::{Errno, Result};
use rkt_user::{IoSink, IoSource};
use rkt_vfs::tmpfs::TmpFs;
use rkt_vfs::{Credentials, FsContext, Metadata, Mount, OpenFile, OpenHow, Path, Resolve, open, ops};
use std::sync::Arc;

/// A tmpfs of 64 MiB as root and working directory of the superuser.
pub fn root() -> FsContext {
    let fs = TmpFs::new(64 << 20, 100_000, 0o755).unwrap();
    let root = Mount::new_root(fs, "none", 0).root();
    FsContext { cwd: root.clone(), root, umask: 0o022, credentials: Arc::new(Credentials::root()) }
}

/// The same tree seen by an ordinary user.
pub fn user(context: &FsContext, uid: u32) -> FsContext {
    let credentials = Credentials { uid, gid: uid, ..Credentials::default() };
    FsContext { credentials: Arc::new(credentials), ..context.clone() }
}

pub fn open_flags(context: &FsContext, path: &str, flags: u32) -> Result<Arc<OpenFile>> {
    open(context, None, path.as_bytes(), &OpenHow { flags, mode: 0o666, resolve: 0 })
}

pub fn create(context: &FsContext, path: &str) -> Arc<OpenFile> {
    open_flags(context, path, O_CREAT | O_RDWR).unwrap()
}

pub fn write_file(context: &FsContext, path: &str, text: &str) {
    let file = create(context, path);
    assert_eq!(write(&file, text.as_bytes()), Ok(text.len()));
}

pub fn read_file(context: &FsContext, path: &str) -> Result<String> {
    let file = open_flags(context, path, O_RDONLY)?;
    let mut bytes = vec![0; 1 << 16];
    let n = read(&file, &mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes[..n]).into_owned())
}

pub fn read(file: &OpenFile, into: &mut [u8]) -> Result<usize> {
    file.read(&mut IoSink::kernel(into))
}

pub fn write(file: &OpenFile, from: &[u8]) -> Result<usize> {
    file.write(&mut IoSource::kernel(from))
}

pub fn mkdir(context: &FsContext, path: &str) {
    ops::mkdir(context, None, path.as_bytes(), 0o777).unwrap();
}

pub fn symlink(context: &FsContext, target: &str, path: &str) {
    ops::symlink(context, target.as_bytes(), None, path.as_bytes()).unwrap();
}

pub fn resolve(context: &FsContext, path: &str) -> Result<Path> {
    context.resolve(None, path.as_bytes(), Resolve::FOLLOW)
}

pub fn lstat(context: &FsContext, path: &str) -> Result<Metadata> {
    Ok(context.resolve(None, path.as_bytes(), Resolve::NO_FOLLOW)?.inode().metadata())
}

pub fn shown(context: &FsContext, path: &Path) -> String {
    String::from_utf8(path.to_bytes(&context.root)).unwrap()
}

pub fn names(context: &FsContext, path: &str) -> Vec<String> {
    let file = open_flags(context, path, O_RDONLY).unwrap();
    let mut names = Vec::new();
    file.read_dir(&mut |entry| {
        names.push(String::from_utf8(entry.name.to_vec()).unwrap());
        true
    })
    .unwrap();
    names
}

/// Runs as the only thread of a kernel.
pub fn run(test: impl FnOnce() + Send + 'static) {
    rkt_platform_mock::simulate(1, test);
}

/// The error of a result, for tables.
pub fn errno<T>(result: Result<T>) -> Option<Errno> {
    result.err()
}
