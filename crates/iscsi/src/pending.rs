//! What this machine shows of a login that iscsid speaks of and that has made no session.
//!
//! iscsid makes the kernel's session when the portal has taken its connection; until then the connection is all there
//! is to be seen (open-iscsi 2.1.8, `usr/initiator.c`).

use std::{
    fmt, fs,
    net::{IpAddr, SocketAddr},
};

use crate::{Error, Initiator, Target, session::sessions};

/// How far a login has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Pending {
    /// Neither a session nor a connection: between two attempts, or iscsid is mistaken.
    #[default]
    Unseen,
    /// A connection that the portal has not taken.
    Connecting,
    /// A connection that the portal has taken, without a session.
    Connected,
    /// A session of this name in sysfs, which says through which portal it is made neither yet nor in numbers.
    Session(String),
}

impl fmt::Display for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unseen => f.write_str(
                "the kernel shows neither a session nor a connection to the portal; if that stays so, iscsid is \
                 stuck or mistaken (systemctl restart iscsid), or in another network namespace than kubelet",
            ),
            Self::Connecting => f.write_str("the portal does not answer yet"),
            Self::Connected => f.write_str(
                "the portal has taken the connection, and the target does not answer the login yet",
            ),
            Self::Session(name) => write!(
                f,
                "{name} is there, but the kernel does not show an address as its portal; iscsiadm --mode session \
                 --print 3 shows whose it is"
            ),
        }
    }
}

impl Initiator {
    /// What is to be seen now of a login to `target` that has made no session through its portal.
    ///
    /// # Errors
    /// sysfs does not read.
    pub(crate) fn pending(&self, target: &Target) -> Result<Pending, Error> {
        let sessions = sessions(&self.host.sysfs)?;
        let same_name = |iqn: &str| iqn == target.iqn.as_ref();
        if let Some(it) = sessions.iter().find(|it| it.portal.is_none() && same_name(&it.iqn)) {
            return Ok(Pending::Session(it.name.clone()));
        }
        let portal = target.portal();
        let connections: Vec<Connection> = TABLES
            .iter()
            // What does not read shows nothing.
            .flat_map(|table| fs::read_to_string(self.host.proc.join(table)))
            .flat_map(|text| connections(&text, portal))
            .collect();
        let count = |kind| connections.iter().filter(|it| **it == kind).count();
        // Other targets may have sessions through this portal.
        let of_sessions = sessions.iter().filter(|it| it.portal == Some(portal)).count();
        Ok(match (count(Connection::Asked), count(Connection::Made)) {
            (1.., _) => Pending::Connecting,
            (0, made) if made > of_sessions => Pending::Connected,
            _ => Pending::Unseen,
        })
    }
}

/// A connection to a portal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Connection {
    Asked,
    Made,
}

/// The connections to `portal` in a table like `/proc/net/tcp` (Linux, `Documentation/networking/proc_net_tcp.rst`).
fn connections(table: &str, portal: SocketAddr) -> Vec<Connection> {
    let connection = |line: &str| {
        let mut fields = line.split_ascii_whitespace().skip(2);
        let (address, port) = fields.next()?.split_once(':')?;
        let state = fields.next()?;
        let at = SocketAddr::new(address_of(address)?, u16::from_str_radix(port, 16).ok()?);
        match state {
            _ if at != SocketAddr::new(portal.ip().to_canonical(), portal.port()) => None,
            "01" => Some(Connection::Made),
            "02" => Some(Connection::Asked),
            _ => None,
        }
    };
    table.lines().filter_map(connection).collect()
}

/// Words of 32 bits in the byte order of the network, each printed as a number of this machine.
fn address_of(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| {
        let digits = hex.get(at * 8..at * 8 + 8)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    match hex.len() {
        8 => Some(IpAddr::from(word(0)?)),
        32 => {
            let mut bytes = [0; 16];
            for (at, part) in bytes.chunks_exact_mut(4).enumerate() {
                part.copy_from_slice(&word(at)?);
            }
            Some(IpAddr::from(bytes).to_canonical())
        }
        _ => None,
    }
}

const TABLES: [&str; 2] = ["net/tcp", "net/tcp6"];

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    const TABLE: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0202000A:8A3C 0202FEA9:0CBC 02 00000001:00000000 01:00000064 00000000     0        0 1
   1: 0202000A:8A3D 0202FEA9:0CBC 01 00000000:00000000 00:00000000 00000000     0        0 2
   2: 0202000A:8A3E 0202FEA9:0CBC 06 00000000:00000000 00:00000000 00000000     0        0 3
   3: 0202000A:8A3F 0202FEA9:0CBD 01 00000000:00000000 00:00000000 00000000     0        0 4
   4: 00000000000000000000000000000000:0016 0000C1FD000000000000000002000000:0CBC 02 0
   5: 00000000000000000000000000000000:0016 0000000000000000FFFF00000302FEA9:0CBC 01 0
   6: 0202000A:8A3F 0202FEA9 01
   7:";

    #[test]
    #[cfg(target_endian = "little")]
    fn connections_are_known_by_their_far_end() {
        use Connection::{Asked, Made};
        for (portal, expected) in [
            ("169.254.2.2:3260", &[Asked, Made][..]),
            ("169.254.2.2:3261", &[Made]),
            ("169.254.2.3:3260", &[Made]),
            ("169.254.2.4:3260", &[]),
        ] {
            assert_eq!(connections(TABLE, portal.parse().unwrap()), expected, "{portal}");
        }
    }

    #[test]
    fn the_kernels_own_table_is_read() {
        for at in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(at).unwrap();
            let portal = listener.local_addr().unwrap();
            let _client = TcpStream::connect(portal).unwrap();
            let tables = TABLES.map(|table| fs::read_to_string(format!("/proc/{table}")).unwrap());
            let found: Vec<_> = tables.iter().flat_map(|it| connections(it, portal)).collect();
            assert_eq!(found, [Connection::Made], "{portal}");
        }
    }
}
