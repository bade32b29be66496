//! Page and object allocator of the trusted region.
