//! Linux' own dm-crypt and dm-verity, in a guest, on what we made; and what they write, read by us.

use rkt_aes_xts::{Kernel, Sectors, Xts};
use rkt_luks::{Hash, Kdf, Options, Storage, format_luks1, format_luks2};
use rkt_tests_disks::guest::Guest;
use rkt_tests_disks::{FastXts, FileStorage, bytes, noise};
use rkt_verity_format::{Builder, Superblock};
use std::fs;

const UUID: &str = "6dd4f32e-9e51-4c5a-8d1e-0a2b8a9f7a11";
const KDF: Kdf = Kdf::Pbkdf2 { hash: Hash::Sha256, iterations: 1000 };
const PAYLOAD: u64 = 2 << 20;
const DATA: usize = 1 << 20;
/// Where the guest writes, and what: a pattern that is not ours.
const WRITTEN: usize = 64 << 10;

#[test]
fn dm_crypt_and_dm_verity_agree() {
    let Some(kernel) = Guest::kernel() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let plain = bytes(1, DATA);
    // Versions, key lengths and sector lengths; the sector number must count alike beyond the first.
    let kinds = [(1, 64, 512), (2, 32, 512), (2, 64, 4096), (2, 64, 2048)];
    let mut keys = Vec::new();
    for (number, (version, key_len, sector_len)) in kinds.into_iter().enumerate() {
        let mut storage = FileStorage::create(&path(&format!("crypt{number}")), PAYLOAD + DATA as u64).unwrap();
        let random = &mut noise(number as u64 + 2);
        let (_, key) = if version == 1 {
            format_luks1(&mut storage, UUID, key_len, &KDF, b"pass", &FastXts, random).unwrap()
        } else {
            let options = Options { key_len, sector_len, kdf: KDF, payload_offset: PAYLOAD, ..Options::new(UUID) };
            format_luks2(&mut storage, &options, b"pass", &FastXts, random).unwrap()
        };
        let xts = Xts::new(key.bytes(), Kernel::detect()).unwrap();
        let mut data = plain.clone();
        xts.encrypt(Sectors { first: 0, len: sector_len as usize }, &mut data).unwrap();
        storage.write(PAYLOAD, &data).unwrap();
        keys.push((xts, sector_len as usize));
    }
    let mut image = bytes(9, DATA);
    let superblock = Superblock::new([3; 16], DATA as u64 / 4096, b"salt").unwrap();
    let mut builder = Builder::new(superblock);
    image.chunks(4096).for_each(|block| builder.push(block));
    let built = builder.finish().unwrap();
    let verity_sum = sum(&image);
    image.extend_from_slice(&built.bytes);
    fs::write(path("verity"), &image).unwrap();

    let root: String = built.pin.root.iter().map(|byte| format!("{byte:02x}")).collect();
    let script = format!(
        "for d in a b c d; do
           echo -n pass | cryptsetup open --type luks --key-file - /dev/vd$d c$d
           echo $d $(sha256sum < /dev/mapper/c$d)
           yes | dd of=/dev/mapper/c$d bs=4096 count=1 seek={} iflag=fullblock conv=fsync 2>/dev/null
           cryptsetup close c$d
         done
         veritysetup open --hash-offset={DATA} /dev/vde v /dev/vde {root}
         echo v $(sha256sum < /dev/mapper/v)
         veritysetup close v",
        WRITTEN / 4096
    );
    let disks: Vec<_> = ["crypt0", "crypt1", "crypt2", "crypt3", "verity"].map(path).into();
    let guest = Guest {
        modules: &[
            "virtio_pci",
            "virtio_blk",
            "dm-crypt",
            "dm-verity",
            "xts",
            "aesni-intel",
            "sha256-ssse3",
            "sha256_generic",
        ],
        programs: &["cryptsetup", "veritysetup"],
        disks: &disks.iter().map(|disk| disk.as_path()).collect::<Vec<_>>(),
        script: &script,
    };
    let said = guest.run(&kernel).unwrap();
    for disk in ["a", "b", "c", "d"] {
        assert!(
            said.contains(&format!("{disk} {} -", sum(&plain))),
            "disk {disk} is another one to the kernel:\n{said}"
        );
    }
    assert!(said.contains(&format!("v {verity_sum} -")), "verity is another one to the kernel:\n{said}");

    let mut expected = plain;
    expected[WRITTEN..WRITTEN + 4096].copy_from_slice(&b"y\n".repeat(2048));
    for (number, (xts, len)) in keys.into_iter().enumerate() {
        let mut data = fs::read(path(&format!("crypt{number}"))).unwrap().split_off(PAYLOAD as usize);
        xts.decrypt(Sectors { first: 0, len }, &mut data).unwrap();
        assert!(data == expected, "what the kernel wrote to disk {number}");
    }
}

/// SHA-256 in hexadecimal.
fn sum(bytes: &[u8]) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
