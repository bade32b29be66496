//! Path resolution and open(2), error by error.

mod common;

use common::*;
use rkt_linux_abi::Errno;
use rkt_linux_abi::general::*;
use rkt_vfs::tmpfs::TmpFs;
use rkt_vfs::{FileType, FsContext, Mount, OpenHow, Resolve, open, ops};

/// /dir/file, /dir/sub/, links of all sorts.
fn tree() -> FsContext {
    let context = root();
    mkdir(&context, "/dir");
    mkdir(&context, "/dir/sub");
    write_file(&context, "/dir/file", "text");
    symlink(&context, "dir", "/to_dir");
    symlink(&context, "/dir/file", "/to_file");
    symlink(&context, "nothing", "/dangling");
    symlink(&context, "loop", "/loop");
    symlink(&context, "../file", "/dir/sub/up");
    symlink(&context, "dir/", "/slash_dir");
    symlink(&context, "to_file/", "/slash_file");
    context
}

#[test]
fn resolution() {
    run(|| {
        let context = tree();
        let long = "n".repeat(256);
        let deep = "./".repeat(2048);
        let table: &[(&str, Result<&str, Errno>)] = &[
            ("/", Ok("/")),
            ("//", Ok("/")),
            (".", Ok("/")),
            ("..", Ok("/")),
            ("/../../dir", Ok("/dir")),
            ("dir//sub/./", Ok("/dir/sub")),
            ("dir/sub/..", Ok("/dir")),
            ("to_dir/file", Ok("/dir/file")),
            ("to_dir/", Ok("/dir")),
            ("to_file", Ok("/dir/file")),
            ("to_file/", Err(Errno::ENOTDIR)),
            ("dir/sub/up", Ok("/dir/file")),
            ("slash_dir", Ok("/dir")),
            ("slash_dir/sub", Ok("/dir/sub")),
            ("slash_file", Err(Errno::ENOTDIR)),
            ("", Err(Errno::ENOENT)),
            ("nothing", Err(Errno::ENOENT)),
            ("nothing/more", Err(Errno::ENOENT)),
            ("dangling", Err(Errno::ENOENT)),
            ("dir/file/", Err(Errno::ENOTDIR)),
            ("dir/file/.", Err(Errno::ENOTDIR)),
            ("dir/file/..", Err(Errno::ENOTDIR)),
            ("dir/file/more", Err(Errno::ENOTDIR)),
            ("loop", Err(Errno::ELOOP)),
            ("loop/more", Err(Errno::ELOOP)),
            (&long, Err(Errno::ENAMETOOLONG)),
            (&deep, Err(Errno::ENAMETOOLONG)),
            (&deep[1..], Ok("/")),
        ];
        for (path, expected) in table {
            let found = resolve(&context, path).map(|at| shown(&context, &at));
            assert_eq!(found, expected.map(String::from), "{path}");
        }
        assert_eq!(lstat(&context, "to_file").unwrap().mode & S_IFMT, S_IFLNK);
        assert_eq!(lstat(&context, "to_dir/").unwrap().mode & S_IFMT, S_IFDIR);
    });
}

#[test]
fn forty_links_are_the_limit() {
    run(|| {
        let context = root();
        write_file(&context, "l0", "end");
        for i in 0..41 {
            symlink(&context, &format!("l{i}"), &format!("l{}", i + 1));
        }
        assert!(resolve(&context, "l40").is_ok());
        assert_eq!(errno(resolve(&context, "l41")), Some(Errno::ELOOP));
    });
}

#[test]
fn opening() {
    run(|| {
        let context = tree();
        ops::mknod(&context, None, b"socket", S_IFSOCK | 0o666, 0).unwrap();
        ops::mknod(&context, None, b"device", S_IFCHR | 0o666, rkt_vfs::make_device(99, 99)).unwrap();
        let table: &[(&str, u32, Option<Errno>)] = &[
            ("dir/file", O_RDONLY, None),
            ("dir/file", O_RDWR | O_CREAT, None),
            ("dir/file", O_RDWR | O_CREAT | O_EXCL, Some(Errno::EEXIST)),
            ("dangling", O_RDWR | O_CREAT | O_EXCL, Some(Errno::EEXIST)),
            ("dangling", O_RDWR | O_CREAT | O_NOFOLLOW, Some(Errno::ELOOP)),
            ("dangling", O_RDWR, Some(Errno::ENOENT)),
            ("loop", O_RDWR | O_CREAT, Some(Errno::ELOOP)),
            ("to_file", O_RDONLY | O_NOFOLLOW, Some(Errno::ELOOP)),
            ("to_file", O_PATH | O_NOFOLLOW, None),
            ("to_dir", O_RDONLY | O_DIRECTORY, None),
            ("to_dir", O_RDONLY | O_DIRECTORY | O_NOFOLLOW, Some(Errno::ENOTDIR)),
            ("dir", O_RDONLY, None),
            ("dir", O_WRONLY, Some(Errno::EISDIR)),
            ("dir", O_RDONLY | O_CREAT, Some(Errno::EISDIR)),
            ("dir", O_RDONLY | O_TRUNC, Some(Errno::EISDIR)),
            ("dir/file", O_RDONLY | O_DIRECTORY, Some(Errno::ENOTDIR)),
            ("new/", O_RDWR | O_CREAT, Some(Errno::EISDIR)),
            ("dir/file/", O_RDWR | O_CREAT, Some(Errno::EISDIR)),
            ("nothing/new", O_RDWR | O_CREAT, Some(Errno::ENOENT)),
            ("dir/file/new", O_RDWR | O_CREAT, Some(Errno::ENOTDIR)),
            ("dir/..", O_RDWR | O_CREAT, Some(Errno::EISDIR)),
            ("/", O_RDWR | O_CREAT | O_EXCL, Some(Errno::EEXIST)),
            ("new", O_RDWR | O_CREAT | O_DIRECTORY, Some(Errno::EINVAL)),
            ("dir", O_TMPFILE | O_RDONLY, Some(Errno::EINVAL)),
            ("dir", O_TMPFILE | O_RDWR, None),
            ("dir/file", O_TMPFILE | O_RDWR, Some(Errno::ENOTDIR)),
            ("socket", O_RDWR, Some(Errno::ENXIO)),
            ("socket", O_PATH, None),
            ("device", O_RDWR, Some(Errno::ENXIO)),
        ];
        for &(path, flags, expected) in table {
            assert_eq!(errno(open_flags(&context, path, flags)), expected, "{path} {flags:o}");
        }
        // Through the dangling link.
        assert!(open_flags(&context, "dangling", O_RDWR | O_CREAT).is_ok());
        assert_eq!(lstat(&context, "nothing").unwrap().mode, S_IFREG | 0o644);
    });
}

#[test]
fn permissions() {
    run(|| {
        let context = tree();
        let user = user(&context, 1000);
        assert_eq!(errno(open_flags(&user, "dir/file", O_RDONLY)), None);
        assert_eq!(errno(open_flags(&user, "dir/file", O_RDWR)), Some(Errno::EACCES));
        assert_eq!(errno(open_flags(&user, "dir/file", O_RDONLY | O_TRUNC)), Some(Errno::EACCES));
        assert_eq!(errno(open_flags(&user, "dir/new", O_RDWR | O_CREAT)), Some(Errno::EACCES));
        assert_eq!(errno(open_flags(&user, "dir/file", O_RDONLY | O_NOATIME)), Some(Errno::EPERM));
        assert_eq!(errno(ops::unlink(&user, None, b"dir/file")), Some(Errno::EACCES));
        let dir = resolve(&context, "dir").unwrap();
        assert_eq!(errno(ops::chmod(&user, &dir, 0o777)), Some(Errno::EPERM));
        ops::chmod(&context, &dir, 0o600).unwrap();
        assert_eq!(errno(resolve(&user, "dir/file")), Some(Errno::EACCES));
        assert_eq!(errno(resolve(&user, "dir/nothing")), Some(Errno::EACCES));
        assert!(resolve(&context, "dir/file").is_ok(), "root searches every directory");
        let file = resolve(&context, "dir/file").unwrap();
        assert_eq!(errno(ops::access(&context, &file, 1)), Some(Errno::EACCES), "but executes no plain file");
        // A file that its creator may not write to is open for writing all the same.
        ops::chmod(&context, &dir, 0o1777).unwrap();
        let how = OpenHow { flags: O_CREAT | O_RDWR, mode: 0o400, resolve: 0 };
        let mine = open(&user, None, b"dir/mine", &how).unwrap();
        assert_eq!(write(&mine, b"x"), Ok(1));
        assert_eq!(errno(open_flags(&user, "dir/mine", O_RDWR)), Some(Errno::EACCES));
        // In a sticky directory only one's own names can be removed.
        assert_eq!(errno(ops::unlink(&user, None, b"dir/file")), Some(Errno::EPERM));
        assert_eq!(errno(ops::unlink(&user, None, b"dir/mine")), None);
        assert_eq!(errno(ops::chown(&user, &file, Some(1000), None)), Some(Errno::EPERM));
    });
}

#[test]
fn set_group_id_directories_hand_down_their_group() {
    run(|| {
        let context = root();
        mkdir(&context, "d");
        let at = resolve(&context, "d").unwrap();
        ops::chown(&context, &at, None, Some(55)).unwrap();
        ops::chmod(&context, &at, 0o2777).unwrap();
        let user = user(&context, 1000);
        mkdir(&user, "d/sub");
        let sub = lstat(&context, "d/sub").unwrap();
        assert_eq!((sub.uid, sub.gid, sub.mode), (1000, 55, S_IFDIR | 0o2755));
        let how = OpenHow { flags: O_CREAT | O_RDWR, mode: 0o2777, resolve: 0 };
        open(&user, None, b"d/file", &how).unwrap();
        let file = lstat(&context, "d/file").unwrap();
        assert_eq!((file.gid, file.mode), (55, S_IFREG | 0o755), "not a member: no set-group-ID");
    });
}

#[test]
fn mounts_are_crossed_both_ways() {
    run(|| {
        let context = tree();
        let inner = TmpFs::new(1 << 20, 100, 0o755).unwrap();
        let at = resolve(&context, "dir/sub").unwrap();
        let mount = Mount::attach(&at, inner, "inner", MS_NOSUID).unwrap();
        write_file(&context, "dir/sub/inside", "x");
        let inside = resolve(&context, "dir/sub/inside").unwrap();
        assert_eq!(shown(&context, &inside), "/dir/sub/inside");
        assert_ne!(inside.inode().metadata().dev, at.inode().metadata().dev);
        assert_eq!(shown(&context, &resolve(&context, "dir/sub/..").unwrap()), "/dir");
        assert_eq!(errno(ops::rmdir(&context, None, b"dir/sub")), Some(Errno::EBUSY));
        let rename = rkt_vfs::rename(&context, (None, b"dir/file"), (None, b"dir/sub/file"), 0);
        assert_eq!(errno(rename), Some(Errno::EXDEV));
        let file = resolve(&context, "dir/file").unwrap();
        assert_eq!(errno(ops::link(&context, &file, None, b"dir/sub/file")), Some(Errno::EXDEV));
        let text = String::from_utf8(rkt_vfs::mounts_text(&context.root)).unwrap();
        assert!(text.contains("inner /dir/sub tmpfs rw,nosuid,size=1024k 0 0\n"), "{text}");
        mount.set_flags(MS_RDONLY);
        assert_eq!(errno(open_flags(&context, "dir/sub/new", O_CREAT | O_RDWR)), Some(Errno::EROFS));
        assert_eq!(errno(open_flags(&context, "dir/sub/inside", O_RDWR)), Some(Errno::EROFS));
        assert_eq!(mount.detach(false), Err(Errno::EBUSY), "somebody is in it");
        drop(inside);
        mount.detach(false).unwrap();
        assert_eq!(errno(resolve(&context, "dir/sub/inside")), Some(Errno::ENOENT));
        assert!(resolve(&context, "dir/sub/up").is_ok());
        // A new root hides what is above it.
        let confined = FsContext { root: resolve(&context, "dir").unwrap(), ..context.clone() };
        assert_eq!(shown(&confined, &resolve(&confined, "/..").unwrap()), "/");
        assert!(resolve(&confined, "/file").is_ok());
        assert_eq!(shown(&confined, &context.cwd), "(unreachable)/");
    });
}

#[test]
fn restricted_resolution() {
    run(|| {
        let context = tree();
        let base = resolve(&context, "dir").unwrap();
        let with = |path: &str, restrict| {
            let how = Resolve { restrict, ..Resolve::FOLLOW };
            context.resolve(Some(&base), path.as_bytes(), how).map(|at| shown(&context, &at))
        };
        assert_eq!(with("sub/up", RESOLVE_BENEATH), Ok("/dir/file".into()));
        assert_eq!(with("..", RESOLVE_BENEATH), Err(Errno::EXDEV));
        assert_eq!(with("/dir", RESOLVE_BENEATH), Err(Errno::EXDEV));
        assert_eq!(with("/../file", RESOLVE_IN_ROOT), Ok("/dir/file".into()));
        assert_eq!(with("sub/up", RESOLVE_NO_SYMLINKS), Err(Errno::ELOOP));
    });
}

#[test]
fn removed_names_are_shown_as_such() {
    run(|| {
        let context = tree();
        let file = open_flags(&context, "dir/file", O_RDONLY).unwrap();
        ops::unlink(&context, None, b"dir/file").unwrap();
        assert_eq!(shown(&context, file.path()), "/dir/file (deleted)");
        let mut bytes = [0; 8];
        assert_eq!(read(&file, &mut bytes), Ok(4), "an open file keeps its content");
        assert_eq!(file.metadata().nlink, 0);
        let sub = resolve(&context, "dir/sub").unwrap();
        ops::unlink(&context, None, b"dir/sub/up").unwrap();
        ops::rmdir(&context, None, b"dir/sub").unwrap();
        let inside = FsContext { cwd: sub, ..context.clone() };
        assert_eq!(errno(open_flags(&inside, "new", O_CREAT | O_RDWR)), Some(Errno::ENOENT));
        assert_eq!(shown(&context, &resolve(&inside, "..").unwrap()), "/dir");
        let unnamed = open_flags(&context, "dir", O_TMPFILE | O_RDWR).unwrap();
        assert!(shown(&context, unnamed.path()).ends_with(" (deleted)"));
        assert_eq!(unnamed.inode().kind(), FileType::Regular);
        ops::link(&context, unnamed.path(), None, b"dir/named").unwrap();
        assert_eq!(unnamed.metadata().nlink, 1);
        let private = open_flags(&context, "dir", O_TMPFILE | O_RDWR | O_EXCL).unwrap();
        assert_eq!(errno(ops::link(&context, private.path(), None, b"dir/other")), Some(Errno::ENOENT));
    });
}
