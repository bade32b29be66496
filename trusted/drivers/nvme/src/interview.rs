//! What an enabled controller is asked, the first time and after each reset (base §3.5.1): a pure
//! machine that takes answers and says what to ask next.

use crate::DeviceError;
use crate::identity::{self, Identity};
use crate::quirks::Quirk;
use alloc::vec::Vec;
use rkt_nvme::registers::Capabilities;
use rkt_nvme::{
    IDENTIFY_LEN, IdentifyController, IdentifyNamespace, NamespaceList, Status, StatusKind, admin, event_config,
};
use zerocopy::{FromBytes, Immutable, KnownLayout};

/// What the driver wants of any controller.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wants {
    /// Most I/O queue pairs.
    pub(crate) pairs: u16,
    /// Bytes of the longest transfer.
    pub(crate) transfer: usize,
    /// Known oddities.
    pub(crate) quirks: &'static [Quirk],
}

/// An admin command, less its addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// Identify controller.
    Controller,
    /// Set features, number of queues.
    Queues(u16),
    /// Set features, asynchronous event configuration.
    Events(u32),
    /// Doorbell buffer config.
    Shadow,
    /// Identify, active namespaces.
    List,
    /// Identify namespace.
    Namespace(u32),
    /// Create the completion queue of a lane.
    CompletionQueue(u16),
    /// Create the submission queue of a lane.
    SubmissionQueue(u16),
}

impl Question {
    /// The opcode of the command.
    pub(crate) const fn opcode(self) -> u8 {
        match self {
            Self::Controller | Self::List | Self::Namespace(_) => admin::IDENTIFY,
            Self::Queues(_) | Self::Events(_) => admin::SET_FEATURES,
            Self::Shadow => admin::DOORBELL_BUFFER,
            Self::CompletionQueue(_) => admin::CREATE_CQ,
            Self::SubmissionQueue(_) => admin::CREATE_SQ,
        }
    }

    /// Whether the controller works without.
    const fn is_optional(self) -> bool {
        matches!(self, Self::Events(_) | Self::Shadow)
    }
}

/// An answer: status, dword 0, and the page of data.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer<'a> {
    pub(crate) status: Status,
    pub(crate) dword0: u32,
    pub(crate) page: &'a [u8; IDENTIFY_LEN],
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Ask this.
    Ask(Question),
    /// The controller is known: [`Interview::identity`]. Go on with [`Interview::plan`].
    Identified,
    /// All lanes have their queues.
    Done,
}

/// The machine.
#[derive(Debug)]
pub(crate) struct Interview {
    wants: Wants,
    asked: Question,
    identity: Identity,
    /// Namespaces to identify, the next one last.
    unknown: Vec<u32>,
    lanes: u16,
    shadow: bool,
}

impl Interview {
    /// A machine that has nobody to ask yet.
    pub(crate) fn new(wants: Wants) -> Self {
        let identity = Identity::unknown(Capabilities(0));
        Self { wants, asked: Question::Controller, identity, unknown: Vec::new(), lanes: 0, shadow: false }
    }

    /// Begins with a controller that has just been enabled. Returns the first question.
    pub(crate) fn start(&mut self, capabilities: Capabilities) -> Question {
        *self = Self { identity: Identity::unknown(capabilities), ..Self::new(self.wants) };
        self.asked
    }

    /// What is known so far.
    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Whether the controller took the shadow doorbells.
    pub(crate) fn has_shadow(&self) -> bool {
        self.shadow
    }

    /// Takes the answer to the last question.
    ///
    /// # Errors
    /// The controller lies, or cannot be driven.
    pub(crate) fn answer(&mut self, answer: Answer<'_>) -> Result<Next, DeviceError> {
        let (asked, status) = (self.asked, answer.status);
        let accepted = match status.kind() {
            StatusKind::Success => true,
            StatusKind::Reserved => return Err(DeviceError::Status { queue: 0, status }),
            _ if asked.is_optional() => false,
            _ => return Err(DeviceError::Refused { opcode: asked.opcode(), status }),
        };
        let next = match asked {
            Question::Controller => self.controller(answer.page)?,
            Question::Queues(_) => self.queues(answer.dword0),
            Question::Events(_) => self.shadow_or_list(),
            Question::Shadow => {
                self.shadow = accepted;
                Question::List
            }
            Question::List => {
                self.unknown = identity::active(view::<NamespaceList>(answer.page)?)?;
                self.unknown.reverse();
                return Ok(self.next_namespace());
            }
            Question::Namespace(id) => {
                let found = identity::namespace(id, view::<IdentifyNamespace>(answer.page)?)?;
                self.identity.namespaces.extend(found);
                return Ok(self.next_namespace());
            }
            Question::CompletionQueue(lane) => Question::SubmissionQueue(lane),
            Question::SubmissionQueue(lane) => return Ok(self.create(lane.saturating_add(1))),
        };
        Ok(self.ask(next))
    }

    /// Goes on after [`Next::Identified`], with this many lanes.
    pub(crate) fn plan(&mut self, lanes: u16) -> Next {
        self.lanes = lanes;
        self.create(0)
    }

    fn ask(&mut self, question: Question) -> Next {
        self.asked = question;
        Next::Ask(question)
    }

    fn controller(&mut self, page: &[u8; IDENTIFY_LEN]) -> Result<Question, DeviceError> {
        let data = view::<IdentifyController>(page)?;
        let capabilities = self.identity.capabilities;
        self.identity = Identity::of(capabilities, data, self.wants.quirks, self.wants.transfer)?;
        Ok(Question::Queues(self.wants.pairs))
    }

    /// Both counts are zero-based, and may be more than was asked for (base §5.27.1.5).
    fn queues(&mut self, granted: u32) -> Question {
        let least = (granted & 0xffff).min(granted >> 16).saturating_add(1);
        self.identity.pairs = u16::try_from(least).unwrap_or(u16::MAX).min(self.wants.pairs);
        let notices = if self.identity.namespace_events { event_config::NAMESPACE_ATTRIBUTES } else { 0 };
        Question::Events(event_config::CRITICAL_WARNINGS | notices)
    }

    fn shadow_or_list(&self) -> Question {
        if self.identity.shadow { Question::Shadow } else { Question::List }
    }

    fn next_namespace(&mut self) -> Next {
        match self.unknown.pop() {
            Some(id) => self.ask(Question::Namespace(id)),
            None => Next::Identified,
        }
    }

    fn create(&mut self, lane: u16) -> Next {
        if lane < self.lanes { self.ask(Question::CompletionQueue(lane)) } else { Next::Done }
    }
}

/// Identify data as what they are; `page` is a copy in trusted memory. All bytes are valid, so this never fails
/// in practice.
pub(crate) fn view<T: FromBytes + KnownLayout + Immutable>(page: &[u8; IDENTIFY_LEN]) -> Result<&T, DeviceError> {
    T::ref_from_bytes(page).map_err(|_| DeviceError::Value { field: "identify data", value: page.len() as u64 })
}
