//! Who asks: token, password, client certificate, and in whose name.

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use zeroize::Zeroizing;

use crate::{Error, document::UserEntry, files, kubeconfig::Source};

/// A client certificate and its key, both PEM, and the fields they come from.
pub(crate) struct ClientPair {
    pub(crate) chain: Zeroizing<Vec<u8>>,
    pub(crate) chain_field: &'static str,
    pub(crate) key: Zeroizing<Vec<u8>>,
    pub(crate) key_field: &'static str,
}

impl Source<'_> {
    /// The headers that say who asks.
    pub(crate) fn headers(&self, user: &UserEntry) -> Result<HeaderMap, Error> {
        for (plug_in, name) in [(&user.exec, "exec"), (&user.auth_provider, "auth-provider")] {
            if plug_in.is_some() {
                return Err(self.wrong(&format!(
                    "the user's {name} plug-in is not run by this driver: use the token of a \
                     ServiceAccount (tokenFile) or a client certificate"
                )));
            }
        }
        let mut headers = self.act_as(user)?;
        if let Some(text) = self.authorization(user)? {
            headers.insert(header::AUTHORIZATION, self.secret(&text)?);
        }
        Ok(headers)
    }

    pub(crate) fn secret(&self, authorization: &str) -> Result<HeaderValue, Error> {
        let value = HeaderValue::from_str(authorization);
        let mut value = value.map_err(|_| self.wrong(NO_HEADER))?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// As client-go has it: the token of `tokenFile` goes before `token`, which is used where the file gives
    /// none; passwords come last.
    fn authorization(&self, user: &UserEntry) -> Result<Option<Zeroizing<String>>, Error> {
        let inline = user.token.as_ref().map(|it| it.trim()).filter(|it| !it.is_empty());
        let from_file = user.token_file.as_deref().filter(|file| !file.is_empty());
        let token = match (from_file.map(|file| self.token(file)), inline) {
            (Some(Ok(token)), _) => Some(token),
            (Some(Err(error)), None) => return Err(error),
            (_, inline) => inline.map(|token| Zeroizing::new(token.to_owned())),
        };
        if let Some(token) = token {
            return Ok(Some(Zeroizing::new(format!("Bearer {}", *token))));
        }
        Ok(user.username.as_deref().filter(|name| !name.is_empty()).map(|name| {
            let password = user.password.as_ref().map_or("", |it| it.as_str());
            let pair = Zeroizing::new(format!("{name}:{password}"));
            let basic = Zeroizing::new(BASE64_STANDARD.encode(pair.as_bytes()));
            Zeroizing::new(format!("Basic {}", *basic))
        }))
    }

    fn token(&self, file: &str) -> Result<Zeroizing<String>, Error> {
        let content = self.read(file, "tokenFile")?;
        let token = std::str::from_utf8(&content.bytes).unwrap_or_default().trim();
        if token.is_empty() {
            return Err(self.wrong(NO_TOKEN));
        }
        Ok(Zeroizing::new(token.to_owned()))
    }

    /// Source: Kubernetes, "User impersonation".
    fn act_as(&self, user: &UserEntry) -> Result<HeaderMap, Error> {
        let mut headers = HeaderMap::new();
        let mut add = |name: &str, value: &str| {
            let name = HeaderName::try_from(name).map_err(|_| self.wrong(NO_NAME))?;
            let value = HeaderValue::from_str(value).map_err(|_| self.wrong(NO_NAME))?;
            headers.append(name, value);
            Ok::<_, Error>(())
        };
        for (name, value) in
            [("impersonate-user", &user.act_as), ("impersonate-uid", &user.act_as_uid)]
        {
            if let Some(value) = value.as_deref().filter(|it| !it.is_empty()) {
                add(name, value)?;
            }
        }
        for group in user.act_as_groups.iter().flatten() {
            add("impersonate-group", group)?;
        }
        for (key, values) in user.act_as_extra.iter().flatten() {
            for value in values {
                add(&format!("impersonate-extra-{}", key.to_ascii_lowercase()), value)?;
            }
        }
        Ok(headers)
    }

    pub(crate) fn pair(&self, user: &UserEntry) -> Result<Option<ClientPair>, Error> {
        let chain = self.data_or_file(
            user.client_certificate_data.as_deref(),
            user.client_certificate.as_deref(),
            ["client-certificate-data", "client-certificate"],
        )?;
        let key = self.data_or_file(
            user.client_key_data.as_ref().map(|it| it.as_str()),
            user.client_key.as_deref(),
            ["client-key-data", "client-key"],
        )?;
        match (chain, key) {
            (Some((chain, chain_field)), Some((key, key_field))) => {
                if let (Some(file), "client-key") = (&user.client_key, key_field) {
                    files::check_mode(&self.path_of(file), key.mode, true)?;
                }
                Ok(Some(ClientPair { chain: chain.bytes, chain_field, key: key.bytes, key_field }))
            }
            (None, None) => Ok(None),
            _ => Err(self.wrong("client-certificate and client-key need each other")),
        }
    }
}

const NO_HEADER: &str = "the token holds characters that no token has";
const NO_TOKEN: &str = "the file that tokenFile names holds no token";
const NO_NAME: &str = "as, as-uid, as-groups and as-user-extra must be plain text";
