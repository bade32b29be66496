//! The dynamic section: the libraries that a file needs, and where it wants them looked for.

use alloc::vec::Vec;

use crate::error::ElfError;
use crate::header::Header;
use crate::program::Program;
use crate::raw;

/// What a file says to the dynamic linker, ld.so(8). Strings as stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dynamic<'a> {
    /// `DT_NEEDED`: names or paths of libraries, in the order of loading.
    pub needed: Vec<&'a [u8]>,
    /// `DT_SONAME`: the file's own name as a library.
    pub soname: Option<&'a [u8]>,
    /// `DT_RPATH`: directories separated by colons.
    pub rpath: Option<&'a [u8]>,
    /// `DT_RUNPATH`: directories separated by colons.
    pub runpath: Option<&'a [u8]>,
    /// `DF_1_NODEFLIB`: the default directories are not searched.
    pub no_default_directories: bool,
}

impl<'a> Dynamic<'a> {
    /// Looks into a whole file. Without a dynamic section all fields are empty.
    pub fn parse(file: &'a [u8]) -> Result<Self, ElfError> {
        let header = Header::parse(file)?;
        let headers = header.program_headers().of(file).ok_or(ElfError::Truncated("program headers"))?;
        let program = Program::parse(&header, headers)?;
        let Some(range) = program.dynamic else { return Ok(Self::default()) };
        let section = range.of(file).ok_or(ElfError::Truncated("dynamic section"))?;
        Self::parse_section(file, &program, section)
    }

    fn parse_section(file: &'a [u8], program: &Program, section: &[u8]) -> Result<Self, ElfError> {
        let entries = || {
            let (pairs, _) = section.as_chunks::<8>().0.as_chunks::<2>();
            pairs.iter().map(|pair| pair.map(u64::from_le_bytes)).take_while(|&[tag, _]| tag != raw::DT_NULL)
        };
        let value = |wanted| entries().find(|&[tag, _]| tag == wanted).map(|[_, value]| value);
        let strings = match (value(raw::DT_STRTAB), value(raw::DT_STRSZ)) {
            (Some(address), Some(length)) => {
                let range = program.file_range(address, length).ok_or(ElfError::Dynamic("DT_STRTAB"))?;
                range.of(file).ok_or(ElfError::Truncated("dynamic strings"))?
            }
            _ => &[],
        };
        let string = |offset: u64, what| {
            let rest = usize::try_from(offset).ok().and_then(|offset| strings.get(offset..));
            let end = rest.and_then(|rest| rest.iter().position(|&byte| byte == 0));
            rest.zip(end).and_then(|(rest, end)| rest.get(..end)).ok_or(ElfError::Dynamic(what))
        };
        let mut dynamic = Self::default();
        for [tag, value] in entries() {
            match tag {
                raw::DT_NEEDED => dynamic.needed.push(string(value, "DT_NEEDED")?),
                raw::DT_SONAME => dynamic.soname = Some(string(value, "DT_SONAME")?),
                raw::DT_RPATH => dynamic.rpath = Some(string(value, "DT_RPATH")?),
                raw::DT_RUNPATH => dynamic.runpath = Some(string(value, "DT_RUNPATH")?),
                raw::DT_FLAGS_1 => dynamic.no_default_directories = value & raw::DF_1_NODEFLIB != 0,
                _ => {}
            }
        }
        Ok(dynamic)
    }
}
