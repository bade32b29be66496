//! All open sockets, as others see them: /proc/net (proc_pid_net(5)) and sock_diag(7).

use crate::socket::Socket;
use crate::unix::UnixSocket;
use crate::{LinkAddress, NetStack, UnixAddress};
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::net::SocketAddr;
use hashbrown::HashMap;
use rkt_sync::Mutex;

/// States of connections (include/net/tcp_states.h), which datagram sockets borrow.
pub mod state {
    /// There is a peer.
    pub const ESTABLISHED: u8 = 1;
    /// connect(2) goes on.
    pub const SYN_SENT: u8 = 2;
    /// Over, and old segments die out.
    pub const TIME_WAIT: u8 = 6;
    /// There is none.
    pub const CLOSE: u8 = 7;
    /// The peer will send no more.
    pub const CLOSE_WAIT: u8 = 8;
    /// It listens.
    pub const LISTEN: u8 = 10;
}

/// A socket at one moment.
#[derive(Clone, Debug)]
pub struct Description {
    /// AF_*.
    pub family: u16,
    /// SOCK_*.
    pub kind: u8,
    /// IPPROTO_* of the Internet, the protocol of AF_NETLINK or AF_PACKET.
    pub protocol: u16,
    /// Of [`state`].
    pub state: u8,
    /// Bytes that wait to be read; of a listener the connections that wait.
    pub receive_queue: u32,
    /// Bytes that are not acknowledged; of a listener the most connections that may wait.
    pub send_queue: u32,
    /// Whose inode number it has; 0: nobody's.
    pub inode: u64,
    /// The user who made it.
    pub uid: u32,
    /// What its family knows.
    pub names: Names,
}

/// What a socket is called.
#[derive(Clone, Debug)]
pub enum Names {
    /// Of the Internet.
    Internet {
        /// Own address.
        local: SocketAddr,
        /// The peer's, if there is one.
        peer: Option<SocketAddr>,
        /// `struct tcp_info` of a connection of TCP, else empty.
        info: Vec<u8>,
        /// TCP_CONGESTION, else empty.
        congestion: Vec<u8>,
        /// IPV6_V6ONLY.
        v6_only: bool,
    },
    /// AF_UNIX.
    Unix {
        /// Its name.
        name: UnixAddress,
        /// The peer's inode number; 0: there is none.
        peer: u64,
    },
    /// AF_PACKET.
    Packet(LinkAddress),
    /// AF_NETLINK.
    Netlink {
        /// Its port.
        port: u32,
        /// Groups, a bit each.
        groups: u32,
    },
}

struct Entry {
    socket: Weak<dyn Socket>,
    uid: u32,
}

/// The sockets by inode number.
#[derive(Default)]
pub(crate) struct Census {
    sockets: Mutex<HashMap<u64, Entry>>,
}

impl NetStack {
    /// A socket was opened: it is the file with this inode, of this user.
    pub fn enrol(&self, socket: &Arc<dyn Socket>, inode: u64, uid: u32) {
        if let Some(socket) = socket.as_any().downcast_ref::<UnixSocket>() {
            socket.set_inode(inode);
        }
        self.census.sockets.lock().insert(inode, Entry { socket: Arc::downgrade(socket), uid });
    }

    /// It was closed.
    pub fn strike(&self, inode: u64) {
        let gone = self.census.sockets.lock().remove(&inode);
        drop(gone);
    }

    /// All sockets, and connections of TCP that are no longer anybody's, by inode number.
    pub fn sockets(&self) -> Vec<Description> {
        let all: Vec<_> = {
            let known = self.census.sockets.lock();
            known.iter().filter_map(|(inode, entry)| Some((*inode, entry.uid, entry.socket.upgrade()?))).collect()
        };
        let describe =
            |(inode, uid, socket): (u64, u32, Arc<dyn Socket>)| Some(Description { inode, uid, ..socket.describe()? });
        let mut out: Vec<_> = all.into_iter().filter_map(describe).collect();
        out.sort_unstable_by_key(|socket| socket.inode);
        self.add_orphans(&mut out);
        out
    }

    /// Connections that outlive their sockets.
    fn add_orphans(&self, out: &mut Vec<Description>) {
        let Some(stack) = self.stack() else { return };
        let held: hashbrown::HashSet<(SocketAddr, SocketAddr)> = out
            .iter()
            .filter_map(|socket| match &socket.names {
                Names::Internet { local, peer: Some(peer), .. } if socket.kind == 1 => {
                    Some((plain(*local), plain(*peer)))
                }
                _ => None,
            })
            .collect();
        for (local, peer, state) in stack.connections() {
            if !held.contains(&(local, peer)) {
                out.push(Description {
                    family: if local.is_ipv4() { crate::address::AF_INET } else { crate::address::AF_INET6 },
                    kind: 1,
                    protocol: rkt_linux_abi::net::IPPROTO_TCP as u16,
                    state,
                    receive_queue: 0,
                    send_queue: 0,
                    inode: 0,
                    uid: 0,
                    names: Names::Internet {
                        local,
                        peer: Some(peer),
                        info: Vec::new(),
                        congestion: Vec::new(),
                        v6_only: false,
                    },
                });
            }
        }
    }
}

/// An address as flows are known: IPv4 as such, without the name of a link.
fn plain(address: SocketAddr) -> SocketAddr {
    (address.ip().to_canonical(), address.port()).into()
}
