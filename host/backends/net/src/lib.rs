//! Network devices: TAP, passt, a wire between enclaves, and cards that a vhost-user back end plays.
//!
//! [`NetDevice`] is the virtio device; what carries its frames is a [`FrameSource`]. With a
//! TAP, ports of the host reach the guest through a [`Forwarder`]; passt forwards them itself.
//! A [`Wire`] leads to a switch, which serves the devices of several enclaves and copies frames
//! from one window to another. A [`vhost_user_card`] is played by a process that reads and writes the window's queues
//! itself.
#![deny(unsafe_code)]

mod control;
mod device;
mod forward;
mod lane;
mod passt;
mod publish;
mod source;
mod switch;
mod sys;
mod tap;
mod vhost_user;

pub use device::NetDevice;
pub use forward::{ForwardError, Forwarder};
pub use lane::MAX_PACKET;
pub use passt::{Passt, PasstError, PasstOptions};
pub use publish::{Protocol, Publish, PublishSyntax};
pub use source::{FrameSource, Received, Sent};
pub use switch::{StartSwitch, Wire, WireError, WireOptions, serve_switch};
pub use tap::{Tap, TapError, TapOptions};
pub use vhost_user::vhost_user_card;
