//! Real programs and real clients.
