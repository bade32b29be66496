//! Damaged disks: errors, never a panic or a hang; and damage is told and stops writing.

mod common;

use common::model::Random;
use common::*;
use rkt_ext4::{Allocate, Error, Event, Options, SetMode};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A small file system with something of everything, its journal not yet replayed.
fn victim(checksums: bool) -> Vec<u8> {
    let mut options = options();
    (options.block_size, options.checksums) = (1024, checksums);
    let disk = formatted_with(4 << 20, &options);
    let fs = mount(&disk);
    let dir = fs.create(2, b"dir", &directory()).unwrap();
    for number in 0..120 {
        let ino = fs.create(dir, format!("a longer name, number {number}").as_bytes(), &file()).unwrap();
        fs.write_at(ino, number * 1000, b"data").unwrap();
    }
    let ino = fs.create(2, b"fragments", &file()).unwrap();
    for at in 0..200 {
        fs.write_at(ino, at * 2048, &[at as u8; 1024]).unwrap();
    }
    fs.set_xattr(ino, b"user.a", &[1; 500], SetMode::Any).unwrap();
    fs.symlink(2, b"link", &file(), &[b'l'; 100]).unwrap();
    let held = fs.create(2, b"orphan", &file()).unwrap();
    fs.write_at(held, 0, &[1; 5000]).unwrap();
    fs.hold(held).unwrap();
    fs.unlink(2, b"orphan").unwrap();
    fs.sync().unwrap();
    disk.bytes()
}

/// Looks at everything that can be reached.
fn look(fs: &Fs) {
    let mut seen = BTreeSet::new();
    let mut queue = vec![fs.root()];
    while let Some(ino) = queue.pop() {
        if !seen.insert(ino) || seen.len() > 500 {
            continue;
        }
        let Ok(stat) = fs.stat(ino) else { continue };
        let _ = fs.parent(ino);
        let _ = fs.read_link(ino);
        if let Ok(names) = fs.list_xattr(ino) {
            names.split(|byte| *byte == 0).for_each(|name| drop(fs.xattr(ino, name)));
        }
        let mut bytes = vec![0; 4096];
        for offset in [0, stat.size / 2, stat.size.saturating_sub(4096)] {
            let _ = fs.read_at(ino, offset, &mut bytes);
        }
        let mut at = 0;
        for _ in 0..100 {
            let Ok(found) = fs.map(ino, at, 1000) else { break };
            at = at.saturating_add(found.len);
        }
        let mut left = 1000;
        let _ = fs.read_dir(ino, 0, &mut |entry| {
            queue.push(entry.ino);
            left -= 1;
            left > 0
        });
        let _ = fs.lookup(ino, b"a longer name, number 7");
    }
}

/// Changes whatever can be changed.
fn change(fs: &Fs) {
    let dir = fs.lookup(2, b"dir").unwrap_or(2);
    for number in 0..40 {
        let _ =
            fs.create(dir, format!("new {number}").as_bytes(), &file()).map(|ino| fs.write_at(ino, 3000, &[1; 5000]));
        let _ = fs.unlink(dir, format!("a longer name, number {number}").as_bytes());
    }
    let _ = fs.rename(2, b"dir", 2, b"moved");
    if let Ok(ino) = fs.lookup(2, b"fragments") {
        let _ = fs.fallocate(ino, Allocate::Punch, 5000, 100_000);
        let _ = fs.set_xattr(ino, b"user.b", &[2; 300], SetMode::Any);
        let _ = fs.fallocate(ino, Allocate::Collapse, 2048, 2048);
        let _ = fs.set_size(ino, 100);
    }
    let _ = fs.unlink(2, b"link");
    let _ = fs.sync();
    let _ = fs.unmount();
}

/// Damages a few bytes, mostly where metadata is.
fn damage(bytes: &mut [u8], random: &mut Random) {
    for _ in 0..1 + random.below(6) {
        let block = match random.below(4) {
            0 => 1 + random.below(3),
            1 => random.below(80),
            _ => random.below(bytes.len() as u64 / 1024),
        };
        let at = (block * 1024 + random.below(1024)) as usize;
        let values = [0, 1, 0xff, 0x7f, 0x80, random.next() as u8, bytes[at] ^ (1 << random.below(8))];
        let len = [1, 1, 2, 4, 8][random.below(5) as usize];
        let value = *random.pick(&values).unwrap();
        bytes[at..].iter_mut().take(len).for_each(|byte| *byte = value);
    }
}

#[test]
fn damaged_disks_neither_panic_nor_hang() {
    let rounds: u64 = std::env::var("RKT_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(400);
    let victims = [victim(false), victim(true)];
    let mut mounted = 0;
    for seed in 0..rounds {
        let mut random = Random(seed);
        // Without checksums damage gets further.
        let mut bytes = victims[usize::from(seed % 8 == 0)].clone();
        damage(&mut bytes, &mut random);
        for read_only in [true, false] {
            let disk = RamDisk::from_bytes(bytes.clone());
            let options = Options { read_only, ..Options::default() };
            let Ok(fs) = Fs::mount(disk, World::new(), options) else { continue };
            mounted += 1;
            look(&fs);
            if !read_only {
                change(&fs);
            }
        }
    }
    assert!(mounted > rounds, "most damage is not seen at once: {mounted}");
}

#[test]
fn damage_is_told_and_stops_writing() {
    let disk = formatted(16 << 20);
    let fs = mount(&disk);
    let ino = fs.create(2, b"file", &file()).unwrap();
    fs.set_xattr(ino, b"user.large", &[7; 2000], SetMode::Any).unwrap();
    fs.unmount().unwrap();
    let mut bytes = disk.bytes();
    let at = bytes.windows(2000).rposition(|window| window == [7; 2000]).unwrap();
    bytes[at] = 8;
    let disk = RamDisk::from_bytes(bytes);
    let world = World::new();
    let fs = Fs::mount(disk, world.clone(), Options::default()).unwrap();
    let ino = fs.lookup(2, b"file").unwrap();
    let Err(Error::Corrupt(found)) = fs.xattr(ino, b"user.large") else { panic!("damage was not seen") };
    assert_eq!((found.what, found.block), ("wrong checksum", Some(at as u64 / 4096)));
    assert_eq!(*world.events.lock().unwrap(), [Event::Corrupt(found), Event::ReadOnly]);
    assert_eq!(fs.create(2, b"other", &file()), Err(Error::ReadOnly));
    assert!(fs.is_read_only());
}

#[test]
fn threads_may_do_everything_at_once() {
    let disk = formatted(64 << 20);
    let fs = Arc::new(mount(&disk));
    let workers: Vec<_> = (0..4_u8)
        .map(|worker| {
            let fs = fs.clone();
            std::thread::spawn(move || {
                let dir = fs.create(2, format!("dir {worker}").as_bytes(), &directory()).unwrap();
                for number in 0..150_u32 {
                    let ino = fs.create(dir, number.to_string().as_bytes(), &file()).unwrap();
                    fs.write_at(ino, 0, &vec![worker; 20_000]).unwrap();
                    if number % 10 == 0 {
                        fs.fsync(ino, number % 20 == 0).unwrap();
                    }
                    if number % 3 == 0 {
                        fs.unlink(dir, number.to_string().as_bytes()).unwrap();
                    }
                }
            })
        })
        .collect();
    workers.into_iter().for_each(|worker| worker.join().unwrap());
    for worker in 0..4_u8 {
        let dir = walk(&fs, &format!("dir {worker}"));
        assert_eq!(names(&fs, dir).len(), 100);
        names(&fs, dir).iter().for_each(|(_, ino)| assert_eq!(read_all(&fs, *ino), vec![worker; 20_000]));
    }
    fs.unmount().unwrap();
    check(&disk);
}

#[test]
fn reservations_are_kept() {
    let disk = formatted(8 << 20);
    let fs = mount(&disk);
    let ino = fs.create(2, b"file", &file()).unwrap();
    let free = fs.statistics().free;
    let mut promised = fs.reserve(300).unwrap();
    assert_eq!(fs.statistics().free, free - 300);
    let other = fs.create(2, b"other", &file()).unwrap();
    assert_eq!(fs.write_at(other, 0, &vec![1; 8 << 20]), Err(Error::NoSpace));
    let nines = |_: usize, into: &mut [u8]| into.fill(9);
    fs.write_blocks(ino, 0, 200, &nines, 200 * 4096, &mut promised).unwrap();
    fs.write_blocks(ino, 200, 50, &nines, 250 * 4096 - 5, &mut promised).unwrap();
    assert_eq!(promised.blocks(), 50);
    fs.unreserve(promised);
    assert_eq!(fs.stat(ino).unwrap().size, 250 * 4096 - 5);
    assert!(read_all(&fs, ino).iter().all(|byte| *byte == 9));
    fs.unmount().unwrap();
    check(&disk);
}
