//! Starts, watches and serves one enclave.
