//! LUKS2: the objects of the metadata as they stand in JSON (specification 1.1.2, §3), not yet checked.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use base64ct::{Base64, Encoding};
use serde::{Deserialize, Deserializer, de};
use serde_json::Value;

/// 64-bit numbers are strings in LUKS2's JSON (§3).
fn decimal<'de, D: Deserializer<'de>>(input: D) -> Result<u64, D::Error> {
    let text = String::deserialize(input)?;
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits).ok_or_else(|| de::Error::custom("no decimal number"))
}

fn base64<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<u8>, D::Error> {
    Base64::decode_vec(&String::deserialize(input)?).map_err(|_| de::Error::custom("no base64"))
}

/// The number of a segment's bytes; `None` for `dynamic`: up to the end of the device.
fn size<'de, D: Deserializer<'de>>(input: D) -> Result<Option<u64>, D::Error> {
    let text = String::deserialize(input)?;
    if text == "dynamic" {
        return Ok(None);
    }
    decimal(Value::String(text)).map(Some).map_err(de::Error::custom)
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum Kdf {
    Pbkdf2 {
        hash: String,
        iterations: u32,
        #[serde(deserialize_with = "base64")]
        salt: Vec<u8>,
    },
    Argon2i {
        time: u32,
        memory: u32,
        cpus: u32,
        #[serde(deserialize_with = "base64")]
        salt: Vec<u8>,
    },
    Argon2id {
        time: u32,
        memory: u32,
        cpus: u32,
        #[serde(deserialize_with = "base64")]
        salt: Vec<u8>,
    },
}

#[derive(Deserialize)]
pub(crate) struct Af {
    pub(crate) r#type: String,
    pub(crate) stripes: u32,
    pub(crate) hash: String,
}

#[derive(Deserialize)]
pub(crate) struct Area {
    pub(crate) r#type: String,
    pub(crate) encryption: String,
    pub(crate) key_size: usize,
    #[serde(deserialize_with = "decimal")]
    pub(crate) offset: u64,
    #[serde(deserialize_with = "decimal")]
    pub(crate) size: u64,
}

#[derive(Deserialize)]
pub(crate) struct Keyslot {
    pub(crate) r#type: String,
    pub(crate) key_size: usize,
    pub(crate) af: Af,
    pub(crate) area: Area,
    pub(crate) kdf: Kdf,
    /// 0: only when asked for; 1: the default; 2: before the others (§3.2).
    pub(crate) priority: Option<u8>,
}

#[derive(Deserialize)]
pub(crate) struct Segment {
    pub(crate) r#type: String,
    #[serde(deserialize_with = "decimal")]
    pub(crate) offset: u64,
    #[serde(deserialize_with = "size")]
    pub(crate) size: Option<u64>,
    #[serde(deserialize_with = "decimal")]
    pub(crate) iv_tweak: u64,
    pub(crate) encryption: String,
    pub(crate) sector_size: u32,
    pub(crate) integrity: Option<Value>,
}

#[derive(Deserialize)]
pub(crate) struct Digest {
    pub(crate) r#type: String,
    pub(crate) keyslots: Vec<String>,
    pub(crate) segments: Vec<String>,
    pub(crate) hash: String,
    pub(crate) iterations: u32,
    #[serde(deserialize_with = "base64")]
    pub(crate) salt: Vec<u8>,
    #[serde(deserialize_with = "base64")]
    pub(crate) digest: Vec<u8>,
}

#[derive(Deserialize)]
pub(crate) struct Requirements {
    #[serde(default)]
    pub(crate) mandatory: Vec<String>,
}

#[derive(Deserialize)]
pub(crate) struct Config {
    #[serde(deserialize_with = "decimal")]
    pub(crate) json_size: u64,
    #[serde(deserialize_with = "decimal")]
    pub(crate) keyslots_size: u64,
    pub(crate) requirements: Option<Requirements>,
}

#[derive(Deserialize)]
pub(crate) struct Metadata {
    pub(crate) keyslots: BTreeMap<u32, Value>,
    pub(crate) segments: BTreeMap<u32, Value>,
    pub(crate) digests: BTreeMap<u32, Digest>,
    pub(crate) config: Config,
}
