//! The extended headers of pax (POSIX.1-2017, pax, "pax Extended Header").

use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;

/// Prefix of the keywords that carry extended attributes, as star introduced it.
const XATTR: &[u8] = b"SCHILY.xattr.";

/// Records by keyword. Values are bytes: those of attributes are binary.
#[derive(Clone, Debug, Default)]
pub(crate) struct Records(BTreeMap<Vec<u8>, Vec<u8>>);

impl Records {
    /// Reads records `LENGTH KEYWORD=VALUE\n`, LENGTH that of the whole record, over those at hand.
    /// An empty value takes the keyword back.
    pub(crate) fn read(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let (record, rest) = split_record(bytes).context("a pax header is malformed")?;
            let at = record.iter().position(|byte| *byte == b'=').context("a pax record has no value")?;
            let (key, value) = (&record[..at], &record[at + 1..]);
            if value.is_empty() && !key.starts_with(XATTR) {
                self.0.remove(key);
            } else {
                self.0.insert(key.to_vec(), value.to_vec());
            }
            bytes = rest;
        }
        Ok(())
    }

    pub(crate) fn get(&self, key: &str) -> Option<&[u8]> {
        self.0.get(key.as_bytes()).map(Vec::as_slice)
    }

    /// The whole seconds or other natural number of a keyword; what is negative is 0.
    pub(crate) fn number(&self, key: &str) -> Result<Option<u64>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let whole = value.split(|byte| *byte == b'.').next().unwrap_or_default();
        if whole.starts_with(b"-") {
            return Ok(Some(0));
        }
        let number = str::from_utf8(whole).ok().and_then(|text| text.parse().ok());
        number.map(Some).with_context(|| format!("{key}={} is not a number", value.escape_ascii()))
    }

    pub(crate) fn xattrs(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let name = |(key, value): (&Vec<u8>, &Vec<u8>)| Some((key.strip_prefix(XATTR)?.to_vec(), value.clone()));
        self.0.iter().filter_map(name).collect()
    }
}

/// The first record, without length and line end, and what follows it.
fn split_record(bytes: &[u8]) -> Result<(&[u8], &[u8])> {
    let space = bytes.iter().take(20).position(|byte| *byte == b' ').context("no length")?;
    let length: usize = str::from_utf8(&bytes[..space])?.parse()?;
    ensure!(length > space + 1 && length <= bytes.len() && bytes[length - 1] == b'\n', "wrong length");
    Ok((&bytes[space + 1..length - 1], &bytes[length..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_as_long_as_they_say() {
        let mut records = Records::default();
        records.read(b"14 path=a=b\nc\n30 SCHILY.xattr.user.x=\n=\x00\xff..\n13 mtime=7.9\n13 mtime=8.5\n").unwrap();
        assert_eq!(records.get("path"), Some(&b"a=b\nc"[..]));
        assert_eq!(records.number("mtime").unwrap(), Some(8));
        assert_eq!(records.xattrs()[&b"user.x"[..]], b"\n=\x00\xff..");
        records.read(b"8 path=\n14 mtime=-3.5\n").unwrap();
        assert_eq!((records.get("path"), records.number("mtime").unwrap()), (None, Some(0)));
    }

    #[test]
    fn damaged_headers_are_errors() {
        for damaged in [
            &b"path=a\n"[..],
            b"9 path=a\n0",
            b"99 path=a\n",
            b"3 a\n",
            b"0 ",
            b"18446744073709551616 a=b\n",
            b"-1 a=b\n",
        ] {
            assert!(Records::default().read(damaged).is_err(), "{}", damaged.escape_ascii());
        }
    }
}
