//! All that this crate asks of the host by unsafe code.
#![allow(unsafe_code)]

pub(crate) mod ifreq;
pub(crate) mod mapping;
