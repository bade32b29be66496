//! LUKS2: the metadata, which is JSON (specification 1.1.2, §3).
//!
//! The text is kept as it is but for what we change, so that tokens, flags and fields of others
//! survive; what we use of it is typed and checked here, after each change again.

use crate::LuksError;
use crate::error::unsupported;
use crate::hash::{Hash, STRIPES};
use crate::json;
use crate::kdf::Kdf;
use crate::luks1::are_apart;
use crate::slot::{KeyDigest, Slot, is_key_len};
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use base64ct::{Base64, Encoding};
use serde::de;
use serde_json::Value;

/// Most key slots, segments and digests that we look at.
const OBJECTS_MAX: usize = 32;
/// The one cipher.
const CIPHER: &str = "aes-xts-plain64";
/// Key material is aligned to this (§2.3).
pub(crate) const AREA_ALIGN: u64 = 4096;

/// A key slot, and how it is preferred.
#[derive(Clone, Debug)]
pub(crate) struct Keyslot {
    pub(crate) slot: Slot,
    pub(crate) area_len: u64,
    pub(crate) priority: u8,
}

/// The payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) offset: u64,
    pub(crate) len: Option<u64>,
    pub(crate) sector_len: u32,
    pub(crate) first_tweak: u64,
}

/// Metadata that keeps the rules.
#[derive(Clone, Debug)]
pub(crate) struct Metadata {
    text: Value,
    pub(crate) keyslots: BTreeMap<u32, Keyslot>,
    pub(crate) segment: Segment,
    digest_number: u32,
    pub(crate) digest: KeyDigest,
    /// Where key material may lie.
    areas: core::ops::Range<u64>,
}

/// A typed object out of JSON.
fn object<T: de::DeserializeOwned>(value: Value) -> Result<T, LuksError> {
    serde_json::from_value(value).map_err(|_| LuksError::Corrupt("an object of the metadata"))
}

fn kind(value: &Value) -> &str {
    value.get("type").and_then(Value::as_str).unwrap_or_default()
}

impl json::Keyslot {
    fn check(self) -> Result<Keyslot, LuksError> {
        let named = [
            ("key slot", &self.r#type, "luks2"),
            ("splitter", &self.af.r#type, "luks1"),
            ("key slot area", &self.area.r#type, "raw"),
            ("cipher", &self.area.encryption, CIPHER),
        ];
        if let Some((what, name, _)) = named.into_iter().find(|(_, name, known)| *name != known) {
            return Err(unsupported(what, name));
        }
        if !is_key_len(self.key_size) || !is_key_len(self.area.key_size) || self.af.stripes != STRIPES {
            return Err(LuksError::Corrupt("key length or stripes of a key slot"));
        }
        let (kdf, salt) = match self.kdf {
            json::Kdf::Pbkdf2 { hash, iterations, salt } => {
                (Kdf::Pbkdf2 { hash: Hash::named(&hash)?, iterations }, salt)
            }
            json::Kdf::Argon2i { time, memory, cpus, salt } => {
                (Kdf::Argon2 { id: false, time, memory, lanes: cpus }, salt)
            }
            json::Kdf::Argon2id { time, memory, cpus, salt } => {
                (Kdf::Argon2 { id: true, time, memory, lanes: cpus }, salt)
            }
        };
        if !self.area.offset.is_multiple_of(AREA_ALIGN) || self.area.size < Slot::material_len(self.key_size) as u64 {
            return Err(LuksError::Corrupt("area of a key slot"));
        }
        let slot = Slot {
            key_len: self.key_size,
            area_key_len: self.area.key_size,
            kdf,
            salt,
            af_hash: Hash::named(&self.af.hash)?,
            offset: self.area.offset,
        };
        Ok(Keyslot { slot, area_len: self.area.size, priority: self.priority.unwrap_or(1) })
    }
}

impl json::Segment {
    fn check(self, areas_end: u64) -> Result<Segment, LuksError> {
        if self.r#type != "crypt" {
            return Err(unsupported("segment", &self.r#type));
        }
        if self.integrity.is_some() {
            return Err(unsupported("segment", "with integrity"));
        }
        if self.encryption != CIPHER {
            return Err(unsupported("cipher", &self.encryption));
        }
        let sector = u64::from(self.sector_size);
        let known = sector.is_power_of_two() && (512..=4096).contains(&sector);
        let aligned =
            known && self.offset.is_multiple_of(sector) && self.size.is_none_or(|len| len.is_multiple_of(sector));
        if !aligned || self.offset < areas_end || self.size == Some(0) {
            return Err(LuksError::Corrupt("place or sector size of the segment"));
        }
        let (offset, len, sector_len) = (self.offset, self.size, self.sector_size);
        Ok(Segment { offset, len, sector_len, first_tweak: self.iv_tweak })
    }
}

impl Metadata {
    /// Checks the metadata of a header of `header_size` bytes.
    pub(crate) fn decode(text: &[u8], header_size: u64) -> Result<Self, LuksError> {
        let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
        let value: Value = serde_json::from_slice(text).map_err(|_| LuksError::Corrupt("the metadata is no JSON"))?;
        Self::of(value, header_size)
    }

    fn of(text: Value, header_size: u64) -> Result<Self, LuksError> {
        let json::Metadata { keyslots, segments, digests, config } = object(text.clone())?;
        let required = config.requirements.into_iter().flat_map(|requirements| requirements.mandatory).next();
        if let Some(name) = required {
            return Err(unsupported("requirement", &name));
        }
        if keyslots.len() > OBJECTS_MAX || segments.len() > OBJECTS_MAX || digests.len() > OBJECTS_MAX {
            return Err(LuksError::Corrupt("too many objects"));
        }
        let start = header_size.saturating_mul(2);
        let areas = start..start.saturating_add(config.keyslots_size);
        if config.json_size.saturating_add(crate::binary::BINARY_LEN as u64) != header_size {
            return Err(LuksError::Corrupt("size of the metadata"));
        }
        let (Some(segment), 1) = (segments.get(&0), segments.len()) else {
            return Err(unsupported("segments", &segments.len().to_string()));
        };
        if kind(segment) != "crypt" {
            return Err(unsupported("segment", kind(segment)));
        }
        let segment = object::<json::Segment>(segment.clone())?.check(areas.end)?;
        let bound = digests.into_iter().find(|(_, digest)| digest.segments.iter().any(|number| number == "0"));
        let (digest_number, digest) = bound.ok_or(LuksError::Corrupt("the segment has no digest"))?;
        let slots = checked_slots(keyslots, &digest, &areas)?;
        let digest = checked_digest(digest)?;
        Ok(Self { text, keyslots: slots, segment, digest_number, digest, areas })
    }

    pub(crate) fn encode(&self) -> String {
        self.text.to_string()
    }

    /// Metadata without a key slot.
    pub(crate) fn new(header_size: u64, segment: &Segment, digest: &KeyDigest) -> Result<Self, LuksError> {
        let keyslots_size =
            segment.offset.checked_sub(2 * header_size).ok_or(LuksError::Option("offset of the payload"))?;
        let json = serde_json::json!({
            "keyslots": {},
            "tokens": {},
            "segments": {"0": {
                "type": "crypt", "offset": segment.offset.to_string(),
                "size": segment.len.map_or_else(|| "dynamic".to_string(), |len| len.to_string()),
                "iv_tweak": segment.first_tweak.to_string(), "encryption": CIPHER, "sector_size": segment.sector_len,
            }},
            "digests": {"0": {
                "type": "pbkdf2", "keyslots": [], "segments": ["0"], "hash": digest.hash.name(),
                "iterations": digest.iterations, "salt": Base64::encode_string(&digest.salt),
                "digest": Base64::encode_string(&digest.value),
            }},
            "config": {
                "json_size": (header_size - crate::binary::BINARY_LEN as u64).to_string(),
                "keyslots_size": (keyslots_size / AREA_ALIGN * AREA_ALIGN).to_string(),
            },
        });
        Self::of(json, header_size)
    }

    /// Finds a number and a place for another key slot.
    pub(crate) fn place(&self, key_len: usize) -> Result<(u32, u64, u64), LuksError> {
        let number =
            (0..OBJECTS_MAX as u32).find(|number| !self.keyslots.contains_key(number)).ok_or(LuksError::Full)?;
        let len = (Slot::material_len(key_len) as u64).next_multiple_of(AREA_ALIGN);
        let mut taken: Vec<_> = self.keyslots.values().map(|k| (k.slot.offset, k.area_len)).collect();
        taken.sort_unstable();
        let mut at = self.areas.start;
        for (offset, other) in taken {
            if at.saturating_add(len) <= offset {
                break;
            }
            at = offset.saturating_add(other).next_multiple_of(AREA_ALIGN);
        }
        if at.saturating_add(len) <= self.areas.end { Ok((number, at, len)) } else { Err(LuksError::Full) }
    }

    /// The metadata with another key slot.
    pub(crate) fn with_slot(
        &self,
        header_size: u64,
        number: u32,
        slot: &Slot,
        area_len: u64,
    ) -> Result<Self, LuksError> {
        let salt = Base64::encode_string(&slot.salt);
        let kdf = match slot.kdf {
            Kdf::Pbkdf2 { hash, iterations } => {
                serde_json::json!({"type": "pbkdf2", "hash": hash.name(), "iterations": iterations, "salt": salt})
            }
            Kdf::Argon2 { id, time, memory, lanes } => {
                let name = if id { "argon2id" } else { "argon2i" };
                serde_json::json!({"type": name, "time": time, "memory": memory, "cpus": lanes, "salt": salt})
            }
        };
        let keyslot = serde_json::json!({
            "type": "luks2", "key_size": slot.key_len, "kdf": kdf,
            "af": {"type": "luks1", "stripes": STRIPES, "hash": slot.af_hash.name()},
            "area": {
                "type": "raw", "offset": slot.offset.to_string(), "size": area_len.to_string(),
                "encryption": CIPHER, "key_size": slot.area_key_len,
            },
        });
        let mut json = self.text.clone();
        let slots = json.get_mut("keyslots").and_then(Value::as_object_mut);
        slots.map(|slots| slots.insert(number.to_string(), keyslot));
        if let Some(numbers) = self.digest_slots(&mut json) {
            numbers.push(Value::String(number.to_string()));
        }
        Self::of(json, header_size)
    }

    /// The metadata without a key slot.
    pub(crate) fn without_slot(&self, header_size: u64, number: u32) -> Result<Self, LuksError> {
        let (mut json, name) = (self.text.clone(), number.to_string());
        let slots = json.get_mut("keyslots").and_then(Value::as_object_mut);
        slots.map(|slots| slots.remove(&name));
        let tokens = json.get_mut("tokens").and_then(Value::as_object_mut).into_iter().flat_map(|t| t.values_mut());
        let lists = tokens.filter_map(|token| token.get_mut("keyslots").and_then(Value::as_array_mut));
        lists.for_each(|list| list.retain(|value| value.as_str() != Some(&name)));
        if let Some(numbers) = self.digest_slots(&mut json) {
            numbers.retain(|value| value.as_str() != Some(&name));
        }
        Self::of(json, header_size)
    }

    fn digest_slots<'a>(&self, json: &'a mut Value) -> Option<&'a mut Vec<Value>> {
        let digest = json.get_mut("digests")?.get_mut(self.digest_number.to_string())?;
        digest.get_mut("keyslots")?.as_array_mut()
    }
}

/// The key slots of the segment's digest. Those of others are left alone, but have to keep apart.
fn checked_slots(
    keyslots: BTreeMap<u32, Value>,
    digest: &json::Digest,
    areas: &core::ops::Range<u64>,
) -> Result<BTreeMap<u32, Keyslot>, LuksError> {
    let mut slots = BTreeMap::new();
    for (number, value) in keyslots {
        if !digest.keyslots.contains(&number.to_string()) {
            return Err(unsupported("key slot", "without the segment's key"));
        }
        if kind(&value) != "luks2" {
            return Err(unsupported("key slot", kind(&value)));
        }
        slots.insert(number, object::<json::Keyslot>(value)?.check()?);
    }
    let mut taken: Vec<_> = slots.values().map(|keyslot| (keyslot.slot.offset, keyslot.area_len)).collect();
    taken.push((0, areas.start));
    if are_apart(&mut taken, areas.end) { Ok(slots) } else { Err(LuksError::Corrupt("key slots overlap")) }
}

fn checked_digest(digest: json::Digest) -> Result<KeyDigest, LuksError> {
    if digest.r#type != "pbkdf2" {
        return Err(unsupported("digest", &digest.r#type));
    }
    let hash = Hash::named(&digest.hash)?;
    // A short one would know many keys, an empty one all of them.
    if !(20..=64).contains(&digest.digest.len()) {
        return Err(LuksError::Corrupt("length of the digest"));
    }
    Ok(KeyDigest { hash, iterations: digest.iterations, salt: digest.salt, value: digest.digest })
}
