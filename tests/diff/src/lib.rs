//! Differential programs, native against enclave.
