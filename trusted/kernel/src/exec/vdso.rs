//! The shared object that the kernel maps into each program (vdso(7)).

use crate::mm::{MapRequest, Marks, Mm, Placement};
use rkt_linux_abi::Result;
use rkt_platform::{Protection, VDSO_LEN};
use rkt_user::UserSlice;

/// Maps it, readable and executable; none if the platform has none.
///
/// # Errors
/// `ENOMEM`.
pub fn map(mm: &Mm) -> Result<Option<u64>> {
    let mut image = [0; VDSO_LEN];
    if !rkt_platform::vdso(&mut image) {
        return Ok(None);
    }
    let len = VDSO_LEN as u64;
    let at = mm.map(MapRequest {
        placement: Placement::Hint(0),
        len,
        protection: Protection { read: true, write: true, execute: false },
        shared: false,
        file: None,
        populate: false,
        marks: Marks::default(),
        name: Some("[vdso]"),
    })?;
    UserSlice::new(at, VDSO_LEN)?.write_all(&image)?;
    mm.protect(at, len, Protection { read: true, write: false, execute: true })?;
    Ok(Some(at))
}
