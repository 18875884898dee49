//! Asking name servers.

use std::{
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    sync::mpsc::{RecvTimeoutError, sync_channel},
    thread,
    vec::IntoIter,
};

use ::ureq::{
    Error,
    config::Config,
    http::{Uri, uri::Scheme},
    unversioned::{
        resolver::{ResolvedSocketAddrs, Resolver},
        transport::NextTimeout,
    },
};

/// Looks names up as the C library does, in a thread that is left behind when the time is up. Addresses need no
/// thread, and where none can be started that is an error: the HTTP library's own panics.
#[derive(Debug)]
pub(crate) struct Names;

impl Resolver for Names {
    fn resolve(
        &self,
        uri: &Uri,
        _: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let default = if uri.scheme() == Some(&Scheme::HTTP) { 80 } else { 443 };
        let port = uri.port_u16().unwrap_or(default);
        let mut found = self.empty();
        if let Ok(address) = host.parse::<IpAddr>() {
            found.push((address, port).into());
            return Ok(found);
        }
        look_up(host, port, timeout)?.take(MOST).for_each(|address| found.push(address));
        if found.is_empty() { Err(Error::HostNotFound) } else { Ok(found) }
    }
}

fn look_up(host: String, port: u16, timeout: NextTimeout) -> Result<IntoIter<SocketAddr>, Error> {
    let (sender, receiver) = sync_channel(1);
    thread::Builder::new().spawn(move || sender.send((&*host, port).to_socket_addrs()).ok())?;
    match receiver.recv_timeout(*timeout.after) {
        Ok(found) => Ok(found?),
        Err(RecvTimeoutError::Timeout) => Err(Error::Timeout(timeout.reason)),
        Err(RecvTimeoutError::Disconnected) => {
            Err(io::Error::other("the look-up has ended").into())
        }
    }
}

/// As many as the HTTP library keeps.
const MOST: usize = 16;
