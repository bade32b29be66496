//! Pipes, eventfd, timerfd, epoll, poll.

mod common;

use common::*;
use rkt_linux_abi::Errno;
use rkt_linux_abi::general::*;
use rkt_platform::SpaceId;
use rkt_platform_mock::{each_seed, pick, simulate, spawn};
use rkt_user::{IoSink, IoSource};
use rkt_vfs::epoll::Epoll;
use rkt_vfs::eventfd::EventFd;
use rkt_vfs::pipe::{PIPE_BUF, Pipe};
use rkt_vfs::timerfd::{TimerFd, TimerSetting};
use rkt_vfs::{OpenFile, PollRequest, READABLE, WRITABLE, open, ops, poll};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

fn pipe(flags: u32) -> (Arc<OpenFile>, Arc<OpenFile>) {
    Pipe::pair(0, 0, flags)
}

#[test]
fn pipes_do_not_block_when_told_so() {
    run(|| {
        let (r, w) = pipe(O_NONBLOCK);
        let mut page = [0; PIPE_BUF];
        assert_eq!(read(&r, &mut page), Err(Errno::EAGAIN));
        assert_eq!((r.poll(None), w.poll(None)), (0, WRITABLE));
        let block = vec![1; 60_000];
        assert_eq!(write(&w, &block), Ok(60_000));
        assert_eq!(write(&w, &block), Ok(4096), "a long write may be partial: whole pages, as there are slots");
        assert_eq!(write(&w, &block), Err(Errno::EAGAIN));
        assert_eq!((r.poll(None), w.poll(None)), (READABLE, 0));
        assert_eq!(read(&r, &mut page[..100]), Ok(100));
        assert_eq!(write(&w, &page[..100]), Err(Errno::EAGAIN), "a page that is partly read is not free");
        assert_eq!(read(&r, &mut page), Ok(PIPE_BUF));
        assert_eq!(w.poll(None), WRITABLE);
        assert_eq!(w.pipe().unwrap().set_capacity(4096, false), Err(Errno::EBUSY));
        assert_eq!(w.pipe().unwrap().set_capacity(100_000, false), Ok(131_072));
        assert_eq!(w.pipe().unwrap().set_capacity(2 << 20, false), Err(Errno::EPERM));
        assert_eq!(r.pipe().unwrap().readable_bytes(), 60_000 - 100);
        assert_eq!(w.seek(0, SEEK_SET), Err(Errno::ESPIPE));
        assert_eq!(w.write_at(0, &mut IoSource::kernel(b"x")), Err(Errno::ESPIPE));
        drop(w);
        assert_eq!(r.poll(None), READABLE | POLLHUP);
        assert_eq!(read(&r, &mut vec![0; 70_000]), Ok(60_000 - 100));
        assert_eq!(read(&r, &mut page), Ok(0));
        let (r, w) = pipe(0);
        drop(r);
        assert_eq!(write(&w, b"x"), Err(Errno::EPIPE));
        assert_eq!(write(&w, b""), Ok(0));
        assert_eq!(w.poll(None), WRITABLE | POLLERR);
    });
}

#[test]
fn short_writes_share_a_page_as_long_as_they_fit() {
    run(|| {
        let (r, w) = pipe(O_NONBLOCK);
        w.pipe().unwrap().set_capacity(4096, false).unwrap();
        assert_eq!(write(&w, &[1; 3000]), Ok(3000));
        assert_eq!(write(&w, &[2; 1097]), Err(Errno::EAGAIN));
        assert_eq!(write(&w, &[2; 1096]), Ok(1096));
        let mut bytes = [0; 5000];
        assert_eq!(read(&r, &mut bytes), Ok(4096));
        assert!(bytes[..3000].iter().all(|&byte| byte == 1) && bytes[3000..4096].iter().all(|&byte| byte == 2));
    });
}

#[test]
fn bytes_go_from_pipe_to_pipe() {
    run(|| {
        let ((r, w), (to_r, to_w)) = (pipe(O_NONBLOCK), pipe(O_NONBLOCK));
        let (from, to) = (r.pipe().unwrap(), to_w.pipe().unwrap());
        let mut bytes = [0; 9000];
        assert_eq!(from.pass(to, 10, true, true), Err(Errno::EAGAIN));
        assert_eq!(from.pass(from, 10, true, true), Err(Errno::EINVAL));
        let content: Vec<u8> = (0..9000).map(|n| n as u8).collect();
        write(&w, &content).unwrap();
        assert_eq!(from.pass(to, 5000, true, true), Ok(5000), "a copy");
        assert_eq!((from.readable_bytes(), to.readable_bytes()), (9000, 5000));
        assert_eq!(read(&to_r, &mut bytes), Ok(5000));
        assert_eq!(bytes[..5000], content[..5000]);
        assert_eq!(from.pass(to, 5000, false, true), Ok(5000), "the bytes themselves");
        assert_eq!(from.pass(to, 5000, false, true), Ok(4000));
        assert_eq!((from.readable_bytes(), read(&to_r, &mut bytes)), (0, Ok(9000)));
        assert_eq!(bytes[..], content[..]);
        to.set_capacity(4096, false).unwrap();
        write(&w, &content).unwrap();
        assert_eq!(from.pass(to, 9000, false, true), Ok(4096), "as many pages as there is room for");
        assert_eq!(from.pass(to, 9000, false, true), Err(Errno::EAGAIN));
        drop(to_r);
        assert_eq!(from.pass(to, 1, false, true), Err(Errno::EPIPE));
        drop(w);
        assert_eq!(read(&r, &mut bytes), Ok(9000 - 4096));
        assert_eq!(from.pass(to, 1, false, true), Ok(0), "the end");
    });
}

#[test]
fn packets_are_read_one_by_one() {
    run(|| {
        let (r, w) = pipe(O_DIRECT | O_NONBLOCK);
        assert_eq!(write(&w, b"first"), Ok(5));
        assert_eq!(write(&w, b"second"), Ok(6));
        let mut bytes = [0; 100];
        assert_eq!(read(&r, &mut bytes[..3]), Ok(3));
        assert_eq!(read(&r, &mut bytes), Ok(6), "the rest of the first is lost");
        for _ in 0..16 {
            assert_eq!(write(&w, b"x"), Ok(1));
        }
        assert_eq!(write(&w, b"x"), Err(Errno::EAGAIN), "sixteen packets fill the pipe");
        assert_eq!(read(&r, &mut bytes), Ok(1));
        assert_eq!(write(&w, &[5; 5000]), Ok(4096));
        w.set_flags(O_NONBLOCK).unwrap();
    });
}

#[test]
fn a_stream_arrives_whole_and_short_writes_in_one_piece() {
    each_seed(40, |seed| {
        simulate(seed, || {
            let (r, w) = pipe(0);
            let writers = 1 + pick(3) as usize;
            let total = Arc::new(AtomicUsize::new(0));
            for me in 0..writers {
                let (w, total) = (w.clone(), total.clone());
                spawn(SpaceId::NONE, move || {
                    for _ in 0..20 {
                        // Records of at most PIPE_BUF: length, writer, filling.
                        let len = 3 + pick(PIPE_BUF as u64 - 2) as usize;
                        let mut record = vec![me as u8; len];
                        record[..2].copy_from_slice(&(len as u16).to_le_bytes());
                        assert_eq!(write(&w, &record), Ok(len));
                        total.fetch_add(len, Relaxed);
                    }
                });
            }
            drop(w);
            let mut all = Vec::new();
            loop {
                let mut bytes = vec![0; 1 + pick(9000) as usize];
                match read(&r, &mut bytes).unwrap() {
                    0 => break,
                    n => all.extend_from_slice(&bytes[..n]),
                }
            }
            assert_eq!(all.len(), total.load(Relaxed));
            let mut rest = &all[..];
            while !rest.is_empty() {
                let len = u16::from_le_bytes([rest[0], rest[1]]) as usize;
                assert!(rest[2..len].iter().all(|&byte| byte == rest[2]), "a record was torn");
                rest = &rest[len..];
            }
        });
    });
}

#[test]
fn fifos_wait_for_the_other_end() {
    each_seed(20, |seed| {
        simulate(seed, || {
            let context = root();
            ops::mknod(&context, None, b"fifo", S_IFIFO | 0o666, 0).unwrap();
            assert_eq!(errno(open_flags(&context, "fifo", O_WRONLY | O_NONBLOCK)), Some(Errno::ENXIO));
            let early = open_flags(&context, "fifo", O_RDONLY | O_NONBLOCK).unwrap();
            assert_eq!(early.poll(None), 0, "no hang-up before there was a writer");
            assert_eq!(read(&early, &mut [0; 1]), Ok(0));
            drop(early);
            let writer = context.clone();
            spawn(SpaceId::NONE, move || {
                let file = open_flags(&writer, "fifo", O_WRONLY).unwrap();
                assert_eq!(write(&file, b"hello"), Ok(5));
            });
            let file = open_flags(&context, "fifo", O_RDONLY).unwrap();
            let mut bytes = [0; 10];
            assert_eq!(read(&file, &mut bytes), Ok(5));
            assert_eq!(read(&file, &mut bytes), Ok(0));
            assert_eq!(file.poll(None), POLLHUP);
        });
    });
}

#[test]
fn eventfd_counts() {
    run(|| {
        let event = EventFd::create(3, EFD_NONBLOCK);
        let mut bytes = [0; 8];
        assert_eq!(event.poll(None), READABLE | WRITABLE);
        assert_eq!(write(&event, &4u64.to_ne_bytes()), Ok(8));
        assert_eq!(read(&event, &mut bytes), Ok(8));
        assert_eq!(u64::from_ne_bytes(bytes), 7);
        assert_eq!(read(&event, &mut bytes), Err(Errno::EAGAIN));
        assert_eq!(read(&event, &mut bytes[..7]), Err(Errno::EINVAL));
        assert_eq!(write(&event, &[0; 7]), Err(Errno::EINVAL));
        assert_eq!(write(&event, &[0xff; 8]), Err(Errno::EINVAL));
        assert_eq!(write(&event, &(u64::MAX - 1).to_ne_bytes()), Ok(8));
        assert_eq!(event.poll(None), READABLE);
        assert_eq!(write(&event, &1u64.to_ne_bytes()), Err(Errno::EAGAIN));
        let semaphore = EventFd::create(2, EFD_NONBLOCK | EFD_SEMAPHORE);
        for _ in 0..2 {
            assert_eq!(read(&semaphore, &mut bytes), Ok(8));
            assert_eq!(u64::from_ne_bytes(bytes), 1);
        }
        assert_eq!(read(&semaphore, &mut bytes), Err(Errno::EAGAIN));
    });
}

fn events_of(epoll: &OpenFile, deadline: u64) -> Vec<(u32, u64)> {
    let mut found = Vec::new();
    let mut emit = |events, data| {
        found.push((events, data));
        Ok(())
    };
    Epoll::of(epoll).unwrap().wait(8, Some(deadline), &mut emit).unwrap();
    found
}

#[test]
fn epoll_triggers() {
    run(|| {
        let epoll_file = Epoll::create();
        let epoll = Epoll::of(&epoll_file).unwrap();
        let now = || events_of(&epoll_file, 0);
        let (r, w) = pipe(O_NONBLOCK);
        let byte = &mut [0];
        epoll.control(EPOLL_CTL_ADD, 3, &r, EPOLLIN, 33).unwrap();
        assert_eq!(epoll.control(EPOLL_CTL_ADD, 3, &r, EPOLLIN, 33), Err(Errno::EEXIST));
        assert_eq!(epoll.control(EPOLL_CTL_MOD, 4, &r, EPOLLIN, 33), Err(Errno::ENOENT));
        assert_eq!(now(), []);
        write(&w, b"ab").unwrap();
        assert_eq!(now(), [(EPOLLIN, 33)]);
        assert_eq!(now(), [(EPOLLIN, 33)], "level");
        assert_eq!(epoll_file.poll(None), READABLE);
        read(&r, &mut [0; 2]).unwrap();
        assert_eq!(now(), []);
        assert_eq!(epoll_file.poll(None), 0);

        epoll.control(EPOLL_CTL_MOD, 3, &r, EPOLLIN | EPOLLET, 34).unwrap();
        write(&w, b"ab").unwrap();
        assert_eq!(now(), [(EPOLLIN, 34)]);
        assert_eq!(now(), [], "edge");
        read(&r, byte).unwrap();
        assert_eq!(now(), []);
        write(&w, b"c").unwrap();
        assert_eq!(now(), [(EPOLLIN, 34)], "more data, a new edge");

        epoll.control(EPOLL_CTL_MOD, 3, &r, EPOLLIN | EPOLLONESHOT, 35).unwrap();
        assert_eq!(now(), [(EPOLLIN, 35)]);
        write(&w, b"d").unwrap();
        assert_eq!(now(), [], "one shot");
        epoll.control(EPOLL_CTL_MOD, 3, &r, EPOLLIN | EPOLLONESHOT, 36).unwrap();
        assert_eq!(now(), [(EPOLLIN, 36)], "armed again");

        epoll.control(EPOLL_CTL_MOD, 3, &r, 0, 37).unwrap();
        drop(w);
        assert_eq!(now(), [(EPOLLHUP, 37)], "hang-ups are always told");
        epoll.control(EPOLL_CTL_DEL, 3, &r, 0, 0).unwrap();
        assert_eq!(epoll.control(EPOLL_CTL_DEL, 3, &r, 0, 0), Err(Errno::ENOENT));
        assert_eq!(now(), []);
    });
}

#[test]
fn epoll_forgets_closed_files_and_refuses_loops() {
    run(|| {
        let epoll = Epoll::create();
        let add = |to: &OpenFile, what: &Arc<OpenFile>, events| {
            Epoll::of(to).unwrap().control(EPOLL_CTL_ADD, 9, what, events, 9)
        };
        let event = EventFd::create(1, 0);
        add(&epoll, &event, EPOLLIN | EPOLLEXCLUSIVE).unwrap();
        assert_eq!(events_of(&epoll, 0), [(EPOLLIN, 9)]);
        drop(event);
        assert_eq!(events_of(&epoll, 0), []);
        let event = EventFd::create(1, 0);
        add(&epoll, &event, EPOLLIN).unwrap();
        let outer = Epoll::create();
        add(&outer, &epoll, EPOLLIN).unwrap();
        assert_eq!(events_of(&outer, 0), [(EPOLLIN, 9)]);
        assert_eq!(add(&epoll, &outer, EPOLLIN), Err(Errno::ELOOP));
        assert_eq!(add(&epoll, &epoll, EPOLLIN), Err(Errno::EINVAL));
        assert_eq!(add(&outer, &Epoll::create(), EPOLLIN | EPOLLEXCLUSIVE), Err(Errno::EINVAL));
        assert_eq!(add(&epoll, &create(&root(), "file"), EPOLLIN), Err(Errno::EPERM));
        let mut chain = vec![Epoll::create()];
        let mut link = || {
            chain.push(Epoll::create());
            let [.., inner, outer] = &chain[..] else { unreachable!() };
            add(outer, inner, EPOLLIN)
        };
        // Five instances may watch each other in a row.
        assert_eq!([link(), link(), link(), link()], [Ok(()); 4]);
        assert_eq!(link(), Err(Errno::ELOOP));
        let mut failing = |_, _| Err(Errno::EFAULT);
        assert_eq!(Epoll::of(&epoll).unwrap().wait(8, Some(0), &mut failing), Err(Errno::EFAULT));
        assert_eq!(events_of(&epoll, 0), [(EPOLLIN, 9)], "an event that could not be told stays");
    });
}

#[test]
fn no_event_is_lost() {
    each_seed(60, |seed| {
        simulate(seed, move || {
            let epoll = Epoll::create();
            let flags = [EPOLLIN, EPOLLIN | EPOLLET, EPOLLIN | EPOLLEXCLUSIVE][(seed % 3) as usize];
            let mut pipes = Vec::new();
            for i in 0..4 {
                let (r, w) = pipe(O_NONBLOCK);
                Epoll::of(&epoll).unwrap().control(EPOLL_CTL_ADD, i, &r, flags, i as u64).unwrap();
                pipes.push(r);
                spawn(SpaceId::NONE, move || {
                    for _ in 0..30 {
                        rkt_sched::sleep_until(rkt_platform::now() + pick(2000)).unwrap();
                        assert_eq!(write(&w, b"x"), Ok(1));
                    }
                });
            }
            let (mut bytes, mut hung_up) = (0, 0);
            while hung_up < 4 {
                for (events, data) in events_of(&epoll, u64::MAX) {
                    let file = &pipes[data as usize];
                    while let Ok(n @ 1..) = file.read(&mut IoSink::kernel(&mut [0; 7])) {
                        bytes += n;
                    }
                    if events & EPOLLHUP != 0 {
                        hung_up += 1;
                        Epoll::of(&epoll).unwrap().control(EPOLL_CTL_DEL, data as i32, file, 0, 0).unwrap();
                    }
                }
            }
            assert_eq!(bytes, 120);
        });
    });
}

#[test]
fn poll_waits_for_files_and_time() {
    each_seed(20, |seed| {
        simulate(seed, || {
            let (r, w) = pipe(0);
            let request = |file: Option<&Arc<OpenFile>>| PollRequest { file: file.cloned(), events: POLLIN, found: 0 };
            let mut requests = [request(Some(&r)), request(None)];
            assert_eq!(poll(&mut requests, Some(0)), Ok(1));
            assert_eq!(requests[1].found, POLLNVAL);
            let mut requests = [request(Some(&r))];
            let start = rkt_platform::now();
            assert_eq!(poll(&mut requests, Some(start + 1000)), Ok(0));
            assert!(rkt_platform::now() >= start + 1000);
            spawn(SpaceId::NONE, move || {
                rkt_sched::sleep_until(rkt_platform::now() + pick(3000)).unwrap();
                write(&w, b"x").unwrap();
                rkt_sched::sleep_until(rkt_platform::now() + 100_000).unwrap();
            });
            assert_eq!(poll(&mut requests, None), Ok(1));
            assert_eq!(requests[0].found, POLLIN);
            let me = rkt_sched::current().to_arc();
            read(&r, &mut [0; 2]).unwrap();
            spawn(SpaceId::NONE, move || me.interrupt());
            assert_eq!(poll(&mut requests, None), Err(Errno::ERESTARTNOHAND));
            assert_eq!(read(&r, &mut [0; 2]), Err(Errno::ERESTARTSYS));
        });
    });
}

#[test]
fn timers_fire() {
    each_seed(20, |seed| {
        simulate(seed, || {
            let file = TimerFd::create(CLOCK_MONOTONIC, 0).unwrap();
            let timer = TimerFd::of(&file).unwrap();
            let count = || {
                let mut bytes = [0; 8];
                read(&file, &mut bytes).map(|_| u64::from_ne_bytes(bytes))
            };
            assert_eq!(errno(TimerFd::create(77, 0)), Some(Errno::EINVAL));
            let start = rkt_platform::now();
            timer.set(0, TimerSetting { value: 5000, interval: 1000 }).unwrap();
            assert!(timer.get().value <= 5000);
            assert!(count().unwrap() >= 1);
            assert!(rkt_platform::now() >= start + 5000);
            rkt_platform_mock::advance(10_500);
            assert!(count().unwrap() >= 10);
            timer.set(0, TimerSetting::default()).unwrap();
            assert_eq!(timer.get(), TimerSetting::default());
            assert_eq!(file.poll(None), 0);
            let epoll = Epoll::create();
            Epoll::of(&epoll).unwrap().control(EPOLL_CTL_ADD, 1, &file, EPOLLIN | EPOLLET, 1).unwrap();
            let at = rkt_platform::now() + 3000;
            timer.set(TFD_TIMER_ABSTIME, TimerSetting { value: at, interval: 0 }).unwrap();
            assert_eq!(events_of(&epoll, u64::MAX), [(EPOLLIN, 1)]);
            assert_eq!(count(), Ok(1));
            file.set_flags(O_NONBLOCK).unwrap();
            assert_eq!(count(), Err(Errno::EAGAIN));
        });
    });
}

#[test]
fn devices_by_number() {
    run(|| {
        let context = root();
        mkdir(&context, "dev");
        let at = resolve(&context, "dev").unwrap();
        let fs = rkt_vfs::dev::devfs(&[("console", 5, 1, 0o620)]).unwrap();
        rkt_vfs::Mount::attach(&at, fs, "devtmpfs", 0).unwrap();
        let how = |flags| rkt_vfs::OpenHow { flags, mode: 0, resolve: 0 };
        let device = |name: &str| open(&context, None, format!("dev/{name}").as_bytes(), &how(O_RDWR)).unwrap();
        let mut bytes = [9; 4];
        assert_eq!(read(&device("null"), &mut bytes), Ok(0));
        assert_eq!(write(&device("null"), &bytes), Ok(4));
        assert_eq!(read(&device("zero"), &mut bytes), Ok(4));
        assert_eq!(bytes, [0; 4]);
        assert_eq!(write(&device("full"), &bytes), Err(Errno::ENOSPC));
        assert_eq!(device("null").seek(5, SEEK_SET), Ok(0));
        let mut random = [0; 600];
        assert_eq!(read(&device("urandom"), &mut random), Ok(600));
        assert!(random.iter().any(|&byte| byte != 0));
        assert_eq!(lstat(&context, "dev/shm").unwrap().mode, S_IFDIR | 0o1777);
        assert_eq!(errno(open(&context, None, b"dev/console", &how(O_RDWR))), Some(Errno::ENXIO));
    });
}
