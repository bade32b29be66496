//! Arguments: a register as the type that a handler wants.

use rkt_user::UserPtr;

/// A type that an argument register is read as.
pub trait Argument: Sized {
    /// Reads the register.
    fn from_register(value: u64) -> Self;
}

impl Argument for u64 {
    fn from_register(value: u64) -> Self {
        value
    }
}

impl Argument for i64 {
    fn from_register(value: u64) -> Self {
        value as i64
    }
}

impl Argument for usize {
    fn from_register(value: u64) -> Self {
        value as usize
    }
}

impl Argument for u32 {
    fn from_register(value: u64) -> Self {
        value as u32
    }
}

impl Argument for i32 {
    fn from_register(value: u64) -> Self {
        value as i32
    }
}

impl<T> Argument for UserPtr<T> {
    fn from_register(value: u64) -> Self {
        UserPtr::new(value)
    }
}
