//! Signs with tokens: keeps one, and gets another before it ends or when it is refused.

use std::{
    fmt::Debug,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use clock::Clock;
use oci_signer::Signer;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{Credentials, Error, MemoryCache, Session};

/// Where tokens come from.
pub trait TokenSource: Debug + Send + Sync {
    /// A new token with its key, got within `limit`. It may take its time: what it gives is kept.
    ///
    /// # Errors
    /// There is none; the error says what was tried and what to do.
    fn session(&self, limit: Duration) -> Result<Session, Error>;

    /// Who this is, in words for the operator of a refused request; never a secret.
    fn describe(&self) -> String;

    /// A text that differs wherever another token would be got on this machine, for a cache that
    /// processes share. Without one, nothing is cached.
    fn identity(&self) -> Option<String> {
        None
    }
}

/// Signs with the tokens of a source.
///
/// A token is used until 5 minutes before its end; then another is fetched, and if that fails, the
/// old one is used as long as it is valid. A token that the service refuses is given up at once.
#[derive(Debug)]
pub struct TokenCredentials {
    source: Box<dyn TokenSource>,
    clock: Arc<dyn Clock>,
    cache: Option<MemoryCache>,
    delegation_token: Option<PathBuf>,
    current: Mutex<Option<Current>>,
}

#[derive(Debug)]
struct Current {
    session: Session,
    signer: Arc<Signer>,
}

impl TokenCredentials {
    /// Credentials that keep their token in this process.
    pub fn new(source: Box<dyn TokenSource>, clock: Arc<dyn Clock>) -> Self {
        Self { source, clock, cache: None, delegation_token: None, current: Mutex::default() }
    }

    /// The same, sharing the token and its key with other processes of this user on this machine.
    #[must_use]
    pub fn with_cache(self, cache: MemoryCache) -> Self {
        Self { cache: Some(cache), ..self }
    }

    /// The same, acting on behalf of the user whose delegation token is in the file: an instance or
    /// another resource then may do what the user may. The file is read for each signer that is made.
    #[must_use]
    pub fn on_behalf_of(self, delegation_token: impl Into<PathBuf>) -> Self {
        Self { delegation_token: Some(delegation_token.into()), ..self }
    }

    fn make_signer(&self, session: &Session) -> Result<Signer, Error> {
        let signer = session.signer()?;
        let Some(path) = &self.delegation_token else { return Ok(signer) };
        let wrong = |problem: &str, source| {
            let problem = format!("{problem} {}", path.display());
            Error::credentials("the delegation token", problem, Some(source))
        };
        let token = super::read(path);
        let token = token.map_err(|source| wrong("cannot read", Box::new(source)))?;
        signer.on_behalf_of(&token).map_err(|source| wrong("it is not in", Box::new(source)))
    }

    fn cached(&self, identity: &str) -> Option<Session> {
        let cache = self.cache.as_ref()?;
        let entry: Entry = serde_json::from_str(&cache.load(identity)?).ok()?;
        let session = Session::new(&entry.token, entry.key, None).ok()?;
        session.is_fresh(self.clock.now()).then_some(session)
    }

    fn fetch(&self, limit: Duration) -> Result<Session, Error> {
        let (Some(cache), Some(identity)) = (&self.cache, self.source.identity()) else {
            return self.source.session(limit);
        };
        if let Some(session) = self.cached(&identity) {
            return Ok(session);
        }
        // Of several calls at once, one asks and the others find its answer.
        let _held = cache.lock(&identity, &*self.clock, limit.min(LOCK_LIMIT));
        if let Some(session) = self.cached(&identity) {
            return Ok(session);
        }
        let session = self.source.session(limit)?;
        let entry = Entry {
            token: Zeroizing::new(session.token().to_owned()),
            key: Zeroizing::new(session.key_pem().to_owned()),
        };
        if let Ok(text) = serde_json::to_string(&entry) {
            cache.store(&identity, &Zeroizing::new(text));
        }
        Ok(session)
    }

    fn current(&self) -> MutexGuard<'_, Option<Current>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Credentials for TokenCredentials {
    fn signer(&self, limit: Duration) -> Result<Arc<Signer>, Error> {
        let mut current = self.current();
        let now = self.clock.now();
        if let Some(current) = current.as_ref().filter(|it| it.session.is_fresh(now)) {
            return Ok(Arc::clone(&current.signer));
        }
        match (self.fetch(limit), current.as_ref().filter(|it| it.session.is_valid(now))) {
            (Ok(session), _) => {
                let signer = Arc::new(self.make_signer(&session)?);
                *current = Some(Current { session, signer: Arc::clone(&signer) });
                Ok(signer)
            }
            (Err(error), Some(old)) => {
                log::warn!("{error}; the old token is used as long as it is valid");
                Ok(Arc::clone(&old.signer))
            }
            (Err(error), None) => Err(error),
        }
    }

    fn describe(&self) -> String {
        let source = self.source.describe();
        match &self.delegation_token {
            Some(path) => format!("{source} on behalf of the user of {}", path.display()),
            None => source,
        }
    }

    fn renew(&self) -> bool {
        let Some(refused) = self.current().take() else { return false };
        if let (Some(cache), Some(identity)) = (&self.cache, self.source.identity()) {
            // Another process may have renewed it meanwhile.
            let same = |it: &Session| it.token() == refused.session.token();
            if self.cached(&identity).as_ref().is_none_or(same) {
                cache.remove(&identity);
            }
        }
        true
    }
}

/// What is cached; when the token ends is said by the token.
#[derive(Serialize, Deserialize)]
struct Entry {
    token: Zeroizing<String>,
    key: Zeroizing<String>,
}

const LOCK_LIMIT: Duration = Duration::from_secs(5);
