//! The enclave image.
