//! The end of the program. Linux outlives a program and sees its connections through; this kernel ends with its
//! program, and so first does what Linux would do later.

use super::Engine;
use super::flow::Flow;
use rkt_sched::WaitQueue;

/// How often the connections are looked at, in ns.
const LOOK: u64 = 2_000_000;

impl Engine {
    /// Closes all connections, then waits until their peers have everything, the end included; not longer than to
    /// `deadline`.
    pub(super) fn close_all(&self, deadline: u64) {
        for flow in self.flows.all() {
            self.with_tcb(&flow, (), |tcb, now| ((), tcb.close(now)));
        }
        let nobody = WaitQueue::new();
        while self.flows.all().iter().any(|flow| owes(flow)) && rkt_platform::now() < deadline {
            let look = rkt_platform::now().saturating_add(LOOK).min(deadline);
            nobody.wait_uninterruptible_until(look, || None::<()>);
        }
    }
}

/// Whether the peer has yet to acknowledge something.
fn owes(flow: &Flow) -> bool {
    flow.inner.lock().tcb.as_ref().is_some_and(|tcb| tcb.is_unfinished())
}
