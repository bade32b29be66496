//! LUKS2: both copies of the header, read and written so that one of them is always whole.

use crate::LuksError;
use crate::binary::{self, BINARY_LEN, Binary, Copy, SIZE_MAX, SIZES};
use crate::metadata::Metadata;
use crate::storage::{Random, Storage};
use alloc::vec;
use core::iter::successors;

/// A header that keeps the rules.
#[derive(Clone, Debug)]
pub(crate) struct Header {
    pub(crate) binary: Binary,
    pub(crate) metadata: Metadata,
    /// One copy is missing, broken or older than the other.
    pub(crate) degraded: bool,
}

impl Header {
    /// Reads the newer of the copies that are sound (§2.1).
    pub(crate) fn load(storage: &mut dyn Storage) -> Result<Self, LuksError> {
        let first = load_copy(storage, 0, Copy::First);
        // Where the second one lies, the first one says if it can.
        let places: &mut dyn Iterator<Item = u64> = match &first {
            Ok((binary, _)) => &mut core::iter::once(binary.size),
            Err(_) => &mut successors(Some(*SIZES.start()), |size| Some(size * 2)).take_while(|size| *size <= SIZE_MAX),
        };
        let second = places.map(|at| load_copy(storage, at, Copy::Second)).find(Result::is_ok);
        let (binary, metadata, degraded) = match (first, second) {
            (Ok(first), Some(Ok(second))) => {
                let (a, b) = (first.0.sequence, second.0.sequence);
                let (binary, metadata) = if b > a { second } else { first };
                (binary, metadata, a != b)
            }
            (Ok((binary, metadata)), _) | (Err(_), Some(Ok((binary, metadata)))) => (binary, metadata, true),
            (Err(error), _) => return Err(error),
        };
        Ok(Self { binary, metadata, degraded })
    }

    /// Writes both copies, one after the other is durable.
    pub(crate) fn store(&mut self, storage: &mut dyn Storage, random: Random<'_>) -> Result<(), LuksError> {
        let next = self.binary.sequence.checked_add(1).ok_or(LuksError::Corrupt("sequence number"))?;
        self.binary.sequence = next;
        let text = self.metadata.encode();
        // A copy that is known to be bad is written first, so that the good one stays until then.
        for copy in if self.degraded { [Copy::Second, Copy::First] } else { [Copy::First, Copy::Second] } {
            let mut salt = [0; 64];
            random(&mut salt);
            let bytes = binary::encode(&self.binary, copy, &text, salt)?;
            let at = if copy == Copy::First { 0 } else { self.binary.size };
            storage.write(at, &bytes)?;
            storage.flush()?;
        }
        self.degraded = false;
        Ok(())
    }
}

fn load_copy(storage: &mut dyn Storage, at: u64, copy: Copy) -> Result<(Binary, Metadata), LuksError> {
    let mut head = [0; BINARY_LEN];
    storage.read(at, &mut head).map_err(|_| LuksError::NotLuks)?;
    let size = binary::claimed_size(&head, copy).ok_or(LuksError::NotLuks)?;
    if size > SIZE_MAX {
        return Err(LuksError::Corrupt("metadata of more than 1 MiB"));
    }
    let mut bytes = vec![0; size as usize];
    storage.read(at, &mut bytes)?;
    let (binary, text) = binary::decode(&bytes, at, copy)?;
    let metadata = Metadata::decode(text, binary.size)?;
    Ok((binary, metadata))
}
