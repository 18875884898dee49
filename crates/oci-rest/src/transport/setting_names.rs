//! What settings are called where a person changes them.

/// What the settings of a [`Network`](crate::Network) are called, for messages that say what to change:
/// `HTTPS_PROXY`, or `certificate-authority of the kubeconfig`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SettingNames {
    /// Where the host of a request comes from.
    pub endpoint: String,
    /// The proxy.
    pub proxy: String,
    /// The exceptions from the proxy.
    pub no_proxy: String,
    /// The trusted certificates.
    pub root_certs: String,
    /// The certificate of the client.
    pub client_cert: String,
    /// The name that the endpoint's certificate has to be for, where there is such a setting.
    pub server_name: Option<String>,
}

impl Default for SettingNames {
    fn default() -> Self {
        Self {
            endpoint: "the endpoint".to_owned(),
            proxy: "the proxy".to_owned(),
            no_proxy: "the list of hosts without a proxy".to_owned(),
            root_certs: "the root certificates".to_owned(),
            client_cert: "the client certificate".to_owned(),
            server_name: None,
        }
    }
}
