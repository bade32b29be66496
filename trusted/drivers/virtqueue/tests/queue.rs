//! The queue and its memory, with the device's part played by hand.

use rkt_virtio::split;
use rkt_virtqueue::{AddError, ChunkPool, DeviceError, DmaArena, Segment, SplitQueue, Used, VirtioError};
use rkt_window::Region;

const SIZE: u16 = 8;

fn window(len: usize) -> Region {
    let memory = vec![0u64; len / 8].leak();
    // SAFETY: leaked, so mapped for good, and reached through the region alone.
    unsafe { Region::from_raw(memory.as_mut_ptr().cast(), len) }
}

struct Rig {
    window: Region,
    queue: SplitQueue,
    used: u16,
}

impl Rig {
    fn new() -> Self {
        let window = window(1 << 16);
        let mut arena = DmaArena::new(window, 0, 1 << 16).unwrap();
        Self { window, queue: SplitQueue::new(&mut arena, SIZE, false).unwrap(), used: 0 }
    }

    fn use_chain(&mut self, id: u32, len: u32) {
        let ring = self.queue.setup(0).device as usize;
        let entry = ring + split::used_entry(SIZE, self.used);
        self.window.write_u32(entry, id).unwrap();
        self.window.write_u32(entry + 4, len).unwrap();
        self.used = self.used.wrapping_add(1);
        self.window.write_u16(ring + split::RING_IDX, self.used).unwrap();
    }

    fn head(&self, index: u16) -> u32 {
        let ring = self.queue.setup(0).driver as usize;
        self.window.read_u16(ring + split::avail_entry(SIZE, index)).unwrap().into()
    }
}

fn segment(len: u32) -> Segment {
    Segment { offset: 0x8000, len }
}

fn device(result: Result<Option<Used>, VirtioError>) -> DeviceError {
    match result {
        Err(VirtioError::Device(e)) => e,
        other => panic!("no device error: {other:?}"),
    }
}

#[test]
fn chains_go_round_many_times_and_out_of_order() {
    let mut rig = Rig::new();
    let mut index = 0u16;
    for round in 0..30_000u32 {
        rig.queue.add(&[segment(16)], &[segment(100), segment(1)], round).unwrap();
        rig.queue.add(&[], &[segment(7)], round + 1_000_000).unwrap();
        rig.queue.publish().unwrap();
        let (first, second) = (rig.head(index), rig.head(index.wrapping_add(1)));
        index = index.wrapping_add(2);
        rig.use_chain(second, 7);
        rig.use_chain(first, 101);
        assert_eq!(rig.queue.pop_used(), Ok(Some(Used { token: round + 1_000_000, len: 7 })));
        assert_eq!(rig.queue.pop_used(), Ok(Some(Used { token: round, len: 101 })));
        assert_eq!(rig.queue.pop_used(), Ok(None));
    }
}

#[test]
fn descriptors_link_readable_before_writable() {
    let mut rig = Rig::new();
    rig.queue.add(&[segment(16)], &[segment(100), segment(1)], 0).unwrap();
    rig.queue.publish().unwrap();
    let table = rig.queue.setup(0).desc as usize;
    let at = |index: usize| {
        let base = table + 16 * index;
        let read = |offset| rig.window.read_u16(base + offset).unwrap();
        (rig.window.read_u64(base).unwrap(), rig.window.read_u32(base + 8).unwrap(), read(12), read(14))
    };
    assert_eq!(at(0), (0x8000, 16, 1, 1));
    assert_eq!(at(1), (0x8000, 100, 3, 2));
    assert_eq!(at(2), (0x8000, 1, 2, 0));
}

#[test]
fn a_full_queue_takes_nothing_and_keeps_what_it_has() {
    let mut rig = Rig::new();
    for token in 0..u32::from(SIZE) {
        rig.queue.add(&[segment(1)], &[], token).unwrap();
    }
    assert_eq!(rig.queue.add(&[segment(1)], &[], 99), Err(AddError::Full));
    assert_eq!(rig.queue.add(&[], &[], 99), Err(AddError::Chain));
    assert_eq!(rig.queue.add(&[segment(u32::MAX)], &[segment(1)], 99), Err(AddError::Chain));
    rig.queue.publish().unwrap();
    assert!(rig.queue.take_kick() && !rig.queue.take_kick());
    rig.use_chain(5, 0);
    assert_eq!(rig.queue.pop_used(), Ok(Some(Used { token: 5, len: 0 })));
}

#[test]
fn a_staged_chain_is_not_the_devices_yet() {
    let mut rig = Rig::new();
    rig.queue.add(&[segment(1)], &[], 0).unwrap();
    rig.queue.publish().unwrap();
    rig.queue.add(&[segment(1)], &[], 1).unwrap();
    rig.use_chain(1, 0);
    assert_eq!(device(rig.queue.pop_used()), DeviceError::UsedId { id: 1 });
}

#[test]
fn poison_stays_until_reset() {
    let mut rig = Rig::new();
    rig.queue.add(&[segment(1)], &[], 0).unwrap();
    rig.queue.publish().unwrap();
    rig.use_chain(0, 1);
    let lie = DeviceError::UsedLength { id: 0, len: 1, writable: 0 };
    assert_eq!(device(rig.queue.pop_used()), lie);
    assert_eq!(device(rig.queue.pop_used()), lie);
    assert_eq!(rig.queue.publish(), Err(lie.into()));
    assert_eq!(rig.queue.add(&[segment(1)], &[], 0), Err(AddError::Queue(lie.into())));
    rig.queue.reset().unwrap();
    assert_eq!(rig.queue.pop_used(), Ok(None));
    for token in 0..u32::from(SIZE) {
        rig.queue.add(&[segment(1)], &[], token).unwrap();
    }
}

#[test]
fn the_arena_joins_what_it_gets_back() {
    let mut arena = DmaArena::new(window(1 << 16), 64, (1 << 16) - 64).unwrap();
    let all = arena.available();
    let mut buffers = Vec::new();
    while let Some(buffer) = arena.alloc(5000, 4096) {
        assert!(buffer.offset.is_multiple_of(4096) && buffer.offset >= 64);
        buffers.push(buffer);
    }
    assert_eq!(buffers.len(), 7);
    let odd = buffers.remove(3);
    buffers.drain(..).for_each(|buffer| arena.free(buffer));
    arena.free(odd);
    assert_eq!(arena.available(), all);
    assert!(arena.alloc(all, 64).is_some(), "one range again");
    assert!(arena.alloc(1, 1).is_none());
    assert!(DmaArena::new(window(4096), 4096, 1).is_err());
}

#[test]
fn chunks_carry_bytes_across_their_borders() {
    let mut arena = DmaArena::new(window(1 << 16), 0, 1 << 16).unwrap();
    let mut pool = ChunkPool::new(&mut arena, 8).unwrap();
    let (mut odd, mut chunks) = (Vec::new(), Vec::new());
    assert!(pool.take(1, &mut odd) && pool.take(4096, &mut chunks));
    pool.give_back(&mut odd);
    assert!(pool.take(9000, &mut chunks), "chunk 1, then 0, 2 and 3");
    assert!(!pool.take(5 * 4096, &mut odd) && odd.is_empty());
    let bytes: Vec<u8> = (0..13_000u32).map(|i| i as u8).collect();
    pool.write(&chunks, [&bytes[..5000], &[], &bytes[5000..]]).unwrap();
    let mut back = vec![0; 13_000];
    pool.read(&chunks, &mut back).unwrap();
    assert_eq!(back, bytes);
    let mut segments = Vec::new();
    pool.segments(&chunks, 13_000, &mut segments);
    let lens: Vec<u32> = segments.iter().map(|segment| segment.len).collect();
    assert_eq!(lens, [4096, 4096, 13_000 - 8192]);
    assert!(pool.write(&chunks, [[0; 5 * 4096].as_slice()]).is_err());
    assert!(pool.read(&chunks, &mut [0; 5 * 4096]).is_err());
}
