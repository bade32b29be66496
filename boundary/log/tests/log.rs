//! Records survive the trip, and nothing that the enclave writes upsets the reader.

use rkt_log::{Encoded, Event, Malformed, RECORD_MAX, Record, Stat, TEXT_MAX};

#[test]
fn integers_and_text_survive_the_trip() {
    let mut stream = Encoded::integers(Event::DeviceError, &[3, 7, 0xff]).as_bytes().to_vec();
    stream.extend_from_slice(Encoded::text(Event::InterpreterMissing, "/lib/ld.so").as_bytes());

    let (first, rest) = Record::parse(&stream).unwrap().unwrap();
    assert_eq!(first.event, Event::DeviceError);
    assert_eq!(first.integers().collect::<Vec<_>>(), [3, 7, 0xff]);
    assert_eq!(first.to_string(), "a device broke its specification and is shut down: slot 3, rule 7, value 0xff");
    let (second, rest) = Record::parse(rest).unwrap().unwrap();
    assert_eq!(second.to_string(), "the program's interpreter is not in the image: /lib/ld.so");
    assert_eq!(second.integers().count(), 0);
    assert!(rest.is_empty());
}

#[test]
fn a_record_is_awaited_until_it_is_whole() {
    let record = Encoded::integers(Event::Exited, &[1]);
    for end in 0..record.as_bytes().len() {
        assert_eq!(Record::parse(&record.as_bytes()[..end]), Ok(None));
    }
    assert!(Record::parse(record.as_bytes()).unwrap().is_some());
}

#[test]
fn too_much_is_cut() {
    let long = Encoded::text(Event::BadManifest, &"x".repeat(5000));
    assert_eq!(long.as_bytes().len(), RECORD_MAX);
    let (record, rest) = Record::parse(long.as_bytes()).unwrap().unwrap();
    assert!(rest.is_empty());
    assert!(record.to_string().ends_with(&"x".repeat(TEXT_MAX)));

    let many = Encoded::integers(Event::Exited, &[0; 20]);
    assert_eq!(Record::parse(many.as_bytes()).unwrap().unwrap().0.integers().count(), 8);
}

#[test]
fn impossible_records_are_refused() {
    for (length, id) in
        [(8u16, 0u16), (8, 9999), (7, Event::Exited as u16), (72, Event::Exited as u16), (1025, 1 << 15 | 1)]
    {
        let mut bytes = [length.to_le_bytes(), id.to_le_bytes()].concat();
        bytes.resize(4096, 0);
        assert_eq!(Record::parse(&bytes), Err(Malformed), "length {length}, id {id}");
    }
}

#[test]
fn text_cannot_drive_the_terminal() {
    let hostile = Encoded::text(Event::BadManifest, "\x1b[2Jgone\n");
    let shown = Record::parse(hostile.as_bytes()).unwrap().unwrap().0.to_string();
    assert!(!shown.contains(['\x1b', '\n']), "{shown:?}");
}

#[test]
fn ids_and_counters_are_unique() {
    for (n, event) in Event::ALL.iter().enumerate() {
        assert_eq!(Event::from_id(*event as u16), Some(*event));
        assert!(event.fields().len() <= 8);
        assert!(Event::ALL[..n].iter().all(|other| (*other as u16) < *event as u16), "{event:?} is out of order");
    }
    let mut names: Vec<_> = Stat::ALL.iter().map(|stat| stat.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Stat::ALL.len());
}
