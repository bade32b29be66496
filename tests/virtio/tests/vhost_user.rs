//! The virtio disk driver on a disk of QEMU's storage daemon, which reaches the DMA window and nothing else.

use rkt_backend_vhost_user::{Model, VhostUser};
use rkt_blockdev::{BlockDevice, BlockError, Request, SubmitError, Token};
use rkt_tests_virtio::{POLLS, Random, Rig, wait};
use rkt_virtio_blk::VirtioBlk;
use rkt_virtio_device::Relay;
use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command};
use tempfile::TempDir;

const BLOCK: usize = 4096;
const BLOCKS: u64 = 1024;

/// `qemu-storage-daemon` with a file, killed when this is dropped.
struct Daemon {
    folder: TempDir,
    child: Child,
}

impl Daemon {
    fn start() -> Self {
        let folder = TempDir::new().expect("a folder");
        let file = File::create(folder.path().join("disk")).expect("a file");
        file.set_len(BLOCKS * BLOCK as u64).expect("its length");
        let daemon = Self { child: spawn(&folder), folder };
        await_daemon(&daemon.folder);
        daemon
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    fn kill(&mut self) {
        self.child.kill().and_then(|()| self.child.wait()).expect("our child");
    }

    fn restart(&mut self) {
        self.kill();
        self.child = spawn(&self.folder);
        await_daemon(&self.folder);
    }

    fn file(&self) -> File {
        File::open(self.folder.path().join("disk")).expect("the disk")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Starts the daemon.
fn spawn(folder: &TempDir) -> Child {
    let path = |name: &str| folder.path().join(name).display().to_string();
    // Whoever was killed has left its socket.
    let _ = std::fs::remove_file(path("socket"));
    let file = format!("driver=file,node-name=disk,filename={}", path("disk"));
    let export =
        format!("type=vhost-user-blk,id=e,node-name=disk,writable=on,addr.type=unix,addr.path={}", path("socket"));
    let mut command = Command::new("qemu-storage-daemon");
    command.args(["--blockdev", &file, "--export", &export]).spawn().expect("qemu-storage-daemon")
}

/// Waits until the daemon listens.
fn await_daemon(folder: &TempDir) {
    for _ in 0..POLLS {
        if UnixStream::connect(folder.path().join("socket")).is_ok() {
            return;
        }
        wait();
    }
    panic!("qemu-storage-daemon does not listen");
}

struct Guest {
    rig: Rig,
    disk: VirtioBlk,
    _device: Relay,
}

impl Guest {
    fn start(daemon: &Daemon) -> Self {
        let rig = Rig::new();
        let served = VhostUser::connect(&daemon.socket(), Model::disk(), rig.memfd(), rig.window.len());
        let device = Relay::spawn(Box::new(served.expect("the daemon")), 3, &rig.window).expect("a device");
        let disk = VirtioBlk::new(rig.regs(3), &mut rig.arena(), 0, POLLS, &mut wait).expect("a disk");
        Self { rig, disk, _device: device }
    }

    fn perform(&mut self, request: Request) -> Result<Request, BlockError> {
        self.disk.submit(request).expect("submit");
        self.disk.kick();
        loop {
            self.rig.park_until(|| self.disk.has_work());
            if let Some(done) = self.disk.poll() {
                return done.result.map(|()| done.request);
            }
        }
    }
}

#[test]
fn random_requests_agree_with_a_model() {
    let daemon = Daemon::start();
    let mut guest = Guest::start(&daemon);
    assert_eq!(guest.disk.geometry().len, BLOCKS * BLOCK as u64);
    let mut model = vec![0u8; BLOCKS as usize * BLOCK];
    let mut random = Random(7);
    for _ in 0..400 {
        let len = 512 * (1 + random.below(256)) as usize;
        let offset = 512 * random.below((model.len() - len) as u64 / 512 + 1);
        let range = offset as usize..offset as usize + len;
        if random.below(2) == 0 {
            let data = random.bytes(len);
            guest.perform(Request::Write { offset, data: data.clone(), fua: false }).expect("write");
            model[range].copy_from_slice(&data);
        } else {
            let Ok(Request::Read { data, .. }) = guest.perform(Request::Read { offset, data: vec![0; len] }) else {
                panic!("no data");
            };
            assert!(data == model[range], "{len} bytes at {offset} differ");
        }
    }
    guest.perform(Request::Flush).expect("flush");
    let mut found = vec![0; model.len()];
    daemon.file().read_exact_at(&mut found, 0).expect("read");
    assert!(found == model, "the file differs");
}

/// Writers that have one write to a block under way each, and each time another content.
struct Load {
    random: Random,
    number: u64,
    /// What was acknowledged last for a block.
    written: HashMap<u64, u64>,
    under_way: HashMap<Token, (u64, u64)>,
    /// What failed, to be written again.
    failed: Vec<(u64, u64)>,
}

impl Load {
    fn next(&mut self) -> (u64, u64) {
        if let Some(again) = self.failed.pop() {
            return again;
        }
        loop {
            let block = self.random.below(BLOCKS);
            if self.under_way.values().all(|(other, _)| *other != block) {
                self.number += 1;
                return (block, self.number);
            }
        }
    }

    fn submit(&mut self, disk: &mut VirtioBlk) {
        while self.under_way.len() < 32 {
            let (block, number) = self.next();
            let data = content(number);
            match disk.submit(Request::Write { offset: block * BLOCK as u64, data, fua: false }) {
                Ok(token) => drop(self.under_way.insert(token, (block, number))),
                Err(rejected) => {
                    self.failed.push((block, number));
                    if rejected.error != SubmitError::Down {
                        break;
                    }
                    // The daemon may take its time: the driver tries as often as it is asked to.
                    while disk.reset(&mut wait).is_err() {}
                }
            }
        }
        disk.kick();
    }

    fn collect(&mut self, disk: &mut VirtioBlk) {
        while let Some(done) = disk.poll() {
            let (block, number) = self.under_way.remove(&done.token).expect("a write that is under way");
            match done.result {
                Ok(()) => drop(self.written.insert(block, number)),
                Err(_) => self.failed.push((block, number)),
            }
        }
    }
}

fn content(number: u64) -> Vec<u8> {
    number.to_le_bytes().repeat(BLOCK / 8)
}

#[test]
fn a_daemon_that_is_killed_under_load_loses_and_repeats_nothing() {
    let mut daemon = Daemon::start();
    let mut guest = Guest::start(&daemon);
    let mut load =
        Load { random: Random(11), number: 0, written: HashMap::new(), under_way: HashMap::new(), failed: Vec::new() };
    for _ in 0..5 {
        let enough = load.number + 2000;
        while load.number < enough {
            load.submit(&mut guest.disk);
            guest.rig.park_until(|| guest.disk.has_work());
            load.collect(&mut guest.disk);
        }
        load.submit(&mut guest.disk);
        daemon.restart();
    }
    // What is under way ends, and what has failed is written again.
    while !load.under_way.is_empty() || !load.failed.is_empty() {
        if !load.failed.is_empty() {
            load.submit(&mut guest.disk);
        }
        if !load.under_way.is_empty() {
            guest.rig.park_until(|| guest.disk.has_work());
        }
        load.collect(&mut guest.disk);
    }
    assert!(guest.disk.stats().resets >= 5, "{:?}", guest.disk.stats());
    let file = daemon.file();
    for (block, number) in &load.written {
        let mut found = vec![0; BLOCK];
        file.read_exact_at(&mut found, block * BLOCK as u64).expect("read");
        assert!(found == content(*number), "block {block} is not what was written last");
    }
}
