//! Files: inodes, directories, mounts, tmpfs, pipes, eventfd, epoll.
#![no_std]
#![forbid(unsafe_code)]
