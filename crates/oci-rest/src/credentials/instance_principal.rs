//! The instance itself as the caller: its certificate is exchanged for a token.
//!
//! Source: Oracle, "Calling Services from an Instance"; the requests are those of Oracle's SDKs.

use std::sync::{Arc, Mutex, PoisonError};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use clock::{Clock, Deadline};
use http::{Request, Uri, header};
use oci_signer::{Coverage, KeyId, PrivateKey, SessionKey, Signer};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::json;
use zeroize::Zeroizing;

use super::token::{Session, Token, TokenService};
use crate::{Credentials, Error, MemoryCache, Metadata, Transport, metadata::Identity};

/// Signs as the instance that this program runs on.
///
/// The token is good for some twenty minutes. It is renewed five minutes before its end, and once after the
/// service has refused it. With a cache, later processes use it too, and ask nobody and make no key.
#[derive(Debug)]
pub struct InstancePrincipal {
    metadata: Arc<Metadata>,
    auth_endpoint: Option<Uri>,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    deadline: Deadline,
    cache: Option<MemoryCache>,
    session: Mutex<Option<Session>>,
}

/// A session in the cache.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// For whom it is, so that nobody takes it for another's.
    scope: String,
    token: Zeroizing<String>,
    /// PKCS#8, Base64.
    key: Zeroizing<String>,
}

impl InstancePrincipal {
    /// Asks `metadata` for the instance's certificate, and the identity service for tokens: at
    /// `auth_endpoint`, or the one of the instance's region. All of it ends with `deadline`.
    pub fn new(
        metadata: Arc<Metadata>,
        auth_endpoint: Option<Uri>,
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
        deadline: Deadline,
    ) -> Self {
        let session = Mutex::default();
        Self { metadata, auth_endpoint, transport, clock, deadline, cache: None, session }
    }

    /// The same, keeping sessions for later processes.
    #[must_use]
    pub fn with_cache(self, cache: MemoryCache) -> Self {
        Self { cache: Some(cache), ..self }
    }

    /// A session from the cache, or a new one.
    fn obtain(&self) -> Result<Session, Error> {
        if let Some(kept) = self.kept() {
            return Ok(kept);
        }
        let Some(cache) = &self.cache else { return Ok(self.federate()?.0) };
        let _lock = cache.lock(&*self.clock);
        // Somebody else may have been faster.
        if let Some(kept) = self.kept() {
            return Ok(kept);
        }
        let (session, key) = self.federate()?;
        let token = session.token.text.clone();
        cache.write(&self.name(), &Kept { scope: self.scope(), token, key });
        Ok(session)
    }

    fn kept(&self) -> Option<Session> {
        let kept: Kept = self.cache.as_ref()?.read(&self.name())?;
        let token = Token::parse(&kept.token).filter(|it| it.is_fresh(self.clock.now()))?;
        let key = Zeroizing::new(BASE64.decode(&*kept.key).ok()?);
        let key = SessionKey::from_der(&key).ok()?;
        (kept.scope == self.scope()).then(|| Session::new(token, key))
    }

    fn scope(&self) -> String {
        let auth = self.auth_endpoint.as_ref().map(Uri::to_string).unwrap_or_default();
        format!("{} {auth}", self.metadata.base())
    }

    fn name(&self) -> String {
        let digest = digest(&SHA256, self.scope().as_bytes());
        let hex: String = digest.as_ref().iter().take(8).map(|it| format!("{it:02x}")).collect();
        format!("session-{hex}")
    }

    /// Exchanges the instance's certificate for a token; also the new key, to be kept.
    fn federate(&self) -> Result<(Session, Zeroizing<String>), Error> {
        let identity = self.metadata.identity()?;
        let tenancy = match identity.tenancy() {
            Some(tenancy) => tenancy,
            None => match self.metadata.instance()?.tenant_id {
                Some(tenancy) => tenancy.to_string(),
                None => return Err(Error::Identity { problem: "it names no tenancy" }),
            },
        };
        let endpoint = match &self.auth_endpoint {
            Some(endpoint) => endpoint.to_string(),
            None => self.metadata.region()?.auth_endpoint(),
        };
        let leaf = PrivateKey::from_pem(&identity.key, None)
            .map_err(|source| Error::Sign { operation: "the request for a token", source })?;
        let signer = Signer::new(KeyId::federation(&tenancy, &identity.leaf_der), leaf)
            .with_coverage(Coverage::Federation);
        let key = SessionKey::generate()
            .map_err(|source| Error::Sign { operation: "the request for a token", source })?;
        let token = self.exchange(&endpoint, &signer, &identity, &key)?;
        log::info!("{endpoint} gave this instance a token: {token:?}");
        let kept = Zeroizing::new(BASE64.encode(key.to_der()));
        Ok((Session::new(token, key), kept))
    }

    fn exchange(
        &self,
        endpoint: &str,
        signer: &Signer,
        identity: &Identity,
        key: &SessionKey,
    ) -> Result<Token, Error> {
        let service = TokenService {
            who: "this instance",
            endpoint,
            advice: "check that it is in a dynamic group, and that its clock is right",
            transport: &*self.transport,
            clock: &*self.clock,
            deadline: self.deadline,
        };
        let body = json!({
            "certificate": identity.leaf,
            "publicKey": key.public_key(),
            "intermediateCertificates": [identity.intermediate],
            "fingerprintAlgorithm": "SHA256",
        })
        .to_string()
        .into_bytes();
        let uri = format!("{}/v1/x509", endpoint.trim_end_matches('/'));
        let answer = service.ask(|| {
            let request = Request::post(&uri).header(header::CONTENT_TYPE, "application/json");
            let request = request.body(body.clone());
            let request = request.map_err(|_| Error::Endpoint { endpoint: endpoint.to_owned() })?;
            let (mut parts, body) = request.into_parts();
            let signature = signer
                .sign(&parts, &body, self.clock.now())
                .map_err(|source| Error::Sign { operation: "the request for a token", source })?;
            parts.headers.extend(signature);
            Ok(Request::from_parts(parts, body))
        })?;
        let token: Option<Answer> = serde_json::from_slice(answer.body()).ok();
        let token = token.and_then(|it| Token::parse(&it.token));
        token.ok_or_else(|| service.error("its answer holds no token"))
    }
}

#[derive(Deserialize)]
struct Answer {
    token: Zeroizing<String>,
}

impl Credentials for InstancePrincipal {
    fn signer(&self) -> Result<Arc<Signer>, Error> {
        let mut held = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        match held.take().filter(|it| it.token.is_fresh(self.clock.now())) {
            Some(session) => Ok(Arc::clone(&held.insert(session).signer)),
            None => Ok(Arc::clone(&held.insert(self.obtain()?).signer)),
        }
    }

    fn describe(&self) -> String {
        "the instance itself (instance principal)".to_owned()
    }

    /// Forgets the refused token, unless another process has a newer one already.
    fn renew(&self) -> bool {
        let mut held = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = held.take();
        if let (Some(cache), Some(refused)) = (&self.cache, &refused)
            && self.kept().is_some_and(|kept| kept.token == refused.token)
        {
            cache.remove(&self.name());
        }
        refused.is_some()
    }
}
