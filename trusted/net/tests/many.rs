//! Ten thousand idle connections: what each takes, and what the others' packets cost beside them.

mod common;

use common::stranger::{STRANGER, Said};
use common::*;
use rkt_linux_abi::Errno;
use rkt_net::Socket;
use rkt_platform_mock::Counting;
use rkt_wire::tcp::Flags;
use std::sync::Arc;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const PORT: u16 = 80;
const FEW: usize = 1000;
const MANY: usize = 10_000;
/// Bytes that an idle connection may take: its control block, its socket and what leads to them.
const EACH: usize = 4096;

/// A server on `b` with idle connections of the stranger's, and one of `a`'s that is used.
struct Server {
    net: Joined,
    listening: Arc<dyn Socket>,
    idle: Vec<Arc<dyn Socket>>,
}

impl Server {
    fn new() -> Self {
        let net = joined(Wire::default());
        let listening = tcp(&net.b);
        listening.bind(&inet([0, 0, 0, 0].into(), PORT)).unwrap();
        listening.listen(128).unwrap();
        net.stranger.introduce(STRANGER);
        net.settle();
        Self { net, listening, idle: Vec::with_capacity(MANY) }
    }

    /// Opens connections until there are so many; each has been used, and is at rest.
    fn fill(&mut self, count: usize) {
        for nth in self.idle.len()..count {
            let port = 1024 + nth as u16;
            let opened = self.net.stranger.open(&mut || self.net.settle(), port, PORT, 65535);
            let (seq, ack) = opened.expect("let in");
            let (socket, _) = self.listening.accept(true).expect("accepted");
            self.use_once(&*socket, Said { ports: (port, PORT), seq, ack, window: 65535, ..Said::default() });
            self.idle.push(socket);
        }
        // What is delayed has gone by.
        self.net.settle_for(1000, 100);
    }

    /// A question of the stranger's and its answer.
    fn use_once(&self, socket: &dyn Socket, said: Said) {
        let (question, answer) = (b"some words", b"others");
        self.net.stranger.say(&Said { flags: Flags::ACK, text: question.to_vec(), ..said.clone() });
        self.net.settle();
        assert_eq!(recv(socket, 100).unwrap(), question);
        assert_eq!(send(socket, answer), Ok(answer.len()));
        self.net.settle();
        let (seq, ack) = (said.seq + question.len() as u32, said.ack.wrapping_add(answer.len() as u32));
        self.net.stranger.say(&Said { flags: Flags::ACK, seq, ack, ..said });
        self.net.settle();
    }
}

/// How often memory is asked for while a question and its answer go over a connection.
fn asked(net: &Joined, client: &dyn Socket, server: &dyn Socket) -> usize {
    let before = Counting::asked();
    for (from, to) in [(client, server), (server, client)] {
        assert_eq!(send(from, b"some words"), Ok(10));
        net.settle();
        assert_eq!(recv(to, 100).unwrap(), b"some words");
    }
    Counting::asked() - before
}

#[test]
fn an_idle_connection_takes_little_and_costs_the_others_nothing() {
    run(|| {
        let mut server = Server::new();
        let client = tcp(&server.net.a);
        assert_eq!(client.connect(&inet(B, PORT), true), Err(Errno::EINPROGRESS));
        server.net.settle();
        let (serving, _) = server.listening.accept(true).unwrap();
        // The neighbours are known then, and the windows open.
        for _ in 0..100 {
            asked(&server.net, &*client, &*serving);
        }
        let cost = |server: &Server| (0..10).map(|_| asked(&server.net, &*client, &*serving)).max();

        let alone = Counting::held();
        server.fill(FEW);
        let (with_few, cost_with_few) = (Counting::held(), cost(&server));
        server.fill(MANY);
        let (with_many, cost_with_many) = (Counting::held(), cost(&server));

        let (first, rest) = ((with_few - alone) / FEW, (with_many - with_few) / (MANY - FEW));
        println!("{rest} bytes a connection, {cost_with_many:?} allocations a round trip");
        assert!(rest < EACH && rest <= first + first / 4, "{first} bytes for each of the first, {rest} of the others");
        assert_eq!(cost_with_few, cost_with_many, "allocations in a round trip");
    });
}
