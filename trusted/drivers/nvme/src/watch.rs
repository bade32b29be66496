//! A controller that runs: what it says unasked, what takes too long, and what lanes complain of.

use crate::admin::{Purpose, Reply};
use crate::controller::{Controller, Lanes, announce};
use crate::lane::Overdue;
use crate::{DeviceError, NvmeError, Phase};
use rkt_nvme::{AsyncEvent, Command, StatusKind};
use rkt_nvme_transport::Registers;

impl Controller {
    /// One look at everything.
    pub(crate) fn watch(&mut self, regs: &dyn Registers, lanes: Lanes<'_>, now: u64) -> Result<(), NvmeError> {
        Self::status(regs, true)?;
        // Each command in flight answers once, so this ends.
        while let Some(reply) = self.queue.receive(regs)? {
            self.heard(reply, lanes)?;
        }
        self.watch_lanes(regs, lanes, now)?;
        if self.queue.is_overdue(now, self.options.admin_timeout) {
            return Err(DeviceError::Silent(Phase::Admin).into());
        }
        self.send_chore(regs, now)?;
        if !self.queue.awaits(Purpose::Event) && !self.deaf {
            self.queue.send(regs, Command::async_event(), Purpose::Event, now)?;
        }
        Ok(())
    }

    fn watch_lanes(&mut self, regs: &dyn Registers, lanes: Lanes<'_>, now: u64) -> Result<(), NvmeError> {
        for lane in lanes {
            let mut lane = lane.lock();
            if let Some(fault) = lane.fault() {
                return Err(fault);
            }
            if lane.take_progress() {
                self.resets = 0;
            }
            match lane.overdue(now, self.options.timeout) {
                Overdue::Nothing => {}
                Overdue::Reset => return Err(DeviceError::Silent(Phase::Io).into()),
                // If there is no room for it, the reset comes all the same.
                Overdue::Abort(queue, id) => {
                    self.queue.send(regs, Command::abort(queue, id), Purpose::Abort, now)?;
                }
            }
        }
        Ok(())
    }

    /// A chore, unless one is being done.
    fn send_chore(&mut self, regs: &dyn Registers, now: u64) -> Result<(), NvmeError> {
        let Some(identity) = self.identity.as_ref().filter(|_| !self.queue.awaits(Purpose::Chore)) else {
            return Ok(());
        };
        if let Some(command) = self.notices.next(&identity.namespaces, self.queue.page_at()) {
            self.queue.send(regs, command, Purpose::Chore, now)?;
        }
        Ok(())
    }

    fn heard(&mut self, reply: Reply, lanes: Lanes<'_>) -> Result<(), NvmeError> {
        let success = reply.status.kind() == StatusKind::Success;
        match reply.purpose {
            Purpose::Event if success => self.notices.happened(AsyncEvent(reply.dword0)),
            // It cannot tell of events, and need not be asked again.
            Purpose::Event => self.deaf = true,
            Purpose::Chore if success => self.chore_done(lanes)?,
            // Nothing depends on a chore. The command to abort ends, or time does.
            Purpose::Chore | Purpose::Abort | Purpose::Question => {}
        }
        Ok(())
    }

    fn chore_done(&mut self, lanes: Lanes<'_>) -> Result<(), NvmeError> {
        let page = self.queue.read_page()?;
        let Some(identity) = &mut self.identity else { return Ok(()) };
        let Some((index, found)) = self.notices.done(&identity.namespaces, page)? else { return Ok(()) };
        if let Some(known) = identity.namespaces.get_mut(index)
            && known.blocks != found.blocks
        {
            *known = found;
            announce(&mut self.notices, found, lanes);
        }
        Ok(())
    }
}
