//! How fast a wire is: one card sends frames to another as fast as it can, each on a thread of its own, the
//! switch on a third. Prints Gbit/s and what each thread took of a processor.
//!
//! `cargo run --release -p rkt-tests-virtio --example wire [FRAME_BYTES [SECONDS]]`

use rkt_backend_net::{Wire, WireOptions, serve_switch};
use rkt_netdev::{Checksum, Gso, GsoKind, TxError, TxMeta};
use rkt_tests_virtio::Rig;
use rkt_tests_virtio::packets::{EXPERIMENT, ethernet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const SLOT: usize = 0;

fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn join(path: &Path, number: u8) -> (Rig, rkt_tests_hostile::Card, Wire) {
    let rig = Rig::new();
    let options = WireOptions { path: path.into(), pairs: 1, mtu: 1500 };
    let start = |listener, path: &Path| {
        let path = path.to_owned();
        std::thread::spawn(move || {
            serve_switch(listener, &path).expect("serve");
            println!("switch: {:?} of a processor", thread_time());
        });
        Ok(())
    };
    let wire = Wire::join(options, rig.memfd(), SLOT, [2, 0, 0, 0, 0, number], Box::new(start)).expect("a wire");
    let card = rig.card(SLOT, 1, 0);
    (rig, card, wire)
}

fn main() {
    let mut words = std::env::args().skip(1).map(|word| word.parse::<u64>().expect("a number"));
    let (len, seconds) = (words.next().unwrap_or(65_000) as usize, words.next().unwrap_or(5));
    let path = std::env::temp_dir().join(format!("rkt-wire-{}", std::process::id()));
    let ((rig_a, mut a, wire_a), (rig_b, mut b, wire_b)) = (join(&path, 1), join(&path, 2));
    let (stop, received) = (AtomicBool::new(false), AtomicU64::new(0));
    b.transmit(&TxMeta::default(), &[&ethernet([0xff; 6], [2, 0, 0, 0, 0, 2], EXPERIMENT, &[0; 46])]).expect("hello");
    b.kick().expect("kick");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let frame = ethernet([2, 0, 0, 0, 0, 2], [2, 0, 0, 0, 0, 1], EXPERIMENT, &vec![0x5a; len - 14]);
            let gso = (len > 1514).then_some(Gso { kind: GsoKind::Tcp4, segment: 1448, headers: 54 });
            let meta = TxMeta { checksum: Checksum::Partial { start: 0, offset: 0 }, gso };
            while !stop.load(Ordering::Relaxed) {
                match a.transmit(&meta, &[&frame]) {
                    Ok(()) => a.kick().expect("kick"),
                    Err(TxError::Full) => {
                        rig_a.park_until(|| a.has_work() || stop.load(Ordering::Relaxed));
                        let _ = a.receive(&mut []).expect("receive");
                    }
                    Err(e) => panic!("{e}"),
                }
            }
            println!("sender: {:?} of a processor", thread_time());
        });
        scope.spawn(|| {
            let mut buffer = vec![0; 70_000];
            while !stop.load(Ordering::Relaxed) {
                while let Some(meta) = b.receive(&mut buffer).expect("receive") {
                    received.fetch_add(meta.len as u64, Ordering::Relaxed);
                }
                b.kick().expect("kick");
                rig_b.park_until(|| b.has_work() || stop.load(Ordering::Relaxed));
            }
            println!("receiver: {:?} of a processor", thread_time());
        });
        let (start, before) = (Instant::now(), received.load(Ordering::Relaxed));
        std::thread::sleep(Duration::from_secs(seconds));
        let (bytes, time) = (received.load(Ordering::Relaxed) - before, start.elapsed());
        println!("{:.2} Gbit/s in frames of {len} bytes", bytes as f64 * 8.0 / time.as_secs_f64() / 1e9);
        stop.store(true, Ordering::Relaxed);
    });
    drop((wire_a, wire_b));
    std::thread::sleep(Duration::from_millis(100));
}
