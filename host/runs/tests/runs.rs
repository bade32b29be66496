//! Names, liveness, logs and ends, with processes of our own as supervisors.

use rkt_runs::{Record, State, Stream};
use std::process::Command;
use std::time::Duration;

fn record(name: &str, detached: bool) -> Record {
    Record {
        name: name.into(),
        pid: std::process::id() as i32,
        started: 1,
        image: "a.rkt".into(),
        command: vec!["/bin/true".into()],
        detached,
        stop_signal: 15,
        allow_exec: false,
        ended: None,
    }
}

fn state() -> (tempfile::TempDir, State) {
    let folder = tempfile::tempdir().unwrap();
    let state = State::at(folder.path().join("rkt-io")).unwrap();
    (folder, state)
}

#[test]
fn a_name_is_held_as_long_as_its_holder_lives() {
    let (_folder, state) = state();
    let claim = state.claim(record("one", false)).unwrap();
    let error = state.claim(record("one", false)).err().unwrap().to_string();
    assert!(error.contains("\"one\" is taken") && error.contains("rkt-io stop one"), "{error}");
    assert!(state.list().unwrap()[0].alive);
    drop(claim);
    assert!(state.list().unwrap().is_empty());
    state.claim(record("one", false)).unwrap();
}

#[test]
fn what_has_no_name_gets_one_and_odd_ones_are_refused() {
    let (_folder, state) = state();
    let claim = state.claim(record("", false)).unwrap();
    assert_eq!(claim.name(), format!("rkt-{}", std::process::id()));
    for odd in ["..", ".lock", "a/b", "-x", "a b", "é", &"n".repeat(65)] {
        assert!(state.claim(record(odd, false)).is_err(), "{odd}");
    }
}

#[test]
fn ended_detached_runs_are_told_of_for_a_while() {
    let (_folder, state) = state();
    for n in 0..20 {
        let mut claim = state.claim(Record { started: n, ..record(&format!("run{n}"), true) }).unwrap();
        claim.end(n as u8).unwrap();
    }
    let runs = state.list().unwrap();
    assert_eq!(runs.len(), 16);
    assert!(runs.iter().all(|run| !run.alive));
    assert_eq!((runs[0].record.name.as_str(), runs[15].record.ended.as_ref().unwrap().status), ("run4", 19));
    assert!(state.find("run0").is_err() && state.find("run19").is_ok());
    // Its name is free.
    state.claim(record("run19", true)).unwrap();
}

#[test]
fn a_folder_that_others_may_write_is_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rkt-io");
    std::fs::create_dir(&path).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o777)).unwrap();
    assert!(State::at(&path).is_err());
    std::fs::remove_dir(&path).unwrap();
    std::os::unix::fs::symlink("/tmp", &path).unwrap();
    assert!(State::at(&path).is_err());
}

#[test]
fn a_log_is_read_while_it_grows_and_stays_bounded() {
    let (folder, state) = state();
    let claim = state.claim(record("one", true)).unwrap();
    let mut log = claim.log().unwrap();
    let mut reader = state.find("one").unwrap().log().unwrap();
    assert_eq!(reader.next_frame().unwrap(), None);
    log.append(Stream::Stdout, b"out\n").unwrap();
    log.append(Stream::Stderr, b"\xff\0").unwrap();
    let frame = reader.next_frame().unwrap().unwrap();
    assert_eq!((frame.stream, &frame.bytes[..]), (Stream::Stdout, &b"out\n"[..]));
    let frame = reader.next_frame().unwrap().unwrap();
    assert_eq!((frame.stream, &frame.bytes[..]), (Stream::Stderr, &b"\xff\0"[..]));
    assert_eq!(reader.next_frame().unwrap(), None);

    let mut seen = 0u64;
    for n in 0u64..600 {
        log.append(Stream::Stdout, &n.to_le_bytes().repeat(8000)).unwrap();
        let frame = reader.next_frame().unwrap().unwrap();
        assert!(frame.bytes.starts_with(&n.to_le_bytes()), "frame {n}");
        seen += 1;
    }
    assert_eq!((seen, reader.next_frame().unwrap()), (600, None));
    let length = |name: &str| std::fs::metadata(folder.path().join("rkt-io/one").join(name)).unwrap().len();
    assert!(length("log") + length("log.1") < 17 << 20);

    let mut whole = state.find("one").unwrap().log().unwrap();
    let mut last = None;
    while let Some(frame) = whole.next_frame().unwrap() {
        last = Some(frame.bytes);
    }
    assert!(last.unwrap().starts_with(&599u64.to_le_bytes()));
    assert!(state.claim(record("two", false)).is_ok());
}

#[test]
fn stop_asks_and_then_kills() {
    let (_folder, state) = state();
    for (script, by_itself) in [("exec sleep 1000", true), ("trap '' TERM; echo; exec sleep 1000", false)] {
        let mut child = Command::new("sh").args(["-c", script]).stdout(std::process::Stdio::piped()).spawn().unwrap();
        if !by_itself {
            let mut byte = [0];
            std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut byte).unwrap();
        }
        // The lock is ours, which is as good: `stop` wants it held by somebody.
        let claim = state.claim(Record { pid: child.id() as i32, ..record("one", true) }).unwrap();
        let run = state.find("one").unwrap();
        let patience = if by_itself { Duration::from_secs(100) } else { Duration::ZERO };
        assert_eq!(run.stop(patience).unwrap(), by_itself);
        child.wait().unwrap();
        drop(claim);
        assert!(run.stop(patience).unwrap_err().to_string().contains("does not run"));
    }
}
