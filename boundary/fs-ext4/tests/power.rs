//! Power cuts: at any write, with unflushed writes lost, reordered and torn, what was synced is
//! there, the rest is of some time after that, and `e2fsck` finds nothing to say.

mod common;

use common::model::{Model, Node, Op, Random, observe, pair, perform};
use common::*;
use rkt_ext4::{Disk, DiskError, Options};
use std::sync::{Arc, Mutex};

const SECTOR: usize = 512;

enum Event {
    Write(u64, Vec<u8>),
    Flush,
}

/// A disk that remembers all that it was told.
struct Recorder {
    disk: Arc<RamDisk>,
    events: Mutex<Vec<Event>>,
}

impl Recorder {
    fn count(&self) -> usize {
        self.events.lock().unwrap().len()
    }
}

impl Disk for Recorder {
    fn len(&self) -> u64 {
        self.disk.len()
    }

    fn read(&self, offset: u64, into: &mut [u8]) -> Result<(), DiskError> {
        self.disk.read(offset, into)
    }

    fn write(&self, offset: u64, from: &[u8]) -> Result<(), DiskError> {
        self.events.lock().unwrap().push(Event::Write(offset, from.to_vec()));
        self.disk.write(offset, from)
    }

    fn flush(&self) -> Result<(), DiskError> {
        self.events.lock().unwrap().push(Event::Flush);
        Ok(())
    }
}

/// What the disk holds after a cut at an event: all that was flushed, and any sectors of the rest.
fn after_cut(base: &[u8], events: &[Event], random: &mut Random) -> Vec<u8> {
    let mut bytes = base.to_vec();
    let flushed = events.iter().rposition(|event| matches!(event, Event::Flush)).unwrap_or(0);
    let luck = random.below(4);
    for (number, event) in events.iter().enumerate() {
        let Event::Write(offset, data) = event else { continue };
        let place = &mut bytes[*offset as usize..][..data.len()];
        let whole = number < flushed || random.below(4) < luck;
        let torn = !whole && random.below(2) == 0;
        for (sector, data) in place.chunks_mut(SECTOR).zip(data.chunks(SECTOR)) {
            if whole || (torn && random.below(2) == 0) {
                sector.copy_from_slice(data);
            }
        }
    }
    bytes
}

/// Each sector of a file must be that of one of its versions: the first that is not.
fn strange_sector(bytes: &[u8], versions: &[&[u8]]) -> Option<usize> {
    bytes.chunks(SECTOR).enumerate().position(|(number, sector)| {
        !versions.iter().any(|version| {
            let start = (number * SECTOR).min(version.len());
            let known = &version[start..(start + sector.len()).min(version.len())];
            sector.starts_with(known) && sector[known.len()..].iter().all(|byte| *byte == 0)
        })
    })
}

struct History {
    base: Vec<u8>,
    recorder: Arc<Recorder>,
    /// After each operation: the events so far, and what the tree should be.
    states: Vec<(usize, Model)>,
    /// The states that were durable, with the events at which they were.
    synced: Vec<(usize, usize)>,
}

fn record(seed: u64) -> History {
    let disk = formatted(12 << 20);
    let base = disk.bytes();
    let recorder = Arc::new(Recorder { disk, events: Mutex::default() });
    let fs = Fs::mount(recorder.clone(), World::new(), Options::default()).unwrap();
    let mut model = Model::new();
    let mut random = Random(seed);
    let mut states = vec![(recorder.count(), model.clone())];
    let mut synced = vec![(recorder.count(), 0)];
    for step in 0..150 {
        let op = model.random(&mut random, step);
        // Several transactions each, which a cut may part: judged by the other tests.
        if matches!(op, Op::Collapse(..) | Op::Insert(..) | Op::Punch(..) | Op::Zero(..)) {
            continue;
        }
        perform(&fs, &op).unwrap();
        model.apply(&op);
        // Every other history syncs so often that the journal is full more than once.
        if seed % 2 == 1 {
            fs.sync().unwrap();
        }
        states.push((recorder.count(), model.clone()));
        if matches!(op, Op::Sync) || seed % 2 == 1 {
            synced.push((recorder.count(), states.len() - 1));
        }
    }
    fs.sync().unwrap();
    History { base, recorder, states, synced }
}

fn judge(history: &History, cut: usize, bytes: Vec<u8>, what: &str) {
    let disk = RamDisk::from_bytes(bytes);
    let fs = match Fs::mount(disk.clone(), World::new(), Options::default()) {
        Ok(fs) => fs,
        Err(error) => panic!("{what}: {error}"),
    };
    let seen = observe(&fs);
    let first = history.synced.iter().rev().find(|(event, _)| *event <= cut).map_or(0, |(_, state)| *state);
    let last = history.states.iter().position(|(event, _)| *event >= cut).unwrap_or(history.states.len() - 1);
    let window = &history.states[first..=last.max(first)];
    let fits = window.iter().rev().find_map(|(_, model)| pair(&seen, fs.root(), model));
    let Some(pairs) = fits else { panic!("{what}: the tree is that of no time from {first} to {last}") };
    for (ino, id) in pairs {
        let Some(Node::File(found)) = seen.nodes.get(&ino) else { continue };
        let versions: Vec<&[u8]> = window
            .iter()
            .filter_map(|(_, model)| match model.nodes.get(&id) {
                Some(Node::File(bytes)) => Some(bytes.as_slice()),
                _ => None,
            })
            .collect();
        let strange = strange_sector(found, &versions);
        assert_eq!(strange, None, "{what}: inode {ino} of {} bytes holds what was never in it", found.len());
    }
    fs.unmount().unwrap();
    check(&disk);
}

#[test]
fn what_was_synced_survives_power_cuts() {
    let cuts: u64 = std::env::var("RKT_CUTS").ok().and_then(|cuts| cuts.parse().ok()).unwrap_or(200);
    const CUTS_PER_HISTORY: u64 = 50;
    for seed in 0..cuts.div_ceil(CUTS_PER_HISTORY) {
        let history = record(seed);
        let events = std::mem::take(&mut *history.recorder.events.lock().unwrap());
        let mut random = Random(seed ^ 0xdead);
        for number in 0..CUTS_PER_HISTORY {
            // From the mount on: the first thing that this does is the last that needs no journal.
            let start = history.states[0].0;
            let cut = start + random.below((events.len() - start) as u64 + 1) as usize;
            let bytes = after_cut(&history.base, &events[..cut], &mut random);
            judge(&history, cut, bytes, &format!("seed {seed}, cut {number} at event {cut}"));
        }
    }
}
