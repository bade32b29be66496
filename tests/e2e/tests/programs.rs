//! Unmodified programs do in the enclave what they do natively.

use rkt_tests_e2e::{C, Toolchain, build, same, same_in};
use std::fs;
use std::path::Path;

fn same_as_built(toolchain: Toolchain, name: &str, options: &[&str]) {
    let program = build(toolchain, name);
    same(options, &[program.to_str().expect("UTF-8")]);
}

#[test]
fn bin_true() {
    same(&[], &["/bin/true"]);
}

#[test]
fn bin_false() {
    same(&[], &["/bin/false"]);
}

#[test]
fn ls_lists_a_tree() {
    // On tmpfs, as the enclave's root is: sizes of folders are the file system's own.
    let folder = tempfile::Builder::new().prefix("rkt-ls-").tempdir_in("/dev/shm").unwrap();
    let path = folder.path();
    fs::create_dir_all(path.join("a/b/c")).unwrap();
    fs::write(path.join("a/file"), vec![7; 10_000]).unwrap();
    fs::write(path.join("a/b/empty"), "").unwrap();
    fs::hard_link(path.join("a/file"), path.join("a/b/link")).unwrap();
    std::os::unix::fs::symlink("../a/file", path.join("a/symbolic")).unwrap();
    set_times(path);
    let copy = format!("{}:/srv/tree", path.display());
    same_in(path, &["--copy", &copy, "-w", "/srv/tree"], &["/bin/ls", "-lnR", "--time-style=+%s"]);
}

/// Whole seconds: an image keeps no parts of them.
fn set_times(path: &Path) {
    for entry in fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            set_times(&path);
        }
        let status = std::process::Command::new("touch").args(["-h", "-d", "@1700000000"]).arg(&path).status();
        assert!(status.unwrap().success());
    }
}

#[test]
fn busybox_sh_with_what_is_built_in() {
    let script = r#"
        sum=0; for i in 1 2 3 4 5 6 7 8 9; do sum=$((sum + i * i)); done; echo "sum $sum"
        count() { while [ "$1" -gt 0 ]; do printf '%d ' "$1"; set -- $(($1 - 1)); done; echo; }
        count 5
        case "abc" in a*) echo starts;; *) echo other;; esac
        text=hello; echo "${text#he} ${text%lo} ${#text} ${none:-default}"
        echo one > /tmp/file; echo two >> /tmp/file; while read -r line; do echo "read $line"; done < /tmp/file
        [ -f /tmp/file ] && echo exists; test -d /nonexistent || echo missing
        cd /tmp && pwd; trap 'echo leaving' EXIT; umask 022; umask; exit 5
    "#;
    same(&[], &["/bin/busybox", "sh", "-c", script]);
}

#[test]
fn perl() {
    let program = r#"
        my %count; $count{$_}++ for split //, "the quick brown fox jumps over the lazy dog";
        print join(",", map { "$_=$count{$_}" } sort keys %count), "\n";
        printf "%s %.6f %x\n", join(" ", reverse 1..10), atan2(1, 1) * 4, 3735928559;
        my $text = "a1b22c333"; $text =~ s/(\d+)/<$1>/g; print "$text\n";
        open my $file, ">", "/tmp/p" or die; print $file "line $_\n" for 1..1000; close $file;
        open $file, "<", "/tmp/p" or die; my @lines = <$file>; print scalar(@lines), " $lines[-1]";
        exit 4;
    "#;
    same(&[], &["/usr/bin/perl", "-e", program]);
}

#[test]
fn sqlite3_in_memory() {
    let script = "create table t(id integer primary key, name text, value real);
        with recursive n(i) as (select 1 union all select i + 1 from n where i < 5000)
            insert into t select i, 'name' || (i % 17), i * 0.5 from n;
        create index by_name on t(name);
        select name, count(*), sum(value) from t group by name order by name;
        select count(*) from t a join t b on a.id = b.id + 1; pragma integrity_check;";
    same(&[], &["/usr/bin/sqlite3", ":memory:", script]);
}

#[test]
fn python3_with_threads_and_json() {
    let program = r#"
import json, threading, queue, hashlib
work, results = queue.Queue(), {}
def run():
    while (n := work.get()) is not None:
        results[n] = hashlib.sha256(str(n).encode() * 1000).hexdigest()
threads = [threading.Thread(target=run) for _ in range(8)]
for t in threads: t.start()
for n in range(200): work.put(n)
for _ in threads: work.put(None)
for t in threads: t.join()
text = json.dumps({str(k): results[k] for k in sorted(results)}, indent=1)
assert json.loads(text)["7"] == results[7]
print(text)
"#;
    same(&["--cpus", "2"], &["/usr/bin/python3", "-c", program]);
}

#[test]
fn a_c_program() {
    same_as_built(Toolchain::C(C::Glibc), "threads.c", &["--cpus", "2"]);
}

#[test]
fn a_static_program_of_musl() {
    same_as_built(Toolchain::C(C::MuslStatic), "threads.c", &[]);
}

#[test]
fn a_static_go_program() {
    same_as_built(Toolchain::GoStatic, "static.go", &["--cpus", "2"]);
}

#[test]
fn a_dynamic_go_program() {
    same_as_built(Toolchain::GoDynamic, "dynamic.go", &["--cpus", "2"]);
}

#[test]
fn a_rust_program_with_64_threads_on_one_vcpu() {
    same_as_built(Toolchain::Rust, "threads.rs", &[]);
}

#[test]
fn a_rust_program_with_64_threads_on_two_vcpus() {
    same_as_built(Toolchain::Rust, "threads.rs", &["--cpus", "2"]);
}
