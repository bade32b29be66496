//! Files: names, inodes, mounts, and what open files can do.
//!
//! [`FsContext::resolve`] turns a path into a [`Path`]; [`open`](fn@open) and the functions of
//! [`ops`] work on paths; [`OpenFile`] is what descriptors refer to. A file system implements
//! [`FileSystem`] and [`Inode`], an object that can be read, written and polled [`FileOps`].
//!
//! Locks: a lock of `rkt-sync` is never held while a thread parks. What must be held over I/O (a
//! directory that changes, a file's position) is a lock that parks itself.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod acl;
mod anon;
mod async_io;
mod attr;
mod cred;
mod dentry;
pub mod dev;
pub mod epoll;
pub mod eventfd;
mod file;
mod inode;
mod inotify;
mod lease;
pub mod lock;
mod mount;
mod notify;
mod open;
pub mod ops;
pub mod pipe;
mod poll;
pub mod pseudo;
mod rename;
mod text;
pub mod timerfd;
pub mod tmpfs;
mod walk;
mod xattr;
mod xflags;

pub use acl::{Acl, AclKind, Acls};
pub use anon::AnonInode;
pub use async_io::{Readiness, on_file_signal};
pub use attr::{Access, FileType, Metadata, SetAttributes, Time, device_major, device_minor, make_device};
pub use cred::{Credentials, MAY_EXEC, MAY_READ, MAY_WRITE, on_current_credentials};
pub use dentry::Dentry;
pub use file::{CHANGEABLE_FLAGS, FileOps, Mappable, MappedFolio, O_ASYNC, OpenFile, Owner, seek_in};
pub use inode::{
    DirEntry, EntrySink, FileExtent, FileSystem, FsStatistics, Inode, LinkTarget, NewInode, new_anonymous_device,
    new_anonymous_inode_number,
};
pub use inotify::Inotify;
pub use mount::{Mount, Path, anonymous_device, mountinfo_text, mounts_text, mountstats_text};
pub use open::{OpenHow, open, open_path, open_program};
pub use poll::{PollRequest, PollTable, READABLE, WRITABLE, poll, poll_with};
pub use rename::{check_flags as check_rename_flags, rename};
pub use rkt_sched::{ParkGuard, ParkLock};
pub use text::{TextGuard, TextUse};
pub use walk::{FsContext, Last, NAME_MAX, PATH_MAX, Parent, Resolve};
pub use xflags::{ExtendedFlags, set_xflags, xflags};
