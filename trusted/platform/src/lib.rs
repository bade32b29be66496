//! The one door: what the kernel may ask of the world below it.
