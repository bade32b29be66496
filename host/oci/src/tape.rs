//! The members of a tar archive: ustar, its pax extensions and GNU's long names (POSIX.1-2017, pax,
//! "ustar Interchange Format"; GNU tar, "Basic Tar Format").

use crate::pax::Records;
use anyhow::{Context, Result, bail, ensure};
use std::io::Read;
use tar::{Entries, EntryType};

/// Longest extended header or long name accepted, bytes.
const EXTENSION_MAX: u64 = 1 << 20;
/// Longest path accepted, bytes (`PATH_MAX` of Linux, without the NUL).
const PATH_MAX: usize = 4095;
/// Longest component of a path accepted, bytes.
const NAME_MAX: usize = 255;

/// A member before its contents.
pub(crate) struct Member {
    /// As [`clean`] leaves it.
    pub path: Vec<u8>,
    /// Target of a link, as it stands there.
    pub link: Vec<u8>,
    pub kind: EntryType,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub mtime: u32,
    pub device: (u32, u32),
    pub records: Records,
    pub size: u64,
    /// Where the contents begin in the archive.
    pub position: u64,
}

/// Calls `each` with every member and its contents.
///
/// The archive is read raw: the crate would gather extensions of any length in memory.
pub(crate) fn walk<R: Read>(
    entries: Entries<'_, R>,
    mut each: impl FnMut(Member, &mut dyn Read) -> Result<()>,
) -> Result<()> {
    let mut global = Records::default();
    let mut local = global.clone();
    let (mut long_path, mut long_link) = (None, None);
    for entry in entries.raw(true) {
        let mut entry = entry.context("the archive is damaged")?;
        match entry.header().entry_type() {
            EntryType::XGlobalHeader => {
                global.read(&extension(&mut entry)?)?;
                local = global.clone();
            }
            EntryType::XHeader => local.read(&extension(&mut entry)?)?,
            EntryType::GNULongName => long_path = Some(text(extension(&mut entry)?)),
            EntryType::GNULongLink => long_link = Some(text(extension(&mut entry)?)),
            _ => {
                let records = std::mem::replace(&mut local, global.clone());
                let (position, names) = (entry.raw_file_position(), (long_path.take(), long_link.take()));
                let member = member(entry.header(), records, names, position)?;
                each(member, &mut entry)?;
            }
        }
    }
    Ok(())
}

fn member(
    header: &tar::Header,
    records: Records,
    (long_path, long_link): (Option<Vec<u8>>, Option<Vec<u8>>),
    position: u64,
) -> Result<Member> {
    let or_header = |key, long: Option<Vec<u8>>, short: &dyn Fn() -> Vec<u8>| {
        records.get(key).map(<[u8]>::to_vec).or(long).unwrap_or_else(short)
    };
    let raw_path = or_header("path", long_path, &|| header.path_bytes().into_owned());
    let link = or_header("linkpath", long_link, &|| header.link_name_bytes().unwrap_or_default().into_owned());
    describe(header, &raw_path, link, records, position).with_context(|| raw_path.escape_ascii().to_string())
}

fn describe(header: &tar::Header, raw_path: &[u8], link: Vec<u8>, records: Records, position: u64) -> Result<Member> {
    let (size, old) = (header.entry_size()?, header.as_old());
    if let Some(other) = records.number("size")? {
        // Archives that readers understand in two ways are how filters are passed.
        ensure!(other == size, "the two sizes of the member differ: files of 8 GiB are not supported");
    }
    let id = |key, field: &[u8], header: std::io::Result<u64>| -> Result<u32> {
        let number = records.number(key)?.map_or_else(|| or_blank(field, header), Ok)?;
        u32::try_from(number).with_context(|| format!("{key} {number} is too large"))
    };
    let mut kind = header.entry_type();
    if kind == EntryType::Regular && raw_path.ends_with(b"/") {
        // As archives from before ustar write directories.
        kind = EntryType::Directory;
    }
    let mtime = records.number("mtime")?.map_or_else(|| or_blank(&old.mtime, header.mtime()), Ok)?;
    let number = |field: std::io::Result<Option<u32>>| field.ok().flatten().unwrap_or(0);
    Ok(Member {
        path: clean(raw_path)?,
        link,
        kind,
        mode: or_blank(&old.mode, header.mode())? & 0o7777,
        uid: id("uid", &old.uid, header.uid())?,
        gid: id("gid", &old.gid, header.gid())?,
        mtime: u32::try_from(mtime).unwrap_or(u32::MAX),
        device: (number(header.device_major()), number(header.device_minor())),
        records,
        size,
        position,
    })
}

/// A number of the header; a field that was never filled in is 0.
fn or_blank<N: Default>(field: &[u8], read: std::io::Result<N>) -> std::io::Result<N> {
    if field.iter().all(|byte| matches!(byte, 0 | b' ')) { Ok(N::default()) } else { read }
}

/// All of an extension, within bounds.
fn extension(entry: &mut tar::Entry<'_, impl Read>) -> Result<Vec<u8>> {
    let size = entry.header().entry_size()?;
    ensure!(size <= EXTENSION_MAX, "an extended header has {size} bytes, more than {EXTENSION_MAX}");
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes)?;
    ensure!(bytes.len() as u64 == size, "an extended header is cut off");
    Ok(bytes)
}

/// A long name without the NUL that ends it.
fn text(mut bytes: Vec<u8>) -> Vec<u8> {
    while bytes.last() == Some(&0) {
        bytes.pop();
    }
    bytes
}

/// The one form of a path: relative to the root, without empty and `.` components. A leading slash
/// means the root of the image; `..` has no business in an archive.
pub(crate) fn clean(path: &[u8]) -> Result<Vec<u8>> {
    let mut cleaned = Vec::with_capacity(path.len());
    for component in path.split(|byte| *byte == b'/') {
        match component {
            b"" | b"." => continue,
            b".." => bail!("{}: the path leads out through `..`", path.escape_ascii()),
            _ if component.len() > NAME_MAX || component.contains(&0) => {
                bail!("{}: no possible name of a file", path.escape_ascii())
            }
            _ => {}
        }
        if !cleaned.is_empty() {
            cleaned.push(b'/');
        }
        cleaned.extend_from_slice(component);
    }
    ensure!(cleaned.len() <= PATH_MAX, "{}: the path is too long", path.escape_ascii());
    Ok(cleaned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_one_form_inside_the_root() {
        for (path, cleaned) in [("./a//b/.", "a/b"), ("/etc/passwd", "etc/passwd"), ("./", ""), ("a/...", "a/...")] {
            assert_eq!(clean(path.as_bytes()).unwrap(), cleaned.as_bytes());
        }
        for path in ["..", "a/../../b", "/..", "a/..", "a\0b", &"n".repeat(256), &"d/".repeat(2100)] {
            assert!(clean(path.as_bytes()).is_err(), "{path}");
        }
    }
}
