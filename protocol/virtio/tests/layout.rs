//! The structs and functions against the numbers that the specification gives.

use rkt_virtio::{blk, net, split};
use zerocopy::{FromBytes, IntoBytes};

#[test]
fn sizes_are_those_of_the_specification() {
    assert_eq!(split::DESC_LEN, 16);
    assert_eq!(split::USED_ELEM_LEN, 8);
    assert_eq!(net::HEADER_LEN, 12);
    assert_eq!(size_of::<net::Config>(), 24);
    assert_eq!(blk::REQUEST_HEADER_LEN, 16);
    assert_eq!(blk::DISCARD_SEGMENT_LEN, 16);
    assert_eq!(size_of::<blk::Config>(), 60);
}

#[test]
fn rings_have_the_lengths_of_section_2_7() {
    assert_eq!(split::desc_table_len(256), 16 * 256);
    assert_eq!(split::avail_ring_len(256), 6 + 2 * 256);
    assert_eq!(split::used_ring_len(256), 6 + 8 * 256);
    assert_eq!(split::used_event(256) + 2, split::avail_ring_len(256));
    assert_eq!(split::avail_event(256) + 2, split::used_ring_len(256));
}

#[test]
fn entries_wrap_at_the_queue_size() {
    assert_eq!(split::avail_entry(8, 0), split::avail_entry(8, 8));
    assert_eq!(split::avail_entry(8, u16::MAX), 4 + 2 * 7);
    assert_eq!(split::used_entry(8, 9), 4 + 8);
    assert!(split::valid_size(1) && split::valid_size(split::MAX_SIZE));
    assert!(!split::valid_size(0) && !split::valid_size(3));
}

#[test]
fn a_packet_header_is_little_endian() {
    let bytes = [1, 4, 0x36, 0, 0xb4, 5, 34, 0, 16, 0, 2, 0];
    let header = net::Header::read_from_bytes(&bytes).unwrap();
    assert_eq!(header.gso_type, net::gso::TCPV6);
    assert_eq!((header.hdr_len.get(), header.gso_size.get()), (54, 1460));
    assert_eq!((header.csum_start.get(), header.csum_offset.get(), header.num_buffers.get()), (34, 16, 2));
    assert_eq!(header.as_bytes(), bytes);
}

#[test]
fn a_disk_configuration_has_its_fields_in_place() {
    let mut bytes = [0; 60];
    bytes[0] = 9; // capacity
    bytes[20..24].copy_from_slice(&4096u32.to_le_bytes()); // blk_size
    bytes[36..40].copy_from_slice(&77u32.to_le_bytes()); // max_discard_sectors
    let config = blk::Config::read_from_bytes(&bytes).unwrap();
    assert_eq!((config.capacity.get(), config.blk_size.get(), config.max_discard_sectors.get()), (9, 4096, 77));
}
