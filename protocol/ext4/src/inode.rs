//! Inodes ("Index Nodes").

use crate::checksum::{Seed, crc32c};
use bitflags::bitflags;
use core::mem::offset_of;
use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The root directory.
pub const ROOT: u32 = 2;
/// Room for the group descriptors to grow.
pub const RESIZE: u32 = 7;
/// The journal.
pub const JOURNAL: u32 = 8;
/// First inode for files, where the superblock does not say another (revision 0).
pub const FIRST: u32 = 11;
/// Bytes of an inode of the first version.
pub const BASE_LEN: usize = 128;
/// Bytes of `i_block`: the root of the block map, a short symbolic link or inline data.
pub const BLOCK_LEN: usize = 60;
/// Bytes of all fields behind the first 128 that are known here (`i_extra_isize`).
pub const EXTRA_LEN: u16 = 32;
/// Most links to a file (`EXT4_LINK_MAX`).
pub const LINK_MAX: u16 = 65_000;

bitflags! {
    /// `i_flags`, those that matter here.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Flags: u32 {
        /// All writes are synchronous (`chattr +S`).
        const SYNC = 0x8;
        /// Must not change.
        const IMMUTABLE = 0x10;
        /// Only appending is allowed.
        const APPEND = 0x20;
        /// Not to be saved by dump(8).
        const NODUMP = 0x40;
        /// Access times are not kept.
        const NOATIME = 0x80;
        /// The file is encrypted.
        const ENCRYPT = 0x800;
        /// A directory with a hash tree.
        const INDEX = 0x1000;
        /// Data of the file goes through the journal.
        const JOURNAL_DATA = 0x4000;
        /// Writes to the directory are synchronous.
        const DIRSYNC = 0x1_0000;
        /// Top of a directory hierarchy, for the allocator.
        const TOPDIR = 0x2_0000;
        /// `i_blocks` counts blocks of the file system, not sectors.
        const HUGE_FILE = 0x4_0000;
        /// The file is mapped by extents.
        const EXTENTS = 0x8_0000;
        /// Protected by fs-verity.
        const VERITY = 0x10_0000;
        /// Holds the value of an extended attribute.
        const EA_INODE = 0x20_0000;
        /// Data lies in the inode.
        const INLINE_DATA = 0x1000_0000;
        /// Its content is used where it lies (`FS_DAX_FL`): not here.
        const DAX = 0x200_0000;
        /// New files inherit the project.
        const PROJINHERIT = 0x2000_0000;
        /// Names ignore case.
        const CASEFOLD = 0x4000_0000;
    }
}

impl Flags {
    /// What a new inode takes from its directory (`EXT4_FL_INHERITED`), as far as it is known here.
    pub const INHERITED: Self = Self::SYNC
        .union(Self::NODUMP)
        .union(Self::NOATIME)
        .union(Self::DIRSYNC)
        .union(Self::DAX)
        .union(Self::PROJINHERIT);
    /// What `FS_IOC_GETFLAGS` shows (`EXT4_FL_USER_VISIBLE`).
    pub const VISIBLE: Self = Self::from_bits_retain(0x725b_dfff);
    /// What `FS_IOC_SETFLAGS` changes of any file, of regular files, and of directories.
    pub const CHANGEABLE: Self = Self::NODUMP.union(Self::NOATIME);
    /// See [`Flags::CHANGEABLE`].
    pub const CHANGEABLE_OF_FILES: Self =
        Self::CHANGEABLE.union(Self::SYNC).union(Self::IMMUTABLE).union(Self::APPEND).union(Self::DAX);
    /// See [`Flags::CHANGEABLE`].
    pub const CHANGEABLE_OF_DIRECTORIES: Self =
        Self::CHANGEABLE_OF_FILES.union(Self::DIRSYNC).union(Self::TOPDIR).union(Self::PROJINHERIT);
}

/// The inode on the disk; one of the first version ends before `extra_isize`.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
#[allow(missing_docs)]
pub struct RawInode {
    pub mode: U16,
    pub uid: U16,
    pub size_lo: U32,
    pub atime: U32,
    pub ctime: U32,
    pub mtime: U32,
    pub dtime: U32,
    pub gid: U16,
    pub links_count: U16,
    pub blocks_lo: U32,
    pub flags: U32,
    pub version: U32,
    pub block: [u8; BLOCK_LEN],
    pub generation: U32,
    pub file_acl_lo: U32,
    pub size_high: U32,
    pub obso_faddr: U32,
    pub blocks_high: U16,
    pub file_acl_high: U16,
    pub uid_high: U16,
    pub gid_high: U16,
    pub checksum_lo: U16,
    pub reserved: U16,
    pub extra_isize: U16,
    pub checksum_hi: U16,
    pub ctime_extra: U32,
    pub mtime_extra: U32,
    pub atime_extra: U32,
    pub crtime: U32,
    pub crtime_extra: U32,
    pub version_hi: U32,
    pub projid: U32,
}

const _: () = assert!(size_of::<RawInode>() == BASE_LEN + EXTRA_LEN as usize);

/// Nanoseconds since the epoch.
pub type Nanos = i64;

const SECOND: i64 = 1_000_000_000;

/// Decodes a time ("Inode Timestamps"): 32 bits of seconds, signed, 2 bits that extend them, and
/// 30 bits of nanoseconds.
fn decode_time(seconds: U32, extra: U32) -> Nanos {
    let epoch = i64::from(extra.get() & 3) << 32;
    let seconds = i64::from(seconds.get() as i32) + epoch;
    // 64 bits of nanoseconds end in 2262, 184 years before these.
    seconds.saturating_mul(SECOND).saturating_add((extra.get() >> 2).into())
}

/// Times outside of 1901 to 2446 are clamped.
fn encode_time(time: Nanos, wide: bool) -> (U32, U32) {
    const LOWEST: i64 = i32::MIN as i64;
    let highest = i64::from(i32::MAX) + if wide { 3 << 32 } else { 0 };
    let seconds = time.div_euclid(SECOND);
    let clamped = seconds.clamp(LOWEST, highest);
    let nanos = if clamped == seconds { time.rem_euclid(SECOND) as u32 } else { 0 };
    let epoch = ((clamped - i64::from(clamped as i32)) >> 32) as u32 & 3;
    (U32::new(clamped as u32), U32::new(nanos << 2 | epoch))
}

/// An inode in memory: all that the disk has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inode {
    /// Type and permissions.
    pub mode: u16,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Length in bytes.
    pub size: u64,
    /// Names; 0 means that the inode is free or an orphan, 1 for a directory that it has too many.
    pub links: u16,
    /// `i_blocks`, in 512-byte sectors or, with `HUGE_FILE`, in blocks.
    pub blocks: u64,
    /// Flags.
    pub flags: Flags,
    /// Last access.
    pub atime: Nanos,
    /// Last change of the inode.
    pub ctime: Nanos,
    /// Last change of the contents.
    pub mtime: Nanos,
    /// Creation.
    pub crtime: Nanos,
    /// Deletion in seconds, or the next orphan.
    pub dtime: u32,
    /// Distinguishes inodes that had the same number.
    pub generation: u32,
    /// Block of extended attributes; 0 = none.
    pub file_acl: u64,
    /// Version for NFS.
    pub version: u64,
    /// Project.
    pub projid: u32,
    /// Bytes of known and unknown fields behind the first 128; 0 if there are none.
    pub extra_isize: u16,
    /// `i_block`.
    pub block: Block,
}

/// `i_block`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block(pub [u8; BLOCK_LEN]);

impl Default for Block {
    fn default() -> Self {
        Self([0; BLOCK_LEN])
    }
}

fn join(high: U16, low: U16) -> u32 {
    u32::from(high.get()) << 16 | u32::from(low.get())
}

impl Inode {
    /// Reads an inode from all of its bytes on the disk; `None` if these are fewer than 128 or
    /// `i_extra_isize` says more than there are.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (raw, extra_isize) = Self::raw(bytes)?;
        // Times have nanoseconds only where their extra fields exist.
        let time = |seconds, extra, offset| {
            let there = usize::from(extra_isize) + BASE_LEN >= offset + 4;
            decode_time(seconds, if there { extra } else { U32::ZERO })
        };
        let has_crtime = usize::from(extra_isize) + BASE_LEN >= offset_of!(RawInode, crtime) + 4;
        Some(Self {
            mode: raw.mode.get(),
            uid: join(raw.uid_high, raw.uid),
            gid: join(raw.gid_high, raw.gid),
            size: u64::from(raw.size_high.get()) << 32 | u64::from(raw.size_lo.get()),
            links: raw.links_count.get(),
            blocks: u64::from(raw.blocks_high.get()) << 32 | u64::from(raw.blocks_lo.get()),
            flags: Flags::from_bits_retain(raw.flags.get()),
            atime: time(raw.atime, raw.atime_extra, offset_of!(RawInode, atime_extra)),
            ctime: time(raw.ctime, raw.ctime_extra, offset_of!(RawInode, ctime_extra)),
            mtime: time(raw.mtime, raw.mtime_extra, offset_of!(RawInode, mtime_extra)),
            crtime: if has_crtime { time(raw.crtime, raw.crtime_extra, offset_of!(RawInode, crtime_extra)) } else { 0 },
            dtime: raw.dtime.get(),
            generation: raw.generation.get(),
            file_acl: u64::from(raw.file_acl_high.get()) << 32 | u64::from(raw.file_acl_lo.get()),
            version: u64::from(raw.version_hi.get()) << 32 | u64::from(raw.version.get()),
            projid: raw.projid.get(),
            extra_isize,
            block: Block(raw.block),
        })
    }

    fn raw(bytes: &[u8]) -> Option<(RawInode, u16)> {
        let mut whole = [0; size_of::<RawInode>()];
        let base = bytes.get(..BASE_LEN)?;
        whole.get_mut(..BASE_LEN)?.copy_from_slice(base);
        let extra = bytes.get(BASE_LEN..).unwrap_or_default();
        let extra_isize = extra.first_chunk().map_or(0, |len| u16::from_le_bytes(*len));
        let known = usize::from(extra_isize.min(EXTRA_LEN));
        if usize::from(extra_isize) > extra.len() || !extra_isize.is_multiple_of(4) {
            return None;
        }
        whole.get_mut(BASE_LEN..BASE_LEN + known)?.copy_from_slice(extra.get(..known)?);
        RawInode::read_from_bytes(&whole).ok().map(|raw| (raw, extra_isize))
    }

    /// Writes the inode over its bytes on the disk, without its checksum; bytes behind the known
    /// fields stay.
    pub fn emit(&self, bytes: &mut [u8]) {
        let wide = usize::from(self.extra_isize) + BASE_LEN >= offset_of!(RawInode, crtime);
        let (atime, atime_extra) = encode_time(self.atime, wide);
        let (ctime, ctime_extra) = encode_time(self.ctime, wide);
        let (mtime, mtime_extra) = encode_time(self.mtime, wide);
        let (crtime, crtime_extra) = encode_time(self.crtime, wide);
        let raw = RawInode {
            mode: U16::new(self.mode),
            uid: U16::new(self.uid as u16),
            size_lo: U32::new(self.size as u32),
            atime,
            ctime,
            mtime,
            dtime: U32::new(self.dtime),
            gid: U16::new(self.gid as u16),
            links_count: U16::new(self.links),
            blocks_lo: U32::new(self.blocks as u32),
            flags: U32::new(self.flags.bits()),
            version: U32::new(self.version as u32),
            block: self.block.0,
            generation: U32::new(self.generation),
            file_acl_lo: U32::new(self.file_acl as u32),
            size_high: U32::new((self.size >> 32) as u32),
            obso_faddr: U32::ZERO,
            blocks_high: U16::new((self.blocks >> 32) as u16),
            file_acl_high: U16::new((self.file_acl >> 32) as u16),
            uid_high: U16::new((self.uid >> 16) as u16),
            gid_high: U16::new((self.gid >> 16) as u16),
            checksum_lo: U16::ZERO,
            reserved: U16::ZERO,
            extra_isize: U16::new(self.extra_isize),
            checksum_hi: U16::ZERO,
            ctime_extra,
            mtime_extra,
            atime_extra,
            crtime,
            crtime_extra,
            version_hi: U32::new((self.version >> 32) as u32),
            projid: U32::new(self.projid),
        };
        let has_extra = bytes.len() >= BASE_LEN + 2;
        let len = BASE_LEN + if has_extra { usize::from(self.extra_isize.clamp(2, EXTRA_LEN)) } else { 0 };
        if let (Some(place), Some(source)) = (bytes.get_mut(..len), raw.as_bytes().get(..len)) {
            place.copy_from_slice(source);
        }
    }
}

const SUM_LO: usize = offset_of!(RawInode, checksum_lo);
const SUM_HI: usize = offset_of!(RawInode, checksum_hi);

/// Checksum over all bytes of an inode, its own fields taken as zero, and whether it has the
/// high half.
fn sum(seed: Seed, bytes: &[u8]) -> Option<(u32, bool)> {
    let state = seed.sum_of(&[bytes.get(..SUM_LO)?, &[0; 2], bytes.get(SUM_LO + 2..BASE_LEN)?]);
    let extra = bytes.get(BASE_LEN..).unwrap_or_default();
    let extra_isize = extra.first_chunk().map_or(0, |len| u16::from_le_bytes(*len));
    if extra_isize < 4 || extra.len() < 4 {
        return Some((crc32c(state, extra), false));
    }
    Some((Seed(state).sum_of(&[bytes.get(BASE_LEN..SUM_HI)?, &[0; 2], bytes.get(SUM_HI + 2..)?]), true))
}

/// Whether an inode has the right checksum. `seed` is that of the inode; `bytes` is all of it.
pub fn verify(seed: Seed, bytes: &[u8]) -> bool {
    let Some((sum, wide)) = sum(seed, bytes) else { return false };
    let half = |at: usize| bytes.get(at..at + 2).and_then(|sum| sum.try_into().ok()).map(u16::from_le_bytes);
    half(SUM_LO) == Some(sum as u16) && (!wide || half(SUM_HI) == Some((sum >> 16) as u16))
}

/// Gives an inode its checksum.
pub fn seal(seed: Seed, bytes: &mut [u8]) {
    let Some((sum, wide)) = sum(seed, bytes) else { return };
    if let Some(place) = bytes.get_mut(SUM_LO..SUM_LO + 2) {
        place.copy_from_slice(&(sum as u16).to_le_bytes());
    }
    if let Some(place) = bytes.get_mut(SUM_HI..SUM_HI + 2).filter(|_| wide) {
        place.copy_from_slice(&((sum >> 16) as u16).to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    #[test]
    fn times_survive_within_their_range() {
        for time in [0, -1, 1_700_000_000_123_456_789, -SECOND << 31, (i64::from(i32::MAX) + 1) * SECOND + 7] {
            let (seconds, extra) = encode_time(time, true);
            assert_eq!(decode_time(seconds, extra), time);
        }
        let (seconds, extra) = encode_time(i64::from(u32::MAX) * SECOND, false);
        assert_eq!((seconds.get(), extra.get() & 3), (i32::MAX as u32, 0));
    }

    #[test]
    fn times_beyond_64_bits_of_nanoseconds_are_clamped() {
        assert_eq!(decode_time(U32::new(i32::MAX as u32), U32::new(3)), i64::MAX);
    }

    #[test]
    fn what_is_written_is_read() {
        let inode = Inode { mode: 0o100644, uid: 70_000, size: 5 << 32, links: 1, extra_isize: 32, ..Inode::default() };
        let mut bytes = [7; 256];
        inode.emit(&mut bytes);
        seal(Seed(1), &mut bytes);
        assert!(verify(Seed(1), &bytes) && !verify(Seed(2), &bytes));
        assert_eq!(Inode::parse(&bytes), Some(inode));
        assert_eq!(bytes[160], 7, "what is not known stays");
    }
}
