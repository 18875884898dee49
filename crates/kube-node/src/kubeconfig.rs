//! The kubeconfig: which server, trusted how, and who asks.

use std::{
    fmt::{self, Debug},
    path::{Path, PathBuf},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use config_file::Content;
use http::{HeaderMap, header};
use zeroize::Zeroizing;

pub(crate) use crate::user::ClientPair;
use crate::{
    Error,
    document::{ClusterEntry, Document, Named, UserEntry},
    error::wrong,
    files,
};

/// What the current context says, with all files read.
pub(crate) struct Kubeconfig {
    /// The URL of the API server.
    pub(crate) server: String,
    pub(crate) trust: Trust,
    /// The name that the server's certificate has to be for, if not that of the URL.
    pub(crate) server_name: Option<String>,
    /// Who asks.
    pub(crate) headers: HeaderMap,
    pub(crate) client: Option<ClientPair>,
    pub(crate) proxy_url: Option<String>,
}

/// Whom to believe that it is the API server.
pub(crate) enum Trust {
    /// The compiled-in roots.
    Roots,
    /// These PEM certificates, which the field names.
    Authority { pem: Zeroizing<Vec<u8>>, field: &'static str },
    /// Every server.
    Insecure,
}

impl Debug for Kubeconfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kubeconfig").field("server", &self.server).finish_non_exhaustive()
    }
}

impl Kubeconfig {
    /// Reads the file and the files it names, which are relative to it.
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        let content = config_file::read(path).map_err(|source| Error::Read {
            path: path.to_owned(),
            field: None,
            source,
        })?;
        let document = Document::parse(&content.bytes).map_err(|problem| wrong(path, problem))?;
        let mut users = document.users.iter().flatten().filter_map(|it| it.entry.as_ref());
        files::check_mode(path, content.mode, users.any(UserEntry::is_secret))?;
        Source { path }.kubeconfig(&document)
    }

    /// What a pod is given: the API server's address in its environment, a token and an authority in
    /// files. The token is read anew in every process, because kubelet renews it.
    pub(crate) fn of_service_account(server: &str, account: &Path) -> Result<Self, Error> {
        let read = |name: &'static str| {
            let path = account.join(name);
            config_file::read(&path).map_err(|source| Error::Read { path, field: None, source })
        };
        let (token, authority) = (read("token")?, read("ca.crt")?);
        let token = std::str::from_utf8(&token.bytes).unwrap_or_default().trim();
        if token.is_empty() {
            return Err(wrong(account, "the token of the service account is empty"));
        }
        let token = Zeroizing::new(format!("Bearer {token}"));
        let token = Source { path: account }.secret(&token)?;
        Ok(Self {
            server: server.to_owned(),
            trust: Trust::Authority { pem: authority.bytes, field: "ca.crt" },
            server_name: None,
            headers: [(header::AUTHORIZATION, token)].into_iter().collect(),
            client: None,
            proxy_url: None,
        })
    }
}

/// The place that a document came from.
pub(crate) struct Source<'a> {
    path: &'a Path,
}

impl Source<'_> {
    fn kubeconfig(&self, document: &Document) -> Result<Kubeconfig, Error> {
        let current = document.current_context.as_deref().unwrap_or_default();
        if current.is_empty() {
            return Err(self.wrong("current-context is not set"));
        }
        let context = self.entry("context", &document.contexts, current)?;
        let cluster = context.cluster.as_deref().unwrap_or_default();
        let cluster = self.entry("cluster", &document.clusters, cluster)?;
        let anonymous = UserEntry::default();
        let user = match context.user.as_deref().filter(|user| !user.is_empty()) {
            Some(user) => self.entry("user", &document.users, user)?,
            None => &anonymous,
        };
        let text = |it: &Option<String>| it.clone().filter(|it| !it.is_empty());
        let server = cluster.server.as_deref().unwrap_or_default();
        Ok(Kubeconfig {
            server: server.trim_end_matches('/').to_owned(),
            trust: self.trust(cluster)?,
            server_name: text(&cluster.tls_server_name),
            headers: self.headers(user)?,
            client: self.pair(user)?,
            proxy_url: text(&cluster.proxy_url),
        })
    }

    fn entry<'d, T>(
        &self,
        kind: &str,
        entries: &'d Option<Vec<Named<T>>>,
        name: &str,
    ) -> Result<&'d T, Error> {
        let named = entries.iter().flatten().find(|it| it.name.as_deref() == Some(name));
        named
            .and_then(|it| it.entry.as_ref())
            .ok_or_else(|| self.wrong(&format!("there is no {kind} named {name:?}")))
    }

    fn trust(&self, cluster: &ClusterEntry) -> Result<Trust, Error> {
        if cluster.insecure_skip_tls_verify {
            return Ok(Trust::Insecure);
        }
        let pem = self.data_or_file(
            cluster.certificate_authority_data.as_deref(),
            cluster.certificate_authority.as_deref(),
            ["certificate-authority-data", "certificate-authority"],
        )?;
        Ok(pem.map_or(Trust::Roots, |(content, field)| Trust::Authority {
            pem: content.bytes,
            field,
        }))
    }

    /// `<field>-data` goes before `<field>`; the field comes with what it holds.
    pub(crate) fn data_or_file(
        &self,
        data: Option<&str>,
        file: Option<&str>,
        [data_field, file_field]: [&'static str; 2],
    ) -> Result<Option<(Content, &'static str)>, Error> {
        if let Some(data) = data.filter(|it| !it.is_empty()) {
            // lines may be wrapped; all room at once, so that no copy of a key is left behind
            let mut text = Zeroizing::new(Vec::with_capacity(data.len()));
            text.extend(data.bytes().filter(|byte| !byte.is_ascii_whitespace()));
            let bytes = BASE64_STANDARD.decode(&*text).map(Zeroizing::new);
            let bytes = bytes.map_err(|_| self.wrong(&format!("{data_field} is not Base64")))?;
            return Ok(Some((Content { bytes, mode: 0 }, data_field)));
        }
        let file = file.filter(|it| !it.is_empty());
        file.map(|file| Ok((self.read(file, file_field)?, file_field))).transpose()
    }

    pub(crate) fn read(&self, file: &str, field: &'static str) -> Result<Content, Error> {
        let path = self.path_of(file);
        config_file::read(&path).map_err(|source| Error::Read { path, field: Some(field), source })
    }

    pub(crate) fn path_of(&self, file: &str) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(file)
    }

    pub(crate) fn wrong(&self, problem: &str) -> Error {
        wrong(self.path, problem)
    }
}
