//! Feature flags ("Super Block", `s_feature_*`), with the names that mke2fs(8) and tune2fs(8) use.

use bitflags::bitflags;
use core::fmt;

bitflags! {
    /// Features that a system may ignore.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Compat: u32 {
        /// Blocks are preallocated for directories.
        const DIR_PREALLOC = 0x1;
        /// There is a journal.
        const HAS_JOURNAL = 0x4;
        /// Inodes may have extended attributes.
        const EXT_ATTR = 0x8;
        /// Room for the group descriptors to grow.
        const RESIZE_INODE = 0x10;
        /// Directories may have hash trees.
        const DIR_INDEX = 0x20;
        /// Backups of the superblock are in two groups only.
        const SPARSE_SUPER2 = 0x200;
        /// The journal may have fast commits.
        const FAST_COMMIT = 0x400;
        /// Inode numbers and UUID do not change.
        const STABLE_INODES = 0x800;
        /// A file lists the orphans.
        const ORPHAN_FILE = 0x1000;
    }
}

bitflags! {
    /// Features without which the file system must not be mounted.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Incompat: u32 {
        /// Compression.
        const COMPRESSION = 0x1;
        /// Directory entries have a file type.
        const FILETYPE = 0x2;
        /// The journal needs replay.
        const RECOVER = 0x4;
        /// This is a journal and no file system.
        const JOURNAL_DEV = 0x8;
        /// Group descriptors lie in their groups.
        const META_BG = 0x10;
        /// Files may have extents.
        const EXTENTS = 0x40;
        /// Block numbers of 64 bits.
        const BIT64 = 0x80;
        /// Multiple mount protection.
        const MMP = 0x100;
        /// Bitmaps and inode tables of several groups lie together.
        const FLEX_BG = 0x200;
        /// Values of extended attributes in inodes.
        const EA_INODE = 0x400;
        /// Data in directory entries.
        const DIRDATA = 0x1000;
        /// The seed of checksums is in the superblock.
        const CSUM_SEED = 0x2000;
        /// Large directories and hash trees of three levels.
        const LARGEDIR = 0x4000;
        /// Small files lie in their inodes.
        const INLINE_DATA = 0x8000;
        /// Encrypted files.
        const ENCRYPT = 0x1_0000;
        /// Directories that ignore the case of names.
        const CASEFOLD = 0x2_0000;
    }
}

bitflags! {
    /// Features without which the file system must not be written.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct RoCompat: u32 {
        /// Not every group has a backup of the superblock.
        const SPARSE_SUPER = 0x1;
        /// Files of 2 GiB and more.
        const LARGE_FILE = 0x2;
        /// Never used.
        const BTREE_DIR = 0x4;
        /// Sizes of files in units of blocks.
        const HUGE_FILE = 0x8;
        /// Group descriptors have checksums (CRC16), groups may be uninitialised.
        const GDT_CSUM = 0x10;
        /// Directories may have more than 65,000 subdirectories.
        const DIR_NLINK = 0x20;
        /// Inodes have more fields than 128 bytes hold.
        const EXTRA_ISIZE = 0x40;
        /// Quota in hidden inodes.
        const QUOTA = 0x100;
        /// Blocks are allocated in clusters.
        const BIGALLOC = 0x200;
        /// All metadata has checksums (CRC-32C).
        const METADATA_CSUM = 0x400;
        /// Never to be written.
        const READONLY = 0x1000;
        /// Project quota.
        const PROJECT = 0x2000;
        /// Files with fs-verity.
        const VERITY = 0x8000;
        /// The orphan file is not empty.
        const ORPHAN_PRESENT = 0x1_0000;
    }
}

const INCOMPAT_NAMES: [(u32, &str); 16] = [
    (0x1, "compression"),
    (0x2, "filetype"),
    (0x4, "needs_recovery"),
    (0x8, "journal_dev"),
    (0x10, "meta_bg"),
    (0x40, "extent"),
    (0x80, "64bit"),
    (0x100, "mmp"),
    (0x200, "flex_bg"),
    (0x400, "ea_inode"),
    (0x1000, "dirdata"),
    (0x2000, "metadata_csum_seed"),
    (0x4000, "large_dir"),
    (0x8000, "inline_data"),
    (0x1_0000, "encrypt"),
    (0x2_0000, "casefold"),
];

const RO_COMPAT_NAMES: [(u32, &str); 15] = [
    (0x1, "sparse_super"),
    (0x2, "large_file"),
    (0x4, "btree_dir"),
    (0x8, "huge_file"),
    (0x10, "uninit_bg"),
    (0x20, "dir_nlink"),
    (0x40, "extra_isize"),
    (0x100, "quota"),
    (0x200, "bigalloc"),
    (0x400, "metadata_csum"),
    (0x800, "replica"),
    (0x1000, "read-only"),
    (0x2000, "project"),
    (0x8000, "verity"),
    (0x1_0000, "orphan_present"),
];

/// A set of features to be shown to people, by name; those without a name by number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Names {
    bits: u32,
    names: &'static [(u32, &'static str)],
}

impl Names {
    /// Of incompatible features.
    pub fn incompat(features: Incompat) -> Self {
        Self { bits: features.bits(), names: &INCOMPAT_NAMES }
    }

    /// Of features that forbid writing.
    pub fn ro_compat(features: RoCompat) -> Self {
        Self { bits: features.bits(), names: &RO_COMPAT_NAMES }
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for bit in (0..u32::BITS).map(|shift| 1 << shift).filter(|bit| self.bits & bit != 0) {
            f.write_str(separator)?;
            separator = ", ";
            match self.names.iter().find(|(known, _)| *known == bit) {
                Some((_, name)) => f.write_str(name)?,
                None => write!(f, "feature {bit:#x}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    #[test]
    fn features_have_the_names_of_mke2fs() {
        let names = Names::incompat(Incompat::from_bits_retain(0x8000_0140));
        assert_eq!(names.to_string(), "extent, mmp, feature 0x80000000");
    }
}
