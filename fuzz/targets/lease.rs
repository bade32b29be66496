//! Servers that answer a DHCP client as they like. It is configured exactly while it has a lease, and time moves on.
#![no_main]

use core::net::Ipv4Addr;
use libfuzzer_sys::fuzz_target;
use rkt_fuzz::Script;
use rkt_inet::dhcp::{Action, Client, Config};
use rkt_inet::time::Turn;
use rkt_wire::dhcp::{ClasslessRoutes, Kind, Message, Options};
use rkt_wire::ethernet::Address;

const MAC: Address = Address([2, 0, 0, 0, 0, 1]);

/// An answer of the exchange `transaction`, honest but for what the script says.
fn answer(script: &mut Script<'_>, transaction: u32) -> Vec<u8> {
    let [kind, yours, server, flags, lease, renewal, rebinding] = script.bytes();
    let number = |value: u8, bit: u8| (flags & bit != 0).then_some(u32::from(value) << (value % 16));
    let message = Message {
        kind: [Kind::Offer, Kind::Ack, Kind::Nak, Kind::Request][usize::from(kind % 4)],
        transaction: if kind & 0x40 != 0 { 0 } else { transaction },
        seconds: 0,
        broadcast: false,
        client: Ipv4Addr::UNSPECIFIED,
        yours: Ipv4Addr::new(10, 0, 0, yours),
        server: Ipv4Addr::UNSPECIFIED,
        relay: Ipv4Addr::UNSPECIFIED,
        mac: MAC,
        options: Options {
            server_id: (flags & 8 != 0).then_some(Ipv4Addr::new(10, 0, 0, server)),
            lease_time: number(lease, 1),
            renewal_time: number(renewal, 2),
            rebinding_time: number(rebinding, 4),
            classless_routes: ClasslessRoutes::new(script.slice()),
            ..Options::default()
        },
    };
    let mut payload = vec![0; 1024];
    let len = message.emit(&mut payload).unwrap();
    payload.truncate(len);
    payload
}

fuzz_target!(|data: &[u8]| {
    let mut script = Script(data);
    let config = Config { mac: MAC, host_name: script.slice().to_vec(), probe: script.byte() & 1 != 0 };
    let mut client = Client::new(config, 0);
    let (mut now, mut transaction, mut configured) = (0, 0, false);
    let mut seed = 1u32;
    let mut random = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        seed
    };
    while !script.is_over() {
        let mut actions = Vec::new();
        let turn = &mut Turn { now, random: &mut random, actions: &mut actions };
        match script.byte() % 5 {
            0 | 1 => {
                let payload = answer(&mut script, transaction);
                client.on_packet(&payload, turn);
            }
            2 => client.on_packet(script.slice(), turn),
            3 => client.on_conflict(Ipv4Addr::new(10, 0, 0, script.byte()), turn),
            _ => {
                // Half of the time exactly to the deadline.
                let span = script.span();
                now = client.deadline().filter(|_| span & 1 == 0).unwrap_or(0).max(now + (span & 1) * span);
                turn.now = now;
                client.on_timer(turn);
                assert!(client.deadline().is_none_or(|deadline| deadline > now));
            }
        }
        for action in actions {
            match action {
                Action::Send { payload, .. } => transaction = Message::parse(&payload).unwrap().transaction,
                Action::Configure(lease) => {
                    assert!(lease.routes.len() <= 16 && lease.prefix_len <= 32);
                    configured = true;
                }
                Action::Deconfigure => {
                    assert!(configured);
                    configured = false;
                }
                Action::Probe(_) => assert!(!configured),
            }
        }
        assert_eq!(client.lease().is_some(), configured);
    }
});
