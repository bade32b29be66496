use std::vec::Vec;

use crate::*;

fn sample() -> Vec<u8> {
    let mut writer = Writer::new();
    writer.push(&Entry { ino: 1, mode: S_IFDIR | 0o755, nlink: 2, name: b".", ..Entry::default() }).unwrap();
    for (name, data) in [("a", "x"), ("ab", "xy"), ("abc", "xyz"), ("dir/name", ""), ("link", "target")] {
        let entry = Entry {
            ino: 0xdead_beef,
            mode: S_IFREG | 0o644,
            uid: 1000,
            gid: u32::MAX,
            nlink: 1,
            mtime: 1_700_000_000,
            rdev_major: 7,
            rdev_minor: 9,
            name: name.as_bytes(),
            data: data.as_bytes(),
        };
        writer.push(&entry).unwrap();
    }
    writer.finish()
}

#[test]
fn what_is_written_is_read() {
    let archive = sample();
    let mut reader = Reader::new(&archive);
    let entries: Vec<_> = reader.by_ref().collect::<Result<_, _>>().unwrap();
    assert_eq!(reader.position(), archive.len());
    assert_eq!(entries.len(), 6);
    assert_eq!(entries[0].file_type(), S_IFDIR);
    assert_eq!((entries[3].name, entries[3].data), (&b"abc"[..], &b"xyz"[..]));
    assert_eq!((entries[3].ino, entries[3].gid, entries[3].rdev_minor), (0xdead_beef, u32::MAX, 9));

    let mut again = Writer::new();
    entries.iter().for_each(|entry| again.push(entry).unwrap());
    assert_eq!(again.finish(), archive);
}

#[test]
fn every_truncation_is_an_error() {
    let archive = sample();
    // The last three bytes pad the trailer's name and may be missing.
    let trailer_name_end = archive.len() - padding(HEADER_LEN + TRAILER.len() + 1);
    for len in 0..trailer_name_end {
        let last = Reader::new(&archive[..len]).last().unwrap();
        assert!(matches!(last, Err(CpioError::Truncated { .. })), "length {len}: {last:?}");
    }
}

#[test]
fn every_damaged_byte_is_survived() {
    let archive = sample();
    for position in 0..archive.len() {
        for value in [0, b'F', b'g', 0xff] {
            let mut damaged = archive.clone();
            damaged[position] = value;
            // No more entries than headers fit, whatever the damage.
            assert!(Reader::new(&damaged).filter(Result::is_ok).count() <= archive.len() / HEADER_LEN);
        }
    }
}

#[test]
fn errors_say_where() {
    let mut archive = sample();
    archive[5] = b'2';
    assert_eq!(Reader::new(&archive).next(), Some(Err(CpioError::BadMagic { offset: 0 })));
    archive[5] = b'1';
    archive[6] = b'+';
    assert_eq!(Reader::new(&archive).next(), Some(Err(CpioError::BadNumber { offset: 0 })));
    let mut archive = sample();
    archive[HEADER_LEN + 1] = b'x';
    let mut reader = Reader::new(&archive);
    assert_eq!(reader.next(), Some(Err(CpioError::BadName { offset: 0 })));
    assert_eq!(reader.next(), None);
}

#[test]
fn names_are_relative_and_normal() {
    for good in ["a", ".", "a/b", "..a", "a/...", ".hidden", "a b"] {
        assert_eq!(check_name(good.as_bytes()), Ok(()), "{good}");
    }
    for (bad, error) in [
        ("", NameError::Empty),
        ("/a", NameError::Absolute),
        ("..", NameError::Component),
        ("a/../b", NameError::Component),
        ("./a", NameError::Component),
        ("a//b", NameError::Component),
        ("a/", NameError::Component),
        ("a\0b", NameError::Nul),
    ] {
        assert_eq!(check_name(bad.as_bytes()), Err(error), "{bad:?}");
    }
    assert_eq!(check_name(&[b'a'; NAME_MAX]), Ok(()));
    assert_eq!(check_name(&[b'a'; NAME_MAX + 1]), Err(NameError::TooLong));
    assert_eq!(check_name(&b"ab/".repeat(PATH_MAX)), Err(NameError::TooLong));
}

#[test]
fn the_writer_refuses_what_a_reader_could_not_tell() {
    for name in [&b""[..], b"a\0b", TRAILER] {
        assert_eq!(Writer::new().push(&Entry { name, ..Entry::default() }), Err(WriteError::BadName));
    }
}
