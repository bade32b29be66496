//! Formats against bytes written down from the specification.

use rkt_nvme::registers::{Capabilities, aqa, head_doorbell, tail_doorbell};
use rkt_nvme::{
    AsyncEvent, Command, Completion, EventKind, IdentifyNamespace, LbaFormat, Status, StatusKind, io, io_flags,
};
use zerocopy::{FromZeros, IntoBytes};

#[test]
fn a_write_lies_where_the_specification_puts_it() {
    let command = Command::on_blocks(io::WRITE, 7, 0x1_2345_6789, 8, io_flags::FUA).with_id(0xabcd);
    let bytes = command.as_bytes();
    assert_eq!(bytes[..8], [0x01, 0, 0xcd, 0xab, 7, 0, 0, 0]);
    assert_eq!(bytes[40..52], [0x89, 0x67, 0x45, 0x23, 1, 0, 0, 0, 7, 0, 0, 0x40]);
    assert_eq!((command.start(), command.blocks()), (0x1_2345_6789, 8));
}

#[test]
fn queues_are_counted_from_zero() {
    let create = Command::create_completion_queue(3, 256, 0x4000, Some(5));
    assert_eq!((create.dword10.get(), create.dword11.get()), (255 << 16 | 3, 5 << 16 | 3));
    assert_eq!(Command::create_completion_queue(3, 256, 0x4000, None).dword11.get(), 1);
    assert_eq!(Command::set_queues(4).dword11.get(), 3 << 16 | 3);
    assert_eq!(aqa(32, 64), 63 << 16 | 31);
    assert_eq!(Command::get_log_page(2, 512, 0).dword10.get(), 127 << 16 | 2);
}

#[test]
fn a_completion_is_taken_apart_as_it_was_put_together() {
    let completion = Completion::new(0x1234_5678, 9, 2, 0xbeef, Status::UNRECOVERED_READ.final_word(), true);
    let bytes = completion.as_bytes();
    assert_eq!(bytes[..4], [0x78, 0x56, 0x34, 0x12]);
    assert_eq!(bytes[8..], [9, 0, 2, 0, 0xef, 0xbe, 0x03, 0x85]);
    assert!(Completion::phase(completion.control));
    let found = (completion.head(), completion.queue(), completion.id(), completion.status().code());
    assert_eq!(found, (9, 2, 0xbeef, 0x281));
    assert!(!completion.status().may_retry());
}

#[test]
fn kinds_of_status() {
    let kinds = [
        (Status::SUCCESS, StatusKind::Success),
        (Status::LBA_OUT_OF_RANGE, StatusKind::Refused),
        (Status::INVALID_QUEUE_SIZE, StatusKind::Refused),
        (Status::QUEUE_DELETED, StatusKind::Aborted),
        (Status::INTERNAL, StatusKind::Failed),
        (Status::WRITE_FAULT, StatusKind::Failed),
        (Status(0x700), StatusKind::Failed),
        (Status(0x400), StatusKind::Reserved),
        (Status(0x6ff), StatusKind::Reserved),
    ];
    for (status, kind) in kinds {
        assert_eq!((status.kind(), status.final_word().kind()), (kind, kind), "{status}");
    }
}

#[test]
fn registers_and_doorbells() {
    // 2048 entries, contiguous, 7.5 s, doorbells 8 bytes apart, the NVM command set.
    let capabilities = Capabilities(0x0000_0021_0f01_07ff);
    assert_eq!((capabilities.max_entries(), capabilities.timeout(), capabilities.stride()), (2048, 15, 8));
    assert!(capabilities.has_nvm() && capabilities.min_page() == 0);
    assert_eq!((tail_doorbell(0, 4), head_doorbell(0, 4), tail_doorbell(3, 8)), (0x1000, 0x1004, 0x1030));
}

#[test]
fn formats_beyond_sixteen_have_an_index_in_two_parts() {
    let mut namespace = IdentifyNamespace::new_zeroed();
    let large = LbaFormat { block_shift: 12, ..LbaFormat::default() };
    namespace.lbaf[0x23] = large;
    (namespace.nlbaf, namespace.flbas) = (0x2f, 0x43);
    assert_eq!((namespace.format_index(), namespace.format()), (0x23, Some(large)));
    namespace.nlbaf = 3;
    assert_eq!(namespace.format_index(), 3);
    namespace.nlbaf = 2;
    assert_eq!(namespace.format(), None);
}

#[test]
fn events_have_kinds() {
    assert_eq!(AsyncEvent::NAMESPACE_CHANGED.kind(), EventKind::NamespaceChanged);
    assert_eq!(AsyncEvent::NAMESPACE_CHANGED.log_page(), 4);
    assert_eq!(AsyncEvent(0x0002_0001).kind(), EventKind::Health);
    assert_eq!(AsyncEvent(0x0001_0000).kind(), EventKind::Error);
    assert_eq!(AsyncEvent(0x0005_0102).kind(), EventKind::Other);
}
