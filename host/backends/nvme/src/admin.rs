//! Admin commands (base §5).

use crate::controller::{Controller, End};
use crate::describe;
use crate::media::Owner;
use crate::prp;
use crate::queues::{CompletionQueue, Fault, SubmissionQueue, memory};
use rkt_nvme::{
    AsyncEvent, COMMAND_LEN, COMPLETION_LEN, Command, IDENTIFY_LEN, NamespaceList, PAGE_LEN, SmartLog, Status, admin,
    cns, event_config, feature, log_page,
};
use rkt_nvme_transport::MAX_QUEUE_PAIRS;
use rkt_window::layout::MAX_VCPUS;
use zerocopy::{FromZeros, IntoBytes};

/// What the driver has asked to be told, and what there is to tell.
#[derive(Default)]
pub(crate) struct Events {
    /// Identifiers of requests that wait for an event.
    waiting: Vec<u16>,
    /// Which are wanted (base §5.27.1.8).
    wanted: u32,
    /// Namespaces that changed since the log was read.
    changed: Vec<u32>,
    /// The driver was told and has not read the log yet: until then it is not told again (base §5.2).
    told: bool,
}

/// A log page or identify data, of which the driver gets as much as it asked for.
fn answer(controller: &Controller, command: &Command, data: &[u8], len: usize) -> Result<End, Status> {
    let parts = prp::regions(&controller.window, command, len)?;
    let mut rest = data.get(..len.min(data.len())).unwrap_or(data);
    for part in parts {
        let (now, later) = rest.split_at(part.len().min(rest.len()));
        part.write(0, now).map_err(|_| Status::DATA_TRANSFER)?;
        part.zero(now.len(), part.len() - now.len()).map_err(|_| Status::DATA_TRANSFER)?;
        rest = later;
    }
    Ok(End::With(0))
}

impl Controller {
    /// Serves an admin command.
    ///
    /// # Errors
    /// The driver's fault, for which the controller stops.
    pub(crate) fn administer(&mut self, command: &Command) -> Result<(), Fault> {
        let owner = Owner { queue: 0, id: command.id.get() };
        let end = match command.opcode {
            admin::IDENTIFY => self.identify(command),
            admin::GET_LOG_PAGE => self.get_log_page(command),
            admin::SET_FEATURES => self.set_features(command),
            admin::GET_FEATURES => self.get_features(command),
            admin::CREATE_CQ => self.create_completions(command),
            admin::CREATE_SQ => self.create_submissions(command),
            admin::DELETE_SQ => self.delete_submissions(command)?,
            admin::DELETE_CQ => self.delete_completions(command),
            admin::ABORT => Ok(End::With(1)),
            admin::ASYNC_EVENT => self.await_event(command),
            _ => Err(Status::INVALID_OPCODE.final_word()),
        };
        match end {
            Ok(End::With(dword0)) => self.post(owner, dword0, Status::SUCCESS)?,
            Ok(End::Later) => {}
            Err(status) => self.post(owner, 0, status)?,
        }
        self.tell()
    }

    fn identify(&self, command: &Command) -> Result<End, Status> {
        let (id, count) = (command.namespace.get(), self.media.volumes.len());
        match command.dword10.get() as u8 {
            cns::CONTROLLER => {
                let data = describe::controller(&self.serial, count);
                answer(self, command, data.as_bytes(), IDENTIFY_LEN)
            }
            cns::NAMESPACE => {
                let volume = self.media.volume(id).ok_or(Status::INVALID_NAMESPACE.final_word())?;
                answer(self, command, describe::namespace(volume, self.block_shift).as_bytes(), IDENTIFY_LEN)
            }
            cns::ACTIVE_NAMESPACES => answer(self, command, describe::list(id, count).as_bytes(), IDENTIFY_LEN),
            _ => Err(Status::INVALID_FIELD.final_word()),
        }
    }

    fn get_log_page(&mut self, command: &Command) -> Result<End, Status> {
        let dword10 = command.dword10.get();
        let len = ((dword10 >> 16) as usize + 1) * 4;
        if len > PAGE_LEN {
            return Err(Status::INVALID_FIELD.final_word());
        }
        match dword10 as u8 {
            log_page::SMART => {
                let mut log = SmartLog::new_zeroed();
                (log.temperature, log.spare) = (300.into(), 100);
                log.media_errors = u128::from(self.errors.len() as u64).into();
                answer(self, command, log.as_bytes(), len)
            }
            log_page::ERRORS => {
                let entries: Vec<u8> = self.errors.iter().rev().flat_map(|entry| entry.as_bytes().to_vec()).collect();
                answer(self, command, &entries, len)
            }
            log_page::CHANGED_NAMESPACES => {
                let mut list = NamespaceList::new_zeroed();
                list.ids.iter_mut().zip(&self.events.changed).for_each(|(to, id)| *to = (*id).into());
                let end = answer(self, command, list.as_bytes(), len)?;
                self.events.changed.clear();
                self.events.told = false;
                Ok(end)
            }
            _ => Err(Status::INVALID_LOG_PAGE.final_word()),
        }
    }

    /// Queue pairs beside the admin queue, zero-based, for both kinds.
    const QUEUES: u32 = (MAX_QUEUE_PAIRS as u32 - 2) << 16 | (MAX_QUEUE_PAIRS as u32 - 2);

    fn set_features(&mut self, command: &Command) -> Result<End, Status> {
        match command.dword10.get() as u8 {
            feature::NUMBER_OF_QUEUES => Ok(End::With(Self::QUEUES)),
            feature::ASYNC_EVENTS => {
                self.events.wanted = command.dword11.get();
                Ok(End::With(0))
            }
            _ => Err(Status::INVALID_FIELD.final_word()),
        }
    }

    fn get_features(&self, command: &Command) -> Result<End, Status> {
        match command.dword10.get() as u8 {
            feature::NUMBER_OF_QUEUES => Ok(End::With(Self::QUEUES)),
            feature::ASYNC_EVENTS => Ok(End::With(self.events.wanted)),
            feature::VOLATILE_WRITE_CACHE => Ok(End::With(1)),
            _ => Err(Status::INVALID_FIELD.final_word()),
        }
    }

    /// Identifier and size of a queue to be made.
    fn queue_to_make(command: &Command) -> Result<(u16, u16), Status> {
        let id = command.dword10.get() as u16;
        if id == 0 || id >= MAX_QUEUE_PAIRS {
            return Err(Status::INVALID_QUEUE.final_word());
        }
        let entries = (command.dword10.get() >> 16) + 1;
        let entries = u16::try_from(entries).ok().filter(|entries| (2..=Self::ENTRIES).contains(entries));
        // Only contiguous queues are offered (`CAP.CQR`).
        match entries {
            Some(entries) if command.dword11.get() & 1 != 0 => Ok((id, entries)),
            Some(_) => Err(Status::INVALID_FIELD.final_word()),
            None => Err(Status::INVALID_QUEUE_SIZE.final_word()),
        }
    }

    fn create_completions(&mut self, command: &Command) -> Result<End, Status> {
        let (id, entries) = Self::queue_to_make(command)?;
        let (flags, vector) = (command.dword11.get(), (command.dword11.get() >> 16) as u16);
        let vector = (flags & 2 != 0).then_some(vector);
        if vector.is_some_and(|vector| usize::from(vector) >= MAX_VCPUS) {
            return Err(Status::INVALID_VECTOR.final_word());
        }
        let region = Self::memory_of(&self.window, command, entries, COMPLETION_LEN)?;
        match self.completions.get_mut(usize::from(id)) {
            Some(place @ None) => *place = Some(CompletionQueue::new(id, region, entries, vector)),
            _ => return Err(Status::INVALID_QUEUE.final_word()),
        }
        self.queues = self.queues.max(id + 1);
        Ok(End::With(0))
    }

    fn create_submissions(&mut self, command: &Command) -> Result<End, Status> {
        let (id, entries) = Self::queue_to_make(command)?;
        let completions = (command.dword11.get() >> 16) as u16;
        let region = Self::memory_of(&self.window, command, entries, COMMAND_LEN)?;
        let user = self.completions.get_mut(usize::from(completions)).filter(|_| completions != 0);
        let user = user.and_then(Option::as_mut).ok_or(Status::INVALID_COMPLETION_QUEUE.final_word())?;
        match self.submissions.get_mut(usize::from(id)) {
            Some(place @ None) => *place = Some(SubmissionQueue::new(id, region, entries, completions)),
            _ => return Err(Status::INVALID_QUEUE.final_word()),
        }
        user.users += 1;
        self.queues = self.queues.max(id + 1);
        Ok(End::With(0))
    }

    fn memory_of(
        window: &rkt_window::Window,
        command: &Command,
        entries: u16,
        entry_len: usize,
    ) -> Result<rkt_window::Region, Status> {
        let at = command.prp1.get();
        if !at.is_multiple_of(PAGE_LEN as u64) {
            return Err(Status::INVALID_PRP_OFFSET.final_word());
        }
        memory(window, at, entries, entry_len).map_err(|_| Status::DATA_TRANSFER.final_word())
    }

    /// All commands of a queue that is deleted complete first (base §5.7).
    fn delete_submissions(&mut self, command: &Command) -> Result<Result<End, Status>, Fault> {
        let id = usize::from(command.dword10.get() as u16);
        let found = self.submissions.get(id).filter(|_| id != 0).is_some_and(Option::is_some);
        if !found {
            return Ok(Err(Status::INVALID_QUEUE.final_word()));
        }
        self.drain()?;
        let queue = self.submissions.get_mut(id).and_then(Option::take);
        let user = queue.and_then(|queue| self.completions.get_mut(usize::from(queue.completions))?.as_mut());
        if let Some(user) = user {
            user.users -= 1;
        }
        Ok(Ok(End::With(0)))
    }

    fn delete_completions(&mut self, command: &Command) -> Result<End, Status> {
        let id = usize::from(command.dword10.get() as u16);
        let place = self.completions.get_mut(id).filter(|_| id != 0).ok_or(Status::INVALID_QUEUE.final_word())?;
        match place {
            // Its submission queues have to go first (base §5.6).
            Some(queue) if queue.users == 0 => *place = None,
            _ => return Err(Status::INVALID_QUEUE.final_word()),
        }
        Ok(End::With(0))
    }

    fn await_event(&mut self, command: &Command) -> Result<End, Status> {
        if self.events.waiting.len() >= usize::from(describe::MAX_EVENTS) {
            return Err(Status::EVENT_LIMIT.final_word());
        }
        self.events.waiting.push(command.id.get());
        Ok(End::Later)
    }

    /// Looks at the sizes of all disks again.
    pub(crate) fn measure_again(&mut self) -> Result<(), Fault> {
        for (id, volume) in (1..).zip(&mut self.media.volumes) {
            let changed = volume.disk.measure_again().unwrap_or(false);
            if changed && !self.events.changed.contains(&id) {
                self.events.changed.push(id);
            }
        }
        self.tell()
    }

    /// Completes a request for an event if there is one.
    fn tell(&mut self) -> Result<(), Fault> {
        let wanted = self.events.wanted & event_config::NAMESPACE_ATTRIBUTES != 0;
        if self.events.told || !wanted || self.events.changed.is_empty() {
            return Ok(());
        }
        let Some(id) = self.events.waiting.pop() else { return Ok(()) };
        self.events.told = true;
        self.post(Owner { queue: 0, id }, AsyncEvent::NAMESPACE_CHANGED.0, Status::SUCCESS)
    }
}
