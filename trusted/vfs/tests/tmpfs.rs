//! Content of tmpfs files against a model.

mod common;

use common::*;
use rkt_linux_abi::Errno;
use rkt_linux_abi::general::*;
use rkt_platform_mock::{each_seed, pick, simulate};
use rkt_user::{IoSink, IoSource};
use rkt_vfs::tmpfs::{Attributes, Backing, TmpFs, add_seals, memfd, seals};
use rkt_vfs::{Credentials, FsContext, MappedFolio, Mount, OpenFile, Resolve, Time, ops};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Content of a test image: a byte depends on its offset.
struct Pattern {
    len: u64,
    fills: AtomicUsize,
    broken: bool,
}

fn pattern_byte(at: u64) -> u8 {
    (at.wrapping_mul(31) >> 3) as u8 | 1
}

impl Backing for Pattern {
    fn len(&self) -> u64 {
        self.len
    }
    fn fill(&self, offset: u64, into: &mut [u8]) -> Result<(), Errno> {
        assert!(offset + into.len() as u64 <= self.len);
        self.fills.fetch_add(1, Relaxed);
        if self.broken {
            return Err(Errno::EIO);
        }
        into.iter_mut().zip(offset..).for_each(|(byte, at)| *byte = pattern_byte(at));
        Ok(())
    }
}

fn backed(len: u64, broken: bool) -> (FsContext, Arc<Pattern>) {
    let fs = TmpFs::new(256 << 20, 1000, 0o755).unwrap();
    let pattern = Arc::new(Pattern { len, fills: AtomicUsize::new(0), broken });
    let attributes = Attributes { mode: S_IFREG | 0o644, mtime: Time::new(1000, 0), ..Attributes::default() };
    fs.insert(b"dir/file", &attributes, Some(pattern.clone())).unwrap();
    let root = Mount::new_root(fs, "none", 0).root();
    let credentials = Arc::new(Credentials::root());
    (FsContext { cwd: root.clone(), root, umask: 0o022, credentials }, pattern)
}

fn read_at(file: &OpenFile, at: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0xee; len];
    let n = file.read_at(at as i64, &mut IoSink::kernel(&mut bytes)).unwrap();
    bytes.truncate(n);
    bytes
}

fn write_at(file: &OpenFile, at: u64, bytes: &[u8]) {
    assert_eq!(file.write_at(at as i64, &mut IoSource::kernel(bytes)), Ok(bytes.len()));
}

/// A file and what it should have in it.
struct Model {
    file: Arc<OpenFile>,
    bytes: Vec<u8>,
    mapped: Vec<MappedFolio>,
    span: u64,
}

impl Model {
    fn range(&self) -> (u64, u64) {
        // Often around the edges of folios.
        let edge = [0, 4096, 8192, 65536, 131072, 4 << 20][pick(6) as usize];
        let at = if pick(2) == 0 { pick(self.span) } else { (edge + pick(64)).saturating_sub(32) };
        let len = [1, 100, 5000, 70_000, 300_000][pick(5) as usize];
        (at, 1 + pick(len))
    }

    fn resize(&mut self, len: u64) {
        self.bytes.resize(len as usize, 0);
    }

    fn clear(&mut self, from: u64, to: u64) {
        let len = self.bytes.len();
        let (from, to) = ((from as usize).min(len), (to as usize).min(len));
        self.bytes[from..to].fill(0);
    }

    fn write_through_mapping(&mut self, at: u64, byte: u8) {
        let Some(folio) = self.mapped.iter().find(|m| m.start <= at && at < m.start + m.folio.size() as u64) else {
            return;
        };
        folio.folio.copy_in((at - folio.start) as usize, &[byte]).unwrap();
        if let Some(place) = self.bytes.get_mut(at as usize) {
            *place = byte;
        }
    }

    fn step(&mut self) {
        let (at, len) = self.range();
        let byte = 1 + pick(255) as u8;
        match pick(12) {
            0..4 => {
                write_at(&self.file, at, &vec![byte; len as usize]);
                let end = (at + len).max(self.bytes.len() as u64);
                self.resize(end);
                self.bytes[at as usize..(at + len) as usize].fill(byte);
            }
            4 => {
                self.file.truncate(at as i64).unwrap();
                self.resize(at);
            }
            5 => {
                let mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
                self.file.allocate(mode, at as i64, len as i64).unwrap();
                self.clear(at, at + len);
            }
            6 => {
                let mode = if pick(2) == 0 { 0 } else { FALLOC_FL_KEEP_SIZE };
                self.file.allocate(mode, at as i64, len as i64).unwrap();
                if mode == 0 && at + len > self.bytes.len() as u64 {
                    self.resize(at + len);
                }
            }
            7 if !self.bytes.is_empty() => {
                let at = pick(self.bytes.len() as u64);
                let map = self.file.ops().map(&self.file).unwrap();
                self.mapped.push(map.folio(at).unwrap());
                self.write_through_mapping(at, byte);
            }
            8 => self.write_through_mapping(at, byte),
            9 if pick(4) == 0 => self.mapped.clear(),
            _ => {}
        }
        let from = (at as usize).min(self.bytes.len());
        let to = ((at + len) as usize).min(self.bytes.len());
        assert!(read_at(&self.file, at, len as usize) == self.bytes[from..to], "read at {at}+{len}");
    }

    fn check(&self) {
        let len = self.bytes.len() as u64;
        assert_eq!(self.file.metadata().size, len);
        assert!(read_at(&self.file, 0, self.bytes.len() + 1) == self.bytes, "the whole content");
        for mapped in &self.mapped {
            let start = mapped.start as usize;
            let mut bytes = vec![0; mapped.folio.size()];
            mapped.folio.copy_out(0, &mut bytes).unwrap();
            let end = (start + bytes.len()).min(self.bytes.len());
            if start < end {
                assert!(bytes[..end - start] == self.bytes[start..end], "mapping at {start}");
            }
        }
        // Data and holes cover the file; holes are zero.
        let mut at = 0;
        while at < len {
            let hole = self.file.seek(at as i64, SEEK_HOLE).unwrap();
            let data = self.file.seek(at as i64, SEEK_DATA);
            match data {
                Ok(data) if data == at => assert!(hole > at),
                other => {
                    assert_eq!(hole, at);
                    let end = other.unwrap_or(len);
                    assert!(self.bytes[at as usize..end as usize].iter().all(|&byte| byte == 0));
                }
            }
            at = hole.max(data.unwrap_or(len));
        }
    }
}

#[test]
fn content_is_that_of_a_model() {
    each_seed(60, |seed| {
        simulate(seed, move || {
            let initial = if seed % 2 == 0 { 0 } else { 1 + pick(200_000) };
            let (file, bytes) = if initial == 0 {
                (create(&root(), "file"), Vec::new())
            } else {
                let (context, _) = backed(initial, false);
                let bytes = (0..initial).map(pattern_byte).collect();
                (open_flags(&context, "dir/file", O_RDWR).unwrap(), bytes)
            };
            let span = [10_000, 200_000, 5 << 20][(seed % 3) as usize];
            let mut model = Model { file, bytes, mapped: Vec::new(), span };
            for step in 0..60 {
                model.step();
                if step % 10 == 9 {
                    model.check();
                }
            }
        });
    });
}

#[test]
fn a_backing_is_read_once_and_in_parts() {
    run(|| {
        let (context, pattern) = backed(200_000, false);
        let stat = lstat(&context, "dir/file").unwrap();
        assert_eq!((stat.size, stat.mtime.seconds()), (200_000, 1000));
        assert_eq!(pattern.fills.load(Relaxed), 0, "looking at a file reads nothing");
        let file = open_flags(&context, "dir/file", O_RDONLY).unwrap();
        for _ in 0..2 {
            assert_eq!(read_at(&file, 150_000, 10), (150_000..150_010).map(pattern_byte).collect::<Vec<_>>());
        }
        assert_eq!(pattern.fills.load(Relaxed), 1);
        ops::truncate(&context, None, b"dir/file", 0).unwrap();
        ops::truncate(&context, None, b"dir/file", 10).unwrap();
        assert_eq!(read_at(&file, 0, 20), [0; 10]);
        let (context, _) = backed(100, true);
        assert_eq!(errno(read_file(&context, "dir/file")), Some(Errno::EIO));
        assert_eq!(errno(ops::truncate(&context, None, b"dir/file", 0)), None, "needs no content");
    });
}

#[test]
fn limits() {
    run(|| {
        let fs = TmpFs::new(1 << 20, 4, 0o755).unwrap();
        let root = Mount::new_root(fs, "none", 0).root();
        let context = FsContext { cwd: root.clone(), root, umask: 0, credentials: Arc::new(Credentials::root()) };
        let file = create(&context, "f");
        let bytes = vec![7; 2 << 20];
        let n = write(&file, &bytes).unwrap();
        assert!((900 << 10..=1 << 20).contains(&n), "{n}");
        assert_eq!(write(&file, &bytes), Err(Errno::ENOSPC));
        file.truncate(0).unwrap();
        assert_eq!(file.allocate(0, 0, 2 << 20), Err(Errno::ENOSPC));
        file.truncate(1 << 40).unwrap();
        assert_eq!(file.metadata().blocks, file.metadata().blocks.min(2048));
        assert_eq!(file.truncate(-1), Err(Errno::EINVAL));
        assert_eq!(file.seek(i64::MAX, SEEK_SET), Ok(i64::MAX as u64));
        assert_eq!(write(&file, b"x"), Err(Errno::EINVAL));
        assert_eq!(file.seek(1, SEEK_CUR), Err(Errno::EINVAL));
        assert_eq!(file.seek(-1, SEEK_SET), Err(Errno::EINVAL));
        assert_eq!(file.seek(0, 9), Err(Errno::EINVAL));
        assert_eq!(file.allocate(FALLOC_FL_COLLAPSE_RANGE, 0, 4096), Err(Errno::EOPNOTSUPP));
        assert_eq!(file.allocate(0, 0, 0), Err(Errno::EINVAL));
        create(&context, "g");
        create(&context, "h");
        assert_eq!(errno(open_flags(&context, "i", O_CREAT | O_RDWR)), Some(Errno::ENOSPC));
        ops::unlink(&context, None, b"h").unwrap();
        create(&context, "i");
    });
}

#[test]
fn a_deep_tree_goes_without_a_deep_stack() {
    run(|| {
        let mut context = root();
        for _ in 0..5000 {
            mkdir(&context, "d");
            context.cwd = resolve(&context, "d").unwrap();
        }
        let inode = Arc::downgrade(context.cwd.inode());
        context.cwd = context.root.clone();
        drop(context);
        assert!(inode.upgrade().is_none());
    });
}

#[test]
fn appending_and_positions() {
    run(|| {
        let context = root();
        write_file(&context, "f", "one");
        let file = open_flags(&context, "f", O_RDWR | O_APPEND).unwrap();
        assert_eq!(write(&file, b"two"), Ok(3));
        assert_eq!(file.position(), 6);
        write_at(&file, 0, b"three");
        assert_eq!(read_file(&context, "f").as_deref(), Ok("onetwothree"), "pwrite appends, too (pwrite(2), BUGS)");
        file.set_flags(O_NONBLOCK).unwrap();
        write_at(&file, 0, b"ONE");
        assert_eq!(file.flags(), O_RDWR | O_NONBLOCK | O_LARGEFILE);
        assert_eq!(read_file(&context, "f").as_deref(), Ok("ONEtwothree"));
        let truncated = open_flags(&context, "f", O_WRONLY | O_TRUNC).unwrap();
        assert_eq!(read(&truncated, &mut [0; 4]), Err(Errno::EBADF));
        assert_eq!(read_file(&context, "f").as_deref(), Ok(""));
        let only_path = open_flags(&context, "f", O_PATH).unwrap();
        assert_eq!(read(&only_path, &mut [0; 4]), Err(Errno::EBADF));
        assert_eq!(only_path.seek(0, SEEK_SET), Err(Errno::EBADF));
    });
}

#[test]
fn sealing() {
    run(|| {
        let credentials = Arc::new(Credentials::root());
        let file = memfd(b"name", MFD_ALLOW_SEALING, credentials.clone()).unwrap();
        write_at(&file, 0, b"content");
        assert_eq!(seals(&file), Ok(0));
        add_seals(&file, F_SEAL_SHRINK | F_SEAL_GROW).unwrap();
        assert_eq!(file.truncate(3), Err(Errno::EPERM));
        assert_eq!(file.truncate(30), Err(Errno::EPERM));
        assert_eq!(file.write_at(5, &mut IoSource::kernel(b"1234")), Ok(2), "up to the end");
        assert_eq!(file.write_at(7, &mut IoSource::kernel(b"1234")), Err(Errno::EPERM));
        let map = file.ops().map(&file).unwrap();
        map.map_writable(true).unwrap();
        assert_eq!(add_seals(&file, F_SEAL_WRITE), Err(Errno::EBUSY));
        map.map_writable(false).unwrap();
        add_seals(&file, F_SEAL_WRITE | F_SEAL_SEAL).unwrap();
        assert_eq!(file.write_at(0, &mut IoSource::kernel(b"x")), Err(Errno::EPERM));
        assert_eq!(map.map_writable(true), Err(Errno::EPERM));
        assert_eq!(add_seals(&file, F_SEAL_WRITE), Err(Errno::EPERM));
        assert_eq!(shown(&root(), file.path()), "/memfd:name (deleted)");
        let plain = memfd(b"", 0, credentials.clone()).unwrap();
        assert_eq!(add_seals(&plain, F_SEAL_WRITE), Err(Errno::EPERM));
        assert_eq!(errno(memfd(&[b'x'; 250], 0, credentials)), Some(Errno::EINVAL));
        assert_eq!(seals(&create(&root(), "f")), Ok(F_SEAL_SEAL));
    });
}

#[test]
fn an_archive_is_entered() {
    run(|| {
        let fs = TmpFs::new(1 << 20, 20_000, 0o755).unwrap();
        let plain = |mode| Attributes { mode, uid: 1, gid: 2, mtime: Time::new(9, 0), ..Attributes::default() };
        fs.insert(b"usr/bin/a", &plain(S_IFREG | 0o755), None).unwrap();
        fs.insert(b"usr", &plain(S_IFDIR | 0o711), None).unwrap();
        fs.insert(b".", &plain(S_IFDIR | 0o700), None).unwrap();
        let a = fs.insert(b"usr/bin/b", &plain(S_IFREG | 0o755), None).unwrap();
        fs.insert_link(b"usr/lib/c", &a).unwrap();
        let target = Attributes { target: b"usr/bin", ..plain(S_IFLNK | 0o777) };
        fs.insert(b"bin", &target, None).unwrap();
        assert_eq!(errno(fs.insert(b"bin", &plain(S_IFREG), None)), Some(Errno::EEXIST));
        assert_eq!(errno(fs.insert(b"usr/..", &plain(S_IFREG), None)), Some(Errno::EINVAL));
        assert_eq!(errno(fs.insert(b"x", &plain(0), None)), Some(Errno::EINVAL));
        for i in 0..10_000 {
            fs.insert(format!("many/{i}").as_bytes(), &plain(S_IFREG | 0o644), None).unwrap();
        }
        let root = Mount::new_root(fs, "none", 0).root();
        let context = FsContext { cwd: root.clone(), root, umask: 0, credentials: Arc::new(Credentials::root()) };
        let b = lstat(&context, "bin/b").unwrap();
        assert_eq!((b.nlink, b.uid, b.gid, b.mtime.seconds()), (2, 1, 2, 9));
        assert_eq!(lstat(&context, "usr").unwrap().mode, S_IFDIR | 0o711);
        assert_eq!(lstat(&context, "usr").unwrap().nlink, 4);
        assert_eq!(names(&context, "many").len(), 10_002);
        assert!(context.resolve(None, b"many/9999", Resolve::FOLLOW).is_ok());
    });
}
