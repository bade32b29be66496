//! Checksums ("Checksums"): CRC32c without the final inversion, and the CRC16 of old group
//! descriptors.

use crc::{Algorithm, CRC_16_MODBUS, Crc, Table};

/// CRC-32C as the kernel's `crc32c(state, …)`: the state goes in and comes out as it is.
const CASTAGNOLI: Algorithm<u32> = Algorithm {
    width: 32,
    poly: 0x1edc_6f41,
    init: 0,
    refin: true,
    refout: true,
    xorout: 0,
    check: 0x58e3_fa20,
    residue: 0,
};

static CRC32C: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CASTAGNOLI);
/// The same as the kernel's `crc16(0xffff, …)`.
static CRC16: Crc<u16, Table<1>> = Crc::<u16, Table<1>>::new(&CRC_16_MODBUS);

/// Continues a CRC-32C over more bytes; begins with `!0`.
pub fn crc32c(state: u32, bytes: &[u8]) -> u32 {
    // The crate takes initial values in the order of the polynomial.
    let mut digest = CRC32C.digest_with_initial(state.reverse_bits());
    digest.update(bytes);
    digest.finalize()
}

/// CRC-16 over several pieces.
pub fn crc16(pieces: &[&[u8]]) -> u16 {
    let mut digest = CRC16.digest();
    for piece in pieces {
        digest.update(piece);
    }
    digest.finalize()
}

/// What all checksums of a file system begin with: CRC-32C of its UUID, or the `checksum_seed` of
/// the superblock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(pub u32);

impl Seed {
    /// Of a UUID.
    pub fn of_uuid(uuid: &[u8; 16]) -> Self {
        Self(crc32c(!0, uuid))
    }

    /// What the checksums of everything that belongs to an inode begin with: the inode itself,
    /// its extent blocks, its directory blocks.
    pub fn of_inode(self, ino: u32, generation: u32) -> Self {
        Self(crc32c(crc32c(self.0, &ino.to_le_bytes()), &generation.to_le_bytes()))
    }

    /// Checksum of `bytes`.
    pub fn sum(self, bytes: &[u8]) -> u32 {
        crc32c(self.0, bytes)
    }

    /// Checksum of several pieces in a row.
    pub fn sum_of(self, pieces: &[&[u8]]) -> u32 {
        pieces.iter().fold(self.0, |state, piece| crc32c(state, piece))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        // RFC 3720 §B.4: 32 bytes of zeroes and of ones, with the final inversion.
        assert_eq!(!crc32c(!0, &[0; 32]), 0x8a91_36aa);
        assert_eq!(!crc32c(!0, &[0xff; 32]), 0x62a8_ab43);
        assert_eq!(!crc32c(crc32c(!0, b"12345"), b"6789"), 0xe306_9283);
        assert_eq!(crc16(&[b"1234", b"56789"]), 0x4b37);
    }
}
