//! A device outlives every nonsense that a driver can write, and says what it was.

use rkt_virtio::{features, packed, split, status};
use rkt_virtio_device::{
    Counters, Device, Fault, Model, Polling, Queue, QueueError, Queues, RunningDevice, cut, gather, scatter, total_len,
};
use rkt_virtio_transport::{DriverRegs, QueueSetup};
use rkt_window::layout::{DMA, MIN_LEN};
use rkt_window::{Region, Window};
use std::time::Duration;

const DESC: usize = DMA;
const AVAIL: usize = DMA + 4096;
const USED: usize = DMA + 8192;
const DATA: usize = DMA + 12288;
const SIZE: u16 = 8;

fn window() -> Window {
    let words = Box::leak(vec![0u64; MIN_LEN / 8].into_boxed_slice());
    // SAFETY: leaked, and reached through the region alone from here on.
    unsafe { Region::from_raw(words.as_mut_ptr().cast(), MIN_LEN) }
}

fn setup() -> QueueSetup {
    QueueSetup { size: SIZE, vcpu: 0, desc: DESC as u64, driver: AVAIL as u64, device: USED as u64 }
}

fn describe(window: &Window, index: u16, addr: u64, len: u32, flags: u16, next: u16) {
    let at = DESC + usize::from(index) * split::DESC_LEN;
    window.write_u64(at, addr).unwrap();
    window.write_u32(at + 8, len).unwrap();
    window.write_u16(at + 12, flags).unwrap();
    window.write_u16(at + 14, next).unwrap();
}

fn offer(window: &Window, slot: u16, head: u16, idx: u16) {
    window.write_u16(AVAIL + split::avail_entry(SIZE, slot), head).unwrap();
    window.write_u16(AVAIL + split::RING_IDX, idx).unwrap();
}

fn pop(window: &Window) -> Result<Option<usize>, QueueError> {
    let mut queue = Queue::open(window, &setup(), SIZE, 0)?;
    Ok(queue.pop()?.map(|chain| chain.readable().len() * 100 + chain.writable().len()))
}

const NEXT: u16 = split::desc_flags::NEXT;
const WRITE: u16 = split::desc_flags::WRITE;

#[test]
fn an_honest_chain_is_taken_apart() {
    let window = window();
    describe(&window, 3, DATA as u64, 16, NEXT, 5);
    describe(&window, 5, DATA as u64 + 16, 100, NEXT | WRITE, 0);
    describe(&window, 0, DATA as u64 + 200, 1, WRITE, 0);
    assert_eq!(pop(&window), Ok(None));
    offer(&window, 0, 3, 1);
    assert_eq!(pop(&window), Ok(Some(102)));
}

#[test]
fn each_broken_rule_has_its_error() {
    let data = DATA as u64;
    let chain = |descriptors: &[(u64, u32, u16, u16)], head, idx| {
        let window = window();
        for (index, (addr, len, flags, next)) in (0u16..).zip(descriptors) {
            describe(&window, index, *addr, *len, *flags, *next);
        }
        offer(&window, 0, head, idx);
        pop(&window).unwrap_err()
    };
    assert_eq!(chain(&[], 0, 9), QueueError::AvailableIndex { claimed: 9, next: 0 });
    assert_eq!(chain(&[], 8, 1), QueueError::Descriptor(8));
    assert_eq!(chain(&[(data, 1, NEXT, 0xffff)], 0, 1), QueueError::Descriptor(0xffff));
    assert_eq!(chain(&[(data, 1, NEXT, 0)], 0, 1), QueueError::Loop);
    assert_eq!(chain(&[(data, 1, NEXT, 1), (data, 1, NEXT, 0)], 0, 1), QueueError::Loop);
    assert_eq!(chain(&[(data, 1, split::desc_flags::INDIRECT, 0)], 0, 1), QueueError::Indirect);
    assert_eq!(chain(&[(data, 1, NEXT | WRITE, 1), (data, 1, 0, 0)], 0, 1), QueueError::Order);
    for (addr, len) in [(MIN_LEN as u64, 1), (u64::MAX, 2), (data, u32::MAX), (MIN_LEN as u64 - 1, 2)] {
        assert!(matches!(chain(&[(addr, len, 0, 0)], 0, 1), QueueError::Buffer(_)), "{addr:#x}");
    }
}

#[test]
fn rings_must_be_possible() {
    let window = window();
    let open = |setup: QueueSetup| Queue::open(&window, &setup, 256, 0).map(|_| ()).unwrap_err();
    for size in [0, 3, 512, 0xffff] {
        assert_eq!(open(QueueSetup { size, ..setup() }), QueueError::Size(size));
    }
    assert!(matches!(open(QueueSetup { desc: DESC as u64 + 8, ..setup() }), QueueError::Ring(_)));
    assert!(matches!(open(QueueSetup { driver: AVAIL as u64 + 1, ..setup() }), QueueError::Ring(_)));
    assert!(matches!(open(QueueSetup { device: u64::MAX - 3, ..setup() }), QueueError::Ring(_)));
    assert!(matches!(open(QueueSetup { device: MIN_LEN as u64 - 4, ..setup() }), QueueError::Ring(_)));
}

#[test]
fn parts_are_cut_scattered_and_gathered_across_their_borders() {
    let window = window();
    let parts = [window.sub(DATA, 3).unwrap(), window.sub(DATA + 10, 0).unwrap(), window.sub(DATA + 20, 4).unwrap()];
    assert_eq!(total_len(&parts), 7);
    assert_eq!(scatter(&parts, 1, b"abcdefgh"), 6);
    let mut bytes = [0; 10];
    assert_eq!(gather(&parts, 1, &mut bytes), 6);
    assert_eq!(&bytes[..6], b"abcdef");
    let middle = cut(&parts, 2, 3);
    assert_eq!(middle.iter().map(Region::len).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(gather(&middle, 0, &mut bytes), 3);
    assert_eq!(&bytes[..3], b"bcd");
    assert_eq!((gather(&parts, 7, &mut bytes), scatter(&parts, 100, b"x"), cut(&parts, 9, 1).len()), (0, 0, 0));
}

/// Takes chains and hands them back.
struct Sink;

impl Model for Sink {
    fn kind(&self) -> u32 {
        7
    }

    fn features(&self) -> u64 {
        0b110
    }

    fn queue_sizes(&self) -> &[u16] {
        &[SIZE]
    }

    fn config(&self) -> Vec<u8> {
        Vec::new()
    }

    fn accepts(&self, features: u64) -> bool {
        features & 0b110 != 0b110
    }

    fn start(&mut self, _features: u64) -> Result<(), Fault> {
        Ok(())
    }

    fn reset(&mut self) {}
}

impl Device for Sink {
    fn serve(&mut self, queues: &mut Queues, _counters: &Counters) -> Result<bool, Fault> {
        let queue = queues.get(0)?;
        let Some(chain) = queue.pop()? else { return Ok(false) };
        queue.push(chain, 0)?;
        queue.publish();
        Ok(true)
    }
}

struct Driver {
    window: Window,
    regs: DriverRegs,
    device: RunningDevice,
}

impl Driver {
    fn new() -> Self {
        let window = window();
        let device = RunningDevice::spawn(Box::new(Sink), 0, &window, Polling::default()).unwrap();
        let regs = DriverRegs::open(&window, 0, rkt_virtio_device::futex_wake).unwrap();
        Self { window, regs, device }
    }

    /// The device's answer, once it is in this epoch and `enough`.
    fn answer(&self, enough: impl Fn(u8) -> bool) -> u8 {
        for _ in 0..8000 {
            if let Some(answer) = self.regs.device_status().filter(|answer| enough(*answer)) {
                return answer;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        panic!("the device answers {:?}", self.regs.device_status());
    }

    fn negotiate(&mut self, features: u64) -> u8 {
        self.window.zero(DMA, 16384).unwrap();
        self.regs.reset();
        self.answer(|answer| answer == 0);
        self.regs.add_status(status::ACKNOWLEDGE | status::DRIVER);
        self.regs.set_driver_features(features).unwrap();
        self.regs.add_status(status::FEATURES_OK);
        self.answer(|answer| answer & (status::FEATURES_OK | status::FAILED) != 0)
    }

    /// Starts with a queue; the fault in words, if the device answers with one.
    fn start(&mut self, setup: &QueueSetup) -> Option<String> {
        self.regs.set_queue(0, setup).unwrap();
        self.regs.add_status(status::DRIVER_OK);
        let answer = self.answer(|answer| answer & (status::DRIVER_OK | status::DEVICE_NEEDS_RESET) != 0);
        (answer & status::DEVICE_NEEDS_RESET != 0).then(|| self.device.take_fault().unwrap().to_string())
    }
}

#[test]
fn features_that_cannot_be_had_are_refused() {
    let mut driver = Driver::new();
    for bad in [0, 0b10, features::VERSION_1 | 0b1000, features::VERSION_1 | 0b110, u64::MAX] {
        assert_eq!(driver.negotiate(bad) & status::FEATURES_OK, 0, "{bad:#x}");
    }
    assert_eq!(driver.negotiate(features::VERSION_1 | 0b10) & status::FAILED, 0);
}

#[test]
fn a_device_that_met_nonsense_needs_a_reset_and_works_after_it() {
    let mut driver = Driver::new();
    for round in 0..20u16 {
        driver.negotiate(features::VERSION_1);
        let said = driver.start(&QueueSetup { vcpu: 0xffff, ..setup() });
        assert_eq!(said.as_deref(), Some("the driver named vCPU 65535 for a queue"));

        driver.negotiate(features::VERSION_1);
        assert_eq!(driver.start(&setup()), None);
        offer(&driver.window, 0, 100 + round, 1);
        driver.regs.kick();
        driver.answer(|answer| answer & status::DEVICE_NEEDS_RESET != 0);
        assert!(driver.device.take_fault().unwrap().to_string().contains("descriptor"));

        driver.negotiate(features::VERSION_1);
        assert_eq!(driver.start(&setup()), None);
        describe(&driver.window, 2, DATA as u64, 4, WRITE, 0);
        offer(&driver.window, 0, 2, 1);
        driver.regs.kick();
        let used = driver.window.atomic_u16(USED + split::RING_IDX).unwrap();
        for _ in 0..8000 {
            if used.load(std::sync::atomic::Ordering::Acquire) == 1 {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(driver.window.read_u32(USED + split::RING_ENTRIES).unwrap(), 2, "the chain came back");
    }
}

#[test]
fn a_driver_that_skips_the_handshake_is_told() {
    let mut driver = Driver::new();
    driver.regs.reset();
    driver.answer(|answer| answer == 0);
    let said = driver.start(&setup());
    assert_eq!(said.as_deref(), Some("the driver started the device without an agreement on features"));
}

/// What a packed queue with these descriptors, of which the first is made available, gives.
fn packed(descriptors: &[(u64, u32, u16)]) -> Result<Option<usize>, QueueError> {
    let window = window();
    for (index, (addr, len, flags)) in descriptors.iter().enumerate() {
        let at = DESC + index * packed::DESC_LEN;
        window.write_u64(at, *addr).unwrap();
        window.write_u32(at + packed::DESC_LEN_AT, *len).unwrap();
        window.write_u16(at + packed::DESC_FLAGS_AT, *flags).unwrap();
    }
    let mut queue = Queue::open(&window, &setup(), SIZE, features::RING_PACKED)?;
    Ok(queue.pop()?.map(|chain| chain.readable().len() * 100 + chain.writable().len()))
}

#[test]
fn packed_chains_are_taken_apart_or_refused() {
    const HERE: u16 = packed::desc_flags::AVAIL;
    let data = DATA as u64;
    assert_eq!(packed(&[]), Ok(None));
    let honest = [(data, 16, HERE | NEXT), (data + 16, 100, HERE | NEXT | WRITE), (data + 200, 1, HERE | WRITE)];
    assert_eq!(packed(&honest), Ok(Some(102)));
    let used = HERE | packed::desc_flags::USED;
    assert_eq!(packed(&[(data, 16, used)]), Ok(None));
    assert_eq!(packed(&[(data, 1, HERE | NEXT), (data, 1, 0)]), Err(QueueError::Descriptor(1)));
    assert_eq!(packed(&[(data, 1, HERE | NEXT); 8]), Err(QueueError::Loop));
    assert_eq!(packed(&[(data, 1, HERE | split::desc_flags::INDIRECT)]), Err(QueueError::Indirect));
    assert_eq!(packed(&[(data, 1, HERE | NEXT | WRITE), (data, 1, HERE)]), Err(QueueError::Order));
    for (addr, len) in [(MIN_LEN as u64, 1), (u64::MAX, 2), (data, u32::MAX)] {
        assert!(matches!(packed(&[(addr, len, HERE)]), Err(QueueError::Buffer(_))), "{addr:#x}");
    }
}
