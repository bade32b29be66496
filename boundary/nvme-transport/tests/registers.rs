//! Both sides of the register file in one window.

use rkt_nvme::registers::{AQA, ASQ, CAP, CC, CSTS, Capabilities, GONE, VS, cc, csts, head_doorbell, tail_doorbell};
use rkt_nvme_transport::{ControllerRegisters, MAX_QUEUE_PAIRS, Registers, WindowRegisters};
use rkt_window::layout::MIN_LEN;
use rkt_window::{Region, Window};
use std::sync::atomic::{AtomicU32, Ordering};

static WAKES: AtomicU32 = AtomicU32::new(0);

fn wake(_: &'static AtomicU32) {
    WAKES.fetch_add(1, Ordering::Relaxed);
}

fn window() -> Window {
    let memory = vec![0u64; MIN_LEN / 8].leak();
    // SAFETY: leaked, so mapped for good, and reached through the region alone.
    unsafe { Region::from_raw(memory.as_mut_ptr().cast(), MIN_LEN) }
}

#[test]
fn a_slot_without_a_controller_has_no_registers() {
    let window = window();
    assert!(WindowRegisters::open(&window, 3, wake).unwrap().is_none());
    assert!(WindowRegisters::open(&window, 16, wake).is_err());
}

#[test]
fn each_side_sees_what_the_other_writes_and_writes_only_its_own() {
    let window = window();
    let device = ControllerRegisters::open(&window, 3, wake).unwrap();
    device.describe(Capabilities::new(256, 4), 0x0002_0000).unwrap();
    let driver = WindowRegisters::open(&window, 3, wake).unwrap().expect("a controller");
    let capabilities = Capabilities(driver.read64(CAP));
    assert_eq!((capabilities.max_entries(), capabilities.timeout(), capabilities.stride()), (256, 4, 4));
    assert!(capabilities.has_nvm());
    assert_eq!(driver.read32(VS), 0x0002_0000);

    driver.write32(CC, cc::RUN);
    driver.write32(AQA, 0x001f_001f);
    driver.write64(ASQ, 0x40_0000);
    assert_eq!((device.read32(CC), device.read32(AQA), device.read64(ASQ)), (cc::RUN, 0x001f_001f, 0x40_0000));
    device.set_status(csts::RDY);
    driver.write32(CSTS, 0);
    driver.write64(CAP, 0);
    assert_eq!((driver.read32(CSTS), driver.read64(CAP)), (csts::RDY, capabilities.0));

    let last = MAX_QUEUE_PAIRS - 1;
    driver.write32(tail_doorbell(last, 4), 7);
    driver.write32(head_doorbell(last, 4), 8);
    assert_eq!((device.tail(last), device.head(last), device.tail(last + 1)), (7, 8, GONE));
    assert_eq!(driver.read32(driver.len()), GONE);
    device.clear_doorbells().unwrap();
    assert_eq!((device.tail(last), device.head(last), device.read32(CC)), (0, 0, cc::RUN));
}

#[test]
fn a_tail_kicks_a_sleeper_and_a_head_does_not() {
    let window = window();
    let device = ControllerRegisters::open(&window, 0, wake).unwrap();
    device.describe(Capabilities::new(64, 1), 0x0002_0000).unwrap();
    let driver = WindowRegisters::open(&window, 0, wake).unwrap().expect("a controller");
    let seen = device.doorbell().arm();
    driver.write32(head_doorbell(1, 4), 1);
    assert_eq!(device.doorbell().word().load(Ordering::Relaxed), seen);
    driver.write32(tail_doorbell(1, 4), 1);
    assert_ne!(device.doorbell().word().load(Ordering::Relaxed), seen);
    assert_eq!(WAKES.load(Ordering::Relaxed), 1);
    assert!(device.interrupt(63).is_ok() && device.interrupt(64).is_err());
}
