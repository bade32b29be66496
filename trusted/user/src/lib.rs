//! User memory, the third kind of memory (DESIGN §5): neither the kernel's own nor the
//! untrusted window. Only through the types here; every copy can fail with `EFAULT`, and
//! never faults in the kernel.
#![no_std]

extern crate alloc;

mod io;
mod pointer;
mod prefault;

pub use io::{IoSink, IoSource, IoVec};
pub use pointer::{UserPtr, UserSlice, UserWord, read_c_string};
pub use prefault::{set_prefault, watch_copies};
