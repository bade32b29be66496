//! Hashes of names in directory trees ("Hash Tree Directories", `dx_root.dx_root_info.hash_version`).

/// Which hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The first one.
    Legacy,
    /// Half of MD4.
    HalfMd4,
    /// The tiny encryption algorithm.
    Tea,
}

/// How names of a file system are hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hasher {
    /// Which hash.
    pub kind: Kind,
    /// Whether bytes are taken as signed.
    pub signed: bool,
    /// `s_hash_seed`; all zeroes stand for the constants of MD4.
    pub seed: [u32; 4],
}

/// Hash of a name: what the tree is sorted by, and what breaks ties in listings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hash {
    /// The lowest bit is 0.
    pub major: u32,
    /// More bits.
    pub minor: u32,
}

/// The end of listings, which no name may have.
const END: u32 = 0x7fff_ffff << 1;

impl Kind {
    /// From `hash_version`, and whether that says "unsigned".
    pub fn from_version(version: u8) -> Option<(Self, bool)> {
        Some(match version {
            0 => (Self::Legacy, false),
            1 => (Self::HalfMd4, false),
            2 => (Self::Tea, false),
            3 => (Self::Legacy, true),
            4 => (Self::HalfMd4, true),
            5 => (Self::Tea, true),
            _ => return None,
        })
    }
}

impl Hasher {
    /// Hashes a name.
    pub fn hash(&self, name: &[u8]) -> Hash {
        let mut state = if self.seed == [0; 4] {
            // RFC 1320 §3.3.
            [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476]
        } else {
            self.seed
        };
        let (major, minor) = match self.kind {
            Kind::Legacy => (self.legacy(name), 0),
            Kind::HalfMd4 => {
                for (at, _) in name.chunks(32).enumerate() {
                    half_md4(&mut state, &self.words::<8>(name.get(at * 32..).unwrap_or_default()));
                }
                let [_, major, minor, _] = state;
                (major, minor)
            }
            Kind::Tea => {
                for (at, _) in name.chunks(16).enumerate() {
                    tea(&mut state, &self.words::<4>(name.get(at * 16..).unwrap_or_default()));
                }
                let [major, minor, ..] = state;
                (major, minor)
            }
        };
        let major = if major & !1 == END { END - 2 } else { major & !1 };
        Hash { major, minor }
    }

    fn widen(&self, byte: u8) -> u32 {
        if self.signed { i32::from(byte.cast_signed()).cast_unsigned() } else { byte.into() }
    }

    fn legacy(&self, name: &[u8]) -> u32 {
        let (mut last, mut before) = (0x12a3_fe2d_u32, 0x37ab_e8f9_u32);
        for byte in name {
            let mut hash = before.wrapping_add(last ^ self.widen(*byte).wrapping_mul(7_152_373));
            if hash & 0x8000_0000 != 0 {
                hash = hash.wrapping_sub(0x7fff_ffff);
            }
            (before, last) = (last, hash);
        }
        last << 1
    }

    /// The next bytes of a name as words, filled up with the length of all that is left.
    fn words<const N: usize>(&self, rest: &[u8]) -> [u32; N] {
        let len = rest.len() as u32;
        let fill = len | len << 8;
        let fill = fill | fill << 16;
        let mut words = [fill; N];
        for (word, bytes) in words.iter_mut().zip(rest.chunks(4)) {
            *word = bytes.iter().fold(fill, |word, byte| self.widen(*byte).wrapping_add(word << 8));
        }
        words
    }
}

/// MD4 (RFC 1320 §3.4) with half of its steps.
fn half_md4(state: &mut [u32; 4], words: &[u32; 8]) {
    type Mix = fn(u32, u32, u32) -> u32;
    const ROUNDS: [(Mix, u32, [usize; 8], [u32; 4]); 3] = [
        (|x, y, z| z ^ (x & (y ^ z)), 0, [0, 1, 2, 3, 4, 5, 6, 7], [3, 7, 11, 19]),
        (|x, y, z| (x & y).wrapping_add((x ^ y) & z), 0x5a82_7999, [1, 3, 5, 7, 0, 2, 4, 6], [3, 5, 9, 13]),
        (|x, y, z| x ^ y ^ z, 0x6ed9_eba1, [3, 7, 2, 6, 1, 5, 0, 4], [3, 9, 11, 15]),
    ];
    let [mut a, mut b, mut c, mut d] = *state;
    for (mix, constant, order, shifts) in ROUNDS {
        for (at, shift) in order.iter().zip(shifts.iter().cycle()) {
            let word = words.get(*at).copied().unwrap_or_default().wrapping_add(constant);
            let mixed = a.wrapping_add(mix(b, c, d)).wrapping_add(word).rotate_left(*shift);
            (a, b, c, d) = (d, mixed, b, c);
        }
    }
    for (word, add) in state.iter_mut().zip([a, b, c, d]) {
        *word = word.wrapping_add(add);
    }
}

/// Sixteen rounds of TEA (Wheeler and Needham, 1994) with the name as the key.
fn tea(state: &mut [u32; 4], key: &[u32; 4]) {
    const DELTA: u32 = 0x9e37_79b9;
    let [first, second, ..] = state;
    let (mut x, mut y, mut sum) = (*first, *second, 0_u32);
    let [a, b, c, d] = *key;
    let mix =
        |v: u32, sum: u32, k: u32, l: u32| (v << 4).wrapping_add(k) ^ v.wrapping_add(sum) ^ (v >> 5).wrapping_add(l);
    for _ in 0..16 {
        sum = sum.wrapping_add(DELTA);
        x = x.wrapping_add(mix(y, sum, a, b));
        y = y.wrapping_add(mix(x, sum, c, d));
    }
    *first = first.wrapping_add(x);
    *second = second.wrapping_add(y);
}
