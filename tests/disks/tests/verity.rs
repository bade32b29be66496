//! Verity against `veritysetup`, both ways.

use rkt_tests_disks::{bytes, installed, refuses, tool};
use rkt_verity_format::{Builder, Built, Superblock};
use std::fs;

const UUID: &str = "6dd4f32e-9e51-4c5a-8d1e-0a2b8a9f7a11";
const UUID_BYTES: [u8; 16] =
    [0x6d, 0xd4, 0xf3, 0x2e, 0x9e, 0x51, 0x4c, 0x5a, 0x8d, 0x1e, 0x0a, 0x2b, 0x8a, 0x9f, 0x7a, 0x11];

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn build(data: &[u8], salt: &[u8]) -> Built {
    let superblock = Superblock::new(UUID_BYTES, data.len() as u64 / 4096, salt).unwrap();
    let mut builder = Builder::new(superblock);
    data.chunks(4096).for_each(|block| builder.push(block));
    builder.finish().unwrap()
}

#[test]
fn trees_are_the_same_to_the_byte() {
    if !installed(&["veritysetup"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    for (blocks, salt) in [(1, vec![]), (2, vec![1]), (128, vec![2; 32]), (129, vec![3; 256]), (17_000, vec![4; 32])] {
        let data = bytes(blocks, blocks as usize * 4096);
        let built = build(&data, &salt);
        let (data_file, tree_file, own_file) = (path("data"), path("tree"), path("own"));
        let _ = fs::remove_file(&tree_file);
        fs::write(&data_file, &data).unwrap();
        let salt = if salt.is_empty() { "-".into() } else { hex(&salt) };
        let printed =
            tool("veritysetup", &["format", "--uuid", UUID, "--salt", &salt, &data_file, &tree_file], b"").unwrap();
        assert!(printed.contains(&hex(&built.pin.root)), "{blocks} blocks: {printed}");
        assert!(fs::read(&tree_file).unwrap() == built.bytes, "{blocks} blocks");
        fs::write(&own_file, &built.bytes).unwrap();
        tool("veritysetup", &["verify", &data_file, &own_file, &hex(&built.pin.root)], b"").unwrap();
    }
}

#[test]
fn data_with_its_tree_behind_it() {
    if !installed(&["veritysetup"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image").to_str().unwrap().to_owned();
    let mut image = bytes(9, 500 * 4096);
    let built = build(&image, b"salt");
    let offset = format!("--hash-offset={}", image.len());
    image.extend_from_slice(&built.bytes);
    fs::write(&path, &image).unwrap();
    let root = hex(&built.pin.root);
    let verify = ["verify", &offset, &path, &path, &root];
    tool("veritysetup", &verify, b"").unwrap();
    image[123_456] ^= 1;
    fs::write(&path, &image).unwrap();
    assert!(refuses("veritysetup", &verify, b"").unwrap());
}
