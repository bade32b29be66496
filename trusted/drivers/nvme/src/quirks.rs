//! Controllers that do not do what they say: a table, not code.

use rkt_nvme::IdentifyController;

/// What a known controller must not be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quirk {
    /// PCI vendor (`VID`).
    pub vendor: u16,
    /// Start of the model number (`MN`).
    pub model: &'static str,
    /// Write zeroes is offered and does not work.
    pub no_write_zeroes: bool,
    /// Deallocation is offered and does not work.
    pub no_deallocate: bool,
    /// Doorbell buffers are offered and do not work.
    pub no_shadow: bool,
}

impl Quirk {
    const NONE: Self = Self { vendor: 0, model: "", no_write_zeroes: false, no_deallocate: false, no_shadow: false };

    /// What is known of a controller: all that matches, taken together.
    pub(crate) fn of(table: &[Self], controller: &IdentifyController) -> Self {
        let matches = |quirk: &&Self| {
            quirk.vendor == controller.vid.get() && controller.model.starts_with(quirk.model.as_bytes())
        };
        table.iter().filter(matches).fold(Self::NONE, |sum, quirk| Self {
            no_write_zeroes: sum.no_write_zeroes || quirk.no_write_zeroes,
            no_deallocate: sum.no_deallocate || quirk.no_deallocate,
            no_shadow: sum.no_shadow || quirk.no_shadow,
            ..sum
        })
    }
}

/// The controllers known to us, from public reports of their users.
pub const QUIRKS: &[Quirk] = &[
    // Hangs for seconds on write zeroes.
    Quirk { vendor: 0x2646, model: "KINGSTON OM8SFP4", no_write_zeroes: true, ..Quirk::NONE },
];
