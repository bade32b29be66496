//! Both views over one window.

use core::sync::atomic::{AtomicU32, Ordering};
use rkt_virtio::{device_id, status};
use rkt_virtio_transport::{CONFIG_LEN, DeviceRegs, DriverRegs, MAX_QUEUES, QueueSetup, RegsError, StatusWord};
use rkt_window::layout::{DEVICE_SLOTS, MAX_DEVICES, MIN_LEN, VCPU_DOORBELLS};
use rkt_window::{Doorbell, Region};

fn window() -> Region {
    let memory = vec![0u64; MIN_LEN / 8].leak();
    // SAFETY: leaked, so mapped for good, and reached through the region alone.
    unsafe { Region::from_raw(memory.as_mut_ptr().cast(), MIN_LEN) }
}

fn no_wake(_: &'static AtomicU32) {}

fn pair(window: &Region) -> (DriverRegs, DeviceRegs) {
    (DriverRegs::open(window, 3, no_wake).unwrap(), DeviceRegs::open(window, 3, no_wake).unwrap())
}

#[test]
fn a_description_arrives() {
    let window = window();
    let (driver, device) = pair(&window);
    device.describe(device_id::NET, 0x1_0000_0021, &[256, 128]).unwrap();
    assert_eq!(driver.kind(), Ok(device_id::NET));
    assert_eq!(driver.device_features(), Ok(0x1_0000_0021));
    assert_eq!(driver.num_queues(), Ok(2));
    assert_eq!(
        (driver.queue_size_max(0), driver.queue_size_max(1), driver.queue_size_max(2)),
        (Ok(256), Ok(128), Ok(0))
    );
}

#[test]
fn a_queue_is_seen_only_when_enabled() {
    let window = window();
    let (driver, device) = pair(&window);
    let setup = QueueSetup { size: 64, vcpu: 5, desc: 0x40_0000, driver: 0x40_1000, device: 0x40_2000 };
    assert_eq!(device.queue(15), Ok(None));
    driver.set_queue(15, &setup).unwrap();
    assert_eq!(device.queue(15), Ok(Some(setup)));
    driver.disable_queue(15).unwrap();
    assert_eq!(device.queue(15), Ok(None));
}

#[test]
fn answers_of_an_earlier_epoch_are_stale() {
    let window = window();
    let (mut driver, device) = pair(&window);
    driver.reset();
    assert_eq!(driver.device_status(), None);
    device.answer(device.driver_status());
    assert_eq!(driver.device_status(), Some(0));
    driver.add_status(status::ACKNOWLEDGE | status::DRIVER);
    let before = device.driver_status();
    assert_eq!(before.status, status::ACKNOWLEDGE | status::DRIVER);
    driver.reset();
    device.answer(StatusWord { status: before.status | status::DEVICE_NEEDS_RESET, ..before });
    assert_eq!(driver.device_status(), None);
    device.answer(device.driver_status());
    assert_eq!(driver.device_status(), Some(0));
}

#[test]
fn a_configuration_is_read_whole_or_not_at_all() {
    let window = window();
    let (driver, device) = pair(&window);
    device.write_config(&[7; 8]).unwrap();
    let mut bytes = [0; 8];
    driver.read_config(&mut bytes).unwrap();
    assert_eq!((bytes, driver.config_generation()), ([7; 8], 2));
    // A device that stops in the middle of a change.
    window.write_u32(DEVICE_SLOTS + 3 * 4096 + 0x14, 3).unwrap();
    assert_eq!(driver.read_config(&mut bytes), Err(RegsError::ConfigUnstable { generation: 3 }));
}

#[test]
fn what_does_not_exist_is_refused() {
    let window = window();
    let (driver, device) = pair(&window);
    assert!(DriverRegs::open(&window, MAX_DEVICES, no_wake).is_err());
    assert!(DeviceRegs::open(&window.sub(0, DEVICE_SLOTS).unwrap(), 0, no_wake).is_err());
    assert!(driver.queue_size_max(MAX_QUEUES).is_err());
    assert!(driver.disable_queue(MAX_QUEUES).is_err());
    assert!(device.describe(1, 0, &[1; MAX_QUEUES as usize + 1]).is_err());
    assert!(device.write_config(&[0; CONFIG_LEN + 1]).is_err());
    assert!(device.notify(64).is_err());
    assert!(matches!(driver.read_config(&mut [0; CONFIG_LEN + 1]), Err(RegsError::Bounds(_))));
}

#[test]
fn only_a_sleeper_is_woken() {
    static WOKEN: AtomicU32 = AtomicU32::new(0);
    fn count(_: &'static AtomicU32) {
        WOKEN.fetch_add(1, Ordering::Relaxed);
    }
    let window = window();
    let driver = DriverRegs::open(&window, 0, count).unwrap();
    let device = DeviceRegs::open(&window, 0, count).unwrap();
    driver.kick();
    device.notify(9).unwrap();
    assert_eq!(WOKEN.load(Ordering::Relaxed), 0);
    device.doorbell().arm();
    driver.kick();
    Doorbell::at(&window, VCPU_DOORBELLS + 9 * Doorbell::SIZE).unwrap().arm();
    device.notify(9).unwrap();
    assert_eq!(WOKEN.load(Ordering::Relaxed), 2);
}
