//! The process platform: an ordinary Linux process under seccomp.
