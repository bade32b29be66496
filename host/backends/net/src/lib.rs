//! Network devices: TAP and passt.
//!
//! [`NetDevice`] is the virtio device; what carries its frames is a [`FrameSource`]. With a
//! TAP, ports of the host reach the guest through a [`Forwarder`]; passt forwards them itself.
#![deny(unsafe_code)]

mod device;
mod forward;
mod ifreq;
mod passt;
mod publish;
mod tap;

pub use device::{FrameSource, MAX_PACKET, NetDevice, Received, Sent};
pub use forward::{ForwardError, Forwarder};
pub use passt::{Passt, PasstError, PasstOptions};
pub use publish::{Protocol, Publish, PublishSyntax};
pub use tap::{Tap, TapError, TapOptions};
