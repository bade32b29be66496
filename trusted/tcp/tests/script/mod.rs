//! Runs a script: exact exchanges of segments with one host's TCP, in the notation of packetdrill.

mod calls;
mod host;
mod parse;

use host::{Host, START};
use parse::{Event, Line, Options, Packet, When};
use rkt_tcp::{Segment, Timestamps};

/// How far from its time a segment may go out.
const TOLERANCE: u64 = super::common::MS;

/// Runs the script; says in which line it failed, and why.
pub fn run(text: &str) -> Result<(), String> {
    let lines = parse::script(text)?;
    let mut host = Host::new();
    let mut last = START;
    for Line { number, when, event } in lines {
        let result = perform(&mut host, &mut last, when, &event);
        result.map_err(|error| format!("line {number}: {error}"))?;
    }
    nothing_unexpected(&host).map_err(|error| format!("at the end: {error}"))
}

fn nothing_unexpected(host: &Host) -> Result<(), String> {
    match host.sent.front() {
        Some((at, peer, segment, _)) => Err(format!("unexpected: {}", show(host, *at, *peer, segment))),
        None => Ok(()),
    }
}

/// `last` is the time of the event before.
fn perform(host: &mut Host, last: &mut u64, when: When, event: &Event) -> Result<(), String> {
    let (from, to) = match when {
        When::At(at) => (START + at, START + at),
        When::After(from, to) => (*last + from, *last + to),
        When::Whenever => (0, *last + 1_000_000 * super::common::SECOND),
    };
    if let Event::Out(packet) = event {
        let at = expect(host, from.saturating_sub(TOLERANCE), to.saturating_add(TOLERANCE), packet)?;
        *last = if from == to { from } else { at };
        return Ok(());
    }
    host.advance(from);
    *last = from;
    nothing_unexpected(host)?;
    match event {
        Event::In(packet) => {
            let segment = on_wire(host, packet);
            host.receive(packet.peer, &segment, packet.seq);
            Ok(())
        }
        Event::Icmp { kind, mtu, seq, peer } => host.unreachable(*peer, kind, *mtu, *seq),
        Event::Call { name, args, result } => {
            let returned = calls::call(host, name, args)?;
            same("the result", &returned, result)
        }
        Event::Check(checks) => checks.iter().try_for_each(|(name, operator, value)| {
            let found = calls::look(host, name)?;
            let value = calls::value(value)?;
            let holds = match operator.as_str() {
                "==" => found == value,
                "!=" => found != value,
                "<" => found < value,
                "<=" => found <= value,
                ">" => found > value,
                ">=" => found >= value,
                _ => return Err(format!("{operator} compares nothing")),
            };
            if holds { Ok(()) } else { Err(format!("{name} is {found}, not {operator} {value}")) }
        }),
        Event::Sysctl(name, value) => calls::sysctl(host, name, value),
        Event::Out(_) => Ok(()),
    }
}

/// The next segment that goes out must do so in time and be `packet`; says when it did.
fn expect(host: &mut Host, from: u64, to: u64, packet: &Packet) -> Result<u64, String> {
    host.advance_to_output(to);
    let Some((at, peer, segment, payload)) = host.sent.pop_front() else {
        return Err("nothing was sent".into());
    };
    let found = show(host, at, peer, &segment);
    let compare = || {
        same("the peer", &peer, &packet.peer)?;
        same("the flags", &segment.flags, &packet.flags)?;
        same("the ACK bit", &segment.ack.is_some(), &packet.acknowledges)?;
        same("the sequence number", &segment.seq.wrapping_sub(host.base(peer)), &packet.seq)?;
        same("the length", &segment.len, &packet.len)?;
        if let Some(ack) = segment.ack {
            same("the acknowledgment", &ack.wrapping_sub(host::IRS), &packet.ack)?;
        }
        if let Some(window) = packet.window {
            same("the window", &segment.window, &window)?;
        }
        same("ECN", &segment.ecn, &packet.ecn.unwrap_or(segment.ecn))?;
        same("the urgent pointer", &segment.urgent, &packet.urgent)?;
        if let Some(wanted) = &packet.options {
            let found = options_of(host, peer, &segment, wanted);
            same("options", &found, wanted)?;
        }
        let intact = payload.iter().zip(packet.seq..).all(|(byte, seq)| *byte == host::byte_at(seq));
        same("the payload is the stream's", &intact, &true)?;
        if at < from || at > to { Err("at another time".to_owned()) } else { Ok(()) }
    };
    compare().map_err(|error| format!("{error}, in {found}"))?;
    Ok(at)
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, wanted: &T) -> Result<(), String> {
    if found == wanted { Ok(()) } else { Err(format!("{what}: {found:?}, expected {wanted:?}")) }
}

/// The options as a script writes them; those that `wanted` leaves open are left open.
fn options_of(host: &Host, peer: u8, segment: &Segment, wanted: &Options) -> Options {
    let timestamps = segment.timestamps.map(|stamps| {
        let open = wanted.timestamps.unwrap_or((Some(0), Some(0)));
        let value = stamps.value.wrapping_sub(host.stamp_base(peer));
        (open.0.map(|_| value), open.1.map(|_| stamps.echo))
    });
    let relative = |&(start, end): &(u32, u32)| (start.wrapping_sub(host::IRS), end.wrapping_sub(host::IRS));
    Options {
        mss: segment.mss,
        scale: segment.window_scale,
        sack_permitted: segment.sack_permitted,
        timestamps,
        sack: segment.sack.iter().map(relative).collect(),
    }
}

/// A segment of the script's as it comes from the wire.
fn on_wire(host: &Host, packet: &Packet) -> Segment {
    let base = host.base(packet.peer);
    let none = Options::default();
    let options = packet.options.as_ref().unwrap_or(&none);
    let timestamps = options.timestamps.map(|(value, echo)| Timestamps {
        value: value.unwrap_or(0),
        echo: echo.map_or(0, |echo| echo.wrapping_add(host.stamp_base(packet.peer))),
    });
    Segment {
        seq: packet.seq.wrapping_add(host::IRS),
        ack: packet.acknowledges.then_some(packet.ack.wrapping_add(base)),
        window: packet.window.unwrap_or(0),
        flags: packet.flags,
        urgent: packet.urgent,
        mss: options.mss,
        window_scale: options.scale,
        sack_permitted: options.sack_permitted,
        timestamps,
        sack: options.sack.iter().map(|block| (block.0.wrapping_add(base), block.1.wrapping_add(base))).collect(),
        ecn: packet.ecn.unwrap_or(0),
        len: packet.len,
    }
}

fn show(host: &Host, at: u64, peer: u8, segment: &Segment) -> String {
    let seconds = (at - START) as f64 / 1e9;
    let seq = segment.seq.wrapping_sub(host.base(peer));
    let ack = segment.ack.map(|ack| ack.wrapping_sub(host::IRS));
    let (flags, len, window) = (segment.flags, segment.len, segment.window);
    let options = options_of(host, peer, segment, &Options::default());
    let end = seq.wrapping_add(len);
    format!(
        "{seconds:.6} >{peer} {flags:?} {seq}:{end}({len}) ack {ack:?} win {window} urg {} {options:?}",
        segment.urgent
    )
}
