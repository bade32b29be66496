//! What a controller tells unasked, and what is done about it.

use crate::interview::view;
use crate::{DeviceError, Namespace, identity};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use rkt_nvme::{
    AsyncEvent, Command, ErrorEntry, EventKind, IDENTIFY_LEN, IdentifyNamespace, NamespaceList, SmartLog, Status, cns,
    log_page,
};
use zerocopy::FromBytes;

/// Notices kept until somebody takes them; older ones go first.
const KEPT: usize = 32;

/// Something worth a line in a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A namespace has another size.
    Resized {
        /// The namespace.
        namespace: u32,
        /// Blocks that it has now.
        blocks: u64,
    },
    /// The newest entry of the error log.
    Error {
        /// Status of the command that failed.
        status: Status,
        /// Its namespace.
        namespace: u32,
        /// The first block that failed.
        block: u64,
    },
    /// SMART and health.
    Health {
        /// Bits of the critical warning.
        critical_warning: u8,
        /// Percent of the endurance used.
        used: u8,
        /// Media errors, as far as they fit.
        media_errors: u64,
    },
    /// The controller was reset because of this, and what was in flight sent again.
    Recovered(DeviceError),
}

/// A command that looks after something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chore {
    /// Read which namespaces have changed.
    Changed,
    /// Identify a namespace again: its index.
    Identify(usize),
    /// Read the health log.
    Health,
    /// Read the error log.
    Errors,
}

/// Chores to do, and notices to give.
#[derive(Default)]
pub(crate) struct Notices {
    chores: Vec<Chore>,
    /// The chore whose command is in flight.
    doing: Option<Chore>,
    kept: VecDeque<Notice>,
}

impl Notices {
    /// Asks for a chore, once.
    pub(crate) fn ask(&mut self, chore: Chore) {
        if !self.chores.contains(&chore) {
            self.chores.push(chore);
        }
    }

    pub(crate) fn give(&mut self, notice: Notice) {
        if self.kept.len() >= KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(notice);
    }

    pub(crate) fn take(&mut self) -> Option<Notice> {
        self.kept.pop_front()
    }

    /// An event has arrived: reading its log page clears it (base §5.2).
    pub(crate) fn happened(&mut self, event: AsyncEvent) {
        match event.kind() {
            EventKind::Error => self.ask(Chore::Errors),
            EventKind::Health => self.ask(Chore::Health),
            EventKind::NamespaceChanged => self.ask(Chore::Changed),
            EventKind::Other => {}
        }
    }

    /// The command of the next chore, which answers into the page at `page`.
    pub(crate) fn next(&mut self, namespaces: &[Namespace], page: u64) -> Option<Command> {
        let chore = self.chores.pop()?;
        self.doing = Some(chore);
        match chore {
            Chore::Changed => Some(Command::get_log_page(log_page::CHANGED_NAMESPACES, IDENTIFY_LEN as u32, page)),
            Chore::Health => Some(Command::get_log_page(log_page::SMART, size_of::<SmartLog>() as u32, page)),
            Chore::Errors => Some(Command::get_log_page(log_page::ERRORS, size_of::<ErrorEntry>() as u32, page)),
            Chore::Identify(index) => {
                namespaces.get(index).map(|namespace| Command::identify(cns::NAMESPACE, namespace.id, page))
            }
        }
    }

    /// The page of a chore that was done: what it says of a namespace, by index, if that was asked.
    pub(crate) fn done(
        &mut self,
        namespaces: &[Namespace],
        page: &[u8; IDENTIFY_LEN],
    ) -> Result<Option<(usize, Namespace)>, DeviceError> {
        match self.doing.take() {
            Some(Chore::Changed) => self.changed(namespaces, view::<NamespaceList>(page)?),
            Some(Chore::Health) => self.health(page),
            Some(Chore::Errors) => self.error(page),
            Some(Chore::Identify(index)) => return identified(namespaces, index, page),
            None => {}
        }
        Ok(None)
    }

    /// Forgets what was being done: the controller is reset.
    pub(crate) fn reset(&mut self) {
        self.chores.clear();
        self.doing = None;
    }

    /// All of ours are identified again if the list says so: it is the controller's, and may be full.
    fn changed(&mut self, namespaces: &[Namespace], list: &NamespaceList) {
        let changed = |namespace: &Namespace| list.iter().any(|id| id == namespace.id || id == u32::MAX);
        for (index, _) in namespaces.iter().enumerate().filter(|(_, namespace)| changed(namespace)) {
            self.ask(Chore::Identify(index));
        }
    }

    fn health(&mut self, page: &[u8; IDENTIFY_LEN]) {
        if let Ok((log, _)) = SmartLog::read_from_prefix(page) {
            self.give(Notice::Health {
                critical_warning: log.critical_warning,
                used: log.used,
                media_errors: log.media_errors.get().try_into().unwrap_or(u64::MAX),
            });
        }
    }

    fn error(&mut self, page: &[u8; IDENTIFY_LEN]) {
        if let Ok((entry, _)) = ErrorEntry::read_from_prefix(page)
            && entry.count.get() != 0
        {
            let status = Status(entry.status.get() >> 1);
            self.give(Notice::Error { status, namespace: entry.namespace.get(), block: entry.block.get() });
        }
    }
}

/// A namespace that was identified again. One that is no longer active has no blocks left.
fn identified(
    namespaces: &[Namespace],
    index: usize,
    page: &[u8; IDENTIFY_LEN],
) -> Result<Option<(usize, Namespace)>, DeviceError> {
    let Some(before) = namespaces.get(index) else { return Ok(None) };
    let now = identity::namespace(before.id, view::<IdentifyNamespace>(page)?)?;
    let now = now.unwrap_or(Namespace { blocks: 0, ..*before });
    now.check_same(before)?;
    Ok(Some((index, now)))
}
