//! The device's side of the registers and the queues, by the book; with handles to leave it.

use crate::packed::PackedSide;
use crate::rig::{SLOT, no_wake};
use rkt_virtio::features::RING_PACKED;
use rkt_virtio::split::{self, DESC_LEN, RING_IDX, desc_flags};
use rkt_virtio::status;
use rkt_virtio_transport::{DeviceRegs, QueueSetup, StatusWord};
use rkt_window::Window;
use rkt_window::layout::{DEVICE_SLOT_LEN, DEVICE_SLOTS};

/// Where the transport has the generation of the configuration.
const CONFIG_GENERATION: usize = 0x14;

/// A buffer of a chain.
#[derive(Clone, Copy, Debug)]
pub struct Buffer {
    /// Offset in the window.
    pub offset: usize,
    /// Bytes.
    pub len: usize,
    /// For the device to write.
    pub writable: bool,
}

/// A chain that the driver made available.
#[derive(Clone, Debug)]
pub struct Chain {
    /// Index of its first descriptor.
    pub head: u32,
    /// Its buffers in order.
    pub buffers: Vec<Buffer>,
}

#[derive(Default)]
struct Queue {
    setup: Option<QueueSetup>,
    avail: u16,
    used: u16,
    /// In place of both, if that was agreed on.
    packed: Option<PackedSide>,
}

/// How a device answers the driver's status: with what, or not at all.
pub type Answer = Box<dyn FnMut(StatusWord) -> Option<StatusWord>>;

/// A device in slot [`SLOT`].
pub struct Device {
    pub(crate) window: Window,
    regs: DeviceRegs,
    queues: Vec<Queue>,
    last: StatusWord,
    /// How it answers; at first, with what the driver says.
    pub answer: Answer,
}

impl Device {
    /// A device that is described in the registers and has not heard of a driver.
    pub fn new(window: &Window, kind: u32, features: u64, queue_sizes: &[u16], config: &[u8]) -> Self {
        let regs = DeviceRegs::open(window, SLOT, no_wake).expect("the slot is in the window");
        let mut device =
            Self { window: *window, regs, queues: Vec::new(), last: StatusWord::default(), answer: Box::new(Some) };
        device.describe(kind, features, queue_sizes, config);
        device
    }

    /// Describes itself as another device.
    pub fn describe(&mut self, kind: u32, features: u64, queue_sizes: &[u16], config: &[u8]) {
        self.regs.describe(kind, features, queue_sizes).expect("no more queues than the page has room for");
        self.regs.write_config(config).expect("a configuration that fits");
        self.queues = queue_sizes.iter().map(|_| Queue::default()).collect();
    }

    /// Makes the generation of the configuration even, whatever was scribbled over it.
    pub fn settle_config(&self) {
        self.write_generation(0);
    }

    /// Writes any generation of the configuration.
    pub fn write_generation(&self, generation: u32) {
        let at = DEVICE_SLOTS + SLOT * DEVICE_SLOT_LEN + CONFIG_GENERATION;
        self.window.write_u32(at, generation).expect("the slot is in the window");
    }

    /// The registers.
    pub fn regs(&self) -> &DeviceRegs {
        &self.regs
    }

    /// Looks at the driver's status and answers.
    pub fn step(&mut self) {
        let asked = self.regs.driver_status();
        if asked != self.last {
            let packed = self.regs.driver_features().is_ok_and(|features| features & RING_PACKED != 0);
            for (number, queue) in (0..).zip(&mut self.queues) {
                let runs = asked.status & status::DRIVER_OK != 0;
                match (runs, &queue.setup) {
                    (true, None) => {
                        queue.setup = self.regs.queue(number).expect("a queue of ours");
                        queue.packed = packed.then(PackedSide::default);
                    }
                    (false, _) => *queue = Queue::default(),
                    (true, Some(_)) => {}
                }
            }
            self.last = asked;
        }
        if let Some(answer) = (self.answer)(asked) {
            self.regs.answer(answer);
        }
    }

    /// Answers with these bits beside those that the driver asked for.
    pub fn add_status(&mut self, bits: u8) {
        let asked = self.regs.driver_status();
        self.regs.answer(StatusWord { status: asked.status | bits, ..asked });
    }

    /// How the driver has set up a queue; `None` until it runs.
    pub fn setup(&self, queue: usize) -> Option<QueueSetup> {
        self.queues.get(queue)?.setup
    }

    /// The next available chain, as far as the window holds one: after other lies the descriptors
    /// may be nonsense, and the device must not fall over its own.
    pub fn next(&mut self, queue: usize) -> Option<Chain> {
        let setup = self.setup(queue)?;
        let queue = self.queues.get_mut(queue)?;
        if let Some(packed) = &mut queue.packed {
            return packed.next(&self.window, &setup);
        }
        let ring = setup.driver as usize;
        if self.window.read_u16(ring + RING_IDX).ok()? == queue.avail {
            return None;
        }
        let head = self.window.read_u16(ring + split::avail_entry(setup.size, queue.avail)).ok()?;
        queue.avail = queue.avail.wrapping_add(1);
        let mut buffers = Vec::new();
        let mut at = head;
        for _ in 0..setup.size {
            let descriptor = setup.desc as usize + DESC_LEN * usize::from(at);
            let flags = self.window.read_u16(descriptor + 12).ok()?;
            buffers.push(Buffer {
                offset: self.window.read_u64(descriptor).ok()? as usize,
                len: self.window.read_u32(descriptor + 8).ok()? as usize,
                writable: flags & desc_flags::WRITE != 0,
            });
            if flags & desc_flags::NEXT == 0 {
                break;
            }
            at = self.window.read_u16(descriptor + 14).ok()?;
        }
        Some(Chain { head: head.into(), buffers })
    }

    /// Writes an entry of the used ring, without showing it.
    pub fn stage_used(&mut self, queue: usize, id: u32, len: u32) {
        let Some(setup) = self.setup(queue) else { return };
        let Some(Queue { used, packed, .. }) = self.queues.get_mut(queue) else { return };
        if let Some(packed) = packed {
            return packed.stage(&self.window, &setup, id, len);
        }
        let entry = setup.device as usize + split::used_entry(setup.size, *used);
        *used = used.wrapping_add(1);
        self.window.write_u32(entry, id).expect("a ring in the window");
        self.window.write_u32(entry + 4, len).expect("a ring in the window");
    }

    /// Shows what was staged.
    pub fn publish_used(&mut self, queue: usize) {
        let setup = self.setup(queue);
        match (setup, self.queues.get_mut(queue)) {
            (Some(setup), Some(Queue { packed: Some(packed), .. })) => packed.publish(&self.window, &setup),
            _ => self.write_used_index(queue, self.used_index(queue)),
        }
    }

    /// An entry of the used ring, published.
    pub fn use_chain(&mut self, queue: usize, id: u32, len: u32) {
        self.stage_used(queue, id, len);
        self.publish_used(queue);
    }

    /// The used index after what was staged.
    pub fn used_index(&self, queue: usize) -> u16 {
        self.queues.get(queue).map_or(0, |queue| queue.used)
    }

    /// Writes any used index. In a packed queue: marks the descriptor so far ahead used.
    pub fn write_used_index(&self, queue: usize, index: u16) {
        let Some(setup) = self.setup(queue) else { return };
        if let Some(Queue { packed: Some(packed), .. }) = self.queues.get(queue) {
            return packed.forge(&self.window, &setup, index);
        }
        self.window.write_u16(setup.device as usize + RING_IDX, index).expect("a ring in the window");
    }

    /// Asks the driver for a kick: at this available index, or in a packed queue with these words in
    /// the event suppression structure.
    pub fn ask(&self, queue: usize, word: u16, flags: u16) {
        let Some(setup) = self.setup(queue) else { return };
        if let Some(Queue { packed: Some(packed), .. }) = self.queues.get(queue) {
            return packed.ask(&self.window, &setup, word, flags);
        }
        let at = setup.device as usize + split::avail_event(setup.size);
        self.window.write_u16(at, word).expect("a ring in the window");
    }

    /// Writes bytes into the writable buffers of a chain, in order, as far as they reach, and says
    /// how many.
    pub fn fill(&self, chain: &Chain, mut bytes: &[u8]) -> usize {
        let mut filled = 0;
        for buffer in chain.buffers.iter().filter(|buffer| buffer.writable) {
            let (now, later) = bytes.split_at(buffer.len.min(bytes.len()));
            if self.window.write(buffer.offset, now).is_err() {
                break;
            }
            filled += now.len();
            bytes = later;
        }
        filled
    }

    /// The bytes of the readable buffers of a chain, in order.
    pub fn gather(&self, chain: &Chain) -> Vec<u8> {
        let mut bytes = Vec::new();
        for buffer in chain.buffers.iter().filter(|buffer| !buffer.writable) {
            let Ok(part) = self.window.sub(buffer.offset, buffer.len) else { continue };
            let start = bytes.len();
            bytes.resize(start + part.len(), 0);
            part.read(0, &mut bytes[start..]).expect("a part of the window");
        }
        bytes
    }
}
