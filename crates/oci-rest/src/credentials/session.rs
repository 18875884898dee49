//! A token and the private key that it is bound to.

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{
    Engine,
    alphabet::URL_SAFE,
    engine::{
        DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig,
        general_purpose::STANDARD as BASE64,
    },
};
use oci_signer::{KeyId, PrivateKey, Signer};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::Error;

/// A token and the private key that it is bound to: together they are the caller until the token
/// ends. It is never printed.
pub struct Session {
    token: Zeroizing<String>,
    key_pem: Zeroizing<String>,
    passphrase: Option<Zeroizing<String>>,
    issued: SystemTime,
    expires: SystemTime,
}

impl Session {
    /// A session of a token, a JWT with or without `ST$`, and a private key as PEM.
    ///
    /// # Errors
    /// The token is none that says when it ends. Nothing of it is shown.
    pub fn new(
        token: &str,
        key_pem: Zeroizing<String>,
        passphrase: Option<Zeroizing<String>>,
    ) -> Result<Self, Error> {
        let token = token.trim();
        let token = token.strip_prefix("ST$").unwrap_or(token);
        let claims = claims(token).ok_or_else(|| {
            Error::credentials("the token", "it is no JWT that says when it ends", None)
        })?;
        let (issued, expires) = (claims.iat.unwrap_or_default(), claims.exp);
        Ok(Self {
            token: Zeroizing::new(token.to_owned()),
            key_pem,
            passphrase,
            issued: UNIX_EPOCH + Duration::from_secs(issued.min(YEAR_10000)),
            expires: UNIX_EPOCH + Duration::from_secs(expires.min(YEAR_10000)),
        })
    }

    /// When the token ends.
    pub fn expires(&self) -> SystemTime {
        self.expires
    }

    /// Whether it may be used without thinking of a new one: until 5 minutes before its end, or half
    /// of its life if that is shorter, and not before it was issued.
    pub fn is_fresh(&self, now: SystemTime) -> bool {
        let life = self.expires.duration_since(self.issued).unwrap_or_default();
        let margin = MARGIN.min(life / 2);
        now + margin < self.expires && now + MARGIN >= self.issued
    }

    /// Whether the service takes it still.
    pub fn is_valid(&self, now: SystemTime) -> bool {
        now < self.expires && now + MARGIN >= self.issued
    }

    pub(crate) fn signer(&self) -> Result<Signer, Error> {
        let key = Self::private_key(&self.key_pem, self.passphrase.as_ref())?;
        Ok(Signer::new(KeyId::session_token(&self.token), key))
    }

    /// The public half of the key: Base64 of the SubjectPublicKeyInfo.
    pub(crate) fn public_key(&self) -> Result<String, Error> {
        let key = Self::private_key(&self.key_pem, self.passphrase.as_ref())?;
        Ok(BASE64.encode(key.public_key_info()))
    }

    /// The same key under another token.
    pub(crate) fn under(self, token: &str) -> Result<Self, Error> {
        Self::new(token, self.key_pem, self.passphrase)
    }

    pub(crate) fn private_key(
        pem: &str,
        passphrase: Option<&Zeroizing<String>>,
    ) -> Result<PrivateKey, Error> {
        PrivateKey::from_pem(pem, passphrase.map(|it| it.as_str())).map_err(|source| {
            Error::credentials("the key of the token", "it cannot be used", Some(Box::new(source)))
        })
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    pub(crate) fn key_pem(&self) -> &str {
        &self.key_pem
    }
}

/// Shows when the token ends.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("expires", &self.expires).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Claims {
    exp: u64,
    iat: Option<u64>,
}

fn claims(token: &str) -> Option<Claims> {
    let mut parts = token.split('.');
    let (_head, claims) = (parts.next()?, parts.next()?);
    serde_json::from_slice(&BASE64_URL.decode(claims).ok()?).ok()
}

/// Of JWT, padded or not.
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// As Oracle's SDK for Go; also how far the clocks may differ.
const MARGIN: Duration = Duration::from_secs(300);
/// The first moment that no date expresses, in seconds.
const YEAR_10000: u64 = 253_402_300_800;

#[cfg(test)]
mod tests {
    use super::*;

    fn session(claims: &str) -> Result<Session, Error> {
        let token = format!("e30.{}.c2ln", BASE64_URL.encode(claims));
        Session::new(&token, Zeroizing::default(), None)
    }

    #[track_caller]
    fn check(claims: &str, at: u64, fresh: bool, valid: bool) {
        let session = session(claims).unwrap();
        let now = UNIX_EPOCH + Duration::from_secs(at);
        assert_eq!((session.is_fresh(now), session.is_valid(now)), (fresh, valid), "{at}");
    }

    #[test]
    fn a_token_is_renewed_before_it_ends() {
        let twenty_minutes = r#"{"iat":10000,"exp":11200}"#;
        check(twenty_minutes, 9_699, false, false);
        check(twenty_minutes, 9_700, true, true);
        check(twenty_minutes, 10_899, true, true);
        check(twenty_minutes, 10_900, false, true);
        check(twenty_minutes, 11_199, false, true);
        check(twenty_minutes, 11_200, false, false);
        let one_minute = r#"{"iat":10000,"exp":10060}"#;
        check(one_minute, 10_029, true, true);
        check(one_minute, 10_030, false, true);
        check(r#"{"exp":11200}"#, 10_899, true, true);
        check(r#"{"exp":18446744073709551615}"#, 10_899, true, true);
        check(r#"{"iat":5,"exp":4}"#, 3, true, true);
    }

    #[test]
    fn what_is_no_token_is_said_without_showing_it() {
        for claims in ["MARKER", r#"{"iat":1}"#, r#"{"exp":"MARKER"}"#, ""] {
            let error = session(claims).unwrap_err();
            assert_eq!(error.to_string(), "the token: it is no JWT that says when it ends");
            assert!(!format!("{error:?}").contains("MARKER"));
        }
        Session::new("MARKER", Zeroizing::default(), None).unwrap_err();
    }

    #[test]
    fn debug_shows_neither_token_nor_key() {
        let token = format!("e30.{}.MARKER", BASE64_URL.encode(r#"{"exp":1}"#));
        let session = Session::new(&token, Zeroizing::new("MARKER".into()), None).unwrap();
        let shown = format!("{session:?}");
        assert!(shown.starts_with("Session { expires: ") && !shown.contains("MARKER"), "{shown}");
    }
}
