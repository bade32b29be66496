//! The device side of a virtqueue against a driver that writes what it likes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rkt_tests_hostile::Script;
use rkt_virtio::features::{EVENT_IDX, RING_PACKED};
use rkt_virtio_device::{Queue, scatter, total_len};
use rkt_virtio_transport::QueueSetup;
use rkt_window::layout::{DMA, MIN_LEN};

const SIZE: u16 = 8;
/// Rings and the first buffers.
const AREA: usize = 16384;

fuzz_target!(|data: &[u8]| {
    let mut script = Script::new(data);
    let window = rkt_fuzz::shared(MIN_LEN);
    window.zero(DMA, AREA).expect("the area");
    let mut setup =
        QueueSetup { size: SIZE, vcpu: 0, desc: DMA as u64, driver: DMA as u64 + 4096, device: DMA as u64 + 8192 };
    if script.one_in(8) {
        setup = QueueSetup { size: script.u16(), desc: script.u64(), ..setup };
    }
    let features = if script.one_in(2) { RING_PACKED | EVENT_IDX } else { u64::from(script.u8()) << 29 & EVENT_IDX };
    let Ok(mut queue) = Queue::open(&window, &setup, SIZE, features) else { return };
    while !script.is_done() {
        for _ in 0..1 + script.below(8) {
            window.write_u16(DMA + script.below(AREA / 2) * 2, script.u16()).expect("a word of the area");
        }
        let Ok(Some(chain)) = queue.pop() else { continue };
        let written = scatter(chain.writable(), 0, &[0x5a; 64]);
        assert!(written <= total_len(chain.writable()));
        if queue.push(chain, written as u32).is_ok() {
            queue.publish();
        }
    }
});
