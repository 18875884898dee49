//! Tokens that the identity service gives for a while, and the services that give them.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use clock::{Clock, Deadline};
use http::{Request, Response};
use oci_signer::{KeyId, SessionKey, Signer};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::{
    Error, Transport,
    service_error::{parse_body, request_id},
};

/// A token (JSON Web Token, RFC 7519) as far as a client has to read it. Its text is never printed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) text: Zeroizing<String>,
    issued: SystemTime,
    expires: SystemTime,
}

#[derive(Deserialize)]
struct Claims {
    /// Seconds since 1970.
    exp: u64,
    iat: Option<u64>,
}

impl Token {
    /// Reads the claims; who gave the token is known from the connection, so its signature is not looked at.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix("ST$").unwrap_or(text);
        let claims = text.split('.').nth(1)?.trim_end_matches('=');
        let claims = Zeroizing::new(URL_SAFE_NO_PAD.decode(claims).ok()?);
        let claims: Claims = serde_json::from_slice(&claims).ok()?;
        let expires = UNIX_EPOCH.checked_add(Duration::from_secs(claims.exp))?;
        let issued = claims.iat.map(Duration::from_secs);
        let issued = issued.and_then(|it| UNIX_EPOCH.checked_add(it)).unwrap_or(UNIX_EPOCH);
        Some(Self { text: Zeroizing::new(text.to_owned()), issued, expires })
    }

    /// Whether it will do for a while, by a clock that may be a little off.
    pub(crate) fn is_fresh(&self, now: SystemTime) -> bool {
        let lifetime = self.expires.duration_since(self.issued).unwrap_or_default();
        let left = self.expires.duration_since(now).unwrap_or_default();
        left > MARGIN.min(lifetime / 2) && now + MARGIN >= self.issued
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// A token and the key that is bound to it.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) token: Token,
    pub(crate) signer: Arc<Signer>,
}

impl Session {
    pub(crate) fn new(token: Token, key: SessionKey) -> Self {
        let id = KeyId::session_token(&token.text);
        Self { token, signer: Arc::new(Signer::new(id, key.into_private_key())) }
    }
}

/// A service that gives tokens, and who asks it.
#[derive(Debug)]
pub(crate) struct TokenService<'a> {
    /// `this instance`, for errors.
    pub(crate) who: &'static str,
    /// The host, for errors.
    pub(crate) endpoint: &'a str,
    /// What to do about a refusal.
    pub(crate) advice: &'static str,
    pub(crate) transport: &'a dyn Transport,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) deadline: Deadline,
}

impl TokenService<'_> {
    /// Asks until there is a success, three times at most; a refusal is final.
    pub(crate) fn ask(
        &self,
        request: impl Fn() -> Result<Request<Vec<u8>>, Error>,
    ) -> Result<Response<Vec<u8>>, Error> {
        let mut waits = WAITS.into_iter();
        loop {
            let left = self.deadline.remaining(self.clock);
            let (error, again) = match self.transport.send(request()?, left.min(REQUEST_LIMIT)) {
                Ok(answer) if answer.status().is_success() => return Ok(answer),
                Ok(answer) => {
                    let status = answer.status().as_u16();
                    let busy = matches!(status, 429 | 500..);
                    let advice = if busy { "it is busy" } else { self.advice };
                    let why = reason(&answer);
                    (self.error(format!("it answers {status}{why}; {advice}")), busy)
                }
                Err(source) => {
                    let again = source.is_transient();
                    let problem = "no answer".to_owned();
                    let Self { who, endpoint, .. } = *self;
                    let endpoint = endpoint.to_owned();
                    (Error::NoToken { who, endpoint, problem, source: Some(source) }, again)
                }
            };
            let in_time = |wait: &Duration| *wait < self.deadline.remaining(self.clock);
            match waits.next().filter(in_time) {
                Some(wait) if again => self.clock.sleep(wait),
                _ => return Err(error),
            }
        }
    }

    pub(crate) fn error(&self, problem: impl Into<String>) -> Error {
        let (who, endpoint) = (self.who, self.endpoint.to_owned());
        Error::NoToken { who, endpoint, problem: problem.into(), source: None }
    }
}

/// What a refusal says of itself.
fn reason(answer: &Response<Vec<u8>>) -> String {
    let message = parse_body(answer.body()).1;
    let message = if message.is_empty() { message } else { format!(" ({message})") };
    let id = request_id(answer.headers()).map(|id| format!(" (opc-request-id {id})"));
    message + &id.unwrap_or_default()
}

/// What a clock may be off, and what a call may take.
const MARGIN: Duration = Duration::from_secs(300);
const REQUEST_LIMIT: Duration = Duration::from_secs(10);
const WAITS: [Duration; 2] = [Duration::from_millis(500), Duration::from_millis(1500)];

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> Option<Token> {
        Token::parse(&format!(" ST$e30.{}.c2ln\n", URL_SAFE_NO_PAD.encode(claims)))
    }

    #[test]
    fn a_token_is_fresh_until_five_minutes_before_its_end() {
        let token = token(r#"{"exp":10000,"iat":8800,"tenant":"t"}"#).unwrap();
        for (now, fresh) in
            [(8499, false), (8500, true), (9699, true), (9700, false), (20000, false)]
        {
            let now = UNIX_EPOCH + Duration::from_secs(now);
            assert_eq!(token.is_fresh(now), fresh, "{now:?}");
        }
    }

    #[test]
    fn a_short_token_is_fresh_for_half_its_life() {
        let token = token(r#"{"exp":10000,"iat":9940}"#).unwrap();
        assert!(token.is_fresh(UNIX_EPOCH + Duration::from_secs(9969)));
        assert!(!token.is_fresh(UNIX_EPOCH + Duration::from_secs(9970)));
    }

    #[test]
    fn what_is_no_token_is_none() {
        assert_eq!(token("{}"), None);
        assert_eq!(token(r#"{"exp":18446744073709551615}"#), None);
        for text in ["", "a", "a.b.c", "..", "a.e30.c"] {
            assert_eq!(Token::parse(text), None, "{text}");
        }
    }
}
