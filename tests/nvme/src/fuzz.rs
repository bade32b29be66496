//! A controller whose every move is chosen by bytes.

use crate::model::{BLOCK_LEN, Claims, Model};
use crate::simulation::{MOMENT, open_model, pass, small_options};
use rkt_blockdev::{BlockDevice, Completion as Done, Request, Token};
use rkt_nvme::registers::{Capabilities, csts};
use rkt_nvme::{AsyncEvent, Completion, Status};
use rkt_nvme_driver::Lane;
use rkt_nvme_transport::WindowRegisters;
use rkt_tests_hostile::{Script, window};
use rkt_window::Window;
use rkt_window::layout::DMA;
use std::collections::HashMap;
use zerocopy::IntoBytes;

type Disk = Lane<WindowRegisters>;
/// What a request has to look like when it comes back: its bytes if they must not change.
type InFlight = HashMap<Token, (Option<Vec<u8>>, usize)>;

/// Opens a controller and drives it as `data` scripts. Then it turns honest, and a reset has to bring
/// it back. Every request accepted must be completed exactly once.
///
/// # Panics
/// If the driver loses a request, gives out what is not consistent, or does not recover.
pub fn fuzz_nvme(data: &[u8]) {
    let mut script = Script::new(data);
    let window = window();
    let mut model = Model::new(&window, Claims::honest());
    if script.one_in(3) {
        misstate(&mut model.claims, &mut script);
        model.describe_again();
    }
    let Ok((driver, mut lanes)) = open_model(&window, &mut model, small_options()) else { return };
    let mut in_flight: Vec<InFlight> = lanes.iter().map(|_| InFlight::new()).collect();
    let mut turns = 0;
    while !script.is_done() && turns < 2000 {
        turns += 1;
        let index = script.below(lanes.len());
        turn(&mut script, &window, &mut model, &mut lanes[index], &mut in_flight[index]);
        for (lane, in_flight) in lanes.iter().zip(&in_flight) {
            assert_eq!(lane.in_flight(), in_flight.len());
        }
        let _ = driver.take_notice();
    }
    recover(&mut model, &mut lanes, &mut in_flight);
}

/// Data that may make no sense.
fn misstate(claims: &mut Claims, script: &mut Script<'_>) {
    for _ in 0..1 + script.below(4) {
        let at = script.below(4096);
        let value = script.u8();
        match script.u8() % 6 {
            0 => claims.controller.as_mut_bytes()[at] = value,
            // Where something is said.
            1 => claims.controller.as_mut_bytes()[[77, 96, 256, 257, 512, 513, 514, 520, 525][at % 9]] = value,
            2 => claims.namespaces.values_mut().for_each(|namespace| namespace.as_mut_bytes()[at % 160] = value),
            3 => claims.capabilities = Capabilities(claims.capabilities.0 ^ 1 << (value % 64)),
            4 => claims.queues = script.u32(),
            _ => drop(claims.namespaces.remove(&u32::from(value % 6))),
        }
    }
}

fn turn(script: &mut Script<'_>, window: &Window, model: &mut Model, disk: &mut Disk, in_flight: &mut InFlight) {
    match script.u8() % 32 {
        0..=7 => {
            submit(disk, script, in_flight);
            disk.kick();
        }
        8..=12 => poll(disk, in_flight),
        13..=18 => model.step(),
        19..=20 => {
            model.take();
            if let Some(taken) = model.pop() {
                model.post(taken.queue, taken.command.id.get(), script.u32(), status(script));
            }
        }
        21..=22 => pass(u64::from(script.u8()) * MOMENT),
        23 => (model.silent, model.stuck) = (script.one_in(8), script.one_in(4)),
        24..=30 => lie(script, window, model),
        _ => {
            let honest = !script.one_in(4);
            if honest {
                model.be_honest();
            }
            let _down = disk.reset(&mut || {
                pass(MOMENT);
                if honest {
                    model.step();
                }
            });
        }
    }
    let geometry = disk.geometry();
    assert!(geometry.block_len.is_power_of_two() && geometry.len.is_multiple_of(geometry.block_len.into()));
    assert!(geometry.max_transfer >= geometry.block_len as usize);
}

fn status(script: &mut Script<'_>) -> Status {
    Status(if script.one_in(2) { script.u16() & 0x7fff } else { u16::from(script.u8() % 3) })
}

/// Says what is not true.
fn lie(script: &mut Script<'_>, window: &Window, model: &mut Model) {
    let queue = script.u16() % 6;
    match script.u8() % 6 {
        0 => {
            let Some(pair) = model.pairs.get(&queue).copied() else { return };
            let head = if script.one_in(2) { script.u16() } else { pair.head };
            let named = if script.one_in(4) { script.u16() } else { queue };
            let phase = pair.phase ^ script.one_in(8);
            let id = if script.one_in(2) { script.u16() } else { script.u16() % 4 };
            model.post_raw(queue, Completion::new(0, head, named, id, status(script), phase));
        }
        1 => model.post(queue, script.u16(), script.u32(), status(script)),
        2 if script.one_in(4) => model.set_status([0, csts::RDY, csts::RDY | csts::CFS, u32::MAX][script.below(4)]),
        2 | 3 => model.event(AsyncEvent(script.u32() & 0xff_ff07)),
        4 => model.resize(1, u64::from(script.u16() % 4096)),
        // Whatever lies in the area for queues, lists and data.
        _ => {
            let at = DMA + script.below(128 << 10);
            let _ = window.write_u8(at, script.u8());
        }
    }
}

fn submit(disk: &mut Disk, script: &mut Script<'_>, in_flight: &mut InFlight) {
    let geometry = disk.geometry();
    let block = u64::from(geometry.block_len);
    let offset = u64::from(script.u16() % 2100) * block;
    let len = script.below(40) * geometry.block_len as usize;
    let (request, expected) = match script.u8() % 6 {
        0 | 1 => (Request::Read { offset, data: vec![0; len] }, (None, len)),
        2 => {
            let data = vec![script.u8(); len];
            (Request::Write { offset, data: data.clone(), fua: script.one_in(2) }, (Some(data), len))
        }
        3 => (Request::Discard { offset, len: len as u64 }, (None, 0)),
        4 => (Request::WriteZeroes { offset, len: len as u64 }, (None, 0)),
        _ => (Request::Flush, (None, 0)),
    };
    let sent = request.clone();
    match disk.submit(request) {
        Ok(token) => assert!(in_flight.insert(token, expected).is_none(), "token used twice"),
        Err(rejected) => assert_eq!(rejected.request, sent),
    }
}

fn poll(disk: &mut Disk, in_flight: &mut InFlight) {
    while let Some(Done { token, request, .. }) = disk.poll() {
        let (bytes, len) = in_flight.remove(&token).expect("a request that was in flight");
        match request {
            Request::Read { data, .. } => assert_eq!(data.len(), len),
            Request::Write { data, .. } => assert_eq!(Some(data), bytes),
            Request::Flush | Request::Discard { .. } | Request::WriteZeroes { .. } => {}
        }
    }
}

/// An honest controller and a reset: all that was in flight ends, and new requests succeed.
fn recover(model: &mut Model, lanes: &mut [Disk], in_flight: &mut [InFlight]) {
    let honest = Claims::honest();
    let same = honest.controller.as_bytes() == model.claims.controller.as_bytes()
        && honest.queues == model.claims.queues
        && honest.capabilities == model.claims.capabilities
        && model.claims.namespaces.len() == honest.namespaces.len();
    model.be_honest();
    model.resize(1, (crate::NAMESPACE_LEN / BLOCK_LEN) as u64);
    let up = lanes[0].reset(&mut || {
        pass(MOMENT);
        model.step();
    });
    for (lane, in_flight) in lanes.iter_mut().zip(in_flight.iter_mut()) {
        // If it still lies, about its doorbells say, time has to run out for each attempt.
        for _ in 0..5000 {
            poll(lane, in_flight);
            if in_flight.is_empty() {
                break;
            }
            model.step();
            pass(MOMENT);
        }
        assert!(in_flight.is_empty(), "requests without completion: {in_flight:?}");
    }
    // What it said at first was no lie, so that it may come up.
    assert!(up.is_ok() || !same, "an honest controller comes up: {:?}", lanes[0].fault().map(ToString::to_string));
    if up.is_err() || !same {
        return;
    }
    model.content.values_mut().for_each(|content| content.fill(3));
    for _ in 0..16 {
        assert_eq!(lanes[0].poll(), None);
        model.step();
        pass(MOMENT);
    }
    let token = lanes[0].submit(Request::Read { offset: 512, data: vec![0; 8192] }).expect("room for a request");
    lanes[0].kick();
    model.step();
    let request = Request::Read { offset: 512, data: vec![3; 8192] };
    assert_eq!(lanes[0].poll(), Some(Done { token, request, result: Ok(()) }));
}

/// Brings a controller up whose identify data are these bytes: the controller's, then a namespace's, over
/// what honest ones say. Whatever comes up has to make sense.
///
/// # Panics
/// If it does not.
pub fn fuzz_identify(data: &[u8]) {
    let window = window();
    let mut claims = Claims::honest();
    // Two bytes say where a third goes: few inputs that are wrong everywhere come far.
    let mut places = data.chunks_exact(3);
    for place in places.by_ref() {
        let (at, value) = (usize::from(u16::from_le_bytes([place[0], place[1]])), place[2]);
        match at {
            0..4096 => claims.controller.as_mut_bytes()[at] = value,
            4096..8192 => {
                claims.namespaces.values_mut().for_each(|namespace| namespace.as_mut_bytes()[at - 4096] = value);
            }
            _ => claims.capabilities = Capabilities(claims.capabilities.0.rotate_left(8) ^ u64::from(value)),
        }
    }
    let mut model = Model::new(&window, claims);
    let Ok((driver, lanes)) = open_model(&window, &mut model, small_options()) else { return };
    assert!(!lanes.is_empty() && lanes.len() <= 4 && driver.namespaces().len() <= 2);
    for lane in &lanes {
        let geometry = lane.geometry();
        assert!(geometry.block_len.is_power_of_two() && (512..=4096).contains(&geometry.block_len));
        assert!(geometry.len.is_multiple_of(geometry.block_len.into()) && geometry.max_transfer >= 4096);
        assert!(geometry.max_transfer <= 256 << 10);
    }
}
