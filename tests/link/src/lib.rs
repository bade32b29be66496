//! Our TCP and Linux's over a link that loses, delays, reorders, duplicates and corrupts: the link
//! ([`Link`]), what it runs between ([`Place`]), and what is measured ([`measure()`]).
#![forbid(unsafe_code)]

mod cable;
mod capture;
mod cell;
mod link;
mod measure;
mod pattern;
mod place;

pub use cable::Cable;
pub use capture::{Capture, faults};
pub use cell::{Cell, matrix};
pub use link::{Link, Shape};
pub use measure::{Flow, Options, Transfer, measure};
pub use pattern::Pattern;
pub use place::{Place, Side};
