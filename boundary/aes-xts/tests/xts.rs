//! All implementations against IEEE 1619's vectors, another implementation, and each other.

use aes::cipher::KeyInit;
use rkt_aes_xts::{Kernel, Sectors, Xts, XtsError, keep_upper_halves};
use rkt_window::Region;

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
}

/// Reproducible noise.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..len).map(|_| next()).collect()
}

fn kernels() -> Vec<Kernel> {
    Kernel::available().collect()
}

/// Key, data unit number, plaintext, ciphertext.
type Vector = (Vec<u8>, u64, Vec<u8>, Vec<u8>);

/// IEEE 1619-2018 annex B.
fn vectors() -> Vec<Vector> {
    let counting: Vec<u8> = (0..=255).chain(0..=255).collect();
    let v4 = "27a7479befa1d476489f308cd4cfa6e2a96e4bbe3208ff25287dd3819616e89cc78cf7f5e543445f8333d8fa7f560000\
              05279fa5d8b5e4ad40e736ddb4d35412328063fd2aab53e5ea1e0a9f332500a5df9487d07a5c92cc512c8866c7e860ce\
              93fdf166a24912b422976146ae20ce846bb7dc9ba94a767aaef20c0d61ad02655ea92dc4c4e41a8952c651d33174be51\
              a10c421110e6d81588ede82103a252d8a750e8768defffed9122810aaeb99f9172af82b604dc4b8e51bcb08235a6f434\
              1332e4ca60482a4ba1a03b3e65008fc5da76b70bf1690db4eae29c5f1badd03c5ccf2a55d705ddcd86d449511ceb7ec3\
              0bf12b1fa35b913f9f747a8afd1b130e94bff94effd01a91735ca1726acd0b197c4e5b03393697e126826fb6bbde8ecc\
              1e08298516e2c9ed03ff3c1b7860f6de76d4cecd94c8119855ef5297ca67e9f3e7ff72b1e99785ca0a7e7720c5b36dc6\
              d72cac9574c8cbbc2f801e23e56fd344b07f22154beba0f08ce8891e643ed995c94d9a69c9f1b5f499027a78572aeebd\
              74d20cc39881c213ee770b1010e4bea718846977ae119f7a023ab58cca0ad752afe656bb3c17256a9f6e9bf19fdd5a38\
              fc82bbe872c5539edb609ef4f79c203ebb140f2e583cb2ad15b4aa5b655016a8449277dbd477ef2c8d6c017db738b18d\
              eb4a427d1923ce3ff262735779a418f20a282df920147beabe421ee5319d0568";
    vec![
        (vec![0; 32], 0, vec![0; 32], bytes("917cf69ebd68b2ec9b9fe9a3eadda692cd43d2f59598ed858c02c2652fbf922e")),
        (
            [vec![0x11; 16], vec![0x22; 16]].concat(),
            0x33_3333_3333,
            vec![0x44; 32],
            bytes("c454185e6a16936e39334038acef838bfb186fff7480adc4289382ecd6d394f0"),
        ),
        (
            [bytes("fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0"), vec![0x22; 16]].concat(),
            0x33_3333_3333,
            vec![0x44; 32],
            bytes("af85336b597afc1a900b2eb21ec949d292df4c047e0b21532186a5971a227a89"),
        ),
        (bytes("2718281828459045235360287471352631415926535897932384626433832795"), 0, counting, bytes(v4)),
    ]
}

#[test]
fn vectors_of_the_standard() {
    for kernel in kernels() {
        for (i, (key, first, plain, cipher)) in vectors().into_iter().enumerate() {
            let xts = Xts::new(&key, kernel).unwrap();
            let sectors = Sectors { first, len: plain.len() };
            let mut data = plain.clone();
            xts.encrypt(sectors, &mut data).unwrap();
            assert_eq!(data, cipher, "vector {}, {kernel}", i + 1);
            xts.decrypt(sectors, &mut data).unwrap();
            assert_eq!(data, plain, "vector {}, {kernel}", i + 1);
        }
    }
}

/// What the crate `xts-mode` makes of the same.
fn oracle(key: &[u8], sectors: Sectors, data: &mut [u8]) {
    let tweak = |i: usize| u128::from(sectors.first.wrapping_add((i * sectors.len.div_ceil(512)) as u64)).to_le_bytes();
    let (k1, k2) = key.split_at(key.len() / 2);
    for (i, sector) in data.chunks_exact_mut(sectors.len).enumerate() {
        if k1.len() == 16 {
            let new = |key| aes::Aes128::new_from_slice(key).unwrap();
            xts_mode::Xts128::new(new(k1), new(k2)).encrypt_sector(sector, tweak(i).into());
        } else {
            let new = |key| aes::Aes256::new_from_slice(key).unwrap();
            xts_mode::Xts128::new(new(k1), new(k2)).encrypt_sector(sector, tweak(i).into());
        }
    }
}

#[test]
fn all_agree_with_another_implementation() {
    // Whole batches, rests of batches, one block; more sectors than tweaks are made at once.
    let shapes =
        [(16, 1), (16, 19), (32, 3), (48, 2), (112, 2), (240, 1), (272, 9), (512, 1), (512, 8), (512, 21), (4096, 3)];
    for (seed, (len, count)) in (1..).zip(shapes) {
        for key_len in [32, 64] {
            for first in [0, 1, u64::from(u32::MAX), u64::MAX - 2] {
                let (key, plain) = (noise(seed, key_len), noise(seed + 100, len * count));
                let sectors = Sectors { first, len };
                let mut expected = plain.clone();
                oracle(&key, sectors, &mut expected);
                for kernel in kernels() {
                    let xts = Xts::new(&key, kernel).unwrap();
                    let mut data = plain.clone();
                    xts.encrypt(sectors, &mut data).unwrap();
                    assert!(data == expected, "{kernel}, {key_len}-byte key, {count} of {sectors:?}");
                    xts.decrypt(sectors, &mut data).unwrap();
                    assert!(data == plain, "decrypting: {kernel}, {key_len}-byte key, {count} of {sectors:?}");
                }
            }
        }
    }
}

#[test]
fn the_window_holds_ciphertext_alone() {
    let memory = vec![0u64; 4096].leak();
    // SAFETY: leaked, and from here on reached through the region alone.
    let window = unsafe { Region::from_raw(memory.as_mut_ptr().cast(), 8 * 4096) };
    let (key, plain) = (noise(7, 64), noise(8, 8192));
    let sectors = Sectors { first: 99, len: 4096 };
    for kernel in kernels() {
        let xts = Xts::new(&key, kernel).unwrap();
        let (mut expected, mut there, mut back) = (vec![0; 8192], vec![0; 8192], vec![0; 8192]);
        xts.encrypt_to(sectors, &plain, &mut expected).unwrap();
        // Aligned to nothing.
        xts.encrypt_into(sectors, &plain, &window, 4097).unwrap();
        window.read(4097, &mut there).unwrap();
        assert!(there == expected, "{kernel}");
        xts.decrypt_from(sectors, &window, 4097, &mut back).unwrap();
        assert!(back == plain, "{kernel}");
        assert_eq!(xts.encrypt_into(sectors, &plain, &window, 8 * 4096 - 8191), Err(XtsError::Range));
    }
}

#[test]
fn odd_lengths_are_refused() {
    let xts = Xts::new(&[1; 32], Kernel::detect()).unwrap();
    let refused = |len, data| xts.encrypt(Sectors { first: 0, len }, &mut vec![0; data]) == Err(XtsError::SectorLength);
    assert!(refused(0, 512) && refused(8, 512) && refused(512, 513) && refused(1024, 512));
    assert!(!refused(512, 0));
    for len in [0, 16, 31, 48, 63, 65] {
        assert_eq!(Xts::new(&vec![0; len], Kernel::portable()).err(), Some(XtsError::KeyLength(len)));
    }
}

type Registers = [[u64; 4]; 2];

/// Loads two registers, calls `call(with)`, and stores them behind the values loaded.
#[unsafe(naked)]
unsafe extern "C" fn around(values: *mut [Registers; 2], call: unsafe extern "C" fn(*const ()), with: *const ()) {
    std::arch::naked_asm!(
        "push rbx",
        "mov rbx, rdi",
        "vmovdqu ymm0, [rbx]",
        "vmovdqu ymm13, [rbx + 32]",
        "mov rdi, rdx",
        "call rsi",
        "vmovdqu [rbx + 64], ymm0",
        "vmovdqu [rbx + 96], ymm13",
        "vzeroupper",
        "pop rbx",
        "ret",
    )
}

/// The upper halves after `f`, which found those of `values`.
fn upper_after(values: Registers, f: &dyn Fn()) -> [[u64; 2]; 2] {
    unsafe extern "C" fn call(f: *const ()) {
        // SAFETY: what is passed below.
        unsafe { (*f.cast::<&dyn Fn()>())() };
    }
    let mut both = [values, [[0; 4]; 2]];
    // SAFETY: the processor has AVX.
    unsafe { around(&mut both, call, (&raw const f).cast()) };
    both[1].map(|[_, _, a, b]| [a, b])
}

#[test]
fn upper_halves_stay_what_they_were() {
    if !std::is_x86_feature_detected!("avx") {
        return;
    }
    let xts = Xts::new(&[3; 64], Kernel::detect()).unwrap();
    let data = std::cell::RefCell::new([5; 4096]);
    let encrypt = || xts.encrypt(Sectors { first: 0, len: 4096 }, &mut *data.borrow_mut()).unwrap();
    // SAFETY: AVX is there, and all registers are declared.
    let spoil = || keep_upper_halves(|| unsafe { std::arch::asm!("vzeroall", clobber_abi("C")) });
    for values in [[[1, 2, 3, 4], [5, 6, 7, 8]], [[0; 4]; 2], [[0; 4], [1, 0, 0, 0]], [[0; 4], [0, 0, 0, 1 << 63]]] {
        let expected = values.map(|[_, _, a, b]: [u64; 4]| [a, b]);
        assert_eq!(upper_after(values, &encrypt), expected);
        assert_eq!(upper_after(values, &spoil), expected);
    }
}
