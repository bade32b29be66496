//! Pseudo file systems, locks, inotify.

mod common;

use common::*;
use rkt_linux_abi::Errno;
use rkt_linux_abi::general::*;
use rkt_platform::SpaceId;
use rkt_platform_mock::{each_seed, simulate, spawn};
use rkt_sched::yield_now;
use rkt_vfs::lock::{FileLock, FileLocks, LockOwner};
use rkt_vfs::pipe::Pipe;
use rkt_vfs::pseudo::{DynamicDir, DynamicEntry, Identity, PROC_MAGIC, PseudoDir, PseudoFile, PseudoFs, PseudoLink};
use rkt_vfs::{FileType, FsContext, Inode, Inotify, LinkTarget, Mount, OpenHow, Path, Resolve, open, ops};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

/// /proc with a directory for each of three processes, whose fd/0 is a given path.
struct Processes {
    device: u64,
    file: Path,
}

impl DynamicDir for Processes {
    fn lookup(&self, name: &[u8]) -> Result<Arc<dyn Inode>, Errno> {
        let name = std::str::from_utf8(name).map_err(|_| Errno::ENOENT)?;
        let pid: u64 = name.parse().ok().filter(|pid| [7, 8, 30].contains(pid)).ok_or(Errno::ENOENT)?;
        let dir = PseudoDir::new(Identity::new(self.device, 0o555).numbered(pid));
        let file = self.file.clone();
        let target = Box::new(move || Ok(LinkTarget::Jump(file.clone())));
        dir.directory("fd")?.add("0", PseudoLink::new(Identity::new(self.device, 0o700), target));
        Ok(dir)
    }

    fn list(&self, position: u64) -> Vec<DynamicEntry> {
        let entry = |pid: u64| DynamicEntry {
            name: pid.to_string().into_bytes(),
            kind: FileType::Directory,
            ino: pid,
            position: pid,
        };
        [7, 8, 30].into_iter().filter(|&pid| pid >= position).take(2).map(entry).collect()
    }
}

fn with_proc(file: impl FnOnce(&FsContext) -> Path) -> (FsContext, Arc<PseudoFs>) {
    let context = root();
    mkdir(&context, "proc");
    let file = file(&context);
    let fs = PseudoFs::new("proc", PROC_MAGIC, |device| Some(Box::new(Processes { device, file })));
    let at = resolve(&context, "proc").unwrap();
    Mount::attach(&at, fs.clone(), "proc", 0).unwrap();
    (context, fs)
}

#[test]
fn made_up_files() {
    run(|| {
        let (context, fs) = with_proc(|context| context.root.clone());
        let count = Arc::new(AtomicU64::new(0));
        let counter = count.clone();
        let text = move || Ok(format!("read {}\n", counter.fetch_add(1, Relaxed)).into_bytes());
        fs.directory().add_text("sys/kernel/ostype", text).unwrap();
        assert_eq!(read_file(&context, "proc/sys/kernel/ostype").as_deref(), Ok("read 0\n"));
        let file = open_flags(&context, "proc/sys/kernel/ostype", O_RDONLY).unwrap();
        let mut bytes = [0; 4];
        assert_eq!(read(&file, &mut bytes), Ok(4));
        assert_eq!(read(&file, &mut bytes), Ok(3), "one text for one pass");
        assert_eq!(read(&file, &mut bytes), Ok(0));
        assert_eq!(file.seek(0, SEEK_SET), Ok(0));
        assert_eq!(read(&file, &mut bytes), Ok(4));
        assert_eq!(count.load(Relaxed), 3);
        assert_eq!(file.metadata().size, 0);
        let value = Arc::new(Mutex::new(b"old".to_vec()));
        let (get, set) = (value.clone(), value);
        let identity = Identity::new(1, 0o644);
        let generate = Box::new(move || Ok(get.lock().unwrap().clone()));
        let accept = Box::new(move |bytes: &[u8]| {
            *set.lock().unwrap() = bytes.to_vec();
            Ok(())
        });
        fs.directory().directory("sys").unwrap().add("setting", PseudoFile::writable(identity, generate, accept));
        assert_eq!(write(&open_flags(&context, "proc/sys/setting", O_WRONLY | O_TRUNC).unwrap(), b"new"), Ok(3));
        assert_eq!(read_file(&context, "proc/sys/setting").as_deref(), Ok("new"));
        assert_eq!(names(&context, "proc"), [".", "..", "sys", "7", "8", "30"]);
        assert!(resolve(&context, "proc/30/fd").is_ok());
        assert_eq!(errno(resolve(&context, "proc/31")), Some(Errno::ENOENT));
        assert_eq!(shown(&context, &resolve(&context, "proc/30/fd/..").unwrap()), "/proc/30");
        assert_eq!(errno(open_flags(&context, "proc/new", O_CREAT | O_RDWR)), Some(Errno::ENOENT));
        assert_eq!(errno(ops::mkdir(&context, None, b"proc/new", 0o777)), Some(Errno::ENOENT));
    });
}

#[test]
fn magic_links_lead_to_the_object() {
    run(|| {
        let (context, _fs) = with_proc(|context| {
            write_file(context, "file", "text");
            let path = resolve(context, "file").unwrap();
            ops::unlink(context, None, b"file").unwrap();
            path
        });
        let link = context.resolve(None, b"proc/7/fd/0", Resolve::NO_FOLLOW).unwrap();
        assert_eq!(ops::readlink(&context, &link), Ok(b"/file (deleted)".to_vec()));
        assert_eq!(read_file(&context, "proc/7/fd/0").as_deref(), Ok("text"), "though it has no name any more");
        let how = OpenHow { flags: O_RDWR | O_CREAT, mode: 0, resolve: 0 };
        assert!(open(&context, None, b"proc/7/fd/0", &how).is_ok());
        let magic = Resolve { restrict: RESOLVE_NO_MAGICLINKS, ..Resolve::FOLLOW };
        assert_eq!(errno(context.resolve(None, b"proc/7/fd/0", magic)), Some(Errno::ELOOP));

        let (r, w) = Pipe::pair(0, 0, 0);
        let inside = w.path().clone();
        let (context, _fs) = with_proc(|_| inside);
        let again = open_flags(&context, "proc/7/fd/0", O_WRONLY).unwrap();
        drop(w);
        assert_eq!(write(&again, b"x"), Ok(1), "a pipe opened a second time");
        assert_eq!(read(&r, &mut [0; 2]), Ok(1));
        let shown = ops::readlink(&context, &context.resolve(None, b"proc/7/fd/0", Resolve::NO_FOLLOW).unwrap());
        assert!(shown.unwrap().starts_with(b"pipe:["));
    });
}

fn range(owner: u64, exclusive: bool, start: u64, end: u64) -> FileLock {
    FileLock { owner: LockOwner::Process(owner), exclusive, start, end }
}

#[test]
fn ranges_are_split_and_joined() {
    run(|| {
        let locks = FileLocks::default();
        locks.set(&range(1, true, 0, 100), false).unwrap();
        assert_eq!(locks.set(&range(2, false, 50, 60), false), Err(Errno::EAGAIN));
        assert_eq!(locks.conflict(&range(2, false, 50, 60)), Some(range(1, true, 0, 100)));
        locks.unset(&range(1, true, 40, 60));
        locks.set(&range(2, true, 40, 60), false).unwrap();
        assert_eq!(locks.conflict(&range(1, true, 0, u64::MAX)), Some(range(2, true, 40, 60)));
        locks.set(&range(1, false, 0, 20), false).unwrap();
        assert_eq!(locks.set(&range(3, false, 0, 20), false), Ok(()), "downgraded to shared");
        assert_eq!(locks.set(&range(3, false, 0, 21), false), Err(Errno::EAGAIN));
        locks.release_process(3);
        locks.set(&range(1, true, 0, 40), false).unwrap();
        locks.release_process(2);
        locks.set(&range(1, true, 40, 60), false).unwrap();
        assert_eq!(locks.conflict(&range(2, true, 10, 11)), Some(range(1, true, 0, 100)), "joined");
        let parse = |kind, start, len| FileLock::from_flock(LockOwner::Process(1), kind, 50, start, len);
        assert_eq!(parse(F_WRLCK, 0, 0), Ok((range(1, true, 50, u64::MAX), false)));
        assert_eq!(parse(F_RDLCK, -10, -20), Ok((range(1, false, 20, 40), false)));
        assert_eq!(parse(F_RDLCK, -60, 5), Err(Errno::EINVAL));
        assert_eq!(parse(9, 0, 0), Err(Errno::EINVAL));
        assert_eq!(parse(F_UNLCK, 0, 1).map(|(_, unlock)| unlock), Ok(true));
    });
}

#[test]
fn whole_file_locks_go_with_the_open_file() {
    run(|| {
        let context = root();
        let (one, two) = (create(&context, "f"), create(&context, "f"));
        let owner = |file: &rkt_vfs::OpenFile| LockOwner::OpenFile(rkt_vfs::lock::open_file_id(file));
        let locks = two.inode().clone();
        let locks = locks.locks().unwrap();
        locks.flock(owner(&one), Some(false), false).unwrap();
        locks.flock(owner(&two), Some(false), false).unwrap();
        assert_eq!(locks.flock(owner(&two), Some(true), false), Err(Errno::EAGAIN));
        drop(one);
        locks.flock(owner(&two), Some(true), false).unwrap();
        locks.flock(owner(&two), None, false).unwrap();
    });
}

#[test]
fn waiting_for_locks_ends_or_is_a_deadlock() {
    each_seed(40, |seed| {
        simulate(seed, || {
            let locks = Arc::new(FileLocks::default());
            locks.set(&range(1, true, 0, 1), false).unwrap();
            let other = locks.clone();
            spawn(SpaceId::NONE, move || {
                other.set(&range(2, true, 1, 2), true).unwrap();
                match other.set(&range(2, true, 0, 1), true) {
                    Ok(()) => {}
                    Err(error) => assert_eq!(error, Errno::EDEADLK),
                }
                other.release_process(2);
            });
            for _ in 0..3 {
                yield_now();
            }
            match locks.set(&range(1, true, 1, 2), true) {
                Ok(()) => {}
                Err(error) => assert_eq!(error, Errno::EDEADLK),
            }
            locks.release_process(1);
        });
    });
}

#[test]
fn inotify_tells_what_happens() {
    run(|| {
        let context = root();
        mkdir(&context, "d");
        let instance_file = Inotify::create(O_NONBLOCK);
        let instance = Inotify::of(&instance_file).unwrap();
        let d = resolve(&context, "d").unwrap();
        assert_eq!(instance.add_watch(&d, IN_ALL_EVENTS), Ok(1));
        assert_eq!(instance.add_watch(&d, IN_ALL_EVENTS | IN_MASK_CREATE), Err(Errno::EEXIST));
        drop(d); // or the directory would not end with its name
        let events = || {
            let mut bytes = vec![0; 4096];
            let n = match read(&instance_file, &mut bytes) {
                Ok(n) => n,
                Err(error) => return vec![(-1, 0, error.name().to_string())],
            };
            let mut found = Vec::new();
            let mut rest = &bytes[..n];
            while let Some((head, tail)) = rest.split_at_checked(16) {
                let word = |i: usize| u32::from_ne_bytes(head[i * 4..i * 4 + 4].try_into().unwrap());
                let (name, next) = tail.split_at(word(3) as usize);
                let name = String::from_utf8(name.to_vec()).unwrap().trim_end_matches('\0').to_string();
                found.push((word(0) as i32, word(1), name));
                rest = next;
            }
            found
        };
        write_file(&context, "d/f", "x");
        let named = |mask, name: &str| (1, mask, name.to_string());
        let expected = [IN_CREATE, IN_OPEN, IN_MODIFY, IN_CLOSE_WRITE].map(|mask| named(mask, "f"));
        assert_eq!(events(), expected);
        rkt_vfs::rename(&context, (None, b"d/f"), (None, b"d/g"), 0).unwrap();
        mkdir(&context, "d/e");
        assert_eq!(events(), [named(IN_MOVED_FROM, "f"), named(IN_MOVED_TO, "g"), named(IN_CREATE | IN_ISDIR, "e")]);
        ops::unlink(&context, None, b"d/g").unwrap();
        ops::rmdir(&context, None, b"d/e").unwrap();
        ops::rmdir(&context, None, b"d").unwrap();
        assert_eq!(
            events(),
            [named(IN_DELETE, "g"), named(IN_DELETE | IN_ISDIR, "e"), named(IN_DELETE_SELF, ""), named(IN_IGNORED, "")]
        );
        assert_eq!(events(), [(-1, 0, "EAGAIN".to_string())]);
        assert_eq!(instance.remove_watch(1), Err(Errno::EINVAL));
    });
}
