//! Network devices: TAP and passt.
