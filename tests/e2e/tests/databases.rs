//! Databases and tools with all that they have on an encrypted disk, which is killed under them and started
//! again. QEMU makes and opens the container; e2fsck judges what is in it.

use rkt_tests_e2e::{Finished, Running, enclave_of, finish, rkt_io, until};
use rustix::process::{Signal, kill_process};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

const SECRET: [&str; 2] = ["--object", "secret,id=s,data=open sesame"];

fn tool(command: &str, args: &[&str]) -> String {
    finish(Command::new(command).args(args), b"").succeeded()
}

/// A machine whose root is a LUKS container.
struct Machine {
    folder: TempDir,
}

impl Machine {
    /// One with these programs, and room to work.
    fn new(programs: &[&str]) -> Self {
        let machine = Self { folder: tempfile::tempdir().unwrap() };
        fs::write(machine.path("key"), "open sesame").unwrap();
        let mut create = Command::new(rkt_io());
        create
            .args(["image", "create", "--quiet", "--format", "ext4", "--size", "512M", "--out"])
            .arg(machine.path("plain"));
        create.args(["--from-program", "/bin/busybox"]);
        for program in programs {
            create.args(["--from-program", program]);
        }
        finish(&mut create, b"").succeeded();
        let options = ["-O", "luks", SECRET[0], SECRET[1], "-o", "key-secret=s,iter-time=10"];
        let paths = [machine.text("plain"), machine.text("root")];
        tool("qemu-img", &[&["convert", "-f", "raw"][..], &options, &[&paths[0], &paths[1]]].concat());
        fs::remove_file(machine.path("plain")).unwrap();
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn command(&self, script: &str) -> Command {
        let mut command = Command::new(rkt_io());
        command.args(["run", "--quiet", "--net", "none", "--key-file"]).arg(self.path("key")).arg(self.path("root"));
        command.args(["/bin/busybox", "sh", "-c", script]);
        command
    }

    /// Runs to the end.
    fn run(&self, script: &str) -> Finished {
        finish(&mut self.command(script), b"")
    }

    /// Kills everything once so many lines were told; gives the whole lines.
    fn killed_after(&self, lines: usize, script: &str) -> Vec<String> {
        let (out, errors) = (self.path("out"), self.path("errors"));
        let told = || fs::read_to_string(&out).unwrap();
        let mut command = self.command(script);
        command.stdin(Stdio::null()).stdout(fs::File::create(&out).unwrap()).stderr(fs::File::create(&errors).unwrap());
        let mut running = Running::start(&mut command);
        until("so much is told", || {
            let ended = running.child.try_wait().unwrap();
            assert!(ended.is_none(), "it ended: {} {}", told(), fs::read_to_string(&errors).unwrap());
            (told().lines().count() >= lines).then_some(())
        });
        // The enclave first: its supervisor could still see to something.
        kill_process(enclave_of(running.pid()), Signal::KILL).unwrap();
        running.signal(Signal::KILL);
        running.wait();
        let told = told();
        told.rsplit_once('\n').unwrap().0.lines().map(str::to_owned).collect()
    }

    /// What QEMU reads of the container is whole, once what the journal holds was replayed.
    fn check(&self) {
        let (container, plain) = (self.text("root"), self.text("plain"));
        let source = format!("driver=luks,file.filename={container},key-secret=s");
        tool("qemu-img", &["convert", SECRET[0], SECRET[1], "--image-opts", &source, "-O", "raw", &plain]);
        replay(Path::new(&plain));
        tool("e2fsck", &["-fn", &plain]);
        fs::remove_file(plain).unwrap();
    }
}

/// Has e2fsck replay the journal; it says 1 if it did, and more if there was something else.
fn replay(image: &Path) {
    let said = Command::new("e2fsck").arg("-p").arg(image).output().unwrap();
    assert!(said.status.code().is_some_and(|code| code <= 1), "{}", String::from_utf8_lossy(&said.stdout));
}

const REDIS: &str = "cd /srv; redis-server --port 0 --unixsocket s --dir /srv --appendonly yes --appendfsync always \
                     --logfile /log & until redis-cli -s s ping >/dev/null 2>&1; do sleep 0.1; done; ";

#[test]
fn redis_keeps_what_it_acknowledged() {
    let machine = Machine::new(&["/usr/bin/redis-server", "/usr/bin/redis-cli"]);
    let fill = "i=0; while :; do test \"$(redis-cli -s s set k$i v$i)\" = OK && echo $i; i=$((i+1)); done";
    let told = machine.killed_after(60, &format!("mkdir -p /srv; {REDIS}{fill}"));
    machine.check();
    let look = "i=0; while v=$(redis-cli -s s get k$i) && test \"$v\" = v$i; do i=$((i+1)); done; echo $i; redis-cli -s s shutdown";
    let found: usize = machine.run(&format!("{REDIS}{look}")).succeeded().trim().parse().unwrap();
    assert!(found >= told.len(), "{found} of {} are there", told.len());
    machine.check();
}

#[test]
fn sqlite_keeps_what_it_committed() {
    let machine = Machine::new(&["/usr/bin/python3"]);
    // Where a rollback journal is deleted, a cut directly behind that may bring it back (SQLite's pragma
    // synchronous: FULL does not sync the directory, EXTRA would).
    for (mode, undone) in [("wal", 0), ("delete", 1)] {
        let open = format!(
            "import sqlite3; c = sqlite3.connect('/{mode}.db'); c.execute('pragma journal_mode={mode}'); c.execute('pragma synchronous=FULL')"
        );
        let fill = "c.execute('create table t(a, b)'); c.commit()\nfor i in range(10**9):\n  \
                    c.execute('insert into t values(?, ?)', (i, 'x' * (i % 3000))); c.commit(); print(i)";
        let told = machine.killed_after(60, &format!("python3 -u -c \"{open}\n{fill}\""));
        machine.check();
        let look = "print(c.execute('select count(*) from t where length(b) = a % 3000').fetchone()[0], \
                    c.execute('pragma integrity_check').fetchone()[0])";
        let said = machine.run(&format!("python3 -u -c \"{open}\n{look}\"")).succeeded();
        let (found, whole) = said.trim().split_once(' ').unwrap();
        assert!(
            found.parse::<usize>().unwrap() + undone >= told.len() && whole == "ok",
            "{mode}: {said} of {}",
            told.len()
        );
        machine.check();
    }
}

const MARIADB: &str = "mariadbd --no-defaults --user=root --datadir=/srv --socket=/s --skip-networking --log-error=/log.err \
                       --skip-grant-tables & until mariadb -S /s -e 'select 1' >/dev/null 2>&1; do sleep 0.1; done; ";

#[test]
fn mariadb_keeps_what_it_committed() {
    let machine = Machine::new(&["/usr/sbin/mariadbd", "/usr/bin/mariadb"]);
    // One statement a line.
    let init = "mkdir -p /srv; printf 'create database mysql;\\ncreate database t;\\n\
                create table t.t (a int primary key, b text) engine=innodb;\\n' | mariadbd --no-defaults --user=root \
                --datadir=/srv --bootstrap --skip-grant-tables --log-error=/log.err || cat /log.err";
    let fill = "i=0; while mariadb -S /s -N -e \"insert into t.t values ($i, repeat('x', $i % 3000)); select $i\"; do i=$((i+1)); done";
    assert_eq!(machine.run(init).succeeded(), "");
    let told = machine.killed_after(30, &format!("{MARIADB}{fill}"));
    machine.check();
    let look =
        "mariadb -S /s -N -e 'select count(*) from t.t where length(b) = a % 3000; check table t.t;'; kill %1; wait";
    let said = machine.run(&format!("{MARIADB}{look}")).succeeded();
    let found: usize = said.lines().next().and_then(|line| line.parse().ok()).unwrap();
    assert!(found >= told.len() && said.contains("OK"), "{said} of {}", told.len());
    machine.check();
}

#[test]
fn fio_finds_what_its_engines_wrote() {
    let machine = Machine::new(&["/usr/bin/fio"]);
    let fio = "fio --thread --minimal --directory=/ --size=8M --bs=4k --rw=randwrite --verify=crc32c --verify_fatal=1 \
               --end_fsync=1 --iodepth=16 ";
    for engine in ["sync", "psync", "libaio --direct=1", "libaio", "mmap", "psync --direct=1"] {
        let name = engine.replace([' ', '-', '='], "");
        let job = format!("{fio} --name={name} --ioengine={engine}");
        machine.killed_after(1, &format!("{job} >/dev/null && echo done; while :; do echo more >>/more; done"));
        machine.check();
        machine.run(&format!("{job} --verify_only >/log || cat /log >&2")).succeeded();
    }
}

#[test]
fn trees_are_the_same_after_a_kill() {
    let machine = Machine::new(&["/usr/bin/python3", "/bin/tar", "/usr/bin/rsync", "/usr/bin/sha256sum"]);
    let list = "(cd $1 && find . -type f | sort | xargs sha256sum) | sha256sum";
    let script = format!(
        "sum() {{ {list}; }}; mkdir -p /a/b; i=0; while test $i -lt 300; do seq $i $((i*9)) >/a/b/$i; i=$((i+1)); done; \
         python3 -c \"import shelve; d = shelve.open('/a/shelf'); d.update((str(i), 'x' * i) for i in range(200)); d.close()\"; \
         tar cf /a.tar /a 2>/dev/null; mkdir /t; tar xf /a.tar -C /t; rsync -a /a/ /r/; sync; sum /a; sum /t/a; sum /r; \
         while :; do echo more >>/a/b/more; rm -rf /x; cp -r /r /x; done"
    );
    let told = machine.killed_after(3, &script);
    machine.check();
    let shelf = "import shelve; d = shelve.open('/a/shelf', 'r'); print(sum(len(d[k]) for k in d))";
    let look = format!("sum() {{ {list}; }}; rm -f /a/b/more; sum /a; sum /t/a; sum /r; python3 -c \"{shelf}\"");
    let again = machine.run(&look).succeeded();
    assert_eq!(again.lines().collect::<Vec<_>>(), [&told[0], &told[0], &told[0], "19900"], "{told:?}");
    machine.check();
}
