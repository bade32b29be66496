//! The digest that identifies an image.

use sha2::{Digest as _, Sha256};

/// A SHA-256 value.
pub type Digest = [u8; 32];

/// Separates image digests from every other use of SHA-256.
const LABEL: &[u8] = b"rkt-io root image v1\0";

/// SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> Digest {
    Sha256::digest(bytes).into()
}

/// SHA-256(label ‖ superblock ‖ SHA-256(tree) ‖ SHA-256(chunk table)). All three inputs
/// of the last hash have fixed lengths, so no two images share its input.
pub fn image_digest(superblock: &[u8], tree: &[u8], table: &[u8]) -> Digest {
    Sha256::new()
        .chain_update(LABEL)
        .chain_update(superblock)
        .chain_update(sha256(tree))
        .chain_update(sha256(table))
        .finalize()
        .into()
}
