//! What the enclave's network counts while it runs: asked for and read through the window.
//!
//! The text is the enclave's: only words and numbers of the expected form are taken.

use rkt_window::{OutOfBounds, Region, layout, layout::header, layout::live};

/// Most lines that are looked at.
const MOST: usize = 4096;

/// A pair of queues or a socket, with its counters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// Of a queue the interface and the number, of a socket the protocol and both addresses.
    pub names: Vec<String>,
    /// Counters in the order in which they came.
    pub counters: Vec<(String, u64)>,
}

/// Everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Live {
    /// Pairs of queues of the network cards.
    pub queues: Vec<Row>,
    /// Sockets of the Internet.
    pub sockets: Vec<Row>,
}

/// Asks the enclave for fresh counters; it answers when it comes to it.
pub(crate) fn ask(window: &Region) -> Result<(), OutOfBounds> {
    window.atomic_u32(header::LIVE_ASKED)?.fetch_add(1, std::sync::atomic::Ordering::Release);
    Ok(())
}

/// Whether the enclave has answered.
pub(crate) fn is_answered(window: &Region) -> Result<bool, OutOfBounds> {
    Ok(window.read_u32(header::LIVE_ASKED)? == window.read_u32(layout::LIVE + live::ANSWERED)?)
}

/// The last answer. A line that the enclave is writing at this moment may be torn: it is then left out or wrong.
pub(crate) fn read(window: &Region) -> Result<Live, OutOfBounds> {
    let len = (window.read_u32(layout::LIVE + live::LEN)? as usize).min(layout::LIVE_LEN - live::TEXT);
    let mut bytes = vec![0; len];
    window.read(layout::LIVE + live::TEXT, &mut bytes)?;
    Ok(parse(&String::from_utf8_lossy(&bytes)))
}

fn parse(text: &str) -> Live {
    let mut all = Live::default();
    for line in text.lines().take(MOST) {
        let mut words = line.split(' ').filter(|word| is_plain(word));
        let (to, names) = match words.next() {
            Some("queue") => (&mut all.queues, 2),
            Some("socket") => (&mut all.sockets, 3),
            _ => continue,
        };
        let names: Vec<String> = words.by_ref().take(names).map(str::to_owned).collect();
        let counter = |word: &str| Some((word.split_once('=')?.0.to_owned(), word.split_once('=')?.1.parse().ok()?));
        to.push(Row { names, counters: words.filter_map(counter).collect() });
    }
    all
}

fn is_plain(word: &str) -> bool {
    !word.is_empty() && word.len() < 100 && word.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_expected_is_taken() {
        let live = parse("queue eth0 0 rx_frames=3 x=y\nsocket tcp 1.2.3.4:5 * state=10\n\u{7}bell\nother 1\nqueue\n");
        let counters = vec![("rx_frames".to_owned(), 3)];
        assert_eq!(live.queues[0], Row { names: vec!["eth0".into(), "0".into()], counters });
        assert_eq!(live.sockets[0].names, ["tcp", "1.2.3.4:5", "*"]);
        assert_eq!((live.queues.len(), live.sockets.len()), (2, 1));
    }
}
