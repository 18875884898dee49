//! Addresses of hosts: looked up once, and not for every request.
//!
//! ureq looks a host up even when it has a connection to it, in a thread of its own. Name servers are asked anew each time
//! where the C library keeps nothing, as musl's does.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ::ureq::{
    Error,
    config::Config,
    http::{Uri, uri::Authority},
    unversioned::{
        resolver::{ResolvedSocketAddrs, Resolver},
        transport::NextTimeout,
    },
};

use crate::transport::{Failed, Step};

/// The addresses of the hosts that were met. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Addresses {
    names: Arc<dyn Resolver>,
    known: Arc<Mutex<Known>>,
}

/// Scheme and authority of a URI, and where they lead.
type Known = Vec<((String, String), Vec<SocketAddr>)>;

impl Addresses {
    /// For the hosts that `names` knows.
    pub(crate) fn new(names: impl Resolver) -> Self {
        Self { names: Arc::new(names), known: Arc::default() }
    }

    /// Looks every host up again: one of them did not answer as it should, and may have moved.
    pub(crate) fn forget(&self) {
        self.known().clear();
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Resolver for Addresses {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let part = |part: Option<&str>| part.unwrap_or_default().to_owned();
        let host = (part(uri.scheme_str()), part(uri.authority().map(Authority::as_str)));
        let mut addresses = self.empty();
        if let Some((_, known)) = self.known().iter().find(|(name, _)| *name == host) {
            known.iter().for_each(|address| addresses.push(*address));
            return Ok(addresses);
        }
        let found = self.names.resolve(uri, config, timeout);
        let found = found.map_err(|error| Failed::mark(None, Step::Lookup, error))?;
        self.known().push((host, found.to_vec()));
        Ok(found)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use ::ureq::unversioned::transport::time::Duration;

    /// A name server with the addresses of a host that moves, the last one first.
    #[derive(Debug)]
    pub(crate) struct Moves(Mutex<Vec<SocketAddr>>);

    impl Moves {
        pub(crate) fn from(addresses: Vec<SocketAddr>) -> Self {
            Self(addresses.into())
        }
    }

    impl Resolver for Moves {
        fn resolve(
            &self,
            _: &Uri,
            _: &Config,
            _: NextTimeout,
        ) -> Result<ResolvedSocketAddrs, Error> {
            let mut addresses = self.empty();
            let next = self.0.lock().unwrap().pop();
            addresses.push(next.ok_or(Error::HostNotFound)?);
            Ok(addresses)
        }
    }

    #[test]
    fn a_host_is_looked_up_once_until_it_is_forgotten() {
        let ports = [4, 3, 2, 1, 0];
        let moves = Moves::from(ports.map(|port| ([127, 0, 0, 1], port).into()).to_vec());
        let addresses = Addresses::new(moves);
        let port = |uri: &'static str| {
            let timeout = NextTimeout { after: Duration::NotHappening, ..NextTimeout::default() };
            let found = addresses.resolve(&Uri::from_static(uri), &Config::default(), timeout);
            found.unwrap().iter().map(SocketAddr::port).collect::<Vec<_>>()
        };
        assert_eq!(port("https://a.example/1"), [0]);
        assert_eq!(port("https://b.example/1"), [1]);
        assert_eq!(port("https://a.example/2"), [0]);
        assert_eq!(port("http://a.example/2"), [2]);
        assert_eq!(port("https://a.example:8443/2"), [3]);
        addresses.forget();
        assert_eq!(port("https://a.example/2"), [4]);
    }
}
