//! One lie or failure at a time, by name.

use rkt_aes_xts::{Kernel, Sectors, Xts};
use rkt_blockdev::{BlockDevice, BlockError, Completion as Done, Request, SubmitError};
use rkt_crypt::{CryptDevice, Discard};
use rkt_luks::{Payload, VolumeKey};
use rkt_nvme::registers::{Capabilities, csts};
use rkt_nvme::{Completion, Status, io};
use rkt_nvme_driver::{DeviceError, NvmeError, Options, Quirk};
use rkt_tests_hostile::window;
use rkt_tests_nvme::{Claims, MOMENT, Model, Opened, open_model, pass, small_options};
use zerocopy::IntoBytes;

fn open_with(claims: Claims) -> (Model, Result<Opened, NvmeError>) {
    let window = window();
    let mut model = Model::new(&window, claims);
    let opened = open_model(&window, &mut model, small_options());
    // The request for events.
    model.step();
    (model, opened)
}

fn open() -> (Model, Opened) {
    let (model, opened) = open_with(Claims::honest());
    (model, opened.expect("an honest controller comes up"))
}

fn read(offset: u64, len: usize) -> Request {
    Request::Read { offset, data: vec![0xa5; len] }
}

fn write(offset: u64, byte: u8) -> Request {
    Request::Write { offset, data: vec![byte; 4096], fua: false }
}

/// Steps the model and polls until a request ends, for so many moments at most.
fn poll_for(model: &mut Model, disk: &mut dyn BlockDevice, moments: u32) -> Option<Done> {
    (0..moments).find_map(|_| {
        model.step();
        pass(MOMENT);
        disk.poll()
    })
}

#[test]
fn an_honest_controller_has_lanes_for_each_namespace_and_vcpu() {
    let (mut model, (driver, mut lanes)) = open();
    let places: Vec<_> = lanes.iter().map(|lane| (lane.namespace(), lane.vcpu())).collect();
    assert_eq!(places, [(1, 0), (1, 1), (5, 0), (5, 1)]);
    assert_eq!(driver.namespaces().len(), 2);
    let geometry = lanes[0].geometry();
    assert_eq!((geometry.max_transfer, geometry.block_len, geometry.len), (64 << 10, 512, 1 << 20));
    assert_eq!((geometry.max_discard, geometry.max_write_zeroes), (u64::from(u32::MAX) << 9, 1 << 25));
    for (index, lane) in (0u64..).zip(&mut lanes) {
        lane.submit(write(index * 4096, index as u8 + 1)).unwrap();
        lane.kick();
        model.step();
        assert_eq!(lane.poll().unwrap().result, Ok(()));
    }
    assert_eq!((model.content[&1][4096], model.content[&5][3 * 4096], model.content[&5][4096]), (2, 4, 0));
}

#[test]
fn a_list_of_pages_is_followed() {
    let (mut model, (_driver, mut lanes)) = open();
    let data: Vec<u8> = (0..64 << 10).map(|index: u32| (index / 512) as u8).collect();
    for len in [512, 4096, 4608, 8192, 12_288, 65_024, 65_536] {
        lanes[0].submit(Request::Write { offset: 512, data: data[..len].to_vec(), fua: true }).unwrap();
        lanes[0].kick();
        model.step();
        assert_eq!(lanes[0].poll().unwrap().result, Ok(()));
        assert!(model.content[&1][512..512 + len] == data[..len], "{len} bytes");
        lanes[0].submit(read(512, len)).unwrap();
        lanes[0].kick();
        model.step();
        let Request::Read { data: found, .. } = lanes[0].poll().unwrap().request else { panic!("another request") };
        assert!(found == data[..len], "{len} bytes");
    }
}

#[test]
fn a_container_is_ciphered_on_the_way_and_is_one_through_all_lanes() {
    const START: u64 = 64 << 10;
    let payload = Payload { offset: START, len: (1 << 20) - START, sector_len: 4096, first_tweak: 7 };
    let key = VolumeKey::generate(64, &mut |key| (0u8..).zip(key).for_each(|(n, byte)| *byte = n)).unwrap();
    let (mut model, (_driver, lanes)) = open();
    let of_first = lanes.into_iter().filter(|lane| lane.namespace() == 1);
    let open = |lane| CryptDevice::new(lane, payload, &key, Kernel::detect(), Discard::Refuse).unwrap();
    let mut plain: Vec<_> = of_first.map(open).collect();
    let data: Vec<u8> = (0..64 << 10).map(|index: u32| (index / 100) as u8).collect();
    for len in [4096, 12_288, 65_536] {
        let write = Request::Write { offset: 8192, data: data[..len].to_vec(), fua: false };
        plain[0].submit(write.clone()).unwrap();
        plain[0].kick();
        model.step();
        let done = plain[0].poll().unwrap();
        assert_eq!((done.request, done.result), (write, Ok(())), "the buffer comes back as it was");
        let mut ciphertext = data[..len].to_vec();
        let sectors = Sectors { first: 7 + 8192 / 512, len: 4096 };
        Xts::new(key.bytes(), Kernel::portable()).unwrap().encrypt(sectors, &mut ciphertext).unwrap();
        assert!(model.content[&1][START as usize + 8192..][..len] == ciphertext, "{len} bytes");
        plain[1].submit(read(8192, len)).unwrap();
        plain[1].kick();
        model.step();
        let Request::Read { data: found, .. } = plain[1].poll().unwrap().request else { panic!("another request") };
        assert!(found == data[..len], "{len} bytes");
    }
}

/// A request in flight, and what the controller says of it.
fn with_answer(answer: impl FnOnce(&mut Model, u16, u16)) -> (Model, Opened, Option<Done>) {
    let (mut model, (driver, mut lanes)) = open();
    lanes[0].submit(read(0, 4096)).unwrap();
    lanes[0].kick();
    model.take();
    let taken = model.pop().expect("the command");
    answer(&mut model, taken.queue, taken.command.id.get());
    let done = lanes[0].poll();
    (model, (driver, lanes), done)
}

#[test]
fn completions_that_cannot_be_poison_the_controller() {
    type Lie = fn(&mut Model, u16, u16);
    let lies: [(Lie, DeviceError); 6] = [
        (
            |model, queue, id| model.post(queue, id ^ 0x100, 0, Status::SUCCESS),
            DeviceError::CommandId { queue: 1, id: 0 },
        ),
        (
            |model, queue, id| model.post(queue, id + 1, 0, Status::SUCCESS),
            DeviceError::CommandId { queue: 1, id: 0x101 },
        ),
        (
            |model, queue, id| model.post_raw(queue, Completion::new(0, 1, 3, id, Status::SUCCESS, true)),
            DeviceError::QueueId { queue: 1, claimed: 3 },
        ),
        (
            |model, queue, id| model.post_raw(queue, Completion::new(0, 2, queue, id, Status::SUCCESS, true)),
            DeviceError::Head { queue: 1, claimed: 2, tail: 1 },
        ),
        (
            |model, queue, id| model.post_raw(queue, Completion::new(0, 0, queue, id, Status::SUCCESS, true)),
            DeviceError::Head { queue: 1, claimed: 0, tail: 1 },
        ),
        (
            |model, queue, id| model.post(queue, id, 0, Status(0x400)),
            DeviceError::Status { queue: 1, status: Status(0x400) },
        ),
    ];
    for (lie, expected) in lies {
        let (mut model, (_driver, mut lanes), done) = with_answer(lie);
        let done = done.expect("an end");
        assert_eq!((done.result, done.request), (Err(BlockError::Device), read(0, 4096)), "nothing in the buffer");
        assert_eq!(lanes[0].fault().unwrap().to_string(), format!("device: {expected}"));
        assert_eq!(lanes[1].submit(read(0, 512)).unwrap_err().error, SubmitError::Down, "all lanes are down");
        lanes[0]
            .reset(&mut || {
                model.step();
                pass(MOMENT);
            })
            .expect("an honest controller comes up again");
        lanes[1].submit(read(0, 512)).expect("all lanes are up");
    }
}

#[test]
fn a_completion_twice() {
    let (_model, (_driver, mut lanes), done) = with_answer(|model, queue, id| {
        model.post(queue, id, 0, Status::SUCCESS);
        model.post(queue, id, 0, Status::SUCCESS);
    });
    assert_eq!(done.expect("the first").result, Ok(()));
    pass(MOMENT);
    lanes[0].poll();
    assert_eq!(lanes[0].fault().unwrap().to_string(), "device: queue 1: command 0x100 is not in flight");
}

#[test]
fn a_completion_with_the_wrong_phase_is_none() {
    let (mut model, (_driver, mut lanes), done) = with_answer(|model, queue, id| {
        model.post_raw(queue, Completion::new(0, 1, queue, id, Status::SUCCESS, false));
    });
    assert_eq!((done, lanes[0].has_work()), (None, false));
    // Time is up, and the request is sent again after a reset.
    let done = poll_for(&mut model, &mut lanes[0], 400).expect("an end");
    assert_eq!((done.result, lanes[0].stats().resets), (Ok(()), 1));
}

#[test]
fn a_silent_command_is_aborted_and_sent_again() {
    let (mut model, (_driver, mut lanes)) = open();
    lanes[0].submit(write(4096, 9)).unwrap();
    lanes[0].kick();
    model.stuck = true;
    for _ in 0..110 {
        model.step();
        pass(MOMENT);
        assert_eq!(lanes[0].poll(), None);
    }
    model.stuck = false;
    let done = poll_for(&mut model, &mut lanes[0], 50).expect("an end");
    assert_eq!((done.result, lanes[0].stats().resets, model.content[&1][4096]), (Ok(()), 0, 9));
}

#[test]
fn a_completion_after_its_abort_is_late() {
    let (mut model, (_driver, mut lanes)) = open();
    lanes[0].submit(read(0, 512)).unwrap();
    lanes[0].kick();
    model.take();
    let kept = model.pop().expect("the command");
    // The controller says that it aborts, completes the command so, and once more in earnest.
    model.post(kept.queue, kept.command.id.get(), 0, Status::ABORT_REQUESTED);
    assert_eq!(lanes[0].poll(), None, "sent again");
    model.take();
    model.serve(kept);
    assert_eq!(lanes[0].poll().expect("an end").result, Err(BlockError::Device));
    assert_eq!(lanes[0].fault().unwrap().to_string(), "device: queue 1: command 0x100 is not in flight");
}

#[test]
fn a_silent_controller_is_reset_and_everything_is_sent_again_in_order() {
    let (mut model, (driver, mut lanes)) = open();
    let tokens: Vec<_> = (0..20).map(|byte| lanes[0].submit(write(0, byte)).unwrap()).collect();
    lanes[1].submit(Request::Flush).unwrap();
    lanes[0].kick();
    lanes[1].kick();
    // Takes the commands and forgets them.
    model.take();
    while model.pop().is_some() {}
    let mut done = Vec::new();
    while done.len() < tokens.len() {
        done.push(poll_for(&mut model, &mut lanes[0], 1000).expect("an end"));
    }
    assert!(done.iter().all(|done| done.result == Ok(())));
    assert_eq!(done.iter().map(|done| done.token).collect::<Vec<_>>(), tokens);
    assert_eq!(model.content[&1][0], 19, "the last write is the last again");
    assert_eq!(lanes[1].poll().expect("an end").result, Ok(()));
    assert_eq!((model.flushes, lanes[0].stats().resets), (1, 1));
    assert_eq!(driver.take_notice().map(|notice| format!("{notice:?}")).as_deref(), Some("Recovered(Silent(Io))"));
}

#[test]
fn a_controller_that_never_answers_is_given_up() {
    let (mut model, (_driver, mut lanes)) = open();
    lanes[0].submit(write(0, 1)).unwrap();
    lanes[0].kick();
    model.stuck = true;
    let done = poll_for(&mut model, &mut lanes[0], 5000).expect("an end");
    assert_eq!((done.result, lanes[0].in_flight()), (Err(BlockError::Device), 0));
}

#[test]
fn a_fatal_status_is_a_reset_and_a_device_that_is_gone_is_the_end() {
    let (mut model, (_driver, mut lanes)) = open();
    lanes[0].submit(write(8192, 5)).unwrap();
    model.set_status(csts::RDY | csts::CFS);
    pass(100 * MOMENT);
    let done = poll_for(&mut model, &mut lanes[0], 100).expect("an end");
    assert_eq!((done.result, model.content[&1][8192], lanes[0].stats().resets), (Ok(()), 5, 1));
    lanes[0].submit(write(8192, 6)).unwrap();
    model.set_status(u32::MAX);
    pass(100 * MOMENT);
    assert_eq!(lanes[0].poll().expect("an end").result, Err(BlockError::Device));
    assert_eq!(lanes[0].fault().unwrap().to_string(), "device: gone");
}

#[test]
fn errors_that_may_pass_are_tried_three_times() {
    for (status, tries, expected) in [
        (Status::UNRECOVERED_READ, 3, BlockError::Io),
        (Status::UNRECOVERED_READ.final_word(), 1, BlockError::Io),
        (Status::ABORT_REQUESTED, 3, BlockError::Device),
        (Status::INVALID_FIELD, 1, BlockError::Refused),
        (Status::LBA_OUT_OF_RANGE, 1, BlockError::Refused),
    ] {
        let (mut model, (_driver, mut lanes)) = open();
        lanes[0].submit(read(0, 512)).unwrap();
        lanes[0].kick();
        for left in (0..tries).rev() {
            model.take();
            let taken = model.pop().expect("the command");
            assert_eq!(taken.command.opcode, io::READ);
            model.post(taken.queue, taken.command.id.get(), 0, status);
            let done = lanes[0].poll();
            assert_eq!(done.map(|done| done.result), (left == 0).then_some(Err(expected)), "{status}");
        }
        assert!(lanes[0].fault().is_none());
    }
}

#[test]
fn identify_data_that_cannot_be() {
    type Lie = fn(&mut Claims);
    let lies: [(Lie, &str); 9] = [
        (|claims| claims.controller.sqes = 0x55, "SQES is 0x55"),
        (|claims| claims.controller.cqes = 0x66, "CQES is 0x66"),
        (|claims| claims.capabilities = Capabilities(claims.capabilities.0 & !(1 << 37)), "CAP.CSS is 0x0"),
        (|claims| claims.capabilities = Capabilities(claims.capabilities.0 | 1 << 48), "CAP.MPSMIN is 0x1"),
        (|claims| claims.capabilities = Capabilities(claims.capabilities.0 | 15 << 32), "CAP.DSTRD is 0x20000"),
        (|claims| claims.capabilities = Capabilities::new(1, 1), "CAP.MQES is 0x0"),
        (|claims| claims.namespaces.clear(), "active namespaces is 0x0"),
        (|claims| claims.namespaces.values_mut().for_each(|found| found.lbaf[0].block_shift = 60), "LBADS is 0x3c"),
        (
            |claims| claims.namespaces.values_mut().for_each(|found| found.nsze = (u64::MAX >> 8).into()),
            "NSZE is 0xffffffffffffff",
        ),
    ];
    for (lie, expected) in lies {
        let mut claims = Claims::honest();
        lie(&mut claims);
        let (_model, opened) = open_with(claims);
        let error = opened.err().unwrap_or_else(|| panic!("{expected}: it came up"));
        assert_eq!(error.to_string(), format!("device: {expected}"));
    }
}

#[test]
fn namespaces_that_cannot_be_driven_are_passed_over() {
    let mut claims = Claims::honest();
    claims.namespaces.get_mut(&1).unwrap().lbaf[0].metadata = 8.into();
    let (_model, opened) = open_with(claims);
    assert_eq!(opened.unwrap().1.iter().map(|lane| lane.namespace()).collect::<Vec<_>>(), [5, 5]);
}

#[test]
fn a_namespace_that_grows_is_noticed_and_one_that_changes_its_blocks_is_a_lie() {
    let (mut model, (driver, mut lanes)) = open();
    model.resize(5, 4096);
    for _ in 0..40 {
        assert_eq!(poll_for(&mut model, &mut lanes[0], 5), None);
    }
    assert_eq!(
        (lanes[2].geometry().len, lanes[3].geometry().len, lanes[0].geometry().len),
        (2 << 20, 2 << 20, 1 << 20)
    );
    assert!(driver.take_notice().is_some());
    model.claims.namespaces.get_mut(&5).unwrap().lbaf[0].block_shift = 12;
    model.resize(5, 8192);
    for _ in 0..40 {
        assert_eq!(poll_for(&mut model, &mut lanes[0], 5), None);
    }
    assert_eq!(lanes[0].fault().unwrap().to_string(), "device: another LBADS than before");
}

#[test]
fn another_device_after_a_reset() {
    let (mut model, (_driver, mut lanes)) = open();
    model.claims.controller.serial[0] = b'X';
    let reset = lanes[0].reset(&mut || {
        model.step();
        pass(MOMENT);
    });
    assert_eq!(reset, Err(BlockError::Device));
    assert_eq!(lanes[0].fault().unwrap().to_string(), "device: another SN than before");
}

#[test]
fn without_a_cache_a_flush_is_nothing_and_quirks_are_kept() {
    const QUIRKS: &[Quirk] =
        &[Quirk { vendor: 0, model: "MMM", no_write_zeroes: true, no_deallocate: true, no_shadow: true }];
    let mut claims = Claims::honest();
    claims.controller.vwc = 0;
    let window = window();
    let mut model = Model::new(&window, claims);
    let options = Options { quirks: QUIRKS, ..small_options() };
    let (_driver, mut lanes) = open_model(&window, &mut model, options).expect("up");
    assert_eq!((lanes[0].geometry().max_discard, lanes[0].geometry().max_write_zeroes), (0, 0));
    lanes[0].submit(Request::Flush).unwrap();
    assert_eq!(lanes[0].poll().expect("at once").result, Ok(()));
    assert_eq!(model.flushes, 0);
}

#[test]
fn a_read_only_namespace_sees_no_write() {
    let mut claims = Claims::honest();
    claims.namespaces.values_mut().for_each(|namespace| namespace.nsattr = 1);
    assert_eq!(claims.namespaces[&1].as_bytes()[99], 1);
    let (_model, opened) = open_with(claims);
    let (_driver, mut lanes) = opened.unwrap();
    assert_eq!(lanes[0].submit(write(0, 1)).unwrap_err().error, SubmitError::ReadOnly);
    let zeroes = lanes[0].submit(Request::WriteZeroes { offset: 0, len: 512 });
    assert_eq!(zeroes.unwrap_err().error, SubmitError::ReadOnly);
}
