//! Resource principals: what functions, container instances and other resources find in their
//! environment.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use clock::Deadline;
use oci_signer::{KeyId, Signer};

use super::{
    federation::TokenRequest,
    resource_environment::{self, Environment, Key, Service, Version, WHAT},
    resource_token::ResourceToken,
};
use crate::{Error, InstancePrincipals, Session, SessionKey, TokenSource};

/// The resource that this program is or runs in, by the variables `OCI_RESOURCE_PRINCIPAL_*`.
///
/// | version | in the environment | tokens |
/// |---|---|---|
/// | 1.1 | where the owning service and the auth service are | asked for as the instance |
/// | 2.1, 2.1.1, 2.1.2 | the same, and the resource's name and key | asked for with that key |
/// | 2.2 | a token and its key, or the files that hold them | read again when one ends or is refused |
/// | 3.0 | one of these for a part of a resource | that part's, exchanged for that of the whole |
///
/// Keys and passphrases are in the variable or in the file that it names.
///
/// Source: Oracle's SDKs.
#[derive(Debug)]
pub struct ResourcePrincipal {
    environment: Environment,
    /// Who asks in version 1.1; brings transport and clock to all of them.
    instance: InstancePrincipals,
}

impl ResourcePrincipal {
    /// Reads the variables through `var`, which answers like `std::env::var`. `instance` is who asks
    /// for tokens in version 1.1; in the others, only its transport and clock are used.
    ///
    /// # Errors
    /// A variable is missing, or the version is not known.
    pub fn from_vars(
        var: impl Fn(&str) -> Option<String>,
        instance: InstancePrincipals,
    ) -> Result<Self, Error> {
        Ok(Self { environment: Environment::read(&var)?, instance })
    }

    /// Every variable that [`Self::from_vars`] may ask for, for callers that keep their own copy of the
    /// environment. Some hold secrets.
    pub fn variables() -> impl Iterator<Item = String> {
        resource_environment::variables()
    }

    /// The region that the environment names, by key or identifier.
    pub fn region(&self) -> Option<&str> {
        self.environment.region.as_deref()
    }

    fn request(&self, deadline: Deadline) -> TokenRequest<'_> {
        let (transport, clock) = (&*self.instance.transport, &*self.instance.clock);
        TokenRequest { what: WHAT, advice: ADVICE, transport, clock, deadline }
    }

    fn of(&self, version: &Version, deadline: Deadline) -> Result<Session, Error> {
        match version {
            Version::Instance { service, id, auth } => {
                self.by_instance(service, id.as_deref(), auth.as_deref(), deadline)
            }
            Version::Key { service, id, auth, key_id, key } => {
                self.by_key(service, id, auth, (key_id, key), deadline)
            }
            Version::Token { token, key } => {
                let (pem, passphrase) = key.read()?;
                Session::new(&token.read()?, pem, passphrase)
            }
            Version::Part { part, url, auth } => self.by_part(part, url, auth, deadline),
        }
    }

    fn by_instance(
        &self,
        service: &Service,
        id: Option<&str>,
        auth: Option<&str>,
        deadline: Deadline,
    ) -> Result<Session, Error> {
        let own = || Ok::<_, Error>(self.instance.metadata.instance()?.id.to_string());
        let id = id.map_or_else(own, |id| Ok(id.to_owned()))?;
        let auth = auth.map_or_else(|| self.instance.auth_service(), |it| Ok(it.to_owned()))?;
        let instance = self.instance.session(deadline.remaining(&*self.instance.clock))?;
        let instance = instance.signer()?;
        let resource = ResourceToken { request: self.request(deadline), signer: &instance };
        let voucher = resource.voucher(&service.url(&id), None)?;
        let key = SessionKey::generate()?;
        let token = resource.token(&auth, &voucher, key.public_key())?;
        Session::new(&token, key.into_pem(), None)
    }

    /// The resource's own key signs for the token, and under it.
    fn by_key(
        &self,
        service: &Service,
        id: &str,
        auth: &str,
        (key_id, key): (&KeyId, &Key),
        deadline: Deadline,
    ) -> Result<Session, Error> {
        let (pem, passphrase) = key.read()?;
        let key = Session::private_key(&pem, passphrase.as_ref())?;
        let public_key = BASE64.encode(key.public_key_info());
        let signer = Signer::new(key_id.clone(), key);
        let resource = ResourceToken { request: self.request(deadline), signer: &signer };
        let voucher = resource.voucher(&service.url(id), service.security_context.as_deref())?;
        let token = resource.token(auth, &voucher, &public_key)?;
        Session::new(&token, pem, passphrase)
    }

    /// From the part to what it is a part of, and so on; the key stays the same.
    fn by_part(
        &self,
        part: &Version,
        url: &str,
        auth: &str,
        deadline: Deadline,
    ) -> Result<Session, Error> {
        let mut session = self.of(part, deadline)?;
        let mut url = url.to_owned();
        for _ in 0..DEEPEST {
            let signer = session.signer()?;
            let resource = ResourceToken { request: self.request(deadline), signer: &signer };
            let voucher = resource.voucher(&url, None)?;
            let token = resource.token(auth, &voucher, &session.public_key()?)?;
            session = session.under(&token)?;
            match voucher.parent {
                None => return Ok(session),
                Some(parent) if parent == url => break,
                Some(parent) => url = parent,
            }
        }
        let problem = "the resources that it is a part of go round in circles";
        Err(Error::credentials(WHAT, problem, None))
    }
}

impl TokenSource for ResourcePrincipal {
    fn session(&self, limit: Duration) -> Result<Session, Error> {
        let deadline = Deadline::after(&*self.instance.clock, limit.min(LIMIT));
        self.of(&self.environment.version, deadline)
    }

    fn describe(&self) -> String {
        "the resource principal of this environment".to_owned()
    }

    /// Only where the key was made for the token: that of a resource is not kept.
    fn identity(&self) -> Option<String> {
        identity(&self.environment.version, &self.instance.identity()?)
    }
}

fn identity(version: &Version, instance: &str) -> Option<String> {
    match version {
        Version::Instance { service: Service { endpoint, path, .. }, id, auth } => {
            let (id, auth) =
                (id.as_deref().unwrap_or_default(), auth.as_deref().unwrap_or_default());
            Some(format!("resource principal {endpoint}{path} {id} {auth} {instance}"))
        }
        Version::Key { .. } | Version::Token { .. } => None,
        Version::Part { part, url, auth } => {
            Some(format!("resource principal {url} {auth} {}", identity(part, instance)?))
        }
    }
}

const ADVICE: &str = "is the clock right, and does the service know this resource?";
const LIMIT: Duration = Duration::from_secs(15);
/// As Oracle's SDKs.
const DEEPEST: usize = 10;
