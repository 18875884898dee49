//! Signs requests.

use std::fmt;
use std::time::{Duration, SystemTime};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, DATE},
    request::Parts,
};
use ring::{
    digest::{SHA256, digest},
    rand::SystemRandom,
};
use zeroize::Zeroizing;

use crate::{
    Coverage, Error, KeyId, PrivateKey, coverage::DELEGATION_TOKEN, error::Kind, signing_string,
};

/// Signs requests as one caller. May be shared between threads.
pub struct Signer {
    key_id: KeyId,
    key: PrivateKey,
    coverage: Coverage,
    delegation_token: Option<HeaderValue>,
    random: SystemRandom,
}

impl Signer {
    /// A signer for the services of a region, for the caller that `key_id` names.
    #[must_use]
    pub fn new(key_id: KeyId, key: PrivateKey) -> Self {
        let random = SystemRandom::new();
        Self { key_id, key, coverage: Coverage::default(), delegation_token: None, random }
    }

    /// The same signer with another coverage.
    #[must_use]
    pub fn with_coverage(self, coverage: Coverage) -> Self {
        Self { coverage, ..self }
    }

    /// The same signer, acting on behalf of the user who gave this delegation token: it is sent as
    /// `opc-obo-token`, and covered ([`Coverage::OnBehalfOf`]). White space around it does not matter.
    ///
    /// # Errors
    /// If the token cannot be written in a header. Nothing of it is shown.
    pub fn on_behalf_of(self, delegation_token: &str) -> Result<Self, Error> {
        let mut token = HeaderValue::from_str(delegation_token.trim())
            .map_err(|_| Kind::NotText { name: DELEGATION_TOKEN })?;
        token.set_sensitive(true);
        Ok(Self { delegation_token: Some(token), coverage: Coverage::OnBehalfOf, ..self })
    }

    /// The headers to set on the request: `authorization`, which is marked sensitive, and as far as
    /// they are covered `date` or `x-date`, `content-length`, `content-type` (the request's own, or
    /// `application/json`), `x-content-sha256` and `opc-obo-token`. They replace headers of the same name.
    ///
    /// `at` is the time to sign for: the service refuses what is more than 5 minutes off. Sign again
    /// for every repetition of a request.
    ///
    /// # Errors
    /// If something that must be signed is missing from the request or cannot be written in a
    /// header.
    pub fn sign(&self, request: &Parts, body: &[u8], at: SystemTime) -> Result<HeaderMap, Error> {
        if !body.is_empty() && !self.coverage.allows_body(&request.method) {
            return Err(Kind::BodyNotCovered { method: request.method.clone() }.into());
        }
        let mut headers = HeaderMap::with_capacity(5);
        for name in self.coverage.names(&request.method) {
            match name {
                "date" => headers.insert(DATE, date(at)?),
                "x-date" => headers.insert(X_DATE, date(at)?),
                "content-length" => headers.insert(CONTENT_LENGTH, body.len().into()),
                "content-type" => headers.insert(CONTENT_TYPE, content_type(request)),
                "x-content-sha256" => headers.insert(CONTENT_DIGEST, content_digest(body)?),
                DELEGATION_TOKEN => self.delegation_token.clone().and_then(|token| {
                    headers.insert(HeaderName::from_static(DELEGATION_TOKEN), token)
                }),
                _ => None,
            };
        }
        let text = signing_string(request, &headers, self.coverage)?;
        let signature = self.key.sign(&self.random, text.as_bytes())?;
        headers.insert(AUTHORIZATION, self.authorization(request, &signature)?);
        Ok(headers)
    }

    fn authorization(&self, request: &Parts, signature: &[u8]) -> Result<HeaderValue, Kind> {
        let key_id = self.key_id.quotable().ok_or(Kind::KeyId)?;
        let mut text = Zeroizing::new(String::with_capacity(key_id.len() + TYPICAL_LENGTH));
        text.push_str(r#"Signature version="1",keyId=""#);
        text.push_str(key_id);
        text.push_str(r#"",algorithm="rsa-sha256",headers=""#);
        for (index, name) in self.coverage.names(&request.method).enumerate() {
            if index > 0 {
                text.push(' ');
            }
            text.push_str(name);
        }
        text.push_str(r#"",signature=""#);
        BASE64.encode_string(signature, &mut text);
        text.push('"');
        let mut value = HeaderValue::from_str(&text).map_err(|_| Kind::KeyId)?;
        value.set_sensitive(true);
        Ok(value)
    }
}

/// Shows the coverage, never the key or its id.
impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("coverage", &self.coverage).finish_non_exhaustive()
    }
}

fn date(at: SystemTime) -> Result<HeaderValue, Kind> {
    let since_epoch = at.duration_since(SystemTime::UNIX_EPOCH).map_err(|_| Kind::Date)?;
    if since_epoch >= YEAR_10000 {
        return Err(Kind::Date);
    }
    HeaderValue::try_from(httpdate::fmt_http_date(at)).map_err(|_| Kind::Date)
}

fn content_type(request: &Parts) -> HeaderValue {
    let own = request.headers.get(CONTENT_TYPE).cloned();
    own.unwrap_or(HeaderValue::from_static("application/json"))
}

fn content_digest(body: &[u8]) -> Result<HeaderValue, Kind> {
    let digest = BASE64.encode(digest(&SHA256, body));
    HeaderValue::try_from(digest).map_err(|_| Kind::NotText { name: "x-content-sha256" })
}

const X_DATE: HeaderName = HeaderName::from_static("x-date");
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("x-content-sha256");
/// The first moment that the date of HTTP cannot express.
const YEAR_10000: Duration = Duration::from_secs(253_402_300_800);
const TYPICAL_LENGTH: usize = 1024;
