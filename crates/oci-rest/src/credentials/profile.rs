//! Profiles of `~/.oci/config`, the file of Oracle's SDKs and command line.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use clock::Clock;
use oci_iaas::Ocid;
use oci_signer::PrivateKey;
use zeroize::Zeroizing;

use super::ini::{self, Values};
use crate::{ApiKey, Credentials, Error, SessionFile, TokenCredentials};

/// One profile, read by the rules of Python's `configparser`, as Oracle's tools read it: keys in any
/// case, `=` or `:`, values that go on in lines with more blanks before them, `#` or `;` at the
/// beginning of a line of comment. What a profile leaves out is taken from `[DEFAULT]`. Unlike there, what
/// is wrong in other profiles does no harm, and a key may stand in the file itself, as `key_content`.
///
/// Source: Oracle, "SDK and CLI Configuration File"; its SDK for Python, `oci.config.from_file`.
pub struct Profile {
    name: String,
    values: Values,
    home: PathBuf,
}

impl Profile {
    /// Reads the profile `name` of the file; `~` in its paths is `home`.
    ///
    /// # Errors
    /// The file cannot be read, or has no such profile.
    pub fn read(file: &Path, name: &str, home: &Path) -> Result<Self, Error> {
        let text = super::read(file).map_err(|source| {
            let problem = format!("cannot read {}", file.display());
            Error::credentials(what(name), problem, Some(Box::new(source)))
        })?;
        Self::parse(&text, name, home)
    }

    /// Reads the profile `name` of the text of such a file.
    ///
    /// # Errors
    /// There is no such profile, a line of it is none that is known, or a key is given twice. Nothing of
    /// the text is shown.
    pub fn parse(text: &str, name: &str, home: &Path) -> Result<Self, Error> {
        let mut values = ini::section(text, name)
            .map_err(|wrong| Error::credentials(what(name), wrong.to_string(), None))?;
        values.retain(|_, value| !value.is_empty());
        Ok(Self { name: name.to_owned(), values, home: home.to_owned() })
    }

    /// The region, by key or identifier.
    pub fn region(&self) -> Option<&str> {
        self.value("region")
    }

    /// The tenancy's OCID.
    pub fn tenancy(&self) -> Option<&str> {
        self.value("tenancy")
    }

    /// The file with the private key; none if the profile has the key itself.
    ///
    /// # Errors
    /// The profile has neither.
    pub fn key_file(&self) -> Result<Option<PathBuf>, Error> {
        match self.value("key_content") {
            Some(_) => Ok(None),
            None => self.path("key_file").map(Some),
        }
    }

    /// Whether the profile has a private key or a passphrase in itself.
    pub fn holds_secret(&self) -> bool {
        self.value("key_content").or(self.passphrase()).is_some()
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
        self.path("delegation_token_file")
    }

    /// The profile's credentials: a session token if it has `security_token_file`, else an API key.
    ///
    /// # Errors
    /// A key of the profile is missing or no OCID, or the private key cannot be used.
    pub fn credentials(&self, clock: Arc<dyn Clock>) -> Result<Box<dyn Credentials>, Error> {
        if self.value("security_token_file").is_some() {
            let passphrase = self.passphrase().map(|it| Zeroizing::new(it.to_owned()));
            let (token, key) = (self.path("security_token_file")?, self.path("key_file")?);
            let source = SessionFile { token, key, passphrase };
            return Ok(Box::new(TokenCredentials::new(Box::new(source), clock)));
        }
        let key = self.key()?;
        let (tenancy, user) = (self.ocid("tenancy")?, self.ocid("user")?);
        Ok(Box::new(ApiKey::new(tenancy, user, self.value("fingerprint"), key)?))
    }

    fn key(&self) -> Result<PrivateKey, Error> {
        let (place, pem) = match self.key_file()? {
            None => {
                let pem = self.wanted("key_content")?.to_owned();
                ("in key_content".to_owned(), Zeroizing::new(pem))
            }
            Some(file) => {
                let content = config_file::read(&file).map_err(|source| {
                    let problem = format!("cannot read {}, its key_file", file.display());
                    self.wrong(problem, Some(Box::new(source)))
                })?;
                (format!("in {}", file.display()), content.text_or_binary())
            }
        };
        PrivateKey::from_pem(&pem, self.passphrase()).map_err(|source| {
            if source.is_passphrase_missing() {
                let cure = "is encrypted; give its passphrase as pass_phrase in the profile";
                return self.wrong(format!("the private key {place} {cure}"), None);
            }
            let with = if source.is_passphrase() { " with pass_phrase" } else { "" };
            let problem = format!("the private key {place} cannot be used{with}");
            self.wrong(problem, Some(Box::new(source)))
        })
    }

    fn passphrase(&self) -> Option<&str> {
        self.value("pass_phrase").or_else(|| self.value("passphrase"))
    }

    fn value(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(|it| it.as_str())
    }

    fn wanted(&self, key: &str) -> Result<&str, Error> {
        self.value(key).ok_or_else(|| self.wrong(format!("it has no {key}"), None))
    }

    fn ocid(&self, key: &str) -> Result<&str, Error> {
        let text = self.wanted(key)?;
        let ocid = text.parse::<Ocid>().ok().filter(|it| it.kind() == key);
        let wrong = || {
            let problem = format!(
                "{key} is no {key} OCID (ocid1.{key}.…); quotation marks, and a comment behind the \
                 value, would be parts of it"
            );
            self.wrong(problem, None)
        };
        ocid.map(|_| text).ok_or_else(wrong)
    }

    fn path(&self, key: &str) -> Result<PathBuf, Error> {
        let text = self.wanted(key)?;
        match text.strip_prefix('~') {
            Some("") => Ok(self.home.clone()),
            Some(rest) => {
                rest.strip_prefix('/').map(|rest| self.home.join(rest)).ok_or_else(|| {
                    let problem =
                        format!("{key} begins with ~ and a user's name; write the whole path");
                    self.wrong(problem, None)
                })
            }
            None => Ok(text.into()),
        }
    }

    fn wrong(
        &self,
        problem: String,
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Error {
        Error::credentials(what(&self.name), problem, source)
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
