//! A switch between enclaves: a learning Ethernet bridge (IEEE 802.1D §7) whose ports are the
//! network devices of several windows. No frame passes through the host's kernel: bytes are copied
//! once, from the sender's transmit buffers to the receiver's receive buffers.
//!
//! Frames keep their virtio header, so a segment of 64 KiB and a checksum that is still to be made stay
//! so from one enclave to the other. The switch runs in a process of its own, which the first
//! enclave at a path starts and which ends when the last one has left; thus no enclave needs another.
//!
//! A frame for a port without room waits a while, as with IEEE 802.3x flow control; then the port counts
//! as stalled and its frames are lost until it has room again, so that an enclave that stands still
//! holds nobody up.

mod flow;
mod join;
mod port;

pub use join::{StartSwitch, Wire, WireError, WireOptions};

use crate::sys::mapping::Mapping;
use flow::{Mac, is_group};
use join::Hello;
use port::{Delivery, Frame, Port};
use rkt_virtio_device::{Interest, Pause, Polling, Waiter};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Duration;

/// Frames of one pair of queues before the next has its turn.
const BATCH: usize = 32;
/// Rounds with work between two looks at who comes and goes.
const ROUNDS: u32 = 4096;
/// Addresses that are remembered.
const MAX_ADDRESSES: usize = 4096;
/// Most ports.
const MAX_PORTS: usize = 64;
/// Longest sleep, and longest sleep while a frame waits for room.
const LONGEST_SLEEP: Duration = Duration::from_secs(10);
const SHORT_SLEEP: Duration = Duration::from_millis(50);

/// Serves the switch whose socket this is until the last port has left. `path`, where the socket
/// lies, is removed then.
///
/// # Errors
/// If the host denies what sleeping needs, or the socket fails.
pub fn serve_switch(listener: UnixListener, path: &Path) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let mut switch = Switch { listener, ports: Vec::new(), addresses: HashMap::new(), next: 0 };
    while switch.run()? {}
    // Whoever finds the path now starts another switch; whoever was quicker is served by this one.
    let _lock = join::lock(path)?;
    if switch.welcome()? {
        while switch.run()? {}
    }
    std::fs::remove_file(path)
}

/// Number of a port; never used again.
type PortId = u64;

struct Switch {
    listener: UnixListener,
    ports: Vec<(PortId, Port)>,
    addresses: HashMap<Mac, PortId>,
    next: PortId,
}

impl Switch {
    /// Forwards until a port comes or goes; false if none is left, or none came.
    fn run(&mut self) -> io::Result<bool> {
        let bells = self.ports.iter().map(|(_, port)| port.doorbell()).collect();
        let mut waiter = Waiter::new(bells, true)?;
        let mut pause = Pause::new(Polling::default());
        let mut rounds = 0;
        loop {
            if self.forward() {
                pause.worked();
                rounds += 1;
                if rounds < ROUNDS {
                    continue;
                }
            } else if pause.is_over() {
                self.sleep(&mut waiter)?;
                pause.worked();
            } else {
                continue;
            }
            rounds = 0;
            if self.welcome()? | self.dismiss()? {
                return Ok(!self.ports.is_empty());
            }
            if self.ports.is_empty() {
                return Ok(false);
            }
        }
    }

    fn sleep(&mut self, waiter: &mut Waiter) -> io::Result<()> {
        waiter.arm();
        let slept = if self.forward() {
            Ok(())
        } else {
            let waiting = self.ports.iter().any(|(_, port)| port.is_waiting());
            let listener = Interest { fd: self.listener.as_fd(), events: libc::POLLIN };
            let interests: Vec<_> =
                std::iter::once(listener).chain(self.ports.iter().map(|(_, port)| port.interest())).collect();
            waiter.wait(&interests, if waiting { SHORT_SLEEP } else { LONGEST_SLEEP })
        };
        waiter.disarm();
        slept
    }

    /// Takes in who knocks. Whether there was anybody.
    fn welcome(&mut self) -> io::Result<bool> {
        let mut any = false;
        loop {
            let (stream, _) = match self.listener.accept() {
                Ok(accepted) => accepted,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(any),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(e),
            };
            // Who does not say what is expected is not served, and sees its socket close.
            if self.ports.len() < MAX_PORTS
                && let Ok((hello, memfd)) = Hello::receive(&stream)
                && let Ok(mapping) = Mapping::new(&memfd)
                && let Ok(port) = Port::new(mapping, hello.options, OwnedFd::from(stream))
                && port.welcome().is_ok()
            {
                self.ports.push((self.next, port));
                self.next += 1;
                any = true;
            }
        }
    }

    /// Lets go of ports whose enclave is gone. Whether there was one.
    fn dismiss(&mut self) -> io::Result<bool> {
        if self.ports.is_empty() {
            return Ok(false);
        }
        let interests: Vec<_> = self.ports.iter().map(|(_, port)| port.interest()).collect();
        let mut fds: Vec<_> =
            interests.iter().map(|interest| PollFd::from_borrowed_fd(interest.fd, PollFlags::IN)).collect();
        if poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))? == 0 {
            return Ok(false);
        }
        // Nothing is ever sent after the hello, so that input means the end.
        let mut gone = fds.iter().map(|fd| !fd.revents().is_empty()).collect::<Vec<_>>().into_iter();
        drop(fds);
        drop(interests);
        self.ports.retain(|_| !gone.next().unwrap_or(false));
        let ports = &self.ports;
        self.addresses.retain(|_, id| ports.iter().any(|(port, _)| port == id));
        Ok(true)
    }

    /// One look at every port; whether there was anything to do.
    fn forward(&mut self) -> bool {
        let mut worked = false;
        for at in 0..self.ports.len() {
            let Some((id, port)) = self.ports.get_mut(at) else { continue };
            worked |= port.follow();
            let (id, pairs) = (*id, port.pairs());
            for pair in 0..pairs {
                worked |= self.forward_from(at, id, pair);
            }
        }
        for (_, port) in &mut self.ports {
            port.notify();
        }
        worked
    }

    /// Forwards what one pair of queues sends, at most a batch.
    fn forward_from(&mut self, at: usize, id: PortId, pair: u16) -> bool {
        let mut worked = false;
        for _ in 0..BATCH {
            let Some((_, port)) = self.ports.get_mut(at) else { break };
            let Some(frame) = port.next(pair) else { break };
            self.learn(frame.addresses.from, id);
            let settled = self.send(id, &frame);
            let Some((_, port)) = self.ports.get_mut(at) else { break };
            if !settled {
                port.hold(pair, frame);
                break;
            }
            port.sent(pair, frame);
            worked = true;
        }
        worked
    }

    /// Remembers where an address is.
    fn learn(&mut self, mac: Mac, id: PortId) {
        if is_group(&mac) || self.addresses.get(&mac) == Some(&id) {
            return;
        }
        if self.addresses.len() >= MAX_ADDRESSES {
            self.addresses.clear();
        }
        self.addresses.insert(mac, id);
    }

    /// Sends a frame to whom it is for, to all others if that is not known. False if it has to wait.
    fn send(&mut self, from: PortId, frame: &Frame) -> bool {
        let to = self.addresses.get(&frame.addresses.to).copied();
        if let Some(to) = to.filter(|_| !is_group(&frame.addresses.to)) {
            let port = self.ports.iter_mut().find(|(id, _)| *id == to && to != from);
            return port.is_none_or(|(_, port)| port.deliver(frame) == Delivery::Done || port.gives_up(frame));
        }
        for (_, port) in self.ports.iter_mut().filter(|(id, _)| *id != from) {
            // What is for all is lost where there is no room.
            let _ = port.deliver(frame);
        }
        true
    }
}
