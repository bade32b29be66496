//! Digests of blobs.

use anyhow::{Result, bail};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A SHA-256 value, written `sha256:` and 64 lower-case hexadecimal digits (image-spec, "Digests").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digits alone, which are also the name of the blob.
    pub fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The value of 64 digits.
    ///
    /// # Errors
    /// If `digits` are anything else.
    pub fn from_hex(digits: &str) -> Result<Self> {
        let lower_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if digits.len() != 64 || !digits.bytes().all(lower_hex) {
            bail!("{digits:?} are not 64 lower-case hexadecimal digits");
        }
        let mut bytes = [0; 32];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&digits[2 * at..2 * at + 2], 16)?;
        }
        Ok(Self(bytes))
    }
}

impl FromStr for Digest {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.split_once(':') {
            Some(("sha256", digits)) => Self::from_hex(digits),
            Some((algorithm, _)) => bail!("digests of kind {algorithm:?} are not supported: sha256 is"),
            None => bail!("a digest is expected, as sha256:0123…, not {text:?}"),
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_only() {
        let text = format!("sha256:{}", "0a".repeat(32));
        let digest: Digest = text.parse().unwrap();
        assert_eq!((digest.0, digest.to_string()), ([10; 32], text.clone()));
        for wrong in [&text.to_uppercase(), &text[1..], &text[..70], "sha512:00", "", "sha256:", "sha256:é"] {
            assert!(wrong.parse::<Digest>().is_err(), "{wrong}");
        }
        let multibyte = format!("sha256:{}", "é".repeat(32));
        assert!(multibyte.parse::<Digest>().is_err());
    }
}
