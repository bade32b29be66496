//! Network devices: TAP and passt.
//!
//! [`NetDevice`] is the virtio device; what carries its frames is a [`FrameSource`]. With a
//! TAP, ports of the host reach the guest through a [`Forwarder`]; passt forwards them itself.
#![deny(unsafe_code)]

mod device;
mod forward;
mod ifreq;
mod lane;
mod passt;
mod publish;
mod source;
mod tap;

pub use device::NetDevice;
pub use forward::{ForwardError, Forwarder};
pub use lane::MAX_PACKET;
pub use passt::{Passt, PasstError, PasstOptions};
pub use publish::{Protocol, Publish, PublishSyntax};
pub use source::{FrameSource, Received, Sent};
pub use tap::{Tap, TapError, TapOptions};
