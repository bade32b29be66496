//! The rkt-io root image: a newc tree over hashed, optionally compressed chunks.
#![no_std]
#![forbid(unsafe_code)]
