//! System calls, settings and `?`.

use super::host::{Connection, Host, byte_at};
use crate::common::{MS, SECOND};
use rkt_tcp::{Algorithm, BufferSize, Error, KeepAlive, Listen, SendError, SendFlags, Setting, State, UrgentError};

/// What a call returns, as scripts write it, or why it makes no sense.
type Returned = Result<String, String>;

/// Performs a call.
pub fn call(host: &mut Host, name: &str, args: &[String]) -> Returned {
    let fd: u32 = match name {
        "socket" => 0,
        _ => arg(args, 0)?.parse().map_err(|_| "a descriptor")?,
    };
    match name {
        "socket" => ok(3),
        "bind" => ok(0),
        "listen" => {
            host.listening.backlog = number(arg(args, 1)?)?;
            host.listen = Some(Listen::new(host.config, host.listening, crate::common::SECRET));
            ok(0)
        }
        "accept" => Ok(accept(host)),
        "connect" => {
            let config = host.config;
            let Some(index) = host.connect(&config) else { return fail("EADDRNOTAVAIL") };
            host.descriptors.insert(fd, index);
            host.settle(index);
            fail("EINPROGRESS")
        }
        "close" if fd == 3 && host.listen.is_some() => {
            host.listen = None;
            ok(0)
        }
        "setsockopt" if !host.descriptors.contains_key(&fd) => set_early(host, arg(args, 2)?, arg(args, 3)?),
        _ => {
            let index = *host.descriptors.get(&fd).ok_or(format!("{fd} is no connection"))?;
            let now = host.now;
            let returned = on_connection(&mut host.connections[index], now, name, args)?;
            host.settle(index);
            if name == "close" {
                host.descriptors.remove(&fd);
            }
            Ok(returned)
        }
    }
}

fn accept(host: &mut Host) -> String {
    let Some(index) = host.accepted.pop_front() else { return "-1 EAGAIN".into() };
    if let Some(listen) = &mut host.listen {
        listen.taken();
    }
    let fd = (4..).find(|fd| !host.descriptors.contains_key(fd)).unwrap_or(4);
    host.descriptors.insert(fd, index);
    fd.to_string()
}

fn on_connection(connection: &mut Connection, now: u64, name: &str, args: &[String]) -> Returned {
    match name {
        "write" => write(connection, now, number(arg(args, 2)?)?, ""),
        "send" => write(connection, now, number(arg(args, 2)?)?, arg(args, 3)?),
        "read" => read(connection, now, number(arg(args, 2)?)?, false),
        "recv" if arg(args, 3)?.contains("MSG_OOB") => urgent(connection),
        "recv" => read(connection, now, number(arg(args, 2)?)?, arg(args, 3)?.contains("MSG_PEEK")),
        "shutdown" => {
            if arg(args, 1)? != "SHUT_RD" {
                connection.tcb.shutdown_send();
            }
            ok(0)
        }
        "close" => {
            if connection.resets {
                connection.tcb.abort()
            } else {
                connection.tcb.close(now)
            };
            ok(0)
        }
        "setsockopt" => set(connection, now, arg(args, 2)?, arg(args, 3)?),
        "getsockopt" => {
            let found = connection.tcb.take_error().map_or("0".to_owned(), errno);
            let wanted = bare(arg(args, 3)?);
            if found == wanted { ok(0) } else { Err(format!("SO_ERROR is {found}, not {wanted}")) }
        }
        "ioctl" => {
            let found = match arg(args, 1)? {
                "SIOCATMARK" => usize::from(connection.tcb.at_mark()),
                "SIOCOUTQ" => connection.tcb.unacknowledged(),
                "SIOCOUTQNSD" => connection.tcb.unsent(),
                "SIOCINQ" => connection.tcb.readable(),
                other => return Err(format!("{other} is not known")),
            };
            let wanted = bare(arg(args, 2)?);
            if found.to_string() == wanted { ok(0) } else { Err(format!("it is {found}, not {wanted}")) }
        }
        "poll" => Ok(poll(connection)),
        _ => Err(format!("{name} is not known")),
    }
}

fn write(connection: &mut Connection, now: u64, len: usize, flags: &str) -> Returned {
    if let Some(error) = connection.tcb.take_error() {
        return fail(&errno(error));
    }
    let mut send_flags = SendFlags::empty();
    send_flags.set(SendFlags::MORE, flags.contains("MSG_MORE"));
    send_flags.set(SendFlags::URGENT, flags.contains("MSG_OOB"));
    let (mut left, written) = (len, &mut connection.written);
    let result = connection.tcb.send(now, send_flags, &mut |into| {
        let taken = into.len().min(left);
        for byte in &mut into[..taken] {
            *byte = byte_at(*written);
            *written += 1;
        }
        left -= taken;
        taken
    });
    match result {
        Ok(taken) => ok(taken),
        Err(SendError::WouldBlock) => fail("EAGAIN"),
        Err(SendError::Closed) => fail("EPIPE"),
        Err(SendError::NoMemory) => fail("ENOBUFS"),
    }
}

fn read(connection: &mut Connection, now: u64, len: usize, peek: bool) -> Returned {
    let (mut left, mut seq, mut intact) = (len, connection.read, true);
    // The stream goes on behind an urgent byte, whose place it leaves.
    seq += u32::from(connection.tcb.at_mark() && connection.tcb.readable() > 0 && !connection.inline);
    let mut take = |bytes: &[u8]| {
        let taken = bytes.len().min(left);
        intact &= bytes[..taken].iter().zip(seq..).all(|(byte, seq)| *byte == byte_at(seq));
        seq += taken as u32;
        left -= taken;
        taken
    };
    let tcb = &mut connection.tcb;
    let taken = if peek { tcb.peek(0, &mut take) } else { tcb.receive(now, &mut take) };
    if !intact {
        return Err("the stream is not what was sent".into());
    }
    if !peek && taken > 0 {
        connection.read = seq;
    }
    if taken > 0 {
        return ok(taken);
    }
    match connection.tcb.take_error() {
        Some(error) => fail(&errno(error)),
        None if connection.tcb.is_finished() => ok(0),
        None => fail("EAGAIN"),
    }
}

fn urgent(connection: &mut Connection) -> Returned {
    match connection.tcb.urgent(false) {
        Ok(_) => ok(1),
        Err(UrgentError::None) => fail("EINVAL"),
        Err(UrgentError::Awaited) => fail("EAGAIN"),
    }
}

fn poll(connection: &Connection) -> String {
    let tcb = &connection.tcb;
    let over = matches!(tcb.state(), State::Closed);
    let names = [
        (tcb.readable() > 0 || tcb.is_finished(), "POLLIN"),
        (tcb.has_urgent(), "POLLPRI"),
        (tcb.is_writable() || over, "POLLOUT"),
        (tcb.has_error(), "POLLERR"),
        (over, "POLLHUP"),
        (tcb.is_finished(), "POLLRDHUP"),
    ];
    let found: Vec<_> = names.iter().filter(|(is, _)| *is).map(|(_, name)| *name).collect();
    if found.is_empty() { "0".into() } else { found.join("|") }
}

/// Options of a socket that is not connected yet: the connection gets them.
fn set_early(host: &mut Host, name: &str, value: &str) -> Returned {
    let config = &mut host.config;
    let number: u64 = number(&bare(value))?;
    match name {
        "SO_REUSEADDR" => {}
        "TCP_NODELAY" => config.nodelay = number != 0,
        "TCP_CORK" => config.cork = number != 0,
        "TCP_MAXSEG" => config.mss = number as u16,
        "TCP_SYNCNT" => config.syn_retries = number as u8,
        "TCP_USER_TIMEOUT" => config.user_timeout = (number > 0).then_some(number * MS),
        "TCP_DEFER_ACCEPT" => host.listening.defer = (number > 0).then_some(number * SECOND),
        "TCP_LINGER2" => config.fin_timeout = number * SECOND,
        "SO_OOBINLINE" => config.urgent_inline = number != 0,
        "SO_RCVBUF" => config.receive_buffer = doubled(number, 2304),
        "SO_SNDBUF" => config.send_buffer = doubled(number, 4608),
        "SO_KEEPALIVE" => config.keepalive = (number != 0).then(KeepAlive::default),
        "TCP_KEEPIDLE" => keepalive(&mut config.keepalive).idle = number * SECOND,
        "TCP_KEEPINTVL" => keepalive(&mut config.keepalive).interval = number * SECOND,
        "TCP_KEEPCNT" => keepalive(&mut config.keepalive).count = number as u8,
        _ => return Err(format!("{name} is not known")),
    }
    ok(0)
}

fn keepalive(setting: &mut Option<KeepAlive>) -> &mut KeepAlive {
    setting.get_or_insert_with(KeepAlive::default)
}

/// Linux doubles what `SO_RCVBUF` and `SO_SNDBUF` say, for overhead.
fn doubled(size: u64, least: u32) -> BufferSize {
    let size = (2 * size as u32).max(least);
    BufferSize { initial: size, max: size }
}

fn set(connection: &mut Connection, now: u64, name: &str, value: &str) -> Returned {
    let value = bare(value);
    let algorithm = if value == "reno" { Algorithm::Reno } else { Algorithm::Cubic };
    let number: u64 = value.parse().unwrap_or(0);
    if name == "SO_OOBINLINE" {
        connection.inline = number != 0;
    }
    let setting = match name {
        "TCP_NODELAY" => Setting::NoDelay(number != 0),
        "TCP_CORK" => Setting::Cork(number != 0),
        "TCP_QUICKACK" => Setting::QuickAck(number != 0),
        "TCP_LINGER2" => Setting::FinTimeout(number * SECOND),
        "TCP_USER_TIMEOUT" => Setting::UserTimeout((number > 0).then_some(number * MS)),
        "TCP_CONGESTION" => Setting::Congestion(algorithm),
        "SO_OOBINLINE" => Setting::UrgentInline(number != 0),
        "SO_RCVBUF" => Setting::ReceiveBuffer(2 * number as u32),
        "SO_SNDBUF" => Setting::SendBuffer(2 * number as u32),
        "SO_KEEPALIVE" => Setting::KeepAlive((number != 0).then(KeepAlive::default)),
        "SO_LINGER" => {
            connection.resets = true;
            return ok(0);
        }
        _ => return Err(format!("{name} is not known")),
    };
    connection.tcb.set(now, setting);
    ok(0)
}

/// `sysctl net.ipv4.NAME=VALUE`, and `mtu`, `gso`.
pub fn sysctl(host: &mut Host, name: &str, value: &str) -> Result<(), String> {
    let config = &mut host.config;
    let last = |text: &str| text.split_whitespace().next_back().map_or(Err("no value".to_owned()), number);
    let middle = |text: &str| text.split_whitespace().nth(1).map_or(Err("three values".to_owned()), number);
    match name.trim_start_matches("net.ipv4.") {
        "tcp_sack" => config.sack = value != "0",
        "tcp_timestamps" => config.timestamps = value != "0",
        "tcp_window_scaling" => config.window_scaling = value != "0",
        "tcp_congestion_control" if value == "reno" => config.congestion = Algorithm::Reno,
        "tcp_congestion_control" if value == "cubic" => config.congestion = Algorithm::Cubic,
        "tcp_syn_retries" => config.syn_retries = number(value)?,
        "tcp_synack_retries" => host.listening.retries = number(value)?,
        "tcp_syncookies" => host.listening.cookies = value != "0",
        "tcp_retries2" => config.retries = number(value)?,
        "tcp_fin_timeout" => config.fin_timeout = number::<u64>(value)? * SECOND,
        "tcp_rmem" => config.receive_buffer = BufferSize { initial: middle(value)?, max: last(value)? },
        "tcp_wmem" => config.send_buffer = BufferSize { initial: middle(value)?, max: last(value)? },
        "mtu" => config.mss = number::<u16>(value)?.saturating_sub(40),
        "gso" => host.row = number(value)?,
        _ => return Err(format!("{name}={value} is not known")),
    }
    Ok(())
}

/// What `?` asks for: a field of `struct tcp_info` of peer one's connection, in Linux's units, or of the
/// listener.
pub fn look(host: &mut Host, name: &str) -> Result<u64, String> {
    let listen = host.listen.as_ref();
    match name {
        "half_open" => return Ok(listen.map_or(0, |listen| listen.half_open() as u64)),
        "queued" => return Ok(listen.map_or(0, |listen| listen.queued().into())),
        "time_wait" => return Ok(host.waits.len() as u64),
        _ => {}
    }
    let now = host.now;
    let connection = host.connections.last().ok_or("there is no connection")?;
    let info = connection.tcb.info(now);
    let mss = u64::from(info.snd_mss).max(1);
    let micro = |time: u64| time / 1000;
    Ok(match name {
        "tcpi_state" => info.state.into(),
        "tcpi_ca_state" => info.recovery as u64,
        "tcpi_snd_cwnd" => info.cwnd / mss,
        "tcpi_snd_ssthresh" if info.ssthresh == u64::MAX => i32::MAX as u64,
        "tcpi_snd_ssthresh" => info.ssthresh / mss,
        "tcpi_unacked" => info.unacked.div_ceil(mss),
        "tcpi_sacked" => info.sacked.div_ceil(mss),
        "tcpi_lost" => info.lost.div_ceil(mss),
        "tcpi_retrans" => info.retrans.div_ceil(mss),
        "tcpi_total_retrans" => info.total_retrans.into(),
        "tcpi_backoff" => info.backoff.into(),
        "tcpi_probes" => info.probes.into(),
        "tcpi_rto" => micro(info.rto),
        "tcpi_rtt" => micro(info.rtt),
        "tcpi_rttvar" => micro(info.rtt_var),
        "tcpi_min_rtt" => micro(info.min_rtt),
        "tcpi_snd_mss" => mss,
        "tcpi_rcv_mss" => info.rcv_mss.into(),
        "tcpi_advmss" => info.adv_mss.into(),
        "tcpi_snd_wnd" => info.snd_wnd,
        "tcpi_rcv_wnd" => info.rcv_wnd,
        "tcpi_notsent_bytes" => info.not_sent,
        "tcpi_bytes_acked" => info.bytes_acked,
        "tcpi_bytes_received" => info.bytes_received,
        "tcpi_bytes_retrans" => info.bytes_retrans,
        "tcpi_dsack_dups" => info.dsack_dups.into(),
        "tcpi_reord_seen" => info.reordering_seen.into(),
        "tcpi_rcv_ooopack" => info.rcv_ooopack.into(),
        "tcpi_total_rto" => info.total_rto.into(),
        _ => return Err(format!("{name} is not known")),
    })
}

/// A number, or the name of a state.
pub fn value(text: &str) -> Result<u64, String> {
    const STATES: [&str; 11] = [
        "TCP_ESTABLISHED",
        "TCP_SYN_SENT",
        "TCP_SYN_RECV",
        "TCP_FIN_WAIT1",
        "TCP_FIN_WAIT2",
        "TCP_TIME_WAIT",
        "TCP_CLOSE",
        "TCP_CLOSE_WAIT",
        "TCP_LAST_ACK",
        "TCP_LISTEN",
        "TCP_CLOSING",
    ];
    const PHASES: [&str; 5] = ["TCP_CA_Open", "TCP_CA_Disorder", "TCP_CA_CWR", "TCP_CA_Recovery", "TCP_CA_Loss"];
    let state = STATES.iter().position(|name| *name == text).map(|index| index as u64 + 1);
    let phase = PHASES.iter().position(|name| *name == text).map(|index| index as u64);
    state.or(phase).map_or_else(|| number(text), Ok)
}

fn errno(error: Error) -> String {
    match error {
        Error::Refused => "ECONNREFUSED".into(),
        Error::Reset => "ECONNRESET".into(),
        Error::Broken => "EPIPE".into(),
        Error::TimedOut => "ETIMEDOUT".into(),
        Error::Network(92) => "ENOPROTOOPT".into(),
        Error::Network(101) => "ENETUNREACH".into(),
        Error::Network(111) => "ECONNREFUSED".into(),
        Error::Network(113) => "EHOSTUNREACH".into(),
        Error::Network(other) => other.to_string(),
    }
}

fn ok(value: impl ToString) -> Returned {
    Ok(value.to_string())
}

fn fail(errno: &str) -> Returned {
    Ok(format!("-1 {errno}"))
}

fn arg(args: &[String], index: usize) -> Result<&str, String> {
    args.get(index).map(String::as_str).ok_or_else(|| format!("argument {index} is missing"))
}

/// Without the brackets of a pointed-to value.
fn bare(text: &str) -> String {
    text.trim_matches(['[', ']', '{', '}', '"']).into()
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text} is no number"))
}
