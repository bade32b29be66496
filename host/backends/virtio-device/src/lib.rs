//! Device side of the virtio transport.
