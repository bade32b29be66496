//! ELF64 headers as the loader needs them.
#![no_std]
#![forbid(unsafe_code)]
