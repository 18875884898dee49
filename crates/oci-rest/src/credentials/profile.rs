//! Profiles of `~/.oci/config`, the file of Oracle's SDKs and command line.

use std::{
    collections::HashMap,
    fmt, fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use clock::Clock;
use oci_signer::PrivateKey;
use zeroize::Zeroizing;

use crate::{ApiKey, Credentials, Error, SessionFile, TokenCredentials};

/// One profile: sections in brackets, lines `key = value`, comments after `#` or `;`. What a profile
/// leaves out is taken from `[DEFAULT]`, as Oracle's SDK for Python does.
///
/// Source: Oracle, "SDK and CLI Configuration File".
pub struct Profile {
    name: String,
    values: HashMap<String, Zeroizing<String>>,
    home: PathBuf,
}

impl Profile {
    /// Reads the profile `name` of the file; `~` in its paths is `home`.
    ///
    /// # Errors
    /// The file cannot be read, or has no such profile.
    pub fn read(file: &Path, name: &str, home: &Path) -> Result<Self, Error> {
        let text = fs::read_to_string(file).map(Zeroizing::new).map_err(|source| {
            let problem = format!("cannot read {}", file.display());
            Error::credentials(what(name), problem, Some(Box::new(source)))
        })?;
        Self::parse(&text, name, home)
    }

    /// Reads the profile `name` of the text of such a file.
    ///
    /// # Errors
    /// There is no such profile, or a line is none that is known. Nothing of the text is shown.
    pub fn parse(text: &str, name: &str, home: &Path) -> Result<Self, Error> {
        let wrong = |problem: String| Error::credentials(what(name), problem, None);
        let (mut section, mut found) = (String::new(), name == DEFAULT);
        let (mut common, mut own) = (HashMap::new(), HashMap::new());
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(title) = line.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
                title.trim().clone_into(&mut section);
                found |= section == name;
                continue;
            }
            let Some((key, value)) = line.split_once('=') else {
                return Err(wrong(format!("line {} is not key = value", number + 1)));
            };
            let entry = (key.trim().to_ascii_lowercase(), Zeroizing::new(value.trim().to_owned()));
            if section == name {
                own.extend([entry]);
            } else if section == DEFAULT {
                common.extend([entry]);
            }
        }
        if !found {
            return Err(wrong("the file has no such profile".to_owned()));
        }
        common.extend(own);
        common.retain(|_, value: &mut Zeroizing<String>| !value.is_empty());
        Ok(Self { name: name.to_owned(), values: common, home: home.to_owned() })
    }

    /// The region, by key or identifier.
    pub fn region(&self) -> Option<&str> {
        self.value("region")
    }

    /// The tenancy's OCID.
    pub fn tenancy(&self) -> Option<&str> {
        self.value("tenancy")
    }

    /// The file with the private key.
    ///
    /// # Errors
    /// The profile names none.
    pub fn key_file(&self) -> Result<PathBuf, Error> {
        Ok(self.path(self.wanted("key_file")?))
    }

    /// How to authenticate, as the profile says, where that is by neither of the two that
    /// [`credentials`](Self::credentials) knows: `instance_principal`, `instance_obo_user`,
    /// `resource_principal`, …
    pub fn authentication_type(&self) -> Option<&str> {
        self.value("authentication_type").filter(|it| !matches!(*it, "api_key" | "security_token"))
    }

    /// The file with a delegation token, for [`TokenCredentials::on_behalf_of`].
    ///
    /// # Errors
    /// The profile names none.
    pub fn delegation_token_file(&self) -> Result<PathBuf, Error> {
        Ok(self.path(self.wanted("delegation_token_file")?))
    }

    /// The profile's credentials: a session token if it has `security_token_file`, else an API key.
    ///
    /// # Errors
    /// A key of the profile is missing, or the private key cannot be used.
    pub fn credentials(&self, clock: Arc<dyn Clock>) -> Result<Box<dyn Credentials>, Error> {
        let passphrase = self.value("pass_phrase").or_else(|| self.value("passphrase"));
        let key_file = self.key_file()?;
        if let Some(token) = self.value("security_token_file") {
            let passphrase = passphrase.map(|it| Zeroizing::new(it.to_owned()));
            let source = SessionFile { token: self.path(token), key: key_file, passphrase };
            return Ok(Box::new(TokenCredentials::new(Box::new(source), clock)));
        }
        let at = || format!("the private key in {} cannot be used", key_file.display());
        let pem = fs::read_to_string(&key_file)
            .map(Zeroizing::new)
            .map_err(|source| Error::credentials(what(&self.name), at(), Some(Box::new(source))))?;
        let key = PrivateKey::from_pem(&pem, passphrase)
            .map_err(|source| Error::credentials(what(&self.name), at(), Some(Box::new(source))))?;
        let (tenancy, user) = (self.wanted("tenancy")?, self.wanted("user")?);
        Ok(Box::new(ApiKey::new(tenancy, user, self.value("fingerprint"), key)?))
    }

    fn value(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(|it| it.as_str())
    }

    fn wanted(&self, key: &str) -> Result<&str, Error> {
        self.value(key).ok_or_else(|| {
            let problem = format!("it has no {key}");
            Error::credentials(what(&self.name), problem, None)
        })
    }

    fn path(&self, text: &str) -> PathBuf {
        match text.strip_prefix("~/") {
            Some(rest) => self.home.join(rest),
            None => text.into(),
        }
    }
}

/// Shows the name.
impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Profile").field("name", &self.name).finish_non_exhaustive()
    }
}

fn what(name: &str) -> String {
    format!("the profile {name} of Oracle's configuration file")
}

const DEFAULT: &str = "DEFAULT";
