//! A disk of calls that park, over one of requests and completions.

use crate::buffers::Buffers;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicUsize, Ordering};
use hashbrown::HashMap;
use rkt_blockdev::{BlockDevice, BlockStats, Completion, Rejected, Request, SubmitError, Token};
use rkt_ext4::{Disk, DiskError};
use rkt_sched::WaitQueue;
use rkt_sync::Mutex;

/// Every disk, for the poller.
static DISKS: Mutex<Vec<Arc<QueuedDisk>>> = Mutex::new(Vec::new());
/// Requests of a batch that the device is told of together.
const KICK_EACH: usize = 2;
/// Looks at a disk that is being reset.
const RESET_LOOKS: u32 = 1000;

/// Requests that somebody waits for together.
struct Batch {
    /// Those that are not done.
    left: AtomicUsize,
    /// What was done, in the order of the requests.
    done: Mutex<Vec<Option<Completion>>>,
    waiter: WaitQueue,
}

impl Batch {
    fn new(len: usize) -> Arc<Self> {
        let mut done = Vec::new();
        done.resize_with(len, || None);
        Arc::new(Self { left: AtomicUsize::new(len), done: Mutex::new(done), waiter: WaitQueue::new() })
    }

    /// One of the requests was done, or will never be.
    fn finish(&self, nth: usize, completion: Option<Completion>) {
        if let Some(place) = self.done.lock().get_mut(nth) {
            *place = completion;
        }
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.waiter.wake_all(0);
        }
    }

    fn is_done(&self) -> bool {
        self.left.load(Ordering::Acquire) == 0
    }
}

struct Inner {
    device: Box<dyn BlockDevice>,
    /// Whose the requests in flight are.
    waiting: HashMap<Token, (Arc<Batch>, usize)>,
}

impl Inner {
    /// Takes in what the device has completed; true if there was anything.
    fn collect(&mut self) -> bool {
        let mut any = false;
        while let Some(completion) = self.device.poll() {
            any = true;
            if let Some((batch, nth)) = self.waiting.remove(&completion.token) {
                batch.finish(nth, Some(completion));
            }
        }
        any
    }
}

/// A way to the disk: of those of a controller, each vCPU has its own.
struct Lane {
    inner: Mutex<Inner>,
    /// Those for whom the device had no room.
    crowded: WaitQueue,
}

impl Lane {
    /// Takes in what the device has completed; true if there was anything.
    fn poll(&self) -> bool {
        let Some(mut inner) = self.inner.try_lock() else { return false };
        let worked = inner.collect();
        drop(inner);
        if worked {
            self.crowded.wake_all(0);
        }
        worked
    }
}

/// A disk. Calls park until the device is through.
pub struct QueuedDisk {
    lanes: Vec<Lane>,
    buffers: Buffers,
    len: u64,
    max_transfer: usize,
    max_discard: u64,
}

/// Moves requests and completions of all disks; true if there were any.
pub fn poll() -> bool {
    let mut worked = false;
    for disk in DISKS.lock().iter() {
        worked |= disk.poll();
    }
    worked
}

/// Whether [`poll`] would find anything.
pub fn has_work() -> bool {
    // Whoever holds a lock may be through with looking.
    let any = |lane: &Lane| lane.inner.try_lock().is_none_or(|inner| inner.device.has_work());
    DISKS.lock().iter().any(|disk| disk.lanes.iter().any(any))
}

/// When [`poll`] is due for the disks' own timers: monotonic nanoseconds, `u64::MAX` = never.
pub fn deadline() -> u64 {
    let of = |lane: &Lane| lane.inner.try_lock().map_or(0, |inner| inner.device.deadline().unwrap_or(u64::MAX));
    DISKS.lock().iter().flat_map(|disk| &disk.lanes).map(of).min().unwrap_or(u64::MAX)
}

impl QueuedDisk {
    /// Takes a disk into use; from then on [`poll`] looks after it. `lanes` lead to the same disk, the first
    /// one for vCPU 0; without any, all requests fail.
    pub fn new(lanes: Vec<Box<dyn BlockDevice>>) -> Arc<Self> {
        let geometry = lanes.first().map(|device| device.geometry());
        let lane =
            |device| Lane { inner: Mutex::new(Inner { device, waiting: HashMap::new() }), crowded: WaitQueue::new() };
        let disk = Arc::new(Self {
            lanes: lanes.into_iter().map(lane).collect(),
            buffers: Buffers::default(),
            len: geometry.map_or(0, |geometry| geometry.len),
            max_transfer: geometry.map_or(1, |geometry| geometry.max_transfer.max(1)),
            max_discard: geometry.map_or(0, |geometry| geometry.max_discard),
        });
        DISKS.lock().push(disk.clone());
        disk
    }

    /// What the device counts, over all lanes.
    pub fn stats(&self) -> BlockStats {
        let mut all = BlockStats::default();
        self.lanes.iter().for_each(|lane| all.add(&lane.inner.lock().device.stats()));
        all
    }

    fn poll(&self) -> bool {
        self.lanes.iter().fold(false, |worked, lane| lane.poll() | worked)
    }

    /// The lane of this vCPU.
    fn lane(&self) -> Result<&Lane, DiskError> {
        let nth = rkt_platform::cpu().checked_rem(self.lanes.len()).ok_or(DiskError)?;
        self.lanes.get(nth).ok_or(DiskError)
    }

    /// Hands a request to the device, when that has room.
    fn submit(lane: &Lane, batch: &Arc<Batch>, nth: usize, mut request: Request) -> Result<(), DiskError> {
        let mut was_reset = false;
        loop {
            let mut inner = lane.inner.lock();
            let Rejected { error, request: back } = match inner.device.submit(request) {
                Ok(token) => {
                    inner.waiting.insert(token, (batch.clone(), nth));
                    return Ok(());
                }
                Err(rejected) => rejected,
            };
            request = back;
            match error {
                SubmitError::Full => {
                    inner.device.kick();
                    let seen = inner.device.in_flight();
                    drop(inner);
                    lane.crowded.wait_uninterruptible(|| {
                        let mut inner = lane.inner.lock();
                        (inner.collect() || inner.device.in_flight() < seen).then_some(())
                    });
                }
                SubmitError::Down if !was_reset => {
                    was_reset = true;
                    let mut looks = 0;
                    let mut wait = || {
                        looks += 1;
                        if looks < RESET_LOOKS {
                            core::hint::spin_loop();
                        }
                    };
                    // A device that stays down refuses the request again.
                    let _ = inner.device.reset(&mut wait);
                }
                _ => return Err(DiskError),
            }
        }
    }

    /// Has the device do these requests, in any order, and waits for all; gives them back in order.
    fn run(&self, requests: impl ExactSizeIterator<Item = Request>) -> Result<Vec<Request>, DiskError> {
        let lane = self.lane()?;
        let batch = Batch::new(requests.len());
        let mut refused = false;
        for (nth, request) in requests.enumerate() {
            refused = refused || Self::submit(lane, &batch, nth, request).is_err();
            if refused {
                batch.finish(nth, None);
            }
            // The device works on these while the next are copied for it.
            if nth % KICK_EACH == KICK_EACH - 1 {
                lane.inner.lock().device.kick();
            }
        }
        lane.inner.lock().device.kick();
        batch.waiter.wait_uninterruptible(|| {
            if !batch.is_done() {
                lane.poll();
            }
            batch.is_done().then_some(())
        });
        let done = core::mem::take(&mut *batch.done.lock());
        let request = |completion: Option<Completion>| {
            let completion = completion.ok_or(DiskError)?;
            completion.result.map_err(|_| DiskError)?;
            Ok(completion.request)
        };
        done.into_iter().map(request).collect()
    }

    /// Has the device write, and keeps the buffers.
    fn run_writes(&self, requests: impl ExactSizeIterator<Item = Request>) -> Result<(), DiskError> {
        for done in self.run(requests)? {
            if let Request::Write { data, .. } = done {
                self.buffers.keep(data);
            }
        }
        Ok(())
    }

    /// Cuts a range into what the device takes at once.
    fn cuts(&self, offset: u64, len: usize) -> impl ExactSizeIterator<Item = (u64, usize)> {
        let most = self.max_transfer;
        (0..len).step_by(most).map(move |at| (offset.saturating_add(at as u64), most.min(len - at)))
    }
}

impl Disk for QueuedDisk {
    fn len(&self) -> u64 {
        self.len
    }

    fn read(&self, offset: u64, into: &mut [u8]) -> Result<(), DiskError> {
        self.read_many(&mut [(offset, into)])
    }

    fn write(&self, offset: u64, from: &[u8]) -> Result<(), DiskError> {
        self.write_many(&[(offset, from)])
    }

    fn flush(&self) -> Result<(), DiskError> {
        self.run([Request::Flush].into_iter()).map(drop)
    }

    fn read_many(&self, pieces: &mut [(u64, &mut [u8])]) -> Result<(), DiskError> {
        let mut parts = Vec::new();
        for (offset, into) in pieces.iter() {
            parts.extend(self.cuts(*offset, into.len()).map(|(offset, len)| (offset, self.buffer(len))));
        }
        let mut done = self.read_buffers(parts)?.into_iter();
        for (_, into) in pieces {
            for chunk in into.chunks_mut(self.max_transfer) {
                let data = done.next().filter(|data| data.len() == chunk.len()).ok_or(DiskError)?;
                chunk.copy_from_slice(&data);
                self.give_back(data);
            }
        }
        Ok(())
    }

    fn write_many(&self, pieces: &[(u64, &[u8])]) -> Result<(), DiskError> {
        let most = self.max_transfer;
        let mut requests: Vec<Request> = Vec::new();
        let mut ahead: usize = pieces.iter().map(|(_, from)| from.len()).sum();
        for (offset, from) in pieces {
            // Pieces that lie one behind the other become one request.
            if let Some(Request::Write { offset: before, data, .. }) = requests.last_mut()
                && before.checked_add(data.len() as u64) == Some(*offset)
                && data.len() + from.len() <= most
            {
                data.extend_from_slice(from);
                ahead -= from.len();
                continue;
            }
            for (at, part) in (0u64..).step_by(most).zip(from.chunks(most)) {
                // With room for what may follow.
                let mut data = Vec::with_capacity(ahead.min(most));
                data.extend_from_slice(part);
                ahead -= part.len();
                requests.push(Request::Write { offset: offset + at, data, fua: false });
            }
        }
        self.run(requests.into_iter()).map(drop)
    }

    fn write_from(&self, offset: u64, len: usize, copy: &dyn Fn(usize, &mut [u8])) -> Result<(), DiskError> {
        let requests = self.cuts(offset, len).map(|(at, len)| {
            let mut data = self.buffer(len);
            copy((at - offset) as usize, &mut data);
            Request::Write { offset: at, data, fua: false }
        });
        self.run_writes(requests)
    }

    fn max_transfer(&self) -> usize {
        self.max_transfer
    }

    fn buffer(&self, len: usize) -> Vec<u8> {
        self.buffers.take(len)
    }

    fn give_back(&self, buffer: Vec<u8>) {
        self.buffers.keep(buffer);
    }

    fn read_buffers(&self, pieces: Vec<(u64, Vec<u8>)>) -> Result<Vec<Vec<u8>>, DiskError> {
        let done = self.run(pieces.into_iter().map(|(offset, data)| Request::Read { offset, data }))?;
        let data = |request| if let Request::Read { data, .. } = request { Ok(data) } else { Err(DiskError) };
        done.into_iter().map(data).collect()
    }

    fn write_buffers(&self, pieces: Vec<(u64, Vec<u8>)>) -> Result<(), DiskError> {
        self.run_writes(pieces.into_iter().map(|(offset, data)| Request::Write { offset, data, fua: false }))
    }

    fn write_durably(&self, offset: u64, from: &[u8]) -> Result<(), DiskError> {
        if from.len() > self.max_transfer {
            self.write(offset, from)?;
            return self.flush();
        }
        self.run([Request::Write { offset, data: from.to_vec(), fua: true }].into_iter()).map(drop)
    }

    fn discard(&self, offset: u64, len: u64) -> Result<(), DiskError> {
        if self.max_discard == 0 {
            return Ok(());
        }
        let most = self.max_discard;
        let cut = |at: u64| Request::Discard { offset: offset + at, len: most.min(len - at) };
        self.run((0..len).step_by(most as usize).map(cut).collect::<Vec<_>>().into_iter()).map(drop)
    }
}
