//! Headers that someone changed under checksums that hold: an error, or a container that can be used.

use rkt_luks::{Container, Hash, Kdf, Limits, LuksError, Options, Storage, format_luks1, format_luks2};
use rkt_tests_disks::{FastXts, noise};
use sha2::{Digest, Sha256};

const LEN: usize = 4 << 20;
const UUID: &str = "6dd4f32e-9e51-4c5a-8d1e-0a2b8a9f7a11";
const KDF: Kdf = Kdf::Pbkdf2 { hash: Hash::Sha256, iterations: 1 };
const LIMITS: Limits = Limits { memory: 64, time: 1, lanes: 1, iterations: 1000 };
/// Where the checksum of a LUKS2 header lies, and its metadata.
const CHECKSUM: std::ops::Range<usize> = 448..480;
const METADATA: usize = 4096;
const HEADER: usize = 16 << 10;

/// Numbers from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        (self.0 >> 33) as usize % limit
    }
}

/// Does with a header all that can be done with it.
fn use_it(image: &mut Vec<u8>) -> Result<(), LuksError> {
    let mut container = Container::open(image)?;
    let payload = container.payload(LEN as u64)?;
    assert!(payload.len > 0 && payload.offset + payload.len <= LEN as u64);
    assert!(payload.len.is_multiple_of(payload.sector_len.into()));
    let (slot, key) = container.unlock(image, b"pass", &FastXts, &LIMITS)?;
    let added = container.add_key(image, &key, b"new", &KDF, &FastXts, &mut noise(3))?;
    let again = Container::open(image).expect("what we wrote opens");
    let (number, same) = again.unlock(image, b"new", &FastXts, &LIMITS)?;
    assert_eq!((number, same.bytes()), (added, key.bytes()));
    container.remove_key(image, slot, &mut noise(4))?;
    assert_eq!(Container::open(image).expect("what we wrote opens").slots().len(), 1);
    Ok(())
}

#[test]
fn changed_fields_of_luks1() {
    let mut good = vec![0; LEN];
    format_luks1(&mut good, UUID, 32, &KDF, b"pass", &FastXts, &mut noise(1)).unwrap();
    let mut dice = Dice(1);
    let mut opened = 0;
    for _ in 0..500 {
        let mut image = good.clone();
        for _ in 0..=dice.below(3) {
            let at = dice.below(592);
            image[at] = [0, 1, 0x7f, 0x80, 0xff, dice.below(256) as u8][dice.below(6)];
        }
        opened += usize::from(use_it(&mut image).is_ok());
    }
    assert!(opened > 10, "the salt of an unused slot changes nothing: {opened}");
}

#[test]
fn changed_metadata_of_luks2() {
    let mut good = vec![0; LEN];
    let options = Options { kdf: KDF, key_len: 32, payload_offset: 1 << 20, ..Options::new(UUID) };
    format_luks2(&mut good, &options, b"pass", &FastXts, &mut noise(2)).unwrap();
    // Only the first copy counts here.
    good[HEADER..2 * HEADER].fill(0);
    let text: Vec<u8> = good[METADATA..HEADER].iter().copied().take_while(|byte| *byte != 0).collect();
    let pieces: [&[u8]; 14] = [
        b"0",
        b"9",
        b"\"",
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b"-1",
        b"18446744073709551615",
        b"\"dynamic\"",
        b"null",
        b"1e9",
    ];
    let mut dice = Dice(2);
    let mut opened = 0;
    for _ in 0..500 {
        let mut changed = text.clone();
        for _ in 0..=dice.below(2) {
            let at = dice.below(changed.len());
            let piece = pieces[dice.below(pieces.len())];
            let end = (at + dice.below(4)).min(changed.len());
            changed.splice(at..end, piece.iter().copied());
        }
        let mut image = good.clone();
        image[METADATA..HEADER].fill(0);
        image[METADATA..METADATA + changed.len()].copy_from_slice(&changed);
        image[CHECKSUM].fill(0);
        let checksum = Sha256::digest(&image[..HEADER]);
        image[CHECKSUM].copy_from_slice(&checksum);
        opened += usize::from(use_it(&mut image).is_ok());
    }
    assert!(opened > 0, "some changes mean nothing: {opened}");
}

#[test]
fn metadata_that_nests_without_end_is_refused() {
    let mut image = vec![0; LEN];
    let options = Options { kdf: KDF, header_size: 1 << 20, payload_offset: 3 << 20, ..Options::new(UUID) };
    format_luks2(&mut image, &options, b"pass", &FastXts, &mut noise(5)).unwrap();
    let size = options.header_size as usize;
    for byte in [b'[', b'{', b'"', b'1'] {
        let mut image = image.clone();
        image.write(size as u64, &[0; 4096]).unwrap();
        image[METADATA..size - 1].fill(byte);
        image[CHECKSUM].fill(0);
        let checksum = Sha256::digest(&image[..size]);
        image[CHECKSUM].copy_from_slice(&checksum);
        assert!(matches!(Container::open(&mut image), Err(LuksError::Corrupt(_))));
    }
}
