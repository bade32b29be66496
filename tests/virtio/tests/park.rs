//! No wake-up is lost, whichever side sleeps when. Each side pauses at random, so that kicks meet
//! the other side before, in and after every step of going to sleep; either side's watchdog is
//! shorter than its longest sleep, so a lost wake-up shows.

use rkt_tests_virtio::{POLLS, Random, Rig, wait};
use rkt_virtio::features::{EVENT_IDX, RING_PACKED};
use rkt_virtio_device::{Counters, Device, Fault, Interest, Model, Polling, Queues, RunningDevice, gather, scatter};
use rkt_virtqueue::{Patience, Segment, Virtqueue, negotiate, queue_size, reset, start};
use smallvec::SmallVec;
use std::fs::File;
use std::os::fd::AsFd;
use std::time::Duration;

const KIND: u32 = 42;
const ROUNDS: u64 = 7_000;
const SLOT: usize = 15;

/// Answers eight bytes with their complement, after a random pause.
struct Complement {
    random: Random,
    /// A descriptor that never becomes ready, to make the thread wait for both.
    silent: Option<File>,
}

/// Mostly nothing, at times a spin that is about as long as going to sleep takes, seldom a sleep.
fn pause(random: &mut Random) {
    match random.below(16) {
        0 => std::thread::sleep(Duration::from_micros(random.below(200))),
        1..8 => (0..random.below(4000)).for_each(|_| std::hint::spin_loop()),
        _ => {}
    }
}

impl Model for Complement {
    fn kind(&self) -> u32 {
        KIND
    }

    fn features(&self) -> u64 {
        0
    }

    fn queue_sizes(&self) -> &[u16] {
        &[4]
    }

    fn config(&self) -> Vec<u8> {
        Vec::new()
    }

    fn start(&mut self, _features: u64) -> Result<(), Fault> {
        Ok(())
    }

    fn reset(&mut self) {}
}

impl Device for Complement {
    fn descriptors(&self) -> SmallVec<[Interest<'_>; 4]> {
        self.silent.iter().map(|file| Interest { fd: file.as_fd(), events: libc::POLLIN }).collect()
    }

    fn serve(&mut self, queues: &mut Queues, _counters: &Counters) -> Result<bool, Fault> {
        let queue = queues.get(0)?;
        let Some(chain) = queue.pop()? else { return Ok(false) };
        pause(&mut self.random);
        let mut number = [0; 8];
        assert_eq!(gather(chain.readable(), 0, &mut number), 8);
        assert_eq!(scatter(chain.writable(), 0, &number.map(|byte| !byte)), 8);
        queue.push(chain, 8)?;
        queue.publish();
        Ok(true)
    }
}

fn ping_pong(silent: Option<File>, polling: Polling, seed: u64) {
    for (features, seed) in [(0, seed), (EVENT_IDX, seed + 10), (EVENT_IDX | RING_PACKED, seed + 20)] {
        let silent = silent.as_ref().map(|file| file.try_clone().expect("a descriptor"));
        ping_pong_by(features, silent, polling, seed);
    }
}

fn ping_pong_by(features: u64, silent: Option<File>, polling: Polling, seed: u64) {
    let rig = Rig::new();
    let has_descriptor = silent.is_some();
    let complement = Complement { random: Random(seed), silent };
    let device = RunningDevice::spawn(Box::new(complement), SLOT, &rig.window, polling).expect("a device");
    let (mut regs, mut arena) = (rig.regs(SLOT), rig.arena());
    let mut patience = Patience { polls: POLLS, wait: &mut wait };
    reset(&mut regs, &mut patience).expect("reset");
    negotiate(&mut regs, KIND, features, |_| 0, &mut patience).expect("agreement");
    let size = queue_size(&regs, 0, 2, 4).expect("a queue");
    let mut queue = Virtqueue::new(&mut arena, size, features).expect("a queue");
    regs.set_queue(0, &queue.setup(0)).expect("a queue");
    start(&mut regs, &mut patience).expect("start");

    let buffer = arena.alloc(64, 64).expect("a buffer");
    let (out, back) = (Segment { offset: buffer.offset, len: 8 }, Segment { offset: buffer.offset + 32, len: 8 });
    let mut random = Random(seed + 1);
    for number in 0..ROUNDS {
        pause(&mut random);
        buffer.region.write_u64(0, number).expect("write");
        queue.add(&[out], &[back], number as u32).expect("add");
        queue.publish().expect("publish");
        if queue.take_kick() {
            regs.kick();
        }
        pause(&mut random);
        queue.ask_after(0).expect("ask");
        rig.park_until(|| queue.has_used());
        let used = queue.pop_used().expect("an honest device").expect("a used chain");
        assert_eq!((used.token, used.len), (number as u32, 8));
        assert_eq!(buffer.region.read_u64(32).expect("read"), !number);
    }
    println!("descriptor: {has_descriptor}, {polling:?}: {:?}", device.stop());
}

/// The read end of a pipe whose write end is returned, too, lest it hang up.
fn silent() -> (File, File) {
    let (read, write) = rustix::pipe::pipe().expect("a pipe");
    (read.into(), write.into())
}

#[test]
fn futex_alone() {
    ping_pong(None, Polling::Adaptive(Duration::ZERO), 11);
}

#[test]
fn futex_alone_with_a_short_poll_first() {
    ping_pong(None, Polling::Adaptive(Duration::from_micros(20)), 12);
}

#[test]
fn futex_and_descriptor() {
    let (read, _write) = silent();
    ping_pong(Some(read), Polling::Adaptive(Duration::ZERO), 13);
}

#[test]
fn futex_and_descriptor_with_a_short_poll_first() {
    let (read, _write) = silent();
    ping_pong(Some(read), Polling::Adaptive(Duration::from_micros(20)), 14);
}

#[test]
fn never_asleep() {
    ping_pong(None, Polling::Busy, 15);
}
