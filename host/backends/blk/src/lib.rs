//! Block device over a file.
