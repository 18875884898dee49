//! Who signs: what `config.yaml` chooses, made ready.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use clock::Clock;
use http::Uri;
use oci_iaas::Region;
use oci_rest::{
    ApiKey, Credentials, InstancePrincipals, MemoryCache, Metadata, Network, Profile,
    ResourcePrincipal, TokenCredentials, TokenExchange, TokenSource, Transport, UreqTransport,
    WorkloadIdentity,
};
use oci_signer::PrivateKey;

use crate::{
    Auth, Config, ConfigError, Settings,
    config::{Key, UserKey},
    error::Error,
    setup_error::SetupError,
};

/// What there is to make credentials of.
pub(crate) struct CredentialsBuilder<'a> {
    pub(crate) config: &'a Config,
    pub(crate) settings: &'a Settings,
    pub(crate) network: &'a Network,
    pub(crate) metadata: &'a Metadata,
    pub(crate) transport: &'a Arc<dyn Transport>,
    pub(crate) clock: &'a Arc<dyn Clock>,
}

/// Credentials, and the region that comes with them where it does.
pub(crate) type Identity = (Box<dyn Credentials>, Option<Region>);

impl CredentialsBuilder<'_> {
    /// Makes the credentials ready; nothing is asked on the network yet.
    pub(crate) fn identity(&self) -> Result<Identity, Error> {
        match &self.config.auth {
            Auth::ApiKey(user) => Ok((Box::new(self.api_key(user)?), None)),
            Auth::InstancePrincipals => Ok((self.tokens(self.instance_principals()?), None)),
            // the cloud controller manager, whose key this is, means the exchange where it has a domain
            Auth::WorkloadIdentity if !self.settings.principal.contains_key(DOMAIN) => {
                Ok((self.tokens(self.workload_identity()?), None))
            }
            Auth::ResourcePrincipals => self.resource_principal(),
            Auth::WorkloadIdentity | Auth::TokenExchange => {
                let vars = &self.settings.principal;
                let instance = self.instance_principals()?;
                let source = TokenExchange::from_vars(|name| vars.get(name).cloned(), instance)?;
                Ok((self.tokens(source), None))
            }
            Auth::Profile { file, name } => {
                let file = self.sdk_config(file.as_deref());
                let profile = Profile::read(&file, name, &self.settings.home)?;
                if profile.holds_secret() {
                    check_private("", &file)?;
                }
                let place = || {
                    let behind = profile.region().is_some_and(|it| it.contains(['#', ';']));
                    let comment = if behind {
                        ", with the comment behind it, which is a part of it,"
                    } else {
                        ""
                    };
                    format!("the region of the profile {name} in {}{comment}", file.display())
                };
                let region = profile.region().map(|it| parse_region(it, place)).transpose()?;
                let (credentials, own_region) = self.profile(&profile, name)?;
                Ok((credentials, region.or(own_region)))
            }
        }
    }

    /// What Oracle's command line makes of the profile, where that is not a key.
    fn profile(&self, profile: &Profile, name: &str) -> Result<Identity, Error> {
        match profile.authentication_type() {
            None => {
                if let Some(file) = profile.key_file()? {
                    check_private(&format!("key_file of the profile {name}:"), &file)?;
                }
                Ok((profile.credentials(Arc::clone(self.clock))?, None))
            }
            Some("instance_principal") => Ok((self.tokens(self.instance_principals()?), None)),
            Some("instance_obo_user" | "delegation_token_with_instance_principal") => {
                let delegation = profile.delegation_token_file()?;
                check_private(
                    &format!("delegation_token_file of the profile {name}:"),
                    &delegation,
                )?;
                let credentials = self.token_credentials(self.instance_principals()?);
                Ok((Box::new(credentials.on_behalf_of(delegation)), None))
            }
            Some("resource_principal") => self.resource_principal(),
            Some("oke_workload_identity") => Ok((self.tokens(self.workload_identity()?), None)),
            Some(_) => Err(SetupError::AuthenticationType { profile: name.to_owned() }.into()),
        }
    }

    fn resource_principal(&self) -> Result<Identity, Error> {
        let (vars, instance) = (&self.settings.principal, self.instance_principals()?);
        let source = ResourcePrincipal::from_vars(|name| vars.get(name).cloned(), instance)?;
        let place = || "the variable OCI_RESOURCE_PRINCIPAL_REGION".to_owned();
        let region = source.region().map(|it| parse_region(it, place)).transpose()?;
        Ok((self.tokens(source), region))
    }

    fn tokens(&self, source: impl TokenSource + 'static) -> Box<dyn Credentials> {
        Box::new(self.token_credentials(source))
    }

    fn token_credentials(&self, source: impl TokenSource + 'static) -> TokenCredentials {
        let credentials = TokenCredentials::new(Box::new(source), Arc::clone(self.clock));
        match cache(self.settings) {
            Some(cache) => credentials.with_cache(cache),
            None => credentials,
        }
    }

    fn instance_principals(&self) -> Result<InstancePrincipals, Error> {
        let (transport, clock) = (Arc::clone(self.transport), Arc::clone(self.clock));
        let endpoint = self.auth_endpoint()?;
        Ok(InstancePrincipals::new(self.metadata.clone(), transport, clock, endpoint))
    }

    fn workload_identity(&self) -> Result<WorkloadIdentity, Error> {
        let account = &self.settings.pod_account;
        let endpoint = match (&self.config.auth_endpoint, &self.settings.cluster_host) {
            (Some(endpoint), _) => endpoint.clone(),
            (None, Some(host)) => {
                let endpoint = format!("https://{host}:{WORKLOAD_PORT}");
                endpoint.parse().map_err(|_| SetupError::Endpoint { endpoint })?
            }
            (None, None) => return Err(SetupError::NoPod.into()),
        };
        let authority = &account.authority;
        let read = config_file::read(authority);
        let read =
            read.map_err(|source| SetupError::RootCerts { path: authority.clone(), source })?;
        let root_certs = Some(read.bytes.to_vec());
        let mut network = Network { root_certs, ..self.network.clone() };
        network.names.root_certs = authority.display().to_string();
        let transport = Arc::new(UreqTransport::new(&network)?);
        let clock = Arc::clone(self.clock);
        Ok(WorkloadIdentity::new(endpoint, account.token.clone(), transport, clock))
    }

    fn auth_endpoint(&self) -> Result<Option<Uri>, Error> {
        let by_environment = || {
            let endpoint = self.settings.auth_url.as_ref()?;
            let wrong = |_| SetupError::Endpoint { endpoint: endpoint.clone() };
            Some(endpoint.parse().map_err(wrong))
        };
        match &self.config.auth_endpoint {
            Some(endpoint) => Ok(Some(endpoint.clone())),
            None => Ok(by_environment().transpose()?),
        }
    }

    fn sdk_config(&self, file: Option<&Path>) -> PathBuf {
        match file.or(self.settings.sdk_config.as_deref()) {
            Some(file) => self.at_home(file),
            None => self.settings.home.join(".oci/config"),
        }
    }

    /// `~` is the home directory.
    fn at_home(&self, file: &Path) -> PathBuf {
        file.strip_prefix("~").map_or_else(|_| file.into(), |it| self.settings.home.join(it))
    }

    fn api_key(&self, user: &UserKey) -> Result<ApiKey, Error> {
        let (name, pem) = match &user.key {
            Key::Inline(text) => ("auth.key".to_owned(), text.clone()),
            Key::File(path) => {
                let path = self.at_home(path);
                let content = config_file::read(&path);
                let content =
                    content.map_err(|it| ConfigError::unreadable("auth.key_file", &path, it))?;
                if content.mode & EVERYBODY != 0 {
                    return Err(ConfigError::exposed(&path, content.mode).into());
                }
                (format!("auth.key_file ({})", path.display()), content.text_or_binary())
            }
        };
        let passphrase = user.passphrase.as_ref().map(|it| it.as_str());
        let key = PrivateKey::from_pem(&pem, passphrase).map_err(|source| {
            match (source.is_passphrase_missing(), source.is_passphrase()) {
                (true, _) => SetupError::PassphraseMissing { key: name },
                (_, true) => SetupError::Passphrase { key: name, source },
                _ => SetupError::Key { key: name, source },
            }
        })?;
        let (tenancy, id) = (user.tenancy.as_str(), user.user.as_str());
        Ok(ApiKey::new(tenancy, id, user.fingerprint.as_deref(), key)?)
    }
}

fn parse_region(text: &str, place: impl Fn() -> String) -> Result<Region, Error> {
    Region::parse(text).map_err(|_| SetupError::Region { place: place() }.into())
}

/// What calls share until the next reboot, if they may.
pub(crate) fn cache(settings: &Settings) -> Option<MemoryCache> {
    settings.token_cache.then(|| MemoryCache::new(settings.run_dir.join("tokens")))
}

/// Refuses a file with a key, or a token, that everybody may read.
fn check_private(setting: &str, path: &Path) -> Result<(), Error> {
    let read = config_file::read(path);
    let mode = read.map_err(|it| ConfigError::unreadable(setting, path, it))?.mode;
    if mode & EVERYBODY != 0 {
        return Err(ConfigError::exposed(path, mode).into());
    }
    Ok(())
}

const EVERYBODY: u32 = 0o007;
const DOMAIN: &str = "OCI_WORKLOAD_IDENTITY_DOMAIN_URL";
/// Where an enhanced cluster of OKE gives tokens to its pods.
const WORKLOAD_PORT: u16 = 12250;
