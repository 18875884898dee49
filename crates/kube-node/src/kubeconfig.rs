//! The kubeconfig: which server, trusted how, and who asks.
//!
//! Source of the fields: Kubernetes, `client-go/tools/clientcmd/api/v1`. Texts of the YAML parser
//! are never passed on, because they quote values, and values may be secrets.

use std::{
    fmt::{self, Debug},
    fs,
    path::Path,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, de::IgnoredAny};
use zeroize::Zeroizing;

use crate::Error;

/// What the current context says, with all files read.
pub(crate) struct Kubeconfig {
    /// The URL of the API server.
    pub(crate) server: String,
    pub(crate) trust: Trust,
    pub(crate) identity: Identity,
    pub(crate) proxy_url: Option<String>,
}

/// Whom to believe that it is the API server.
pub(crate) enum Trust {
    /// The compiled-in roots.
    Roots,
    /// These PEM certificates.
    Authority(Zeroizing<Vec<u8>>),
    /// Anybody.
    Insecure,
}

/// Who asks.
#[derive(Default)]
pub(crate) struct Identity {
    /// The header `authorization`.
    pub(crate) authorization: Option<Zeroizing<String>>,
    pub(crate) certificate: Option<ClientPair>,
}

/// A client certificate and its key, both PEM.
pub(crate) struct ClientPair {
    pub(crate) chain: Zeroizing<Vec<u8>>,
    pub(crate) key: Zeroizing<Vec<u8>>,
}

impl Debug for Kubeconfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kubeconfig").field("server", &self.server).finish_non_exhaustive()
    }
}

impl Kubeconfig {
    /// Reads the file and the files it names, which are relative to it.
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        let text = fs::read(path).map(Zeroizing::new).map_err(|source| Error::Read {
            path: path.to_owned(),
            field: None,
            source,
        })?;
        let document = parse(&text).map_err(|problem| wrong(path, problem))?;
        Source { path }.kubeconfig(&document)
    }
}

impl Kubeconfig {
    /// What a pod is given: the API server's address in its environment, a token and an authority in
    /// files. The token is read anew in every process, because kubelet renews it.
    pub(crate) fn of_service_account(server: &str, account: &Path) -> Result<Self, Error> {
        let read = |name: &'static str| {
            let path = account.join(name);
            let bytes = fs::read(&path).map(Zeroizing::new);
            bytes.map_err(|source| Error::Read { path, field: None, source })
        };
        let (token, authority) = (read("token")?, read("ca.crt")?);
        let token = std::str::from_utf8(&token).unwrap_or_default().trim();
        if token.is_empty() {
            return Err(wrong(account, "the token of the service account is empty"));
        }
        let authorization = Some(Zeroizing::new(format!("Bearer {token}")));
        Ok(Self {
            server: server.to_owned(),
            trust: Trust::Authority(authority),
            identity: Identity { authorization, certificate: None },
            proxy_url: None,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Document {
    current_context: Option<String>,
    contexts: Option<Vec<Named<ContextEntry>>>,
    clusters: Option<Vec<Named<ClusterEntry>>>,
    users: Option<Vec<Named<UserEntry>>>,
}

/// `{name: …, context: {…}}`, or `cluster`, or `user`.
#[derive(Deserialize)]
struct Named<T> {
    name: String,
    #[serde(alias = "context", alias = "cluster", alias = "user")]
    entry: Option<T>,
}

#[derive(Deserialize)]
struct ContextEntry {
    cluster: String,
    user: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct ClusterEntry {
    server: String,
    certificate_authority: Option<String>,
    certificate_authority_data: Option<String>,
    insecure_skip_tls_verify: Option<bool>,
    tls_server_name: Option<String>,
    proxy_url: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct UserEntry {
    client_certificate: Option<String>,
    client_certificate_data: Option<String>,
    client_key: Option<String>,
    client_key_data: Option<Zeroizing<String>>,
    token: Option<Zeroizing<String>>,
    #[serde(rename = "tokenFile")]
    token_file: Option<String>,
    username: Option<String>,
    password: Option<Zeroizing<String>>,
    exec: Option<IgnoredAny>,
    auth_provider: Option<IgnoredAny>,
}

fn parse(text: &[u8]) -> Result<Document, String> {
    serde_yaml::from_slice(text).map_err(|error| match error.location() {
        Some(at) => format!("line {} column {} is not as it must be", at.line(), at.column()),
        None => "it is not a YAML document with contexts, clusters and users".to_owned(),
    })
}

/// The document together with the place it came from.
struct Source<'a> {
    path: &'a Path,
}

impl Source<'_> {
    fn kubeconfig(&self, document: &Document) -> Result<Kubeconfig, Error> {
        let current = document.current_context.as_deref().unwrap_or_default();
        if current.is_empty() {
            return Err(self.wrong("current-context is not set"));
        }
        let context = self.entry("context", &document.contexts, current)?;
        let cluster = self.entry("cluster", &document.clusters, &context.cluster)?;
        let identity = match context.user.as_deref().filter(|user| !user.is_empty()) {
            Some(user) => self.identity(self.entry("user", &document.users, user)?)?,
            None => Identity::default(),
        };
        if cluster.tls_server_name.is_some() {
            return Err(self.wrong(
                "tls-server-name is not supported: put a name into server that the certificate has",
            ));
        }
        Ok(Kubeconfig {
            server: cluster.server.trim_end_matches('/').to_owned(),
            trust: self.trust(cluster)?,
            identity,
            proxy_url: cluster.proxy_url.clone(),
        })
    }

    fn entry<'d, T>(
        &self,
        kind: &str,
        entries: &'d Option<Vec<Named<T>>>,
        name: &str,
    ) -> Result<&'d T, Error> {
        let named = entries.iter().flatten().find(|it| it.name == name);
        named
            .and_then(|it| it.entry.as_ref())
            .ok_or_else(|| self.wrong(&format!("there is no {kind} named {name:?}")))
    }

    fn trust(&self, cluster: &ClusterEntry) -> Result<Trust, Error> {
        if cluster.insecure_skip_tls_verify == Some(true) {
            return Ok(Trust::Insecure);
        }
        let pem = self.data_or_file(
            cluster.certificate_authority_data.as_deref(),
            cluster.certificate_authority.as_deref(),
            "certificate-authority",
        )?;
        Ok(pem.map_or(Trust::Roots, Trust::Authority))
    }

    fn identity(&self, user: &UserEntry) -> Result<Identity, Error> {
        for (plug_in, name) in [(&user.exec, "exec"), (&user.auth_provider, "auth-provider")] {
            if plug_in.is_some() {
                return Err(self.wrong(&format!(
                    "the user's {name} plug-in is not run by this driver: use the token of a \
                     ServiceAccount (tokenFile) or a client certificate"
                )));
            }
        }
        Ok(Identity { authorization: self.authorization(user)?, certificate: self.pair(user)? })
    }

    /// `tokenFile` goes before `token`, as kubectl has it; passwords come last.
    fn authorization(&self, user: &UserEntry) -> Result<Option<Zeroizing<String>>, Error> {
        let from_file = user.token_file.as_deref().filter(|file| !file.is_empty());
        let from_file = from_file.map(|file| self.read(file, "tokenFile")).transpose()?;
        let token = match &from_file {
            Some(bytes) => std::str::from_utf8(bytes).map_err(|_| self.wrong(NO_TOKEN))?,
            None => user.token.as_ref().map_or("", |it| it.as_str()),
        };
        if !token.trim().is_empty() {
            return Ok(Some(Zeroizing::new(format!("Bearer {}", token.trim()))));
        }
        if from_file.is_some() {
            return Err(self.wrong(NO_TOKEN));
        }
        Ok(user.username.as_deref().filter(|name| !name.is_empty()).map(|name| {
            let password = user.password.as_ref().map_or("", |it| it.as_str());
            let pair = Zeroizing::new(format!("{name}:{password}"));
            let basic = Zeroizing::new(BASE64_STANDARD.encode(pair.as_bytes()));
            Zeroizing::new(format!("Basic {}", *basic))
        }))
    }

    fn pair(&self, user: &UserEntry) -> Result<Option<ClientPair>, Error> {
        let chain = self.data_or_file(
            user.client_certificate_data.as_deref(),
            user.client_certificate.as_deref(),
            "client-certificate",
        )?;
        let key = self.data_or_file(
            user.client_key_data.as_ref().map(|it| it.as_str()),
            user.client_key.as_deref(),
            "client-key",
        )?;
        match (chain, key) {
            (Some(chain), Some(key)) => Ok(Some(ClientPair { chain, key })),
            (None, None) => Ok(None),
            _ => Err(self.wrong("client-certificate and client-key need each other")),
        }
    }

    /// `<field>-data` goes before `<field>`.
    fn data_or_file(
        &self,
        data: Option<&str>,
        file: Option<&str>,
        field: &'static str,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        if let Some(data) = data.filter(|it| !it.is_empty()) {
            // lines may be wrapped; all room at once, so that no copy of a key is left behind
            let mut text = Zeroizing::new(Vec::with_capacity(data.len()));
            text.extend(data.bytes().filter(|byte| !byte.is_ascii_whitespace()));
            let bytes = BASE64_STANDARD.decode(&*text);
            let bytes = bytes.map_err(|_| self.wrong(&format!("{field}-data is not Base64")))?;
            return Ok(Some(Zeroizing::new(bytes)));
        }
        file.filter(|it| !it.is_empty()).map(|file| self.read(file, field)).transpose()
    }

    fn read(&self, file: &str, field: &'static str) -> Result<Zeroizing<Vec<u8>>, Error> {
        let path = self.path.parent().unwrap_or(Path::new("")).join(file);
        match fs::read(&path) {
            Ok(bytes) => Ok(Zeroizing::new(bytes)),
            Err(source) => Err(Error::Read { path, field: Some(field), source }),
        }
    }

    fn wrong(&self, problem: &str) -> Error {
        wrong(self.path, problem)
    }
}

pub(crate) fn wrong(path: &Path, problem: impl Into<String>) -> Error {
    Error::Kubeconfig { path: path.to_owned(), problem: problem.into() }
}

const NO_TOKEN: &str = "the file that tokenFile names holds no token";
