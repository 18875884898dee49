//! The text of a kubeconfig.
//!
//! Source of the fields: Kubernetes, `client-go/tools/clientcmd/api/v1`. No field is required, because only the
//! entries of the current context count. Texts of the YAML parser are never passed on, because they quote values,
//! and values may be secrets.

use std::collections::BTreeMap;

use config_file::yaml;
use serde::{Deserialize, de::IgnoredAny};
use zeroize::Zeroizing;

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Document {
    pub(crate) current_context: Option<String>,
    pub(crate) contexts: Option<Vec<Named<ContextEntry>>>,
    pub(crate) clusters: Option<Vec<Named<ClusterEntry>>>,
    pub(crate) users: Option<Vec<Named<UserEntry>>>,
}

/// `{name: …, context: {…}}`, or `cluster`, or `user`.
#[derive(Deserialize)]
pub(crate) struct Named<T> {
    pub(crate) name: Option<String>,
    #[serde(alias = "context", alias = "cluster", alias = "user")]
    pub(crate) entry: Option<T>,
}

#[derive(Deserialize)]
pub(crate) struct ContextEntry {
    pub(crate) cluster: Option<String>,
    pub(crate) user: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ClusterEntry {
    pub(crate) server: Option<String>,
    pub(crate) certificate_authority: Option<String>,
    pub(crate) certificate_authority_data: Option<String>,
    #[serde(default, deserialize_with = "yaml::switch")]
    pub(crate) insecure_skip_tls_verify: bool,
    pub(crate) tls_server_name: Option<String>,
    pub(crate) proxy_url: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct UserEntry {
    pub(crate) client_certificate: Option<String>,
    pub(crate) client_certificate_data: Option<String>,
    pub(crate) client_key: Option<String>,
    pub(crate) client_key_data: Option<Zeroizing<String>>,
    pub(crate) token: Option<Zeroizing<String>>,
    #[serde(rename = "tokenFile")]
    pub(crate) token_file: Option<String>,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<Zeroizing<String>>,
    #[serde(rename = "as")]
    pub(crate) act_as: Option<String>,
    #[serde(rename = "as-uid")]
    pub(crate) act_as_uid: Option<String>,
    #[serde(rename = "as-groups")]
    pub(crate) act_as_groups: Option<Vec<String>>,
    #[serde(rename = "as-user-extra")]
    pub(crate) act_as_extra: Option<BTreeMap<String, Vec<String>>>,
    pub(crate) exec: Option<IgnoredAny>,
    pub(crate) auth_provider: Option<IgnoredAny>,
}

impl Document {
    pub(crate) fn parse(text: &[u8]) -> Result<Self, String> {
        let text = config_file::text(text).map_err(|error| error.to_string())?;
        let first = yaml::first(&text).map_err(|problem| problem.to_string())?;
        Ok(first.value.unwrap_or_default())
    }
}

impl UserEntry {
    /// Whether the entry itself holds a secret.
    pub(crate) fn is_secret(&self) -> bool {
        let values = [&self.client_key_data, &self.token, &self.password];
        values.into_iter().flatten().any(|it| !it.is_empty())
    }
}
