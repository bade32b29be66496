//! A container image's layer, under headers whose checksums hold, becomes a tree that nothing leads
//! out of, or an error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rkt_cpio::check_name;
use rkt_image_builder::{Kind, Limits, Tree};
use rkt_oci::{Spool, read_tar};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

const LIMITS: Limits = Limits { unpacked: 1 << 20, entries: 256, names: 1 << 16 };

fuzz_target!(|data: &[u8]| {
    // Layers lie one over the other, so that links and whiteouts meet what is there.
    let (lower, upper) = data.split_at(data.len() / 2);
    let mut spool = Spool::new(&LIMITS).expect("a temporary file");
    let mut tree = Tree::new();
    for half in [lower, upper] {
        let Ok(layer) = read_tar(&archive(half)[..], &mut spool) else { return };
        assert!(layer.iter().all(|entry| entry.path.is_empty() || check_name(&entry.path).is_ok()));
        if tree.apply(layer).is_err() {
            return;
        }
    }
    for (path, _) in tree.nodes().skip(1) {
        check_name(path).expect("a path inside of the root");
        let parent = Path::new("/").join(OsStr::from_bytes(path));
        let parent = parent.parent().and_then(|parent| tree.get(parent));
        assert!(parent.is_some_and(|parent| matches!(parent.kind, Kind::Directory)), "{}", path.escape_ascii());
    }
});

/// Members as the bytes say: kind, lengths of path, link and contents, then those.
fn archive(mut data: &[u8]) -> Vec<u8> {
    let mut archive = Vec::new();
    while let Some((&[kind, path, link, size], rest)) = data.split_first_chunk() {
        let mut take = rest;
        let mut next = |length: usize| {
            let (taken, rest) = take.split_at(length.min(take.len()));
            take = rest;
            taken
        };
        let (path, link, contents) = (next(path as usize % 100), next(link as usize % 100), next(size.into()));
        let mut header = tar::Header::new_ustar();
        let bytes = header.as_mut_bytes();
        bytes[..path.len()].copy_from_slice(path);
        bytes[156] = kind;
        bytes[157..157 + link.len()].copy_from_slice(link);
        header.set_size(contents.len() as u64);
        header.set_cksum();
        archive.extend(header.as_bytes());
        archive.extend(contents);
        archive.resize(archive.len().next_multiple_of(512), 0);
        data = take;
    }
    archive
}
