//! What the protocols count (RFC 4293, RFC 4022, RFC 4113).

mod common;

use common::stranger::{STRANGER, Said, packet_of};
use common::*;
use rkt_linux_abi::Errno;
use rkt_net::{Count, Family, NetStack};
use rkt_wire::tcp::Flags;

const PORT: u16 = 80;

/// How much each of these has grown since the last look.
struct Look {
    whats: Vec<(Family, Count)>,
    before: Vec<u64>,
}

impl Look {
    fn new(net: &NetStack, whats: &[(Family, Count)]) -> Self {
        let mut look = Self { whats: whats.to_vec(), before: vec![0; whats.len()] };
        look.grown(net);
        look
    }

    fn grown(&mut self, net: &NetStack) -> Vec<u64> {
        let now: Vec<_> = self.whats.iter().map(|(family, what)| net.statistics().get(*family, *what)).collect();
        let grown = now.iter().zip(&self.before).map(|(now, before)| now - before).collect();
        self.before = now;
        grown
    }
}

#[test]
fn a_connection_is_counted_from_its_start_to_its_end() {
    use Count::*;
    run(|| {
        let net = joined(Wire::default());
        let whats =
            [TcpActiveOpens, TcpPassiveOpens, TcpAttemptFails, TcpEstabResets, TcpInSegs, TcpOutSegs, TcpOutRsts];
        let whats = whats.map(|what| (Family::V4, what));
        let (mut of_a, mut of_b) = (Look::new(&net.a, &whats), Look::new(&net.b, &whats));

        let refused = tcp(&net.a);
        assert_eq!(refused.connect(&inet(B, PORT), true), Err(Errno::EINPROGRESS));
        net.settle();
        assert_eq!(of_a.grown(&net.a), [1, 0, 1, 0, 1, 1, 0], "a SYN and the reset");
        assert_eq!(of_b.grown(&net.b), [0, 0, 0, 0, 1, 1, 1]);

        let listening = tcp(&net.b);
        listening.bind(&inet(B, PORT)).unwrap();
        listening.listen(8).unwrap();
        let client = tcp(&net.a);
        assert_eq!(client.connect(&inet(B, PORT), true), Err(Errno::EINPROGRESS));
        net.settle();
        let (server, _) = listening.accept(true).unwrap();
        assert_eq!(of_a.grown(&net.a), [1, 0, 0, 0, 1, 2, 0], "the handshake");
        assert_eq!(of_b.grown(&net.b), [0, 1, 0, 0, 2, 1, 0]);

        send(&*client, b"unread").unwrap();
        net.settle();
        of_a.grown(&net.a);
        of_b.grown(&net.b);
        drop(server);
        net.settle();
        assert_eq!(of_b.grown(&net.b)[6], 1, "bytes were left unread");
        assert_eq!(of_a.grown(&net.a)[3], 1, "the connection was reset");
    });
}

#[test]
fn what_is_lost_is_counted_as_sent_again() {
    run(|| {
        let net = joined(Wire::default());
        net.stranger.introduce(STRANGER);
        net.settle();
        let client = tcp(&net.b);
        // The stranger does not answer.
        assert_eq!(client.connect(&inet(STRANGER, PORT), true), Err(Errno::EINPROGRESS));
        net.settle_for(4000, 100);
        let get = |what| net.b.statistics().get(Family::V4, what);
        assert_eq!((get(Count::TcpOutSegs), get(Count::TcpRetransSegs), get(Count::TcpTimeouts)), (3, 2, 2), "SYNs");
    });
}

#[test]
fn datagrams_are_counted_where_they_end() {
    use Count::*;
    run(|| {
        let net = joined(Wire::default());
        let whats = [UdpInDatagrams, UdpNoPorts, UdpInErrors, UdpRcvbufErrors, UdpOutDatagrams, InReceives, InDelivers];
        let whats = whats.map(|what| (Family::V4, what));
        let (receiver, sender) = (udp(&net.b), udp(&net.a));
        receiver.bind(&inet(B, 53)).unwrap();
        let (mut of_a, mut of_b) = (Look::new(&net.a, &whats), Look::new(&net.b, &whats));

        send_to(&*sender, b"taken", &inet(B, 53)).unwrap();
        net.settle();
        assert_eq!(of_b.grown(&net.b), [0, 0, 0, 0, 0, 1, 1], "it waits");
        recv(&*receiver, 100).unwrap();
        assert_eq!(of_b.grown(&net.b), [1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(of_a.grown(&net.a)[4], 1);

        send_to(&*sender, b"for nobody", &inet(B, 54)).unwrap();
        net.settle();
        assert_eq!(of_b.grown(&net.b), [0, 1, 0, 0, 0, 1, 1]);
        assert_eq!(net.b.statistics().messages(Family::V4, true)[3], 1, "port unreachable");
        assert_eq!(net.a.statistics().messages(Family::V4, false)[3], 1);

        set(&*receiver, 1, 8, 0).unwrap();
        for _ in 0..20 {
            let _ = send_to(&*sender, &[0; 1000], &inet(B, 53));
            net.settle();
        }
        let grown = of_b.grown(&net.b);
        assert!(grown[2] > 0 && grown[2] == grown[3], "no room");
    });
}

#[test]
fn what_is_damaged_or_not_for_us_is_counted() {
    run(|| {
        let net = joined(Wire::default());
        net.stranger.introduce(STRANGER);
        net.settle();
        let get = |what| net.b.statistics().get(Family::V4, what);
        let received = get(Count::InReceives);

        // Version 9, which is none.
        net.stranger.send([&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 0x66, 8, 0][..], &[0x95; 46]].concat());
        net.settle();
        assert_eq!((get(Count::InReceives) - received, get(Count::InHdrErrors)), (1, 1));

        let elsewhere = rkt_wire::ipv4::Header { destination: [10, 0, 0, 77].into(), ..packet_of(6, STRANGER) };
        net.stranger.packet(&elsewhere, &[0x50; 20]);
        net.settle();
        assert_eq!(get(Count::InAddrErrors), 1);

        net.stranger.packet(&packet_of(200, STRANGER), &[1; 20]);
        net.settle();
        assert_eq!(get(Count::InUnknownProtos), 1);

        net.stranger.packet(&packet_of(6, STRANGER), &[0; 7]);
        net.stranger.say(&Said { ports: (9, 9), flags: Flags::SYN, ..Said::default() });
        net.settle();
        assert_eq!((get(Count::TcpInErrs), get(Count::TcpOutRsts)), (1, 1));
    });
}
