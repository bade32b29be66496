//! Programs that live from fork and exec do in the enclave what they do natively.

use rkt_tests_e2e::{
    Finished, Running, Toolchain, build, enclave_processes, finish, in_enclave, natively, same, until,
};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/programs/scripts");
/// Where scripts and programs lie in the enclave.
const SCRIPT: &str = "/script";

/// Options that bring programs of the host into the image, each by the name that it is called by.
fn with(programs: &[&str]) -> Vec<String> {
    let find = |name: &&str| {
        let found =
            ["/usr/bin", "/usr/sbin"].map(|folder| Path::new(folder).join(name)).into_iter().find(|p| p.exists());
        let path = found.unwrap_or_else(|| panic!("{name} is not installed"));
        format!("--copy={}:{}", fs::canonicalize(&path).unwrap().display(), path.display())
    };
    programs.iter().map(find).collect()
}

/// Options that bring folders of the host into the image.
fn with_folders(folders: &[&str]) -> Vec<String> {
    folders.iter().map(|folder| format!("--copy={folder}:{folder}")).collect()
}

fn script(name: &str) -> PathBuf {
    Path::new(SCRIPTS).join(name)
}

/// Runs a script in the enclave; its first argument is the interpreter's.
fn enclosed(interpreter: &str, name: &str, options: &[String], args: &[&str]) -> Finished {
    let copy = format!("--copy={}:{SCRIPT}", script(name).display());
    let options: Vec<&str> = options.iter().map(String::as_str).chain([copy.as_str()]).collect();
    finish(&mut in_enclave(&options, &[[interpreter, SCRIPT].as_slice(), args].concat()), b"")
}

/// The same output and status in a folder of its own on either side, which is the script's argument.
fn same_script(interpreter: &str, name: &str, options: &[String]) {
    let folder = tempfile::Builder::new().prefix("rkt-script-").tempdir_in("/dev/shm").unwrap();
    let native = [interpreter, script(name).to_str().unwrap(), folder.path().to_str().unwrap()].map(str::to_owned);
    let native = finish(&mut natively(&native.each_ref().map(String::as_str)), b"");
    let enclave = enclosed(interpreter, name, options, &["/tmp"]);
    assert_eq!(String::from_utf8_lossy(&enclave.stdout), String::from_utf8_lossy(&native.stdout), "{}", enclave.stderr);
    assert_eq!((enclave.status, enclave.stderr), (native.status, native.stderr));
}

#[test]
fn bash_and_dash_scripts() {
    let tools = with(&["seq", "grep", "sort", "head", "cat", "sleep", "mkfifo", "sh"]);
    for shell in ["/usr/bin/bash", "/usr/bin/dash"] {
        same_script(shell, "shell.sh", &tools);
    }
}

#[test]
fn python_pools_and_subprocesses() {
    let options = [with(&["cat", "tr", "sh", "sleep"]), vec!["--cpus=2".into()]].concat();
    same_script("/usr/bin/python3", "pools.py", &options);
}

#[test]
fn perl_pools_and_commands() {
    same_script("/usr/bin/perl", "pools.pl", &with(&["sh", "true"]));
}

#[test]
fn git_commits_packs_clones_and_pushes() {
    let git = with_folders(&["/usr/lib/git-core", "/usr/share/git-core"]);
    same_script("/usr/bin/bash", "git.sh", &[with(&["cat", "mkdir", "git", "sh"]), git].concat());
}

#[test]
fn archives_and_packages() {
    let tools = ["cat", "mkdir", "tar", "gzip", "xz", "diff", "wc", "cp", "cmp", "seq", "dpkg-deb", "rm"];
    same_script("/usr/bin/dash", "archives.sh", &[with(&tools), vec!["--cpus=2".into()]].concat());
}

#[test]
fn a_go_program_that_spawns() {
    let program = build(Toolchain::GoStatic, "spawn.go");
    let options = [with(&["sh", "cat"]), vec!["--cpus=2".into()]].concat();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    same(&options, &[program.to_str().unwrap()]);
}

#[test]
fn nginx_reloads_without_losing_a_request() {
    let tools = with(&["nginx", "cat", "mkdir", "curl", "sort", "uniq", "tr", "grep", "sleep"]);
    let found = enclosed("/usr/bin/sh", "nginx.sh", &[tools, vec!["--cpus=2".into()]].concat(), &[]).succeeded();
    assert_eq!(found, " 8 served\n3\n 8 served\n 8 served\n3\n2 4\nended\n");
}

#[test]
fn redis_saves_and_rewrites_under_load() {
    let tools = ["redis-server", "redis-cli", "redis-benchmark", "redis-check-rdb"];
    let tools = [with(&tools), with(&["cat", "mkdir", "tr", "grep", "sleep"]), vec!["--cpus=2".into()]].concat();
    let found = enclosed("/usr/bin/sh", "redis.sh", &tools, &[]).succeeded();
    let state = "rdb_bgsave_in_progress:0\nrdb_last_bgsave_status:ok\naof_rewrite_in_progress:0\n\
                 aof_last_bgrewrite_status:ok\naof_last_write_status:ok\n";
    assert_eq!(found, format!("load 0\nOK\n{state}one\nwhole\n"));
}

#[test]
fn postgresql_makes_a_cluster_and_serves() {
    let versions = fs::read_dir("/usr/lib/postgresql").expect("postgresql is not installed");
    let bin = versions.map(|entry| entry.unwrap().path().join("bin")).find(|bin| bin.join("postgres").exists());
    let bin = bin.unwrap();
    let lib = bin.with_file_name("lib");
    let bin = bin.to_str().unwrap();
    // One by one: a program brings its libraries.
    let programs = ["initdb", "postgres", "pg_ctl", "pgbench", "psql", "pg_controldata"];
    let programs = programs.map(|name| format!("--copy={bin}/{name}:{bin}/{name}")).to_vec();
    let more = vec!["--cpus=2".into(), "--user=postgres".into()];
    let folders = with_folders(&[lib.to_str().unwrap(), "/usr/share/postgresql"]);
    let options = [programs, folders, with(&["cat", "mkdir", "rm", "grep", "tr"]), more].concat();
    let found = enclosed("/usr/bin/sh", "postgres.sh", &options, &[bin]).succeeded();
    assert_eq!(found, "actually processed: 200/200\nt\nstate: shut down\n");
}

#[test]
fn sshd_has_sessions() {
    let tools = with(&["sshd", "ssh", "ssh-keygen", "cat", "mkdir", "chmod", "cp", "tty", "tr", "sh", "bash"]);
    let found = enclosed("/usr/bin/bash", "sshd.sh", &tools, &[]).succeeded();
    assert_eq!(found, "in a session\nstatus 7\npiped\n/dev/pts/0\n");
}

#[test]
fn tmux_and_vim_on_terminals() {
    let tools = with(&["tmux", "vim", "cat", "sh", "stty", "tty", "sleep", "wc", "grep"]);
    let options = [tools, with_folders(&["/lib/terminfo", "/usr/share/terminfo"])].concat();
    let found = enclosed("/usr/bin/bash", "screens.sh", &options, &[]).succeeded();
    assert_eq!(found, "2\n42\n/dev/pts/0\none\nthree\n");
}

#[test]
fn make_builds_a_project_with_gcc() {
    let folder = tempfile::Builder::new().prefix("rkt-make-").tempdir_in("/dev/shm").unwrap();
    let project = folder.path();
    for number in 0..8 {
        let text = format!("int part{number}(int n) {{ return n * {number}; }}\n");
        fs::write(project.join(format!("part{number}.c")), text).unwrap();
    }
    fs::write(project.join("Makefile"), "%.o: %.c\n\tgcc -O1 -c -o $@ $<\n").unwrap();
    let run = "make -s -j4 -C /project part0.o part1.o part2.o part3.o part4.o part5.o part6.o part7.o && \
               ld -r -o /tmp/all.o /project/*.o && nm /tmp/all.o | grep -c ' T '";
    let copy = format!("--copy={}:/project", project.display());
    let tools = [with(&["make", "gcc", "as", "ld", "nm", "grep"]), vec![copy, "--cpus=2".into()]].concat();
    let tools = [tools, compiler()].concat();
    let tools: Vec<&str> = tools.iter().map(String::as_str).collect();
    let found = finish(&mut in_enclave(&tools, &["/bin/sh", "-c", run]), b"").succeeded();
    assert_eq!(found, "8\n");
}

/// The compiler proper, which gcc starts, and what that reads.
fn compiler() -> Vec<String> {
    let ask = |what: &str| finish(natively(&["gcc"]).arg(what), b"").succeeded().trim().to_owned();
    let paths = ["-print-prog-name=cc1", "-print-file-name=include"].map(ask);
    paths
        .iter()
        .map(String::as_str)
        .chain(["/usr/include/stdc-predef.h"])
        .map(|path| format!("--copy={path}:{path}"))
        .collect()
}

/// Stressors that check what they do, each for a moment.
#[test]
fn stress_ng_verifies() {
    let stressors = ["fork", "vfork", "clone", "pipe", "sem", "shm", "sigq", "wait", "cpu", "vm", "futex"];
    for stressor in stressors {
        let options = ["--cpus", "2", "--memory", "2g"];
        let name = format!("--{stressor}");
        let args = ["/usr/bin/stress-ng", "--verify", "--timeout", "1", &name, "2", "--temp-path", "/tmp"];
        let found = finish(&mut in_enclave(&options, &args), b"");
        let said = String::from_utf8_lossy(&found.stdout) + found.stderr.as_str();
        assert_eq!(found.status, 0, "{stressor}: {said}");
        assert!(said.contains("successful run completed"), "{stressor}: {said}");
    }
}

/// What the storm finds in /proc: processes, descriptors, locks and so on, and free memory in KiB.
fn parsed(line: &str, when: &str) -> (String, i64) {
    let line = line.strip_prefix(when).unwrap_or_else(|| panic!("{line}")).trim();
    let (counts, free) = line.rsplit_once(" free ").unwrap();
    (counts.to_owned(), free.parse().unwrap())
}

/// Forks with random kills, by seed: `RKT_STORM` is how many (10,000 in the full run), `RKT_STORM_SEED`
/// another seed.
fn storm(cpus: &str) {
    let number = |name: &str, default: u64| std::env::var(name).map_or(default, |text| text.parse().expect(name));
    let (forks, seed) = (number("RKT_STORM", 500), number("RKT_STORM_SEED", 1));
    let program = build(Toolchain::C(rkt_tests_e2e::C::Glibc), "storm.c");
    let (seed, count) = (seed.to_string(), forks.to_string());
    let mut command = in_enclave(&["--cpus", cpus], &[program.to_str().unwrap(), &seed, &count]);
    let mut running = Running::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()));
    let mut lines = BufReader::new(running.child.stdout.take().unwrap()).lines();
    let mut next = |when: &str| parsed(&lines.next().unwrap_or_else(|| panic!("seed {seed}: it ended")).unwrap(), when);
    let (before, after) = (next("before"), next("after"));
    assert_eq!(after.0, before.0, "seed {seed}");
    assert!(before.0.starts_with("processes 1 ") && before.0.contains(" locks 0 semaphore 4 "), "{}", before.0);
    // The heap keeps some pages for what comes next, and up to four empty address spaces are kept for an execve (320 KiB
    // each and vCPU). With two vCPUs, some of the last address spaces (12 at a time) may not be gone from the host yet, and
    // are freed with the next fork. In the full run a kilobyte for each fork would be too much.
    let (lost, kept) = (before.1 - after.1, if cpus == "1" { 2560 } else { 8 << 10 });
    assert!(lost < kept + forks as i64 / 32, "seed {seed}: {lost} KiB of memory lost in {forks} forks");
    // The supervisor has seen every host process off but those of the first address space and of the empty ones.
    until("no other process is left", || (enclave_processes(running.pid()) <= 5).then_some(()));
    drop(running.child.stdin.take());
    assert_eq!(running.wait(), 0, "seed {seed}");
}

#[test]
fn a_storm_of_forks_leaves_nothing_on_one_vcpu() {
    storm("1");
}

#[test]
#[ignore = "what is counted as left depends on how fast the host ends processes: run it by hand"]
fn a_storm_of_forks_leaves_nothing_on_two_vcpus() {
    storm("2");
}
