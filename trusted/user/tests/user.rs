//! User pointers, slices, reads and writes against mappings with edges and holes.

use rkt_heap::{Folio, REGION};
use rkt_linux_abi::Errno;
use rkt_platform::{Protection, USER_END};
use rkt_platform_mock::{pick, simulate};
use rkt_user::{IoSink, IoSource, UserPtr, UserSlice, read_c_string};

const READ: Protection = Protection { read: true, write: false, execute: false };
const WRITE: Protection = Protection { read: true, write: true, execute: false };
const NONE: Protection = Protection { read: false, write: false, execute: false };
const PAGE: u64 = 4096;
/// Where the tests map: a readable page, a writable one, a read-only one, a hole.
const BASE: u64 = 0x10_0000;
const HOLE: u64 = BASE + 3 * PAGE;

fn mapped(test: impl FnOnce() + Send + 'static) {
    simulate(0, || {
        rkt_platform::map_anon(BASE, 3 * PAGE, WRITE).unwrap();
        rkt_platform::protect(BASE + 2 * PAGE, PAGE, READ).unwrap();
        test();
    });
}

fn slice(addr: u64, len: usize) -> UserSlice {
    UserSlice::new(addr, len).unwrap()
}

fn bytes(n: usize) -> Vec<u8> {
    (0..n).map(|i| (i % 251) as u8 + 1).collect()
}

#[test]
fn no_range_reaches_into_the_kernel() {
    assert!(UserSlice::new(USER_END - 8, 8).is_ok());
    for (addr, len) in [(USER_END - 8, 9), (USER_END, 1), (u64::MAX, 1), (8, usize::MAX), (u64::MAX, usize::MAX)] {
        assert_eq!(UserSlice::new(addr, len).err(), Some(Errno::EFAULT), "{addr:#x}+{len:#x}");
    }
}

#[test]
fn slices_copy_up_to_the_first_byte_that_faults() {
    mapped(|| {
        let data = bytes(100);
        assert_eq!(slice(BASE + 2 * PAGE - 60, 100).write(&data), 60, "the next page is read-only");
        let mut back = [0; 100];
        assert_eq!(slice(HOLE - PAGE - 60, 100).read(&mut back), 100);
        assert_eq!(back[..60], data[..60]);
        assert_eq!(back[60..], [0; 40]);
        assert_eq!(slice(HOLE - 10, 100).read(&mut back), 10);
        assert_eq!(slice(BASE + 2 * PAGE - 5, 100).clear(), 5);
        assert_eq!(slice(HOLE - 10, 10).to_vec(), Ok(vec![0; 10]));
        assert_eq!(slice(HOLE - 10, 11).to_vec(), Err(Errno::EFAULT));
        assert_eq!(slice(BASE, 3).write_all(&[1; 4]), Err(Errno::EFAULT), "it does not fit");
        rkt_platform::protect(BASE, PAGE, NONE).unwrap();
        assert_eq!(slice(BASE + PAGE - 1, 2).read(&mut back), 0);
    });
}

#[test]
fn slices_are_cut_within_their_bounds() {
    let whole = slice(BASE, 10);
    assert_eq!((whole.skip(4).addr(), whole.skip(4).len()), (BASE + 4, 6));
    assert_eq!((whole.skip(40).addr(), whole.skip(40).len()), (BASE + 10, 0));
    assert_eq!((whole.limit(3).addr(), whole.limit(3).len(), whole.limit(30).len()), (BASE, 3, 10));
}

#[test]
fn values_cross_page_edges_and_fault_whole() {
    mapped(|| {
        let at = UserPtr::<u64>::new(BASE + PAGE - 3);
        at.write(&0x0123_4567_89ab_cdef).unwrap();
        assert_eq!(at.read(), Ok(0x0123_4567_89ab_cdef));
        assert_eq!(UserPtr::<u64>::new(BASE + 2 * PAGE - 4).write(&1), Err(Errno::EFAULT));
        assert_eq!(UserPtr::<u64>::new(HOLE - 7).read(), Err(Errno::EFAULT));
        assert_eq!(UserPtr::<u64>::new(HOLE - 8).read(), Ok(0));
        assert_eq!(UserPtr::<u64>::new(0).write_nullable(&1), Ok(()));
        assert_eq!(UserPtr::<u64>::new(0).write(&1), Err(Errno::EFAULT));
        assert!(UserPtr::<u64>::new(0).nullable().is_none());
        let array = UserPtr::<u32>::new(BASE + 1);
        array.write_array(&[1, 2, 3]).unwrap();
        assert_eq!(array.read_array(3), Ok(vec![1, 2, 3]));
        assert_eq!(array.nth(2).unwrap().read(), Ok(3));
        assert_eq!(array.nth(usize::MAX).err(), Some(Errno::EFAULT));
        assert_eq!(UserPtr::<u32>::new(u64::MAX - 3).nth(1).err(), Some(Errno::EFAULT));
        assert_eq!(array.read_array(usize::MAX / 2), Err(Errno::EFAULT));
        assert_eq!(array.read_array(3 * PAGE as usize), Err(Errno::EFAULT));
    });
}

#[test]
fn futex_words_are_aligned_and_exchanged() {
    mapped(|| {
        let word = |at| UserPtr::<u32>::new(at).word();
        let first = word(BASE + 8).unwrap();
        assert_eq!(first.compare_exchange(0, 5), Ok(0));
        assert_eq!(first.compare_exchange(0, 6), Ok(5));
        assert_eq!(first.shown().load(), Ok(5));
        assert_eq!(word(BASE + 2).err(), Some(Errno::EINVAL));
        assert_eq!(word(HOLE).unwrap().load(), Err(Errno::EFAULT));
        assert_eq!(word(HOLE - PAGE).unwrap().load(), Ok(0));
        assert_eq!(word(HOLE - PAGE).unwrap().compare_exchange(0, 0), Err(Errno::EFAULT), "read-only");
        assert_eq!(word(USER_END).err(), Some(Errno::EFAULT));
    });
}

#[test]
fn strings_end_where_their_mapping_does() {
    mapped(|| {
        rkt_platform::protect(HOLE - PAGE, PAGE, WRITE).unwrap();
        for len in [0, 1, 255, 256, 257, 1000, 4095] {
            let mut text = bytes(len);
            text.push(0);
            let at = HOLE - text.len() as u64;
            slice(at, text.len()).write_all(&text).unwrap();
            text.pop();
            assert_eq!(read_c_string(at, 4095), Ok(text.clone()), "up to the last byte, {len}");
            assert_eq!(read_c_string(at, len), Ok(text), "of just the length allowed, {len}");
            if len > 0 {
                assert_eq!(read_c_string(at, len - 1), Err(Errno::ENAMETOOLONG), "{len}");
            }
            // Without the NUL the string runs into the hole, or is found too long before that.
            slice(HOLE - 1, 1).write_all(b"x").unwrap();
            assert_eq!(read_c_string(at, len + 1), Err(Errno::EFAULT), "{len}");
            assert_eq!(read_c_string(at, len), Err(Errno::ENAMETOOLONG), "{len}");
        }
        assert_eq!(read_c_string(0, 10), Err(Errno::EFAULT));
        assert_eq!(read_c_string(HOLE, 10), Err(Errno::EFAULT));
        assert_eq!(read_c_string(u64::MAX, 10), Err(Errno::EFAULT));
    });
}

#[test]
fn a_string_may_be_the_last_of_user_memory() {
    simulate(0, || {
        rkt_platform::map_anon(USER_END - PAGE, PAGE, WRITE).unwrap();
        slice(USER_END - 3, 3).write_all(b"ab\0").unwrap();
        assert_eq!(read_c_string(USER_END - 3, 100), Ok(b"ab".to_vec()));
        slice(USER_END - 1, 1).write_all(b"c").unwrap();
        assert_eq!(read_c_string(USER_END - 3, 100), Err(Errno::EFAULT));
    });
}

#[test]
fn a_read_stops_at_a_fault_in_the_middle_of_its_ranges() {
    mapped(|| {
        // 10 good bytes, none, 20 of which 8 are good, 10 good ones that are not reached.
        let ranges = vec![slice(BASE, 10), slice(BASE, 0), slice(BASE + 2 * PAGE - 8, 20), slice(BASE + 100, 10)];
        let mut sink = IoSink::user_vec(ranges);
        assert_eq!(sink.remaining(), 40);
        let data = bytes(40);
        assert_eq!(sink.put(&data[..4]), Ok(4));
        assert_eq!(sink.put(&data[4..]), Ok(14));
        assert_eq!((sink.done(), sink.remaining(), sink.is_full()), (18, 22, false));
        assert_eq!(sink.put(&data[18..]), Err(Errno::EFAULT), "the next call tells");
        assert_eq!(sink.put_zeroes(5), Err(Errno::EFAULT));
        assert_eq!(sink.put(&[]), Ok(0));
        assert_eq!(sink.done(), 18);
        assert_eq!(slice(BASE, 10).to_vec().unwrap(), data[..10]);
        assert_eq!(slice(BASE + 2 * PAGE - 8, 8).to_vec().unwrap(), data[10..18]);
        assert_eq!(slice(BASE + 100, 10).to_vec().unwrap(), [0; 10]);
    });
}

#[test]
fn a_write_stops_at_a_fault_in_the_middle_of_its_ranges() {
    mapped(|| {
        let data = bytes(10);
        slice(BASE, 10).write_all(&data).unwrap();
        let ranges = vec![slice(BASE, 10), slice(HOLE - 5, 10), slice(BASE, 10)];
        let mut source = IoSource::user_vec(ranges);
        let mut into = [9; 30];
        assert_eq!(source.take(&mut into), Ok(15));
        assert_eq!(into[..10], data);
        assert_eq!(into[10..15], [0; 5]);
        assert_eq!(source.take(&mut into), Err(Errno::EFAULT));
        // What is passed over need not be there.
        assert_eq!(source.skip(7), 7);
        assert_eq!(source.take(&mut into), Ok(8));
        assert_eq!(into[..8], data[2..]);
        assert_eq!((source.take(&mut into), source.remaining()), (Ok(0), 0));
    });
}

#[test]
fn limits_hold_over_ranges_and_kernel_memory() {
    mapped(|| {
        let mut sink = IoSink::user_vec(vec![slice(BASE, 10), slice(BASE + 50, 10)]);
        sink.limit(12);
        assert_eq!((sink.put(&bytes(20)), sink.is_full()), (Ok(12), true));
        assert_eq!(sink.put(&bytes(20)), Ok(0));
        assert_eq!(slice(BASE + 50, 3).to_vec(), Ok(vec![11, 12, 0]));
        let mut buffer = [7; 10];
        let mut sink = IoSink::kernel(&mut buffer);
        sink.limit(8);
        assert_eq!((sink.put(&[1, 2]), sink.put_zeroes(3), sink.put(&[3; 9])), (Ok(2), Ok(3), Ok(3)));
        assert_eq!(buffer, [1, 2, 0, 0, 0, 3, 3, 3, 7, 7]);
        let mut source = IoSource::kernel(&buffer);
        let mut into = [0; 4];
        assert_eq!((source.skip(5), source.take(&mut into)), (5, Ok(4)));
        assert_eq!(into, [3, 3, 3, 7]);
        assert_eq!((source.take(&mut into), into[0]), (Ok(1), 7));
    });
}

#[test]
fn folios_are_read_and_written_within_their_bounds() {
    mapped(|| {
        let folio = Folio::zeroed(&REGION, 1).unwrap();
        let data = bytes(100);
        slice(BASE, 100).write_all(&data).unwrap();
        assert_eq!(IoSource::user(slice(BASE, 100)).take_folio(&folio, 4000, 96), Ok(96));
        assert_eq!(IoSource::user(slice(BASE, 100)).take_folio(&folio, 4000, 97), Err(Errno::EINVAL));
        assert_eq!(IoSink::user(slice(BASE + 200, 100)).put_folio(&folio, usize::MAX, 2), Err(Errno::EINVAL));
        assert_eq!(IoSink::user(slice(BASE + 200, 50)).put_folio(&folio, 4000, 96), Ok(50));
        assert_eq!(slice(BASE + 200, 51).to_vec().unwrap(), [&data[..50], &[0]].concat());
        // The application has it mapped: a read of the file into the mapping of the file.
        rkt_platform::map_folio(HOLE, folio.addr(), PAGE, WRITE).unwrap();
        assert_eq!(IoSink::user(slice(HOLE + 4010, 50)).put_folio(&folio, 4000, 50), Ok(50));
        let mut back = [0; 50];
        folio.copy_out(4010, &mut back).unwrap();
        assert_eq!(back, data[..50]);
    });
}

#[test]
fn ranges_of_any_shape_carry_the_same_bytes() {
    mapped(|| {
        for _ in 0..200 {
            let data: Vec<u8> = (0..pick(3000)).map(|_| pick(256) as u8).collect();
            let ranges: Vec<UserSlice> = (0..pick(20)).map(|i| slice(BASE + i * 300, pick(300) as usize)).collect();
            let room: usize = ranges.iter().map(UserSlice::len).sum();
            let mut sink = IoSink::user_vec(ranges.clone());
            let mut sent = 0;
            while sent < data.len() && !sink.is_full() {
                let step = (1 + pick(400) as usize).min(data.len() - sent);
                sent += sink.put(&data[sent..sent + step]).unwrap();
            }
            assert_eq!(sent, room.min(data.len()));
            let mut source = IoSource::user_vec(ranges);
            let mut back = vec![0; sent];
            let mut got = 0;
            while got < sent {
                let step = (1 + pick(400) as usize).min(sent - got);
                got += source.take(&mut back[got..got + step]).unwrap();
            }
            assert_eq!(back, data[..sent]);
        }
    });
}
