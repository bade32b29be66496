//! LUKS against `cryptsetup` and `qemu-img`, both ways.

use anyhow::Result;
use rkt_aes_xts::{Kernel, Sectors};
use rkt_luks::{Container, Hash, Kdf, Limits, LuksError, Options, Storage, VolumeKey, format_luks1, format_luks2};
use rkt_tests_disks::{FastXts, FileStorage, bytes, installed, noise, refuses, tool};
use std::path::Path;

const UUID: &str = "6dd4f32e-9e51-4c5a-8d1e-0a2b8a9f7a11";
const LEN: u64 = 20 << 20;
const PBKDF2: Kdf = Kdf::Pbkdf2 { hash: Hash::Sha256, iterations: 1000 };
const ARGON2: Kdf = Kdf::Argon2 { id: true, time: 4, memory: 64, lanes: 2 };

fn in_folder(name: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name).to_str().unwrap().to_owned();
    (folder, path)
}

/// `cryptsetup` with the passphrase on its standard input.
fn cryptsetup(args: &[&str], passphrase: &str) -> Result<String> {
    tool("cryptsetup", &[&["--batch-mode", "--key-file=-"], args].concat(), passphrase.as_bytes())
}

fn is_known(path: &str, passphrase: &str) -> bool {
    let args = ["--batch-mode", "--key-file=-", "open", "--test-passphrase", path];
    !refuses("cryptsetup", &args, passphrase.as_bytes()).unwrap()
}

fn open(path: &str, passphrase: &str) -> Result<(Container, VolumeKey), LuksError> {
    let mut storage = FileStorage::open(Path::new(path)).unwrap();
    let container = Container::open(&mut storage)?;
    let (_, key) = container.unlock(&mut storage, passphrase.as_bytes(), &FastXts, &Limits::DEFAULT)?;
    Ok((container, key))
}

/// The volume key as `cryptsetup` sees it.
fn dumped_key(path: &str, passphrase: &str) -> Vec<u8> {
    let (_folder, file) = in_folder("key");
    cryptsetup(&["luksDump", "--dump-volume-key", "--volume-key-file", &file, path], passphrase).unwrap();
    std::fs::read(file).unwrap()
}

#[test]
fn what_cryptsetup_makes_opens() {
    if !installed(&["cryptsetup"]) {
        return;
    }
    let cases: [&[&str]; 7] = [
        &["--type=luks1", "--key-size=512", "--pbkdf-force-iterations=1000"],
        &["--type=luks1", "--key-size=256", "--hash=sha1", "--pbkdf-force-iterations=1000"],
        &["--type=luks1", "--key-size=512", "--hash=sha512", "--pbkdf-force-iterations=1000"],
        &["--type=luks2", "--key-size=512", "--pbkdf=argon2id", "--pbkdf-memory=64", "--pbkdf-force-iterations=4"],
        &[
            "--type=luks2",
            "--sector-size=512",
            "--key-size=256",
            "--pbkdf=argon2i",
            "--pbkdf-memory=64",
            "--pbkdf-force-iterations=4",
        ],
        &["--type=luks2", "--sector-size=4096", "--pbkdf=pbkdf2", "--hash=sha512", "--pbkdf-force-iterations=1000"],
        &["--type=luks2", "--luks2-metadata-size=64k", "--pbkdf=pbkdf2", "--pbkdf-force-iterations=1000", "--label=x"],
    ];
    for case in cases {
        let (_folder, path) = in_folder("disk");
        FileStorage::create(Path::new(&path), LEN).unwrap();
        let format = [&["luksFormat", "--cipher=aes-xts-plain64", "--uuid", UUID], case, &[&path]].concat();
        cryptsetup(&format, "first").unwrap();
        let (container, key) = open(&path, "first").unwrap_or_else(|error| panic!("{case:?}: {error}"));
        assert_eq!(key.bytes(), dumped_key(&path, "first"), "{case:?}");
        assert_eq!(container.uuid().unwrap(), UUID);
        let payload = container.payload(LEN).unwrap();
        assert_eq!(payload.offset + payload.len, LEN);
        let dump = cryptsetup(&["luksDump", &path], "").unwrap();
        let sector = dump.lines().find_map(|line| line.trim().strip_prefix("sector:")?.trim().strip_suffix(" [bytes]"));
        assert_eq!(sector.unwrap_or("512"), payload.sector_len.to_string(), "{dump}");
        assert_eq!(open(&path, "second").err(), Some(LuksError::WrongKey), "{case:?}");
    }
}

#[test]
fn cryptsetup_opens_and_changes_what_we_make() {
    if !installed(&["cryptsetup"]) {
        return;
    }
    for (version, kdf, key_len, sector_len) in
        [(1, PBKDF2, 64, 512), (1, PBKDF2, 32, 512), (2, PBKDF2, 32, 512), (2, ARGON2, 64, 4096)]
    {
        let (_folder, path) = in_folder("disk");
        let mut storage = FileStorage::create(Path::new(&path), LEN).unwrap();
        let random = &mut noise(1);
        let (mut container, key) = if version == 1 {
            format_luks1(&mut storage, UUID, key_len, &kdf, b"one", &FastXts, random).unwrap()
        } else {
            let options = Options { key_len, sector_len, kdf, label: "label".into(), ..Options::new(UUID) };
            format_luks2(&mut storage, &options, b"one", &FastXts, random).unwrap()
        };
        assert_eq!(container.version(), version);
        let dump = cryptsetup(&["luksDump", &path], "").unwrap();
        assert!(dump.contains(UUID), "{dump}");
        assert_eq!(dumped_key(&path, "one"), key.bytes());
        assert!(!is_known(&path, "two"));

        let two = container.add_key(&mut storage, &key, b"two", &kdf, &FastXts, random).unwrap();
        assert!(is_known(&path, "one") && is_known(&path, "two"));
        container.remove_key(&mut storage, 0, random).unwrap();
        assert!(!is_known(&path, "one") && is_known(&path, "two"));
        let numbers: Vec<_> = container.slots().iter().map(|slot| slot.number).collect();
        assert_eq!(numbers, [two]);
        assert_eq!(container.remove_key(&mut storage, 0, random), Err(LuksError::NoSlot(0)));

        // The other changes it, and we see that.
        let (_keys, new) = in_folder("new");
        std::fs::write(&new, "three").unwrap();
        cryptsetup(&["luksAddKey", "--pbkdf=pbkdf2", "--pbkdf-force-iterations=1000", &path, &new], "two").unwrap();
        assert_eq!(open(&path, "three").unwrap().1.bytes(), key.bytes());
        cryptsetup(&["luksKillSlot", &path, &two.to_string()], "three").unwrap();
        assert_eq!(open(&path, "two").err(), Some(LuksError::WrongKey));
        assert_eq!(open(&path, "three").unwrap().1.bytes(), key.bytes());
    }
}

#[test]
fn either_copy_of_the_header_is_enough() {
    let (_folder, path) = in_folder("disk");
    let mut storage = FileStorage::create(Path::new(&path), LEN).unwrap();
    let options = Options { kdf: PBKDF2, ..Options::new(UUID) };
    let (_, key) = format_luks2(&mut storage, &options, b"one", &FastXts, &mut noise(2)).unwrap();
    for copy in [0, options.header_size] {
        storage.write(copy + 5000, b"rubbish").unwrap();
        let (mut container, opened) = open(&path, "one").unwrap();
        assert!(container.is_degraded());
        assert_eq!(opened.bytes(), key.bytes());
        // The next change makes both whole again, in the eyes of others, too.
        let slot = container.add_key(&mut storage, &key, b"x", &PBKDF2, &FastXts, &mut noise(3)).unwrap();
        container.remove_key(&mut storage, slot, &mut noise(4)).unwrap();
        assert!(!open(&path, "one").unwrap().0.is_degraded());
    }
    storage.write(5000, b"rubbish").unwrap();
    storage.write(options.header_size + 5000, b"rubbish").unwrap();
    assert!(matches!(open(&path, "one"), Err(LuksError::Corrupt(_))));
}

#[test]
fn costs_are_bounded_and_unknown_things_named() {
    let (_folder, path) = in_folder("disk");
    let mut storage = FileStorage::create(Path::new(&path), LEN).unwrap();
    let options = Options { kdf: ARGON2, ..Options::new(UUID) };
    let (container, _) = format_luks2(&mut storage, &options, b"one", &FastXts, &mut noise(5)).unwrap();
    let limits = Limits { memory: 63, ..Limits::DEFAULT };
    let refused = container.unlock(&mut storage, b"one", &FastXts, &limits);
    assert_eq!(refused.err(), Some(LuksError::TooCostly { what: "KiB", asked: 64, allowed: 63 }));

    // A cipher that we do not have, under a good checksum.
    if installed(&["cryptsetup"]) {
        let format = ["luksFormat", "--type=luks1", "--cipher=aes-xts-plain", "--pbkdf-force-iterations=1000", &path];
        cryptsetup(&format, "one").unwrap();
        let name = "aes-xts-plain".into();
        assert_eq!(open(&path, "one").err(), Some(LuksError::Unsupported { what: "cipher", name }));
    }
}

#[test]
fn the_same_randomness_makes_the_same_container() {
    let make = || {
        let mut storage = vec![0; LEN as usize];
        let options = Options { kdf: PBKDF2, ..Options::new(UUID) };
        format_luks2(&mut storage, &options, b"one", &FastXts, &mut noise(6)).unwrap();
        storage
    };
    assert!(make() == make());
}

/// Decrypts or encrypts the payload of an image as the driver of a disk would.
fn payload(path: &str, passphrase: &str) -> (Vec<u8>, u64, rkt_aes_xts::Xts, Sectors) {
    let (container, key) = open(path, passphrase).unwrap();
    let mut image = std::fs::read(path).unwrap();
    let place = container.payload(image.len() as u64).unwrap();
    let xts = rkt_aes_xts::Xts::new(key.bytes(), Kernel::detect()).unwrap();
    let sectors = Sectors { first: place.first_tweak, len: place.sector_len as usize };
    let data = image.drain(place.offset as usize..(place.offset + place.len) as usize).collect();
    (data, place.offset, xts, sectors)
}

#[test]
fn qemu_sees_the_same_data() {
    if !installed(&["qemu-img"]) {
        return;
    }
    let plain = bytes(7, 1 << 20);
    let (folder, path) = in_folder("disk");
    let raw = folder.path().join("raw").to_str().unwrap().to_owned();
    std::fs::write(&raw, &plain).unwrap();
    let secret = "secret,id=s,data=pass";
    let options = "key-secret=s,cipher-alg=aes-256,cipher-mode=xts,ivgen-alg=plain64,iter-time=10";
    let convert = ["convert", "--object", secret, "-O", "luks", "-o", options, &raw, &path];
    tool("qemu-img", &convert, b"").unwrap();
    let (mut data, _, xts, sectors) = payload(&path, "pass");
    xts.decrypt(sectors, &mut data).unwrap();
    assert!(data == plain, "qemu-img wrote, we read");

    let other = bytes(8, 1 << 20);
    let mut storage = FileStorage::create(Path::new(&path), (2 << 20) + other.len() as u64).unwrap();
    format_luks1(&mut storage, UUID, 64, &PBKDF2, b"pass", &FastXts, &mut noise(9)).unwrap();
    let (_, offset, xts, sectors) = payload(&path, "pass");
    let mut data = other.clone();
    xts.encrypt(sectors, &mut data).unwrap();
    storage.write(offset, &data).unwrap();
    let image = format!("driver=luks,key-secret=s,file.driver=file,file.filename={path}");
    tool("qemu-img", &["convert", "--object", secret, "--image-opts", &image, "-O", "raw", &raw], b"").unwrap();
    assert!(std::fs::read(&raw).unwrap() == other, "we wrote, qemu-img read");
}
