//! Container images become trees: layers over layers, whatever they hold.

mod archive;
mod common;

use archive::{Layer, Layout, gzip, sha256_hex, zstd};
use common::write;
use rkt_image_builder::{Limits, OpenImage, Options, Tree, from_container};
use std::path::Path;

fn tree(path: &Path) -> anyhow::Result<Tree> {
    from_container(path, None, &Limits::default(), &mut |_| {}).map(|(tree, _)| tree)
}

/// The error of a layout with this one layer.
fn refused(layer: Layer) -> String {
    let folder = tempfile::tempdir().unwrap();
    Layout::new().layer(layer.finish()).write(folder.path());
    format!("{:#}", tree(folder.path()).expect_err("it was taken"))
}

fn names(tree: &Tree) -> Vec<String> {
    tree.nodes().skip(1).map(|(path, _)| String::from_utf8(path.to_vec()).unwrap()).collect()
}

#[test]
fn everything_that_a_layer_may_hold() {
    let folder = tempfile::tempdir().unwrap();
    let long = format!("deep/{}/{}", "d".repeat(120), "f".repeat(200));
    let layer = Layer::new()
        .directory("etc/", 0o750)
        .file("./etc/passwd", "root:x:0:0::/:/bin/sh\n")
        .link('1', "etc/hard", "/etc/passwd")
        .link('2', "etc/soft", "../nowhere")
        .device('3', "dev/null", (1, 3))
        .device('4', "dev/loop0", (7, 0))
        .device('6', "run/fifo", (0, 0))
        .pax(&[("path", long.as_bytes()), ("mtime", b"17.25"), ("uid", b"4000000")])
        .file("short", "long")
        .pax(&[("SCHILY.xattr.user.note", b"a\nb"), ("SCHILY.xattr.security.selinux", b"x")])
        .file("attributed", "")
        .gnu_long(&"g".repeat(180))
        .file("short", "gnu");
    Layout::new().layer(layer.finish()).write(folder.path());
    let (file, _) = write(&tree(folder.path()).unwrap(), &Options::default());
    rkt_image_builder::check(&file).unwrap();
    let image = OpenImage::new(&file).unwrap();
    let read = |path: &str| image.read(path.as_bytes(), 100).unwrap().map(|bytes| String::from_utf8(bytes).unwrap());
    assert_eq!(read("/etc/hard").unwrap(), read("etc/passwd").unwrap());
    assert_eq!(read(&long).as_deref(), Some("long"));
    assert_eq!(read(&"g".repeat(180)).as_deref(), Some("gnu"));
    assert_eq!((read("etc/soft"), read("etc")), (None, None));
    let entries = &image.inspection().entries;
    let entry = |name: &str| entries.iter().find(|entry| entry.name == name.as_bytes()).unwrap();
    assert_eq!(entry("etc").mode, 0o40750);
    assert_eq!((entry("dev/null").mode, entry("dev/null").device), (0o20644, (1, 3)));
    assert_eq!((entry("dev/loop0").mode, entry("dev/loop0").device), (0o60644, (7, 0)));
    assert_eq!(entry("run/fifo").mode, 0o10644);
    assert_eq!((entry(&long).mtime, entry(&long).uid, entry(&long).gid), (17, 4_000_000, 20));
    assert_eq!(entry("attributed").xattrs, [(b"user.note".to_vec(), b"a\nb".to_vec())]);
    assert!(entry("etc/soft").target == b"../nowhere");
}

#[test]
fn upper_layers_hide_and_replace() {
    let folder = tempfile::tempdir().unwrap();
    let base = Layer::new()
        .directory("a", 0o755)
        .file("a/gone", "1")
        .file("a/stays", "1")
        .file("opaque/below", "1")
        .file("opaque/deep/below", "1")
        .file("file", "1")
        .directory("dir", 0o755)
        .file("dir/inside", "1")
        .link('2', "link", "dir")
        .file("hard", "1")
        .link('1', "hard2", "hard");
    // Whiteouts after what the same layer puts there: they hide only what is below.
    let upper = Layer::new()
        .file("a/.wh.gone", "")
        .file("opaque/own", "2")
        .file("opaque/.wh..wh..opq", "")
        .directory("file", 0o700)
        .file("dir", "a file now")
        .file("again", "2")
        .file(".wh.again", "")
        .file(".wh..wh.plnk", "")
        .file("hard", "2");
    let top = Layer::new().file(".wh.never-there", "").directory("a", 0o711);
    Layout::new().layer(base.finish()).layer(gzip(upper.finish())).layer(zstd(top.finish())).write(folder.path());
    let tree = tree(folder.path()).unwrap();
    let expected =
        ["a", "a/stays", "again", "dir", "file", "hard", "hard2", "link", "opaque", "opaque/own"].map(str::to_owned);
    assert_eq!(names(&tree), expected);
    assert_eq!(tree.get(Path::new("/a")).unwrap().mode, 0o711);
    let (file, _) = write(&tree, &Options::default());
    let image = OpenImage::new(&file).unwrap();
    assert_eq!(image.read(b"hard2", 9).unwrap().unwrap(), b"1", "the other name keeps the old contents");
    assert_eq!(image.read(b"hard", 9).unwrap().unwrap(), b"2");
    assert!(image.read(b"dir", 9).is_err(), "longer than asked for");
}

#[test]
fn links_of_lower_layers_are_followed_but_never_out() {
    let folder = tempfile::tempdir().unwrap();
    let base = Layer::new()
        .directory("usr/bin", 0o755)
        .link('2', "bin", "usr/bin")
        .link('2', "out", "../../../../tmp")
        .link('2', "abs", "/etc");
    let upper = Layer::new().file("bin/sh", "x").file("out/x", "x").file("abs/y", "x");
    Layout::new().layer(base.finish()).layer(upper.finish()).write(folder.path());
    let names = names(&tree(folder.path()).unwrap());
    for inside in ["usr/bin/sh", "tmp/x", "etc/y"] {
        assert!(names.contains(&inside.to_owned()), "{names:?}");
    }
    assert!(!Path::new("/tmp/x").exists() || !Path::new("/etc/y").exists());
}

#[test]
fn hostile_layers_are_refused_with_the_guilty_entry() {
    for (layer, says) in [
        (Layer::new().file("../escape", "x"), "leads out"),
        (Layer::new().file("a/../../b", "x"), "leads out"),
        (Layer::new().link('1', "a", "../../etc/shadow"), "leads out"),
        (Layer::new().link('1', "a", "nowhere"), "not there"),
        (Layer::new().directory("d", 0o755).link('1', "a", "d"), "directory"),
        (Layer::new().link('2', "loop", "loop").file("loop/x", "x"), "too many symbolic links"),
        (Layer::new().file("f", "x").file("f/x", "x"), "not a directory"),
        (Layer::new().link('2', "empty", ""), "target"),
        (Layer::new().device('S', "sparse", (0, 0)), "sparse"),
        (Layer::new().device('Z', "odd", (0, 0)), "unknown kind"),
        (Layer::new().file(".wh.", ""), "whiteout of nothing"),
        (Layer::new().file(".wh...", ""), "whiteout of nothing"),
        (Layer::new().pax(&[("size", b"7")]).file("two", "sizes"), "sizes"),
        (Layer::new().pax(&[("path", b"a\0b")]).file("nul", ""), "no possible name"),
        (Layer::new().pax(&[("uid", b"4294967296")]).file("uid", ""), "too large"),
        (Layer::new().pax(&[("path", "n".repeat(2 << 20).as_bytes())]).file("huge", ""), "extended header"),
        (Layer::new().file(".", "x"), "root"),
    ] {
        let error = refused(layer);
        assert!(error.contains(says) && error.contains("layer 1 of 1"), "{says}: {error}");
    }
}

#[test]
fn bombs_stop_at_the_limits() {
    let folder = tempfile::tempdir().unwrap();
    let zeros = "\0".repeat(8 << 20);
    let layer = gzip(Layer::new().file("a", &zeros).finish());
    assert!(layer.len() < 64 << 10);
    Layout::new().layer(layer.clone()).layer(layer).write(folder.path());
    let within = |unpacked, entries, names| {
        let limits = Limits { unpacked, entries, names };
        from_container(folder.path(), None, &limits, &mut |_| {}).err().map(|error| format!("{error:#}"))
    };
    assert_eq!(within(17 << 20, 2, 2), None);
    assert!(within(16 << 20, 2, 2).unwrap().contains("layer 2 of 2"), "each layer alone would fit");
    assert!(within(17 << 20, 1, 2).unwrap().contains("too many files"));
    assert!(within(17 << 20, 2, 1).unwrap().contains("names"));
}

#[test]
fn damage_anywhere_is_found() {
    let layer = gzip(Layer::new().file("a", &"text ".repeat(1000)).finish());
    let damaged = |how: &dyn Fn(&Path)| {
        let folder = tempfile::tempdir().unwrap();
        Layout::new().layer(layer.clone()).write(folder.path());
        tree(folder.path()).unwrap();
        how(folder.path());
        format!("{:#}", tree(folder.path()).expect_err("damage is found"))
    };
    let blob = |folder: &Path| folder.join("blobs/sha256").join(sha256_hex(&layer));
    damaged(&|folder| {
        let mut bytes = layer.clone();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(blob(folder), bytes).unwrap();
    });
    // Behind the end of the gzip stream, where no reader of tar looks.
    let error = damaged(&|folder| std::fs::write(blob(folder), [&layer[..], b"x"].concat()).unwrap());
    assert!(error.contains("layer 1 of 1"), "{error}");
    let error = damaged(&|folder| std::fs::remove_file(blob(folder)).unwrap());
    assert!(error.contains("lacks the blob sha256:"), "{error}");
    // A layer of the right name and size that is another.
    let error = damaged(&|folder| {
        let other = Layer::new().file("b", "other").finish();
        Layout::new().layer(layer.clone()).claims_diff_of(other).write(folder);
    });
    assert!(error.contains("digest says"), "{error}");
}

#[test]
fn one_of_several_is_chosen_by_platform_and_name() {
    let folder = tempfile::tempdir().unwrap();
    let layout = |text: &str| Layout::new().layer(Layer::new().file("who", text).finish());
    let who = |reference: Option<&str>| {
        let (tree, _) = from_container(folder.path(), reference, &Limits::default(), &mut |_| {})?;
        let (file, _) = write(&tree, &Options::default());
        anyhow::Ok(String::from_utf8(OpenImage::new(&file)?.read(b"who", 99)?.unwrap()).unwrap())
    };
    layout("arm").platform("arm64").write(folder.path());
    assert!(format!("{:#}", who(None).unwrap_err()).contains("linux/amd64"));
    layout("ours").add_to(folder.path());
    assert_eq!(who(None).unwrap(), "ours");
    layout("second").named("v2").add_to(folder.path());
    assert!(format!("{:#}", who(None).unwrap_err()).contains("v2"));
    assert_eq!(who(Some("v2")).unwrap(), "second");
    assert!(who(Some("v3")).is_err());
    // An index in the index, as multi-platform images have.
    let nested = tempfile::tempdir().unwrap();
    layout("arm").platform("arm64").write(nested.path());
    layout("nested").add_to(nested.path());
    archive::nest(nested.path());
    assert_eq!(names(&tree(nested.path()).unwrap()), ["who"]);
}

#[test]
fn archives_are_read_like_folders() {
    let folder = tempfile::tempdir().unwrap();
    let layers = [Layer::new().file("a", "1").finish(), Layer::new().file("b", "2").finish()];
    let layout =
        || layers.iter().fold(Layout::new().config(r#"{"Cmd":["/a"],"User":"me"}"#), |l, x| l.layer(x.clone()));
    let oci = folder.path().join("oci");
    std::fs::create_dir(&oci).unwrap();
    layout().write(&oci);
    let digest = |path: &Path| write(&tree(path).unwrap(), &Options::default()).1.digest;
    let expected = digest(&oci);
    let archive = folder.path().join("a.tar");
    for (n, bytes) in
        [archive::pack(&oci), gzip(archive::pack(&oci)), layout().docker_archive(), zstd(layout().docker_archive())]
            .iter()
            .enumerate()
    {
        std::fs::write(&archive, bytes).unwrap();
        assert_eq!(digest(&archive), expected, "archive {n}");
    }
    assert_eq!(tree(&archive).unwrap().config.cmd.unwrap(), ["/a"]);
    std::fs::write(&archive, "no archive").unwrap();
    assert!(tree(&archive).is_err());
    std::fs::write(&archive, Layer::new().file("a", "1").finish()).unwrap();
    assert!(format!("{:#}", tree(&archive).unwrap_err()).contains("neither index.json nor manifest.json"));
}

#[test]
fn files_come_out_again() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let folder = tempfile::tempdir().unwrap();
    let layer = Layer::new()
        .directory("d", 0o555)
        .file("d/big", &"x".repeat(3 << 20))
        .link('2', "d/link", "/etc/passwd")
        .device('3', "d/null", (1, 3))
        .device('6', "d/fifo", (0, 0));
    Layout::new().layer(layer.finish()).write(folder.path());
    let (file, _) = write(&tree(folder.path()).unwrap(), &Options::default());
    let image = OpenImage::new(&file).unwrap();
    let to = folder.path().join("out");
    assert_eq!(image.copy_out(b"/d", &to).unwrap(), ["/d/null"]);
    assert_eq!(std::fs::metadata(to.join("big")).unwrap().len(), 3 << 20);
    assert_eq!(std::fs::read_link(to.join("link")).unwrap(), Path::new("/etc/passwd"));
    assert_eq!(std::fs::metadata(&to).unwrap().mode() & 0o7777, 0o555);
    assert!(!to.join("null").exists() && to.join("fifo").exists());
    std::fs::set_permissions(&to, PermissionsExt::from_mode(0o755)).unwrap();
    // Into a folder, and nothing is overwritten.
    image.copy_out(b"d/big", &to.join("copy")).unwrap();
    assert!(image.copy_out(b"d/big", &to).unwrap_err().to_string().contains("cannot write"));
    assert!(image.copy_out(b"nothing", &to).is_err());
}
