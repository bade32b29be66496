//! Trust boundary, unsafe list and ratchets.
