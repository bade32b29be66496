//! A disk that fails when told to.

use alloc::collections::VecDeque;
use rkt_blockdev::{BlockDevice, BlockError, Completion, Rejected, Request, SubmitError, Token};

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The disk below does it.
    Pass,
    /// It is not accepted.
    Reject(SubmitError),
    /// It is accepted, not done, and fails.
    Fail(BlockError),
    /// It is done and reported as failed all the same.
    DoAndFail(BlockError),
}

/// A disk of whose requests `judge` decides.
pub struct Fault<D, F> {
    inner: D,
    judge: F,
    /// Failed, not yet returned.
    failed: VecDeque<Completion>,
    /// Done below, to be reported as failed.
    doomed: VecDeque<(Token, BlockError)>,
    /// Tokens of requests that the disk below never saw, from the top so that they never meet its own.
    next: u64,
}

impl<D: BlockDevice, F: FnMut(&Request) -> Verdict + Send> Fault<D, F> {
    /// Wraps `disk`.
    pub fn new(disk: D, judge: F) -> Self {
        Self { inner: disk, judge, failed: VecDeque::new(), doomed: VecDeque::new(), next: u64::MAX }
    }
}

impl<D: BlockDevice, F: FnMut(&Request) -> Verdict + Send> BlockDevice for Fault<D, F> {
    crate::delegate!(inner: geometry, kick, deadline, stats, fault, reset);

    fn submit(&mut self, request: Request) -> Result<Token, Rejected> {
        match (self.judge)(&request) {
            Verdict::Pass => self.inner.submit(request),
            Verdict::Reject(error) => Err(Rejected { error, request }),
            Verdict::Fail(error) => {
                if let Err(error) = self.geometry().check(&request) {
                    return Err(Rejected { error, request });
                }
                let token = Token(self.next);
                self.next = self.next.wrapping_sub(1);
                self.failed.push_back(Completion { token, request, result: Err(error) });
                Ok(token)
            }
            Verdict::DoAndFail(error) => {
                let token = self.inner.submit(request)?;
                self.doomed.push_back((token, error));
                Ok(token)
            }
        }
    }

    fn poll(&mut self) -> Option<Completion> {
        let Some(mut done) = self.inner.poll() else { return self.failed.pop_front() };
        if let Some(at) = self.doomed.iter().position(|(token, _)| *token == done.token)
            && let Some((_, error)) = self.doomed.remove(at)
        {
            done.result = Err(error);
        }
        Some(done)
    }

    fn has_work(&self) -> bool {
        !self.failed.is_empty() || self.inner.has_work()
    }

    fn in_flight(&self) -> usize {
        self.inner.in_flight().saturating_add(self.failed.len())
    }
}
