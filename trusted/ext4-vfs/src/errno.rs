//! Errors of the file system as numbers of errno(3).

use rkt_ext4::Error;
use rkt_linux_abi::Errno;

/// The number that a program gets.
pub(crate) fn errno(error: Error) -> Errno {
    match error {
        Error::Disk => Errno::EIO,
        Error::Corrupt(_) => Errno::EUCLEAN,
        Error::ReadOnly => Errno::EROFS,
        Error::NoSpace => Errno::ENOSPC,
        Error::NotFound => Errno::ENOENT,
        Error::Exists => Errno::EEXIST,
        Error::NotDirectory => Errno::ENOTDIR,
        Error::IsDirectory => Errno::EISDIR,
        Error::NotEmpty => Errno::ENOTEMPTY,
        Error::TooManyLinks => Errno::EMLINK,
        Error::NameTooLong => Errno::ENAMETOOLONG,
        Error::Invalid => Errno::EINVAL,
        Error::TooLarge => Errno::EFBIG,
        Error::NoData => Errno::ENODATA,
        Error::PastEnd => Errno::ENXIO,
        Error::NotPermitted => Errno::EPERM,
        Error::Unsupported => Errno::EOPNOTSUPP,
    }
}
