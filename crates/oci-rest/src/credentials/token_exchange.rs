//! Token exchange of an identity domain: a token of another issuer for one of OCI.

use std::{fmt, path::PathBuf, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use clock::Deadline;
use http::{HeaderValue, Request, Response, header};
use oci_iaas::encode;
use zeroize::Zeroizing;

use super::federation::TokenRequest;
use crate::{Error, InstancePrincipals, Session, SessionKey, TokenSource};

/// Who an identity domain says one is, for a token that it trusts: "workload identity federation", for
/// programs outside OCI. The domain knows the program as a client with a secret, or as an instance.
///
/// Source: Oracle, "Token Exchange Grant Type", and its SDKs; the variables are those of Oracle's cloud
/// controller manager.
pub struct TokenExchange {
    domain: String,
    client: Client,
    subject_token: PathBuf,
    /// Of the form, without the subject's token and the key.
    fields: Vec<(&'static str, String)>,
    instance: InstancePrincipals,
}

enum Client {
    Secret { id: String, secret: Zeroizing<String> },
    Instance,
}

impl TokenExchange {
    /// Reads the variables `OCI_WORKLOAD_IDENTITY_*` through `var`, which answers like `std::env::var`:
    ///
    /// | variable | meaning | without it |
    /// |---|---|---|
    /// | `DOMAIN_URL` | the identity domain | an error |
    /// | `TOKEN_PATH` | the file with the token to give; read for each exchange | an error |
    /// | `SUBJECT_TOKEN_TYPE` | its type | `jwt` |
    /// | `CLIENT_ID`, `CLIENT_SECRET` | who asks | an error |
    /// | `USE_INSTANCE_PRINCIPAL_FOR_TOKEN_EXCHANGE` | `true`: `instance` asks instead | `false` |
    /// | `REQUESTED_TOKEN_TYPE` | of a user (`urn:oci:token-type:oci-upst`) or of a resource (`…:oci-rpst`) | of a user |
    /// | `RESOURCE_TYPE`, `RPST_EXP` | the resource's type, and how long its token lasts | the domain decides |
    ///
    /// # Errors
    /// A variable is missing.
    pub fn from_vars(
        var: impl Fn(&str) -> Option<String>,
        instance: InstancePrincipals,
    ) -> Result<Self, Error> {
        let get = |name: &str| var(&format!("{PREFIX}{name}")).filter(|it| !it.is_empty());
        let wanted = |name: &str| {
            get(name).ok_or_else(|| {
                let problem = format!("the variable {PREFIX}{name} is not set");
                Error::credentials(WHAT, problem, None)
            })
        };
        let client = match get("USE_INSTANCE_PRINCIPAL_FOR_TOKEN_EXCHANGE").as_deref() {
            Some("true") => Client::Instance,
            _ => Client::Secret {
                id: wanted("CLIENT_ID")?,
                secret: Zeroizing::new(wanted("CLIENT_SECRET")?),
            },
        };
        let or = |name: &str, default: &str| get(name).unwrap_or_else(|| default.to_owned());
        let mut fields = vec![
            ("grant_type", GRANT_TYPE.to_owned()),
            ("requested_token_type", or("REQUESTED_TOKEN_TYPE", USER_TOKEN)),
            ("subject_token_type", or("SUBJECT_TOKEN_TYPE", "jwt")),
        ];
        fields.extend(get("RESOURCE_TYPE").map(|it| ("res_type", it)));
        fields.extend(get("RPST_EXP").map(|it| ("rpst_exp", it)));
        let subject_token = wanted("TOKEN_PATH")?.into();
        Ok(Self { domain: wanted("DOMAIN_URL")?, client, subject_token, fields, instance })
    }

    /// Every variable that [`Self::from_vars`] may ask for, for callers that keep their own copy of the
    /// environment. One holds a secret.
    pub fn variables() -> impl Iterator<Item = String> {
        VARIABLES.iter().map(|name| format!("{PREFIX}{name}"))
    }

    fn form(&self, public_key: &str) -> Result<Zeroizing<String>, Error> {
        let path = self.subject_token.display();
        let token = super::read(&self.subject_token);
        let token = token.map_err(|source| {
            let problem = format!("cannot read the token in {path}");
            Error::credentials(WHAT, problem, Some(Box::new(source)))
        })?;
        let mut form = Zeroizing::new(String::new());
        let fields = self.fields.iter().map(|(name, value)| (*name, value.as_str()));
        for (name, value) in
            fields.chain([("subject_token", token.trim()), ("public_key", public_key)])
        {
            let separator = if form.is_empty() { "" } else { "&" };
            form.extend([separator, name, "=", &*Zeroizing::new(encode(value))]);
        }
        Ok(form)
    }

    fn ask(&self, request: &TokenRequest<'_>, form: &str) -> Result<Response<Vec<u8>>, Error> {
        let url = format!("{}{PATH}", self.domain.trim_end_matches('/'));
        let post = Request::post(url).header(header::CONTENT_TYPE, FORM);
        let mut post = request.request(post, form.as_bytes().to_vec())?;
        match &self.client {
            Client::Instance => {
                let limit = request.deadline.remaining(request.clock);
                let signer = self.instance.session(limit)?.signer()?;
                request.send_signed(&signer, &post)
            }
            Client::Secret { id, secret } => {
                let both = Zeroizing::new(format!("{id}:{}", &**secret));
                let basic =
                    Zeroizing::new(format!("Basic {}", *Zeroizing::new(BASE64.encode(&*both))));
                let mut value = HeaderValue::from_str(&basic).map_err(|_| {
                    Error::credentials(WHAT, "the client's secret cannot be sent", None)
                })?;
                value.set_sensitive(true);
                post.headers_mut().insert(header::AUTHORIZATION, value);
                request.send(|| Ok(post.clone()))
            }
        }
    }

    fn host(&self) -> String {
        let uri: Option<http::Uri> = self.domain.parse().ok();
        uri.and_then(|it| it.host().map(str::to_owned)).unwrap_or_default()
    }
}

impl TokenSource for TokenExchange {
    fn session(&self, limit: Duration) -> Result<Session, Error> {
        let (transport, clock) = (&*self.instance.transport, &*self.instance.clock);
        let deadline = Deadline::after(clock, limit.min(LIMIT));
        let request = TokenRequest { what: WHAT, advice: ADVICE, transport, clock, deadline };
        let key = SessionKey::generate()?;
        let answer = self.ask(&request, &self.form(key.public_key())?)?;
        let token = request.token(&self.host(), &answer)?;
        Session::new(&token, key.into_pem(), None)
    }

    fn describe(&self) -> String {
        format!(
            "the identity that {} gives for the token in {}",
            self.host(),
            self.subject_token.display()
        )
    }

    fn identity(&self) -> Option<String> {
        let client = match &self.client {
            Client::Secret { id, .. } => id.clone(),
            Client::Instance => self.instance.identity()?,
        };
        let token = self.subject_token.display();
        Some(format!("token exchange {} {client} {token} {:?}", self.domain, self.fields))
    }
}

/// Shows domain and file.
impl fmt::Debug for TokenExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenExchange")
            .field("domain", &self.domain)
            .field("subject_token", &self.subject_token)
            .finish_non_exhaustive()
    }
}

const WHAT: &str = "token exchange";
const ADVICE: &str =
    "does the identity domain know this client, and trust the issuer of the token?";
const PREFIX: &str = "OCI_WORKLOAD_IDENTITY_";
const VARIABLES: [&str; 9] = [
    "DOMAIN_URL",
    "CLIENT_ID",
    "CLIENT_SECRET",
    "TOKEN_PATH",
    "SUBJECT_TOKEN_TYPE",
    "REQUESTED_TOKEN_TYPE",
    "RESOURCE_TYPE",
    "RPST_EXP",
    "USE_INSTANCE_PRINCIPAL_FOR_TOKEN_EXCHANGE",
];
const PATH: &str = "/oauth2/v1/token";
const FORM: &str = "application/x-www-form-urlencoded";
const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const USER_TOKEN: &str = "urn:oci:token-type:oci-upst";
const LIMIT: Duration = Duration::from_secs(15);
