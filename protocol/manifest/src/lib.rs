//! The measured manifest: canonical encoding, decoding and digest.
#![no_std]
#![forbid(unsafe_code)]
