//! From text to events. `tests/scripts/README.md` has the grammar.

use rkt_tcp::Flags;

/// One event of a script.
#[derive(Debug)]
pub struct Line {
    /// Its number in the file, from one.
    pub number: usize,
    pub when: When,
    pub event: Event,
}

/// Points in time, in ns.
#[derive(Clone, Copy, Debug)]
pub enum When {
    /// Since the script began.
    At(u64),
    /// Since the last event, at least and at most.
    After(u64, u64),
    /// `*`.
    Whenever,
}

#[derive(Debug)]
pub enum Event {
    /// `<`: a segment comes from the network.
    In(Packet),
    /// `>`: a segment is to go out.
    Out(Packet),
    /// `< icmp`: what kind, and the sequence number that it quotes.
    Icmp { kind: String, mtu: u16, seq: u32, peer: u8 },
    /// A system call and its result.
    Call { name: String, args: Vec<String>, result: String },
    /// `?`: names, operators, values.
    Check(Vec<(String, String, String)>),
    /// `sysctl name=value`.
    Sysctl(String, String),
}

/// A segment as it is written: the numbers are relative to the initial ones.
#[derive(Debug, Default)]
pub struct Packet {
    /// Which peer; one if nothing is said.
    pub peer: u8,
    /// ECN in the header of IP; nothing said: none on the way in, any on the way out.
    pub ecn: Option<u8>,
    pub flags: Flags,
    pub acknowledges: bool,
    pub seq: u32,
    pub len: u32,
    pub ack: u32,
    pub window: Option<u16>,
    pub urgent: u16,
    /// `None`: `<...>`, any options.
    pub options: Option<Options>,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Options {
    pub mss: Option<u16>,
    pub scale: Option<u8>,
    pub sack_permitted: bool,
    /// `val` and `ecr`; `None`: `*`.
    pub timestamps: Option<(Option<u32>, Option<u32>)>,
    pub sack: Vec<(u32, u32)>,
}

type Result<T> = std::result::Result<T, String>;

/// The events of a script.
pub fn script(text: &str) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.split_once("//").map_or(line, |(before, _)| before).trim();
        if line.is_empty() {
            continue;
        }
        let number = index + 1;
        let (when, event) = one(line).map_err(|error| format!("line {number}: {error}: {line}"))?;
        lines.push(Line { number, when, event });
    }
    Ok(lines)
}

fn one(line: &str) -> Result<(When, Event)> {
    let (first, rest) = line.split_once(char::is_whitespace).ok_or("an event follows its time")?;
    let rest = rest.trim();
    if first == "sysctl" {
        let (name, value) = rest.split_once('=').ok_or("sysctl name=value")?;
        return Ok((When::After(0, 0), Event::Sysctl(name.trim().into(), value.trim().trim_matches('"').into())));
    }
    Ok((when(first)?, event(rest)?))
}

fn when(text: &str) -> Result<When> {
    if text == "*" {
        return Ok(When::Whenever);
    }
    let Some(relative) = text.strip_prefix('+') else { return Ok(When::At(time(text)?)) };
    let (from, to) = relative.split_once('~').unwrap_or((relative, relative));
    Ok(When::After(time(from)?, time(to.trim_start_matches('+'))?))
}

/// Seconds, as ns.
fn time(text: &str) -> Result<u64> {
    let seconds: f64 = text.parse().map_err(|_| format!("{text} is no time"))?;
    Ok((seconds * 1e9).round() as u64)
}

fn event(text: &str) -> Result<Event> {
    if let Some(rest) = text.strip_prefix('?') {
        return rest.split(',').map(check).collect::<Result<_>>().map(Event::Check);
    }
    let (direction, rest) = match text.split_at(1) {
        ("<", rest) => (Event::In as fn(Packet) -> Event, rest),
        (">", rest) => (Event::Out as fn(Packet) -> Event, rest),
        _ => return call(text),
    };
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (peer, rest) = rest.split_at(digits);
    let peer = if peer.is_empty() { 1 } else { number(peer)? };
    match rest.trim().strip_prefix("icmp ") {
        Some(rest) => icmp(rest, peer),
        None => packet(rest.trim(), peer).map(direction),
    }
}

fn check(text: &str) -> Result<(String, String, String)> {
    match text.split_whitespace().collect::<Vec<_>>()[..] {
        [name, operator, value] => Ok((name.into(), operator.into(), value.into())),
        _ => Err("name operator value".into()),
    }
}

fn call(text: &str) -> Result<Event> {
    let (name, rest) = text.split_once('(').ok_or("a call, <, > or ?")?;
    let (args, result) = rest.rsplit_once(") =").ok_or("call(...) = result")?;
    let args = args.split(',').map(|arg| arg.trim().into()).collect();
    Ok(Event::Call { name: name.trim().into(), args, result: result.trim().into() })
}

/// `unreachable KIND [mtu N] [SEQ:END(LEN)]`
fn icmp(text: &str, peer: u8) -> Result<Event> {
    let words: Vec<_> = text.split_whitespace().collect();
    let (["unreachable", kind, middle @ ..], Some(quote)) = (&words[..words.len() - 1], words.last()) else {
        return Err("icmp unreachable KIND [mtu N] [SEQ:END(LEN)]".into());
    };
    let mtu = if let ["mtu", mtu] = middle { number(mtu)? } else { 0 };
    let (seq, _) = span(quote.trim_matches(['[', ']']))?;
    Ok(Event::Icmp { kind: (*kind).into(), mtu, seq, peer })
}

/// `[[ECN]] FLAGS SEQ:END(LEN) [ack N] [win N] [urg N] [<OPTIONS>]`
fn packet(text: &str, peer: u8) -> Result<Packet> {
    let (head, tail) = text.split_once('<').map_or((text, None), |(head, tail)| (head, Some(tail)));
    let mut words = head.split_whitespace();
    let mut packet = Packet { peer, ..Packet::default() };
    let mut flags = words.next().ok_or("flags")?;
    if let Some(name) = flags.strip_prefix('[') {
        packet.ecn = Some(match name.trim_end_matches(']') {
            "noecn" => 0,
            "ect0" => rkt_tcp::ECT,
            "ce" => rkt_tcp::CE,
            _ => return Err(format!("{name} is no ECN")),
        });
        flags = words.next().ok_or("flags")?;
    }
    for letter in flags.chars() {
        packet.flags |= match letter {
            'S' => Flags::SYN,
            'F' => Flags::FIN,
            'R' => Flags::RST,
            'P' => Flags::PSH,
            'U' => Flags::URG,
            'E' => Flags::ECE,
            'W' => Flags::CWR,
            '.' => Flags::empty(),
            '-' => continue,
            _ => return Err(format!("{letter} is no flag")),
        };
        packet.acknowledges |= letter == '.';
    }
    (packet.seq, packet.len) = span(words.next().ok_or("sequence numbers")?)?;
    while let Some(word) = words.next() {
        let value = words.next().ok_or("a number")?;
        match word {
            "ack" => packet.ack = number(value)?,
            "win" => packet.window = Some(number(value)?),
            "urg" => packet.urgent = number(value)?,
            _ => return Err(format!("{word}: ack, win or urg")),
        }
    }
    packet.options = match tail.map(|tail| tail.trim_end().trim_end_matches('>')) {
        Some("...") => None,
        Some(options) => Some(self::options(options)?),
        None => Some(Options::default()),
    };
    Ok(packet)
}

fn span(text: &str) -> Result<(u32, u32)> {
    let (start, rest) = text.split_once(':').ok_or("SEQ:END(LEN)")?;
    let (end, len) = rest.trim_end_matches(')').split_once('(').ok_or("SEQ:END(LEN)")?;
    let (start, end, len): (u32, u32, u32) = (number(start)?, number(end)?, number(len)?);
    if end.wrapping_sub(start) != len {
        return Err("the length is not the distance".into());
    }
    Ok((start, len))
}

fn options(text: &str) -> Result<Options> {
    let mut options = Options::default();
    let mut in_sack = false;
    for item in text.split(',') {
        let words: Vec<_> = item.split_whitespace().collect();
        match words[..] {
            ["nop"] | ["eol"] => {}
            ["mss", mss] => options.mss = Some(number(mss)?),
            ["wscale", scale] => options.scale = Some(number(scale)?),
            ["sackOK"] => options.sack_permitted = true,
            ["TS", "val", value, "ecr", echo] => options.timestamps = Some((stamp(value)?, stamp(echo)?)),
            ["sack", ref blocks @ ..] => {
                in_sack = true;
                for block in blocks {
                    options.sack.push(pair(block)?);
                }
            }
            [block] if in_sack => options.sack.push(pair(block)?),
            _ => return Err(format!("{item} is no option")),
        }
    }
    Ok(options)
}

fn stamp(text: &str) -> Result<Option<u32>> {
    if text == "*" { Ok(None) } else { number(text).map(Some) }
}

fn pair(text: &str) -> Result<(u32, u32)> {
    let (start, end) = text.split_once(':').ok_or("START:END")?;
    Ok((number(start)?, number(end)?))
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T> {
    text.parse().map_err(|_| format!("{text} is no number"))
}
