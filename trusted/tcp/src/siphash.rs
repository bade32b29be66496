//! SipHash-2-4 (Aumasson and Bernstein, 2012): the keyed hash behind initial sequence numbers,
//! timestamp offsets and SYN cookies.

/// A 128-bit key, from the platform's entropy.
pub type Key = [u64; 2];

/// The hash of words, as SipHash-2-4 gives it for their little-endian bytes.
pub fn hash(key: Key, words: &[u64]) -> u64 {
    let [k0, k1] = key;
    let start = [k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573];
    let length = (words.len() as u64 * 8) << 56;
    let [v0, v1, v2, v3] = words.iter().chain([&length]).fold(start, |[v0, v1, v2, v3], word| {
        let [v0, v1, v2, v3] = round(round([v0, v1, v2, v3 ^ word]));
        [v0 ^ word, v1, v2, v3]
    });
    let [v0, v1, v2, v3] = round(round(round(round([v0, v1, v2 ^ 0xff, v3]))));
    v0 ^ v1 ^ v2 ^ v3
}

fn round([v0, v1, v2, v3]: [u64; 4]) -> [u64; 4] {
    let (v0, v2) = (v0.wrapping_add(v1), v2.wrapping_add(v3));
    let (v1, v3) = (v1.rotate_left(13) ^ v0, v3.rotate_left(16) ^ v2);
    let v0 = v0.rotate_left(32);
    let (v2, v0) = (v2.wrapping_add(v1), v0.wrapping_add(v3));
    let (v1, v3) = (v1.rotate_left(17) ^ v2, v3.rotate_left(21) ^ v0);
    [v0, v1, v2.rotate_left(32), v3]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vectors of the reference implementation: key 00..0f, message 00..
    #[test]
    fn the_papers_vectors() {
        let key = [0x0706050403020100, 0x0f0e0d0c0b0a0908];
        assert_eq!(hash(key, &[]), 0x726fdb47dd0e0e31);
        assert_eq!(hash(key, &[0x0706050403020100]), 0x93f5f5799a932462);
    }
}
