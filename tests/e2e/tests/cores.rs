//! Core dumps, read by gdb.

use rkt_tests_e2e::{Running, finish, image_of, until};
use std::fs;
use std::path::Path;
use std::process::Command;

const CRASH: &str = r#"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

__attribute__((noinline)) void innermost(volatile int *where) { *where = 42; asm volatile(""); }
__attribute__((noinline)) void middle(int depth) { innermost((int *)(long)depth); asm volatile(""); }
static void *waiter(void *barrier) {
    pthread_barrier_wait(barrier);
    for (;;) pause();
}
int main(void) {
    char *secret = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char text[] = "NOT for the core";
    for (int i = 0; text[i]; i++) secret[i] = text[i] ^ 0x20;
    madvise(secret, 4096, MADV_DONTDUMP);
    char *kept = malloc(100);
    for (int i = 0; i < 8; i++) kept[i] = "KEPT it"[i] ^ (i < 7 ? 0x20 : 0);
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, 0, 2);
    pthread_t thread;
    pthread_create(&thread, 0, waiter, &barrier);
    pthread_barrier_wait(&barrier);
    usleep(10000);
    middle(8);
    return 0;
}
"#;

/// The program, and an image with it and a shell.
fn build(folder: &Path) -> (String, String) {
    let source = folder.join("crash.c");
    fs::write(&source, CRASH).unwrap();
    let program = folder.join("crash").to_str().unwrap().to_owned();
    finish(Command::new("gcc").args(["-g", "-O1", "-pthread", "-o", &program]).arg(&source), b"").succeeded();
    let image = folder.join("crash.rkt");
    image_of(&image, &[&program, "sh", "cat"]);
    (program, image.to_str().unwrap().to_owned())
}

fn run(options: &[&str], image: &str, script: &str) -> rkt_tests_e2e::Finished {
    let mut command = Command::new(rkt_tests_e2e::rkt_io());
    command.args(["run", "--quiet", "--net", "none"]).args(options).arg(image).args(["sh", "-c", script]);
    finish(&mut command, b"")
}

fn contains(core: &[u8], text: &str) -> bool {
    core.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn gdb_reads_a_core() {
    let folder = tempfile::tempdir().unwrap();
    let (program, image) = build(folder.path());
    let script = format!("cd /tmp; ulimit -c unlimited; {program} >&2; echo $? >&2; cat core");
    let dumped = run(&["--debug"], &image, &script);
    assert!(dumped.stderr.contains("139"), "{}", dumped.stderr);
    let core = folder.path().join("core");
    fs::write(&core, &dumped.stdout).unwrap();
    assert!(contains(&dumped.stdout, "kept\0IT"), "the heap is there");
    assert!(!contains(&dumped.stdout, "not\0FOR\0THE\0CORE"), "what MADV_DONTDUMP marks is not");
    let mut gdb = Command::new("gdb");
    gdb.args(["-nx", "-batch", "-ex", "bt", "-ex", "info threads", "-ex", "thread 2", "-ex", "bt", "-ex", "info auxv"]);
    let said = finish(gdb.arg(&program).arg(&core), b"").succeeded();
    for what in
        ["SIGSEGV", "#0  innermost", "#1  0x", "in middle (", "in main ()", "pause (", "in waiter", "AT_SYSINFO_EHDR"]
    {
        assert!(said.contains(what), "{what:?} is not in:\n{said}");
    }
}

#[test]
fn nothing_is_dumped_that_may_not_be() {
    let folder = tempfile::tempdir().unwrap();
    let (program, image) = build(folder.path());
    let ends = |options: &[&str], script: &str| {
        let said = run(options, &image, &format!("exec 2>&1; cd /tmp; {script}"));
        String::from_utf8_lossy(&said.stdout).into_owned()
    };
    // Without the manifest's word, beyond the limit, or for a name of its own.
    assert_eq!(ends(&[], &format!("ulimit -c unlimited; {program}; echo *")), "Segmentation fault (core dumped)\n*\n");
    assert_eq!(ends(&["--debug"], &format!("{program}; echo *")), "Segmentation fault\n*\n");
    let named = format!("ulimit -c unlimited; echo c.%e.%s.%% >/proc/sys/kernel/core_pattern; {program}; echo *");
    assert_eq!(ends(&["--debug"], &named), "Segmentation fault (core dumped)\nc.crash.11.%\n");
}

#[test]
fn a_limit_cuts_a_core() {
    let folder = tempfile::tempdir().unwrap();
    let (program, image) = build(folder.path());
    let script = format!("cd /tmp; ulimit -c 64; {program} 2>/dev/null; cat core");
    let cut = run(&["--debug"], &image, &script).stdout;
    assert!(cut.starts_with(b"\x7fELF") && cut.len() <= 64 * 512, "{} bytes", cut.len());
}

/// The host's processes of an enclave: those of one group, which its first process leads.
fn enclave_process(supervisor: u32) -> Option<u32> {
    let children = fs::read_to_string(format!("/proc/{supervisor}/task/{supervisor}/children")).ok()?;
    let is_enclave =
        |pid: &&str| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "rkt-enclave\n");
    children.split_whitespace().find(is_enclave)?.parse().ok()
}

#[test]
fn gdb_finds_tasks_in_a_running_enclave() {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("sleep.rkt");
    image_of(&image, &["sleep"]);
    let mut command = Command::new(rkt_tests_e2e::rkt_io());
    command.args(["run", "--quiet", "--net", "none", "--debug"]).arg(&image).args(["sleep", "1000"]);
    let running = Running::start(&mut command);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/gdb/rkt.py");
    until("the program sleeps where gdb sees it", || {
        let pid = enclave_process(running.child.id())?;
        let mut gdb = Command::new("gdb");
        gdb.args(["-nx", "-batch", "-p", &pid.to_string(), "-x", script]);
        gdb.args(["-ex", "rkt-symbols", "-ex", "rkt-tasks", "-ex", "rkt-where 1"]);
        let said = String::from_utf8_lossy(&finish(&mut gdb, b"").stdout).into_owned();
        let all = ["/usr/bin/sleep\n", "libc.so.6\n", " sleep ", "clock_nanosleep", "in section .text of /"];
        all.iter().all(|what| said.contains(what)).then_some(())
    });
}
