//! Real programs in an enclave: how to run them, build them and look at the enclave from outside.
//!
//! The tests use the command and the image that `cargo xtask build` made, in the target folder
//! that the tests themselves lie in.
#![forbid(unsafe_code)]

mod build;
mod inspect;
mod net;
mod run;

pub use build::{C, Toolchain, build};
pub use inspect::{Call, MAY_CALL, Traced, descriptors, enclave_of, trace, window_of};
pub use net::{INSIDE, Namespace, OUTSIDE, OUTSIDE_V6, image_of};
pub use run::{Finished, Running, finish, in_enclave, natively, rkt_io, same, same_in, until};
