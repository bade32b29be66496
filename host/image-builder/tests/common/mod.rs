//! Images in memory, taken apart again.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Seek, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use rkt_cpio::{Reader, S_IFDIR, S_IFLNK, S_IFREG};
use rkt_image_builder::{Built, FileSource, Options, Tree};
use rkt_image_format::{ChunkCache, Image};

/// An entry with its contents or target.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(dead_code, reason = "not all tests need it")]
pub struct Unpacked {
    pub ino: u32,
    pub mode: u32,
    pub uid: u32,
    pub nlink: u32,
    pub mtime: u32,
    pub body: Vec<u8>,
}

/// Writes a tree into an unnamed file.
pub fn write(tree: &Tree, options: &Options) -> (File, Built) {
    let mut file = tempfile::tempfile().unwrap();
    let built = tree.write(&mut file, options).unwrap();
    file.rewind().unwrap();
    (file, built)
}

/// Reads all entries the way an enclave does.
#[allow(dead_code, reason = "not all tests need it")]
pub fn unpack(file: &File, built: &Built) -> BTreeMap<String, Unpacked> {
    let image = Image::open(FileSource(file), &built.digest).unwrap();
    let mut cache = ChunkCache::default();
    let mut entries = BTreeMap::new();
    for entry in Reader::new(image.tree()) {
        let entry = entry.unwrap();
        let mut body = entry.data.to_vec();
        if entry.file_type() == S_IFREG {
            let extent = image.extent(entry.data).unwrap();
            body = vec![0; extent.length as usize];
            image.read_data(&mut cache, extent.offset, &mut body).unwrap();
        }
        let unpacked =
            Unpacked { ino: entry.ino, mode: entry.mode, uid: entry.uid, nlink: entry.nlink, mtime: entry.mtime, body };
        entries.insert(String::from_utf8(entry.name.to_vec()).unwrap(), unpacked);
    }
    entries
}

/// Makes the files, directories and links of an image below a folder.
#[allow(dead_code, reason = "not all tests need it")]
pub fn restore(entries: &BTreeMap<String, Unpacked>, folder: &Path) {
    for (name, entry) in entries.iter().filter(|(name, _)| *name != ".") {
        let path = folder.join(name);
        match entry.mode & 0o170000 {
            S_IFDIR => fs::create_dir(&path).unwrap(),
            S_IFLNK => symlink(std::str::from_utf8(&entry.body).unwrap(), &path).unwrap(),
            S_IFREG => {
                File::create(&path).unwrap().write_all(&entry.body).unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(entry.mode & 0o7777)).unwrap();
            }
            other => panic!("{name}: unexpected type {other:o}"),
        }
    }
}
