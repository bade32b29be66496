//! A disk that tells of each request.

use rkt_blockdev::{BlockDevice, BlockError, Completion, Rejected, Request, SubmitError, Token};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A request was accepted. The buffer of a read holds nothing yet.
    Submitted(Token, &'a Request),
    /// A request was not accepted.
    Rejected(SubmitError, &'a Request),
    /// A request has ended.
    Completed(Token, &'a Request, Result<(), BlockError>),
    /// The device was told.
    Kicked,
    /// The disk was reset.
    Reset(Result<(), BlockError>),
}

/// A disk whose requests `sink` is told of.
pub struct Trace<D, F> {
    inner: D,
    sink: F,
}

impl<D: BlockDevice, F: FnMut(Event<'_>) + Send> Trace<D, F> {
    /// Wraps `disk`.
    pub fn new(disk: D, sink: F) -> Self {
        Self { inner: disk, sink }
    }
}

impl<D: BlockDevice, F: FnMut(Event<'_>) + Send> BlockDevice for Trace<D, F> {
    crate::delegate!(inner: geometry, has_work, in_flight, deadline, stats, fault);

    fn submit(&mut self, request: Request) -> Result<Token, Rejected> {
        // The request is gone once it is accepted, but for a copy.
        let copy = request.clone();
        let result = self.inner.submit(request);
        match &result {
            Ok(token) => (self.sink)(Event::Submitted(*token, &copy)),
            Err(rejected) => (self.sink)(Event::Rejected(rejected.error, &rejected.request)),
        }
        result
    }

    fn kick(&mut self) {
        (self.sink)(Event::Kicked);
        self.inner.kick();
    }

    fn poll(&mut self) -> Option<Completion> {
        let done = self.inner.poll()?;
        (self.sink)(Event::Completed(done.token, &done.request, done.result));
        Some(done)
    }

    fn reset(&mut self, wait: &mut dyn FnMut()) -> Result<(), BlockError> {
        let result = self.inner.reset(wait);
        (self.sink)(Event::Reset(result));
        result
    }
}
