//! Enclaves on a wire: drivers, devices and the switch between them. Nothing passes through the
//! host's kernel here.

use rkt_backend_net::{Wire, WireError, WireOptions, serve_switch};
use rkt_netdev::{Checksum, Gso, GsoKind, RxMeta, TxError, TxMeta};
use rkt_tests_hostile::Card;
use rkt_tests_virtio::packets::{EXPERIMENT, ethernet};
use rkt_tests_virtio::{Random, Rig, WATCHDOG, wait};
use rkt_virtio::features::{EVENT_IDX, RING_PACKED};
use rkt_virtio::split;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// A path of this test's own.
fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()))
}

/// The switch as a thread of this process.
fn thread(listener: UnixListener, path: &Path) -> io::Result<()> {
    let path = path.to_owned();
    std::thread::spawn(move || serve_switch(listener, &path).expect("serve"));
    Ok(())
}

fn mac(number: u8) -> [u8; 6] {
    [2, 0, 0, 0, 1, number]
}

/// An enclave on a wire.
struct Guest {
    rig: Rig,
    card: Card,
    number: u8,
    _wire: Wire,
}

impl Guest {
    fn join(path: &Path, number: u8) -> Self {
        Self::join_with(path, number, 1, 0, Box::new(thread))
    }

    fn join_with(path: &Path, number: u8, pairs: u16, without: u64, start: Box<rkt_backend_net::StartSwitch>) -> Self {
        let rig = Rig::new();
        let options = WireOptions { path: path.into(), pairs, mtu: 1500 };
        let wire = Wire::join(options, rig.memfd(), 3, mac(number), start).expect("a wire");
        let card = rig.card(3, pairs, without);
        assert_eq!(card.capabilities().mac, mac(number));
        Self { rig, card, number, _wire: wire }
    }

    /// Sends, and waits for room if there is none.
    fn send(&mut self, meta: &TxMeta, frame: &[u8]) {
        while let Err(e) = self.card.transmit(meta, &[frame]) {
            assert_eq!(e, TxError::Full);
            self.card.kick().expect("kick");
            self.rig.park_until(|| self.card.has_work());
            assert_eq!(self.card.receive(&mut []), Ok(None));
        }
        self.card.kick().expect("kick");
    }

    fn receive(&mut self) -> (RxMeta, Vec<u8>) {
        let mut frame = vec![0; self.card.capabilities().max_rx_frame];
        loop {
            if let Some(meta) = self.card.receive(&mut frame).expect("receive") {
                self.card.kick().expect("kick");
                frame.truncate(meta.len);
                return (meta, frame);
            }
            self.card.kick().expect("kick");
            self.rig.park_until(|| self.card.has_work());
        }
    }

    /// What has come so far.
    fn drain(&mut self) -> usize {
        let mut frame = vec![0; self.card.capabilities().max_rx_frame];
        let count = std::iter::from_fn(|| self.card.receive(&mut frame).expect("receive")).count();
        self.card.kick().expect("kick");
        count
    }

    /// A frame to another guest.
    fn frame(&self, to: u8, payload: &[u8]) -> Vec<u8> {
        ethernet(mac(to), mac(self.number), EXPERIMENT, payload)
    }

    /// Sends a frame to another guest, who gets it.
    fn greet(&mut self, other: &mut Self) {
        let frame = self.frame(other.number, &[self.number; 60]);
        self.send(&TxMeta::default(), &frame);
        assert_eq!(other.receive().1, frame);
    }
}

/// Frames of random sizes both ways at once, as segments of up to 64 KiB too, every byte compared.
fn both_ways(name: &str, without: u64) {
    let path = path(name);
    let mut a = Guest::join_with(&path, 1, 1, without, Box::new(thread));
    let mut b = Guest::join_with(&path, 2, 1, 0, Box::new(thread));
    a.greet(&mut b);
    b.greet(&mut a);
    let mut random = Random(9);
    for _ in 0..400 {
        let mut burst = |from: &Guest, to: u8| -> Vec<(TxMeta, Vec<u8>)> {
            let frame = |_| {
                let long = random.below(4) == 0;
                let len = if long { random.below(65_000) } else { 46 + random.below(1400) };
                let frame = from.frame(to, &random.bytes(len as usize + 46));
                let gso = Gso { kind: GsoKind::Tcp4, segment: 1448, headers: 54 };
                let partial = TxMeta { checksum: Checksum::Partial { start: 34, offset: 16 }, gso: Some(gso) };
                (if long { partial } else { TxMeta::default() }, frame)
            };
            (0..8).map(frame).collect()
        };
        let (there, back) = (burst(&a, 2), burst(&b, 1));
        for ((meta_a, frame_a), (meta_b, frame_b)) in there.iter().zip(&back) {
            a.send(meta_a, frame_a);
            b.send(meta_b, frame_b);
        }
        for (meta, frame) in there {
            let (got, bytes) = b.receive();
            assert_eq!((got.checksum, got.gso), (meta.checksum, meta.gso));
            assert!(bytes == frame, "a frame differs");
        }
        for (meta, frame) in back {
            let (got, bytes) = a.receive();
            assert_eq!((got.checksum, got.gso), (meta.checksum, meta.gso));
            assert!(bytes == frame, "a frame differs");
        }
    }
}

#[test]
fn frames_pass_unchanged() {
    both_ways("packed", 0);
}

#[test]
fn frames_pass_unchanged_between_a_split_and_a_packed_ring() {
    both_ways("split", RING_PACKED);
    both_ways("plain", RING_PACKED | EVENT_IDX);
}

#[test]
fn frames_go_to_whom_they_are_for() {
    let path = path("learning");
    let mut guests: Vec<Guest> = (1..=3).map(|number| Guest::join(&path, number)).collect();
    let [a, b, c] = guests.as_mut_slice() else { panic!("three") };
    a.greet(b);
    assert_eq!(c.receive().1, a.frame(2, &[1; 60]), "nobody knew where b is");
    b.greet(a);
    c.greet(a);
    a.greet(b);
    a.greet(c);
    assert_eq!((a.drain(), b.drain(), c.drain()), (0, 0, 0));
    let call = ethernet([0xff; 6], mac(1), EXPERIMENT, &[7; 50]);
    a.send(&TxMeta::default(), &call);
    assert_eq!((b.receive().1, c.receive().1), (call.clone(), call));
    // Once each sender is known, one that moves is found at its new place.
    let moved = ethernet(mac(1), mac(2), EXPERIMENT, &[8; 50]);
    c.send(&TxMeta::default(), &moved);
    assert_eq!(a.receive().1, moved);
    let frame = a.frame(2, &[1; 60]);
    a.send(&TxMeta::default(), &frame);
    assert_eq!(c.receive().1, frame);
}

#[test]
fn a_flow_comes_in_where_it_went_out() {
    let path = path("pairs");
    let mut a = Guest::join_with(&path, 1, 2, 0, Box::new(thread));
    let mut b = Guest::join(&path, 2);
    a.greet(&mut b);
    b.greet(&mut a);
    let datagram = |from: u8, ports: [u8; 4]| {
        let header = [0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, from, 10, 0, 0, 3 - from];
        ethernet(mac(3 - from), mac(from), 0x0800, &[&header[..], &ports, &[0; 24]].concat())
    };
    let mut buffer = vec![0; a.card.capabilities().max_rx_frame];
    for round in 0..100u8 {
        let pair = usize::from(round % 2);
        let there = datagram(1, [round, 1, 0, 53]);
        a.card.queues[pair].transmit(&TxMeta::default(), &[&there]).expect("transmit");
        a.card.kick().expect("kick");
        assert_eq!(b.receive().1, there);
        b.send(&TxMeta::default(), &datagram(2, [0, 53, round, 1]));
        let since = Instant::now();
        while a.card.receive_on(pair, &mut buffer).expect("receive").is_none() {
            assert!(since.elapsed() < WATCHDOG, "it came in elsewhere");
            wait();
        }
        a.card.kick().expect("kick");
    }
    a.card.reset(&mut wait).expect("reset");
    a.greet(&mut b);
}

#[test]
fn one_that_takes_nothing_holds_nobody_up() {
    let path = path("stalled");
    let (mut a, mut b, mut c) = (Guest::join(&path, 1), Guest::join(&path, 2), Guest::join(&path, 3));
    a.greet(&mut b);
    b.greet(&mut a);
    c.greet(&mut a);
    b.drain();
    c.drain();
    // Far more than b has buffers for: it does not look.
    for _ in 0..2000 {
        let frame = a.frame(2, &[1; 1000]);
        a.send(&TxMeta::default(), &frame);
    }
    a.greet(&mut c);
    let held = b.drain();
    assert!((200..2000).contains(&held), "{held}");
    // Now that it looks again, it is served again.
    for _ in 0..50 {
        a.greet(&mut b);
    }
}

#[test]
fn who_leaves_is_gone_and_who_comes_back_is_back() {
    let path = path("leaving");
    let (mut a, mut b) = (Guest::join(&path, 1), Guest::join(&path, 2));
    a.greet(&mut b);
    b.greet(&mut a);
    for _ in 0..5 {
        drop(b);
        for _ in 0..1000 {
            let frame = a.frame(2, &[1; 1000]);
            a.send(&TxMeta::default(), &frame);
        }
        b = Guest::join(&path, 2);
        b.greet(&mut a);
        b.drain();
        a.greet(&mut b);
    }
    drop((a, b));
    let since = Instant::now();
    while path.exists() {
        assert!(since.elapsed() < WATCHDOG, "the switch is still there");
        wait();
    }
    Guest::join(&path, 1);
}

#[test]
fn a_driver_that_writes_nonsense_takes_down_its_own_device_only() {
    let path = path("hostile");
    let (mut a, mut b) = (Guest::join_with(&path, 1, 1, RING_PACKED, Box::new(thread)), Guest::join(&path, 2));
    let mut c = Guest::join(&path, 3);
    let mut random = Random(5);
    for _ in 0..50 {
        // The transmit queue's table and ring, wherever they are: descriptors without sense made available.
        let page = rkt_window::layout::DEVICE_SLOTS + 3 * rkt_window::layout::DEVICE_SLOT_LEN + 0x840 + 32;
        let (desc, avail) = (a.rig.window.read_u64(page + 8).unwrap(), a.rig.window.read_u64(page + 16).unwrap());
        let table = a.rig.window.sub(desc as usize, split::desc_table_len(256)).unwrap();
        for at in (0..table.len()).step_by(8) {
            table.write_u64(at, random.number()).unwrap();
        }
        a.rig.window.write_u16(avail as usize + split::RING_IDX, random.number() as u16).unwrap();
        a.rig.regs(3).kick();
        b.greet(&mut c);
        c.greet(&mut b);
        b.drain();
        c.drain();
        let since = Instant::now();
        while a.card.receive(&mut []).is_ok() {
            assert!(since.elapsed() < WATCHDOG, "nonsense went through");
            wait();
        }
        a.card.reset(&mut wait).expect("reset");
        a.greet(&mut b);
        c.drain();
    }
}

#[test]
fn a_lost_switch_is_replaced_and_the_devices_need_a_reset() {
    const SWITCH: &str = "RKT_TEST_SWITCH";
    if let Some(path) = std::env::var_os(SWITCH) {
        let listener = io::stdin().as_fd().try_clone_to_owned().expect("the socket");
        return serve_switch(listener.into(), Path::new(&path)).expect("serve");
    }
    let path = path("lost");
    let children: Arc<Mutex<Vec<Child>>> = Arc::default();
    let start = |children: &Arc<Mutex<Vec<Child>>>| {
        let children = Arc::clone(children);
        Box::new(move |listener: UnixListener, path: &Path| {
            let child = Command::new(std::env::current_exe()?)
                .args(["--exact", "a_lost_switch_is_replaced_and_the_devices_need_a_reset"])
                .env(SWITCH, path)
                .stdin(Stdio::from(std::os::fd::OwnedFd::from(listener)))
                .stdout(Stdio::null())
                .spawn()?;
            children.lock().expect("children").push(child);
            Ok(())
        })
    };
    let mut a = Guest::join_with(&path, 1, 1, 0, start(&children));
    let mut b = Guest::join_with(&path, 2, 1, 0, start(&children));
    for _ in 0..3 {
        a.greet(&mut b);
        b.greet(&mut a);
        let mut child = children.lock().expect("children").pop().expect("one of the two started it");
        child.kill().expect("kill");
        child.wait().expect("wait");
        for guest in [&mut a, &mut b] {
            let since = Instant::now();
            while guest.card.receive(&mut []).is_ok() {
                assert!(since.elapsed() < WATCHDOG, "nobody noticed");
                wait();
            }
            guest.card.reset(&mut wait).expect("another switch");
        }
    }
    drop((a, b));
    for child in children.lock().expect("children").iter_mut() {
        assert!(child.wait().expect("wait").success());
    }
    assert!(!path.exists());
}

#[test]
fn a_path_that_cannot_be_is_named() {
    let rig = Rig::new();
    let join = |path: &Path| {
        let options = WireOptions { path: path.into(), pairs: 1, mtu: 1500 };
        Wire::join(options, rig.memfd(), 0, mac(1), Box::new(thread)).err().expect("no wire")
    };
    let error = join(Path::new("/nonexistent/wire"));
    assert!(matches!(error, WireError::Path(..)) && error.to_string().contains("/nonexistent/wire"), "{error}");
    // Somebody listens there who is no switch.
    let path = path("taken");
    let listener = UnixListener::bind(&path).expect("bind");
    let other = std::thread::spawn(move || listener.incoming().take(5).for_each(drop));
    assert!(matches!(join(&path), WireError::Refused(_)));
    other.join().expect("the other");
    std::fs::remove_file(&path).expect("remove");
}
