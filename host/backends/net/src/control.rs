//! The control queue (virtio 1.2 §5.1.6.5).

use rkt_virtio::net::control;
use rkt_virtio_device::{Fault, Queue, gather, scatter, total_len};

/// Executes a command, if there is one. The only one that is known sets the number of pairs in use:
/// `use_pairs` does so, or says that it cannot be.
pub(crate) fn serve(queue: &mut Queue, use_pairs: impl FnOnce(u16) -> bool) -> Result<bool, Fault> {
    let Some(chain) = queue.pop()? else { return Ok(false) };
    let mut command = [0; 4];
    let len = gather(chain.readable(), 0, &mut command);
    let [class, number, low, high] = command;
    let whole = len == command.len() && total_len(chain.readable()) == len;
    let known = whole && (class, number) == (control::MQ, control::MQ_VQ_PAIRS_SET);
    let done = known && use_pairs(u16::from_le_bytes([low, high]));
    let written = scatter(chain.writable(), 0, &[if done { control::OK } else { control::ERR }]);
    queue.push(chain, written as u32)?;
    queue.publish();
    Ok(true)
}
