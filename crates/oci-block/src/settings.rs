//! What the environment says: places, network and overrides, read once by the driver.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
};

use oci_rest::{ResourcePrincipal, SettingNames, TokenExchange};

/// Where things are on this machine and how to reach the cloud.
///
/// The names of the variables are those of the Go driver and of Oracle's SDKs; `docs/configuration.md`
/// lists them all.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// `config.yaml`; where it exists, this host has credentials (a "master").
    pub config: PathBuf,
    /// The kubeconfig that asks for a node's provider id; may be absent.
    pub kubeconfig: PathBuf,
    /// Where a pod finds the API server of its own cluster; asked where there is no kubeconfig.
    pub kube_service: Option<String>,
    /// The folder of the pod's service account.
    pub service_account: PathBuf,
    /// The folder of the driver; the callers watch it.
    pub driver_dir: PathBuf,
    /// The log file.
    pub log: PathBuf,
    /// The log file where nothing else is said.
    pub default_log: PathBuf,
    /// The least important level that is logged, by name.
    pub log_level: Option<String>,
    /// The form of its lines, by name.
    pub log_format: Option<String>,
    /// Records of volumes: survive a reboot.
    pub state_dir: PathBuf,
    /// Locks, tokens, notes of sessions and nodes: gone after a reboot.
    pub run_dir: PathBuf,
    /// Where host programs are looked for; the caller's `PATH` is never trusted.
    pub tool_path: OsString,
    /// The proxy for OCI's API.
    pub proxy: Option<String>,
    /// The variables that the network's settings come from, for messages.
    pub variables: NetworkVariables,
    /// The proxy for everything else: here, for Kubernetes.
    pub general_proxy: Option<String>,
    /// Hosts that are reached without a proxy.
    pub no_proxy: Option<String>,
    /// Certificates that replace the compiled-in roots.
    pub root_certs: Option<PathBuf>,
    /// The metadata service, with its version: `http://169.254.169.254/opc/v2`.
    pub metadata_url: Option<String>,
    /// The service that gives tokens to instances, where it is not the region's own.
    pub auth_url: Option<String>,
    /// Whether tokens are shared with later calls, in memory below `run_dir`.
    pub token_cache: bool,
    /// The folder that `~` stands for in the configuration of Oracle's SDKs.
    pub home: PathBuf,
    /// The configuration file of Oracle's SDKs.
    pub sdk_config: Option<PathBuf>,
    /// The host of the cluster's API, as its pods know it and as it stands in a URL.
    pub cluster_host: Option<String>,
    /// The token and the authority of the pod's service account, for workload identity.
    pub pod_account: ServiceAccount,
    /// `OCI_RESOURCE_PRINCIPAL_*` and `OCI_WORKLOAD_IDENTITY_*`; may hold secrets.
    pub principal: BTreeMap<String, String>,
    /// A region that is not in the table: the SDK's JSON object.
    pub region_metadata: Option<String>,
}

/// Where a pod finds its service account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceAccount {
    /// The token.
    pub token: PathBuf,
    /// The certificate of the cluster's authority.
    pub authority: PathBuf,
}

/// Which variables say how the network is reached, or could.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkVariables {
    proxy: String,
    general_proxy: String,
    no_proxy: String,
    root_certs: String,
}

/// The URL of a proxy may hold a password.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("config", &self.config)
            .field("state_dir", &self.state_dir)
            .field("run_dir", &self.run_dir)
            .finish_non_exhaustive()
    }
}

impl Settings {
    /// Reads the settings through `var`, which answers like `std::env::var_os`.
    ///
    /// An empty variable counts as absent.
    pub fn from_vars(var: impl Fn(&str) -> Option<OsString>) -> Self {
        let var = |name: &str| var(name).filter(|value| !value.is_empty());
        let path = |name: &str| var(name).map(PathBuf::from);
        let text = |names: &[&str]| {
            names
                .iter()
                .find_map(|name| var(name))
                .map(|value| value.to_string_lossy().into_owned())
        };

        let driver_dir = path("OCI_FLEXD_DRIVER_DIRECTORY").unwrap_or_else(|| DRIVER_DIR.into());
        let config_dir = path("OCI_FLEXD_CONFIG_DIRECTORY").unwrap_or(driver_dir.clone());
        let general_proxy = text(&GENERAL_PROXY);
        let variables = NetworkVariables::from_vars(var);
        let cluster_host = text(&["KUBERNETES_SERVICE_HOST"]).map(url_host);
        let log_dir = path("OCI_FLEXD_DRIVER_LOG_DIR").unwrap_or_else(|| LOG_DIR.into());
        Self {
            config: config_dir.join("config.yaml"),
            kubeconfig: path("OCI_FLEXD_KUBECONFIG_PATH")
                .unwrap_or_else(|| config_dir.join("kubeconfig")),
            kube_service: cluster_host
                .as_ref()
                .map(|host| service(host, text(&["KUBERNETES_SERVICE_PORT"]))),
            service_account: path("OCI_FLEXD_SERVICE_ACCOUNT_DIRECTORY")
                .unwrap_or_else(|| SERVICE_ACCOUNT.into()),
            driver_dir,
            log: log_dir.join(LOG_FILE),
            default_log: PathBuf::from(LOG_DIR).join(LOG_FILE),
            log_level: text(&["OCI_FLEXD_LOG_LEVEL"]),
            log_format: text(&["OCI_FLEXD_LOG_FORMAT"]),
            state_dir: path("OCI_FLEXD_STATE_DIRECTORY").unwrap_or_else(|| STATE_DIR.into()),
            run_dir: path("OCI_FLEXD_RUN_DIRECTORY").unwrap_or_else(|| RUN_DIR.into()),
            tool_path: var("OCI_FLEXD_TOOL_PATH").unwrap_or_else(|| TOOL_PATH.into()),
            proxy: text(&["OCI_PROXY"]).or_else(|| general_proxy.clone()),
            general_proxy,
            no_proxy: text(&NO_PROXY),
            root_certs: ROOT_CERTS.iter().find_map(|name| path(name)),
            variables,
            metadata_url: text(&["OCI_METADATA_BASE_URL"]),
            auth_url: text(&["OCI_SDK_AUTH_CLIENT_REGION_URL"]),
            token_cache: var("OCI_FLEXD_TOKEN_CACHE").is_none_or(|it| it != "off"),
            home: path("HOME").unwrap_or_else(|| HOME.into()),
            sdk_config: path("OCI_CONFIG_FILE"),
            cluster_host,
            pod_account: ServiceAccount {
                token: path("OCI_KUBERNETES_SERVICE_ACCOUNT_TOKEN_PATH")
                    .unwrap_or_else(|| PathBuf::from(SERVICE_ACCOUNT).join("token")),
                authority: path("OCI_KUBERNETES_SERVICE_ACCOUNT_CERT_PATH")
                    .unwrap_or_else(|| PathBuf::from(SERVICE_ACCOUNT).join("ca.crt")),
            },
            principal: ResourcePrincipal::variables()
                .chain(TokenExchange::variables())
                .filter_map(|name| text(&[&name]).map(|value| (name, value)))
                .collect(),
            region_metadata: text(&["OCI_REGION_METADATA"]),
        }
    }
}

impl Settings {
    /// What the settings of the way to OCI are called.
    pub(crate) fn names(&self) -> SettingNames {
        let mut names = self.general_names();
        names.endpoint = "auth.region or endpoints in config.yaml".to_owned();
        names.proxy = self.variables.proxy.clone();
        names.root_certs = self.variables.root_certs.clone();
        names
    }

    /// The same of the way to anything else.
    pub(crate) fn general_names(&self) -> SettingNames {
        let mut names = SettingNames::default();
        names.proxy = self.variables.general_proxy.clone();
        names.no_proxy = self.variables.no_proxy.clone();
        names
    }
}

impl NetworkVariables {
    /// The first that is set of those that mean the same, else the first.
    fn from_vars(var: impl Fn(&str) -> Option<OsString>) -> Self {
        let first = |names: &[&str]| {
            let set = names.iter().find(|name| var(name).is_some());
            set.or(names.first()).map(|it| (*it).to_owned()).unwrap_or_default()
        };
        let mut proxies = vec!["OCI_PROXY"];
        proxies.extend(GENERAL_PROXY);
        Self {
            proxy: first(&proxies),
            general_proxy: first(&GENERAL_PROXY),
            no_proxy: first(&NO_PROXY),
            root_certs: first(&ROOT_CERTS),
        }
    }
}

/// Whether a file is there. One that cannot be looked at counts as there, so that reading it says why.
pub(crate) fn is_there(path: &Path) -> bool {
    path.try_exists().unwrap_or(true)
}

/// A host as it stands in a URL: an address in IPv6 has brackets there.
fn url_host(host: String) -> String {
    if host.contains(':') { format!("[{host}]") } else { host }
}

/// The URL of the API server.
fn service(host: &str, port: Option<String>) -> String {
    let port = port.unwrap_or_else(|| "443".into());
    format!("https://{host}:{port}")
}

const GENERAL_PROXY: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
const NO_PROXY: [&str; 2] = ["NO_PROXY", "no_proxy"];
const ROOT_CERTS: [&str; 3] = ["TRUSTED_CA_CERT_PATH", "OCI_DEFAULT_CERTS_PATH", "SSL_CERT_FILE"];
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
const DRIVER_DIR: &str = "/usr/libexec/kubernetes/kubelet-plugins/volume/exec/oracle~oci";
// Not the driver directory: the caller's prober watches that, and each write there runs `init` again.
const LOG_DIR: &str = "/var/log/oci-flexvolume-driver";
const LOG_FILE: &str = "oci_flexvolume_driver.log";
const STATE_DIR: &str = "/var/lib/oci-flexvolume-driver";
const RUN_DIR: &str = "/run/oci-flexvolume-driver";
const HOME: &str = "/root";
const TOOL_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(vars: &[(&str, &str)]) -> Settings {
        Settings::from_vars(|name| {
            vars.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn a_file_that_cannot_be_looked_at_counts_as_there() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config.yaml");
        assert!(!is_there(&file));
        std::fs::write(&file, "").unwrap();
        assert!(is_there(&file) && is_there(&file.join("below a file")));
    }

    #[track_caller]
    fn check_paths(vars: &[(&str, &str)], config: &str, kubeconfig: &str) {
        let settings = settings(vars);
        assert_eq!(settings.config, Path::new(config));
        assert_eq!(settings.kubeconfig, Path::new(kubeconfig));
    }

    #[test]
    fn config_lies_where_the_go_driver_has_it() {
        let default = "/usr/libexec/kubernetes/kubelet-plugins/volume/exec/oracle~oci";
        check_paths(&[], &format!("{default}/config.yaml"), &format!("{default}/kubeconfig"));
        let config = [("OCI_FLEXD_CONFIG_DIRECTORY", "/foo/bar/")];
        check_paths(&config, "/foo/bar/config.yaml", "/foo/bar/kubeconfig");
        let driver = [("OCI_FLEXD_DRIVER_DIRECTORY", "/foo/baz")];
        check_paths(&driver, "/foo/baz/config.yaml", "/foo/baz/kubeconfig");
        let kube = [("OCI_FLEXD_CONFIG_DIRECTORY", "/a"), ("OCI_FLEXD_KUBECONFIG_PATH", "/k/c")];
        check_paths(&kube, "/a/config.yaml", "/k/c");
    }

    #[test]
    fn the_drivers_own_proxy_comes_before_the_general_one() {
        let both = [("OCI_PROXY", "http://a:1"), ("HTTPS_PROXY", "http://b:2")];
        assert_eq!(settings(&both).proxy.as_deref(), Some("http://a:1"));
        assert_eq!(settings(&both).general_proxy.as_deref(), Some("http://b:2"));
        assert_eq!(settings(&both[1..]).proxy.as_deref(), Some("http://b:2"));
    }

    #[test]
    fn messages_name_the_variable_that_is_set() {
        let names = |vars: &[(&str, &str)]| {
            let settings = settings(vars);
            let (oci, general) = (settings.names(), settings.general_names());
            [oci.proxy, general.proxy, oci.no_proxy, oci.root_certs]
        };
        let usual = ["OCI_PROXY", "HTTPS_PROXY", "NO_PROXY", "TRUSTED_CA_CERT_PATH"];
        assert_eq!(names(&[]), usual);
        assert_eq!(names(&[("all_proxy", "p")]), ["all_proxy", "all_proxy", usual[2], usual[3]]);
        assert_eq!(
            names(&[
                ("OCI_PROXY", "p"),
                ("https_proxy", "q"),
                ("no_proxy", "a"),
                ("SSL_CERT_FILE", "f")
            ]),
            ["OCI_PROXY", "https_proxy", "no_proxy", "SSL_CERT_FILE"]
        );
    }

    #[test]
    fn a_pod_knows_its_cluster() {
        let service = |vars: &[(&str, &str)]| settings(vars).kube_service;
        assert_eq!(service(&[]), None);
        let host = ("KUBERNETES_SERVICE_HOST", "10.96.0.1");
        assert_eq!(service(&[host]).as_deref(), Some("https://10.96.0.1:443"));
        let port = ("KUBERNETES_SERVICE_PORT", "6443");
        assert_eq!(service(&[host, port]).as_deref(), Some("https://10.96.0.1:6443"));
        let host = ("KUBERNETES_SERVICE_HOST", "fd00::1");
        assert_eq!(service(&[host]).as_deref(), Some("https://[fd00::1]:443"));
        assert_eq!(settings(&[host]).cluster_host.as_deref(), Some("[fd00::1]"));
    }

    #[test]
    fn an_empty_variable_is_absent() {
        assert_eq!(settings(&[("OCI_PROXY", "")]).proxy, None);
    }
}
