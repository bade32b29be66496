//! AES in constant time without instructions for it (FIPS 197): four blocks at once, bit k of all
//! their bytes in plane k. Nothing is looked up in a table and nothing branches on a secret.

use zeroize::Zeroize;

/// Bytes that the planes hold: four blocks.
pub(crate) const BATCH: usize = 64;
/// Most round keys: those of AES-256.
pub(crate) const MAX_KEYS: usize = 15;

/// Bit j of plane k is bit k of byte j.
pub(crate) type Planes = [u64; 8];

/// Bytes to planes.
pub(crate) fn pack(bytes: &[u8; BATCH]) -> Planes {
    let mut planes = [0; 8];
    let (words, _) = bytes.as_chunks::<8>();
    for (i, word) in words.iter().enumerate() {
        let bits = transpose(u64::from_le_bytes(*word));
        for (k, plane) in planes.iter_mut().enumerate() {
            *plane |= ((bits >> (8 * k)) & 0xff) << (8 * i);
        }
    }
    planes
}

/// Planes to bytes.
pub(crate) fn unpack(planes: &Planes) -> [u8; BATCH] {
    let mut bytes = [0; BATCH];
    let (words, _) = bytes.as_chunks_mut::<8>();
    for (i, word) in words.iter_mut().enumerate() {
        let rows = planes.iter().enumerate();
        let bits = rows.fold(0, |bits, (k, plane)| bits | ((plane >> (8 * i)) & 0xff) << (8 * k));
        *word = transpose(bits).to_le_bytes();
    }
    bytes
}

/// Transposes a matrix of 8 by 8 bits by swapping ever larger quadrants.
fn transpose(mut x: u64) -> u64 {
    for (shift, mask) in [(7, 0x00aa_00aa_00aa_00aa), (14, 0x0000_cccc_0000_cccc), (28, 0x0000_0000_f0f0_f0f0)] {
        let t = (x ^ (x >> shift)) & mask;
        x ^= t ^ (t << shift);
    }
    x
}

/// Reduces a product modulo x^8 + x^4 + x^3 + x + 1 (§4.2).
fn reduce(mut product: [u64; 15]) -> Planes {
    for i in (8..15).rev() {
        let high = product[i];
        for down in [8, 7, 5, 4] {
            product[i - down] ^= high;
        }
    }
    let [p0, p1, p2, p3, p4, p5, p6, p7, ..] = product;
    [p0, p1, p2, p3, p4, p5, p6, p7]
}

fn multiply(a: &Planes, b: &Planes) -> Planes {
    let mut product = [0; 15];
    for (i, x) in a.iter().enumerate() {
        for (j, y) in b.iter().enumerate() {
            product[i + j] ^= x & y;
        }
    }
    reduce(product)
}

/// Squares `times` times.
fn square(a: &Planes, times: usize) -> Planes {
    let mut result = *a;
    for _ in 0..times {
        let mut product = [0; 15];
        for (i, x) in result.iter().enumerate() {
            product[2 * i] = *x;
        }
        result = reduce(product);
    }
    result
}

/// a^254, which is the inverse and takes 0 to 0.
fn invert(a: &Planes) -> Planes {
    let a2 = square(a, 1);
    let a3 = multiply(a, &a2);
    let a12 = square(&a3, 2);
    let a15 = multiply(&a3, &a12);
    let a252 = multiply(&square(&a15, 4), &a12);
    multiply(&a252, &a2)
}

/// The XOR of the planes `turns` further on, with the constant's bits flipped.
fn affine(a: &Planes, turns: &[usize], constant: u8) -> Planes {
    let mut result = [0; 8];
    for (i, plane) in result.iter_mut().enumerate() {
        let flip = if constant >> i & 1 == 1 { u64::MAX } else { 0 };
        *plane = turns.iter().fold(flip, |sum, turn| sum ^ a[(i + turn) % 8]);
    }
    result
}

/// SubBytes (§5.1.1).
pub(crate) fn sub_bytes(a: &Planes) -> Planes {
    affine(&invert(a), &[0, 4, 5, 6, 7], 0x63)
}

/// InvSubBytes (§5.3.2).
fn inv_sub_bytes(a: &Planes) -> Planes {
    invert(&affine(a, &[2, 5, 7], 0x05))
}

/// ShiftRows (§5.1.2): row r, which is bits r, r + 4, … of each 16, moves `r * step` columns.
fn shift_rows(a: &Planes, step: usize) -> Planes {
    a.map(|plane| {
        (0..4).fold(0, |sum, row| {
            let by = 4 * (row * step % 4);
            // Columns that stay within the block when they move down, as a mask of their new places.
            let stay = 0x0001_0001_0001_0001 * (0xffff >> by);
            let turned = ((plane >> by) & stay) | ((plane << ((16 - by) % 16)) & !stay);
            sum | (turned & (0x1111_1111_1111_1111 << row))
        })
    })
}

/// Bytes one row further on in their column.
fn next_row(a: &Planes) -> Planes {
    a.map(|plane| ((plane >> 1) & 0x7777_7777_7777_7777) | ((plane << 3) & 0x8888_8888_8888_8888))
}

fn xor(a: &Planes, b: &Planes) -> Planes {
    let mut result = *a;
    for (x, y) in result.iter_mut().zip(b) {
        *x ^= y;
    }
    result
}

/// Times x in the field.
fn double(a: &Planes) -> Planes {
    let [a0, a1, a2, a3, a4, a5, a6, a7] = *a;
    [a7, a0 ^ a7, a1, a2 ^ a7, a3 ^ a7, a4, a5, a6]
}

/// MixColumns (§5.1.3): twice this and the next, the next, and the two behind it.
fn mix_columns(a: &Planes) -> Planes {
    let next = next_row(a);
    let pair = xor(a, &next);
    xor(&xor(&double(&pair), &next), &next_row(&next_row(&pair)))
}

/// InvMixColumns (§5.3.3), which is MixColumns after adding four times the sum of this row and the
/// one across.
pub(crate) fn inv_mix_columns(a: &Planes) -> Planes {
    let across = xor(a, &next_row(&next_row(a)));
    mix_columns(&xor(a, &double(&double(&across))))
}

/// Round keys, the same for all four blocks.
pub(crate) struct Cipher {
    keys: [Planes; MAX_KEYS],
    rounds: usize,
}

impl Cipher {
    pub(crate) fn new(schedule: &[[u8; 16]]) -> Self {
        let mut keys = [[0; 8]; MAX_KEYS];
        for (planes, key) in keys.iter_mut().zip(schedule) {
            *planes = pack(&four(key));
        }
        Self { keys, rounds: schedule.len().saturating_sub(1) }
    }

    fn round_keys(&self) -> (&Planes, &[Planes], &Planes) {
        let (keys, _) = self.keys.split_at(self.rounds);
        let (first, middle) = keys.split_first().unwrap_or((&self.keys[0], &[]));
        (first, middle, &self.keys[self.rounds])
    }

    /// Encrypts four blocks (§5.1).
    pub(crate) fn encrypt(&self, blocks: &mut [u8; BATCH]) {
        let (first, middle, last) = self.round_keys();
        let mut state = xor(&pack(blocks), first);
        for key in middle {
            state = xor(&mix_columns(&shift_rows(&sub_bytes(&state), 1)), key);
        }
        *blocks = unpack(&xor(&shift_rows(&sub_bytes(&state), 1), last));
    }

    /// Decrypts four blocks (§5.3).
    pub(crate) fn decrypt(&self, blocks: &mut [u8; BATCH]) {
        let (first, middle, last) = self.round_keys();
        let mut state = inv_sub_bytes(&shift_rows(&xor(&pack(blocks), last), 3));
        for key in middle.iter().rev() {
            state = inv_sub_bytes(&shift_rows(&inv_mix_columns(&xor(&state, key)), 3));
        }
        *blocks = unpack(&xor(&state, first));
    }
}

impl Drop for Cipher {
    fn drop(&mut self) {
        self.keys.zeroize();
    }
}

/// Four copies of a block.
pub(crate) fn four(block: &[u8; 16]) -> [u8; BATCH] {
    let mut bytes = [0; BATCH];
    for copy in bytes.as_chunks_mut::<16>().0 {
        *copy = *block;
    }
    bytes
}
