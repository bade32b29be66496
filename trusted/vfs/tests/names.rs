//! mkdir, link, unlink, rename and listings.

mod common;

use common::*;
use rkt_linux_abi::Errno;
use rkt_linux_abi::general::*;
use rkt_platform::SpaceId;
use rkt_platform_mock::{each_seed, pick, simulate, spawn};
use rkt_sched::WaitQueue;
use rkt_vfs::{FsContext, ops};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

fn rename(context: &FsContext, from: &str, to: &str, flags: u32) -> Option<Errno> {
    errno(rkt_vfs::rename(context, (None, from.as_bytes()), (None, to.as_bytes()), flags))
}

fn unlink(context: &FsContext, path: &str) -> Option<Errno> {
    errno(ops::unlink(context, None, path.as_bytes()))
}

fn rmdir(context: &FsContext, path: &str) -> Option<Errno> {
    errno(ops::rmdir(context, None, path.as_bytes()))
}

#[test]
fn making_and_removing() {
    run(|| {
        let context = root();
        mkdir(&context, "d/");
        mkdir(&context, "d/e");
        write_file(&context, "f", "");
        let mkdir_errno = |path: &str| errno(ops::mkdir(&context, None, path.as_bytes(), 0o777));
        assert_eq!(mkdir_errno("d"), Some(Errno::EEXIST));
        assert_eq!(mkdir_errno("."), Some(Errno::EEXIST));
        assert_eq!(mkdir_errno("/"), Some(Errno::EEXIST));
        assert_eq!(mkdir_errno("f/x"), Some(Errno::ENOTDIR));
        assert_eq!(mkdir_errno("x/y"), Some(Errno::ENOENT));
        assert_eq!(errno(ops::symlink(&context, b"", None, b"s")), Some(Errno::ENOENT));
        assert_eq!(errno(ops::symlink(&context, b"t", None, b"s/")), Some(Errno::ENOENT));
        assert_eq!(rmdir(&context, "d"), Some(Errno::ENOTEMPTY));
        assert_eq!(rmdir(&context, "d/."), Some(Errno::EINVAL));
        assert_eq!(rmdir(&context, "d/.."), Some(Errno::ENOTEMPTY));
        assert_eq!(rmdir(&context, "/"), Some(Errno::EBUSY));
        assert_eq!(rmdir(&context, "f"), Some(Errno::ENOTDIR));
        assert_eq!(unlink(&context, "d"), Some(Errno::EISDIR));
        assert_eq!(unlink(&context, "d/.."), Some(Errno::EISDIR));
        assert_eq!(unlink(&context, "f/"), Some(Errno::ENOTDIR));
        assert_eq!(unlink(&context, "x"), Some(Errno::ENOENT));
        assert_eq!(lstat(&context, "d").unwrap().nlink, 3);
        assert_eq!(rmdir(&context, "d/e/"), None);
        assert_eq!(lstat(&context, "d").unwrap().nlink, 2);
        assert_eq!(rmdir(&context, "d"), None);
        assert_eq!(unlink(&context, "f"), None);
        assert_eq!(names(&context, "/"), [".", ".."]);
    });
}

#[test]
fn links_count() {
    run(|| {
        let context = root();
        write_file(&context, "a", "text");
        mkdir(&context, "d");
        let a = resolve(&context, "a").unwrap();
        let link = |path: &str| errno(ops::link(&context, &a, None, path.as_bytes()));
        assert_eq!(link("b"), None);
        assert_eq!(link("b"), Some(Errno::EEXIST));
        assert_eq!(link("d/"), Some(Errno::EEXIST));
        assert_eq!(link("x/y"), Some(Errno::ENOENT));
        assert_eq!(errno(ops::link(&context, &resolve(&context, "d").unwrap(), None, b"e")), Some(Errno::EPERM));
        assert_eq!(lstat(&context, "b").unwrap().nlink, 2);
        assert_eq!(lstat(&context, "b").unwrap().ino, lstat(&context, "a").unwrap().ino);
        assert_eq!(rename(&context, "a", "b", 0), None);
        assert_eq!(lstat(&context, "a").unwrap().nlink, 2, "two names of one file: nothing happens");
        assert_eq!(unlink(&context, "a"), None);
        assert_eq!(read_file(&context, "b").as_deref(), Ok("text"));
        let b = resolve(&context, "b").unwrap();
        assert_eq!(unlink(&context, "b"), None);
        assert_eq!(b.inode().metadata().nlink, 0);
        assert_eq!(errno(ops::link(&context, &b, None, b"back")), Some(Errno::ENOENT));
    });
}

#[test]
fn renaming() {
    run(|| {
        let context = root();
        mkdir(&context, "d");
        mkdir(&context, "d/sub");
        mkdir(&context, "empty");
        write_file(&context, "f", "f");
        write_file(&context, "g", "g");
        assert_eq!(rename(&context, "x", "y", 0), Some(Errno::ENOENT));
        assert_eq!(rename(&context, "d", "d/sub/x", 0), Some(Errno::EINVAL));
        assert_eq!(rename(&context, "d", "d", 0), None);
        assert_eq!(rename(&context, "d/sub", "d", 0), Some(Errno::ENOTEMPTY));
        assert_eq!(rename(&context, "empty", "d", 0), Some(Errno::ENOTEMPTY));
        assert_eq!(rename(&context, "f", "d", 0), Some(Errno::EISDIR));
        assert_eq!(rename(&context, "d", "f", 0), Some(Errno::ENOTDIR));
        assert_eq!(rename(&context, "f", "h/", 0), Some(Errno::ENOTDIR));
        assert_eq!(rename(&context, ".", "h", 0), Some(Errno::EBUSY));
        assert_eq!(rename(&context, "d", "d/sub/..", 0), Some(Errno::EBUSY));
        assert_eq!(rename(&context, "f", "g", RENAME_NOREPLACE), Some(Errno::EEXIST));
        assert_eq!(rename(&context, "f", "x", RENAME_EXCHANGE), Some(Errno::ENOENT));
        assert_eq!(rename(&context, "f", "g", RENAME_EXCHANGE | RENAME_NOREPLACE), Some(Errno::EINVAL));

        assert_eq!(rename(&context, "f", "g", RENAME_EXCHANGE), None);
        assert_eq!(read_file(&context, "f").as_deref(), Ok("g"));
        assert_eq!(rename(&context, "f", "g", 0), None);
        assert_eq!(read_file(&context, "g").as_deref(), Ok("g"));
        assert_eq!(errno(resolve(&context, "f")), Some(Errno::ENOENT));
        assert_eq!(rename(&context, "d", "empty", 0), None, "a directory replaces an empty one");
        assert!(resolve(&context, "empty/sub").is_ok());
        assert_eq!(lstat(&context, "/").unwrap().nlink, 3);
        mkdir(&context, "other");
        let sub = resolve(&context, "empty/sub").unwrap();
        assert_eq!(rename(&context, "empty/sub", "other/moved/", 0), None);
        assert_eq!(shown(&context, &sub), "/other/moved");
        assert_eq!(lstat(&context, "empty").unwrap().nlink, 2);
        assert_eq!(lstat(&context, "other").unwrap().nlink, 3);
        assert_eq!(rename(&context, "g", "other/moved", RENAME_EXCHANGE), None);
        assert_eq!(shown(&context, &sub), "/g");
        assert_eq!(read_file(&context, "other/moved").as_deref(), Ok("g"));
        assert_eq!(lstat(&context, "other").unwrap().nlink, 2);
        assert_eq!(lstat(&context, "/").unwrap().nlink, 5);
    });
}

#[test]
fn listings_survive_changes() {
    run(|| {
        let context = root();
        for i in 0..100 {
            write_file(&context, &format!("f{i:02}"), "");
        }
        let dir = open_flags(&context, "/", O_RDONLY).unwrap();
        let mut seen = Vec::new();
        loop {
            let mut batch = Vec::new();
            dir.read_dir(&mut |entry| {
                let room = batch.len() < 7;
                if room {
                    batch.push(String::from_utf8(entry.name.to_vec()).unwrap());
                }
                room
            })
            .unwrap();
            if batch.is_empty() {
                break;
            }
            for name in batch.iter().filter(|name| name.starts_with('f')) {
                assert_eq!(unlink(&context, name), None);
            }
            seen.append(&mut batch);
        }
        assert_eq!(seen.len(), 102);
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 102, "each name once");
        assert_eq!(dir.seek(0, SEEK_SET), Ok(0));
        assert_eq!(names(&context, "/"), [".", ".."]);
    });
}

#[test]
fn times_and_modes() {
    run(|| {
        let context = root();
        write_file(&context, "f", "text");
        let f = resolve(&context, "f").unwrap();
        let change = |atime, mtime| ops::set_times(&context, &f, atime, mtime);
        let then = rkt_vfs::Time::new(-5, 7);
        change(ops::TimeChange::Keep, ops::TimeChange::To(then)).unwrap();
        let meta = f.inode().metadata();
        assert_eq!((meta.mtime.seconds(), meta.mtime.nanoseconds()), (-5, 7));
        assert!(meta.ctime > meta.mtime);
        rkt_platform_mock::advance(1000);
        read_file(&context, "f").unwrap();
        assert!(f.inode().metadata().atime > meta.atime, "older than ctime: set");
        let read_at = f.inode().metadata().atime;
        rkt_platform_mock::advance(1000);
        read_file(&context, "f").unwrap();
        assert_eq!(f.inode().metadata().atime, read_at, "relatime: young enough");
        ops::chmod(&context, &f, 0o6755).unwrap();
        ops::chown(&context, &f, Some(5), None).unwrap();
        assert_eq!(f.inode().metadata().mode, S_IFREG | 0o755, "chown takes set-user-ID away");
    });
}

#[test]
fn extended_attributes() {
    run(|| {
        let context = root();
        write_file(&context, "f", "");
        let f = resolve(&context, "f").unwrap();
        let set = |name: &[u8], value: &[u8], flags| errno(ops::set_xattr(&context, &f, name, value, flags));
        assert_eq!(set(b"user.a", b"1", XATTR_REPLACE), Some(Errno::ENODATA));
        assert_eq!(set(b"user.a", b"1", XATTR_CREATE), None);
        assert_eq!(set(b"user.a", b"1", XATTR_CREATE), Some(Errno::EEXIST));
        assert_eq!(set(b"trusted.b", b"", 0), None);
        assert_eq!(set(b"unknown.b", b"", 0), Some(Errno::EOPNOTSUPP));
        assert_eq!(ops::get_xattr(&context, &f, b"user.a"), Ok(b"1".to_vec()));
        assert_eq!(f.inode().list_xattr(), Ok(b"trusted.b\0user.a\0".to_vec()));
        let user = user(&context, 1000);
        assert_eq!(ops::get_xattr(&user, &f, b"trusted.b"), Err(Errno::ENODATA));
        assert_eq!(errno(ops::set_xattr(&user, &f, b"user.c", b"", 0)), Some(Errno::EACCES));
        assert_eq!(errno(ops::remove_xattr(&context, &f, b"user.a")), None);
        assert_eq!(errno(ops::remove_xattr(&context, &f, b"user.a")), Some(Errno::ENODATA));
    });
}

/// Threads rename, make and remove the same few names; in the end tree and link counts agree.
#[test]
fn names_under_random_schedules() {
    each_seed(60, |seed| {
        simulate(seed, || {
            let context = root();
            for dir in ["a", "b", "a/c"] {
                mkdir(&context, dir);
            }
            let left = Arc::new((AtomicUsize::new(3), WaitQueue::new()));
            for _ in 0..3 {
                let (context, left) = (context.clone(), left.clone());
                spawn(SpaceId::NONE, move || {
                    for _ in 0..40 {
                        act(&context);
                    }
                    left.0.fetch_sub(1, Relaxed);
                    left.1.wake_all(0);
                });
            }
            left.1.wait(None, || (left.0.load(Relaxed) == 0).then_some(())).unwrap();
            check_directory(&context, "", 0);
        });
    });
}

fn act(context: &FsContext) {
    let path = || ["a", "b", "a/c", "a/x", "b/x", "a/c/x", "b/c", "x"][pick(8) as usize];
    match pick(6) {
        0 => drop(open_flags(context, path(), O_CREAT | O_RDWR)),
        1 => drop(unlink(context, path())),
        2 => drop(rmdir(context, path())),
        3 => drop(ops::mkdir(context, None, path().as_bytes(), 0o777)),
        4 => drop(resolve(context, path())),
        _ => drop(rename(context, path(), path(), [0, RENAME_NOREPLACE, RENAME_EXCHANGE][pick(3) as usize])),
    }
}

fn check_directory(context: &FsContext, path: &str, depth: u32) {
    assert!(depth < 20, "a loop of directories");
    let mut directories = 0;
    for name in names(context, &format!("/{path}")).iter().filter(|name| !name.starts_with('.')) {
        let child = format!("{path}/{name}");
        let at = resolve(context, &child).unwrap();
        assert_eq!(shown(context, &at), child, "the tree agrees with the file system");
        if at.is_directory() {
            directories += 1;
            check_directory(context, &child, depth + 1);
        } else {
            assert_eq!(at.inode().metadata().nlink, 1);
        }
    }
    assert_eq!(lstat(context, &format!("/{path}")).unwrap().nlink, directories + 2);
}
